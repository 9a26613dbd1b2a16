"""Why something a person asked for is not given back now, and what was asked for before. Pure."""

from collections.abc import Sequence

from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode

MAX_ASKED = 260  # characters of a reason that names who asked


def requested(by: str) -> Reason:
    """Why a plan is taken back that a person asked for."""
    return Reason(code=ReasonCode.REQUESTED, message=f"{by or 'a person'} asked for it"[:MAX_ASKED])


def locked(plan_id: str, on_top: PlanRecord | None) -> Reason | None:
    """Why a plan is not taken back while another one stands on it."""
    if on_top is None:
        return None
    message = f"plan {on_top.plan.plan_id} was applied on top of plan {plan_id}: take that one back first"
    return Reason(code=ReasonCode.LOCKED, message=message)


def unfinished(under_way: Sequence[PlanRecord]) -> Reason | None:
    """Why nothing new is begun while a plan is half done."""
    if not under_way:
        return None
    record = under_way[0]
    message = f"plan {record.plan.plan_id} is {record.status}: it is gone on with within the hour, or roll it back"
    return Reason(code=ReasonCode.LOCKED, message=message)


def restores(record: PlanRecord, wanted: Sequence[str]) -> bool:
    """Whether a half done plan is what a person asks for, once more."""
    is_restoration = record.status is PlanStatus.APPLYING and bool(record.plan.amends)
    return is_restoration and set(record.plan.restores) == set(wanted)
