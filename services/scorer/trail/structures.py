"""Structures and maps that Athena and CloudTrail Lake write as text: `{type=Role, arn=arn:aws:iam::…}`.

The text has no quotes, so that it cannot be read for certain where a value looks like the text around it. Structures
with the same name twice are refused for that reason; of a map such a name is left out.
"""

import re
from typing import Any

import msgspec

from shared.errors import InputError

_DEPTH = 8  # of userIdentity: sessionContext.webIdFederationData.attributes
_NAME = re.compile(r"\s*+([\w.:/-]+)=")
_SCALAR = re.compile(r"[^{}\[\],]*+(?:,(?!\s)[^{}\[\],]*+|, (?![\w.:/-]+=|\{)[^{}\[\],]*+)*+")
_NEXT_NAME = re.compile(r", (?=[\w.:/-]+=)")
_COMMA = re.compile(r",\s*+")


def structure_of(text: str) -> Any:
    """Dictionaries, lists and strings of a text of nested structures; raises InputError if it is none."""
    value, end = _value(text, 0, 0)
    if text[end:].strip():
        raise InputError("not a structure")
    return value


def map_of(text: str) -> dict[str, Any]:
    """Keys and values of a flat map; values that are JSON objects or lists are decoded.

    Raises InputError if the text is no map.
    """
    if not (text.startswith("{") and text.endswith("}")):
        raise InputError("not a map")
    found: dict[str, Any] = {}
    twice = set()
    for pair in _NEXT_NAME.split(text[1:-1]):
        name, equals, value = pair.partition("=")
        if name in found:
            twice.add(name)
        if equals:
            found[name.strip()] = _nested_json(value)
    return {name: value for name, value in found.items() if name not in twice}


def _nested_json(text: str) -> Any:
    if text == "null":
        return None
    if text.startswith(("{", "[")):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return text
    return text


def _value(text: str, start: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH:
        raise InputError("nested too deep")
    if text.startswith("{", start):
        return _structure(text, start + 1, depth + 1)
    if text.startswith("[", start):
        return _list(text, start + 1, depth + 1)
    scalar = _SCALAR.match(text, start)
    found = scalar[0].strip() if scalar else ""
    return (None if found in ("", "null") else found), (scalar.end() if scalar else start)


def _structure(text: str, here: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while not text.startswith("}", here):
        name = _NAME.match(text, here)
        if not name or name[1] in found:
            raise InputError("not a structure")
        found[name[1]], here = _value(text, name.end(), depth)
        here = _after(text, here, "}")
    return found, here + 1


def _list(text: str, here: int, depth: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while not text.startswith("]", here):
        value, here = _value(text, here, depth)
        found.append(value)
        here = _after(text, here, "]")
    return found, here + 1


def _after(text: str, here: int, closer: str) -> int:
    """Where the next member starts, or the closer."""
    comma = _COMMA.match(text, here)
    if comma:
        return comma.end()
    if not text.startswith(closer, here):
        raise InputError("not a structure")
    return here
