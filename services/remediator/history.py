"""What the journal knows of an identity: its latest plan, and the applied plans that a rollback leads back to. Pure."""

from collections.abc import Callable
from typing import NamedTuple

from services.remediator.changing.steps import carries, former_plans, is_ours, own_arns, plan_of
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, PlanStatus, Strategy
from shared.model.sources import PolicySource

UNDER_WAY = frozenset({PlanStatus.APPLYING, PlanStatus.ROLLING_BACK})
FAILED = frozenset({PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED})
ENDED = frozenset({PlanStatus.SKIPPED, *FAILED})

GetPlan = Callable[[str], PlanRecord | None]


class History(NamedTuple):
    """The latest plan, why the identity was noted to be left alone, and the applied plans, newest first.

    `reversions` name what others undid of applied plans, so that each is counted once. `under_way` are the plans that
    were begun and not ended, newest first: the latest one, and those under it that are taken back together with it.
    """

    record: PlanRecord | None = None
    parked: str = ""
    applied: tuple[PlanRecord, ...] = ()
    reversions: tuple[str, ...] = ()
    under_way: tuple[PlanRecord, ...] = ()

    @property
    def is_under_way(self) -> bool:
        """Whether a plan was begun and not ended."""
        return bool(self.under_way)


def history_of(plan_id: str, parked: str, get: GetPlan, *, reversions: tuple[str, ...] = ()) -> History:
    """Read the history that ends in the plan with this id."""
    stack = stack_of(plan_id, get)
    applied = tuple(record for record in stack if record.status is PlanStatus.APPLIED)
    under_way = tuple(record for record in stack if record.status in UNDER_WAY)
    return History(stack[0] if stack else None, parked, applied, reversions, under_way)


def stack_of(plan_id: str, get: GetPlan) -> list[PlanRecord]:
    """A plan, the plans whose policies it replaced, and so on: what each one's rollback needs, newest first."""
    stack: dict[str, PlanRecord] = {}
    pending = [plan_id] if plan_id else []
    while pending:
        record = get(pending.pop(0))
        if record is None or record.plan.plan_id in stack:
            continue
        stack[record.plan.plan_id] = record
        pending.extend(former_plans(record.snapshot))
    return list(stack.values())


def carried_plans(detail: IdentityDetail) -> tuple[str, ...]:
    """Ids of the plans whose policies an identity carries, attached or as its boundary."""
    arns = (policy.source.arn for policy in (*detail.policies, detail.boundary) if policy)
    return tuple(dict.fromkeys(plan_of(arn) for arn in arns if arn and is_ours(arn)))


def taken_off(history: History, detail: IdentityDetail) -> tuple[PlanRecord, ...]:
    """Applied plans whose boundary the identity ought to carry, or to go back to, but which somebody took off."""
    if history.record and _bounds(history.record) and carries(detail, history.record.plan):
        return ()  # also where taking the latest plan back failed: it still stands on those under it
    bounding = tuple(record for record in history.applied if _bounds(record))
    carried = detail.boundary.source.arn if detail.boundary else None
    arns = [own_arns(record.plan)[0] for record in bounding]
    return bounding[: arns.index(carried)] if carried in arns else bounding


def undone(record: PlanRecord | None, detail: IdentityDetail) -> bool:
    """Whether somebody took off what an applied plan put on, or put on again what it took off."""
    if record is None or record.status is not PlanStatus.APPLIED:
        return False
    return not carries(detail, record.plan) or bool(_taken(record) & {policy.source for policy in detail.policies})


def reversion_of(record: PlanRecord) -> str:
    """Name for one life of an applied plan, another one each time that it is applied; noted where others undid it."""
    return f"{record.plan.plan_id}/{record.applied_at or record.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}"


def is_applied(record: PlanRecord | None, detail: IdentityDetail) -> bool:
    """Whether the identity still is as this plan left it: nothing is to be done again."""
    return record is not None and record.status is PlanStatus.APPLIED and not undone(record, detail)


def _taken(record: PlanRecord) -> set[PolicySource]:
    """The policies that a plan took off."""
    if record.plan.strategy is not Strategy.REPLACE:
        return set()
    return {policy.source for policy in record.snapshot.policies} - set(record.plan.stays)


def _bounds(record: PlanRecord) -> bool:
    return record.plan.strategy is Strategy.BOUNDARY
