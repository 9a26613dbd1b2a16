"""What the unused permissions of an identity add to its score, by risk class and by completed escalation path."""

import functools
import math
from collections.abc import Iterable, Sequence

from shared.iam.actions import ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.model.score import Contribution, RiskClass
from shared.pci.escalation.paths import CompletedPath
from shared.pci.parameters import ScoreParameters
from shared.pci.risk import RiskTable
from shared.pci.weighing import WHOLE_REACH, Weighed, levels_of

MAX_EXAMPLES = 5
_REMEMBERED_EXAMPLES = 1024  # sets of up to 3 KB each
_ORDER = {risk: place for place, risk in enumerate(RiskClass)}

_Levels = Sequence[tuple[int, ActionSet]]  # unused actions by reach (in units), widest reach first


def contributions_of(
    weighed: Weighed, catalogue: Catalogue, risk: RiskTable, parameters: ScoreParameters
) -> tuple[Contribution, ...]:
    """What each class and each completed path adds, worst first, with the unused permissions of widest reach."""
    levels = levels_of(weighed)
    found = [
        _of_class(kind, own, catalogue, parameters)
        for kind in RiskClass
        if (own := [(units, found) for units, actions in levels if (found := risk.of_class(kind, actions))])
    ]
    found += [_of_path(completed, levels, catalogue, parameters) for completed in weighed.paths]
    return tuple(sorted(found, key=lambda one: (-one.chance, _ORDER[one.risk], one.path or "")))


def survival(contributions: Iterable[Contribution]) -> float:
    """Chance that no class strikes: Π (1 − s). A class counts once: by its own chance, or α where a path is completed.

    The order of the product is that of the classes, so that the same contributions give the same number.
    """
    worst: dict[RiskClass, float] = dict.fromkeys(RiskClass, 0.0)
    for one in contributions:
        worst[one.risk] = max(worst[one.risk], one.chance)
    return math.prod(1 - chance for chance in worst.values())


def _within(levels: _Levels, kept: ActionSet) -> _Levels:
    return [(units, own) for units, actions in levels if (own := actions & kept)]


def _of_class(kind: RiskClass, levels: _Levels, catalogue: Catalogue, parameters: ScoreParameters) -> Contribution:
    sizes = [(units, actions.size) for units, actions in levels]
    mass = sum(units * size for units, size in sizes) / WHOLE_REACH
    return Contribution(
        risk=kind,
        chance=parameters.chance(kind, mass),
        unused=sum(size for _, size in sizes),
        mass=mass,
        examples=_worst(levels, catalogue),
    )


def _of_path(
    completed: CompletedPath, levels: _Levels, catalogue: Catalogue, parameters: ScoreParameters
) -> Contribution:
    own = _within(levels, actions_of(completed.path.required, catalogue))
    return Contribution(
        risk=RiskClass.ESCALATION,
        chance=parameters.weights[RiskClass.ESCALATION].alpha,
        unused=sum(actions.size for _, actions in own),
        examples=_worst(own, catalogue),
        path=completed.path.id,
    )


def _worst(levels: _Levels, catalogue: Catalogue) -> tuple[str, ...]:
    """Names of the first actions: the widest reach first, then by name."""
    names: list[str] = []
    for _, actions in levels:
        names += _first(actions, catalogue)[: MAX_EXAMPLES - len(names)]
        if len(names) == MAX_EXAMPLES:
            break
    return tuple(names)


@functools.lru_cache(_REMEMBERED_EXAMPLES)
def _first(actions: ActionSet, catalogue: Catalogue) -> tuple[str, ...]:
    """Names of the first actions of a set by their keys; identities with the same policies share most sets."""
    left = actions.known
    for _ in range(MAX_EXAMPLES):
        left &= left - 1  # without its lowest bit, which stands for its first key
    keys = sorted(ActionSet(actions.known ^ left, actions.unknown).keys(catalogue))
    return tuple(catalogue.name(key) for key in keys[:MAX_EXAMPLES])
