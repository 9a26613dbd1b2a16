"""A trend as lines in a drawing whose corners are (0, 0) and (100, 100). Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cli.reporting.model import TrendValue

FEWEST = 2  # days that make a trend
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Trend:
    """Its lines, its ends, and what it says in words."""

    lines: tuple[str, ...]  # a run of days each, as SVG's polyline has it; PCI 100 is at the top
    missing: int  # days between the first and the last that have no score
    first: TrendValue
    last: TrendValue
    lowest: float
    highest: float


def trend_of(values: Sequence[TrendValue]) -> Trend | None:
    """A line through each run of days, since nobody knows what was between; None where there are too few days."""
    ordered = sorted(values, key=lambda one: one.day)
    known = len({one.day for one in ordered})
    if known < FEWEST:
        return None
    first, last = ordered[0], ordered[-1]
    days = (last.day - first.day).days

    def line(run: Sequence[TrendValue]) -> str:
        points = [f"{100 * (one.day - first.day).days / days:.2f},{100 - one.pci:.2f}" for one in run]
        return " ".join(points if len(points) > 1 else points * 2)  # a line to itself is drawn as a dot

    pcis = [one.pci for one in ordered]
    lines = tuple(map(line, _runs(ordered)))
    return Trend(lines, days + 1 - known, first, last, min(pcis), max(pcis))


def _runs(ordered: Sequence[TrendValue]) -> Iterator[list[TrendValue]]:
    """Values of days that follow each other."""
    run: list[TrendValue] = []
    for one in ordered:
        if run and one.day - run[-1].day > DAY:
            yield run
            run = []
        run.append(one)
    yield run
