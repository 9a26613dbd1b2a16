"""The Privilege Creep Index (PCI) of an identity and of an account: pure arithmetic over grants and usage.

Per risk class k, with m_k = Σ ρ over the unused granted actions of k: s_k = α_k · (1 − exp(−(m_k / κ_k)^γ)), and
PCI = 100 · (1 − Π_k (1 − s_k)): each class is a chance of damage, the PCI is the chance that at least one strikes.
A completed escalation path counts as s = α of its class. Absolute and saturating, so that the score doesn't drift as
AWS adds actions. Source: this project's own metric, calibrated on AWS managed policies in tests/unit/test_score.py.
"""

import heapq
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from shared.evidence import in_window, reads_recorded, recorded_data_events, weigh
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant, effective_grants
from shared.model.finding import EvidenceCode, Standing, Window
from shared.model.identity import IdentityDetail
from shared.model.last_accessed import LastAccessed
from shared.model.score import AccountScore, Band, Contribution, CoverageSummary, RiskClass, Score
from shared.model.usage import Coverage, Usage
from shared.pci.reach import REACH_OF_ONE, Reaches
from shared.pci.risk import EscalationPath, PathRule, RiskTable

MAX_EXAMPLES = 5
_PCI_DIGITS = 6


class ClassWeight(NamedTuple):
    """How bad a class is at most (α), and the unused reach (κ) at which it comes near that."""

    alpha: float
    kappa: float


_PCI_1_WEIGHTS: Mapping[RiskClass, ClassWeight] = MappingProxyType(
    {
        RiskClass.ESCALATION: ClassWeight(0.95, 3),
        RiskClass.CREDENTIAL_EXPOSURE: ClassWeight(0.7, 15),
        RiskClass.RESOURCE_EXPOSURE: ClassWeight(0.6, 40),
        RiskClass.DATA_ACCESS: ClassWeight(0.6, 25),
        RiskClass.DESTRUCTIVE: ClassWeight(0.6, 1500),
        RiskClass.WRITE: ClassWeight(0.5, 400),
        RiskClass.TAGGING: ClassWeight(0.1, 80),
        RiskClass.READ: ClassWeight(0.25, 7500),
        RiskClass.LIST: ClassWeight(0.1, 135),
    }
)


@dataclass(frozen=True, slots=True)
class ScoreParameters:
    """The versioned parameters of the formula; a score names the version that it was made with."""

    version: str = "pci-1"
    gamma: float = 0.55
    weights: Mapping[RiskClass, ClassWeight] = field(default_factory=lambda: _PCI_1_WEIGHTS)


class _Permissions(NamedTuple):
    """The granted actions (lower-case) by what is known of their use; `unused` with their reach."""

    used: frozenset[str]
    unused: Mapping[str, float]
    unobservable: frozenset[str]


def score_identity(
    detail: IdentityDetail,
    usage: Usage,
    catalogue: Catalogue,
    risk: RiskTable,
    parameters: ScoreParameters,
    *,
    now: datetime,
    window_days: int,
    last_accessed: LastAccessed | None = None,
) -> Score:
    """Score one identity at `now` by its use in the `window_days` before.

    What IAM says was last accessed decides, where it is given, about actions that no trail could show. Raises
    PolicyDocumentError where one of its policies can't be read.
    """
    granted = effective_grants(detail, catalogue).by_action
    window = Window.before(now, window_days)
    permissions = _sort_by_use(granted, usage, catalogue, window, last_accessed)
    paths = _completed_paths(granted, permissions.unused, risk)
    contributions = _contributions(permissions.unused, paths, catalogue, risk, parameters)
    survival = math.prod(1 - worst for worst in _chances(contributions).values())
    reaches = permissions.unused.values()
    return Score(
        identity=detail.ref,
        pci=round(100 * (1 - survival), _PCI_DIGITS),
        model_version=parameters.version,
        catalogue_version=catalogue.version,
        scored_at=now,
        granted=len(granted),
        used=len(permissions.used),
        unused=len(permissions.unused),
        unobservable=len(permissions.unobservable),
        reach=min(1.0, math.fsum(reaches) / len(reaches)) if reaches else 0.0,
        contributions=contributions,
        coverage=_summary(usage.coverage, window, window_days, told_by_iam=last_accessed is not None),
    )


def score_account(scores: Sequence[Score], account_id: str, excluded: int, now: datetime) -> AccountScore:
    """Root mean square over the scored identities of an account, 0 without any; `excluded` ones are left out."""
    mean_square = math.fsum(score.pci**2 for score in scores) / len(scores) if scores else 0.0
    bands = Counter(score.band for score in scores)
    return AccountScore(
        account_id=account_id,
        pci=min(100.0, round(math.sqrt(mean_square), _PCI_DIGITS)),
        identities=len(scores),
        excluded=excluded,
        by_band={band: bands[band] for band in Band},
        scored_at=now,
    )


def _sort_by_use(
    granted: Mapping[str, Sequence[Grant]],
    usage: Usage,
    catalogue: Catalogue,
    window: Window,
    last_accessed: LastAccessed | None,
) -> _Permissions:
    """Sort the granted actions by what is known of their use; what was only denied counts as unused.

    Without a single observed day there is no usage to tell apart: then everything counts as unused, so that the score
    is the identity's whole potential, an upper bound, and its coverage says `observed_days` 0. Nothing may be planned
    on it.
    """
    findings = weigh(granted.keys(), usage, catalogue, window, last_accessed)
    used = findings.standing(Standing.USED)
    unobservable = findings.standing(Standing.POSSIBLE, Standing.UNOBSERVABLE)
    unobservable -= findings.of_code(EvidenceCode.TRAIL_NOT_SEEN)
    reaches = Reaches()
    apart = used | unobservable
    unused = {key: reaches.of(grants) for key, grants in granted.items() if key not in apart}
    return _Permissions(used, unused, unobservable)


def _completed_paths(
    granted: Mapping[str, Sequence[Grant]], unused: Collection[str], risk: RiskTable
) -> list[EscalationPath]:
    """Paths that the identity's unconditional grants complete, with at least one permission that it doesn't use."""
    reaches = Reaches()

    def held(key: str, rule: PathRule) -> bool:
        grants = [grant for grant in granted.get(key, ()) if not grant.conditional]
        return bool(grants) and (rule is PathRule.ANYWHERE or reaches.of(grants) > REACH_OF_ONE)

    return [path for path in risk.completed(held) if any(key in unused for key in path.required)]


def _contributions(
    unused: Mapping[str, float],
    paths: Iterable[EscalationPath],
    catalogue: Catalogue,
    risk: RiskTable,
    parameters: ScoreParameters,
) -> tuple[Contribution, ...]:
    """What each class and each completed path adds, worst first."""
    by_class: dict[RiskClass, list[str]] = {}
    for key in unused:
        by_class.setdefault(risk.risk_of(key), []).append(key)
    found = [
        Contribution(
            risk=kind,
            chance=_chance(math.fsum(unused[key] for key in keys), parameters.weights[kind], parameters.gamma),
            unused=len(keys),
            examples=_worst(keys, unused, catalogue),
        )
        for kind, keys in by_class.items()
    ]
    found += [
        Contribution(
            risk=RiskClass.ESCALATION,
            chance=parameters.weights[RiskClass.ESCALATION].alpha,
            unused=sum(key in unused for key in path.required),
            examples=_worst([key for key in path.required if key in unused], unused, catalogue),
            path=path.id,
        )
        for path in paths
    ]
    order = list(RiskClass)
    return tuple(sorted(found, key=lambda one: (-one.chance, order.index(one.risk), one.path or "")))


def _chance(mass: float, weight: ClassWeight, gamma: float) -> float:
    """Chance of damage of one class: s = α · (1 − exp(−(m / κ)^γ))."""
    return weight.alpha * -math.expm1(-((mass / weight.kappa) ** gamma))


def _chances(contributions: Iterable[Contribution]) -> dict[RiskClass, float]:
    """Chance of each class: its own, or its α where a path is completed; never both."""
    chances: dict[RiskClass, float] = {}
    for contribution in contributions:
        chances[contribution.risk] = max(chances.get(contribution.risk, 0.0), contribution.chance)
    return dict(sorted(chances.items()))


def _worst(keys: Iterable[str], reaches: Mapping[str, float], catalogue: Catalogue) -> tuple[str, ...]:
    worst = heapq.nsmallest(MAX_EXAMPLES, keys, key=lambda key: (-reaches[key], key))
    return tuple(catalogue.name(key) for key in worst)


def _summary(coverage: Coverage, window: Window, window_days: int, *, told_by_iam: bool) -> CoverageSummary:
    seen = in_window(coverage, window)
    gaps = seen.gaps(window.start.date(), window.end.date())
    return CoverageSummary(
        window_days=window_days,
        observed_days=len(seen.seen),
        longest_gap_days=max(((last - first).days + 1 for first, last in gaps), default=0),
        regions=tuple(sorted(seen.regions)),
        feeds=tuple(sorted(seen.feeds)),
        reads=reads_recorded(seen, window),
        data_events=tuple(sorted(recorded_data_events(seen, window))),
        last_accessed=told_by_iam,
    )
