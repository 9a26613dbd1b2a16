"""The `leastwise` command. Exit codes: 0 fine, 1 a finding, 2 bad input or usage, 3 a dependency failed."""

import json
import re
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import printable
from cli.backfill import backfill
from cli.data import data
from cli.explain import explain
from cli.policy import policy
from cli.score import score
from cli.stack_options import PROFILE, REGION, STACK
from cli.standard_streams import checked_streams
from cli.usage import usage
from shared.errors import DependencyError, InputError, LeastwiseError

if TYPE_CHECKING:
    from shared.aws.deployment import Deployment

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)
plan = typer.Typer(no_args_is_help=True, help="Approve plans and take them back.")
app.add_typer(plan, name="plan")
app.add_typer(policy, name="policy")
app.add_typer(data, name="data")
app.command()(usage)
app.command()(score)
app.command()(explain)
app.command()(backfill)


def plan_id_of(text: str) -> str:
    """Check the form of a plan's id before anything is asked of AWS."""
    if not re.fullmatch("[0-9a-f]{16}", text):
        raise typer.BadParameter("a plan's id has 16 hexadecimal digits, as in notifications and audit entries")
    return text


PLAN_ID = typer.Argument(help="Id of a plan, as notifications and audit entries name it.", parser=plan_id_of)
JSON = typer.Option("--json", help="JSON on standard output.")


@app.callback()
def leastwise() -> None:
    """Continuous least privilege for AWS IAM."""


@app.command()
def demo(
    report: Annotated[str, typer.Option(help="Where to write the report.")] = "build/report.html",
) -> None:
    """Run the whole system on the local AWS, on real CloudTrail records, and check every claim."""
    from infra.local.demonstration.run import demonstrate  # noqa: PLC0415 only this command needs the local AWS
    from infra.local.local_aws import LocalAwsError  # noqa: PLC0415

    try:
        held = demonstrate(report_path=report)
    except LocalAwsError as error:
        raise DependencyError(str(error)) from None
    if not held:
        raise typer.Exit(1)


@app.command()
def sweep(
    stack_name: Annotated[str, STACK] = "leastwise",
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Score every identity of the account now; a large account goes on in the background."""
    answer = deployed(stack_name, region, profile).invoke("SweepFunctionName", {"trigger": "command"})
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


@plan.command()
def approve(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str, STACK] = "leastwise",
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Apply a proposed plan, if the identity and its usage still are as the plan knew them."""
    request(deployed(stack_name, region, profile), "approve", plan_id, "APPLIED", as_json=as_json)


@plan.command()
def rollback(
    plan_id: Annotated[str, PLAN_ID],
    stack_name: Annotated[str, STACK] = "leastwise",
    region: Annotated[str | None, REGION] = None,
    profile: Annotated[str | None, PROFILE] = None,
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Take an applied plan back; the identity is then left alone until a person asks for it again."""
    request(deployed(stack_name, region, profile), "rollback", plan_id, "ROLLED_BACK", as_json=as_json)


def deployed(stack_name: str, region: str | None, profile: str | None) -> "Deployment":
    """The deployed system; only commands that ask it wait for the AWS SDK to load."""
    from shared.aws.deployment import Deployment  # noqa: PLC0415 see above

    return Deployment(stack_name, region=region, profile=profile)


def request(deployment: "Deployment", action: str, plan_id: str, wanted: str, *, as_json: bool) -> None:
    """Ask the remediator for an action on a plan; exit code 1 where the outcome is not the wanted one."""
    payload = {"action": action, "plan_id": plan_id, "trigger": "command"}
    answer = deployment.invoke("RemediationRequestFunctionName", payload)
    detail = f": {answer['detail']}" if answer["detail"] else ""
    show(answer, f"Plan {answer['plan_id'] or plan_id}: {answer['outcome']}{detail}", as_json=as_json)
    if answer["outcome"] != wanted:
        raise typer.Exit(1)


def show(answer: dict[str, object], text: str, *, as_json: bool) -> None:
    """Print an answer for machines or for people."""
    sys.stdout.write(f"{json.dumps(answer, sort_keys=True) if as_json else printable(text)}\n")


def main() -> None:
    """Run the command; an expected error is one line on standard error and an exit code."""
    # Ended from outside, too, everything is cleaned up on the way out: the local AWS stops and leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    try:
        with checked_streams():
            app()
    except LeastwiseError as error:
        lines = "\n".join(map(printable, str(error).splitlines()))
        sys.stderr.write(f"leastwise: {lines}\n")
        sys.exit(2 if isinstance(error, InputError) else 3 if isinstance(error, DependencyError) else 1)
