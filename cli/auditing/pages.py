"""Which entries of the audit trail a query means, and how one page of them follows another.

Each query reads one index, the most selective one that its filters allow, and drops what the other filters don't want.
A page token holds the place to go on from, and the query's own times, so that "7d" means the same on every page.
"""

import base64
import heapq
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from typing import Any, NamedTuple, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.aws.audit_table import AuditTable
from shared.errors import InputError
from shared.model.audit import AuditEntry
from shared.model.digests import digest_of
from shared.model.plan import Compliance

MOST_DROPPED = 100_000  # entries that a page may read in vain before it ends, however few it found
INSTANT = timedelta(microseconds=1)
FIRST_WITH_TYPE = 2  # the version of entries since which the index of types holds them
END_OF_TIME = datetime.max.replace(tzinfo=UTC) - INSTANT

Position: TypeAlias = tuple[Any, ...]  # (sequence,) in a chain, (time, event id) elsewhere


class Wanted(NamedTuple):
    """What a query asks for; what is None or empty doesn't matter. From `since` on, and before `until`."""

    account_id: str
    identity_id: str | None = None
    plan_id: str | None = None
    types: tuple[str, ...] = ()
    compliance: Compliance | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True

    def fits(self, entry: AuditEntry) -> bool:
        """Whether an entry is one that is asked for."""
        return (
            entry.account_id == self.account_id
            and self.identity_id in {None, entry.identity_id}
            and self.plan_id in {None, entry.plan_id}
            and (not self.types or entry.event_type in self.types)
            and self.compliance in {None, entry.compliance}
            and (self.since is None or self.since <= entry.occurred_at)
            and (self.until is None or entry.occurred_at < self.until)
        )

    @property
    def by_chain(self) -> bool:
        """Whether the entries come in the order of a chain, and not of time."""
        return self.identity_id is not None and self.plan_id is None

    def position(self, entry: AuditEntry) -> Position:
        """An entry's place in the order of this query."""
        return (entry.sequence,) if self.by_chain else (entry.occurred_at, entry.event_id)

    @property
    def digest(self) -> str:
        """Names the query without its times, so that a token is only good for the query that made it."""
        fixed = self._replace(types=tuple(sorted(self.types)), since=None, until=None)
        return digest_of(fixed._asdict())[:16]


class Page:
    """At most `limit` entries, read as they are asked for; `token` is where the next page begins, None at the end.

    `read` counts the entries that were looked at. `gave_up` says that the page ended because it read MOST_DROPPED
    entries in vain.
    """

    def __init__(self, audit: AuditTable, wanted: Wanted, limit: int, token: str | None = None) -> None:
        self._after: Position | None = None
        self.wanted = wanted
        if token is not None:
            self.wanted, self._after = _resumed(wanted, token)
        self._entries = _entries(audit, self.wanted, self._after)
        self._limit = limit
        self.read = 0
        self.gave_up = False
        self.token: str | None = None

    def __iter__(self) -> Iterator[AuditEntry]:
        shown = dropped = 0
        last: Position = self._after or ()
        for entry in self._entries:
            self.read += 1
            if self.wanted.fits(entry):
                if shown == self._limit:
                    self.token = _token(self.wanted, last)
                    return
                shown += 1
                yield entry
            else:
                dropped += 1
            last = self.wanted.position(entry)
            if dropped >= MOST_DROPPED:
                self.token, self.gave_up = _token(self.wanted, last), True
                return


def _entries(audit: AuditTable, wanted: Wanted, after: Position | None) -> Iterator[AuditEntry]:
    """Entries behind a position in the order that is wanted, and some that don't fit among them."""
    entries = _source(audit, wanted if after is None else _narrowed(wanted, after), after)
    if after is None:
        return iter(entries)

    def was_shown(entry: AuditEntry) -> bool:
        place = wanted.position(entry)
        return place >= after if wanted.newest_first else place <= after

    return dropwhile(was_shown, entries)


def _narrowed(wanted: Wanted, after: Position) -> Wanted:
    """The same query without most of what came before a position."""
    if wanted.by_chain:
        return wanted
    if wanted.newest_first:
        return wanted._replace(until=min(wanted.until or after[0] + INSTANT, after[0] + INSTANT))
    return wanted._replace(since=max(wanted.since or after[0], after[0]))


def _source(audit: AuditTable, wanted: Wanted, after: Position | None) -> Iterable[AuditEntry]:
    account_id, newest_first = wanted.account_id, wanted.newest_first
    if wanted.plan_id is not None:
        return sorted(audit.of_plan(wanted.plan_id), key=wanted.position, reverse=newest_first)
    times: dict[str, Any] = {"since": wanted.since, "until": wanted.until, "newest_first": newest_first}
    if wanted.identity_id is not None:
        last = "until_sequence" if newest_first else "from_sequence"
        return audit.of_identity(account_id, wanted.identity_id, **times, **({last: after[0]} if after else {}))
    if wanted.compliance is not None:
        return audit.of_compliance(account_id, wanted.compliance, **times)
    if wanted.types and not _goes_back_to_version_1(audit, account_id):
        each = (audit.of_type(account_id, name, **times) for name in wanted.types)
        return heapq.merge(*each, key=wanted.position, reverse=newest_first)
    return audit.of_account(account_id, **times)


def _goes_back_to_version_1(audit: AuditTable, account_id: str) -> bool:
    """Whether the trail has entries that the index of types does not hold."""
    oldest = next(iter(audit.of_account(account_id)), None)
    return oldest is not None and oldest.schema_version < FIRST_WITH_TYPE


class PageToken(BaseModel):
    """Where a page begins: the query's digest and times, and the place of the last entry of the page before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    sequence: int | None = Field(default=None, ge=1, lt=10**12)
    at: AwareDatetime | None = Field(default=None, lt=END_OF_TIME)
    event_id: str | None = None

    @property
    def after(self) -> Position | None:
        """The place; None where the token holds none."""
        if self.at is not None and self.event_id is not None:
            return (self.at, self.event_id)
        return None if self.sequence is None else (self.sequence,)


def _token(wanted: Wanted, after: Position) -> str:
    names = ("sequence",) if wanted.by_chain else ("at", "event_id")
    place = dict(zip(names, after, strict=True))
    token = PageToken(query=wanted.digest, since=wanted.since, until=wanted.until, **place)
    return base64.urlsafe_b64encode(token.model_dump_json(exclude_none=True).encode()).decode().rstrip("=")


def _resumed(wanted: Wanted, text: str) -> tuple[Wanted, Position]:
    """The query with its times as they were on the first page, and the place to go on behind.

    Raises InputError for a token that is none, or another query's.
    """
    try:
        token = PageToken.model_validate_json(base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True))
    except ValueError:  # pydantic's and base64's errors are such
        token = None
    if token is not None and token.query != wanted.digest:
        raise InputError("the page token is of another query: give the same options, but for --since and --until")
    if token is None or token.after is None or wanted.by_chain != (token.sequence is not None):
        raise InputError("the page token is none that a query gave: copy it whole")
    return wanted._replace(since=token.since, until=token.until), token.after
