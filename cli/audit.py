"""`leastwise audit`: the audit trail of the deployed system, read, verified, and the scores over time.

What a command needs is imported when it runs, so that other commands start fast.
"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.answers import FINDING, printable, put_json
from cli.asking import Place
from cli.auditing.choices import type_of, types_like, verdict_of, verdicts_like
from cli.auditing.times import range_of
from cli.stack_options import PROFILE, REGION, STACK

audit = typer.Typer(no_args_is_help=True, help="The audit trail of the deployed system, and how scores developed.")

IDENTITY = typer.Option(
    "--identity",
    metavar="ARN|ID|NAME",
    help="Only this identity; somebody who is gone by the unique id or the last name.",
    show_default=False,
)
SINCE = typer.Option(
    "--since", metavar="TIME", help="From this day or time (UTC) on, or so long ago: 12h, 7d.", show_default=False
)
UNTIL = typer.Option(
    "--until", metavar="TIME", help="Up to the end of this day, or before this time (UTC).", show_default=False
)
SPAN = typer.Option("--since", metavar="TIME", help="From this day or time (UTC) on, or so long ago.")
TYPE = typer.Option(
    "--type",
    metavar="EVENT",
    help="Only events of this type, such as PolicyApplied; may be repeated.",
    parser=type_of,
    autocompletion=types_like,
    show_default=False,
)
PLAN = typer.Option("--plan", metavar="PLAN_ID", help="Only what tells of this plan.", show_default=False)
COMPLIANCE = typer.Option(
    "--compliance",
    metavar="VERDICT",
    help="Only verdicts of this kind, such as NON_COMPLIANT.",
    parser=verdict_of,
    autocompletion=verdicts_like,
    show_default=False,
)
OLDEST_FIRST = typer.Option("--oldest-first", help="The oldest entry first (default: the newest).")
LIMIT = typer.Option("--limit", min=1, max=1_000_000, help="At most so many entries.")
TOKEN = typer.Option(
    "--page-token", metavar="TOKEN", help="Go on where a query ended that gave this as `next`.", show_default=False
)
JSON = typer.Option("--json", help="JSON on standard output.")
CSV = typer.Option("--csv", help="CSV on standard output.")
ENTRY = typer.Argument(
    metavar="EVENT_ID|CHAIN#NUMBER", help="An entry, as the other commands name it.", show_default=False
)


@audit.command()
def query(
    identity: Annotated[str | None, IDENTITY] = None,
    event_type: Annotated[list[str] | None, TYPE] = None,
    plan: Annotated[str | None, PLAN] = None,
    compliance: Annotated[str | None, COMPLIANCE] = None,
    *,
    since: Annotated[str | None, SINCE] = None,
    until: Annotated[str | None, UNTIL] = None,
    oldest_first: Annotated[bool, OLDEST_FIRST] = False,
    limit: Annotated[int, LIMIT] = 100,
    page_token: Annotated[str | None, TOKEN] = None,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_csv: Annotated[bool, CSV] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List entries of the audit trail that fit all options, the newest first."""
    _refuse_both(as_json=as_json, as_csv=as_csv)
    times = range_of(since, until, now=datetime.now(UTC))
    from cli.auditing import entry_output  # noqa: PLC0415 see above
    from cli.auditing.pages import Page, Wanted  # noqa: PLC0415
    from cli.auditing.whom import whom  # noqa: PLC0415
    from shared.model.plan import Compliance  # noqa: PLC0415

    account = Place(stack_name, region, profile).account
    wanted = Wanted(
        account_id=account.stack.account_id,
        identity_id=whom(identity, account).identity_id if identity else None,
        plan_id=plan,
        types=tuple(dict.fromkeys(event_type or ())),
        compliance=Compliance(compliance) if compliance else None,
        since=times.since,
        until=times.until,
        newest_first=not oldest_first,
    )
    page = Page(account.audit, wanted, limit, page_token)
    if as_json:
        entry_output.put_json(page)
    elif as_csv:
        entry_output.put_csv(page)
    else:
        entry_output.put_table(page)
    if page.gave_up:
        _say(f"stopped after {page.read:,} entries of which few fit: name a plan, an identity or a shorter time")
    if page.token and not as_json:
        _say(f"there are more: the same command with --page-token {page.token}")


@audit.command()
def show(
    entry: Annotated[str, ENTRY],
    *,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Show one entry of the audit trail whole, with the event as it was told."""
    from cli.auditing.one_entry import found, put_entry  # noqa: PLC0415 see above

    one = found(entry, Place(stack_name, region, profile).account)
    if as_json:
        put_json(one.model_dump(mode="json"))
    else:
        put_entry(one)


@audit.command()
def verify(
    identity: Annotated[str | None, IDENTITY] = None,
    *,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Recompute the audit trail against its anchors and name what is wrong first; exit code 1 where anything is."""
    from cli.auditing.looking import counted_aloud  # noqa: PLC0415 see above
    from cli.auditing.verification import verify as verified  # noqa: PLC0415
    from cli.auditing.verification_answer import answer_of, sentences  # noqa: PLC0415

    account = Place(stack_name, region, profile).account
    with counted_aloud("verifying") as step:
        found = verified(account, identity, now=datetime.now(UTC), step=step)
    if as_json:
        put_json(answer_of(found))
    else:
        for sentence in sentences(found):
            sys.stdout.write(f"{printable(sentence)}\n")
    if not found.whole:
        raise typer.Exit(FINDING)


@audit.command()
def trend(
    identity: Annotated[str | None, IDENTITY] = None,
    since: Annotated[str, SPAN] = "90d",
    until: Annotated[str | None, UNTIL] = None,
    *,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_csv: Annotated[bool, CSV] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Show how the PCI of the account, or of an identity, developed: a value a day."""
    _refuse_both(as_json=as_json, as_csv=as_csv)
    now = datetime.now(UTC)
    times = range_of(since, until, now=now)
    from cli.auditing import trend_output  # noqa: PLC0415 see above
    from cli.auditing.trends import trend_of  # noqa: PLC0415

    found = trend_of(Place(stack_name, region, profile).account, identity, times, now=now)
    if as_json:
        put_json(trend_output.answer_of(found))
    elif as_csv:
        trend_output.put_csv(found)
    else:
        trend_output.put_chart(found)


def _refuse_both(*, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other", param_hint="--csv")


def _say(text: str) -> None:
    sys.stderr.write(f"leastwise: {printable(text)}\n")
