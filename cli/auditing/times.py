"""Times as the audit commands take them: a day, a time, or how long ago. Pure."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

import typer

from cli.usage import moment_of

AGO = re.compile(r"([0-9]{1,6})(m|h|d|w)", re.ASCII)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
EXAMPLES = "2026-05-31, 2026-05-31T12:00:00Z or, for how long ago, 90m, 12h, 7d or 2w"


class Range(NamedTuple):
    """From `since` on and before `until`; None is no limit."""

    since: datetime | None = None
    until: datetime | None = None


def range_of(since: str | None, until: str | None, *, now: datetime) -> Range:
    """Read both ends; a day given as the end counts whole. Raises typer.BadParameter, for an empty range, too."""
    found = Range(_moment(since, now, "--since"), _moment(until, now, "--until", end_of_day=True))
    if found.since and found.until and found.since >= found.until:
        raise typer.BadParameter("nothing lies before --until and after --since", param_hint="--since")
    return found


def _moment(text: str | None, now: datetime, option: str, *, end_of_day: bool = False) -> datetime | None:
    try:
        if text and (ago := AGO.fullmatch(text)):
            return now - int(ago[1]) * UNITS[ago[2]]
        return moment_of(text, end_of_day=end_of_day)
    except (OverflowError, typer.BadParameter):
        raise typer.BadParameter(f"{text!r} is no time such as {EXAMPLES}", param_hint=option) from None
