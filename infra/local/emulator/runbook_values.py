"""The `{{ … }}` of Automation runbooks: parameters, global variables and the outputs of earlier steps."""

import json
import re
from collections.abc import Mapping
from typing import Any

from infra.local.emulator.errors import AwsError

_REFERENCE = re.compile(r"\{\{\s*([\w.:-]+)\s*\}\}")
_SELECTOR_PART = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]")


class RunbookError(Exception):
    """Why an execution or a step failed, in words for its FailureMessage."""


def resolve(value: Any, known: Mapping[str, Any]) -> Any:
    """Replace every reference in a value; one that is the whole text keeps its type.

    >>> resolve({"Ids": "{{ Ids }}", "Text": "rule {{ Rule }}"}, {"Ids": ["a"], "Rule": "r"})
    {'Ids': ['a'], 'Text': 'rule r'}
    """
    if isinstance(value, dict):
        return {name: resolve(member, known) for name, member in value.items()}
    if isinstance(value, list):
        return [resolve(member, known) for member in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value.strip())
    if whole:
        return _look_up(whole[1], known)
    return _REFERENCE.sub(lambda found: _as_text(_look_up(found[1], known)), value)


def select(selector: str, value: Any) -> Any:
    """The part of a step's answer that an output's Selector names: `$.User.Tags[0].Key`."""
    if not selector.startswith("$"):
        raise RunbookError(f"unsupported selector {selector}")
    rest = selector[1:]
    while rest:
        part = _SELECTOR_PART.match(rest)
        if part is None:
            raise RunbookError(f"unsupported selector {selector}")
        key: Any = int(part[2]) if part[2] else part[1] or part[3]
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            raise RunbookError(f"the selector {selector} finds nothing in the answer") from None
        rest = rest[part.end() :]
    return value


def parameter_values(declared: Mapping[str, Any], given: Mapping[str, list[str]]) -> dict[str, Any]:
    """The values of an execution's parameters, defaults filled in. Raises AwsError for what AWS refuses."""
    unknown = set(given) - set(declared)
    if unknown:
        raise _invalid(f"Parameters {sorted(unknown)} are not defined in the document.")
    return {name: _parameter_value(name, definition, given.get(name)) for name, definition in declared.items()}


def _parameter_value(name: str, definition: Mapping[str, Any], given: list[str] | None) -> Any:
    if given is None:
        if "default" not in definition:
            raise _invalid(f"The parameter {name} has no value.")
        return definition["default"]
    kind = definition.get("type", "String")
    if kind == "StringList":
        return list(given)
    if len(given) != 1:
        raise _invalid(f"The parameter {name} takes one value.")
    allowed, pattern = definition.get("allowedValues"), definition.get("allowedPattern")
    if allowed and given[0] not in allowed:
        raise _invalid(f"The value of parameter {name} is not one of {allowed}.")
    if pattern and not re.search(pattern, given[0]):
        raise _invalid(f"The value of parameter {name} does not match {pattern}.")
    return json.loads(given[0]) if kind in ("Integer", "Boolean", "StringMap", "MapList") else given[0]


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidAutomationExecutionParametersException", message)


def _look_up(name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise RunbookError(f"nothing is known under the name {name}")
    return known[name]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
