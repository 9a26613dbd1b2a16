"""Every policy that applies to a request, by kind, and how a case of `leastwise policy evaluate` gives them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.errors import InputError, PolicyDocumentError
from shared.iam.policy import Statement, parse_document

Document = tuple[Statement, ...]
Levels = tuple[tuple[Document, ...], ...]

_WORDS = ("polic", "boundar", "scp", "rcp", "session", "endpoint")
"""What a field that means policies may hold: one that is misspelt must not be passed over."""


class Policies(NamedTuple):
    """Parsed policies; None where no policy of that kind applies, which differs from an empty tuple where IAM differs.

    `boundaries`: empty, they allow nothing. `sessions`: without any a role session is not limited, while a federated
    user session holds nothing of its own. `service_control` and `resource_control`: the documents of each organization
    level from the root down to the account; a level without service control policies allows nothing, while every level
    has RCPFullAWSAccess, which needn't be listed. `endpoint`: empty, the default one, which allows everything.
    """

    identity: tuple[Document, ...] | None = None
    boundaries: tuple[Document, ...] | None = None
    sessions: tuple[Document, ...] | None = None
    resource: Document | None = None
    service_control: Levels | None = None
    resource_control: Levels | None = None
    endpoint: tuple[Document, ...] | None = None

    @classmethod
    def parse(cls, case: Mapping[str, Any]) -> "Policies":
        """Read the policies of a case: `identity_policies`, `resource_policy`, and so on.

        Fields that don't speak of policies are left to others. Raises PolicyDocumentError with the path into the case,
        such as `identity_policies[0].Statement[1].Action`, and InputError for a field that is misspelt or no list.
        """
        check_fields(case)
        given = {
            name: read(case[field], field) for field, (name, read) in _FIELDS.items() if case.get(field) is not None
        }
        return cls(**given)


def check_fields(case: Mapping[str, Any]) -> None:
    """Raise InputError for a field that seems to mean policies and isn't one of `FIELDS`."""
    for field in case:
        if field not in _FIELDS and any(word in str(field).lower() for word in _WORDS):
            raise InputError(f"{field}: unknown; one of {', '.join(FIELDS)} is expected")


def _document(raw: Any, path: str, *, principals: bool) -> Document:
    if not isinstance(raw, str | Mapping):
        raise InputError(f"{path}: expected a policy document")
    try:
        document = parse_document(raw)
    except PolicyDocumentError as error:
        raise PolicyDocumentError(error.code, f"{path}{error.path.removeprefix('$')}", error.reason) from error
    for statement in document:
        if (statement.principals is not None) is not principals:
            rule = "needs a Principal" if principals else "can't have a Principal"
            raise PolicyDocumentError(
                "principal", f"{path}.Statement[{statement.place}]", f"this kind of policy {rule}"
            )
    return document


def _items(raw: Any, path: str) -> Iterator[tuple[Any, str]]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise InputError(f"{path}: expected a list")
    return ((item, f"{path}[{place}]") for place, item in enumerate(raw))


def _of_caller(raw: Any, path: str) -> tuple[Document, ...]:
    return tuple(_document(item, place, principals=False) for item, place in _items(raw, path))


def _of_resource(raw: Any, path: str) -> Document:
    return _document(raw, path, principals=True)


def _of_resources(raw: Any, path: str) -> tuple[Document, ...]:
    return tuple(_of_resource(item, place) for item, place in _items(raw, path))


def _levels_of_callers(raw: Any, path: str) -> Levels:
    return tuple(_of_caller(level, place) for level, place in _items(raw, path))


def _levels_of_resources(raw: Any, path: str) -> Levels:
    return tuple(_of_resources(level, place) for level, place in _items(raw, path))


_FIELDS: Mapping[str, tuple[str, Callable[[Any, str], Any]]] = {
    "identity_policies": ("identity", _of_caller),
    "permissions_boundaries": ("boundaries", _of_caller),
    "session_policies": ("sessions", _of_caller),
    "resource_policy": ("resource", _of_resource),
    "service_control_policies": ("service_control", _levels_of_callers),
    "resource_control_policies": ("resource_control", _levels_of_resources),
    "endpoint_policies": ("endpoint", _of_resources),
}
FIELDS = tuple(_FIELDS)
"""Fields of a case that hold policies."""
