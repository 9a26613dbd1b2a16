"""What a person may ask for, how plans end, and what is told of them. Pure."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.remediator.by_service import changes_by_service
from shared.envelope import describe
from shared.errors import InputError
from shared.events import (
    ExemptionExpired,
    IdentityEvent,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
    RestorationDue,
)
from shared.model.identity import IdentityRef
from shared.model.plan import Mode, Plan, PlanRecord, PlanStatus, Reason, ReasonCode
from shared.model.usage import Usage
from shared.protection import EXPIRY_GRACE, Exempted

MAX_TOP = 5
MAX_NAMED = 200  # characters of a name or reason that somebody wrote
MAX_PARKED = 400  # characters
UNRECORDED = Reason(code=ReasonCode.VERIFICATION_FAILED, message="no reason was recorded")
UNWANTED = frozenset({ReasonCode.REJECTED, ReasonCode.FLAPPING})


class Action(StrEnum):
    """What a person may ask the function that takes away."""

    PROPOSE = "propose"
    REMEDIATE = "remediate"
    APPROVE = "approve"
    APPLY = "apply"
    REJECT = "reject"


ABOUT_IDENTITIES = frozenset({Action.PROPOSE, Action.REMEDIATE})


class Request(BaseModel):
    """What a person asks for, through the SSM document or the command.

    `propose` and `remediate` name a `resource_id` (as AWS Config gives it: the unique id); the others a `plan_id`. `by`
    is who asks, as they call themselves: it is kept, and decides nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    trigger: str = Field(default="request", pattern=r"^[a-z0-9_.:-]{1,40}$")
    resource_id: str | None = Field(default=None, pattern=r"^A(IDA|ROA)[A-Z0-9]{4,}$")
    plan_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$")
    by: str = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")


def parse_request(event: dict[str, object]) -> Request:
    """Read a request. Raises InputError that names what is wrong or missing."""
    if event.get("action") in ("rollback", "restore"):
        raise InputError(f"this function takes away; ask RestoreRequestFunction to {event['action']}")
    try:
        request = Request.model_validate(event)
    except ValidationError as error:
        raise InputError(f"not a remediation request: {describe(error)}") from None
    named = (request.resource_id is not None, request.plan_id is not None)
    if named != ((True, False) if request.action in ABOUT_IDENTITIES else (False, True)):
        raise InputError(
            "a request to propose or remediate names a resource_id, one to approve, apply or reject a plan_id, and "
            "only that"
        )
    return request


def parking_of(record: PlanRecord) -> str:
    """Why an identity is left alone after this plan; empty where it is not."""
    ended = record.status in {PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED}
    if not ended and not (record.status is PlanStatus.SKIPPED and record.reason and record.reason.code in UNWANTED):
        return ""
    why = record.reason.message if record.reason else "no reason was recorded"
    return f"plan {record.plan.plan_id} is {record.status}: {why}"[:MAX_PARKED]


def counts_as_failed(record: PlanRecord) -> bool:
    """Whether a change went wrong by itself, so that others should wait: not where a person or drift ended it."""
    if record.status is PlanStatus.ROLLED_BACK:
        return record.reason is not None and record.reason.code is ReasonCode.VERIFICATION_FAILED
    return record.status is PlanStatus.QUARANTINED


def parking(noted: str, record: PlanRecord | None) -> str:
    """Why an identity is left alone for now: as was noted, or as its latest plan says where a crash left no note."""
    return noted or (parking_of(record) if record else "")


def newly_used(plan: Plan, usage: Usage) -> tuple[str, ...]:
    """What the plan would take away although it was used after the plan was made."""
    used = usage.used_since(plan.created_at)
    return tuple(action for action in plan.removes if action.lower() in used)


def proposed_event(plan: Plan, mode: Mode, *, applies_from: datetime | None = None) -> PlanProposed:
    """The event that tells a plan, and when it is applied if nobody objects.

    The same plan is told again only where what becomes of it changed: in another mode, or with a new notice.
    """
    return PlanProposed.about(
        plan.identity,
        plan.plan_id,
        mode,
        *([applies_from.isoformat()] if applies_from else []),
        occurred_at=plan.created_at,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        mode=mode,
        removes=len(plan.removes),
        keeps=len(plan.keeps),
        pci_before=plan.pci_before,
        pci_after=plan.pci_after,
        expires_at=plan.expires_at,
        applies_from=applies_from,
        by_service=changes_by_service(plan),
    )


def skipped_event(
    identity: IdentityRef, reason: Reason, *, cause: str, now: datetime, plan_id: str | None = None
) -> RemediationSkipped:
    """The event that says that nothing was changed; `cause` is the id of what asked for it."""
    return RemediationSkipped.about(
        identity, cause, reason.code, occurred_at=now, code=reason.code, message=reason.message, plan_id=plan_id
    )


def restoration_due(record: PlanRecord, reason: Reason, *, now: datetime) -> RestorationDue:
    """The event that asks the one function that may give back to look at a plan, for this reason."""
    plan = record.plan
    return RestorationDue.about(
        plan.identity,
        plan.plan_id,
        record.version,
        reason.code,
        occurred_at=now,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        code=reason.code,
        message=reason.message,
    )


def expired_event(identity: IdentityRef, exemption: Exempted, *, now: datetime) -> ExemptionExpired | None:
    """The event that an exemption is over, told once for each of its ends; None where it isn't over."""
    if exemption.until is None or exemption.ends_at is None or now < exemption.ends_at:
        return None
    return ExemptionExpired.about(
        identity,
        exemption.until,
        occurred_at=now,
        owner=exemption.owner[:MAX_NAMED],
        reason=exemption.reason[:MAX_NAMED],
        expired_on=exemption.until,
        acts_from=exemption.ends_at + EXPIRY_GRACE,
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
            by_service=changes_by_service(plan),
        )
    told = record.reason or UNRECORDED
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
