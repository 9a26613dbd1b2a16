"""A trend of scores as JSON, as CSV, and as a chart with a sentence."""

import csv
import os
import sys
from typing import Any

from cli.answers import printable
from cli.auditing.trends import Trend
from cli.terminal import console

WIDEST = 110  # columns of a chart: more show no more
COLUMNS = ("day", "pci", "first", "highest", "granted", "unused")
FEWEST = 2  # days that make a chart


def answer_of(trend: Trend) -> dict[str, Any]:
    """The trend as JSON values."""
    return {
        "account_id": trend.account_id,
        "identity": trend.whom and {"id": trend.whom.identity_id, "arn": trend.whom.arn},
        "since": trend.since.isoformat(),
        "until": trend.until.isoformat(),
        "limit": trend.limit and {"pci": trend.limit.pci, "name": trend.limit.name},
        "missing_days": trend.missing_days,
        "points": [dict(zip(COLUMNS, row, strict=True)) for row in _rows(trend)],
    }


def put_csv(trend: Trend) -> None:
    """Write a row for each day below a row of names."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(trend))


def put_chart(trend: Trend) -> None:
    """Print the chart where there are days enough for one, and what it shows in words."""
    if len(trend.points) >= FEWEST:
        from cli.auditing.chart import chart_of  # noqa: PLC0415 it takes a while to load

        in_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        width = min(console().width, WIDEST)
        chart = chart_of(trend, width, encoding=sys.stdout.encoding or "ascii", in_colour=in_colour)
        sys.stdout.write(f"{chart}\n\n")
    sys.stdout.write(f"{printable(sentence(trend))}\n")


def sentence(trend: Trend) -> str:
    """First, last and highest value, the limit, and days without one."""
    who = _name(trend)
    if not trend.points:
        return f"No scores of {who} are stored from {trend.since} to {trend.until}."
    first, last = trend.points[0], trend.points[-1]
    told = f"{who[0].upper()}{who[1:]}: PCI {last.last.pci:.0f} on {last.day}"
    if first is last:
        told += f", the only day with a score from {trend.since} to {trend.until}"
    else:
        told += f", was {first.last.pci:.0f} on {first.day}"
        highest = max(trend.points, key=lambda point: point.highest)
        told += f"; highest {highest.highest:.0f} on {highest.day}"
    if trend.limit:
        told += f"; the {trend.limit.name} is at {trend.limit.pci:g}"
    if days := trend.missing_days:
        told += f"; {days} {'day' if days == 1 else 'days'} between without a score"
    return f"{told}."


def _name(trend: Trend) -> str:
    if trend.whom is None:
        return f"account {trend.account_id}"
    return trend.whom.arn.split(":", 5)[-1] if trend.whom.arn else trend.whom.identity_id


def _rows(trend: Trend) -> list[tuple[Any, ...]]:
    return [
        (
            point.day.isoformat(),
            point.last.pci,
            point.first.pci,
            point.highest,
            point.last.granted,
            point.last.unused,
        )
        for point in trend.points
    ]
