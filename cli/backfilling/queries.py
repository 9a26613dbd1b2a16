"""Backfill through Athena: a table over the log files, one query, and its result read as it comes."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import Protocol

from cli.backfilling.folders import Places
from cli.backfilling.ledger import LedgerWriter
from cli.backfilling.outcome import Outcome
from cli.backfilling.progress import Progress
from services.scorer.backfill.layout import Selection
from services.scorer.backfill.query import usage_query
from services.scorer.backfill.rows import Row, RowTally, named_rows, passing_operations
from services.scorer.backfill.table import MAX_INJECTED, TrailTable
from services.scorer.feeds.future import AHEAD, MAX_AHEAD
from services.scorer.usage.folded import Folded
from shared.aws.athena import Athena, Place
from shared.errors import DependencyError, InputError
from shared.iam.operations import OperationMap
from shared.model.usage import Coverage

ROWS_AT_ONCE = 50_000  # that are added up before they are written
BUFFER_BYTES = 1 << 20


class Stream(Protocol):
    """A file in S3 that is being read."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


OpenResult = Callable[[Place], AbstractContextManager[Stream]]


class QueryBackfill:
    """Asks Athena for the usage in a trail's log files."""

    def __init__(
        self, athena: Athena, table: TrailTable, open_result: OpenResult, operations: OperationMap, *, now: datetime
    ) -> None:
        self._athena = athena
        self._table = table
        self._open_result = open_result
        self._operations = operations
        self._latest = now + MAX_AHEAD

    def run(
        self, places: Places, days: tuple[date, date], writer: LedgerWriter, outcome: Outcome, progress: Progress
    ) -> None:
        """Make the database and the table where they aren't there, query, and write what comes back."""
        queries = list(self._queries(places.regions, *days))
        self._athena.run(self._table.create_database)
        self._athena.run(self._table.create_table, database=self._table.database)
        for query in queries:
            finished = self._athena.run(query, database=self._table.database, on_progress=progress.querying)
            outcome.bytes += finished.scanned_bytes
            if finished.result is None:
                raise DependencyError(f"query {finished.query_id}: Athena names no result file, give --output-location")
            with self._open_result(finished.result) as stream:
                self._write_result(named_rows(_lines(stream)), writer, outcome, progress)
        if not outcome.problems:
            outcome.finished = days[1]

    def _queries(self, places: Mapping[str, tuple[str, ...]], since: date, until: date) -> Iterator[str]:
        """One query, or several where there are more accounts than one may name."""
        accounts = iter(sorted(places))
        passing = passing_operations(self._operations)
        while some := tuple(islice(accounts, MAX_INJECTED)):
            regions = tuple(sorted({region for account in some for region in places[account]}))
            yield usage_query(self._table, Selection(some, regions, since, until), passing, latest=self._latest)

    def _write_result(self, rows: Iterator[Row], writer: LedgerWriter, outcome: Outcome, progress: Progress) -> None:
        """Write uses as they come, and coverage when all uses are written, of accounts whose are."""
        coverage: dict[str, Coverage] = {}
        refused: frozenset[str] = frozenset()
        while some := list(islice(rows, ROWS_AT_ONCE)):
            tally = RowTally(self._operations)
            for row in some:
                tally.add(row)
            if tally.undated:
                outcome.note_unreadable(
                    "(found by Athena)", None, f"eventTime: not a time, or {AHEAD}", count=tally.undated
                )
            folded = tally.folded()
            for account_id, seen in folded.coverage.items():
                coverage[account_id] = coverage[account_id].join(seen) if account_id in coverage else seen
            refused |= writer.write(replace(folded, coverage={}))
            progress.rows(len(some))
        writer.write(Folded(coverage={account: seen for account, seen in coverage.items() if account not in refused}))


def _lines(stream: Stream) -> Iterator[Sequence[str]]:
    """Lines of a CSV file, which may span several lines of text. Raises InputError where it is none."""
    text = io.TextIOWrapper(io.BufferedReader(_RawStream(stream), BUFFER_BYTES), encoding="utf-8", newline="")
    try:
        yield from csv.reader(text, strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"the result is no CSV file: {type(error).__name__}") from None


class _RawStream(io.RawIOBase):
    """Lets Python's text reader read a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # any writable buffer is one
        """Fill a buffer as far as there is something."""
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
