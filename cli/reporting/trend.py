"""A trend as a line in a drawing whose corners are (0, 0) and (100, 100). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.reporting.model import TrendValue

FEWEST = 2  # days that make a line


@dataclass(frozen=True, slots=True)
class Trend:
    """The line, its ends, and what it says in words."""

    points: str  # as SVG's polyline has them; PCI 100 is at the top
    first: TrendValue
    last: TrendValue
    lowest: float
    highest: float


def trend_of(values: Sequence[TrendValue]) -> Trend | None:
    """The line through the days, gaps bridged; None where there are too few days for one."""
    ordered = sorted(values, key=lambda one: one.day)
    if len({one.day for one in ordered}) < FEWEST:
        return None
    first, last = ordered[0], ordered[-1]
    days = (last.day - first.day).days
    points = (f"{100 * (one.day - first.day).days / days:.2f},{100 - one.pci:.2f}" for one in ordered)
    return Trend(" ".join(points), first, last, min(one.pci for one in ordered), max(one.pci for one in ordered))
