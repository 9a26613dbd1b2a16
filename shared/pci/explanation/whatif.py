"""The formula over one identity's unused permissions, to be asked again without some of them. Pure.

Exact and cheap: taking away a permission that is unused changes the mass of its class and the paths that need it, and
nothing else, so that no policy has to be read again. Some paths through a group need more than their own permissions:
that the identity can join it.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from shared.iam.actions import NO_ACTIONS, ActionSet, actions_of
from shared.model.explanation import ClassTerm
from shared.model.score import RiskClass
from shared.pci.escalation.paths import CompletedPath
from shared.pci.known_paths import ADDUSERTOGROUP
from shared.pci.parameters import PCI_DIGITS
from shared.pci.risk import RiskTable
from shared.pci.score import ScoreParameters, Weighed
from shared.pci.weighing import WHOLE_REACH, levels_of


class WhatIf:
    """What the PCI of a weighed identity would be without some of its unused permissions."""

    def __init__(
        self,
        weighed: Weighed,
        risk: RiskTable,
        parameters: ScoreParameters,
        joining: AbstractSet[str] = frozenset(),
    ) -> None:
        """Take what `Scoring.weigh` said.

        `joining` are the ids of paths that are completed only because the identity can join a group.
        """
        self._weighed = weighed
        self._parameters = parameters
        self._risk = risk
        join = actions_of(frozenset({ADDUSERTOGROUP}), risk.catalogue)
        self._required = [(path, actions_of(path.path.required, risk.catalogue)) for path in weighed.paths]
        self._needed = [
            (path, required | join if path.path.id in joining else required) for path, required in self._required
        ]

    @cached_property
    def unused(self) -> ActionSet:
        """Every unused permission."""
        found = NO_ACTIONS
        for part in self._weighed.unused:
            found |= part.actions
        return found

    def by_class(self, actions: ActionSet) -> Iterator[tuple[RiskClass, ActionSet]]:
        """Actions by class, those that have any, worst class first."""
        return ((risk, found) for risk in RiskClass if (found := self._risk.of_class(risk, actions)))

    def paths(self, without: ActionSet = NO_ACTIONS) -> list[CompletedPath]:
        """Completed paths that would be completed without these permissions."""
        return [path for path, needed in self._needed if not needed & without]

    @cached_property
    def decisive(self) -> ActionSet:
        """Permissions without any of which a path would not be completed."""
        return functools.reduce(ActionSet.__or__, (needed for _, needed in self._needed), NO_ACTIONS)

    def paths_with(self, actions: ActionSet) -> list[CompletedPath]:
        """Completed paths that consist of one of these permissions, among others."""
        return [path for path, required in self._required if required & actions]

    def terms(self, without: ActionSet = NO_ACTIONS) -> tuple[ClassTerm, ...]:
        """The factors of the product: every class with unused permissions, and escalation where a path is completed."""
        completed = bool(self.paths(without))
        return tuple(
            self._term(risk, count, mass, by_path=completed and risk is RiskClass.ESCALATION)
            for risk, count, mass in self._masses(without)
            if count or (completed and risk is RiskClass.ESCALATION)
        )

    def pci(self, without: ActionSet = NO_ACTIONS) -> float:
        """The PCI without these permissions, rounded as scores are."""
        return round(100 * (1 - survival_of(self.terms(without))), PCI_DIGITS)

    def alone(self, risk: RiskClass, reach: float, *, in_path: bool) -> float:
        """The PCI if of all permissions only this one were unused; `in_path` where a completed path needs it."""
        terms = [self._term(risk, 1, reach, by_path=in_path and risk is RiskClass.ESCALATION)]
        if in_path and risk is not RiskClass.ESCALATION:
            terms.append(self._term(RiskClass.ESCALATION, 0, 0.0, by_path=True))
        return round(100 * (1 - survival_of(terms)), PCI_DIGITS)

    @cached_property
    def _cells(self) -> Sequence[tuple[RiskClass, int, ActionSet]]:
        """Unused permissions of the same class and reach: (class, reach in units, permissions)."""
        levels = levels_of(self._weighed)
        return [(risk, units, own) for units, level in levels for risk, own in self.by_class(level)]

    def _masses(self, without: ActionSet) -> Iterator[tuple[RiskClass, int, float]]:
        """Number and mass of what is left of each class; in whole units, so that no order of adding up shows."""
        counts, masses = dict.fromkeys(RiskClass, 0), dict.fromkeys(RiskClass, 0)
        for risk, units, actions in self._cells:
            left = (actions - without).size if without else actions.size
            counts[risk] += left
            masses[risk] += left * units
        return ((risk, counts[risk], masses[risk] / WHOLE_REACH) for risk in RiskClass)

    def _term(self, risk: RiskClass, unused: int, mass: float, *, by_path: bool) -> ClassTerm:
        weight = self._parameters.weights[risk]
        chance = weight.alpha if by_path else self._parameters.chance(risk, mass)
        return ClassTerm(
            risk=risk,
            unused=unused,
            mass=mass,
            alpha=weight.alpha,
            kappa=weight.kappa,
            by_path=by_path,
            chance=chance,
            survival=1 - chance,
        )


def survival_of(terms: Sequence[ClassTerm]) -> float:
    """The product over all classes: the chance that nothing strikes."""
    return math.prod(term.survival for term in terms)
