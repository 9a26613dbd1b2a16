"""How many changes were begun, and how many failed, of late: what limits are held against. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SLOT = timedelta(
    minutes=5
)  # what is counted together, so that the count stays small; limits err on the safe side by it
MEMORY = timedelta(hours=24)
FORMAT = "%Y-%m-%dT%H:%MZ"  # start of a slot: text order is time order

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Spending:
    """Changes that were begun without a person, and changes that failed, by the start of their slot."""

    begun: Counts = field(default_factory=dict)
    failed: Counts = field(default_factory=dict)

    def begun_within(self, period: timedelta, now: datetime) -> int:
        """How many changes were begun in the last `period` (at most 24 hours), and perhaps just before it."""
        return _within(self.begun, period, now)

    def failed_within(self, period: timedelta, now: datetime) -> int:
        """How many changes failed in the last `period` (at most 24 hours), and perhaps just before it."""
        return _within(self.failed, period, now)

    def with_begun(self, now: datetime) -> "Spending":
        """One more change begun; what is too long ago is forgotten."""
        return Spending(_with_one(self.begun, now), _recent(self.failed, now))

    def with_failed(self, now: datetime) -> "Spending":
        """One more change failed; what is too long ago is forgotten."""
        return Spending(_recent(self.begun, now), _with_one(self.failed, now))


def _within(counts: Counts, period: timedelta, now: datetime) -> int:
    """What lies after `now`, by a clock that jumped, counts as well."""
    first = _slot(now - period)
    return sum(count for slot, count in counts.items() if slot >= first)


def _with_one(counts: Counts, now: datetime) -> Counts:
    slot = _slot(now)
    return {**_recent(counts, now), slot: counts.get(slot, 0) + 1}


def _recent(counts: Counts, now: datetime) -> Counts:
    first = _slot(now - MEMORY)
    return {slot: count for slot, count in counts.items() if slot >= first}


def _slot(moment: datetime) -> str:
    seconds = SLOT.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, tz=UTC).strftime(FORMAT)
