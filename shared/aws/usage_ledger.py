"""The usage ledger on DynamoDB.

Items and access patterns:

| pk | sk | holds | read by |
|---|---|---|---|
| `<identity id>` | `ACTION#<lower-case action>` | one UsageEntry | Query: everything an identity did |
| `ACCOUNT#<account id>` | `DAY#<date>` | regions and feeds seen that day | Query from a date: coverage of the window |

Merging is a join-semilattice (shared/model/usage.py), so that duplicates, replays and disorder change nothing. A write
happens only where the join says something new beyond the day; it is conditional on the version that was read.
"""

import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from types import MappingProxyType

from shared.aws.dynamodb import Item, Key, Table
from shared.errors import ConflictError
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry

MAX_ATTEMPTS = 8  # of one optimistic write, with jitter
UNCHANGED = "attribute_not_exists(version) OR version = :version"


class UsageLedger:
    """What every identity did, kept `retention_days` after the last time it was seen."""

    def __init__(self, table: Table, *, retention_days: int = 400) -> None:
        self._table = table
        self._retention = timedelta(days=retention_days)

    def merge(self, usages: Mapping[str, Usage]) -> int:
        """Join usage by identity id into the ledger; returns how many items were written.

        Raises ConflictError when other writers kept winning, DependencyError when DynamoDB failed; either way a retry
        of the same call is safe.
        """
        wanted = {
            (identity_id, f"ACTION#{key}"): entry
            for identity_id, usage in usages.items()
            for key, entry in usage.entries.items()
        }
        stored = self._table.get_many(list(wanted))
        return sum(self._merge_entry(key, entry, stored.get(key)) for key, entry in wanted.items())

    def merge_coverage(self, account_id: str, coverage: Coverage) -> None:
        """Note on which days, in which regions and by which feeds the account's trail was seen."""
        for day in sorted(coverage.days):
            key = (f"ACCOUNT#{account_id}", f"DAY#{day.isoformat()}")
            seen = Coverage(frozenset({day}), coverage.regions, coverage.feeds, coverage.data_events)
            for _ in _attempts():
                item = self._table.get(*key)
                joined = seen.join(_day_of(item)) if item else seen
                if item and _day_of(item) == joined:
                    break
                if self._try_put(key, _day_item(joined), item, day):
                    break

    def read(self, identity_id: str, account_id: str, *, since: datetime) -> Usage:
        """Everything known of one identity, and the account's coverage from `since` on."""
        entries = map(_entry_of, self._table.query(identity_id, sk_prefix="ACTION#"))
        return Usage(
            identity_id,
            {entry.action.lower(): entry for entry in entries},
            self.read_coverage(account_id, since=since),
        )

    def read_coverage(self, account_id: str, *, since: datetime) -> Coverage:
        """The days, regions and feeds of the account's trail from `since` on."""
        coverage = Coverage()
        for item in self._table.query(f"ACCOUNT#{account_id}", sk_from=f"DAY#{since.date().isoformat()}"):
            coverage = coverage.join(_day_of(item))
        return coverage

    def _merge_entry(self, key: Key, entry: UsageEntry, item: Item | None) -> int:
        written = 0
        for attempt in _attempts():
            if attempt:
                item = self._table.get(*key)
            joined = entry.join(_entry_of(item)) if item else entry
            if item and _same_day(_entry_of(item), joined):
                break
            last = max(span.last for span in joined.spans.values())
            written = int(self._try_put(key, _entry_item(joined), item, last.date()))
            if written:
                break
        return written

    def _try_put(self, key: Key, content: Item, old: Item | None, last_seen: date) -> bool:
        version = int(old["version"]) if old else 0
        expires = datetime.combine(last_seen, time_of_day.min, tzinfo=UTC) + self._retention
        item = {
            "pk": key[0],
            "sk": key[1],
            **content,
            "version": version + 1,
            "expires_at": int(expires.timestamp()),
        }
        try:
            self._table.put(item, condition=UNCHANGED, values={":version": version})
        except ConflictError:
            return False
        return True


def _attempts() -> Iterator[int]:
    """Count optimistic tries, waiting with jitter between them; raise ConflictError when they are used up."""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 jitter, not a secret
        yield attempt
    raise ConflictError(f"usage ledger: other writers won {MAX_ATTEMPTS} times")


def _same_day(old: UsageEntry, new: UsageEntry) -> bool:
    """Whether `new` tells nothing beyond the day (UTC) that `old` already has: then the write is saved."""
    return (
        old.resources == new.resources
        and old.regions == new.regions
        and old.spans.keys() == new.spans.keys()
        and all(
            span.first.date() == old.spans[kind].first.date() and span.last.date() == old.spans[kind].last.date()
            for kind, span in new.spans.items()
        )
    )


def _entry_item(entry: UsageEntry) -> Item:
    return {
        "action": entry.action,
        "spans": {kind.value: [span.first.isoformat(), span.last.isoformat()] for kind, span in entry.spans.items()},
        "resources": None if entry.resources is None else sorted(entry.resources),
        "regions": sorted(entry.regions),
    }


def _entry_of(item: Item) -> UsageEntry:
    spans = {
        Evidence(kind): Span(datetime.fromisoformat(first), datetime.fromisoformat(last))
        for kind, (first, last) in item["spans"].items()
    }
    resources = item["resources"]
    return UsageEntry(
        item["action"],
        MappingProxyType(spans),
        None if resources is None else frozenset(resources),
        frozenset(item["regions"]),
    )


def _day_item(coverage: Coverage) -> Item:
    return {
        "regions": sorted(coverage.regions),
        "feeds": sorted(coverage.feeds),
        "data_events": coverage.data_events,
    }


def _day_of(item: Item) -> Coverage:
    day = date.fromisoformat(item["sk"].removeprefix("DAY#"))
    return Coverage(frozenset({day}), frozenset(item["regions"]), frozenset(item["feeds"]), bool(item["data_events"]))
