"""What an identity holds, parted by what is known of its use: everything that a score, or its explanation, rests on."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.evidence import Judge, Trail
from shared.iam.actions import NO_ACTIONS, ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant, Grants, effective_grants
from shared.iam.operations import OperationMap
from shared.model.finding import EvidenceCode, Standing, Window, codes_of
from shared.model.identity import IdentityDetail
from shared.model.inventory import Inventory
from shared.model.last_accessed import LastAccessed
from shared.model.principals import Principals
from shared.model.score import CoverageSummary, ReachSource
from shared.model.usage import Usage
from shared.pci.applicable import applicable_of
from shared.pci.escalation.paths import CompletedPath, Paths
from shared.pci.reach.reaches import Reaches
from shared.pci.risk import RiskTable

REACH_DIGITS = 6
WHOLE_REACH: int = 10**REACH_DIGITS
_REMEMBERED_SUMMARIES = 8
_MOST_UNKNOWN_PATTERNS = 10

_USED = codes_of(Standing.USED)
# Neither used nor unused. Where no trail was seen there is no usage to tell apart, and what is held counts as unused.
_APART = tuple(
    code for code in codes_of(Standing.POSSIBLE, Standing.UNOBSERVABLE) if code != EvidenceCode.TRAIL_NOT_SEEN
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the account around an identity; None is what nobody could tell.

    `templates` (shared/reference.load_operations) say which resources an action is about: without them an inventory
    can't be used, and actions count as held on resources that they can't be used on. `service_control_policies` are the
    documents in force at each level of the organization, root first.
    """

    inventory: Inventory | None = None
    templates: OperationMap | None = None
    principals: Principals | None = None
    service_control_policies: tuple[tuple[Mapping[str, Any], ...], ...] | None = None


UNKNOWN = Surroundings()


class Part(NamedTuple):
    """Unused actions that the same grants grant, with the same reach ρ, rounded to REACH_DIGITS."""

    actions: ActionSet
    grants: tuple[Grant, ...]
    reach: float
    by_pattern: bool


@dataclass(frozen=True, slots=True)
class Weighed:
    """What an identity holds, parted by what is known of its use: `used`, `unused` and `unobservable` share nothing.

    `codes` says why each granted action stands as it does; `paths` are those with at least one unused permission.
    """

    detail: IdentityDetail
    grants: Grants
    used: ActionSet
    unobservable: ActionSet
    unused: tuple[Part, ...]
    codes: Mapping[EvidenceCode, ActionSet]
    paths: tuple[CompletedPath, ...]
    reach: float  # mean ρ of the unused permissions
    resources: int | None
    coverage: CoverageSummary


class Weighing:
    """Weighs the identities of one account in one window; remembers what they share."""

    def __init__(
        self, catalogue: Catalogue, risk: RiskTable, *, now: datetime, window_days: int, surroundings: Surroundings
    ) -> None:
        self._catalogue = catalogue
        self._window_days = window_days
        self._surroundings = surroundings
        templates = surroundings.templates
        self._inventory = surroundings.inventory if templates else None
        self._applicable = None if templates is None else applicable_of(catalogue, templates)
        self._judge = Judge(catalogue, Window.before(now, window_days))
        self._reaches = Reaches(catalogue, self._inventory, templates)
        self._completed = Paths(risk, catalogue, surroundings.principals).completed
        self._summary_of = functools.lru_cache(_REMEMBERED_SUMMARIES)(self._summarise)

    def weigh(self, detail: IdentityDetail, usage: Usage, last_accessed: LastAccessed | None) -> Weighed:
        """Say what an identity holds and what is known of its use. Raises PolicyDocumentError."""
        grants = effective_grants(detail, self._catalogue, self._surroundings.service_control_policies)
        if self._applicable is not None:
            grants = self._applicable.narrowed(grants)
        codes = self._judge.weigh(grants.actions, usage, last_accessed)
        used, unobservable = _union(codes, _USED), _union(codes, _APART)
        apart = used | unobservable
        unused = self._unused(grants, apart)
        sizes = [part.actions.size for part in unused]
        count = sum(sizes)
        total = sum(size * reach_units(part) for size, part in zip(sizes, unused, strict=True))
        by_pattern = sum(size for size, part in zip(sizes, unused, strict=True) if part.by_pattern)
        summary = self._summary_of(self._judge.trail(usage.coverage))
        return Weighed(
            detail=detail,
            grants=grants,
            used=used,
            unobservable=unobservable,
            unused=unused,
            codes=codes,
            paths=self._paths(detail, grants, apart),
            reach=total / (count * WHOLE_REACH) if count else 0.0,
            resources=self._reaches.resources((part.actions, part.grants) for part in unused),
            coverage=summary.model_copy(
                update={
                    "last_accessed": last_accessed is not None,
                    "by_pattern": 0 if self._inventory is None else by_pattern,
                    "unknown_patterns": _unknown_patterns(grants),
                }
            ),
        )

    def _unused(self, grants: Grants, apart: ActionSet) -> tuple[Part, ...]:
        return tuple(
            Part(actions, part.grants, round(reach, REACH_DIGITS), by_pattern)
            for part in grants.classes
            if (left := part.actions - apart)
            for actions, reach, by_pattern in self._reaches.parts(left, part.grants)
        )

    def _paths(self, detail: IdentityDetail, grants: Grants, apart: ActionSet) -> tuple[CompletedPath, ...]:
        """Completed paths of which at least one permission is unused."""
        found = self._completed(detail, grants)
        return tuple(one for one in found if actions_of(one.path.required, self._catalogue) - apart)

    def _summarise(self, trail: Trail) -> CoverageSummary:
        """What all identities of the same coverage share."""
        inventory, window, seen = self._inventory, self._judge.window, trail.coverage
        last = window.end.date()
        first = last - timedelta(days=self._window_days - 1)  # whole days: the window begins within the one before
        gaps = seen.gaps(first, last)
        return CoverageSummary(
            window_days=self._window_days,
            observed_days=sum(first <= day <= last for day in seen.seen),
            longest_gap_days=max(((last - first).days + 1 for first, last in gaps), default=0),
            regions=tuple(sorted(seen.regions)),
            feeds=tuple(sorted(seen.feeds)),
            reads=trail.reads,
            data_events=tuple(sorted(trail.data_events)),
            reach=ReachSource.PATTERN if inventory is None else ReachSource.INVENTORY,
            resources=None if inventory is None else len(inventory.arns),
            inventory_at=None if inventory is None else inventory.read_at,
            principals=self._surroundings.principals is not None,
        )


def reach_units(part: Part) -> int:
    """Reach of a part in units of 1 / WHOLE_REACH: sums of whole numbers don't depend on their order."""
    return round(part.reach * WHOLE_REACH)


def levels_of(weighed: Weighed) -> list[tuple[int, ActionSet]]:
    """Unused actions by reach (in units of 1 / WHOLE_REACH), widest reach first."""
    levels: dict[int, ActionSet] = {}
    for part in weighed.unused:
        units = reach_units(part)
        levels[units] = levels.get(units, NO_ACTIONS) | part.actions
    return sorted(levels.items(), key=lambda level: -level[0])


def _unknown_patterns(grants: Grants) -> tuple[str, ...]:
    """The first of the wildcards in which the catalogue knows no action."""
    return tuple(sorted(frozenset(map(str.lower, grants.unknown_patterns)))[:_MOST_UNKNOWN_PATTERNS])


def _union(codes: Mapping[EvidenceCode, ActionSet], wanted: Iterable[EvidenceCode]) -> ActionSet:
    return functools.reduce(ActionSet.__or__, (own for code in wanted if (own := codes[code])), NO_ACTIONS)
