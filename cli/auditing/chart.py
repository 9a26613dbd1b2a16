"""A trend as a chart of characters: a line from day to day that ends where days are missing, and the limit."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import plotext

from cli.auditing.trends import Trend
from shared.model.trend import TrendPoint

HEIGHT = 16  # rows
TICKS = (0.0, 25.0, 50.0, 75.0, 100.0)
NEAR = 8.0  # PCI by which two ticks differ at least, so that both can be read
DATE_COLUMNS = 20  # for each date below the chart
DAY = timedelta(days=1)
DOTS = "┈"
PLAIN = str.maketrans("─│┌┐└┘┤┬┼┴├┈", "-|++++++++|.")


def chart_of(trend: Trend, width: int, *, encoding: str, in_colour: bool) -> str:
    """The chart, `width` columns wide, in characters that the encoding has."""
    chart = _drawn(trend, width, marker="hd", in_colour=in_colour)
    try:
        chart.encode(encoding)
    except UnicodeEncodeError:
        return _drawn(trend, width, marker="*", in_colour=in_colour).translate(PLAIN)
    return chart


def _drawn(trend: Trend, width: int, *, marker: str, in_colour: bool) -> str:
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, HEIGHT)
    first, last = trend.points[0].day, trend.points[-1].day
    if trend.limit:  # a signal, since plotext's own lines are painted on white whatever the terminal's colour is
        ends, limit = [float(first.toordinal()), float(last.toordinal())], [trend.limit.pci] * 2
        figure.draw(figure.signal(ends, limit, marker=plotext.colorize(DOTS, "red")).lines())
    for days in segments(trend.points):
        xs, ys = [float(point.day.toordinal()) for point in days], [point.last.pci for point in days]
        figure.draw(figure.signal(xs, ys, marker=marker).lines())
    values, dates = figure.ruler("y", "left"), figure.ruler("x", "lower")
    values.lim(0, 100)
    marked = value_ticks(trend.limit.pci if trend.limit else None)
    values.ticks(marked, [f"{value:g}" for value in marked])
    dates.lim(first.toordinal(), last.toordinal())
    steps = max(1, min((last - first).days, width // DATE_COLUMNS - 1))
    shown = [first + (last - first) * step // steps for step in range(steps + 1)]
    dates.ticks([day.toordinal() for day in shown], [day.isoformat() for day in shown])
    drawn: str = figure.build().string(colorless=not in_colour)
    return "\n".join(line.rstrip() for line in drawn.splitlines())


def segments(points: tuple[TrendPoint, ...]) -> Iterator[list[TrendPoint]]:
    """Points in rows of days without a gap."""
    row = list(points[:1])
    for before, point in pairwise(points):
        if point.day - before.day > DAY:
            yield row
            row = []
        row.append(point)
    if row:
        yield row


def value_ticks(limit: float | None) -> list[float]:
    """What the axis names: quarters, and the limit in the place of one that is too near."""
    if limit is None:
        return list(TICKS)
    return sorted({limit, *(tick for tick in TICKS if abs(tick - limit) >= NEAR)})
