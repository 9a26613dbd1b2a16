"""`leastwise report`: one page about the account of the deployed system, for people.

What the command needs is imported when it runs, so that other commands start fast.
"""

import sys
from typing import Annotated

import typer

from cli.answers import FINDING, UNREADABLE, printable
from cli.asking import Place
from cli.stack_options import PROFILE, REGION, STACK

OUT = typer.Option("--out", metavar="FILE", help="Where to write the page; one that is there is replaced.")
HISTORY = typer.Option(
    "--history", min=0, max=1000, help="How many of the newest entries of the audit trail to show of each identity."
)
QUICK = typer.Option("--quick", help="Leave out histories, trends of identities, and what they hold by service.")


def report(
    *,
    out: Annotated[str, OUT] = "report.html",
    history: Annotated[int, HISTORY] = 20,
    quick: Annotated[bool, QUICK] = False,
    stack_name: Annotated[str | None, STACK] = None,
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
) -> None:
    """Write a report on the account of the deployed system: one HTML file that needs no network; changes nothing.

    Exit code 1 where somebody is not compliant, 2 where something that is stored can't be read.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 only this command needs these

    from cli.plan_files import check_file, write_whole  # noqa: PLC0415
    from cli.reporting.deployed import report_of_account  # noqa: PLC0415
    from cli.reporting.render import render  # noqa: PLC0415
    from shared.model.plan import Compliance  # noqa: PLC0415

    path = check_file(out)
    account = Place(stack_name, region, profile).account
    found = report_of_account(account, now=datetime.now(UTC), history=history, quick=quick)
    write_whole(path, render(found))
    over = sum(one.compliance == Compliance.NON_COMPLIANT for one in found.identities)
    plans = sum(one.plan is not None for one in found.identities)
    figures = f"identities: {len(found.identities):,}, not compliant: {over:,}, plans: {plans:,}"
    told = f"{out}: account {found.account_id}, PCI {found.account_pci:.1f}; {figures}"
    sys.stdout.write(f"{printable(told)}\n")
    for message in (*found.warnings, *found.errors):
        sys.stderr.write(f"leastwise: {printable(message)}\n")
    if found.errors:
        raise typer.Exit(UNREADABLE)
    if over:
        raise typer.Exit(FINDING)
