"""One record from its JSON text, with what the types alone do not check."""

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from services.scorer.trail.reasons import DECODING_ERRORS, NOT_UTF_8, reason_of
from services.scorer.trail.record import Record
from shared.errors import InputError

# No record is older than CloudTrail. The upper bound keeps a damaged year from counting as use for ever after.
_EARLIEST = datetime(2013, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_time_of = attrgetter("event_time")

record_decoder = msgspec.json.Decoder(Record)


def decode_record(raw: bytes | str) -> Record:
    """One record from JSON text; raises InputError that names the field."""
    try:
        return dated([record_decoder.decode(utf_8(raw) if isinstance(raw, bytes) else raw)])[0]
    except UnicodeEncodeError:
        raise InputError(NOT_UTF_8) from None
    except DECODING_ERRORS as error:
        raise InputError(reason_of(error)) from None


def record_of(detail: Mapping[str, Any]) -> Record:
    """One record from decoded JSON, as in the `detail` of an event; raises InputError that names the field."""
    try:
        text = msgspec.json.encode(detail)
    except (TypeError, ValueError, RecursionError):
        raise InputError("record: not JSON") from None
    return decode_record(text)


def utf_8(text: bytes) -> bytes:
    """The text, if all of it is UTF-8; the decoder looks only at the fields that it keeps."""
    if not text.isascii():
        text.decode()
    return text


def dated(records: list[Record]) -> list[Record]:
    """The records, if all their times are plausible; else raises InputError."""
    times = list(map(_time_of, records))
    if times and not (min(times) >= _EARLIEST and max(times) < _LATEST):
        raise InputError("eventTime: out of range")
    return records
