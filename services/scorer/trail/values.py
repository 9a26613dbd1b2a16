"""Where a JSON value ends, without a look at what it says."""

import re
from enum import Enum, auto
from typing import NamedTuple

import msgspec

from services.scorer.trail.reasons import CUT_OFF, TOO_DEEP, reason_of

_raw = msgspec.json.Decoder(msgspec.Raw)
# The decoder tells where it stopped only in its message; a test holds the message to this.
_REST = re.compile(r"JSON is malformed: trailing characters \(byte (\d+)\)")
KEY = re.compile(rb'[\s,]*+"(?P<key>(?:[^"\\]|\\.)*+)"\s*+:\s*+')

_CLOSERS = {ord("{"): ord("}"), ord("["): ord("]")}
# Words out of strings are the common sign that a quote is missing and strings are taken for what is between them.
_NO_BRACKET = rb'(?:[\s:,]++|"(?:[^"\\\n]++|\\[^\n])*+"|true|false|null|-?[0-9][0-9.eE+-]*+)*+'
_BRACKET = re.compile(_NO_BRACKET + rb"[{}\[\]]")
_UNFINISHED = re.compile(_NO_BRACKET + rb'(?:"(?:[^"\\\n]++|\\[^\n])*+\\?|[a-z]{1,4}|-)?')


class End(Enum):
    """How a value ended."""

    WHOLE = auto()
    CUT_OFF = auto()  # valid as far as it goes
    BROKEN = auto()


class Measured(NamedTuple):
    """How a value ended; with how many bytes (white space after it included) or why."""

    end: End
    size: int = 0
    reason: str = ""


def measure(text: memoryview) -> Measured:
    """Measure the JSON value at the start of a text, whatever comes after it; the cost is that of its valid part."""
    try:
        _raw.decode(text)
    except msgspec.DecodeError as error:
        if rest := _REST.fullmatch(str(error)):
            return Measured(End.WHOLE, int(rest[1]) - 1)
        reason = reason_of(error)
        return Measured(End.CUT_OFF if reason == CUT_OFF else End.BROKEN, reason=reason)
    except RecursionError:
        return Measured(End.BROKEN, reason=TOO_DEEP)
    return Measured(End.WHOLE, len(text))


def balance(data: bytes, start: int, limit: int) -> Measured:
    """Measure the object or list at `data[start]` by its quotes and brackets alone, as far as `data[limit]`.

    So a value is measured in whose strings something is broken. The size is that of what was looked at.
    """
    closers: list[int] = []
    here = start
    while found := _BRACKET.match(data, here, limit):
        here = found.end()
        bracket = data[here - 1]
        if closer := _CLOSERS.get(bracket):
            closers.append(closer)
        elif not closers or closers.pop() != bracket:
            return Measured(End.BROKEN, here - start)
        if not closers:
            return Measured(End.WHOLE, here - start)
    return Measured(End.CUT_OFF if _UNFINISHED.fullmatch(data, here, limit) else End.BROKEN, here - start)


def start_of_list(data: bytes, start: int, names: frozenset[bytes]) -> int | None:
    """Where the items start of the first list with one of these names in the object at `data[start]`; None if none."""
    view = memoryview(data)
    here = start + 1
    while key := KEY.match(data, here):
        here = key.end()
        if key["key"] in names and data[here : here + 1] == b"[":
            return here + 1
        value = measure(view[here:])
        if value.end is not End.WHOLE:
            return None
        here += value.size
    return None
