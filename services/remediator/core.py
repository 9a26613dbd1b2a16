"""What a request for remediation leads to, by mode, verdict and what the journal knows. Pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.remediator.steps import boundary_arn
from shared.envelope import describe
from shared.errors import InputError
from shared.events import (
    IdentityEvent,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
)
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Mode, Plan, PlanRecord, PlanStatus, Reason, ReasonCode
from shared.model.score import StoredScore
from shared.model.usage import Usage

MAX_TOP = 5
MAX_PARKED = 400  # characters


class Request(BaseModel):
    """What a person asks for, through the SSM document or the command.

    `remediate` names a `resource_id` (as AWS Config gives it: the unique id); `approve` and `rollback` a `plan_id`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str = Field(pattern="^(remediate|approve|rollback)$")
    trigger: str = Field(default="request", pattern=r"^[a-z0-9_.:-]{1,40}$")
    resource_id: str | None = Field(default=None, pattern=r"^A(IDA|ROA)[A-Z0-9]{4,}$")
    plan_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$")


def parse_request(event: dict[str, object]) -> Request:
    """Read a request. Raises InputError that names what is wrong or missing."""
    try:
        request = Request.model_validate(event)
    except ValidationError as error:
        raise InputError(f"not a remediation request: {describe(error)}") from None
    named = (request.resource_id is not None, request.plan_id is not None)
    if named != ((True, False) if request.action == "remediate" else (False, True)):
        raise InputError(
            "a request to remediate names a resource_id, one to approve or rollback a plan_id, and only that"
        )
    return request


def may_apply(mode: Mode, *, asked_by_person: bool) -> bool:
    """Whether a proven plan is applied now: in `auto` always, in `approve` when a person asked for it."""
    return mode is Mode.AUTO or (mode is Mode.APPROVE and asked_by_person)


def refusal(stored: StoredScore | None, *, threshold: float, max_age_seconds: float, now: datetime) -> Reason | None:
    """Why a current score gives no reason to act, or None where it does."""
    if stored is None or (now - stored.score.scored_at).total_seconds() > max_age_seconds:
        return Reason(code=ReasonCode.STALE_SCORE, message="there is no fresh score")
    if not stored.present:
        return Reason(code=ReasonCode.GONE, message="the identity was deleted")
    if stored.score.pci < threshold:
        message = f"PCI {stored.score.pci:.0f} is below {threshold:.0f}"
        return Reason(code=ReasonCode.COMPLIANT, message=message)
    return None


def is_applied(record: PlanRecord | None, detail: IdentityDetail) -> bool:
    """Whether the identity carries this plan's boundary already."""
    return (
        record is not None
        and record.status is PlanStatus.APPLIED
        and detail.boundary is not None
        and detail.boundary.source.arn == boundary_arn(record.plan)
    )


def parking_of(record: PlanRecord) -> str:
    """Why an identity is left alone after this plan; empty where it is not."""
    if record.status not in {PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED}:
        return ""
    why = record.reason.message if record.reason else "no reason was recorded"
    return f"plan {record.plan.plan_id} is {record.status}: {why}"[:MAX_PARKED]


def parking(noted: str, record: PlanRecord | None) -> str:
    """Why an identity is left alone for now: as was noted, or as its latest plan says where a crash left no note."""
    return noted or (parking_of(record) if record else "")


def newly_used(plan: Plan, usage: Usage) -> tuple[str, ...]:
    """What the plan would take away although it was used after the plan was made."""
    used = usage.used_since(plan.created_at)
    return tuple(action for action in plan.removes if action.lower() in used)


def proposed_event(plan: Plan, mode: Mode) -> PlanProposed:
    """The event that tells a plan; the same plan is told once."""
    return PlanProposed.about(
        plan.identity,
        plan.plan_id,
        occurred_at=plan.created_at,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        mode=mode,
        removes=len(plan.removes),
        keeps=len(plan.keeps),
        pci_before=plan.pci_before,
        pci_after=plan.pci_after,
        expires_at=plan.expires_at,
    )


def skipped_event(
    identity: IdentityRef, reason: Reason, *, cause: str, now: datetime, plan_id: str | None = None
) -> RemediationSkipped:
    """The event that says that nothing was changed; `cause` is the id of what asked for it."""
    return RemediationSkipped.about(
        identity, cause, reason.code, occurred_at=now, code=reason.code, message=reason.message, plan_id=plan_id
    )


def outcome_event(record: PlanRecord) -> IdentityEvent:
    """The event that tells how a plan ended; the same ending is told once, another ending of the plan again."""
    plan, at = record.plan, record.updated_at
    if record.status is PlanStatus.APPLIED:
        return PolicyApplied.about(
            plan.identity,
            plan.plan_id,
            record.version,
            occurred_at=at,
            plan_id=plan.plan_id,
            strategy=plan.strategy,
            trigger=record.trigger,
            removes=len(plan.removes),
            keeps=len(plan.keeps),
            pci_before=plan.pci_before,
            pci_after=plan.pci_after,
            policy_arns=record.policy_arns,
            removed_top=plan.removes[:MAX_TOP],
        )
    told = record.reason or Reason(code=ReasonCode.VERIFICATION_FAILED, message="no reason was recorded")
    event: type[IdentityEvent] = RemediationFailed
    if record.status is PlanStatus.SKIPPED:
        event = RemediationSkipped
    elif record.status is PlanStatus.ROLLED_BACK:
        event = PolicyRolledBack
    return event.about(
        plan.identity,
        plan.plan_id,
        record.version,
        occurred_at=at,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        code=told.code,
        message=told.message,
    )
