"""Which escalation paths an identity completes by what it holds, and whether the account has what they need.

Where the account's principals are known, a path counts if its permissions are granted without conditions (see
holdings.py) and reach a principal that fulfils the path's prerequisites, be it named or by a pattern. Where they aren't
known, the prerequisites are taken as given, and how broadly the permissions are granted stands in for the principals
that they reach: see RULE_OF_CATEGORY. What the identity is and which policies it has is known in any case, so only
groups are taken as given by which it could raise its own power.

Paths of existing-passrole take over a workload that already runs. No listing of IAM tells which workloads run, nor with
which roles, so they count only where the principals are known: if the permissions are granted on more than single named
workloads (WORKLOAD_OF_ACTION), and the account has a privileged role with which such a workload could run. That one
does is taken as given.

What no listing of IAM tells is taken as given in any case: that a managed policy with power exists, that an access
key or password can be added, that there is a subnet, a cluster, a bucket, a stack.

Source of the paths: pathfinding.cloud (shared/iam/data/SOURCE.md).
"""

from collections.abc import Iterator
from typing import NamedTuple

from shared.iam.actions import ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grants
from shared.model.identity import IdentityDetail
from shared.model.principals import Principals
from shared.pci.escalation.holdings import Holdings
from shared.pci.escalation.population import Population
from shared.pci.escalation.self_escalation import OwnPower
from shared.pci.escalation.targets import Targets
from shared.pci.known_paths import (
    ASSUMEROLE,
    EXISTING_PASSROLE,
    PASSROLE,
    SELF_ESCALATION,
    TARGET_OF_ACTION,
    WORKLOAD_OF_ACTION,
    EscalationPath,
    PathRule,
    Target,
)
from shared.pci.risk import RiskTable

_NOBODY = Population(())


class CompletedPath(NamedTuple):
    """A path of which every permission is held; `via` is an ARN that makes it possible, where the account was asked.

    That is, as the path has it: whom the identity takes over, the role that it passes, the role that the workload may
    run with which it takes over, the group, its own policy, or the identity itself. Of several the first privileged one
    by ARN.
    """

    path: EscalationPath
    via: str | None = None


class Paths:
    """Finds the paths that identities of one account complete; remembers what they share."""

    def __init__(self, risk: RiskTable, catalogue: Catalogue, principals: Principals | None = None) -> None:
        self._targets = None if principals is None else Targets(principals)
        countable = [path for path in risk.paths if principals is not None or path.rule is not PathRule.NEVER]
        countable.sort(key=lambda path: path.id)
        self._needed = [(path, actions_of(path.required, catalogue)) for path in countable]
        self._wanted = actions_of(frozenset[str]().union(*(path.required for path in countable)), catalogue)

    def completed(self, detail: IdentityDetail, grants: Grants) -> list[CompletedPath]:
        """Paths that the identity completes, used or not, in order of their ids."""
        held = grants.actions & self._wanted
        candidates = [path for path, needed in self._needed if _includes(held, needed)] if held else []
        if not candidates:
            return []
        holdings = Holdings(detail, grants, self._wanted)
        if self._targets is None:
            alone = OwnPower(detail, holdings, _NOBODY, privileged=0)
            return [CompletedPath(path) for path in candidates if _is_given(path, holdings, alone)]
        account = _Account(self._targets, detail, holdings)
        return [found for path in candidates if (found := account.complete(path))]


def completed_paths(
    detail: IdentityDetail, grants: Grants, risk: RiskTable, principals: Principals | None = None
) -> list[CompletedPath]:
    """Paths that one identity completes; `Paths` is for many. Without `principals` prerequisites are taken as given."""
    return Paths(risk, grants.catalogue, principals).completed(detail, grants)


class _Account:
    """One identity among the principals of its account."""

    def __init__(self, targets: Targets, detail: IdentityDetail, holdings: Holdings) -> None:
        self._targets = targets
        self._holdings = holdings
        self._ref = detail.ref
        self._own = OwnPower(detail, holdings, targets.of(Target.GROUP), targets.privileged(Target.GROUP))

    def complete(self, path: EscalationPath) -> CompletedPath | None:
        if path.category == SELF_ESCALATION:
            via = self._own.gained_by(path)
        elif path.category == EXISTING_PASSROLE:
            via = self._run_with(path)
        else:
            via = self._taken_by(path)
        return CompletedPath(path, via) if via else None

    def _run_with(self, path: EscalationPath) -> str | None:
        """ARN of a role with which a workload may run that the identity can take over by a path."""
        if not all(map(self._takes_over_many, path.required)):
            return None
        found = self._eligible(path, Target.ROLE) & ~self._targets.of(Target.ROLE).only(self._ref.arn)
        return self._targets.best(Target.ROLE, self._passed(path, found))

    def _takes_over_many(self, key: str) -> bool:
        """Whether an action reaches more than single named workloads; what isn't aimed at any is done beside it."""
        workloads = WORKLOAD_OF_ACTION.get(key)
        return self._holdings.on_many(key, workloads) if workloads else self._holdings.anywhere(key)

    def _taken_by(self, path: EscalationPath) -> str | None:
        """ARN of a principal that the identity takes over by a path, or that it passes."""
        aimed = [key for key in sorted(path.required) if key in TARGET_OF_ACTION]
        others = [key for key in path.required if key not in TARGET_OF_ACTION]
        # What is aimed at a principal decides; what the path creates beside it, it may as well create by a given name.
        held = self._holdings.anywhere if aimed else self._holdings.broadly
        if not all(map(held, others)):
            return None
        kind = _kind_taken(path)
        found = self._eligible(path, kind) & ~self._targets.of(kind).only(self._ref.arn)
        for key in aimed:
            if found and key != PASSROLE:
                found &= self._reached(key, kind)
        return self._targets.best(kind, self._passed(path, found) if found and path.needs.services else found)

    def _eligible(self, path: EscalationPath, kind: Target) -> int:
        """Principals that fulfil a path's prerequisites, whoever takes it."""
        found = self._targets.privileged(kind) if path.needs.privileged else self._targets.of(kind).everyone
        if path.needs.instance_profile:
            found &= self._targets.in_instance_profiles
        return found & self._targets.trusting(self._ref) if ASSUMEROLE in path.required else found

    def _passed(self, path: EscalationPath, roles: int) -> int:
        """Those of some roles that trust one of the path's services and can be passed to it, if the path passes any."""
        found = 0
        for service in path.needs.services:
            passable = roles & self._targets.trusting_service(service)
            if passable and PASSROLE in path.required:
                passable &= self._reached(PASSROLE, Target.ROLE, service)
            found |= passable
        return found

    def _reached(self, key: str, kind: Target, service: str | None = None) -> int:
        """Principals of a kind at which an action may be aimed: itself, or by a policy that they have."""
        if TARGET_OF_ACTION[key] is Target.POLICY:
            return self._targets.with_policies(self._holdings.reached(key, self._targets.policies))
        return self._holdings.reached(key, self._targets.of(kind), service)


def _kind_taken(path: EscalationPath) -> Target:
    """The kind of principal that a path takes over or passes; passing a role is what it is without any target."""
    kinds: Iterator[Target] = (TARGET_OF_ACTION[key] for key in sorted(path.required) if key in TARGET_OF_ACTION)
    return next((kind for kind in kinds if kind is not Target.POLICY), Target.ROLE)


def _is_given(path: EscalationPath, holdings: Holdings, own: OwnPower) -> bool:
    """Whether a path is completed if what only a listing of the account can tell is taken as given."""
    if path.rule is PathRule.BROADLY:
        return all(map(holdings.broadly, path.required))
    if any(TARGET_OF_ACTION[key] is Target.GROUP for key in path.required):
        return own.is_open(path) and all(map(holdings.anywhere, path.required))
    return own.gained_by(path) is not None


def _includes(held: ActionSet, needed: ActionSet) -> bool:
    return held.known & needed.known == needed.known and needed.unknown <= held.unknown
