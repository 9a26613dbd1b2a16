"""`python -m benchmarks.ledger_writes`: what the usage ledger reads and writes of its table for a day of events.

Plays the batches of a day through the real UsageLedger and KnownEntries, over a table in memory that decides
conditional writes as DynamoDB does and counts. Containers take turns with the batches. Those that run "at once" read
before any of them writes, always: the worst case, since a batch fills for seconds and takes a fraction of one.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any
from unittest.mock import patch

from benchmarks.ledger_day import ACCOUNT, NAMELESS, TYPICAL, Call, Mix, calls_of_day, date_of, usages_of
from shared.aws.dynamodb import MAX_BATCH_GET, Item, Key, Table
from shared.aws.known_entries import KnownEntries
from shared.aws.usage_ledger import UNCHANGED, UsageLedger
from shared.errors import ConflictError
from shared.model.usage import Coverage

# Amazon DynamoDB Developer Guide, "DynamoDB read and write operations": a lost conditional write costs its units, too.
WRITE_UNIT, READ_UNIT = 1_024, 4_096  # bytes
MILLION = 1_000_000


@dataclass(slots=True)
class Counts:
    """What was asked of the table, in the order in which it is printed."""

    writes: int = 0
    lost: int = 0
    write_units: int = 0
    items_read: int = 0
    read_calls: int = 0
    read_units: int = 0


class CountingTable(Table):
    """A table in memory with conditional writes; in a round, batch reads see it as it was when the round began."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._items: dict[Key, Item] = {}
        self._before: dict[Key, Item | None] = {}

    def begin_round(self) -> None:
        """Let everybody see what the last round wrote."""
        self._before.clear()

    def get(self, pk: str, sk: str) -> Item | None:
        """Read one item as it is now."""
        return self._read(self._items.get((pk, sk)), calls=1)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Read items as they were when the round began."""
        self.counts.read_calls += -(-len(keys) // MAX_BATCH_GET)
        found = {key: self._read(self._before.get(key, self._items.get(key))) for key in keys}
        return {key: item for key, item in found.items() if item is not None}

    def put(self, item: Mapping[str, Any], *, condition: str = "", values: Mapping[str, Any] | None = None) -> None:
        """Write one item if nobody did since it was read."""
        if condition != UNCHANGED or values is None:
            raise ValueError(f"the ledger writes under {UNCHANGED!r} alone, not under {condition!r}")
        key = (item["pk"], item["sk"])
        old = self._items.get(key)
        self.counts.write_units += -(-size_of(item) // WRITE_UNIT)
        if old is not None and old["version"] != values[":version"]:
            self.counts.lost += 1
            raise ConflictError("somebody else wrote first")
        self.counts.writes += 1
        self._before.setdefault(key, old)
        self._items[key] = dict(item)

    def _read(self, item: Item | None, *, calls: int = 0) -> Item | None:
        self.counts.read_calls += calls
        self.counts.items_read += 1
        self.counts.read_units += max(1, -(-(size_of(item) if item else 0) // READ_UNIT))
        return item


@dataclass(frozen=True, slots=True)
class Scenario:
    """A mix of calls, the mean length of their bursts, and how many containers share the queue."""

    mix: Mix
    burst: int
    containers: int = 1
    at_once: bool = False


SCENARIOS: Mapping[str, Scenario] = {
    "no resources": Scenario(NAMELESS, 1),
    "no resources, 5 containers": Scenario(NAMELESS, 1, 5),
    "no resources, 5 at once": Scenario(NAMELESS, 1, 5, at_once=True),
    "one by one": Scenario(TYPICAL, 1),
    "one by one, 5 containers": Scenario(TYPICAL, 1, 5),
    "one by one, 5 at once": Scenario(TYPICAL, 1, 5, at_once=True),
    "in bursts": Scenario(TYPICAL, 20),
    "in bursts, 5 containers": Scenario(TYPICAL, 20, 5),
    "in bursts, 5 at once": Scenario(TYPICAL, 20, 5, at_once=True),
}


def play(scenario: Scenario, *, events: int, identities: int, days: int, size: int) -> Iterator[Counts]:
    """Play days one after the other, each with fresh processes, and count each."""
    table = CountingTable()
    for day in range(days):
        table.counts = Counts()
        known = [KnownEntries() for _ in range(scenario.containers)]
        calls = calls_of_day(day, events=events, identities=identities, mix=scenario.mix, burst=scenario.burst)
        for number, batch in enumerate(calls[start : start + size] for start in range(0, len(calls), size)):
            if number % scenario.containers == 0 or not scenario.at_once:
                table.begin_round()
            merge_batch(UsageLedger(table, known=known[number % scenario.containers]), batch, day)
        yield table.counts


def merge_batch(ledger: UsageLedger, batch: Sequence[Call], day: int) -> None:
    """What the handler does with a batch."""
    seen = Coverage.of([date_of(day)], regions=["eu-west-1"], feeds=["eventbridge"])
    ledger.record(usages_of(batch, day), {ACCOUNT: seen}).raise_problems()


def size_of(value: object) -> int:
    """Bytes of a value as DynamoDB counts them, roughly ("Amazon DynamoDB Developer Guide", "Item sizes")."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping):
        return 3 + sum(1 + size_of(name) + size_of(inner) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return 3 + sum(1 + size_of(inner) for inner in value)
    return 1 if value is None or isinstance(value, bool) else len(str(value)) // 2 + 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row for each scenario and day."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.ledger_writes", description="Count the ledger's reads and writes."
    )
    parser.add_argument("--events", type=int, default=MILLION, help="events a day (default: %(default)s)")
    parser.add_argument("--identities", type=int, default=100, help="with 40 actions each (default: %(default)s)")
    parser.add_argument("--days", type=int, default=3, help="days, the first on an empty table (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=100, help="events of an invocation (default: %(default)s)")
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="scenarios to play (default: all)")
    options = parser.parse_args(arguments)
    columns = ("scenario", "day", "writes", "lost writes", "write units", "items read", "read calls", "read units")
    sys.stdout.write(f"Per million events:\n\n| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}\n")
    extent = {name: getattr(options, name) for name in ("events", "identities", "days")}
    with patch("time.sleep"):  # between the tries of a write: time is not what is measured
        for name in options.only or SCENARIOS:
            for day, counts in enumerate(play(SCENARIOS[name], **extent, size=options.batch), start=1):
                figures = (round(figure * MILLION / options.events) for figure in astuple(counts))
                sys.stdout.write(f"| {name} | {day} | {' | '.join(f'{figure:,}' for figure in figures)} |\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
