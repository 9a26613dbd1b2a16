"""`leastwise score`: the Privilege Creep Index of every identity of an account, told by local files.

What the command needs is imported when it runs, so that other commands start fast.
"""

import sys
from datetime import datetime, timedelta
from typing import Annotated

import typer

from cli.answers import FINDING, UNREADABLE, printable, put_json
from cli.usage import moment_of, processors

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
IDENTITY = typer.Option(
    "--identity",
    metavar="ARN|ID|NAME",
    help="Tell only of this identity; may be repeated.",
    show_default=False,
)
JOBS = typer.Option("--jobs", min=0, max=256, help="Processes that share the records; 0 for one on each processor.")
JSON = typer.Option("--json", help="JSON on standard output.")


def score(
    authorization_details: Annotated[list[str], DETAILS],
    paths: Annotated[list[str] | None, MORE] = None,
    cloudtrail: Annotated[list[str] | None, CLOUDTRAIL] = None,
    identity: Annotated[list[str] | None, IDENTITY] = None,
    *,
    last_accessed: Annotated[str | None, LAST_ACCESSED] = None,
    inventory: Annotated[str | None, INVENTORY] = None,
    as_of: Annotated[str | None, AS_OF] = None,
    window_days: Annotated[int, WINDOW] = WINDOW_DAYS,
    threshold: Annotated[float, LIMIT] = THRESHOLD,
    jobs: Annotated[int, JOBS] = 1,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Score every identity of an account, by local files; exit code 1 where one is not compliant."""
    from cli.account_files import read_account  # noqa: PLC0415 only this command needs these
    from cli.identity_names import named  # noqa: PLC0415
    from cli.score_answer import answer_of  # noqa: PLC0415
    from cli.scoring import score_all  # noqa: PLC0415

    files = read_account(
        authorization_details,
        [*(cloudtrail or ()), *(paths or ())],
        last_accessed=last_accessed,
        inventory=inventory,
        as_of=judged_moment(as_of),
        window_days=window_days,
        jobs=jobs or processors(),
    )
    refs = [detail.ref for detail in files.details]
    for who in identity or ():
        if error := files.error_of(who):
            raise error
    wanted = {named(who, refs) for who in identity or ()}
    answer = answer_of(files, score_all(files), threshold=threshold, wanted=wanted)
    if as_json:
        put_json(answer)
    else:
        from cli.score_tables import show_scores  # noqa: PLC0415 only people need tables

        show_scores(answer)
    for message in [*answer["warnings"], *(error["error"] for error in answer["errors"])]:
        sys.stderr.write(f"leastwise: {printable(message)}\n")
    if answer["errors"]:
        raise typer.Exit(UNREADABLE)
    if any(one["compliance"] == "NON_COMPLIANT" for one in answer["identities"]):
        raise typer.Exit(FINDING)


def judged_moment(text: str | None) -> datetime | None:
    """Read the time that is judged: a day stands for its last moment, so that all of its records count."""
    moment = moment_of(text, end_of_day=True)
    is_day = moment is not None and moment != moment_of(text)
    return moment - timedelta(microseconds=1) if moment is not None and is_day else moment
