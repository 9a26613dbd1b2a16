"""`leastwise score`: the Privilege Creep Index of every identity of an account, told by local files.

What the command needs is imported when it runs, so that other commands start fast.
"""

from typing import Annotated

import typer

from cli.account_options import (
    AS_OF,
    CLOUDTRAIL,
    DETAILS,
    INVENTORY,
    JOBS,
    JSON,
    LAST_ACCESSED,
    LIMIT,
    MORE,
    THRESHOLD,
    WINDOW,
    WINDOW_DAYS,
    judged_moment,
)
from cli.account_outcome import leave
from cli.answers import put_json
from cli.usage import processors

IDENTITY = typer.Option(
    "--identity",
    metavar="ARN|ID|NAME",
    help="Tell only of this identity; may be repeated.",
    show_default=False,
)


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
    from cli.score_answer import answer_of, is_over  # noqa: PLC0415
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
    leave(answer, finding=is_over(answer))
