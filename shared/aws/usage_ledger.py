"""The usage ledger on DynamoDB.

Items and access patterns:

| pk | sk | holds | read by |
|---|---|---|---|
| `IDENTITY#<account id>#<identity id>` | `ACTION#<action>` | one UsageEntry | Query: all of an identity |
| `ACCOUNT#<account id>` | `DAY#<date>` | one DaySeen | Query: all from a date on |

Merging is a join-semilattice (shared/model/usage.py), so that duplicates, replays and disorder change nothing. A write
happens only where the join says more than a later time of the same day. It is conditional on the version that was read,
and on when that expires: an item that DynamoDB deletes may begin anew with the same version.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import NamedTuple

from shared.aws.dynamodb import ABSENT, MAX_BATCH_GET, Item, Key, Table
from shared.aws.known_entries import KnownEntries
from shared.aws.ledger_items import (
    ACTIONS,
    DAYS,
    FORMAT,
    Fact,
    account_partition,
    as_known,
    attributes_of,
    day_key,
    day_of,
    day_of_key,
    entry_key,
    entry_of,
    fact_of,
    identity_partition,
    join_facts,
    last_day,
    says_more,
)
from shared.errors import ConflictError, InputError
from shared.model.usage import Coverage, IdentityKey, Usage

MAX_ATTEMPTS = 8  # of one optimistic write, with jitter
# An item that was deleted had expired, so one that began anew and is worth keeping expires later than it.
UNCHANGED = f"{ABSENT} OR (version = :version AND expires_at = :expires_at)"
EPOCH = date(1970, 1, 1)
DAY_SECONDS = 86_400


class UsageLedger:
    """What every identity did, kept `retention_days` after the last time it was seen, and never shorter than it was.

    `known` is what this process knows to be stored already: see KnownEntries. `writers` is how many items are written
    at the same time, which is worth it for whoever merges thousands at once.
    """

    def __init__(
        self, table: Table, *, retention_days: int = 400, known: KnownEntries | None = None, writers: int = 1
    ) -> None:
        self._table = table
        self._retention_days = retention_days
        self._known = KnownEntries(max_facts=0) if known is None else known
        self._writers = writers

    def record(self, usages: Mapping[IdentityKey, Usage], coverage: Mapping[str, Coverage]) -> "Recorded":
        """Join usages, and then the coverage (by account id) of each account whose usages are all stored.

        A day must not count as seen before what was seen on it is stored. What can't be stored or joined is told with
        the result instead of raised, since it concerns one account and no other; else raises as `merge` does.
        """
        of_account: dict[str, dict[IdentityKey, Usage]] = {account_id: {} for account_id in coverage}
        for key, usage in usages.items():
            of_account.setdefault(key.account_id, {})[key] = usage
        written, problems = 0, dict[str, list[InputError]]()
        for account_id, of_one in sorted(of_account.items()):
            count, refused = self._merge_usages(of_one)
            written += count
            if not refused and account_id in coverage:
                count, refused = self._merge(_days_of(account_id, coverage[account_id]))
                written += count
            if refused:
                problems[account_id] = refused
        return Recorded(written, problems)

    def merge(self, usages: Mapping[IdentityKey, Usage]) -> int:
        """Join the entries of usages into the ledger; returns how many items were written.

        Raises ConflictError when other writers kept winning, DependencyError when DynamoDB failed, and InputError for
        what can't be stored or joined, after everything else is. A retry of the same call is always safe.
        """
        written, problems = self._merge_usages(usages)
        _raise_first(problems)
        return written

    def merge_coverage(self, account_id: str, coverage: Coverage) -> int:
        """Note what the account's trail showed on which days; returns and raises as `merge` does."""
        written, problems = self._merge(_days_of(account_id, coverage))
        _raise_first(problems)
        return written

    def read(self, key: IdentityKey, *, since: datetime, coverage: Coverage | None = None) -> Usage:
        """Everything known of one identity, and the account's coverage from `since` on, unless it is given.

        The last time of an entry is known to the day (`as_known`). An entry whose time was over before `since` is left
        out, though DynamoDB may not have deleted it yet. Raises InputError where an item can't be read.
        """
        items = self._table.query(identity_partition(key), sk_prefix=ACTIONS)
        entries = [as_known(entry_of(item)) for item in items if not _was_over(item, since)]
        if coverage is None:
            coverage = self.read_coverage(key.account_id, since=since)
        return Usage(key.identity_id, {entry.action.lower(): entry for entry in entries}, coverage)

    def read_coverage(self, account_id: str, *, since: datetime) -> Coverage:
        """What the account's trail showed on each day from `since` on; raises InputError as `read` does."""
        items = self._table.query(account_partition(account_id), sk_from=f"{DAYS}{since.date().isoformat()}")
        return Coverage({day_of_key((item["pk"], item["sk"])): day_of(item) for item in items})

    def _merge_usages(self, usages: Mapping[IdentityKey, Usage]) -> tuple[int, list[InputError]]:
        facts: dict[Key, Fact] = {}
        refused: list[InputError] = []
        for identity, usage in usages.items():
            for entry in usage.entries.values():
                try:
                    facts[entry_key(identity, entry.action)] = entry
                except InputError as error:
                    refused.append(error)
        written, problems = self._merge(facts)
        return written, [*refused, *problems]

    def _merge(self, facts: Mapping[Key, Fact]) -> tuple[int, list[InputError]]:
        """Join facts into the table; gives how many were written, and what kept others from being stored."""
        problems: list[InputError] = []
        news = [key for key, fact in facts.items() if self._is_news(key, fact)]
        written = 0
        for start in range(0, len(news), MAX_BATCH_GET):
            batch = news[start : start + MAX_BATCH_GET]
            for key, merged in zip(batch, self._merge_batch(batch, facts), strict=True):
                if isinstance(merged, InputError):
                    problems.append(merged)
                    continue
                self._known.put(key, merged.stored)
                written += merged.written
        return written, problems

    def _is_news(self, key: Key, fact: Fact) -> bool:
        known = self._known.get(key)
        return known is None or says_more(known, join_facts(known, fact))

    def _merge_batch(self, keys: Sequence[Key], facts: Mapping[Key, Fact]) -> "list[_Merged | InputError]":
        stored = self._table.get_many(keys)

        def merge(key: Key) -> _Merged | InputError:
            try:
                return self._merge_fact(key, facts[key], stored.get(key))
            except InputError as error:
                return error

        if self._writers == 1:
            return [merge(key) for key in keys]
        with ThreadPoolExecutor(self._writers) as pool:
            return list(pool.map(merge, keys))

    def _merge_fact(self, key: Key, fact: Fact, item: Item | None) -> "_Merged":
        for attempt in _attempts():
            if attempt:
                item = self._table.get(*key)
            old = fact_of(item) if item else None
            joined = join_facts(old, fact) if old else fact
            if old and not says_more(old, joined):
                return _Merged(old, written=False)
            if self._try_put(key, joined, item):
                return _Merged(joined, written=True)
        raise ConflictError(f"usage ledger: other writers won {MAX_ATTEMPTS} times")

    def _try_put(self, key: Key, fact: Fact, old: Item | None) -> bool:
        version, expires_at = (old["version"], old["expires_at"]) if old else (0, 0)
        alive = (last_day(key, fact) - EPOCH).days + self._retention_days
        item = {
            **(old or {}),  # with what others may have added to it
            **attributes_of(key, fact),
            "pk": key[0],
            "sk": key[1],
            "format": FORMAT,
            "version": version + 1,
            "expires_at": max(expires_at, alive * DAY_SECONDS),
        }
        try:
            self._table.put(item, condition=UNCHANGED, values={":version": version, ":expires_at": expires_at})
        except ConflictError:
            return False
        return True


class Recorded(NamedTuple):
    """How many items were written, and what could not be stored, by account id: everything else is."""

    written: int
    problems: dict[str, list[InputError]]

    def raise_problems(self) -> None:
        """Raise InputError that tells the first problem and how many there are, if any."""
        _raise_first([problem for problems in self.problems.values() for problem in problems])


def _raise_first(problems: Sequence[InputError]) -> None:
    if problems:
        raise InputError(f"{problems[0]} ({len(problems) - 1} more like it; everything else is stored)")


class _Merged(NamedTuple):
    """What is stored now, and whether it had to be written."""

    stored: Fact
    written: bool


def _days_of(account_id: str, coverage: Coverage) -> dict[Key, Fact]:
    return {day_key(account_id, day): seen for day, seen in sorted(coverage.seen.items())}


def _attempts() -> Iterator[int]:
    """Count optimistic tries, waiting with jitter between them."""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 jitter, not a secret
        yield attempt


def _was_over(item: Item, since: datetime) -> bool:
    expires = item.get("expires_at")
    return isinstance(expires, int) and expires <= since.timestamp()
