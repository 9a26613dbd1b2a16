"""How an identity can raise its own power: by a policy of its own, of its group, or by joining a group."""

from functools import cached_property

from shared.model.identity import IdentityDetail
from shared.pci.escalation.holdings import Holdings
from shared.pci.escalation.population import Population
from shared.pci.known_paths import ADDUSERTOGROUP, TARGET_OF_ACTION, EscalationPath, Target

_AWS_MANAGED = ":iam::aws:policy/"


class OwnPower:
    """The paths of self-escalation of one identity; `groups` are those of its account, `privileged` a mask of them."""

    def __init__(self, detail: IdentityDetail, holdings: Holdings, groups: Population, privileged: int) -> None:
        self._holdings = holdings
        self._detail = detail
        self._groups = groups
        self._privileged = privileged

    @cached_property
    def _itself(self) -> Population:
        return Population([self._detail.ref.arn])

    @cached_property
    def _policies(self) -> Population:
        return Population(customer_managed(self._detail))

    @cached_property
    def _own_groups(self) -> Population:
        return Population(_own_groups(self._detail, self._groups))

    def is_open(self, path: EscalationPath) -> bool:
        """Whether a path is for identities of this kind."""
        return path.needs.principal in {None, self._detail.ref.type}

    def gained_by(self, path: EscalationPath) -> str | None:
        """ARN of what a path gives the identity more power by (itself, its policy, a group), None if it gives none."""
        if not self.is_open(path):
            return None
        gains = [self._gained(key, path) for key in sorted(path.required)]
        return gains[0] if all(gains) else None

    def _gained(self, key: str, path: EscalationPath) -> str | None:
        target = TARGET_OF_ACTION.get(key)
        if key == ADDUSERTOGROUP:
            return self._joined(path)
        if target is Target.GROUP:
            return self._through_group(key)
        mine = self._policies if target is Target.POLICY else self._itself
        return mine.first(self._holdings.reached(key, mine))

    def _joined(self, path: EscalationPath) -> str | None:
        """A group that the identity can join and isn't a member of."""
        powerful = self._privileged if path.needs.privileged else self._groups.everyone
        return self._groups.first(self._joinable() & powerful)

    def _through_group(self, key: str) -> str | None:
        """A group whose policies the identity can change, and of which it is a member or can become one."""
        own = self._own_groups.first(self._holdings.reached(key, self._own_groups))
        return own or self._groups.first(self._holdings.reached(key, self._groups) & self._joinable())

    def _joinable(self) -> int:
        return self._holdings.reached(ADDUSERTOGROUP, self._groups) & ~self._groups.mask(self._own_groups.arns)


def customer_managed(detail: IdentityDetail) -> list[str]:
    """ARNs of the customer-managed policies that an identity has, through groups too; its boundary grants nothing."""
    arns = {policy.source.arn for policy in detail.policies if policy.source.arn}
    return sorted(arn for arn in arns if _AWS_MANAGED not in arn)


def _own_groups(detail: IdentityDetail, groups: Population) -> list[str]:
    """ARNs of the groups that an identity is a member of; of one that isn't listed yet, as it is without a path."""
    if not detail.groups:
        return []
    listed = {arn.rsplit("/", 1)[-1]: arn for arn in groups.arns}
    prefix = ":".join([*detail.ref.arn.split(":")[:5], "group/"])
    return [listed.get(name, prefix + name) for name in detail.groups]
