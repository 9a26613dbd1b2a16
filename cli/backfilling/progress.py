"""Tells on standard error how far a backfill is: a line for each finished day, and now and then one in between."""

import sys
import time
from datetime import date

from cli.backfilling.outcome import Outcome

SECONDS_BETWEEN = 5.0


class Progress:
    """Lines for people and logs; standard output stays free for the answer."""

    def __init__(self) -> None:
        self._told = time.monotonic()
        self._records = 0
        self._writes = 0

    def working(self, day: date, records: int) -> None:
        """Some more records of a day were read."""
        self._records += records
        if self._is_time():
            _say(f"{day}: {self._records:,} records so far")

    def day_done(self, day: date, outcome: Outcome) -> None:
        """A day was read and written."""
        writes, self._writes = outcome.writes - self._writes, outcome.writes
        failed = "" if not outcome.problems else f", {outcome.problems:,} failures so far"
        _say(f"{day}: {self._records:,} records, {writes:,} ledger writes{failed}")
        self._records = 0
        self._told = time.monotonic()

    def querying(self, seconds: float, scanned_bytes: int) -> None:
        """A query runs."""
        if self._is_time():
            _say(f"Athena: {seconds:.0f} s, {scanned_bytes:,} bytes scanned")

    def rows(self, rows: int) -> None:
        """So many rows of the result were read."""
        if self._is_time():
            _say(f"{rows:,} rows of the result read")

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN:
            return False
        self._told = now
        return True


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
