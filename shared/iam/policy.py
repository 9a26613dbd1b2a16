"""Policy documents: read as IAM reads them, into statements that the rest of the engine asks questions of.

Tolerant where IAM is (a string for a list, one statement for many, JSON text that may be URL-encoded), strict where
a guess could change what is allowed: everything else is a PolicyDocumentError that says where and which rule.

Source: IAM user guide, "Grammar of the IAM JSON policy language".
"""

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.errors import PolicyDocumentError

VERSION = "2012-10-17"
_DOCUMENT_KEYS = {"version": "Version", "id": "Id", "statement": "Statement"}
_STATEMENT_KEYS = {
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


class Effect(StrEnum):
    """What a statement does to the requests that it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. Of actions and not_actions exactly one is set, of resources and not_resources at most one.

    `condition` is the raw block, None where there is none; `principal` is `{"Principal": …}` or `{"NotPrincipal": …}`
    as it stands, None in an identity policy. `index` is the statement's place in its document, from 0.
    """

    effect: Effect
    sid: str | None
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    condition: Mapping[str, Any] | None
    principal: Mapping[str, Any] | None
    index: int

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
    decoded = _decode(document) if isinstance(document, str) else document
    fields = _fields(decoded, _DOCUMENT_KEYS, "$")
    if "Statement" not in fields:
        raise PolicyDocumentError("missing_statement", "$", "a policy document needs a Statement")
    raw = fields["Statement"]
    statements = raw if isinstance(raw, list | tuple) else [raw]
    if not statements:
        raise PolicyDocumentError("missing_statement", "$.Statement", "a policy document needs at least one statement")
    if fields.get("Version") != VERSION:
        statements = [_without_variables(statement) for statement in statements]
    return tuple(_statement(statement, index) for index, statement in enumerate(statements))


def _without_variables(value: Any) -> Any:
    """Escape `${`: before version 2012-10-17 it is plain text, and every document that we write is of that version."""
    if isinstance(value, str):
        return value.replace("${", "${$}{")
    if isinstance(value, list | tuple):
        return [_without_variables(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _without_variables(item) for key, item in value.items()}
    return value


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


def _decode(text: str) -> Mapping[str, Any]:
    plain = text if text.lstrip().startswith("{") else urllib.parse.unquote(text)
    try:
        decoded = json.loads(plain, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise PolicyDocumentError("not_json", "$", "the document is not valid JSON") from error
    if not isinstance(decoded, dict):
        raise PolicyDocumentError("not_an_object", "$", "the document is not a JSON object")
    return decoded


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is given twice: which one counts would be a guess."""
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        raise PolicyDocumentError("duplicate_key", "$", f"a key is given twice among {sorted(decoded)}")
    return decoded


def _fields(raw: Any, known: Mapping[str, str], path: str) -> dict[str, Any]:
    """Fields by their canonical spelling; IAM reads element names without case."""
    if not isinstance(raw, Mapping):
        raise PolicyDocumentError("not_an_object", path, "expected a JSON object")
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
    fields = _fields(raw, _STATEMENT_KEYS, path)
    actions, not_actions = (_strings(fields, key, path) for key in ("Action", "NotAction"))
    resources, not_resources = (_strings(fields, key, path) for key in ("Resource", "NotResource"))
    principal: Mapping[str, Any] | None = {
        key: fields[key] for key in ("Principal", "NotPrincipal") if key in fields
    } or None
    if bool(actions) == bool(not_actions):
        raise PolicyDocumentError("actions", path, "exactly one of Action and NotAction is needed")
    if resources and not_resources:
        raise PolicyDocumentError("resources", path, "Resource and NotResource exclude each other")
    if not resources and not not_resources and principal is None:
        raise PolicyDocumentError("resources", path, "Resource or NotResource is needed")
    sid = fields.get("Sid")
    if sid is not None and not isinstance(sid, str):
        raise PolicyDocumentError("sid", f"{path}.Sid", "Sid must be a string")
    return Statement(
        effect=_effect(fields, path),
        sid=sid,
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        condition=_condition(fields, path),
        principal=principal,
        index=index,
    )


def _effect(fields: Mapping[str, Any], path: str) -> Effect:
    effect = fields.get("Effect")
    spelled = str(effect).capitalize()
    if not isinstance(effect, str) or spelled not in set(Effect):
        raise PolicyDocumentError("effect", f"{path}.Effect", "Effect must be Allow or Deny")
    return Effect(spelled)


def _strings(fields: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    if key not in fields:
        return ()
    value = fields[key]
    listed = list(value) if isinstance(value, list | tuple) else [value]
    if not listed or not all(isinstance(item, str) and item for item in listed):
        raise PolicyDocumentError(key.lower(), f"{path}.{key}", "expected a string or a list of strings, none empty")
    return tuple(dict.fromkeys(listed))


def _condition(fields: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """The raw block; an empty one is no condition, as IAM reads it."""
    condition = fields.get("Condition")
    if condition is None or condition == {}:
        return None
    if not isinstance(condition, Mapping) or not all(isinstance(keys, Mapping) for keys in condition.values()):
        raise PolicyDocumentError("condition", f"{path}.Condition", "expected {operator: {key: values}}")
    return condition
