"""`leastwise uninstall`: what has to be given back before the stack may go, and doing it.

What the command needs is imported when it runs, so that other commands start fast.
"""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import FINDING, printable, put_json
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK

if TYPE_CHECKING:
    from cli.leaving.deciding import Step
    from cli.leaving.removal import Removal


def arn_of(text: str) -> str:
    """Check the form of an ARN of IAM before anything is asked of AWS."""
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:(user|role|policy)/[!-~]+", text):
        raise typer.BadParameter(f"{text!r} is no ARN of a user, a role or a policy")
    return text


APPLY = typer.Option("--apply", help="Do it; without it the plan is only shown, and nothing is changed.")
YES = typer.Option("--yes", help="Don't ask for the stack's name first.")
KEEP = typer.Option(
    "--keep",
    metavar="ARN",
    parser=arn_of,
    show_default=False,
    help="A user or role that stays narrowed, or a policy that stays; may be repeated.",
)
JSON = typer.Option("--json", help="The plan as JSON on standard output; not with --apply.")


def uninstall(
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    apply: Annotated[bool, APPLY] = False,
    yes: Annotated[bool, YES] = False,
    keep: Annotated[list[str] | None, KEEP] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Plan the removal of the stack, giving back first what it took; with --apply, do it.

    Exit code 1 where something needs a decision, or couldn't be given back: then the stack stays.
    """
    from cli.leaving.removal import Removal  # noqa: PLC0415 see above

    if as_json and apply:
        raise typer.BadParameter("the plan as JSON is for looking at it, --apply for doing it", param_hint="--json")
    place = Place(stack_name, region, profile)
    removal = Removal(place.account, place.deployment, frozenset(keep or ()), _tell)
    state = removal.state()
    if state.is_going:
        _wait(removal, state.arn, apply=apply)
        return
    steps = _looked(removal)
    _show(removal, steps, as_json=as_json)
    if any(step.fate == "decide" for step in steps):
        raise typer.Exit(FINDING)
    if apply:
        if not yes:
            _confirm(removal.account.stack_name)
        removal.carry_out()


def _looked(removal: "Removal") -> "tuple[Step, ...]":
    from cli.leaving.deciding import unused_keeps  # noqa: PLC0415 see above

    steps = removal.look()
    if strangers := unused_keeps(steps, sorted(removal.keep)):
        raise typer.BadParameter(f"nothing has to be decided about {', '.join(strangers)}", param_hint="--keep")
    return steps


def _wait(removal: "Removal", arn: str, *, apply: bool) -> None:
    """Wait for a deletion that somebody began, and say what it leaves: perhaps nothing was given back before."""
    _tell(f"stack {removal.account.stack_name}: its deletion is under way")
    if apply:
        removal.wait_until_gone(arn)
    removal.refuse_leftovers()


def _confirm(stack_name: str) -> None:
    """Only the stack's name, typed, is a yes. Raises Abort where nobody can be asked."""
    if (
        typer.prompt(f"Type the stack's name ({stack_name}) to give all that back and delete it", err=True)
        != stack_name
    ):
        _tell("that is not its name: nothing was changed")
        raise typer.Exit(FINDING)


def _show(removal: "Removal", steps: "tuple[Step, ...]", *, as_json: bool) -> None:
    from cli.leaving.telling import show, value_of  # noqa: PLC0415 see above

    outputs = removal.account.stack.outputs
    if as_json:
        put_json(value_of(removal.account.stack_name, steps, outputs))
    else:
        show(removal.account.stack_name, steps, outputs)


def _tell(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()  # a removal takes minutes, and is watched
