"""`leastwise usage`: what every identity really did, told by local CloudTrail files.

What the command needs is imported when it runs, so that other commands start fast.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import typer

from cli.answers import UNREADABLE, printable, put_json

TOLD = 10  # unreadable places on standard error; the JSON tells more of them

Json = Mapping[str, Any]

CLOUDTRAIL = typer.Option(
    "--cloudtrail", metavar="PATH", help="Files or directories with CloudTrail records; - is standard input."
)
MORE = typer.Argument(metavar="PATH", help="Further ones.", show_default=False)
JSON = typer.Option("--json", help="JSON on standard output.")
JOBS = typer.Option("--jobs", min=0, max=256, help="Processes that share the files; 0 for one on each processor.")
STRICT = typer.Option("--strict", help="Exit code 2 where anything could not be read.")
IDENTITY = typer.Option(
    "--identity",
    metavar="ARN|ID",
    help="Only this identity, with each of its actions; may be repeated.",
    show_default=False,
)
SINCE = typer.Option("--since", metavar="TIME", help="Only records from this day or time (UTC) on.", show_default=False)
UNTIL = typer.Option(
    "--until",
    metavar="TIME",
    help="Only records up to the end of this day, or before this time (UTC).",
    show_default=False,
)


def usage(
    paths: Annotated[list[str] | None, MORE] = None,
    cloudtrail: Annotated[list[str] | None, CLOUDTRAIL] = None,
    identity: Annotated[list[str] | None, IDENTITY] = None,
    *,
    since: Annotated[str | None, SINCE] = None,
    until: Annotated[str | None, UNTIL] = None,
    jobs: Annotated[int, JOBS] = 1,
    strict: Annotated[bool, STRICT] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Tell what every identity did, by CloudTrail records in local files."""
    from cli.reading_trails.files import find_trails  # noqa: PLC0415
    from cli.reading_trails.reading import Window  # noqa: PLC0415 only this command needs these
    from cli.reading_trails.shares import read_all  # noqa: PLC0415
    from cli.usage_answer import answer_of  # noqa: PLC0415
    from shared.reference import load_operations  # noqa: PLC0415

    named = [*(cloudtrail or ()), *(paths or ())]
    if not named:
        raise typer.BadParameter("give at least one file or directory", param_hint="--cloudtrail")
    window = Window(moment_of(since), moment_of(until, end_of_day=True))
    if window.since and window.until and window.since >= window.until:
        raise typer.BadParameter("nothing lies before --until and after --since")
    trails = find_trails(named)
    totals = read_all(trails.files, jobs or processors(), load_operations(), window)
    answer = answer_of(totals, trails, identity or ())
    if as_json:
        put_json(answer)
    else:
        from cli.usage_tables import show_usage  # noqa: PLC0415 only people need tables

        show_usage(answer, in_full=bool(identity))
    warnings = [*warnings_of(answer, named), *missing(answer, identity or ())]
    for warning in warnings:
        sys.stderr.write(f"leastwise: {printable(warning)}\n")
    if strict and warnings:
        raise typer.Exit(UNREADABLE)


def moment_of(text: str | None, *, end_of_day: bool = False) -> datetime | None:
    """Read a day or a time of ISO 8601, of UTC where it names no zone; a day stands for its beginning or its end."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        with suppress(ValueError):  # it is a time and no day
            moment = datetime.combine(date.fromisoformat(text) + timedelta(days=int(end_of_day)), time.min)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        raise typer.BadParameter(f"{text!r} is no day or time such as 2026-05-31 or 2026-05-31T12:00:00Z") from None


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warnings_of(answer: Json, paths: Iterable[str]) -> Iterator[str]:
    """What somebody should know before relying on the answer."""
    if not answer["files"]["read"]:
        yield f"no CloudTrail files in {', '.join(paths)}"
    unreadable = answer["skipped"].get("unreadable", 0)
    for place in answer["unreadable"][:TOLD]:
        yield f"{place['file']}, position {place['position']}: {place['reason']}"
    if unreadable > TOLD:
        yield f"{unreadable - TOLD:,} more places could not be read"


def missing(answer: Json, wanted: Iterable[str]) -> Iterator[str]:
    """Identities that were asked for and that no record tells of."""
    known = {name for identity in answer["identities"] for name in (identity["arn"], identity["id"])}
    for name in wanted:
        if name not in known:
            yield f"{name}: no record tells what it did"
