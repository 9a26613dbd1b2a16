"""Whether what is known of an identity is enough to take anything away from it (safety.md F62-F64). Pure."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

from services.remediator.deriving.inputs import Options
from services.remediator.deriving.refusals import NoPlanError
from shared.model.identity import IdentityDetail
from shared.model.plan import ReasonCode
from shared.model.usage import Coverage, Usage


def check_evidence(detail: IdentityDetail, usage: Usage, options: Options, *, now: datetime) -> tuple[str, ...]:
    """Refuse where the evidence is too young, too thin, or has holes; hand back what a person should know of it.

    Raises NoPlanError (TOO_YOUNG, TOO_LITTLE_EVIDENCE, STALE_EVIDENCE).
    """
    if now - detail.created_at < timedelta(days=options.grace_days):
        message = f"it was created on {detail.created_at:%Y-%m-%d}, less than {options.grace_days} days ago"
        raise NoPlanError(ReasonCode.TOO_YOUNG, message)
    since = _known_since(detail, usage)
    days = sum(day >= since for day in usage.coverage.days)
    if days < options.min_observed_days:
        message = f"it was observed on {days} days, {options.min_observed_days} are needed"
        raise NoPlanError(ReasonCode.TOO_LITTLE_EVIDENCE, message)
    return tuple(_holes(since, usage, options, now.date()))


def days_seen(coverage: Coverage, window_days: int, now: datetime) -> int:
    """How many of the window's days (UTC) have records, today's included."""
    first = now.date() - timedelta(days=window_days - 1)
    return sum(first <= day <= now.date() for day in coverage.days)


def _known_since(detail: IdentityDetail, usage: Usage) -> date:
    """Since when the trail could show what it does: its creation, unless records from before it are replayed."""
    spans = (span for entry in usage.entries.values() for span in entry.spans.values())
    return date.min if any(span.first < detail.created_at for span in spans) else detail.created_at.date()


def _holes(since: date, usage: Usage, options: Options, today: date) -> Iterator[str]:
    """Refuse where the trail stopped, or was away for long, or note it: what was used meanwhile is unknown."""
    start = max(since, today - timedelta(days=options.window_days))
    days = [*sorted(day for day in usage.coverage.days if start <= day <= today), today]
    gaps = [(after - before).days for before, after in pairwise(days)]
    found = (
        (gaps[-1:], options.max_silent_days, 2, "the trail was last seen {} days ago, more than {}"),
        (gaps, options.max_gap_days, 7, "the trail was not seen for {} days, more than {}"),
    )
    for lengths, most, usual, text in found:
        longest = max(lengths, default=0)
        if most is not None and longest > most:
            raise NoPlanError(ReasonCode.STALE_EVIDENCE, text.format(longest, most))
        if most is None and longest > usual:
            yield text.format(longest, usual)
    if not usage.coverage.days:
        yield "no trail was seen at all"
