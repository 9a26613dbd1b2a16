"""What is known of an identity's use of each action: the one place that tells unused from not to be known.

"Not in the ledger" means unused only where a use would have been seen: by a trail that was read, in the regions where
the identity works, on the days when it works, that records what only reads, and, for data events, with selectors that
record all of them; or by IAM, whose last accessed information says what was not even tried. IAM counts denied attempts,
is up to four hours late, looks back 400 days, and does not track iam:PassRole. Source: IAM User Guide, "Refine
permissions in AWS using last accessed information", with "Regions where data is tracked". The rules are weighed in
docs/decisions/0016.
"""

import functools
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.iam.actions import NO_ACTIONS, ActionSet
from shared.iam.catalogue import AccessLevel, Catalogue, Observability
from shared.model.finding import EvidenceCode, Findings, Window
from shared.model.last_accessed import LastAccessed
from shared.model.usage import Coverage, Evidence, Usage, UsageEntry

TRACKING_PERIOD = timedelta(days=400)
MAX_REPORT_AGE = timedelta(days=1)  # an older report doesn't speak for the days since
UNTRACKED = frozenset({"iam:passrole"})  # in neither the service's nor the action's information

# Services with actions that IAM calls writes and CloudTrail calls reads: Decrypt, Encrypt and GenerateDataKey by the
# CloudTrail User Guide ("Logging management events", AWS KMS), AssumeRole by its records.
READ_BY_THEIR_RECORDS = ("kms:*", "sts:*")

# Where IAM has tracked for longer than its period. A use in any other region is none that IAM would tell of.
TRACKED_REGIONS = frozenset({
    "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
    "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "eu-central-1",
    "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1",
    "me-central-1", "me-south-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1",
    "us-gov-west-1",
})  # fmt: skip
MAX_DAYS_WITHOUT_READS = 7  # seen days in a row, as many as a trail may be away before nothing is planned


_REMEMBERED_TRAILS = 8


def weigh(
    actions: AbstractSet[str],
    usage: Usage,
    catalogue: Catalogue,
    window: Window,
    last_accessed: LastAccessed | None = None,
) -> Findings:
    """Say of every action (lower-case) of one identity how it was used in the window, and why we think so."""
    judged = ActionSet(catalogue.mask_of_keys(actions), frozenset(actions - catalogue.keys))
    found = Judge(catalogue, window).weigh(judged, usage, last_accessed)
    return Findings({code: frozenset(own.keys(catalogue)) for code, own in found.items()})


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: it is remembered, and a key of what is
class Trail:
    """What the trails of an account could show in the window, worked out once for all of its identities.

    `coverage` is that of the window alone. `reads` says whether calls that only read were recorded, `data_events` are
    the IAM prefixes of services whose data events all were. The masks are of the actions that would not have shown:
    `nowhere` in no trail at all, `unread` for want of reads, `unrecorded` for want of data events.
    """

    coverage: Coverage
    reads: bool
    data_events: frozenset[str]
    nowhere: int
    unread: int
    unrecorded: int

    @classmethod
    def of(cls, coverage: Coverage, catalogue: Catalogue, window: Window) -> "Trail":
        """What the days of `coverage` within the window could show."""
        seen = in_window(coverage, window)
        reads, recorded = reads_recorded(seen, window), recorded_data_events(seen, window)
        data = catalogue.observability_mask(Observability.DATA)
        return cls(
            coverage=seen,
            reads=reads,
            data_events=recorded,
            nowhere=catalogue.observability_mask(Observability.NONE),
            unread=0 if reads else _reads(catalogue),
            unrecorded=data & ~_of_services(catalogue, recorded),
        )


class Judge:
    """Says how the actions of many identities were used in one window, and remembers what their trails could show."""

    def __init__(self, catalogue: Catalogue, window: Window) -> None:
        self.catalogue = catalogue
        self.window = window
        self._trails: dict[int, tuple[Coverage, Trail]] = {}

    def trail(self, coverage: Coverage) -> Trail:
        """What a coverage could show in the window."""
        known = self._trails.get(id(coverage))
        if known is None:  # the entry holds on to the coverage, so that its id stays its own
            same = (trail for other, trail in self._trails.values() if other == coverage)
            known = coverage, next(same, None) or Trail.of(coverage, self.catalogue, self.window)
            if len(self._trails) >= _REMEMBERED_TRAILS:
                del self._trails[next(iter(self._trails))]
            self._trails[id(coverage)] = known
        return known[1]

    def weigh(
        self, actions: ActionSet, usage: Usage, last_accessed: LastAccessed | None = None
    ) -> dict[EvidenceCode, ActionSet]:
        """Share the actions of one identity out to the codes: each to the first that claims it; every code is there."""
        found = dict.fromkeys(EvidenceCode, NO_ACTIONS)
        left = actions
        for code, claimed in self._claims(actions, usage, last_accessed):
            if own := left & claimed:
                found[code] = own
                left -= own
        found[EvidenceCode.NOT_IN_TRAIL] = left
        return found

    def _claims(
        self, actions: ActionSet, usage: Usage, last_accessed: LastAccessed | None
    ) -> Iterator[tuple[EvidenceCode, ActionSet]]:
        """What speaks for each code, strongest first; a claim may name more than the judged actions."""
        entries, trail, start = usage.entries, self.trail(usage.coverage), self.window.start
        own = functools.partial(_set, self.catalogue, actions)
        recorded = _by_kind(entries, start)
        for code, kind in _USES:
            yield code, own(recorded[kind])
        if last_accessed is not None:
            yield EvidenceCode.ATTEMPTED, own(_attempted(last_accessed, entries, start))
            if _speaks_for(last_accessed, trail.coverage, self.window):
                tried = recorded[Evidence.OBSERVED] | recorded[Evidence.DENIED]
                services, silent = _silences(last_accessed, tried, start)
                untracked = own(UNTRACKED)
                yield EvidenceCode.SERVICE_NOT_TRIED, self._of_services(actions, services) - untracked
                yield EvidenceCode.ACTION_NOT_TRIED, own(silent) - untracked
        if not trail.coverage.seen:
            yield EvidenceCode.TRAIL_NOT_SEEN, actions
            return
        yield EvidenceCode.UNKNOWN_ACTION, ActionSet(0, actions.unknown)
        yield EvidenceCode.SHOWN_NOWHERE, ActionSet(trail.nowhere)
        if last_accessed is not None:
            elsewhere, missed = _unseen(last_accessed, trail.coverage, start)
            if elsewhere:
                yield EvidenceCode.REGION_NOT_SEEN, actions
            yield EvidenceCode.DAY_NOT_SEEN, self._of_services(actions, missed)
        yield EvidenceCode.READS_NOT_RECORDED, ActionSet(trail.unread)
        yield EvidenceCode.DATA_EVENTS_OFF, ActionSet(trail.unrecorded)
        yield EvidenceCode.ONLY_DENIED, own(recorded[Evidence.DENIED])

    def _of_services(self, actions: ActionSet, services: AbstractSet[str]) -> ActionSet:
        unknown = frozenset(key for key in actions.unknown if _service_of(key) in services)
        return ActionSet(_of_services(self.catalogue, frozenset(services)), unknown)


def in_window(coverage: Coverage, window: Window) -> Coverage:
    """What was seen on the days of the window."""
    first, last = window.start.date(), window.end.date()
    seen = coverage.seen
    if all(first <= day <= last for day in seen):
        return coverage
    return Coverage({day: what for day, what in seen.items() if first <= day <= last})


def recorded_data_events(coverage: Coverage, window: Window) -> frozenset[str]:
    """IAM prefixes of services whose data events were all recorded on each day of the window that was seen."""
    return _whole_days(coverage, window).data_events


def reads_recorded(coverage: Coverage, window: Window) -> bool:
    """Whether calls that only read are in the trail: seen at all, and never absent on MAX_DAYS_WITHOUT_READS in a row.

    A quiet day may have none; a trail that leaves them out has none on any day.
    """
    seen = in_window(coverage, window).seen
    absent = longest = 0
    for day in sorted(seen):
        absent = 0 if seen[day].reads else absent + 1
        longest = max(longest, absent)
    return longest < MAX_DAYS_WITHOUT_READS and any(what.reads for what in seen.values())


def _whole_days(coverage: Coverage, window: Window) -> Coverage:
    """The last day of the window counts only where it is alone: on it some things come hours after it began."""
    today = window.end.date()
    return Coverage({day: what for day, what in coverage.seen.items() if day < today} or coverage.seen)


_USES = (
    (EvidenceCode.OBSERVED, Evidence.OBSERVED),
    (EvidenceCode.INFERRED, Evidence.INFERRED),
    (EvidenceCode.MAY_HAVE_BEEN_CHECKED, Evidence.POSSIBLE),
)


def _set(catalogue: Catalogue, actions: ActionSet, keys: AbstractSet[str]) -> ActionSet:
    """Lower-case actions as a set; of those that the catalogue doesn't know the judged ones are enough."""
    return ActionSet(catalogue.mask_of_keys(keys), actions.unknown & keys) if keys else NO_ACTIONS


def _by_kind(entries: Mapping[str, UsageEntry], start: datetime) -> dict[Evidence, set[str]]:
    """Actions with each kind of evidence at or after `start`."""
    found: dict[Evidence, set[str]] = {kind: set() for kind in Evidence}
    for key, entry in entries.items():
        for kind, span in entry.spans.items():
            if span.last >= start:
                found[kind].add(key)
    return found


def _attempted(last_accessed: LastAccessed, entries: Mapping[str, UsageEntry], start: datetime) -> set[str]:
    """Actions that IAM saw tried, unless the last attempt is one that the trail shows as denied.

    The ledger knows denials to the day. One of another day is another attempt: then this one may have been allowed.
    """

    def is_explained(key: str, at: datetime) -> bool:
        denied = entries[key].spans.get(Evidence.DENIED) if key in entries else None
        return denied is not None and denied.last.date() == at.date()

    return {
        key
        for key, access in last_accessed.actions.items()
        if access.at is not None and access.at >= start and not is_explained(key, access.at)
    }


def _speaks_for(last_accessed: LastAccessed, coverage: Coverage, window: Window) -> bool:
    """Whether IAM would have seen every attempt of the window: its period reaches back so far, and the report is new.

    A region that IAM doesn't track, or hasn't tracked for long, makes its silence worthless for the identity.
    """
    return (
        window.start >= last_accessed.created_at - TRACKING_PERIOD
        and last_accessed.created_at >= window.end - MAX_REPORT_AGE
        and coverage.regions <= TRACKED_REGIONS
    )


def _silences(last_accessed: LastAccessed, tried: AbstractSet[str], start: datetime) -> tuple[set[str], set[str]]:
    """Services and actions that IAM would have told of; a service that the trail shows `tried` is not believed."""
    silent = {name for name, access in last_accessed.services.items() if access.at is None or access.at < start}
    disproved = silent & {_service_of(key) for key in tried}
    actions = {
        key
        for key, access in last_accessed.actions.items()
        if (access.at is None or access.at < start) and key not in tried and _service_of(key) not in disproved
    }
    return silent - disproved, actions


def _unseen(last_accessed: LastAccessed, coverage: Coverage, start: datetime) -> tuple[bool, set[str]]:
    """What IAM saw tried since `start` where the trail saw nothing: (in a region without a trail, on which services).

    A region counts as seen at the time of an attempt only if it was on the attempt's day or one beside it. IAM names
    only the last region of each service and action, so one region that wasn't may stand for more. Where none of these
    days was seen at all, the trail missed the service.
    """
    near = functools.cache(functools.partial(_regions_near, coverage))
    elsewhere, missed = False, set()
    for service, access in last_accessed.attempts():
        if access.at is None or access.at < start:
            continue
        regions = near(access.at.date())
        if regions is None:
            missed.add(service)
            regions = coverage.regions
        elsewhere = elsewhere or (access.region is not None and access.region not in regions)
    return elsewhere, missed


def _regions_near(coverage: Coverage, day: date) -> frozenset[str] | None:
    """Regions that were seen on a day or the days beside it; None where none of these days was seen."""
    around = [day + timedelta(days=offset) for offset in (-1, 0, 1)]
    seen = [coverage.seen[one].regions for one in around if one in coverage.seen]
    return frozenset().union(*seen) if seen else None


def _service_of(action: str) -> str:
    return action.partition(":")[0]


@functools.lru_cache(maxsize=64)
def _of_services(catalogue: Catalogue, services: frozenset[str]) -> int:
    """Mask of whole services; remembered, since the identities of an account share most of them."""
    return functools.reduce(int.__or__, (_of_service(catalogue, service) for service in services), 0)


@functools.lru_cache(maxsize=1024)
def _of_service(catalogue: Catalogue, service: str) -> int:
    return catalogue.mask_of_keys(catalogue.of_service(service))


@functools.lru_cache(maxsize=4)
def _reads(catalogue: Catalogue) -> int:
    """Mask of management events that a trail without reads may leave out."""
    levels = catalogue.level_mask(AccessLevel.READ) | catalogue.level_mask(AccessLevel.LIST)
    reads = levels | catalogue.mask_any(READ_BY_THEIR_RECORDS)
    return reads & catalogue.observability_mask(Observability.MANAGEMENT)
