"""`leastwise propose`: policies with what every identity of an account needs and no more, told by local files.

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
    PEERS,
    READS,
    SAFEGUARDS,
    SCOPE,
    STRATEGY,
    TOOL,
    ScopeName,
    StrategyName,
    ToolName,
    all_named,
    checked_pattern,
    peers,
    read_safeguards,
)
from cli.usage import processors

IDENTITY = typer.Option(
    "--identity",
    metavar="ARN|ID|NAME",
    help="Plan for this identity alone, whether it complies or not; may be repeated (default: all who don't comply).",
    show_default=False,
)
ALL = typer.Option("--all", help="Plan for those who comply as well.")
DIFF = typer.Option("--diff", help="Show what each plan changes in policies (one plan alone: always).")
OUT = typer.Option(
    "--out", metavar="DIR", help="Write each plan's policies and patches to a new folder.", show_default=False
)


def propose(
    authorization_details: Annotated[list[str], DETAILS],
    paths: Annotated[list[str] | None, MORE] = None,
    cloudtrail: Annotated[list[str] | None, CLOUDTRAIL] = None,
    identity: Annotated[list[str] | None, IDENTITY] = None,
    *,
    strategy: Annotated[StrategyName | None, STRATEGY] = None,
    tool: Annotated[ToolName | None, TOOL] = None,
    resource_scope: Annotated[ScopeName, SCOPE] = "keep",
    preserve_reads: Annotated[bool, READS] = False,
    always_keep: Annotated[list[str] | None, ALWAYS_KEEP] = None,
    min_observed_days: Annotated[int, OBSERVED] = 0,
    grace_days: Annotated[int, GRACE] = 0,
    peer_group: Annotated[list[str] | None, PEERS] = None,
    safeguards: Annotated[str | None, SAFEGUARDS] = None,
    last_accessed: Annotated[str | None, LAST_ACCESSED] = None,
    inventory: Annotated[str | None, INVENTORY] = None,
    as_of: Annotated[str | None, AS_OF] = None,
    window_days: Annotated[int, WINDOW] = WINDOW_DAYS,
    threshold: Annotated[float, LIMIT] = THRESHOLD,
    everyone: Annotated[bool, ALL] = False,
    diff: Annotated[bool, DIFF] = False,
    out: Annotated[str | None, OUT] = None,
    jobs: Annotated[int, JOBS] = 1,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Propose proven least-privilege policies, by local files; changes nothing.

    Exit code 1 where somebody who does not comply has no plan, or one that is not enough.
    """
    from cli.account_files import read_account  # noqa: PLC0415 only this command needs these
    from cli.plan_files import check_folder, write_plans  # noqa: PLC0415
    from cli.propose_answer import answer_of, is_unsolved  # noqa: PLC0415
    from cli.proposing import Wishes, propose_all  # noqa: PLC0415
    from shared.model.plan import ResourceScope, Strategy  # noqa: PLC0415

    patterns = tuple(map(checked_pattern, always_keep or ()))
    safe = read_safeguards(safeguards, [*authorization_details, *(cloudtrail or ()), *(paths or ())])
    folder = check_folder(out) if out is not None else None
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
    wishes = Wishes(
        threshold=threshold,
        strategy=Strategy(strategy) if strategy else None,
        tool=tool,
        resource_scope=ResourceScope(resource_scope),
        preserve_reads=preserve_reads,
        always_keep=patterns,
        min_observed_days=min_observed_days,
        grace_days=grace_days,
        safeguards=safe,
        peer_groups=tuple(peers(group, refs) for group in peer_group or ()),
        everyone=everyone,
    )
    proposed = propose_all(files, wishes, frozenset(all_named(identity or (), refs)), jobs=jobs or processors())
    answer = answer_of(files, proposed, wishes)
    if folder is not None:
        write_plans(folder, answer["plans"])
    if as_json:
        put_json(answer)
    else:
        from cli.propose_tables import show_proposals  # noqa: PLC0415 only people need tables

        show_proposals(answer, proposed.proposals, diff=diff)
    leave(answer, finding=is_unsolved(proposed))
