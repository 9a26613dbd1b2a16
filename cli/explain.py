"""`leastwise explain`: why an identity has its score, from local files or from the deployed system.

What the command needs is imported when it runs, so that other commands start fast.
"""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.account_options import AS_OF, CLOUDTRAIL, INVENTORY, JOBS, JSON, LAST_ACCESSED, judged_moment
from cli.answers import FINDING, printable, put_json
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK

if TYPE_CHECKING:
    from shared.model.explanation import Explanation

WHO = typer.Argument(metavar="ARN|ID|NAME", help="The user or role: ARN, unique id or name.", show_default=False)
DETAILS = typer.Option(
    "--authorization-details",
    metavar="FILE",
    help="Read this, as `aws iam get-account-authorization-details` prints it, instead of asking AWS; may be repeated.",
    show_default=False,
)
WINDOW = typer.Option(
    "--window-days",
    min=1,
    max=400,
    help="Days before that in which a use counts (default: 90, or the stack's).",
    show_default=False,
)
THRESHOLD = typer.Option(
    "--threshold",
    min=0,
    max=100,
    help="PCI from which an identity is not compliant (default: 60, or the stack's).",
    show_default=False,
)
TOP = typer.Option("--top", min=1, max=1000, help="How many of the worst unused permissions to show.")


def explain(
    who: Annotated[str, WHO],
    *,
    authorization_details: Annotated[list[str] | None, DETAILS] = None,
    cloudtrail: Annotated[list[str] | None, CLOUDTRAIL] = None,
    last_accessed: Annotated[str | None, LAST_ACCESSED] = None,
    inventory: Annotated[str | None, INVENTORY] = None,
    as_of: Annotated[str | None, AS_OF] = None,
    window_days: Annotated[int | None, WINDOW] = None,
    threshold: Annotated[float | None, THRESHOLD] = None,
    top: Annotated[int, TOP] = 10,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    jobs: Annotated[int, JOBS] = 1,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Explain the score of one identity: its arithmetic, where it comes from, and what would lower it.

    Offline with --authorization-details, else for the deployed system. Exit code 1 where the identity is not compliant.
    """
    if authorization_details:
        from cli.explain_offline import Files, explain_offline  # noqa: PLC0415 only this way needs it

        files = Files(
            tuple(authorization_details), tuple(cloudtrail or ()), last_accessed, inventory, judged_moment(as_of), jobs
        )
        explanation, warnings = explain_offline(who, files, window_days=window_days, threshold=threshold, top=top)
    else:
        offline = {"--cloudtrail": cloudtrail, "--last-accessed": last_accessed, "--inventory": inventory}
        _refuse_without_details({**offline, "--as-of": as_of})
        from cli.deployed_account import explain_deployed  # noqa: PLC0415 only this way needs AWS

        place = Place(stack_name, region, profile)
        explanation, warnings = explain_deployed(who, place, window_days=window_days, threshold=threshold, top=top)
    _show(explanation, warnings, as_json=as_json)


def _refuse_without_details(options: dict[str, object]) -> None:
    for name, value in options.items():
        if value:
            raise typer.BadParameter("it goes with --authorization-details; without that AWS is asked", param_hint=name)


def _show(explanation: "Explanation", warnings: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        put_json(explanation.model_dump(mode="json"))
    else:
        from cli.explain_tables import show_explanation  # noqa: PLC0415 only people need tables

        show_explanation(explanation)
    for warning in warnings:
        sys.stderr.write(f"leastwise: {printable(warning)}\n")
    if explanation.compliance == "NON_COMPLIANT":
        raise typer.Exit(FINDING)
