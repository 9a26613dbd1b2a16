"""Who may be changed now: by score, by mode, by the soak period and a team's holds. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from shared.model.plan import Mode, PlanRecord, Reason, ReasonCode, Strategy
from shared.model.safeguards import Safeguards
from shared.model.score import Provider, StoredScore


class Wish(NamedTuple):
    """Who wants an identity right-sized, and how far: a verdict, or a person `by` name.

    With `approved_plan` exactly that plan is wanted; `approves` says that asking is the approval. `propose_only` wants
    the plan and no change.
    """

    mode: Mode
    trigger: str
    asked_by_person: bool
    approved_plan: str | None = None
    approves: bool = True
    propose_only: bool = False
    by: str = ""


def refusal(
    stored: StoredScore | None,
    *,
    threshold: float,
    max_age_seconds: float,
    now: datetime,
    provider: Provider = Provider.NATIVE,
) -> Reason | None:
    """Why a current score gives no reason to act, or None where it does; only the chosen provider's score counts."""
    if stored is None or (now - stored.score.scored_at).total_seconds() > max_age_seconds:
        return Reason(code=ReasonCode.STALE_SCORE, message="there is no fresh score")
    if not stored.present:
        return Reason(code=ReasonCode.GONE, message="the identity was deleted")
    if stored.score.provider is not provider:
        message = stored.score.exempt or f"its score is by {stored.score.provider}, and {provider} scores now"
        return Reason(code=ReasonCode.UNSCORED, message=message)
    if stored.score.pci < threshold:
        message = f"PCI {stored.score.pci:.0f} is below {threshold:.0f}"
        return Reason(code=ReasonCode.COMPLIANT, message=message)
    return None


def soaking(applied: Iterable[PlanRecord], *, now: datetime) -> Reason | None:
    """Why no new plan is made without a person while the effect of an applied one is still watched, or None."""
    watched = [record for record in applied if record.soak_until and now < record.soak_until]
    if not watched:
        return None
    latest = max(watched, key=lambda record: record.soak_until or now)
    message = f"plan {latest.plan.plan_id} is watched until {latest.soak_until:%Y-%m-%d %H:%M} UTC"
    return Reason(code=ReasonCode.SOAKING, message=message)


def held(safeguards: Safeguards, *, now: datetime) -> Reason | None:
    """Why nothing is changed at this time without a person, or None: of several holds the one that ends last."""
    running = [hold for hold in safeguards.holds if hold.start <= now < hold.end]
    if not running:
        return None
    last = max(running, key=lambda hold: hold.end)
    return Reason(code=ReasonCode.HELD, message=f"nothing changes until {last.end:%Y-%m-%d %H:%M %Z}: {last.reason}")


def called_off(record: PlanRecord, mode: Mode, safeguards: Safeguards, *, now: datetime) -> str:
    """Why a plan that was begun, but has changed nothing yet, is not gone on with; empty where it is.

    What gives back goes on in every mode; a hold doesn't stop what a person approved.
    """
    if record.plan.amends:
        return ""
    if mode is Mode.OBSERVE or (mode is Mode.APPROVE and not record.approved_by):
        return f"nothing of it was done yet, and the mode is {mode}"
    hold = None if record.approved_by else held(safeguards, now=now)
    return hold.message if hold else ""


def changed_by_code(record: PlanRecord, wish: Wish) -> Reason | None:
    """Why a patch is not applied although a person wants exactly that plan, or None."""
    if record.plan.strategy is not Strategy.PATCH or wish.approved_plan is None:
        return None
    message = f"plan {record.plan.plan_id} is a patch: change the code that manages the identity, and deploy that"
    return Reason(code=ReasonCode.CHANGED_BY_CODE, message=message)


def waiting(record: PlanRecord, wish: Wish) -> str:
    """Why a proposed plan only waits for now, whatever the time; empty where wish and mode let it be applied."""
    plan_id = record.plan.plan_id
    if wish.approved_plan not in {None, plan_id}:
        return f"things changed since plan {wish.approved_plan} was proposed; this plan takes its place"
    if wish.propose_only:
        return "only a proposal was asked for"
    if record.plan.strategy is Strategy.PATCH:
        return "it is a patch for the code that manages the identity"
    if wish.mode is Mode.APPROVE:
        is_approved = wish.asked_by_person and (wish.approves or record.approved_by)
        return "" if is_approved else f"nobody approved it yet: `leastwise plan approve {plan_id}` does, and applies it"
    return "" if wish.mode is Mode.AUTO else f"not applied, the mode is {wish.mode}"
