"""What a PATCH asks of the code that manages an identity, before it is written for one tool. Pure."""

import itertools
import re
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from services.remediator.changing.fingerprint import digest
from shared.model.identity import IdentityRef
from shared.model.plan import Plan, Snapshot
from shared.model.sources import PolicyKind, PolicySource

MAX_POLICY_NAME = 128  # IAM's limit
OF_AWS = ":iam::aws:policy/"  # in the ARN of every policy of AWS's own: nobody else can change its document
_MARK = 8  # characters of the digest that ends each name of ours
_MARKED = re.compile(rf"-[0-9a-f]{{{_MARK}}}$")
OF_GROUPS = frozenset({PolicyKind.GROUP_INLINE, PolicyKind.GROUP_MANAGED})


class PolicyChange(NamedTuple):
    """One policy as it is to be: in-line with the name that it has, or a managed one of a name of its own.

    `replaces` is the policy in force whose place it takes, `alone` or with others of the same; None where it takes that
    of what came through groups.
    """

    name: str
    document: Mapping[str, Any]
    is_inline: bool
    replaces: PolicySource | None
    alone: bool = True

    def title(self, identity: IdentityRef) -> str:
        """What a resource can be named after: the name of a managed policy has the identity's in it already."""
        return f"{identity.name} {self.name}" if self.is_inline else self.name

    def about(self) -> list[str]:
        """What a person should know of a managed policy, a sentence each."""
        if self.replaces is None:
            return ["Takes the place of what came through groups."]
        told = [f"Takes the place of {self.replaces.arn}."]
        if self.alone and OF_AWS not in (self.replaces.arn or ""):
            told.append("If nobody else holds that one, write this document into it instead, and leave it attached.")
        return told


class Patch(NamedTuple):
    """All changes of one identity; `drops` are policies to take off, `groups` the user's groups that gave them."""

    identity: IdentityRef
    changes: tuple[PolicyChange, ...]
    drops: tuple[PolicySource, ...]
    groups: tuple[str, ...]

    def taken_off(self) -> tuple[PolicySource, ...]:
        """The policies that the identity is to hold no more, each once."""
        replaced = (one.replaces for one in self.changes if one.replaces and not one.is_inline)
        return tuple(dict.fromkeys([*replaced, *self.drops]))


def patch_of(plan: Plan, snapshot: Snapshot) -> Patch:
    """The changes of a PATCH plan, in the plan's order.

    An in-line policy is narrowed in its place. A managed one may be AWS's or shared, so that a new one takes its place
    for this identity alone; what came through groups becomes a new one, too, and the groups are to be left.
    """
    drops = tuple(source for source in plan.drops if source.kind not in OF_GROUPS)
    gone = {source.group for source in plan.drops if source.group}
    groups = tuple(group for group in snapshot.groups if group in gone)
    parts = Counter(policy.source for policy in plan.policies)
    taken = {policy.source.name for policy in snapshot.policies}
    changes = []
    for policy in plan.policies:
        change = _change(plan.identity, policy.document, policy.source, taken)
        changes.append(change._replace(alone=parts[policy.source] == 1))
        taken.add(change.name)
    return Patch(plan.identity, tuple(changes), drops, groups)


def _change(
    identity: IdentityRef, document: Mapping[str, Any], source: PolicySource | None, taken: AbstractSet[str]
) -> PolicyChange:
    if source is not None and source.kind is PolicyKind.INLINE:
        return PolicyChange(source.name, document, is_inline=True, replaces=source)
    return PolicyChange(_managed_name(identity, source, taken), document, is_inline=False, replaces=source)


def _managed_name(identity: IdentityRef, source: PolicySource | None, taken: AbstractSet[str]) -> str:
    """A name that no other policy of the account has: IAM wants that, whoever holds them.

    The digest at its end tells apart users from roles, sources of one name, and names that had to be cut. What an
    earlier patch put around a name goes first, so that names don't grow from patch to patch.
    """
    own = source.name if source is not None else "groups"
    plain = f"{identity.name}-{_MARKED.sub('', own.removeprefix(f'{identity.name}-'))}"[: MAX_POLICY_NAME - _MARK - 1]
    marks = (digest([identity.type, identity.identity_id, source, part])[:_MARK] for part in itertools.count())
    return next(name for mark in marks if (name := f"{plain}-{mark}") not in taken)
