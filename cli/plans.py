"""`leastwise plans`: the plans of the deployed system.

What the command needs is imported when it runs, so that other commands start fast.
"""

from typing import Annotated

import typer

from cli.answers import put_json
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK
from cli.unreadable import Unreadable
from cli.usage import moment_of

STATES = ("PROPOSED", "APPLYING", "ROLLING_BACK", "APPLIED", "SKIPPED", "ROLLED_BACK", "QUARANTINED")


def state_of(text: str) -> str:
    """Read the name of a state, in letters of any case."""
    state = text.upper().replace("-", "_")
    if state not in STATES:
        raise typer.BadParameter(f"{text!r} is no state of plans, which are {', '.join(STATES)}")
    return state


def states_with(incomplete: str) -> list[str]:
    """The states that a shell may complete a word to, in the letters that it began with."""
    words = STATES if incomplete.isupper() else [state.lower().replace("_", "-") for state in STATES]
    return [word for word in words if word.startswith(incomplete)]


STATUS = typer.Option(
    "--status",
    help="Only plans in this state (PROPOSED, APPLIED, …); may be repeated (default: all states).",
    metavar="STATE",
    parser=state_of,
    autocompletion=states_with,
    show_default=False,
)
IDENTITY = typer.Option(
    "--identity", metavar="ARN|ID|NAME", help="Only plans of this identity; may be repeated.", show_default=False
)
SINCE = typer.Option(
    "--since", metavar="TIME", help="Only plans that changed since this day or time (UTC).", show_default=False
)
LIMIT = typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest.")
JSON = typer.Option("--json", help="JSON on standard output.")


def plans(
    status: Annotated[list[str] | None, STATUS] = None,
    identity: Annotated[list[str] | None, IDENTITY] = None,
    *,
    since: Annotated[str | None, SINCE] = None,
    limit: Annotated[int, LIMIT] = 200,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List the plans of the deployed system, the newest first."""
    from cli.plan_listing import answer_of, listed  # noqa: PLC0415 see above

    account = Place(stack_name, region, profile).account
    unreadable = Unreadable()
    records = listed(
        account, status or (), identity or (), since=moment_of(since), limit=limit, unreadable=unreadable.note
    )
    if as_json:
        put_json(answer_of(records))
    else:
        from cli.plan_tables import show_records  # noqa: PLC0415 only people need tables

        show_records(records)
    unreadable.leave()
