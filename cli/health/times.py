"""Times as people say them, and schedules as EventBridge writes them. Pure."""

from datetime import timedelta

from services.scorer.sweeping.progress import interval_of

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def told(span: timedelta) -> str:
    """A span in its largest unit.

    >>> told(timedelta(hours=49)), told(timedelta(minutes=61)), told(timedelta(seconds=5))
    ('2 days', '1 hour', 'less than a minute')
    """
    seconds = max(0, int(span.total_seconds()))
    for unit, name in _UNITS:
        if seconds >= unit:
            count = seconds // unit
            return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"
    return "less than a minute"


def overdue_after(schedule: str) -> timedelta:
    """How long after the last run one is overdue: two intervals, and a quarter of an hour for the run itself.

    >>> overdue_after("rate(1 hour)")
    datetime.timedelta(seconds=8100)
    """
    return 2 * interval_of(schedule) + timedelta(minutes=15)
