"""`leastwise backfill`: months of a trail's log files into the deployed ledger, from S3 or through Athena.

What the command needs is imported when it runs, so that other commands start fast.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import printable, put_json
from cli.stack_options import PROFILE, REGION, STACK
from shared.errors import DependencyError, InputError

if TYPE_CHECKING:
    from cli.backfilling.outcome import Outcome
    from cli.backfilling.request import Request

TOLD = 10  # unreadable places and failed objects on standard error; the JSON tells more of them
INTERRUPTED = 130


class Via(StrEnum):
    """How log files are read."""

    S3 = "s3"
    ATHENA = "athena"


def day_of(text: str) -> date:
    """Read a day such as 2026-05-31."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a day is written as 2026-05-31") from None


BUCKET = typer.Option("--bucket", help="Bucket of the trail's log files.", show_default=False)
PREFIX = typer.Option("--prefix", help="The trail's own prefix: what comes before AWSLogs/ (default: none).")
ORGANIZATION = typer.Option("--organization-id", help="For an organization's trail: o-…", show_default=False)
ACCOUNTS = typer.Option("--accounts", help="Only these accounts: ids with commas between, or repeated.")
REGIONS = typer.Option("--regions", help="Only calls in these regions: names with commas between, or repeated.")
SINCE = typer.Option("--since", metavar="DAY", parser=day_of, help="First day of delivery (UTC).", show_default=False)
UNTIL = typer.Option("--until", metavar="DAY", parser=day_of, help="Last day, this one included (default: today).")
VIA = typer.Option("--via", help="s3 reads every file here; athena lets Athena add them up.")
TABLE = typer.Option("--table", help="Table of the ledger, instead of the stack's.", show_default=False)
RETENTION = typer.Option("--retention-days", min=1, max=3_650, help="With --table: how long it keeps a use.")
WORKGROUP = typer.Option("--workgroup", help="Athena's workgroup.")
OUTPUT = typer.Option("--output-location", help="Where Athena writes results, s3://…/ (default: the workgroup's).")
DATABASE = typer.Option("--database", help="Athena's database for the table over the log files.")
THREADS = typer.Option("--threads", min=1, max=64, help="Objects that are read at the same time.")
DRY_RUN = typer.Option("--dry-run", help="Read everything, write nothing to the ledger, tell what would be written.")
JSON = typer.Option("--json", help="JSON on standard output.")


def backfill(
    *,
    bucket: Annotated[str, BUCKET],
    since: Annotated[date, SINCE],
    until: Annotated[date | None, UNTIL] = None,
    prefix: Annotated[str, PREFIX] = "",
    organization_id: Annotated[str | None, ORGANIZATION] = None,
    accounts: Annotated[list[str] | None, ACCOUNTS] = None,
    regions: Annotated[list[str] | None, REGIONS] = None,
    via: Annotated[Via, VIA] = Via.S3,
    stack_name: Annotated[str | None, STACK] = None,
    table: Annotated[str | None, TABLE] = None,
    retention_days: Annotated[int, RETENTION] = 400,
    workgroup: Annotated[str, WORKGROUP] = "primary",
    output_location: Annotated[str | None, OUTPUT] = None,
    database: Annotated[str, DATABASE] = "leastwise",
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    threads: Annotated[int, THREADS] = 8,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Read past months of a trail into the usage ledger; may be stopped and repeated at any time."""
    from cli.backfilling.outcome import Outcome  # noqa: PLC0415 only this command needs these
    from cli.backfilling.request import AthenaOptions, Request, run_backfill  # noqa: PLC0415
    from services.scorer.backfill.layout import TrailLayout  # noqa: PLC0415
    from shared.aws.backfill_session import BackfillSession, LedgerPlace  # noqa: PLC0415

    now = datetime.now(UTC)
    today = now.date()
    layout = TrailLayout(bucket, prefix.strip("/"), organization_id)
    session = BackfillSession(region=region, profile=profile)
    ledger = LedgerPlace(table, retention_days) if table else None if dry_run else session.ledger_of(stack_name)
    if ledger and since < today - timedelta(days=ledger.retention_days):
        raise InputError(f"--since: the ledger keeps {ledger.retention_days} days, so nothing of {since} would stay")
    request = Request(
        layout=layout,
        accounts=_listed(accounts),
        regions=_listed(regions),
        since=since,
        until=min(until or today, today),
        threads=threads,
        athena=AthenaOptions(workgroup, output_location, database) if via is Via.ATHENA else None,
        now=now,
    )
    outcome = Outcome(dry_run)
    try:
        run_backfill(request, session, None if dry_run else ledger, outcome)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        _say_where_to_go_on(request, outcome)
    _answer(request, outcome, as_json=as_json)


def _listed(texts: list[str] | None) -> tuple[str, ...]:
    """Values of an option that may be repeated, and may hold several."""
    return tuple(part.strip() for text in texts or () for part in text.split(",") if part.strip())


def _say_where_to_go_on(request: "Request", outcome: "Outcome") -> None:
    """Tell the next run's --since, where this one did not come to its end."""
    if outcome.finished and outcome.finished != request.until:
        _say(f"finished up to {outcome.finished}: go on with --since {outcome.finished + timedelta(days=1)}")


def _answer(request: "Request", outcome: "Outcome", *, as_json: bool) -> None:
    answer = outcome.answer(
        via=(Via.ATHENA if request.athena else Via.S3).value,
        since=request.since.isoformat(),
        until=request.until.isoformat(),
    )
    if as_json:
        put_json(answer)
    else:
        sys.stdout.write(_for_people(answer))
    for place in outcome.listed[:TOLD]:
        _say(f"{place['key']}, position {place['position']}: {place['reason']}")
    if outcome.unreadable > TOLD:
        _say(f"{outcome.unreadable:,} places or records could not be read")
    for failure in outcome.failed[:TOLD]:
        _say(f"{failure['key']}: {failure['reason']}")
    for refused in outcome.not_stored[:TOLD]:
        _say(f"not stored: {refused['reason']}")
    if outcome.partial:
        _say(f"no day counts as seen of {_listing(outcome.partial)}: --regions leaves out regions that have log files")
    if outcome.failed:
        raise DependencyError(f"{len(outcome.failed):,} objects could not be read; everything else is done")
    if outcome.not_stored:
        raise InputError(f"{len(outcome.not_stored):,} uses or days could not be stored; everything else is done")


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - TOLD:,} more accounts" if len(names) > TOLD else ""
    return f"{', '.join(names[:TOLD])}{more}"


def _for_people(answer: Mapping[str, Any]) -> str:
    ledger = answer["ledger"]
    told = f"{ledger['entries']:,} entries and {ledger['days']:,} days of coverage"
    wrote = f"dry run: the ledger would be told {told}" if answer["dry_run"] else f"{ledger['writes']:,} ledger writes"
    source = "Athena scanned" if answer["via"] == Via.ATHENA else f"{answer['objects']:,} log files,"
    lines = [
        f"{answer['since']} to {answer['until']}: {source} {answer['bytes']:,} bytes",
        f"{answer['records']:,} records of {answer['identities']:,} identities; {wrote}",
        *(f"  skipped, {reason}: {count:,}" for reason, count in answer["skipped"].items()),
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def _say(text: str) -> None:
    sys.stderr.write(f"leastwise: {printable(text)}\n")
