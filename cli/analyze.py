"""`leastwise analyze`: an account's scores, plans, policies and report, by local files, in one go.

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
from cli.planning_options import (
    ALWAYS_KEEP,
    GRACE,
    OBSERVED,
    READS,
    SAFEGUARDS,
    SCOPE,
    STRATEGY,
    TOOL,
    ScopeName,
    StrategyName,
    ToolName,
    checked_pattern,
    read_safeguards,
)
from cli.usage import processors

OUT = typer.Option("--out", metavar="DIR", help="A new folder for everything that is found out.", show_default=False)


def analyze(
    authorization_details: Annotated[list[str], DETAILS],
    out: Annotated[str, OUT],
    paths: Annotated[list[str] | None, MORE] = None,
    cloudtrail: Annotated[list[str] | None, CLOUDTRAIL] = None,
    *,
    last_accessed: Annotated[str | None, LAST_ACCESSED] = None,
    inventory: Annotated[str | None, INVENTORY] = None,
    as_of: Annotated[str | None, AS_OF] = None,
    window_days: Annotated[int, WINDOW] = WINDOW_DAYS,
    threshold: Annotated[float, LIMIT] = THRESHOLD,
    strategy: Annotated[StrategyName | None, STRATEGY] = None,
    tool: Annotated[ToolName | None, TOOL] = None,
    resource_scope: Annotated[ScopeName, SCOPE] = "keep",
    preserve_reads: Annotated[bool, READS] = False,
    always_keep: Annotated[list[str] | None, ALWAYS_KEEP] = None,
    min_observed_days: Annotated[int, OBSERVED] = 0,
    grace_days: Annotated[int, GRACE] = 0,
    safeguards: Annotated[str | None, SAFEGUARDS] = None,
    jobs: Annotated[int, JOBS] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Analyze an account by local files: scores, plans, policies and a report in a folder; changes nothing.

    Exit code 1 where somebody is not compliant.
    """
    from cli.account_files import read_account  # noqa: PLC0415 only this command needs these
    from cli.analysis import analyzed, answer_of, write_analysis  # noqa: PLC0415
    from cli.plan_files import check_folder  # noqa: PLC0415
    from cli.proposing import Wishes  # noqa: PLC0415
    from cli.score_answer import is_over  # noqa: PLC0415
    from shared.model.plan import ResourceScope, Strategy  # noqa: PLC0415

    trails = [*(cloudtrail or ()), *(paths or ())]
    wishes = Wishes(
        threshold=threshold,
        strategy=Strategy(strategy) if strategy else None,
        tool=tool,
        resource_scope=ResourceScope(resource_scope),
        preserve_reads=preserve_reads,
        always_keep=tuple(map(checked_pattern, always_keep or ())),
        min_observed_days=min_observed_days,
        grace_days=grace_days,
        safeguards=read_safeguards(safeguards, [*authorization_details, *trails]),
    )
    folder = check_folder(out)
    files = read_account(
        authorization_details,
        trails,
        last_accessed=last_accessed,
        inventory=inventory,
        as_of=judged_moment(as_of),
        window_days=window_days,
        jobs=jobs or processors(),
    )
    analysis = analyzed(files, wishes, jobs=jobs or processors())
    write_analysis(analysis, folder)
    answer = answer_of(analysis, folder)
    if as_json:
        put_json(answer)
    else:
        from cli.analysis_summary import show_analysis  # noqa: PLC0415 only people need tables

        show_analysis(answer)
    leave(answer, finding=is_over(analysis.scored))
