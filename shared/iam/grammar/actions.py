"""Action and NotAction: `service:ActionName`, with wildcards in the name alone."""

import re
from collections.abc import Iterator

from shared.iam.catalogue import Catalogue
from shared.iam.grammar.elements import Elements, Text
from shared.iam.grammar.findings import Code, Flaw
from shared.iam.grammar.kinds import PolicyKind
from shared.iam.patterns import globs

_VENDOR = re.compile(r"[A-Za-z0-9.-]+")
_NAME = re.compile(r"[A-Za-z0-9*?]+")


def check_actions(statement: Elements) -> Iterator[Flaw]:
    """Form of each action, and what its kind of policy may not name."""
    for text in statement.texts("Action", "NotAction"):
        yield from _form(text)
    if statement.rules.kind is PolicyKind.TRUST:
        yield from _trusted(statement)
    if statement.rules.kind is PolicyKind.RCP:
        yield from _controlled(statement)


def check_known(statement: Elements, catalogue: Catalogue) -> Iterator[Flaw]:
    """Actions and services that the catalogue doesn't know: a slip of the pen, or newer than the catalogue."""
    for path, pattern in statement.texts("Action", "NotAction"):
        vendor, colon, _ = pattern.partition(":")
        if not colon or not _VENDOR.fullmatch(vendor):
            continue
        if vendor.lower() not in catalogue.services:
            yield Flaw(Code.UNKNOWN_SERVICE, path, f"the catalogue knows no service {vendor!r}")
        elif not catalogue.mask(pattern):
            what = "no action that matches" if globs.is_wild(pattern) else "no action"
            yield Flaw(Code.UNKNOWN_ACTION, path, f"the catalogue knows {what} {pattern!r}")


def _form(text: Text) -> Iterator[Flaw]:
    path, pattern = text
    vendor, colon, name = pattern.partition(":")
    if pattern == "*":
        return
    if not colon:
        yield Flaw(Code.ACTION_VENDOR, path, f"{pattern!r} does not say of which service: service:ActionName")
        return
    if ":" in name:
        yield Flaw(Code.ACTION_COLONS, path, f"{pattern!r} has more than one colon")
        return
    if "${" in pattern:
        yield Flaw(Code.ACTION_VARIABLE, path, f"{pattern!r} holds a policy variable, which actions can't")
        return
    if vendor != "*" and not _VENDOR.fullmatch(vendor):
        yield Flaw(Code.ACTION_VENDOR_CHARACTERS, path, f"{vendor!r} is not the prefix of a service")
    if not _NAME.fullmatch(name):
        yield Flaw(Code.ACTION_CHARACTERS, path, f"{name!r} is not how actions are named")


def _trusted(statement: Elements) -> Iterator[Flaw]:
    for path, pattern in statement.texts("Action"):
        if not pattern.lower().startswith("sts:"):
            yield Flaw(
                Code.TRUST_ACTION, path, f"a trust policy speaks of sts:AssumeRole and its kin, not of {pattern!r}"
            )
    if "NotAction" in statement.fields:
        yield Flaw(Code.TRUST_ACTION, f"{statement.path}.NotAction", "a trust policy has no NotAction")


def _controlled(statement: Elements) -> Iterator[Flaw]:
    if "NotAction" in statement.fields:
        yield Flaw(Code.RCP_ACTION, f"{statement.path}.NotAction", "an RCP has no NotAction")
    if is_full_access(statement):
        return
    for path, pattern in statement.texts("Action"):
        if pattern.startswith("*"):
            yield Flaw(Code.RCP_ACTION, path, "only RCPFullAWSAccess speaks of every service; name one")


def is_full_access(statement: Elements) -> bool:
    """Whether this is the statement of RCPFullAWSAccess, the one RCP that AWS itself attaches everywhere."""
    wanted = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    given = {name: value for name, value in statement.fields.items() if name != "Sid"}
    return {name: value[0] if value in (["*"], ("*",)) else value for name, value in given.items()} == wanted
