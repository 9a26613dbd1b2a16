"""What the journal knows of an identity: its latest plan, and the applied plans that a rollback leads back to. Pure."""

from collections.abc import Callable
from typing import NamedTuple

from services.remediator.steps import boundary_arn, is_ours, plan_of
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, PlanStatus

UNDER_WAY = frozenset({PlanStatus.APPLYING, PlanStatus.ROLLING_BACK})
FAILED = frozenset({PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED})
ENDED = frozenset({PlanStatus.SKIPPED, *FAILED})

GetPlan = Callable[[str], PlanRecord | None]


class History(NamedTuple):
    """The latest plan, why the identity was noted to be left alone, and the applied plans, newest first."""

    record: PlanRecord | None = None
    parked: str = ""
    applied: tuple[PlanRecord, ...] = ()

    @property
    def is_under_way(self) -> bool:
        """Whether the latest plan was begun and not ended."""
        return self.record is not None and self.record.status in UNDER_WAY


def history_of(plan_id: str, parked: str, get: GetPlan) -> History:
    """Read the history that ends in the plan with this id."""
    stack = stack_of(plan_id, get)
    applied = tuple(record for record in stack if record.status is PlanStatus.APPLIED)
    return History(stack[0] if stack else None, parked, applied)


def stack_of(plan_id: str, get: GetPlan) -> list[PlanRecord]:
    """A plan, the plan whose boundary it replaced, and so on: what each one's rollback needs."""
    stack: list[PlanRecord] = []
    while record := get(plan_id) if plan_id else None:
        stack.append(record)
        former = record.snapshot.boundary_arn
        plan_id = plan_of(former) if former and is_ours(former) else ""
    return stack


def carried_plan(detail: IdentityDetail) -> str:
    """Id of the plan whose boundary an identity carries; empty where it is not one of ours."""
    arn = detail.boundary.source.arn if detail.boundary else None
    return plan_of(arn) if arn and is_ours(arn) else ""


def taken_off(history: History, detail: IdentityDetail) -> tuple[PlanRecord, ...]:
    """Applied plans whose boundary the identity ought to carry, or to go back to, but which somebody took off."""
    carried = detail.boundary.source.arn if detail.boundary else None
    if history.record and carried == boundary_arn(history.record.plan):
        return ()  # also where taking the latest plan back failed: it still stands on those under it
    arns = [boundary_arn(record.plan) for record in history.applied]
    return history.applied[: arns.index(carried)] if carried in arns else history.applied
