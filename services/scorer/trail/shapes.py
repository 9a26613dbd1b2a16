"""The shapes that a record comes in: bare, as an event, looked up, or as a row of an export; told apart by content.

Shapes: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail digest file structure"; AWS CloudTrail
API reference, LookupEvents and GetQueryResults; Amazon EventBridge User Guide, "AWS service events delivered via AWS
CloudTrail".
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from services.scorer.trail.decoding import dated, decode_record, record_decoder, utf_8
from services.scorer.trail.exports import record_of_columns
from services.scorer.trail.record import Record
from shared.errors import InputError

LISTS = frozenset({b"Records", b"Events", b"QueryResultRows"})  # keys of an object under which items are listed

_RECORD_KEYS = frozenset({"eventVersion", "eventTime", "eventSource", "eventName", "userIdentity", "eventID"})
_DIGEST_KEYS = frozenset({"digestEndTime", "hashSignature"})  # the latter in the sign file of saved query results
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MISSING = msgspec.Raw(b"")


class Shape(NamedTuple):
    """How to read items of one shape from JSON: one, a list of them, or several with nothing but space between."""

    one: Callable[[bytes], Record]
    listed: Callable[[bytes], list[Record]]
    lined: Callable[[bytes], list[Record]]


class _Event(msgspec.Struct, gc=False):
    """An EventBridge event."""

    detail: Record


class _LookedUp(msgspec.Struct, gc=False):
    """An entry of `Events` in the answer of LookupEvents."""

    text: str = msgspec.field(name="CloudTrailEvent")


def _bare() -> Shape:
    """Records as they are, without a step per record, since this is what nearly every file holds."""
    listed = msgspec.json.Decoder(list[Record])
    return Shape(
        one=lambda text: dated([record_decoder.decode(utf_8(text))])[0],
        listed=lambda text: dated(listed.decode(utf_8(text))),
        lined=lambda text: dated(record_decoder.decode_lines(utf_8(text))),
    )


def _wrapped(item: Any, record_of: Callable[[Any], Record]) -> Shape:
    one, listed = msgspec.json.Decoder(item), msgspec.json.Decoder(list[item])
    return Shape(
        one=lambda text: dated([record_of(one.decode(utf_8(text)))])[0],
        listed=lambda text: dated([record_of(item) for item in listed.decode(utf_8(text))]),
        lined=lambda text: dated([record_of(item) for item in one.decode_lines(utf_8(text))]),
    )


def _looked_up(event: _LookedUp) -> Record:
    return decode_record(event.text)


def _row(cells: list[dict[str, str | None]]) -> Record:
    return record_of_columns({name: value for cell in cells for name, value in cell.items()})


BARE = _bare()
EVENT = _wrapped(_Event, attrgetter("detail"))
LOOKED_UP = _wrapped(_LookedUp, _looked_up)
COLUMNS = _wrapped(dict[str, Any], record_of_columns)
ROW = _wrapped(list[dict[str, str | None]], _row)


def shape_of(item: bytes) -> Shape:
    """The shape of an item; raises what is in DECODING_ERRORS if it has none."""
    if item.startswith(b"["):
        return ROW
    keys = _keys.decode(utf_8(item))
    if _DIGEST_KEYS & keys.keys():
        raise InputError("digest file")
    if "CloudTrailEvent" in keys:
        return LOOKED_UP
    if "detail" in keys:
        return EVENT
    if _is_export(keys):
        return COLUMNS
    if not _RECORD_KEYS & keys.keys():
        raise InputError(_fault_of(keys))
    return BARE


def _is_export(keys: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the keys are columns of a query: in lower case, or with structures as text."""
    lowered = keys.keys() & {"eventtime", "eventjson", "eventJson"}
    return bool(lowered) or bytes(keys.get("userIdentity", _MISSING)).startswith(b'"')


def _fault_of(keys: Mapping[str, msgspec.Raw]) -> str:
    for name in sorted(LISTS):
        value = bytes(keys.get(name.decode(), _MISSING))
        if value and not value.startswith(b"["):
            return f"{name.decode()}: not a list"
    return "record: none of its fields"
