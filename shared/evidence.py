"""What is known of an identity's use of each action: the one place that tells unused from not to be known.

"Not in the ledger" means unused only where a use would have been seen: by a trail that was read, in the regions where
the identity works, on the days when it works, that records what only reads, and, for data events, with selectors that
record all of them; or by IAM, whose last accessed information says what was not even tried. IAM counts denied attempts,
is up to four hours late, looks back 400 days, and does not track iam:PassRole. Source: IAM User Guide, "Refine
permissions in AWS using last accessed information", with "Regions where data is tracked". The rules are weighed in
docs/decisions/0016.
"""

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta

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


def weigh(
    actions: AbstractSet[str],
    usage: Usage,
    catalogue: Catalogue,
    window: Window,
    last_accessed: LastAccessed | None = None,
) -> Findings:
    """Say of every action (lower-case) of one identity how it was used in the window, and why we think so."""
    return Findings(actions, _claims(actions, usage, catalogue, window, last_accessed))


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


def _claims(
    actions: AbstractSet[str],
    usage: Usage,
    catalogue: Catalogue,
    window: Window,
    last_accessed: LastAccessed | None,
) -> Iterator[tuple[EvidenceCode, AbstractSet[str]]]:
    """What speaks for each code, strongest first."""
    entries, coverage = usage.entries, in_window(usage.coverage, window)
    yield from _uses(entries, window.start)
    if last_accessed is not None:
        yield EvidenceCode.ATTEMPTED, _attempted(last_accessed, entries, window.start)
        if _speaks_for(last_accessed, coverage, window):
            yield from _silences(actions, last_accessed, entries, window.start)
    if not coverage.seen:
        yield EvidenceCode.TRAIL_NOT_SEEN, actions
        return
    nowhere, unrecorded = _hidden(catalogue, recorded_data_events(coverage, window))
    if not catalogue.keys.issuperset(actions):
        yield EvidenceCode.UNKNOWN_ACTION, actions - catalogue.keys
    yield EvidenceCode.SHOWN_NOWHERE, nowhere
    if last_accessed is not None:
        elsewhere, missed = _unseen(last_accessed, coverage, window.start)
        if elsewhere:
            yield EvidenceCode.REGION_NOT_SEEN, actions
        yield EvidenceCode.DAY_NOT_SEEN, _of_services(actions, missed)
    if not reads_recorded(coverage, window):
        yield EvidenceCode.READS_NOT_RECORDED, _reads(catalogue)
    yield EvidenceCode.DATA_EVENTS_OFF, unrecorded
    yield EvidenceCode.ONLY_DENIED, _with(entries, window.start, Evidence.DENIED)


def _uses(entries: Mapping[str, UsageEntry], start: datetime) -> Iterator[tuple[EvidenceCode, AbstractSet[str]]]:
    yield EvidenceCode.OBSERVED, _with(entries, start, Evidence.OBSERVED)
    yield EvidenceCode.INFERRED, _with(entries, start, Evidence.INFERRED)
    yield EvidenceCode.MAY_HAVE_BEEN_CHECKED, _with(entries, start, Evidence.POSSIBLE)


def _with(entries: Mapping[str, UsageEntry], start: datetime, kind: Evidence) -> set[str]:
    """Actions with this kind of evidence at or after `start`."""
    return {key for key, entry in entries.items() if (span := entry.spans.get(kind)) is not None and span.last >= start}


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


def _silences(
    actions: AbstractSet[str], last_accessed: LastAccessed, entries: Mapping[str, UsageEntry], start: datetime
) -> Iterator[tuple[EvidenceCode, AbstractSet[str]]]:
    """Actions that IAM would have told of; a service whose use the trail shows and IAM doesn't is not believed."""
    tried = _with(entries, start, Evidence.OBSERVED) | _with(entries, start, Evidence.DENIED)
    silent = {name for name, access in last_accessed.services.items() if access.at is None or access.at < start}
    disproved = silent & {_service_of(key) for key in tried}
    yield EvidenceCode.SERVICE_NOT_TRIED, _of_services(actions, silent - disproved) - UNTRACKED
    yield (
        EvidenceCode.ACTION_NOT_TRIED,
        {
            key
            for key, access in last_accessed.actions.items()
            if (access.at is None or access.at < start) and key not in tried and _service_of(key) not in disproved
        }
        - UNTRACKED,
    )


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


def _of_services(actions: Iterable[str], services: Collection[str]) -> set[str]:
    return {action for action in actions if _service_of(action) in services} if services else set()


def _service_of(action: str) -> str:
    return action.partition(":")[0]


@functools.lru_cache(maxsize=4)
def _hidden(catalogue: Catalogue, recorded: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Actions that no trail shows, and data events that this one leaves out; remembered, since accounts share them."""
    nowhere = catalogue.unshown({Observability.MANAGEMENT, Observability.DATA})
    data = catalogue.unshown({Observability.MANAGEMENT, Observability.NONE})
    return nowhere, frozenset(key for key in data if _service_of(key) not in recorded)


@functools.lru_cache(maxsize=4)
def _reads(catalogue: Catalogue) -> frozenset[str]:
    """Actions of management events that a trail without reads may leave out."""
    levels = catalogue.level_mask(AccessLevel.READ) | catalogue.level_mask(AccessLevel.LIST)
    reads = levels | catalogue.mask_any(READ_BY_THEIR_RECORDS)
    return frozenset(catalogue.keys_of(reads & catalogue.observability_mask(Observability.MANAGEMENT)))
