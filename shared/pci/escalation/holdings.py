"""What an identity holds of the actions that escalation paths need, and which ARNs its grants of them reach.

A grant under conditions holds nothing here, and a Deny under conditions takes nothing away, with one exception: where a
PassRole only says to which services (`iam:PassedToService`), a path settles it, which passes the role to a service that
it names.
"""

import re
from collections.abc import Iterable

from shared.iam.actions import ActionSet, admits
from shared.iam.conditions.model import Condition, Operator
from shared.iam.grants import Grant, Grants
from shared.iam.patterns import globs
from shared.iam.policy import Statement
from shared.iam.scopes import Scope, Scoped, covers_pattern, may_overlap
from shared.model.identity import IdentityDetail, IdentityType
from shared.pci.escalation.population import Certainty, Population

_USERNAME = re.compile(r"\$\{aws:username\}", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_RESOURCE = 5  # the place of the resource among the parts of an ARN
_PASSED_TO = "iam:passedtoservice"
_NAMING = frozenset({Operator.STRING_EQUALS, Operator.STRING_EQUALS_IGNORE_CASE, Operator.STRING_LIKE})


class Holdings:
    """The grants of one identity that speak of `wanted` actions, by lower-case action."""

    def __init__(self, detail: IdentityDetail, grants: Grants, wanted: ActionSet) -> None:
        self._partition = detail.ref.arn.split(":", 2)[1]
        self._username = detail.ref.name if detail.ref.type is IdentityType.USER else None
        self._grants: dict[str, list[Grant]] = {}
        for grant in grants.grants:
            for key in (grant.actions & wanted).keys(grants.catalogue):
                self._grants.setdefault(key, []).append(grant)

    def anywhere(self, key: str) -> bool:
        """Whether an action is granted without conditions, on whatever resource."""
        return any(not grant.conditional for grant in self._grants.get(key, ()))

    def broadly(self, key: str) -> bool:
        """Whether an action is granted without conditions, on more than single named resources."""
        return any(not grant.conditional and _is_broad(grant) for grant in self._grants.get(key, ()))

    def on_many(self, key: str, workloads: str) -> bool:
        """Whether an action is granted without conditions on more than single named ones of some workloads.

        These are an ARN pattern from the service on (`lambda:*:*:function:*`).
        """
        everyone = f"arn:{self._partition}:{workloads}"
        return any(
            not grant.conditional
            and _admits_many(grant, everyone)
            and all(_admits_many(scope, everyone) for scope in grant.within)
            and not any(_surely_denies(deny, key) and covers_pattern(deny, everyone) for deny in grant.unless)
            for grant in self._grants.get(key, ())
        )

    def reached(self, key: str, population: Population, service: str | None = None) -> int:
        """Mask of the ARNs on which an action is granted, to be passed to `service` if it is PassRole."""
        found = 0
        for grant in self._grants.get(key, ()):
            if not grant.conditional or (service and _passes_to(grant.conditions, service)):
                found |= self._reached_by(grant, key, population, service)
        return found

    def _reached_by(self, grant: Grant, key: str, population: Population, service: str | None) -> int:
        found = self._mask(grant, population, Certainty.POSSIBLE)
        for scope in grant.within:
            found &= self._mask(scope, population, Certainty.POSSIBLE)
        for deny in grant.unless:
            if _surely_denies(deny, key, service):
                found &= ~self._mask(deny, population, Certainty.SURE)
        return found

    def _mask(self, scope: Scoped, population: Population, certainty: Certainty) -> int:
        """The ARNs that a scope reaches: surely, or possibly."""
        if scope.resources:
            return self._matched(scope.resources, population, certainty)
        opposite = Certainty.SURE if certainty is Certainty.POSSIBLE else Certainty.POSSIBLE
        return population.everyone & ~self._matched(scope.not_resources, population, opposite)

    def _matched(self, patterns: Iterable[str], population: Population, certainty: Certainty) -> int:
        found = 0
        for pattern in patterns:
            own = self._own(pattern) if "${" in pattern else pattern
            if own is not None:
                found |= population.reached(own, certainty)
        return found

    def _own(self, pattern: str) -> str | None:
        """A pattern with the identity's own name put in; None where it has none, since then nothing matches."""
        if self._username is None:
            return None if _USERNAME.search(pattern) else pattern
        return _USERNAME.sub(self._username, pattern)


def _is_broad(grant: Grant) -> bool:
    """Whether a grant isn't tied to single named resources."""
    return not grant.resources or any(map(globs.is_wild, grant.resources))


def _admits_many(scope: Scoped, everyone: str) -> bool:
    """Whether a scope isn't tied to single named workloads of those that a pattern stands for."""
    if not scope.resources:
        return not any(globs.covers(spared, everyone) for spared in scope.not_resources)
    return any(
        _names_many(pattern) and may_overlap(Scope((pattern,)), Scope((everyone,))) for pattern in scope.resources
    )


def _names_many(pattern: str) -> bool:
    """Whether the name in an ARN pattern is open, be it so by its type; not its region, its account or what follows."""
    parts = _VARIABLE.sub("-", pattern).split(":", 5)
    if len(parts) <= _RESOURCE:
        return globs.is_wild(pattern)
    return any(map(globs.is_wild, re.split("[:/]", parts[_RESOURCE])[:2]))


def _surely_denies(deny: Statement, key: str, service: str | None = None) -> bool:
    """Whether a Deny takes an action away from what it reaches; where there is a `service`, PassRole to it."""
    applies = not deny.conditional or (service is not None and _passes_to(deny.conditions, service))
    return applies and admits(deny, key)


def _passes_to(conditions: Iterable[Condition], service: str) -> bool:
    """Whether all that a statement on PassRole asks is that the role be passed to a service such as this one."""
    return all(
        condition.key == _PASSED_TO
        and condition.operator in _NAMING
        and any(globs.matches(value.lower(), service) for value in condition.values)
        for condition in conditions
    )
