"""The `leastwise` command. Exit codes: 0 fine, 1 a finding, 2 bad input or usage, 3 a dependency failed."""

import signal
import sys
from typing import Annotated

import typer

from cli.answers import printable
from cli.backfill import backfill
from cli.data import data
from cli.explain import explain
from cli.plan import plan
from cli.plans import plans
from cli.policy import policy
from cli.propose import propose
from cli.score import score
from cli.standard_streams import checked_streams
from cli.sweep import sweep
from cli.usage import usage
from shared.errors import DependencyError, InputError, LeastwiseError

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)
app.add_typer(plan, name="plan")
app.add_typer(policy, name="policy")
app.add_typer(data, name="data")
for command in (usage, score, explain, propose, backfill, sweep, plans):
    app.command()(command)


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
