"""Trends on DynamoDB: a point a day whatever the order of deliveries, read by a range of days."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from shared.aws.dynamodb import Table
from shared.aws.score_trend import ScoreTrend
from shared.errors import ConflictError
from shared.model.trend import Reading, TrendPoint
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT
from tests.conftest import Stack, in_threads


def reading(hours: float, pci: float = 50.5) -> Reading:
    return Reading(at=NOW + timedelta(hours=hours), pci=pci, granted=200, unused=100)


@pytest.fixture
def trend(aws: Stack) -> ScoreTrend:
    return ScoreTrend(aws.table(aws.scores_table), retention_days=400)


def days(trend: ScoreTrend, first: int, last: int, identity_id: str | None = None) -> list[TrendPoint]:
    start = NOW.date()
    since, until = start + timedelta(days=first), start + timedelta(days=last)
    return list(trend.points(ACCOUNT, since=since, until=until, identity_id=identity_id))


def test_a_range_of_days_is_read_in_order_both_ends_included(trend: ScoreTrend) -> None:
    for day in (7, 2, 9, 4, 0, 5, 3, 8, 1, 6):
        trend.add(ACCOUNT, reading(24 * day, pci=day))
    assert [point.last.pci for point in days(trend, 2, 5)] == [2, 3, 4, 5]
    assert days(trend, 10, 20) == []
    assert [point.day for point in days(trend, -5, 0)] == [date(2026, 3, 1)]


def test_a_trend_is_nobody_elses(trend: ScoreTrend) -> None:
    trend.add(ACCOUNT, reading(0, 1))
    trend.add(ACCOUNT, reading(0, 2), identity_id=ANA.identity_id)
    trend.add(ACCOUNT, reading(0, 3), identity_id=DEPLOYER.identity_id)
    trend.add(OTHER_ACCOUNT, reading(0, 4))
    found = [days(trend, 0, 0, identity_id) for identity_id in (None, ANA.identity_id, DEPLOYER.identity_id)]
    assert [[point.last.pci for point in points] for points in found] == [[1], [2], [3]]


def test_a_late_score_of_an_earlier_time_does_not_become_the_last(trend: ScoreTrend) -> None:
    for hours, pci in ((5, 30.0), (1, 90.0), (3, 60.0), (5, 30.0)):
        trend.add(ACCOUNT, reading(hours, pci))
    [point] = days(trend, 0, 0)
    assert (point.first, point.highest, point.last) == (reading(1, 90.0), 90.0, reading(5, 30.0))


def test_what_says_nothing_new_is_not_written(aws: Stack, trend: ScoreTrend) -> None:
    for _ in range(3):
        trend.add(ACCOUNT, reading(1))
    trend.add(ACCOUNT, reading(2))
    item = aws.table(aws.scores_table).get(f"TREND#{ACCOUNT}#ACCOUNT", "2026-03-01")
    assert item is not None
    assert item["write_version"] == 2
    assert item["expires_at"] == int((datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=400)).timestamp())


def test_writers_at_the_same_time_lose_nothing(trend: ScoreTrend, atomic_calls: None) -> None:
    readings = [reading(number / 10, pci=90 - number) for number in range(4)]
    in_threads(*(partial(trend.add, ACCOUNT, one) for one in readings))
    [point] = days(trend, 0, 0)
    assert (point.first, point.highest, point.last) == (readings[0], 90, readings[3])


def test_a_writer_who_always_loses_says_so(trend: ScoreTrend, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(self: Table, item: object, **options: object) -> None:
        raise ConflictError("somebody else was first")

    monkeypatch.setattr(Table, "put", lose)
    with pytest.raises(ConflictError, match=r"TREND#.*2026-03-01: other writers won"):
        trend.add(ACCOUNT, reading(0))
