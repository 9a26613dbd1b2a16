"""Records that claim to come from the future: what they tell would outlive every window, so it isn't recorded. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.scorer.trail.record import Record

MAX_AHEAD = timedelta(days=1)  # no clock is as wrong as that
AHEAD = f"eventTime: more than {MAX_AHEAD.days} day in the future"


class Dated(NamedTuple):
    """Records that can have happened, and how many can't have."""

    records: Sequence[Record]
    ahead: int


def dated(records: Sequence[Record], now: datetime) -> Dated:
    """Leave out records whose time lies more than MAX_AHEAD after `now`."""
    latest = now + MAX_AHEAD
    happened = [record for record in records if record.event_time <= latest]
    return Dated(happened, len(records) - len(happened))
