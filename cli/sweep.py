"""`leastwise sweep`: has the deployed system score everybody now."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.asking import Place, show
from cli.stack_options import PROFILE, REGION, STACK

JSON = typer.Option("--json", help="JSON on standard output.")


def sweep(
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Score every identity of the account now; a large account goes on in the background."""
    answer = Place(stack_name, region, profile).deployment.invoke("SweepFunctionName", {"trigger": "command"})
    show(answer, told_of_sweep(answer), as_json=as_json)


def told_of_sweep(answer: Mapping[str, Any]) -> str:
    """What a sweep's answer means for people."""
    match answer["outcome"]:
        case "completed":
            counted = f"{answer['identities']} identities, {answer['excluded']} excluded"
            return f"Account PCI {answer['pci']:.0f} over {counted}."
        case "paused":
            return "The sweep goes on in a new invocation; its end is told by AccountScored."
        case "busy":
            return "Another sweep is at work; its end is told by AccountScored."
        case outcome:
            return f"The sweep is {outcome}."
