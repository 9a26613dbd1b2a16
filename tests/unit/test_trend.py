"""Trends: whatever order readings come in, and however often, a day has one point."""

from datetime import date, timedelta
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.trend import Reading, TrendPoint
from tests.builders import NOW, a_score

READINGS = st.builds(
    Reading,
    at=st.integers(0, 600).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    pci=st.integers(0, 400).map(lambda quarter: quarter / 4),
    granted=st.integers(0, 3),
    unused=st.integers(0, 3),
)


def joined(readings: list[Reading]) -> TrendPoint:
    return reduce(TrendPoint.joined, map(TrendPoint.of, readings))


@given(st.lists(READINGS, min_size=1, max_size=8), st.data())
@settings(deadline=None)
def test_order_and_repetition_of_readings_change_nothing(readings: list[Reading], data: st.DataObject) -> None:
    others = data.draw(st.permutations(readings + data.draw(st.lists(st.sampled_from(readings), max_size=3))))
    assert joined(others) == joined(readings)


@given(st.lists(READINGS, min_size=2, max_size=8), st.integers(1, 7))
@settings(deadline=None)
def test_points_that_were_joined_before_join_to_the_same(readings: list[Reading], split: int) -> None:
    split = min(split, len(readings) - 1)
    assert joined(readings[:split]).joined(joined(readings[split:])) == joined(readings)


@given(st.lists(READINGS, min_size=1, max_size=8))
@settings(deadline=None)
def test_a_point_holds_the_first_the_highest_and_the_last(readings: list[Reading]) -> None:
    point = joined(readings)
    assert point.first.at == min(reading.at for reading in readings)
    assert point.last.at == max(reading.at for reading in readings)
    assert point.highest == max(reading.pci for reading in readings)
    assert {point.first, point.last} <= set(readings)


def test_a_late_reading_of_an_earlier_time_is_not_the_last() -> None:
    last = Reading.of(a_score(20, scored_at=NOW + timedelta(hours=2)))
    late = Reading.of(a_score(90, scored_at=NOW))
    point = TrendPoint.of(last).joined(TrendPoint.of(late))
    assert (point.first, point.highest, point.last) == (late, 90, last)


def test_a_day_is_one_of_utc() -> None:
    east = NOW.replace(hour=23).astimezone(tz=None)
    assert TrendPoint.of(Reading(at=east, pci=1, granted=1, unused=1)).day == date(2026, 3, 1)


def test_points_of_two_days_are_not_joined() -> None:
    one, other = (TrendPoint.of(Reading.of(a_score(scored_at=NOW + timedelta(days=days)))) for days in (0, 1))
    with pytest.raises(ValueError, match="2026-03-01 and 2026-03-02"):
        one.joined(other)
