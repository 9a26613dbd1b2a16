"""What is due for a plan, as the journal alone tells: nothing a lost event could hide for longer than a run. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from services.remediator.gating.notice import remembered_until
from shared.events import PlanDue
from shared.model.plan import Mode, PlanRecord, PlanStatus, Reason, ReasonCode

INTERRUPTED_AFTER = timedelta(minutes=15)  # the longest that a function can be at work on a plan


class Due(StrEnum):
    """What somebody has to do about a plan."""

    NOTHING = "nothing"
    RESUME = "resume"  # it was begun and stands still
    TAKE_BACK = "take_back"  # taking it back was begun and stands still
    REDERIVE = "rederive"  # its notice is over: it is derived anew, and applied if it takes no more than was noticed
    EXPIRE = "expire"  # nobody can apply it any more


def due_of(record: PlanRecord, *, mode: Mode, notice: timedelta, is_current: bool, now: datetime) -> Due:
    """What is due now; `notice` is how long people must know of a plan, `is_current` whether none came after.

    A plan whose notice runs is left alone in mode `auto`, even when it has expired: it is derived anew in the end, and
    expires where even that puts no other in its place for a while: nobody wants the change any more.
    """
    stands_still = now - record.updated_at >= INTERRUPTED_AFTER
    if record.status is PlanStatus.APPLYING:
        return Due.RESUME if stands_still else Due.NOTHING
    if record.status is PlanStatus.ROLLING_BACK:
        return Due.TAKE_BACK if stands_still else Due.NOTHING
    if record.status is not PlanStatus.PROPOSED:
        return Due.NOTHING
    is_noticed = mode is Mode.AUTO and is_current and record.noticed_at is not None
    if is_noticed and now < remembered_until(record.plan, notice):
        return Due.REDERIVE if record.noticed_at and now - record.noticed_at >= notice else Due.NOTHING
    return Due.EXPIRE if now >= record.plan.expires_at else Due.NOTHING


def expired(record: PlanRecord, *, now: datetime) -> PlanRecord:
    """The record of a proposal that nobody acted on in time."""
    message = f"plan {record.plan.plan_id} expired at {record.plan.expires_at:%Y-%m-%d %H:%M} UTC, nothing was changed"
    reason = Reason(code=ReasonCode.EXPIRED, message=message)
    return record.model_copy(update={"status": PlanStatus.SKIPPED, "reason": reason, "updated_at": now})


def plan_due(record: PlanRecord, due: Due, *, now: datetime) -> PlanDue:
    """Tell the remediator to go on with a plan; the same state of it is told under the same id."""
    plan = record.plan
    why = "notice_over" if due is Due.REDERIVE else "interrupted"
    return PlanDue.about(
        plan.identity,
        plan.plan_id,
        record.version,
        why,
        occurred_at=now,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        why=why,
    )
