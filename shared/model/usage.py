"""What an identity really did: the usage ledger as a join-semilattice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

MAX_RESOURCES = 20  # per action: more than this and the ledger only knows "many"


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

    `resources` holds the ARNs that all allowed uses named, at most MAX_RESOURCES; None is the lattice's top: a use
    named none, or there are too many to keep. `regions` are AWS region names.
    """

    action: str
    spans: Mapping[Evidence, Span]
    resources: frozenset[str] | None = frozenset()
    regions: frozenset[str] = frozenset()

    def join(self, other: "UsageEntry") -> "UsageEntry":
        """Merge two entries of the same action: idempotent, commutative, associative."""
        spans = dict(self.spans)
        for kind, span in other.spans.items():
            spans[kind] = spans[kind].join(span) if kind in spans else span
        return UsageEntry(
            action=self.action,
            spans=MappingProxyType(spans),
            resources=join_resources(self.resources, other.resources),
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


def join_resources(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    """Union, or None ("many") once there are more than MAX_RESOURCES; None absorbs everything."""
    if left is None or right is None:
        return None
    union = left | right
    return union if len(union) <= MAX_RESOURCES else None


class LastAccess(NamedTuple):
    """When and in which region IAM last saw an identity try a service, denied or not; `at` is None for never."""

    at: datetime | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the ledger can know: the days on which the trail was seen, and by which feeds and in which regions.

    `data_events` says that the trail records the data events of every resource: records alone can't tell that.
    `last_accessed` says whether IAM's service-last-accessed information was read for this identity.
    """

    days: frozenset[date] = frozenset()
    regions: frozenset[str] = frozenset()
    feeds: frozenset[str] = frozenset()
    data_events: bool = False
    last_accessed: bool = False

    def join(self, other: "Coverage") -> "Coverage":
        """Union of what both saw."""
        return Coverage(
            self.days | other.days,
            self.regions | other.regions,
            self.feeds | other.feeds,
            self.data_events or other.data_events,
            self.last_accessed or other.last_accessed,
        )


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
