"""The events that tell of regrets and how they end; the same fact is told under the same id, however often. Pure."""

from collections.abc import Sequence
from datetime import datetime

from services.remediator.history import reversion_of
from services.remediator.watching.lines import Line
from shared.events import AccessRegretted, AccessRestored
from shared.model.plan import Mode, PlanRecord, Regret, RegretResponse


def response_of(wanted: RegretResponse, mode: Mode) -> RegretResponse:
    """What a regret leads to by itself: where nothing is changed by itself, people are told and no more."""
    return wanted if mode in {Mode.APPROVE, Mode.AUTO} else RegretResponse.ALERT


def telling_of(line: Line, regret: Regret) -> str:
    """Under what it is noted in the journal that a regret was told; a plan that is applied anew has regrets anew."""
    return f"regret/{reversion_of(line.root)}/{regret.action.lower()}"


def regretted_event(
    line: Line, regrets: Sequence[Regret], response: RegretResponse, *, now: datetime
) -> AccessRegretted:
    """Tell that an identity was refused what it had, and what comes of it: all that one look found, in one event.

    Where something else comes of it in the end, that is told once more.
    """
    plan, applied_at = line.root.plan, line.root.applied_at
    actions = tuple(sorted(regret.action for regret in regrets))
    return AccessRegretted.about(
        plan.identity,
        reversion_of(line.root),
        response,
        *map(str.lower, actions),
        occurred_at=now,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        actions=actions,
        lost=lost_of(regrets),
        denied_at=min(regret.denied_at for regret in regrets),
        applied_at=applied_at,
        response=response,
    )


def restored_event(line: Line, ended: PlanRecord, regrets: Sequence[Regret]) -> AccessRestored:
    """Tell that refused actions are allowed again since plan `ended` came into force, or was taken back."""
    denied_at = min(regret.denied_at for regret in regrets)
    return AccessRestored.about(
        ended.plan.identity,
        ended.plan.plan_id,
        ended.version,
        occurred_at=ended.updated_at,
        plan_id=ended.plan.plan_id,
        strategy=ended.plan.strategy,
        amends=line.root.plan.plan_id,
        actions=lost_of(regrets),
        denied_at=denied_at,
        seconds_to_restore=max(0.0, (ended.updated_at - denied_at).total_seconds()),
    )


def lost_of(regrets: Sequence[Regret]) -> tuple[str, ...]:
    """Everything that is to be given back, sorted."""
    return tuple(sorted({action for regret in regrets for action in regret.lost}))
