"""The rules of evidence once more, one action at a time and without sets or memory, to hold the fast way to them."""

from datetime import date, datetime, timedelta

from shared.evidence import MAX_DAYS_WITHOUT_READS, MAX_REPORT_AGE, TRACKED_REGIONS, TRACKING_PERIOD
from shared.iam.catalogue import AccessLevel, Catalogue, Observability
from shared.model.finding import EvidenceCode, Window
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.usage import TRAIL_FEED, DaySeen, Evidence, Usage, UsageEntry

READ_LEVELS = (AccessLevel.READ, AccessLevel.LIST)


def plain_code(
    action: str, usage: Usage, catalogue: Catalogue, window: Window, report: LastAccessed | None
) -> EvidenceCode:
    """Why one lower-case action stands as it does."""
    days = {day: seen for day, seen in usage.coverage.seen.items() if window.start.date() <= day <= window.end.date()}
    told = (
        by_ledger(usage.entries.get(action), window.start)
        or (by_report(action, usage, days, window, report) if report else None)
        or by_trail(action, catalogue, days, window, report)
    )
    if told is None and shows(usage.entries.get(action), Evidence.DENIED, window.start):
        return EvidenceCode.ONLY_DENIED
    return told or EvidenceCode.NOT_IN_TRAIL


def shows(entry: UsageEntry | None, kind: Evidence, start: datetime) -> bool:
    return entry is not None and kind in entry.spans and entry.spans[kind].last >= start


def by_ledger(entry: UsageEntry | None, start: datetime) -> EvidenceCode | None:
    codes = {
        Evidence.OBSERVED: EvidenceCode.OBSERVED,
        Evidence.INFERRED: EvidenceCode.INFERRED,
        Evidence.POSSIBLE: EvidenceCode.MAY_HAVE_BEEN_CHECKED,
    }
    return next((code for kind, code in codes.items() if shows(entry, kind, start)), None)


def by_report(
    action: str, usage: Usage, days: dict[date, DaySeen], window: Window, report: LastAccessed
) -> EvidenceCode | None:
    own, service = report.actions.get(action), report.services.get(service_of(action))
    if own is not None and tried(own, window.start):
        entry = usage.entries.get(action)
        denied = entry.spans.get(Evidence.DENIED) if entry else None
        if denied is None or own.at is None or denied.last.date() != own.at.date():
            return EvidenceCode.ATTEMPTED
    regions = {region for seen in days.values() for region in seen.regions}
    too_long = window.start < report.created_at - TRACKING_PERIOD
    too_old = report.created_at < window.end - MAX_REPORT_AGE
    if too_long or too_old or not regions <= TRACKED_REGIONS or action == "iam:passrole":
        return None
    known = {
        key
        for key, entry in usage.entries.items()
        if shows(entry, Evidence.OBSERVED, window.start) or shows(entry, Evidence.DENIED, window.start)
    }
    service_silent = service is not None and not tried(service, window.start)
    disproved = service_silent and any(service_of(key) == service_of(action) for key in known)
    if service_silent and not disproved:
        return EvidenceCode.SERVICE_NOT_TRIED
    if own is not None and not tried(own, window.start) and action not in known and not disproved:
        return EvidenceCode.ACTION_NOT_TRIED
    return None


def by_trail(
    action: str, catalogue: Catalogue, days: dict[date, DaySeen], window: Window, report: LastAccessed | None
) -> EvidenceCode | None:
    if not days:
        return EvidenceCode.TRAIL_NOT_SEEN
    known = catalogue.get(action)
    if known is None:
        return EvidenceCode.UNKNOWN_ACTION
    if known.observability is Observability.NONE:
        return EvidenceCode.SHOWN_NOWHERE
    if report is not None and (missed := by_what_iam_saw(action, days, window.start, report)):
        return missed
    if known.observability is Observability.DATA:
        return None if records_data(service_of(action), days, window) else EvidenceCode.DATA_EVENTS_OFF
    reads = known.access_level in READ_LEVELS or service_of(action) in {"kms", "sts"}
    return EvidenceCode.READS_NOT_RECORDED if reads and not shows_reads(days) else None


def by_what_iam_saw(
    action: str, days: dict[date, DaySeen], start: datetime, report: LastAccessed
) -> EvidenceCode | None:
    everywhere = {region for seen in days.values() for region in seen.regions}
    missed = False
    for service, access in report.attempts():
        if access.at is None or access.at < start:
            continue
        around = [days[day] for offset in (-1, 0, 1) if (day := access.at.date() + timedelta(days=offset)) in days]
        regions = {region for seen in around for region in seen.regions} if around else everywhere
        if access.region is not None and access.region not in regions:
            return EvidenceCode.REGION_NOT_SEEN
        missed = missed or (not around and service == service_of(action))
    return EvidenceCode.DAY_NOT_SEEN if missed else None


def records_data(service: str, days: dict[date, DaySeen], window: Window) -> bool:
    whole = {day: seen for day, seen in days.items() if day < window.end.date()} or days
    return all(service in seen.data_events and TRAIL_FEED in seen.feeds for seen in whole.values())


def shows_reads(days: dict[date, DaySeen]) -> bool:
    letters = "".join("r" if days[day].reads else "-" for day in sorted(days))
    return "r" in letters and "-" * MAX_DAYS_WITHOUT_READS not in letters


def tried(access: LastAccess, start: datetime) -> bool:
    return access.at is not None and access.at >= start


def service_of(action: str) -> str:
    return action.partition(":")[0]
