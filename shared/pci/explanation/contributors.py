"""The unused permissions that add most to a score, each with what it adds and where it comes from. Pure."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from shared.iam.actions import ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.model.explanation import Contributor
from shared.model.score import RiskClass
from shared.pci.escalation.paths import CompletedPath
from shared.pci.explanation.provenance import Provenance
from shared.pci.explanation.whatif import WhatIf
from shared.pci.parameters import PCI_DIGITS
from shared.pci.reach.reaches import Reaches
from shared.pci.score import Part, Weighed

_CLASSES = tuple(RiskClass)
_NO_PATH = 1_000_000  # permissions: comes after any path


class _Standing(NamedTuple):
    """What an unused permission adds; many share the same numbers."""

    key: str
    part: Part
    risk: RiskClass
    paths: tuple[CompletedPath, ...]
    alone: float
    marginal: float

    @property
    def order(self) -> tuple[int, int, float, float, int, str]:
        """Worst first: what completes a path with the fewest others, by class; then what adds most by itself."""
        shortest = min((len(one.path.required) for one in self.paths), default=_NO_PATH)
        place = _CLASSES.index(self.risk) if self.paths else 0
        return (shortest, place, -max(self.alone, self.marginal), -self.marginal, -len(self.paths), self.key)


class Contributors:
    """Ranks the unused permissions of one weighed identity."""

    def __init__(
        self, weighed: Weighed, what_if: WhatIf, provenance: Provenance, reaches: Reaches, catalogue: Catalogue
    ) -> None:
        self._weighed = weighed
        self._what_if = what_if
        self._provenance = provenance
        self._reaches = reaches
        self._catalogue = catalogue
        self._pci = what_if.pci()

    def top(self, count: int) -> tuple[Contributor, ...]:
        """The worst ones. Those of the same class, reach and paths tie, in the order of their names."""
        worst = heapq.nsmallest(count, self._standings(count), key=lambda one: one.order)
        return tuple(map(self._contributor, worst))

    def _standings(self, count: int) -> Iterator[_Standing]:
        for part in self._weighed.unused:
            for risk, actions in self._what_if.by_class(part.actions):
                for key in (actions & self._what_if.decisive).keys(self._catalogue):
                    yield self._standing(key, part, risk)
                plain = (actions - self._what_if.decisive).keys(self._catalogue)[:count]
                if plain:  # they share their numbers: the first stands for all
                    first = self._standing(plain[0], part, risk)
                    yield from (first._replace(key=key) for key in plain)

    def _standing(self, key: str, part: Part, risk: RiskClass) -> _Standing:
        own = self._set(key)
        paths = tuple(self._what_if.paths_with(own))
        return _Standing(
            key=key,
            part=part,
            risk=risk,
            paths=paths,
            alone=self._what_if.alone(risk, part.reach, in_path=bool(paths)),
            marginal=round(self._pci - self._what_if.pci(own), PCI_DIGITS),
        )

    def _contributor(self, standing: _Standing) -> Contributor:
        part = standing.part
        return Contributor(
            action=self._catalogue.name(standing.key),
            risk=standing.risk,
            reach=part.reach,
            by_pattern=part.by_pattern,
            resources=None if part.by_pattern else self._reaches.resources([(self._set(standing.key), part.grants)]),
            conditional=all(grant.conditional for grant in part.grants),
            paths=tuple(one.path.id for one in standing.paths),
            alone=standing.alone,
            marginal=standing.marginal,
            sources=self._provenance.of(part.grants),
        )

    def _set(self, key: str) -> ActionSet:
        return actions_of(frozenset({key}), self._catalogue)
