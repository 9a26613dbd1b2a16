"""`leastwise status`: how the deployed system stands, at a glance.

What the command needs is imported when it runs, so that other commands start fast.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.answers import put_json
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK

JSON = typer.Option("--json", help="JSON on standard output.")


def status(
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Tell how the deployed system stands: mode, score, sweep, coverage, plans, queues, alarms, audit trail.

    Exit code 1 where something needs a person, 3 where that could not be found out.
    """
    from cli.health.answer import exit_code, show, value_of  # noqa: PLC0415 see above
    from cli.health.gathering import facts_of  # noqa: PLC0415
    from cli.health.judging import lines_of  # noqa: PLC0415

    place = Place(stack_name, region, profile)
    facts = facts_of(place.account, now=datetime.now(UTC), options=place.options)
    lines = lines_of(facts)
    if as_json:
        put_json(value_of(facts, lines))
    else:
        show(facts, lines)
    if code := exit_code(lines):
        raise typer.Exit(code)
