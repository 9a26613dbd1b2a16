"""The notice before a change that no person asked for: since when people know of it, and whether it is over. Pure."""

from datetime import datetime, timedelta

from shared.iam.catalogue import Catalogue
from shared.iam.compare import compare
from shared.model.plan import Mode, Plan, PlanRecord, PlanStatus, ReasonCode, Strategy
from shared.model.proof import ProofVerdict

LATE = timedelta(days=1)  # a daily verdict, and the reconciler, may come so much later than the last one


def noticed_at(
    plan: Plan, former: PlanRecord | None, mode: Mode, catalogue: Catalogue, *, notice: timedelta, now: datetime
) -> datetime | None:
    """Since when people have known that this, or more, will be taken away without their doing; None where it won't be.

    Only a proposal in mode `auto` gives notice, and no patch does: else nobody expects a change. `former` is the
    identity's proposal before this one; where it took all of this away, its notice goes on, unless it is too old.
    """
    if mode is not Mode.AUTO or plan.strategy is Strategy.PATCH:
        return None
    if former is None or former.noticed_at is None or not _still_stands(former):
        return now
    if now >= remembered_until(former.plan, notice):
        return now
    return former.noticed_at if _takes_no_more(plan, former.plan, catalogue) else now


def remembered_until(plan: Plan, notice: timedelta) -> datetime:
    """Until when the notice of a proposal may go on in the next one; after that nobody expects the change any more.

    While there is a reason to act a plan is made anew with each daily verdict, and when its notice is over.
    """
    return max(plan.expires_at, plan.created_at + notice) + LATE


def applies_from(since: datetime | None, *, hours: int) -> datetime | None:
    """When the notice of a plan that people have known of `since` then is over; None where none is given."""
    return since + timedelta(hours=hours) if since and hours else None


def unserved_notice(record: PlanRecord, *, hours: int, now: datetime) -> str:
    """Until when a plan waits for people to object; empty where the notice is over, or none is given."""
    over_at = applies_from(record.noticed_at, hours=hours)
    if over_at is None or now >= over_at:
        return ""
    return f"it is applied from {over_at:%Y-%m-%d %H:%M} UTC on; `leastwise plan reject {record.plan.plan_id}` stops it"


def approved_by(plan: Plan, former: PlanRecord | None) -> str:
    """Who approved exactly this plan while it waited; empty where nobody did."""
    waited = former is not None and former.status is PlanStatus.PROPOSED and former.plan.plan_id == plan.plan_id
    return former.approved_by if waited and former else ""


def _still_stands(former: PlanRecord) -> bool:
    """Whether a proposal waits, or only ran out: a plan is made anew every day, and the notice takes longer."""
    expired = former.reason is not None and former.reason.code is ReasonCode.EXPIRED
    return former.status is PlanStatus.PROPOSED or (former.status is PlanStatus.SKIPPED and expired)


def _takes_no_more(plan: Plan, announced: Plan, catalogue: Catalogue) -> bool:
    """Whether all that a plan takes was announced: the same names, and where fewer resources are left, those too."""
    known = {*announced.removes, *announced.narrows}
    if not (set(plan.removes) <= set(announced.removes) and set(plan.narrows) <= known):
        return False
    if not plan.narrows:
        return True
    new, old = ([policy.document for policy in one.policies] for one in (plan, announced))
    if new == old:
        return True
    is_like = (plan.strategy, plan.stays) == (announced.strategy, announced.stays)
    return is_like and compare(new, old, catalogue).verdict is ProofVerdict.NO_NEW_ACCESS
