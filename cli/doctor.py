"""`leastwise doctor`: checks what the system needs, and explains how to fix what it lacks.

What the command needs is imported when it runs, so that other commands start fast.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import FINDING, put_json
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK

if TYPE_CHECKING:
    from cli.checkups.examination import Examination

NOT_ASKED = 3
BEFORE = typer.Option("--before-deploy", help="Check the account alone: there is no stack yet.")
JSON = typer.Option("--json", help="JSON on standard output.")


def doctor(
    *,
    before_deploy: Annotated[bool, BEFORE] = False,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Check what the system needs in the account and the stack, and explain how to fix what is missing.

    Changes nothing. Exit code 1 where a check failed, 3 where one that everything rests on could not be asked.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 with the rest

    from cli.checkups.examination import examine_all  # noqa: PLC0415 see above

    place = Place(stack_name, region, profile)
    examination = examine_all(place, is_before_deployment=before_deploy, now=datetime.now(UTC))
    if as_json:
        put_json(answer_of(examination))
    else:
        from cli.checkups.tables import show_examination  # noqa: PLC0415 only people need tables

        show_examination(examination)
    if code := exit_code_of(examination):
        raise typer.Exit(code)


def exit_code_of(examination: "Examination") -> int:
    """A failure outweighs what could not be asked; warnings are fine."""
    if examination.level.value == "fail":
        return FINDING
    return NOT_ASKED if examination.is_incomplete else 0


def answer_of(examination: "Examination") -> dict[str, Any]:
    """The findings as JSON has them, the worst first."""
    where = examination.where
    return {
        "account_id": where.account_id,
        "region": where.region,
        "caller": examination.caller,
        "stack_name": examination.stack_name or None,
        "level": examination.level.value,
        "checks": [finding.fields() for finding in examination.findings],
    }
