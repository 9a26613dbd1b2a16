"""How many changes may be begun without a person: by the hour, by share of the population, by what failed. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.model.spending import Spending

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
MAX_FAILURES_PER_HOUR = 3


class Limits(NamedTuple):
    """Changes in an hour, and the share in percent of those who are judged that may be changed in 24 hours."""

    per_hour: int
    percent_a_day: int


def over_limit(spending: Spending, limits: Limits, population: Callable[[], int], *, now: datetime) -> str:
    """Why no further change may be begun, or "". `population` counts those who are judged; it may cost calls.

    The share always lets one change a day through, or a small account would never be right-sized.
    """
    if (failed := spending.failed_within(HOUR, now)) >= MAX_FAILURES_PER_HOUR:
        return f"{failed} changes failed in the last hour: a person should look before more are begun"
    if (begun := spending.begun_within(HOUR, now)) >= limits.per_hour:
        return f"{begun} changes were begun in the last hour"
    today = spending.begun_within(DAY, now)
    if today and today >= max(1, population() * limits.percent_a_day // 100):
        return f"{today} changes were begun in 24 hours, {limits.percent_a_day} % of all identities may be changed"
    return ""
