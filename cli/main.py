"""The `leastwise` command.

Exit codes: 0 fine, 1 a finding, 2 bad input or usage, 3 AWS failed or the command itself did.
"""

import signal
import sys
from collections.abc import Callable
from typing import Annotated, Literal

import typer

from cli.analyze import analyze
from cli.audit import audit
from cli.backfill import backfill
from cli.data import data
from cli.doctor import doctor
from cli.explain import explain
from cli.failures import Frame, tell
from cli.identities import identities
from cli.plan import plan
from cli.plans import plans
from cli.policy import policy
from cli.propose import propose
from cli.report import report
from cli.score import score
from cli.standard_streams import checked_streams
from cli.status import status
from cli.sweep import sweep
from cli.uninstall import uninstall
from cli.usage import usage
from shared.errors import DependencyError

DEPLOYED = "The deployed system"
OFFLINE = "Offline, from files"
EITHER = "Offline or deployed"
LOCAL = "On this computer"
DemonstratedProvider = Literal["native", "cloudknox"]  # shared.model.score.Provider, which would load pydantic

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)


def _register(panel: str, *commands: Callable[..., None]) -> None:
    for command in commands:
        app.command(rich_help_panel=panel)(command)


_register(DEPLOYED, status, identities, plans, report, sweep, backfill, doctor, uninstall)
app.add_typer(plan, name="plan", rich_help_panel=DEPLOYED)
app.add_typer(audit, name="audit", rich_help_panel=DEPLOYED)
_register(EITHER, explain)
_register(OFFLINE, analyze, score, propose, usage)
app.add_typer(policy, name="policy", rich_help_panel=OFFLINE)
app.add_typer(data, name="data", rich_help_panel=OFFLINE)


def _version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 nothing else needs it

        sys.stdout.write(f"leastwise {version('leastwise')}\n")
        raise typer.Exit


DEBUG = typer.Option("--debug", envvar="LEASTWISE_DEBUG", help="Show the traceback of an error.")
VERSION = typer.Option(
    "--version", callback=lambda asked: _version(asked=asked), is_eager=True, help="Tell the version."
)


@app.callback()
def leastwise(
    context: typer.Context, *, debug: Annotated[bool, DEBUG] = False, version: Annotated[bool, VERSION] = False
) -> None:
    """Continuous least privilege for AWS IAM."""
    del version  # it was told, and ended the command
    context.ensure_object(Frame).debug = debug


@app.command(rich_help_panel=LOCAL)
def demo(
    report: Annotated[str, typer.Option(help="Where to write the report.")] = "build/report.html",
    provider: Annotated[DemonstratedProvider, typer.Option(help="Whose scores and policies count.")] = "native",
) -> None:
    """Run the whole system on the local AWS, on real CloudTrail records, and check every claim."""
    from infra.local.demonstration.run import demonstrate  # noqa: PLC0415 only this command needs the local AWS
    from infra.local.local_aws import LocalAwsError  # noqa: PLC0415
    from shared.model.score import Provider  # noqa: PLC0415

    try:
        held = demonstrate(report_path=report, provider=Provider(provider))
    except LocalAwsError as error:
        raise DependencyError(str(error)) from None
    if not held:
        raise typer.Exit(1)


def main() -> None:
    """Run the command; whatever goes wrong is one line on standard error and an exit code."""
    # Ended from outside, too, everything is cleaned up on the way out: the local AWS stops and leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    frame = Frame()
    try:
        with checked_streams():
            code = app(obj=frame, standalone_mode=False)  # which returns the code that a command asks to exit with
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 this is where every error ends
        sys.exit(tell(error, frame))
    sys.exit(code if isinstance(code, int) else 0)
