"""The principals of an account, indexed by what escalation paths ask of them. Each answer is a mask of one kind."""

import functools
from collections.abc import Iterable, Mapping, Sequence

from shared.model.identity import IdentityRef, IdentityType
from shared.model.principals import ANYONE, Principal, Principals
from shared.pci.escalation.population import Population
from shared.pci.known_paths import Target

_REMEMBERED = 256  # sets of policies: most identities that may change one may change all


class Targets:
    """Whom the identities of one account could become, change, or pass on."""

    def __init__(self, principals: Principals) -> None:
        listed = {Target.USER: principals.users, Target.GROUP: principals.groups, Target.ROLE: principals.roles}
        self._of = {kind: Population(one.arn for one in found) for kind, found in listed.items()}
        self._privileged = {
            kind: self._of[kind].mask(one.arn for one in found if one.privileged is not False)
            for kind, found in listed.items()
        }
        roles = principals.roles
        self.in_instance_profiles = self.of(Target.ROLE).mask(role.arn for role in roles if role.instance_profile)
        self._by_service = self._indexed((service, role) for role in roles for service in role.services)
        self._by_trusted = self._indexed((name, role) for role in roles for name in role.trusted)
        self._by_denied = self._indexed((name, role) for role in roles for name in role.denied)
        self._by_policy = self._indexed((policy, role) for role in roles for policy in role.policies)
        self.policies = Population(self._by_policy)
        self.with_policies = functools.lru_cache(_REMEMBERED)(self._with_policies)

    def of(self, kind: Target) -> Population:
        """The users, the groups, or the roles."""
        return self._of[kind]

    def privileged(self, kind: Target) -> int:
        """Those that have power already, or may have it."""
        return self._privileged[kind]

    def trusting_service(self, service: str) -> int:
        """Roles that a service may assume."""
        return self._by_service.get(service, 0) | self._by_service.get(ANYONE, 0)

    def trusting(self, ref: IdentityRef) -> int:
        """Roles that an identity may assume as far as their trust policies say, by its own name or its account's."""
        names = _names(ref)
        return _any(self._by_trusted, names) & ~_any(self._by_denied, names)

    def _with_policies(self, policies: int) -> int:
        """Roles to which one of these customer-managed policies (a mask of `policies`) is attached."""
        return _any(self._by_policy, self.policies.chosen(policies))

    def best(self, kind: Target, mask: int) -> str | None:
        """The ARN to name of a mask: of the privileged ones, if there are, the first; None of an empty mask."""
        return self._of[kind].first(mask & self._privileged[kind] or mask)

    def _indexed(self, pairs: Iterable[tuple[str, Principal]]) -> Mapping[str, int]:
        """Masks of roles by what they name."""
        found: dict[str, list[str]] = {}
        for name, role in pairs:
            found.setdefault(name, []).append(role.arn)
        return {name: self.of(Target.ROLE).mask(arns) for name, arns in found.items()}


def _names(ref: IdentityRef) -> Sequence[str]:
    """What a trust policy can call an identity: itself, everyone of its account, anyone, or a session of a role."""
    partition = ref.arn.split(":", 2)[1]
    names = [ANYONE, ref.arn, f"arn:{partition}:iam::{ref.account_id}:root"]
    if ref.type is IdentityType.ROLE:
        names.append(f"arn:{partition}:sts::{ref.account_id}:assumed-role/{ref.name}")
    return names


def _any(masks: Mapping[str, int], names: Iterable[str]) -> int:
    found = 0
    for name in names:
        found |= masks.get(name, 0)
    return found
