"""Options of the offline commands that plan for identities: how plans are made, and what they must leave alone."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from shared.model.identity import IdentityRef
    from shared.model.safeguards import Safeguards

StrategyName = Literal["boundary", "replace", "patch"]
ScopeName = Literal["keep", "observed"]
ToolName = Literal["terraform", "cloudformation"]

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


def checked_pattern(text: str) -> str:
    """Check the form of a pattern of actions."""
    if not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+", text):
        raise typer.BadParameter(f"{text!r} is no action or pattern such as s3:Get*", param_hint="--always-keep")
    return text


def peers(group: str, refs: Sequence["IdentityRef"]) -> frozenset["IdentityRef"]:
    """The members of a peer group: without two of them, the option would do nothing and not say so."""
    members = frozenset(all_named(group.split(","), refs))
    if len(members) < 2:  # noqa: PLR2004 a group is more than one
        message = f"{group!r} names one identity; a group has all of its members, with commas between them"
        raise typer.BadParameter(message, param_hint="--peer-group")
    return members


def all_named(names: Iterable[str], refs: Sequence["IdentityRef"]) -> list["IdentityRef"]:
    """Whom the names mean. Raises InputError for a name that nobody or several have."""
    from cli.identity_names import named  # noqa: PLC0415 only this command needs it

    return [named(name.strip(), refs) for name in names]


def read_safeguards(name: str | None, others: Sequence[str]) -> "Safeguards":
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
