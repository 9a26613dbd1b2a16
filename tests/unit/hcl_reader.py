"""Reads the part of HCL that patches are written in: blocks of attributes, objects, lists, strings, jsonencode.

Strict: whatever else it meets is an error, and so is a template (`${…}`, `%{…}`) where only text may stand.

Source: HCL native syntax specification.
"""

import json
import re
from typing import Any, NamedTuple

TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<space>[ \t]+)|(?P<line>\n)|(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)|(?P<mark>[{}\[\]()=,])""",
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class Block(NamedTuple):
    """`type "label" "label" { attributes }`; a reference is read as its text."""

    type: str
    labels: tuple[str, ...]
    attributes: dict[str, Any]


class Reference(str):
    """An expression that refers to something else, such as `aws_iam_policy.x.arn`."""

    __slots__ = ()


def read_hcl(text: str) -> list[Block]:
    """All blocks of a file. Raises ValueError where it is not what patches are written in."""
    return _Reader(text).blocks()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            found = TOKEN.match(text, place)
            if found is None or found.lastgroup is None:
                raise ValueError(f"not HCL: {text[place : place + 40]!r}")
            place = found.end()
            if found.lastgroup not in {"comment", "space"}:
                self._tokens.append((found.lastgroup, found[0]))
        self._tokens.append(("end", ""))

    def _take(self, *expected: str) -> str:
        kind, text = self._tokens.pop(0)
        if expected and kind not in expected and text not in expected:
            raise ValueError(f"{text!r} where {expected} should be")
        return text

    def _skip_lines(self) -> None:
        while self._tokens[0][0] == "line":
            self._take()

    def blocks(self) -> list[Block]:
        found = []
        self._skip_lines()
        while self._tokens[0][0] != "end":
            kind, labels = self._take("name"), []
            while self._tokens[0][0] == "string":
                labels.append(text_of(self._take()))
            self._take("{")
            found.append(Block(kind, tuple(labels), self._attributes("name")))
            self._take("line", "end")
            self._skip_lines()
        return found

    def _attributes(self, key_kind: str) -> dict[str, Any]:
        """What stands between the braces, one a line."""
        found: dict[str, Any] = {}
        self._skip_lines()
        while self._tokens[0][1] != "}":
            raw = self._take(key_kind)
            key = text_of(raw) if key_kind == "string" else raw
            if key in found:
                raise ValueError(f"{key!r} is given twice")
            self._take("=")
            found[key] = self._value()
            if self._tokens[0][1] != "}":
                self._take("line")
            self._skip_lines()
        self._take("}")
        return found

    def _value(self) -> Any:
        kind, text = self._tokens[0]
        if text == "{":
            self._take()
            return self._attributes("string")
        if text == "[":
            return self._list()
        self._take()
        if kind == "string":
            return text_of(text)
        if kind == "number" or text in {"true", "false", "null"}:
            return json.loads(text)
        if text == "jsonencode":
            self._take("(")
            value = self._value()
            self._take(")")
            return value
        if kind == "name":
            return Reference(text)
        raise ValueError(f"no value: {text!r}")

    def _list(self) -> list[Any]:
        self._take("[")
        found = []
        self._skip_lines()
        while self._tokens[0][1] != "]":
            found.append(self._value())
            self._take(",")
            self._skip_lines()
        self._take("]")
        return found


def text_of(string: str) -> str:
    """What a quoted string says, read from the left as HCL's scanner does: an escape, two dollars, a template."""
    result, place, inner = [], 0, string[1:-1]
    while place < len(inner):
        rest = inner[place:]
        if found := re.match(r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})", rest):
            result.append(chr(int(found[1] or found[2], 16)))
        elif found := re.match(r"\\(.)", rest):
            result.append(ESCAPES[found[1]])
        elif found := re.match(r"\$\$\{|%%\{", rest):
            result.append(rest[1:3])
        elif re.match(r"[$%]\{", rest):
            raise ValueError(f"a template begins: {rest[:20]!r}")
        elif found := re.match(r"[$%][^{\\]|.", rest, re.DOTALL):
            result.append(found[0])  # a dollar takes what follows with it: of three, the last begins a template
        else:
            raise ValueError(f"not a string: {rest[:20]!r}")
        place += found.end()
    return "".join(result)
