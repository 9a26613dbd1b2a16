"""CSV exports of CloudTrail Lake and Athena to records, row by row in bounded memory.

Both write a header, quotes around values, and quotes in values doubled; values may hold line ends.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from services.scorer.trail.batch import Batch, Unreadable
from services.scorer.trail.decoding import dated
from services.scorer.trail.exports import NEEDED_IN_HEADER, WHOLE_RECORD, record_of_columns
from services.scorer.trail.reasons import CUT_OFF, DECODING_ERRORS, TOO_LONG, reason_of
from services.scorer.trail.record import Record
from services.scorer.trail.window import RECORD_LIMIT, Window
from shared.errors import InputError

BROKEN_ROW = "row: broken"
OTHER_WIDTH = "row: not as many columns as the header"

_BATCH = 500
_VALUE = rb'(?:"((?:[^"]|"")*+)"|([^",\r\n]*+))'
_CELL = re.compile(_VALUE + rb"(,|\r?\n)")
_LAST_CELL = re.compile(_VALUE + rb"(,|\r?\n|\r?\Z)")
_UNFINISHED = re.compile(rb'(?:"(?:[^"]|"")*+"?+|[^",\r\n]*+)\r?\Z')
_LINE_END = re.compile(rb"\n")


class _Row(NamedTuple):
    """Undecoded cells of a row and its size in bytes; without cells, why there is none."""

    cells: list[bytes]
    size: int = 0
    fault: str = ""


class Table:
    """The rows of a window on CSV text."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._batch = Batch([], [])

    def header(self) -> list[str]:
        """The names in the first row, in lower case; none if it is no row."""
        row = self._row()
        return [cell.decode(errors="replace").strip().lower() for cell in row.cells]

    def batches(self, header: list[str]) -> Iterator[Batch]:
        """The records of all rows after the first, with the faults between them."""
        self._window.here += self._row().size
        while self._window.next_byte():
            self._read_row(header)
            if len(self._batch.records) + len(self._batch.unreadable) >= _BATCH:
                yield self._batch
                self._batch = Batch([], [])
        fault = self._window.fault
        if fault and fault not in {reason for _, reason in self._batch.unreadable[-1:]}:
            self._batch.unreadable.append(Unreadable(self._window.position, fault))
        if self._batch.records or self._batch.unreadable:
            yield self._batch

    def _read_row(self, header: list[str]) -> None:
        window, start = self._window, self._window.position
        row = self._row()
        if row.fault:
            window.seek(_LINE_END, window.here)
        else:
            window.here += row.size
        try:
            self._batch.records.append(_record_of(row, header))
        except DECODING_ERRORS as error:
            self._batch.unreadable.append(Unreadable(start, reason_of(error)))

    def _row(self) -> _Row:
        """The row that starts here, as far as a record may reach."""
        window = self._window
        while True:
            at_end = window.at_end
            cells, here, whole = _cells(window.data, window.here, _LAST_CELL if at_end else _CELL)
            if whole:
                return _Row(cells, here - window.here)
            if not _UNFINISHED.match(window.data, here):
                return _Row([], fault=BROKEN_ROW)
            if at_end or window.full:
                return _Row([], fault=(window.fault or CUT_OFF) if at_end else TOO_LONG)
            window.more()


def missing_columns(header: list[str]) -> list[str]:
    """The columns without which a row tells too little."""
    return [] if WHOLE_RECORD in header else [name for name in NEEDED_IN_HEADER if name not in header]


def _cells(data: bytes, here: int, pattern: re.Pattern[bytes]) -> tuple[list[bytes], int, bool]:
    """Cells from `data[here]` on, where they stop, and whether that is the end of a row."""
    found = []
    while cell := pattern.match(data, here):
        quoted, bare, end = cell.groups()
        found.append(bare if quoted is None else quoted.replace(b'""', b'"'))
        here = cell.end()
        if end != b",":
            return found, here, True
    return found, here, False


def _record_of(row: _Row, header: list[str]) -> Record:
    if row.fault:
        raise InputError(row.fault)
    if row.size > RECORD_LIMIT:
        raise InputError(TOO_LONG)
    if len(row.cells) != len(header):
        raise InputError(OTHER_WIDTH)
    columns = {name: cell.decode() for name, cell in zip(header, row.cells, strict=True)}
    return dated([record_of_columns(columns)])[0]
