"""What the queue brings: AWS Config's compliance changes, our IdentityEvaluated and PlanDue. Pure; all are hints."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.envelope import Envelope, describe, parse_domain_event
from shared.errors import InputError
from shared.events import IdentityEvaluated, PlanDue
from shared.model.identity import IdentityType
from shared.model.plan import Compliance

COMPLIANCE_CHANGE = "Config Rules Compliance Change"
OUR_TYPES = frozenset(kind.config_resource_type for kind in IdentityType)


class HeardVerdict(NamedTuple):
    """What was heard of one identity; `trigger` says which way it came, `look` that IAM has to be asked in any case.

    `cause` is the id of the event; of a standing verdict that is told again, and of a notice that is over, it is the
    day, so that a reason to change nothing is told once a day as long as it stands.
    """

    identity_id: str
    compliance: Compliance | None
    cause: str
    trigger: str
    look: bool = False


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)
    compliance_type: str = Field(alias="complianceType")


class _ComplianceChange(BaseModel):
    """The fields of `Config Rules Compliance Change` that are read.

    Source: https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
    """

    model_config = ConfigDict(frozen=True)
    resource_id: str = Field(alias="resourceId", pattern=r"^A(IDA|ROA)[A-Z0-9]{4,}$")
    result: _Result = Field(alias="newEvaluationResult")


def verdict_of(envelope: Envelope) -> HeardVerdict | None:
    """Read a verdict, or None for one about another kind of resource, which is no business of ours.

    A plan whose notice is over is as good as the verdict that led to it; what was interrupted is only to be finished.
    Raises InputError that names what is wrong or missing.
    """
    if envelope.detail_type == COMPLIANCE_CHANGE:
        return _of_config(envelope.detail, envelope.id)
    event = parse_domain_event(envelope)
    if isinstance(event, PlanDue):
        if event.why == "interrupted":
            return HeardVerdict(event.identity.identity_id, None, event.event_id, "interrupted", look=True)
        day = f"notice/{event.occurred_at.astimezone(UTC):%Y-%m-%d}"
        return HeardVerdict(event.identity.identity_id, Compliance.NON_COMPLIANT, day, "notice")
    if not isinstance(event, IdentityEvaluated):
        raise InputError(f"{envelope.detail_type} is no verdict")
    if event.repeated:
        day = f"standing/{event.occurred_at.astimezone(UTC):%Y-%m-%d}"
        return HeardVerdict(event.identity.identity_id, event.compliance, day, "sweep")
    return HeardVerdict(event.identity.identity_id, event.compliance, event.event_id, "evaluation")


def _of_config(detail: Mapping[str, Any], event_id: str) -> HeardVerdict | None:
    kind = detail.get("resourceType")
    if isinstance(kind, str) and kind not in OUR_TYPES:
        return None
    try:
        change = _ComplianceChange.model_validate(detail)
    except ValidationError as error:
        raise InputError(f"not a compliance change of an identity: {describe(error)}") from None
    known = {compliance.value: compliance for compliance in Compliance}
    return HeardVerdict(change.resource_id, known.get(change.result.compliance_type), event_id, "config")
