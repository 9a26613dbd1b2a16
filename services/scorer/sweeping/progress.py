"""How a sweep begins, goes on, pauses and ends: what follows on what is stored of it. Pure."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.model.sweep import SweepProgress

MAX_REASONS = 20  # failures that are kept with their reason; of all others the id alone, for the item has 400 KB
MAX_REASON = 200  # characters
PATIENCE = 3  # invocations that may fail at one page; then whoever fails is passed over, until the sweep ends
LEASE_MARGIN = timedelta(seconds=30)  # beyond the time that an invocation has left
UNKNOWN_INTERVAL = timedelta(days=1)  # between sweeps, of a schedule that is no simple rate
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


class Beginning(StrEnum):
    """How an invocation begins."""

    AFRESH = "afresh"
    RESUMED = "resumed"
    BUSY = "busy"  # somebody is at work on this sweep
    DONE = "done"  # what was to be gone on with has ended, or another sweep has begun


class Begun(NamedTuple):
    """The decision, and the progress to store before anything is done; None where nothing is to be done."""

    beginning: Beginning
    progress: SweepProgress | None


def begin(
    previous: SweepProgress | None,
    *,
    account_id: str,
    now: datetime,
    lease: timedelta,
    interval: timedelta,
    paused: datetime | None = None,
) -> Begun:
    """Decide what an invocation does; `paused` is the start of the sweep that it was asked to go on with, if it was.

    A sweep that did not end is resumed, unless it began more than two intervals ago: its start would be too old.
    """
    if previous is not None and previous.is_leased(now):
        return Begun(Beginning.BUSY, None)
    unfinished = previous is not None and previous.finished_at is None
    if paused is not None and not (previous is not None and unfinished and previous.started_at == paused):
        return Begun(Beginning.DONE, None)
    lease_until = now + lease + LEASE_MARGIN
    if previous is not None and unfinished and (paused is not None or now - previous.started_at <= 2 * interval):
        changes = {"lease_until": lease_until, "attempts": previous.attempts + 1}
        return Begun(Beginning.RESUMED, previous.model_copy(update=changes))
    version = previous.version if previous is not None else 0
    fresh = SweepProgress(account_id=account_id, started_at=now, version=version, attempts=1, lease_until=lease_until)
    return Begun(Beginning.AFRESH, fresh)


def is_patient(progress: SweepProgress) -> bool:
    """Whether an invocation ends where AWS fails at one identity, so that another tries again."""
    return progress.attempts <= PATIENCE


def after_page(progress: SweepProgress, *, marker: str | None, identities: int, seconds: float) -> SweepProgress:
    """The progress once a page of the listing is done; `marker` is where the next one begins."""
    return moved_on(progress).model_copy(
        update={
            "marker": marker,
            "listed": marker is None,
            "pages": progress.pages + 1,
            "identities": progress.identities + identities,
            "seconds": progress.seconds + seconds,
        }
    )


def moved_on(progress: SweepProgress) -> SweepProgress:
    """The progress where it is no more where this invocation began. Patience that has ended does not come back."""
    return progress.model_copy(update={"attempts": 1}) if is_patient(progress) else progress


def with_failure(progress: SweepProgress, identity_id: str, reason: str) -> SweepProgress:
    """The progress with an identity that could not be scored; one that is named already counts once."""
    if identity_id in progress.failed:
        return progress
    kept = reason[:MAX_REASON] if progress.failures < MAX_REASONS else ""
    return progress.model_copy(update={"failed": {**progress.failed, identity_id: kept}})


def with_success(progress: SweepProgress, identity_id: str, *, news: bool) -> SweepProgress:
    """The progress with an identity that could be scored, maybe after it had failed at first."""
    failed = progress.failed
    if identity_id in failed:
        failed = {other: reason for other, reason in failed.items() if other != identity_id}
    return progress.model_copy(update={"failed": failed, "found": progress.found + news})


def listing_afresh(progress: SweepProgress) -> SweepProgress:
    """The same sweep at the start of the listing again: what it has scored since it began stays scored."""
    changes = {"marker": None, "listed": False, "pages": 0, "identities": 0}
    return moved_on(progress).model_copy(update=changes)


def released(progress: SweepProgress) -> SweepProgress:
    """The same, with nobody at work on it."""
    return progress.model_copy(update={"lease_until": None})


def finished(progress: SweepProgress, *, now: datetime, seconds: float, request_id: str = "") -> SweepProgress:
    """The end of a sweep."""
    changes = {"finished_at": now, "finished_by": request_id, "seconds": progress.seconds + seconds}
    return released(progress).model_copy(update=changes)


def ended_with_failures(previous: SweepProgress | None, request_id: str) -> bool:
    """Whether this very request ended a sweep with failures before: asking again, as Lambda does, can't help."""
    if previous is None or previous.finished_at is None or not request_id:
        return False
    return previous.failures > 0 and previous.finished_by == request_id


def interval_of(schedule: str) -> timedelta:
    """Time between two sweeps by an EventBridge schedule; a day for `cron(…)`, which may say anything.

    >>> interval_of("rate(6 hours)")
    datetime.timedelta(seconds=21600)
    """
    match = _RATE.fullmatch(schedule.strip())
    if match is None:
        return UNKNOWN_INTERVAL
    return timedelta(**{f"{match[2]}s": int(match[1])})
