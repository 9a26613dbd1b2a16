"""What the identities of an account tell about each other: whom escalation paths lead to."""

from collections.abc import Iterable, Mapping
from operator import attrgetter

from shared.iam.actions import ActionSet
from shared.iam.grants import Grants, effective_grants
from shared.model.identity import IdentityDetail, IdentityType
from shared.model.principals import Principal, Principals
from shared.pci.escalation.holdings import Holdings
from shared.pci.escalation.population import Population
from shared.pci.escalation.self_escalation import OwnPower, customer_managed
from shared.pci.escalation.trust import trust_of
from shared.pci.known_paths import POWER_OVER_IAM, SELF_ESCALATION
from shared.pci.risk import RiskTable

# Roles that AWS alone can change, and that it alone or its single sign-on can assume: no path leads to them.
_OF_AWS = ("/aws-service-role/", "/aws-reserved/")


def principals_of(
    account_id: str,
    details: Iterable[tuple[IdentityDetail, Grants]],
    groups: Mapping[str, str],
    risk: RiskTable,
) -> Principals:
    """The users, groups and roles of an account, by its identities and what they hold (`effective_grants`).

    `groups` are the ARNs of all of its groups by their names. What belongs to other accounts is left out, and roles
    that AWS alone can change. The power of a group is known by its members; that of a group without any is unknown.

    Raises PolicyDocumentError where a policy of a group can't be read.
    """
    judge = _Judge(risk, groups)
    of_type: dict[IdentityType, list[Principal]] = {kind: [] for kind in IdentityType}
    for detail, grants in details:
        judge.see_groups(detail)
        if detail.ref.account_id == account_id and not detail.ref.path.startswith(_OF_AWS):
            of_type[detail.ref.type].append(_principal(detail, privileged=judge.is_privileged(detail, grants)))
    own = {name: arn for name, arn in groups.items() if arn.split(":")[4] == account_id}
    found = [Principal(arn=arn, privileged=judge.power.get(name)) for name, arn in own.items()]
    return Principals(
        account_id=account_id,
        users=_sorted(of_type[IdentityType.USER]),
        groups=_sorted(found),
        roles=_sorted(of_type[IdentityType.ROLE]),
    )


def _sorted(found: Iterable[Principal]) -> tuple[Principal, ...]:
    return tuple(sorted(found, key=attrgetter("arn")))


def _principal(detail: IdentityDetail, *, privileged: bool) -> Principal:
    if detail.ref.type is IdentityType.USER:
        return Principal(arn=detail.ref.arn, privileged=privileged)
    trust = trust_of(detail.trust, detail.ref.arn.split(":", 2)[1])
    return Principal(
        arn=detail.ref.arn,
        privileged=privileged,
        services=tuple(sorted(trust.services)),
        trusted=tuple(sorted(trust.trusted)),
        denied=tuple(sorted(trust.denied)),
        policies=tuple(customer_managed(detail)),
        instance_profile=detail.instance_profile,
    )


def _as_group(detail: IdentityDetail, name: str) -> IdentityDetail:
    """A member of a group with nothing but what the group gives it."""
    held = tuple(policy for policy in detail.policies if policy.source.group == name)
    return detail.model_copy(update={"policies": held, "boundary": None, "groups": (name,)})


class _Judge:
    """Says who is privileged (see `Principal`). To join one named group doesn't count, whatever its power.

    `power` says of the groups that were seen whether they give such power to one of their members.
    """

    def __init__(self, risk: RiskTable, groups: Mapping[str, str]) -> None:
        self.power: dict[str, bool] = {}
        self._given: dict[str, Grants] = {}
        self._catalogue = risk.catalogue
        self._groups = Population(groups.values())
        self._paths = [path for path in risk.paths if path.category == SELF_ESCALATION]
        keys = POWER_OVER_IAM.union(*(path.required for path in self._paths))
        unknown = frozenset(key for key in keys if key not in self._catalogue)
        self._wanted = ActionSet(self._catalogue.mask_of_keys(keys), unknown)

    def see_groups(self, member: IdentityDetail) -> None:
        for name in member.groups:
            alone = _as_group(member, name)
            if name not in self._given:
                self._given[name] = effective_grants(alone, self._catalogue)
            self.power[name] = self.power.get(name, False) or self.is_privileged(alone, self._given[name])

    def is_privileged(self, detail: IdentityDetail, grants: Grants) -> bool:
        if not grants.actions & self._wanted:
            return False
        holdings = Holdings(detail, grants, self._wanted)
        if any(map(holdings.broadly, POWER_OVER_IAM)):
            return True
        own = OwnPower(detail, holdings, self._groups, privileged=0)  # which groups are isn't known yet
        return any(own.gained_by(path) for path in self._paths)
