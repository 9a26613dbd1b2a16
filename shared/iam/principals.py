"""Principal elements: who a statement of a resource-based policy speaks of.

Source: IAM user guide, "AWS JSON policy elements: Principal" and "NotPrincipal".
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from shared.errors import PolicyDocumentError

EVERYONE = "*"


class PrincipalKind(StrEnum):
    """Under which key a principal is listed."""

    AWS = "AWS"
    SERVICE = "Service"
    FEDERATED = "Federated"
    CANONICAL_USER = "CanonicalUser"


class Principals(NamedTuple):
    """A Principal element, or a NotPrincipal where `negated`; `"*"` by itself is read as `{"AWS": "*"}`.

    `entries` are the listed principals in the order of the document.
    """

    entries: tuple[tuple[PrincipalKind, str], ...]
    negated: bool = False


_KINDS: Mapping[str, PrincipalKind] = {kind.value.lower(): kind for kind in PrincipalKind}


def parse_principals(raw: Any, path: str, *, negated: bool) -> Principals:
    """Read a Principal or NotPrincipal element: `"*"` or `{kind: value or [values]}`.

    Raises PolicyDocumentError (`principal`) with the JSON path below `path`.
    """
    if raw == EVERYONE:
        return Principals(((PrincipalKind.AWS, EVERYONE),), negated)
    if not isinstance(raw, Mapping) or not raw:
        raise PolicyDocumentError("principal", path, 'expected "*" or an object with AWS, Service, Federated …')
    return Principals(tuple(_entries(raw, path)), negated)


def _entries(raw: Mapping[str, Any], path: str) -> Iterator[tuple[PrincipalKind, str]]:
    for spelled, values in raw.items():
        kind = _KINDS.get(str(spelled).lower())
        if kind is None:
            raise PolicyDocumentError(
                "principal", f"{path}.{spelled}", f"one of {', '.join(PrincipalKind)} is expected"
            )
        listed = values if isinstance(values, list | tuple) else [values]
        if not listed:  # a NotPrincipal that spares nobody, or a Principal that names nobody, is hardly meant
            raise PolicyDocumentError("principal", f"{path}.{spelled}", "the list names nobody")
        for value in listed:
            if not isinstance(value, str) or not value:
                raise PolicyDocumentError("principal", f"{path}.{spelled}", "expected a string or a list of strings")
            yield kind, value
