"""What an identity really did: the usage ledger as a join-semilattice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from shared.model.resources import NO_RESOURCE, Resources

TRAIL_FEED = "trail"  # the trail's log files: the only feed that brings data events


class IdentityKey(NamedTuple):
    """Names an identity in the ledger by account and unique id; its ARN isn't always known."""

    account_id: str
    identity_id: str


class Evidence(StrEnum):
    """How sure the trail makes us that an action was used."""

    OBSERVED = "observed"  # the operation's own action, and AWS let it pass
    INFERRED = "inferred"  # never logged, but the operation needs it (iam:PassRole)
    POSSIBLE = "possible"  # AWS may have checked it for this operation
    DENIED = "denied"  # someone wanted it and AWS said no: never use


@dataclass(frozen=True, slots=True)
class Span:
    """First and last time that something was seen (UTC)."""

    first: datetime
    last: datetime

    def join(self, other: "Span") -> "Span":
        """Smallest span that covers both."""
        return Span(min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """Everything known of one action of one identity.

    `resources` are those that all allowed uses named: "any" as soon as one use named none. `regions` are AWS region
    names.
    """

    action: str
    spans: Mapping[Evidence, Span]
    resources: Resources = NO_RESOURCE
    regions: frozenset[str] = frozenset()

    def join(self, other: "UsageEntry") -> "UsageEntry":
        """Merge two entries of the same action: idempotent, commutative, associative."""
        spans = dict(self.spans)
        for kind, span in other.spans.items():
            spans[kind] = spans[kind].join(span) if kind in spans else span
        return UsageEntry(
            action=min(self.action, other.action),  # of two spellings the same one, whichever came first
            spans=spans,
            resources=self.resources.join(other.resources),
            regions=self.regions | other.regions,
        )

    def used_since(self, start: datetime) -> bool:
        """Whether AWS let a use pass at or after `start` (observed or inferred)."""
        spans = (self.spans.get(kind) for kind in (Evidence.OBSERVED, Evidence.INFERRED))
        return any(span is not None and span.last >= start for span in spans)

    def possible_since(self, start: datetime) -> bool:
        """Whether AWS may have checked this action at or after `start`."""
        span = self.spans.get(Evidence.POSSIBLE)
        return span is not None and span.last >= start


@dataclass(frozen=True, slots=True)
class DaySeen:
    """What the trail of an account showed on one day (UTC).

    `data_events` are the IAM prefixes (`s3`) of services whose data events the trails recorded for every resource:
    records alone can't tell that, the trails' selectors do. `reads` says whether a management event that only reads was
    among the records: many trails leave these out.
    """

    regions: frozenset[str] = frozenset()
    feeds: frozenset[str] = frozenset()
    data_events: frozenset[str] = frozenset()
    reads: bool = False

    def join(self, other: "DaySeen") -> "DaySeen":
        """Union of what both saw."""
        return DaySeen(
            self.regions | other.regions,
            self.feeds | other.feeds,
            self.data_events | other.data_events,
            self.reads or other.reads,
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the ledger can know: the days on which the trail was seen, and what it showed on each."""

    seen: Mapping[date, DaySeen] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        days: Iterable[date],
        *,
        regions: Iterable[str] = (),
        feeds: Iterable[str] = (),
        data_events: Iterable[str] = (),
        reads: bool = True,
    ) -> "Coverage":
        """Coverage that was the same on each of these days."""
        same = DaySeen(frozenset(regions), frozenset(feeds), frozenset(data_events), reads)
        return cls(dict.fromkeys(days, same))

    @property
    def days(self) -> frozenset[date]:
        """Days on which anything was seen."""
        return frozenset(self.seen)

    @property
    def regions(self) -> frozenset[str]:
        """Regions that were seen on any day."""
        return frozenset().union(*(day.regions for day in self.seen.values()))

    @property
    def feeds(self) -> frozenset[str]:
        """Feeds that brought anything."""
        return frozenset().union(*(day.feeds for day in self.seen.values()))

    @property
    def data_events(self) -> frozenset[str]:
        """IAM prefixes of services whose data events were recorded, and came in, on every day that was seen.

        What the selectors say counts for nothing on a day on which no log file came.
        """
        services = [day.data_events if TRAIL_FEED in day.feeds else frozenset() for day in self.seen.values()]
        return services[0].intersection(*services[1:]) if services else frozenset()

    @property
    def reads(self) -> bool:
        """Whether management events that only read were among the records of every day that was seen."""
        return bool(self.seen) and all(day.reads for day in self.seen.values())

    def since(self, first: date) -> "Coverage":
        """The same from a day on."""
        return replace(self, seen={day: seen for day, seen in self.seen.items() if day >= first})

    def gaps(self, first: date, last: date) -> tuple[tuple[date, date], ...]:
        """Runs of days from `first` to `last`, both inclusive, on which nothing was seen, as (first, last)."""
        day = timedelta(days=1)
        seen = [first - day, *sorted(known for known in self.seen if first <= known <= last), last + day]
        return tuple((left + day, right - day) for left, right in pairwise(seen) if right - left > day)

    def join(self, other: "Coverage") -> "Coverage":
        """Union of what both saw, day by day."""
        seen = dict(self.seen)
        for day, what in other.seen.items():
            seen[day] = seen[day].join(what) if day in seen else what
        return Coverage(seen)


@dataclass(frozen=True, slots=True)
class Usage:
    """The ledger of one identity: entries by lower-case action, and the coverage behind them."""

    identity_id: str
    entries: Mapping[str, UsageEntry] = field(default_factory=dict)
    coverage: Coverage = Coverage()

    def join(self, other: "Usage") -> "Usage":
        """Merge two ledgers of one identity."""
        return replace(
            self,
            entries=join_entries([*self.entries.values(), *other.entries.values()]),
            coverage=self.coverage.join(other.coverage),
        )

    def used_since(self, start: datetime) -> dict[str, UsageEntry]:
        """Entries with an allowed use at or after `start`, by lower-case action."""
        return {key: entry for key, entry in self.entries.items() if entry.used_since(start)}


def join_entries(entries: Iterable[UsageEntry]) -> dict[str, UsageEntry]:
    """Fold entries into one per action (keys are lower-case: IAM compares actions without case)."""
    folded: dict[str, UsageEntry] = {}
    for entry in entries:
        key = entry.action.lower()
        folded[key] = folded[key].join(entry) if key in folded else entry
    return folded
