"""`leastwise propose`: policies with what every identity of an account needs and no more, told by local files.

What the command needs is imported when it runs, so that other commands start fast.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.answers import FINDING, UNREADABLE, printable, put_json
from cli.score import (
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
from cli.usage import processors

if TYPE_CHECKING:
    from shared.model.identity import IdentityRef
    from shared.model.safeguards import Safeguards

StrategyName = Literal["boundary", "replace", "patch"]
ScopeName = Literal["keep", "observed"]
ToolName = Literal["terraform", "cloudformation"]

IDENTITY = typer.Option(
    "--identity",
    metavar="ARN|ID|NAME",
    help="Plan for this identity alone, whether it complies or not; may be repeated (default: all who don't comply).",
    show_default=False,
)
STRATEGY = typer.Option(
    "--strategy",
    help="A permissions boundary, policies in place of the present ones, or text for the code that manages it "
    "(default: patch for who carries CloudFormation's or Terraform's tag, else boundary).",
    show_default=False,
)
TOOL = typer.Option(
    "--tool", help="Write patches for this (default: as the tags say, else terraform).", show_default=False
)
SCOPE = typer.Option(
    "--resource-scope", help="Resources of kept permissions: as their statements have them, or those that were used."
)
READS = typer.Option("--preserve-reads", help="Keep whatever only reads or lists.")
ALWAYS_KEEP = typer.Option(
    "--always-keep",
    metavar="PATTERN",
    help="Keep these actions where they are granted (s3:Get*); may be repeated.",
    show_default=False,
)
OBSERVED = typer.Option("--min-observed-days", min=0, max=400, help="Plan for nobody who was observed on fewer days.")
GRACE = typer.Option(
    "--grace-days", min=0, max=400, help="Keep what was granted fewer days ago, and leave younger identities alone."
)
PEERS = typer.Option(
    "--peer-group",
    metavar="ARN|ID|NAME,…",
    help="Identities that do the same work: what one of them used, all keep; may be repeated.",
    show_default=False,
)
SAFEGUARDS = typer.Option(
    "--safeguards",
    metavar="FILE",
    help="Exemptions, peer groups and the like, as the stack's safeguards parameter has them; - is standard input.",
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
    safe = _safeguards(safeguards, [*authorization_details, *(cloudtrail or ()), *(paths or ())])
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
        peer_groups=tuple(_peers(group, refs) for group in peer_group or ()),
        everyone=everyone,
    )
    proposed = propose_all(files, wishes, frozenset(_named(identity or (), refs)))
    answer = answer_of(files, proposed, wishes)
    if folder is not None:
        write_plans(folder, answer["plans"])
    if as_json:
        put_json(answer)
    else:
        from cli.propose_tables import show_proposals  # noqa: PLC0415 only people need tables

        show_proposals(answer, proposed.proposals, diff=diff)
    for message in [*answer["warnings"], *(error["error"] for error in answer["errors"])]:
        sys.stderr.write(f"leastwise: {printable(message)}\n")
    if answer["errors"]:
        raise typer.Exit(UNREADABLE)
    if is_unsolved(proposed):
        raise typer.Exit(FINDING)


def checked_pattern(text: str) -> str:
    """Check the form of a pattern of actions."""
    if not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+", text):
        raise typer.BadParameter(f"{text!r} is no action or pattern such as s3:Get*", param_hint="--always-keep")
    return text


def _peers(group: str, refs: Sequence["IdentityRef"]) -> frozenset["IdentityRef"]:
    """The members of a peer group: without two of them, the option would do nothing and not say so."""
    members = frozenset(_named(group.split(","), refs))
    if len(members) < 2:  # noqa: PLR2004 a group is more than one
        message = f"{group!r} names one identity; a group has all of its members, with commas between them"
        raise typer.BadParameter(message, param_hint="--peer-group")
    return members


def _named(names: Iterable[str], refs: Sequence["IdentityRef"]) -> list["IdentityRef"]:
    from cli.identity_names import named  # noqa: PLC0415 only this command needs it

    return [named(name.strip(), refs) for name in names]


def _safeguards(name: str | None, others: Sequence[str]) -> "Safeguards":
    """Read the safeguards; none without a file. Raises InputError, which names the file."""
    from cli.authorization_files import read_bytes  # noqa: PLC0415 only this command needs these
    from cli.inputs import STANDARD_INPUT, shown  # noqa: PLC0415
    from shared.errors import InputError  # noqa: PLC0415
    from shared.model.safeguards import Safeguards, parse_safeguards  # noqa: PLC0415

    if name is None:
        return Safeguards()
    if name == STANDARD_INPUT and STANDARD_INPUT in others:
        raise InputError("standard input (-) can be only one of the files")
    try:
        return parse_safeguards(read_bytes(name).decode())
    except UnicodeDecodeError:
        raise InputError(f"{shown(name)}: not UTF-8") from None
    except InputError as error:
        raise InputError(f"{shown(name)}: {error}") from None
