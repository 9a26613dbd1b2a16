"""A clock that only moves when somebody sleeps or a test turns it: hours of waiting cost nothing and repeat exactly."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


class VirtualClock:
    """Tells the same time to everybody: wall clock, monotonic clock and sleep in one."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start
        self._slept = 0.0

    def __call__(self) -> datetime:
        """The time (UTC)."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self._slept += seconds

    def monotonic(self) -> float:
        """Seconds that passed; a clock that is set has no part in them."""
        return self._slept

    def time(self) -> float:
        """Seconds since 1970."""
        return self.now.timestamp()

    def jump(self, by: timedelta) -> None:
        """Set the clock, forward or back, as a wrong time server does."""
        self.now += by
