"""Policy documents: read as IAM reads them, into statements that the rest of the engine asks questions of.

Tolerant where IAM is (a string for a list, one statement for many, JSON text that may be URL-encoded), strict where
a guess could change what is allowed: everything else is a PolicyDocumentError that says where and which rule.

Source: IAM user guide, "Grammar of the IAM JSON policy language".
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from shared.errors import PolicyDocumentError
from shared.iam.conditions.model import Condition, parse_conditions
from shared.iam.documents import decode_document
from shared.iam.principals import Principals, parse_principals

VERSION = "2012-10-17"
_VERSIONS = frozenset({"2008-10-17", VERSION})
# Elements by their names in lower case.
DOCUMENT_KEYS = {"version": "Version", "id": "Id", "statement": "Statement"}
STATEMENT_KEYS = {
    key.lower(): key
    for key in (
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    )
}

_DOCUMENT_NAMES = frozenset(DOCUMENT_KEYS.values())
_STATEMENT_NAMES = frozenset(STATEMENT_KEYS.values())
_PRINCIPAL_NAMES = ("Principal", "NotPrincipal")
_ONLY_TEXT = {str}
_LISTS = (list, tuple)


class Effect(StrEnum):
    """What a statement does to the requests that it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


_EFFECTS: Mapping[str, Effect] = {effect.value: effect for effect in Effect}


class Statement(NamedTuple):
    """One statement. Of actions and not_actions exactly one is set, of resources and not_resources at most one.

    `conditions` must all hold for the statement to apply; `principals` is None in an identity policy. `condition` and
    `principal` are the same as they stand in the document (`{"Principal": …}` or `{"NotPrincipal": …}`), to be written
    again. `place` is the statement's place in its document, from 0. In a document before version 2012-10-17 `${` is
    escaped, since there it is plain text.
    """

    effect: Effect
    sid: str | None
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    condition: Mapping[str, Any] | None
    principal: Mapping[str, Any] | None
    place: int
    conditions: tuple[Condition, ...] = ()
    principals: Principals | None = None

    def __hash__(self) -> int:
        return hash(
            (self.effect, self.sid, self.actions, self.not_actions, self.resources, self.not_resources, self.place)
        )

    @property
    def conditional(self) -> bool:
        """Whether the statement applies only under conditions."""
        return self.condition is not None

    def render(self, *, with_sid: bool = False) -> dict[str, Any]:
        """The statement as IAM would store it: a string where one is enough, keys in IAM's usual order."""
        lists = {
            "Action": self.actions,
            "NotAction": self.not_actions,
            "Resource": self.resources,
            "NotResource": self.not_resources,
        }
        rendered: dict[str, Any] = {"Sid": self.sid} if with_sid and self.sid else {}
        rendered["Effect"] = self.effect.value
        rendered |= self.principal or {}
        rendered |= {key: list(values) if len(values) > 1 else values[0] for key, values in lists.items() if values}
        return rendered | ({"Condition": dict(self.condition)} if self.condition is not None else {})


def parse_document(document: Mapping[str, Any] | str) -> tuple[Statement, ...]:
    """Read a policy document (JSON values, JSON text, or URL-encoded JSON text as IAM's API answers).

    >>> [statement.actions for statement in parse_document('{"Statement": {"Effect": "Allow", '
    ...  '"Action": "s3:Get*", "Resource": "*"}}')]
    [('s3:Get*',)]

    Raises PolicyDocumentError with the JSON path and a code.
    """
    fields = _fields(decode_document(document), _DOCUMENT_NAMES, "$")
    version = fields.get("Version")
    if "Version" in fields and (not isinstance(version, str) or version not in _VERSIONS):
        raise PolicyDocumentError("version", "$.Version", f"there is no version {version!r} of the policy language")
    if "Statement" not in fields:
        raise PolicyDocumentError("missing_statement", "$", "a policy document needs a Statement")
    raw = fields["Statement"]
    bodies = raw if isinstance(raw, _LISTS) else [raw]
    if not bodies:
        raise PolicyDocumentError("missing_statement", "$.Statement", "a policy document needs at least one statement")
    statements = tuple(_statement(body, index) for index, body in enumerate(bodies))
    return statements if version == VERSION else tuple(map(_without_variables, statements))


def _without_variables(statement: Statement) -> Statement:
    """Escape `${`: before version 2012-10-17 it is plain text, and every document that we write is of that version."""
    condition = statement.condition and {
        operator: {key: _plain(values) for key, values in keys.items()}
        for operator, keys in statement.condition.items()
    }
    return statement._replace(
        actions=_plain(statement.actions),
        not_actions=_plain(statement.not_actions),
        resources=_plain(statement.resources),
        not_resources=_plain(statement.not_resources),
        condition=condition,
        conditions=parse_conditions(condition, f"$.Statement[{statement.place}].Condition") if condition else (),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "${$}{")
    return type(value)(map(_plain, value)) if isinstance(value, list | tuple) else value


def canonical_condition(condition: Mapping[str, Any] | None) -> str:
    """Spell a condition block so that two that mean the same by form are equal: keys without case, values as sets."""
    if condition is None:
        return ""
    entries: list[tuple[str, str, list[str]]] = []
    for operator, keys in condition.items():
        for key, values in keys.items():
            listed = values if isinstance(values, list | tuple) else [values]
            spelled = {value if isinstance(value, str) else json.dumps(value) for value in listed}
            entries.append((operator.lower(), key.lower(), sorted(spelled)))
    return json.dumps(sorted(entries))


def _fields(raw: Any, names: frozenset[str], path: str) -> Mapping[str, Any]:
    """Fields by their canonical spelling; IAM reads element names without case."""
    if isinstance(raw, dict) and raw.keys() <= names:
        return raw
    if not isinstance(raw, Mapping):
        raise PolicyDocumentError("not_an_object", path, "expected a JSON object")
    known = {name.lower(): name for name in names}
    fields: dict[str, Any] = {}
    for key, value in raw.items():
        name = known.get(str(key).lower())
        if name is None:
            raise PolicyDocumentError("unknown_element", f"{path}.{key}", "IAM knows no such element")
        if name in fields:
            raise PolicyDocumentError("duplicate_key", f"{path}.{key}", f"{name} is given twice")
        fields[name] = value
    return fields


def _statement(raw: Any, index: int) -> Statement:
    path = f"$.Statement[{index}]"
    fields = _fields(raw, _STATEMENT_NAMES, path)
    actions = _strings(fields, "Action", path) if "Action" in fields else ()
    not_actions = _strings(fields, "NotAction", path) if "NotAction" in fields else ()
    resources = _strings(fields, "Resource", path) if "Resource" in fields else ()
    not_resources = _strings(fields, "NotResource", path) if "NotResource" in fields else ()
    principal = {key: fields[key] for key in _PRINCIPAL_NAMES if key in fields} or None
    if "${" in " ".join((*actions, *not_actions)):  # whether it would be text or a variable is documented nowhere
        raise PolicyDocumentError("actions", path, "policy variables have no place in Action and NotAction")
    if bool(actions) == bool(not_actions):
        raise PolicyDocumentError("actions", path, "exactly one of Action and NotAction is needed")
    if resources and not_resources:
        raise PolicyDocumentError("resources", path, "Resource and NotResource exclude each other")
    if not resources and not not_resources and principal is None:
        raise PolicyDocumentError("resources", path, "Resource or NotResource is needed")
    conditions = _conditions(fields, path)
    condition = fields["Condition"] if conditions else None
    effect, sid = _effect(fields, path), _sid(fields, path)
    principals = _principals(fields, path) if principal else None
    return Statement(  # by position: names would double the time that it takes, the longest step of reading a policy
        effect, sid, actions, not_actions, resources, not_resources, condition, principal, index, conditions, principals
    )


def _sid(fields: Mapping[str, Any], path: str) -> str | None:
    sid = fields.get("Sid")
    if sid is not None and not isinstance(sid, str):
        raise PolicyDocumentError("sid", f"{path}.Sid", "Sid must be a string")
    return sid


def _conditions(fields: Mapping[str, Any], path: str) -> tuple[Condition, ...]:
    if "Condition" not in fields:
        return ()
    if fields["Condition"] is None:  # to read it as no condition would allow more than whoever wrote it may have meant
        raise PolicyDocumentError("condition", f"{path}.Condition", "expected {operator: {key: values}}, not null")
    return parse_conditions(fields["Condition"], f"{path}.Condition")


def _effect(fields: Mapping[str, Any], path: str) -> Effect:
    effect = fields.get("Effect")
    found = _EFFECTS.get(effect) if isinstance(effect, str) else None
    if found is None:
        raise PolicyDocumentError("effect", f"{path}.Effect", "Effect must be Allow or Deny, spelled like this")
    return found


def _strings(fields: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    """A string or a list of strings; IAM passes over a null within a list."""
    value = fields[key]
    if isinstance(value, str) and value:
        return (value,)
    listed = value if isinstance(value, _LISTS) else [value]
    if None in listed:
        listed = [item for item in listed if item is not None]
    if "" in listed or not listed or set(map(type, listed)) != _ONLY_TEXT:
        raise PolicyDocumentError(key.lower(), f"{path}.{key}", "expected a string or a list of strings, none empty")
    return tuple(dict.fromkeys(listed))


def _principals(fields: Mapping[str, Any], path: str) -> Principals:
    """The one of Principal and NotPrincipal that is given."""
    if "Principal" in fields and "NotPrincipal" in fields:
        raise PolicyDocumentError("principal", path, "Principal and NotPrincipal exclude each other")
    key = "Principal" if "Principal" in fields else "NotPrincipal"
    return parse_principals(fields[key], f"{path}.{key}", negated=key == "NotPrincipal")
