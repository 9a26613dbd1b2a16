"""Options of the offline commands that look at a whole account: its files, and how they are judged."""

from datetime import datetime, timedelta

import typer

from cli.usage import moment_of

THRESHOLD, WINDOW_DAYS = 60.0, 90

DETAILS = typer.Option(
    "--authorization-details",
    metavar="FILE",
    help="What `aws iam get-account-authorization-details` prints; may be repeated; - is standard input.",
    show_default=False,
)
CLOUDTRAIL = typer.Option(
    "--cloudtrail",
    metavar="PATH",
    help="Files or directories with CloudTrail records; may be repeated; - is standard input.",
    show_default=False,
)
MORE = typer.Argument(metavar="PATH", help="Further ones with CloudTrail records.", show_default=False)
LAST_ACCESSED = typer.Option(
    "--last-accessed",
    metavar="FILE",
    help='IAM\'s reports: {"<identity ARN>": <as `aws iam get-service-last-accessed-details` prints it>}.',
    show_default=False,
)
INVENTORY = typer.Option(
    "--inventory",
    metavar="FILE",
    help="The account's resources: ARNs, or what AWS Config's or the tagging API's queries print.",
    show_default=False,
)
AS_OF = typer.Option(
    "--as-of",
    metavar="TIME",
    help="The day or time (UTC) that is judged; later records don't count (default: the newest record's time).",
    show_default=False,
)
WINDOW = typer.Option("--window-days", min=1, max=400, help="Days before that time in which a use counts.")
LIMIT = typer.Option("--threshold", min=0, max=100, help="PCI from which an identity is not compliant.")
JOBS = typer.Option("--jobs", min=0, max=256, help="Processes that share the work; 0 for one on each processor.")
JSON = typer.Option("--json", help="JSON on standard output.")


def judged_moment(text: str | None) -> datetime | None:
    """Read the time that is judged: a day stands for its last moment, so that all of its records count."""
    moment = moment_of(text, end_of_day=True)
    is_day = moment is not None and moment != moment_of(text)
    return moment - timedelta(microseconds=1) if moment is not None and is_day else moment
