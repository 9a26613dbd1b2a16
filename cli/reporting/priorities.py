"""What to do first: the plans that lower the account most, whom none helps, and where the risk comes from. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cli.reporting.model import ProposedPlan, Report, ReportIdentity, ScorePart
from shared.model.plan import Compliance, PlanStatus

FIRST = 10  # changes, classes and services that are shown
WORST = 5  # of those without a plan who are named
NEVER = 1e-9  # the least chance to survive that still has a logarithm
EXAMPLES = 2
POSSIBLE = ("", PlanStatus.PROPOSED)  # of a plan that can still be carried out
UNDER_WAY = (PlanStatus.APPLYING, PlanStatus.ROLLING_BACK)


@dataclass(frozen=True, slots=True)
class Step:
    """One plan by how much it lowers the account: the PCI of the account after it and all steps before it."""

    place: int  # of the identity in the report
    name: str
    pci_before: float
    pci_after: float
    removes: int
    account_after: float
    observed_days: int | None  # that the plan rests on


@dataclass(frozen=True, slots=True)
class Left:
    """One identity over the threshold whom no plan helps, and why: a person must look."""

    place: int  # of the identity in the report
    name: str
    pci: float
    why: str


@dataclass(slots=True)
class Origin:
    """What one class of risk or one service adds up to over all identities; `share` is of the account's risk."""

    name: str
    identities: int = 0
    unused: int = 0
    share: float = 0.0
    examples: dict[str, None] = field(default_factory=dict)


def open_plan(identity: ReportIdentity) -> ProposedPlan | None:
    """The plan of an identity that can still be carried out."""
    plan = identity.plan
    return plan if plan is not None and plan.status in POSSIBLE else None


def steps_of(report: Report) -> tuple[Step, ...]:
    """Every open plan that lowers the account's PCI, the strongest first, each on top of those before it.

    The account's PCI is the root mean square over those who count, so a plan's effect is the fall of a square.
    """
    counted = [(place, one) for place, one in enumerate(report.identities) if one.exempt is None]
    left = sum(one.pci**2 for _, one in counted)
    falls = sorted(
        ((one.pci**2 - plan.pci_after**2, place, one, plan) for place, one in counted if (plan := open_plan(one))),
        key=lambda fall: (-fall[0], fall[1]),
    )
    steps = []
    for fall, place, one, plan in falls:
        if fall <= 0:
            break
        left -= fall
        after = math.sqrt(max(0.0, left) / len(counted))
        steps.append(Step(place, one.name, one.pci, plan.pci_after, plan.removes, after, plan.observed_days))
    return tuple(steps)


def decimals_of(account_pci: float, after: Iterable[float]) -> int:
    """How many decimals the account's PCI needs so that each step shows: one, or two where many share the risk."""
    shown = [f"{value:.1f}" for value in (account_pci, *after)]
    return 2 if any(before == after for before, after in pairwise(shown)) else 1


def left_of(report: Report) -> tuple[Left, ...]:
    """Everyone over the threshold for whom no plan waits or is under way, the worst first."""
    left = (
        Left(place, one.name, one.pci, _why(one))
        for place, one in enumerate(report.identities)
        if one.exempt is None
        and one.compliance == Compliance.NON_COMPLIANT
        and open_plan(one) is None
        and (one.plan is None or one.plan.status not in UNDER_WAY)
    )
    return tuple(sorted(left, key=lambda one: (-one.pci, one.place)))


def _why(identity: ReportIdentity) -> str:
    """Why no plan can be carried out: there is none, or the last one is over."""
    if (plan := identity.plan) is None:
        return identity.no_plan or "nobody recorded why"
    state = f"its plan {plan.plan_id} is {plan.status.lower().replace('_', ' ')}"
    return f"{state}: {plan.notes[0]}" if plan.notes else state


def origins_by_risk(identities: Iterable[ReportIdentity]) -> tuple[Origin, ...]:
    """Classes of risk by their share of the account's risk, the sum of the squares of all PCI.

    An identity's square is shared out by the logarithms of its classes' chances, since their survivals multiply.
    """
    origins: dict[str, Origin] = {}
    for one in identities:
        if one.exempt is not None:
            continue
        weights = _weights(one.parts)
        whole = sum(weights.values())
        for risk, weight in weights.items():
            origin = origins.setdefault(risk, Origin(risk))
            origin.identities += 1
            origin.share += one.pci**2 * weight / whole
        for part in one.parts:
            if part.risk in weights and not part.path:
                origins[part.risk].unused += part.unused
            if part.risk in weights:
                _note(origins[part.risk], part.examples)
    total = sum(origin.share for origin in origins.values())
    for origin in origins.values():
        origin.share = origin.share / total if total else 0.0
    return tuple(sorted(origins.values(), key=lambda origin: (-origin.share, origin.name))[:FIRST])


def _weights(parts: Sequence[ScorePart]) -> dict[str, float]:
    """Weight of each class that strikes at all; a class counts once, by its greatest chance."""
    worst: dict[str, float] = {}
    for part in parts:
        worst[part.risk] = max(worst.get(part.risk, 0.0), part.chance)
    return {risk: -math.log(max(NEVER, 1 - chance)) for risk, chance in worst.items() if chance > 0}


def _note(origin: Origin, examples: Iterable[str]) -> None:
    for example in examples:
        if len(origin.examples) == EXAMPLES:
            return
        origin.examples[example] = None


def origins_by_service(identities: Iterable[ReportIdentity]) -> tuple[Origin, ...]:
    """Services by their unused permissions, added up over all identities that count; `share` is of all unused ones."""
    origins: dict[str, Origin] = {}
    for name, unused in _unused(identities):
        origin = origins.setdefault(name, Origin(name))
        origin.identities += 1
        origin.unused += unused
    total = sum(origin.unused for origin in origins.values())
    for origin in origins.values():
        origin.share = origin.unused / total
    return tuple(sorted(origins.values(), key=lambda origin: (-origin.unused, origin.name))[:FIRST])


def _unused(identities: Iterable[ReportIdentity]) -> Iterator[tuple[str, int]]:
    for one in identities:
        if one.exempt is None:
            yield from ((service.service, service.unused) for service in one.services if service.unused)
