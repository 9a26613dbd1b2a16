"""CloudTrail in any form to records: the one way in.

A text may be plain or gzip, and hold `{"Records": […]}` of a trail log, an array, JSON lines or one record; EventBridge
events; answers of LookupEvents and of CloudTrail Lake's GetQueryResults; or rows of a query as JSON lines or CSV. Which
of these it is, shows in its content.
"""

import re
from collections.abc import Iterator

from services.scorer.trail.batch import Batch, Unreadable
from services.scorer.trail.compression import SupportsRead, Text
from services.scorer.trail.decoding import decode_record, record_of
from services.scorer.trail.exports import WHOLE_RECORD
from services.scorer.trail.framing import Framing
from services.scorer.trail.table import Table, missing_columns
from services.scorer.trail.window import Window

__all__ = ["Batch", "SupportsRead", "Unreadable", "decode_record", "read_batches", "record_of"]

EMPTY = "empty"
DIGEST = "digest file"

_HEAD = 1 << 16  # bytes by which a text is told
_DIGEST = re.compile(rb'\{[^{}\[\]]*?"digestEndTime"')
_RECORD = re.compile(rb'\{\s*+"(?:Records|eventVersion)"\s*+:')
_OTHERS = (
    (b"PAR1", "Parquet"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
    (b"PK", "zip"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def read_batches(stream: SupportsRead, name: str) -> Iterator[Batch]:
    """The records of a stream in its order, with what could not be read, in batches and in bounded memory.

    `name`, of a file or an object, only helps to say what is wrong. Errors of the stream itself are not caught.
    Parts of a record that stay JSON text share the memory of their batch: whoever keeps one, copies it.
    """
    window = Window(Text(stream))
    first = window.next_byte()
    window.look_ahead(_HEAD)
    if not first:
        yield _only(window, EMPTY)
    elif _DIGEST.match(window.data, window.here, window.here + _HEAD):
        yield _only(window, DIGEST)
    elif first in b"{[":
        yield from Framing(window).batches()
    else:
        yield from _neither_object_nor_list(window, name)


def _neither_object_nor_list(window: Window, name: str) -> Iterator[Batch]:
    """CSV; JSON with something else before it; or not CloudTrail at all."""
    table = Table(window)
    header = table.header()
    if "eventtime" in header or WHOLE_RECORD in header:
        if missing := missing_columns(header):
            yield _only(window, f"CSV without the column {', '.join(missing)}")
        else:
            yield from table.batches(header)
        return
    if _RECORD.search(window.data, window.here, window.here + _HEAD):
        yield from Framing(window).batches()
    elif ".csv" in name:
        yield _only(window, "CSV without the column eventtime")
    else:
        others = (what for magic, what in _OTHERS if window.data.startswith(magic, window.here))
        yield _only(window, f"not CloudTrail: {next(others, 'neither JSON nor CSV')}")


def _only(window: Window, reason: str) -> Batch:
    return Batch([], [Unreadable(0, window.fault or reason)])
