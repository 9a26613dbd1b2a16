"""A patch as CloudFormation: a YAML template with the policies as they are to be, and as comments what to delete. Pure.

Source: CloudFormation user guide, AWS::IAM::ManagedPolicy, AWS::IAM::UserPolicy, AWS::IAM::RolePolicy, "Using dynamic
references". Every string of a document is quoted: YAML reads `2012-10-17` as a date, and `Null` as nothing.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.remediator.deriving.patches.changes import Patch, PolicyChange
from services.remediator.deriving.patches.quoting import comments, quoted, unique, words
from shared.errors import InputError
from shared.model.identity import IdentityType
from shared.model.sources import PolicyKind

DYNAMIC_REFERENCE = "{{resolve:"
_UNQUOTED = frozenset(
    {"Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid", "Statement", "Version"}
)


def cloudformation(patch: Patch) -> Iterator[str]:
    """The lines of a template: a resource for each policy as it is to be.

    Raises InputError for a document with a dynamic reference in it: CloudFormation would put a secret in its place.
    """
    if not patch.changes:
        return
    yield ""
    yield "Resources:"
    names = unique([_logical_id(change.title(patch.identity)) for change in patch.changes])
    for change, name in zip(patch.changes, names, strict=True):
        yield f"  {name}:"
        yield from _resource(patch, change)


def deletions(patch: Patch) -> Iterator[str]:
    """What to take out of the code, a sentence each."""
    kind, name = patch.identity.type, patch.identity.name
    for source in patch.taken_off():
        if source.kind is PolicyKind.INLINE:
            yield f"Delete the in-line policy {source.name} of {kind} {name}."
        else:
            yield f"Take {source.arn} out of ManagedPolicyArns of {kind} {name}."
    for group in patch.groups:
        yield f"Take {group} out of Groups of user {name}, or {name} out of the AWS::IAM::UserToGroupAddition."


def _resource(patch: Patch, change: PolicyChange) -> Iterator[str]:
    is_user = patch.identity.type is IdentityType.USER
    kind, name = ("User" if is_user else "Role"), quoted(patch.identity.name)
    if change.is_inline:
        where = f"{change.name}, narrowed: it may stand in Policies of the {kind.lower()} itself."
        yield from comments([f"The in-line policy {where}"], "    ")
        yield f"    Type: AWS::IAM::{kind}Policy"
        yield "    Properties:"
        yield f"      PolicyName: {quoted(change.name)}"
        yield f"      {kind}Name: {name}"
    else:
        yield from comments(change.about(), "    ")
        yield "    Type: AWS::IAM::ManagedPolicy"
        yield "    Properties:"
        yield f"      ManagedPolicyName: {quoted(change.name)}"
        yield f"      {kind}s: [{name}]"
    yield "      PolicyDocument:"
    yield from _block(change.document, " " * 8)


def _block(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    """A mapping as a block of YAML."""
    for key, one in value.items():
        name = key if key in _UNQUOTED else _scalar(key)
        if isinstance(one, Mapping) and one:
            yield f"{indent}{name}:"
            yield from _block(one, f"{indent}  ")
        elif isinstance(one, list | tuple) and one:
            yield f"{indent}{name}:"
            for entry in one:
                yield from _entry(entry, indent)
        else:
            yield f"{indent}{name}: {_scalar(one)}"


def _entry(value: Any, indent: str) -> Iterator[str]:
    """An entry of a list: `- ` takes the place of the first line's indent."""
    if isinstance(value, Mapping) and value:
        first, *others = _block(value, f"{indent}    ")
        yield f"{indent}  - {first.lstrip()}"
        yield from others
    else:
        yield f"{indent}  - {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if DYNAMIC_REFERENCE in value:
            raise InputError(f"a policy has {DYNAMIC_REFERENCE} in it, which CloudFormation would replace")
        return quoted(value)
    if isinstance(value, Mapping | list | tuple):  # an empty one
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)


def _logical_id(text: str) -> str:
    """A logical id: letters and digits, and a letter first."""
    parts = words(text)
    name = "".join(part[:1].upper() + part[1:] for part in parts)[:200]
    return name if name and not name[0].isdigit() else f"Policy{name}"
