"""A patch as Terraform: resources of its AWS provider in HCL, and as comments what to delete. Pure.

Source: Terraform's documentation, "Strings and Templates"; AWS provider, aws_iam_policy, aws_iam_user_policy,
aws_iam_role_policy and their attachments.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from services.remediator.deriving.patches.changes import Patch, PolicyChange
from services.remediator.deriving.patches.quoting import comments, quoted, unique, words
from shared.model.sources import PolicyKind, PolicySource


def terraform(patch: Patch) -> Iterator[str]:
    """The lines of a file: a resource or two for each policy as it is to be."""
    names = unique([_label(change.title(patch.identity)) for change in patch.changes])
    for change, name in zip(patch.changes, names, strict=True):
        yield ""
        yield from _inline(patch, change, name) if change.is_inline else _managed(patch, change, name)


def deletions(patch: Patch) -> Iterator[str]:
    """What to take out of the code, a sentence each."""
    kind, name = patch.identity.type, patch.identity.name
    for source in patch.taken_off():
        yield f"Delete {_resource_of(kind, source)} of {kind} {name}."
    for group in patch.groups:
        yield f"Take {name} out of group {group}: aws_iam_user_group_membership or aws_iam_group_membership."


def _resource_of(kind: str, source: PolicySource) -> str:
    if source.kind is PolicyKind.INLINE:
        return f"the aws_iam_{kind}_policy {source.name}"
    return f"the aws_iam_{kind}_policy_attachment of {source.arn}"


def _inline(patch: Patch, change: PolicyChange, name: str) -> Iterator[str]:
    kind = patch.identity.type
    yield from comments([f"The policy document of the in-line policy {change.name}, narrowed."])
    yield f'resource "aws_iam_{kind}_policy" "{name}" {{'
    yield f"  name = {_string(change.name)}"
    yield f"  {kind} = {_string(patch.identity.name)}"
    yield from _policy(change.document)


def _managed(patch: Patch, change: PolicyChange, name: str) -> Iterator[str]:
    kind = patch.identity.type
    yield from comments(change.about())
    yield f'resource "aws_iam_policy" "{name}" {{'
    yield f"  name = {_string(change.name)}"
    yield from _policy(change.document)
    yield ""
    yield f'resource "aws_iam_{kind}_policy_attachment" "{name}" {{'
    yield f"  {kind}       = {_string(patch.identity.name)}"
    yield f"  policy_arn = aws_iam_policy.{name}.arn"
    yield "}"


def _policy(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"  policy = jsonencode({_value(document, '  ')})"
    yield "}"


def _value(value: Any, indent: str) -> str:
    """A JSON value as an expression of HCL, which differs in nothing but its strings."""
    inner = f"{indent}  "
    if isinstance(value, Mapping):
        lines = [f"{inner}{_string(key)} = {_value(one, inner)}" for key, one in value.items()]
        return "\n".join(["{", *lines, f"{indent}}}"]) if lines else "{}"
    if isinstance(value, list | tuple):
        lines = [f"{inner}{_value(one, inner)}," for one in value]
        return "\n".join(["[", *lines, f"{indent}]"]) if lines else "[]"
    if isinstance(value, str):
        return _string(value)
    return json.dumps(value)


def _string(text: str) -> str:
    """A quoted string in which `${` and `%{` begin no template.

    `$${` says `${`, but of three dollars HCL takes the first two for themselves: those before the last are written by
    their number.
    """
    return re.sub(r"([$%]+)\{", _literal, quoted(text))


def _literal(found: "re.Match[str]") -> str:
    before, last = found[1][:-1], found[1][-1]
    return "".join(f"\\u{ord(char):04x}" for char in before) + f"{last}{last}{{"


def _label(text: str) -> str:
    """A name of a resource: letters, digits and underscores, and no digit first."""
    label = "_".join(words(text)).lower()
    return label if label and not label[0].isdigit() else f"policy_{label}"
