"""The AWS service reference: from the documents that AWS publishes, one a service, to the compact form that we keep.

Source: Service Authorization Reference, "Simplified AWS service information for programmatic access", which describes
the published fields. The compact form is described in data/SERVICE_REFERENCE_SOURCE.md.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

SOURCE = "AWS service reference (machine-readable Service Authorization Reference), as published"

# These end up between spaces, semicolons and slashes in operations.json.gz.
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
Prefix = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_TEMPLATE = re.compile(r"arn:\S{1,2000}")


class Listed(msgspec.Struct, frozen=True):
    """An entry of the list of services; `modified` is in seconds since 1970."""

    service: Prefix
    url: str
    modified: float | None = None


class _Named(msgspec.Struct, frozen=True, rename="pascal"):
    name: str


class _Properties(msgspec.Struct, frozen=True, rename="pascal"):
    is_list: bool = False
    is_permission_management: bool = False
    is_tagging_only: bool = False
    is_write: bool = False


class _Annotations(msgspec.Struct, frozen=True, rename="pascal"):
    properties: _Properties = _Properties()


class _SupportedBy(msgspec.Struct, frozen=True):
    policy_generation: bool = msgspec.field(default=False, name="IAM Access Analyzer Policy Generation")
    last_accessed: bool = msgspec.field(default=False, name="IAM Action Last Accessed")


class _Action(msgspec.Struct, frozen=True, rename="pascal"):
    name: Name
    annotations: _Annotations = _Annotations()
    resources: tuple[_Named, ...] = ()
    supported_by: _SupportedBy = _SupportedBy()


class _ResourceType(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    arn_formats: tuple[str, ...] = msgspec.field(default=(), name="ARNFormats")


class _Authorized(msgspec.Struct, frozen=True, rename="pascal"):
    name: Name
    service: Prefix
    context: dict[str, list[str] | str] = {}


class _Operation(msgspec.Struct, frozen=True, rename="pascal"):
    name: Name
    authorized_actions: tuple[_Authorized, ...] = ()  # omitted where AWS has not mapped the operation yet


class ServiceDocument(msgspec.Struct, frozen=True, rename="pascal"):
    """What AWS publishes of one service; fields that nothing here reads are left out."""

    name: Prefix
    actions: tuple[_Action, ...]
    operations: tuple[_Operation, ...] = ()
    resources: tuple[_ResourceType, ...] = ()


class Change(NamedTuple):
    """What one kind of thing gained and lost, sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


def compact(documents: Iterable[ServiceDocument], published: str) -> dict[str, Any]:
    """Keep what we need of the published documents; `published` is a date (`2026-08-22`)."""
    services = {
        document.name: {
            "actions": {action.name: _facts(action) for action in sorted(document.actions, key=lambda one: one.name)},
            "operations": {
                operation.name: [_authorized(action) for action in operation.authorized_actions]
                for operation in sorted(document.operations, key=lambda one: one.name)
            },
        }
        for document in sorted(documents, key=lambda one: one.name)
    }
    return {"services": services, "source": f"{SOURCE} {published}"}


def templates_of(documents: Iterable[ServiceDocument]) -> dict[str, list[str]]:
    """ARN templates of each action's resource types, by `prefix:Name`."""
    found: dict[str, list[str]] = {}
    for document in documents:
        formats = {kind.name: kind.arn_formats for kind in document.resources}
        for action in document.actions:
            templates = {template for kind in action.resources for template in formats.get(kind.name, ())}
            found[f"{document.name}:{action.name}"] = sorted(filter(_TEMPLATE.fullmatch, templates))
    return found


def _facts(action: _Action) -> dict[str, Any]:
    properties, supported = action.annotations.properties, action.supported_by
    words = {
        "list": properties.is_list,
        "permissions_management": properties.is_permission_management,
        "tagging": properties.is_tagging_only,
        "write": properties.is_write,
    }
    facts: dict[str, Any] = {}
    if supported.last_accessed:
        facts["last_accessed"] = True
    if supported.policy_generation:
        facts["policy_generation"] = True
    if chosen := [word for word, holds in words.items() if holds]:
        facts["properties"] = chosen
    return facts


def _authorized(action: _Authorized) -> Any:
    name = f"{action.service}:{action.name}"
    context = {key: [value] if isinstance(value, str) else value for key, value in action.context.items()}
    return {"action": name, "context": context} if context else name


def counts(reference: Mapping[str, Any]) -> dict[str, int]:
    """How many services, actions and operations a compact reference has."""
    services = reference["services"].values()
    return {
        "services": len(services),
        "actions": sum(len(service["actions"]) for service in services),
        "operations": sum(len(service["operations"]) for service in services),
    }


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Change]:
    """What a new compact reference has that the old one had not, and the other way round."""
    return {
        kind: Change(
            tuple(sorted(_names(new, kind) - _names(old, kind))), tuple(sorted(_names(old, kind) - _names(new, kind)))
        )
        for kind in ("services", "actions", "operations")
    }


def _names(reference: Mapping[str, Any], kind: str) -> set[str]:
    services = reference["services"]
    if kind == "services":
        return set(services)
    return {f"{prefix}:{name}" for prefix, service in services.items() for name in service[kind]}


def restated(text: str, facts: Mapping[str, str]) -> str:
    r"""A description with its facts brought up to date: each is a line `- label: value`.

    >>> restated("- sha256: old\n- licence: public\n", {"sha256": "new"})
    '- sha256: new\n- licence: public\n'
    """
    return "".join(_restated_line(line, facts) for line in text.splitlines(keepends=True))


def _restated_line(line: str, facts: Mapping[str, str]) -> str:
    label = line.removeprefix("- ").partition(": ")[0]
    return f"- {label}: {facts[label]}\n" if line.startswith(f"- {label}: ") and label in facts else line
