"""How many messages of five minutes are sent at once; the others wait for a digest. Pure."""

from datetime import UTC, datetime, timedelta

from shared.model.notification import Severity

WINDOW = timedelta(minutes=5)
CRITICAL_BURST = 20  # a window's critical messages that are sent at once, whatever else there is
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_of(now: datetime, severity: Severity) -> str:
    """Name of the counter that a message sent now counts in; critical ones have one of their own."""
    start = EPOCH + (now - EPOCH) // WINDOW * WINDOW
    kind = "critical" if severity is Severity.CRITICAL else "other"
    return f"{start:%Y-%m-%dT%H:%MZ}#{kind}"


def limit_of(severity: Severity, burst: int) -> int:
    """How many messages of this severity a window takes; `burst` is the limit of those that are not critical."""
    return CRITICAL_BURST if severity is Severity.CRITICAL else burst
