"""The events that services exchange on the bus `leastwise`: past tense, versioned, ids and digests only.

Events are hints. A consumer re-reads the truth before it acts, so that a lost, late, duplicate, reordered or forged
event can at worst cause a needless look. `ROUTES` is the one table of who produces and who consumes what; a test holds
template.yaml and docs/ARCHITECTURE.md to it.
"""

import uuid
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, Mode, ReasonCode, RegretResponse, Strategy
from shared.model.score import Band, Provider

EVENT_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:leastwise:events:1")  # never change it: ids are compared


class Service(StrEnum):
    """The four services, and the person at the command, who may ask for things too."""

    SCORER = "scorer"
    EVALUATOR = "evaluator"
    REMEDIATOR = "remediator"
    AUDITOR = "auditor"
    COMMAND = "command"

    @property
    def source(self) -> str:
        """EventBridge source of this service's events."""
        return f"leastwise.{self.value}"


def event_id_of(*parts: object) -> str:
    """Name an event by what it tells, so that telling it twice is the same event: UUID5 of its natural key."""
    return str(uuid.uuid5(EVENT_NAMESPACE, "/".join(str(part) for part in parts)))


class DomainEvent(BaseModel):
    """What every event carries. Unknown fields are ignored, so that version N reads what N+1 wrote."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    event_id: str = Field(min_length=1, max_length=64)
    occurred_at: AwareDatetime
    account_id: str = Field(pattern=r"^\d{12}$")

    @classmethod
    def type_name(cls) -> str:
        """EventBridge detail-type of this event."""
        return cls.__name__


class IdentityEvent(DomainEvent):
    """An event about one identity."""

    identity: IdentityRef

    @classmethod
    def about(cls, identity: IdentityRef, *key: object, occurred_at: AwareDatetime, **fields: object) -> Self:
        """Build the event; `key` is its natural key within (type, identity)."""
        return cls.model_validate(
            {
                "event_id": event_id_of(cls.type_name(), identity.account_id, identity.identity_id, *key),
                "occurred_at": occurred_at,
                "account_id": identity.account_id,
                "identity": identity,
                **fields,
            }
        )


class ScoreRequested(IdentityEvent):
    """Somebody needs a fresh score of this identity; `reason` says who and why."""

    reason: str


class IdentityScored(IdentityEvent):
    """The score of an identity changed. `score_version` counts its scores; `top` names the worst unused permissions.

    `provider` says whose the PCI is; the figures are this stack's own.
    """

    score_version: int
    pci: float
    previous_pci: float | None = None
    band: Band
    granted: int
    used: int
    unused: int
    unobservable: int
    observed_days: int
    top: tuple[str, ...] = ()
    provider: Provider = Provider.NATIVE


class AccountScored(DomainEvent):
    """A sweep over the whole account ended. `sweep_found` counts identities whose change no event had told."""

    pci: float
    identities: int
    excluded: int
    by_band: dict[Band, int]
    sweep_found: int


class SweepPaused(DomainEvent):
    """A sweep stopped near its function's time limit: a new invocation is to go on with the one begun at `started_at`.

    `pages` and `identities` are how far it came.
    """

    started_at: AwareDatetime
    pages: int
    identities: int


class IdentityEvaluated(IdentityEvent):
    """The verdict on an identity. `repeated` marks a standing verdict that is told again after a sweep."""

    compliance: Compliance
    pci: float
    threshold: float
    annotation: str
    repeated: bool = False


class ServiceChange(BaseModel):
    """How many permissions of one service a plan takes away, and how many it keeps."""

    model_config = ConfigDict(frozen=True)

    service: str = Field(max_length=128)
    removes: int
    keeps: int


class PlanEvent(IdentityEvent):
    """An event about one plan of one identity."""

    plan_id: str = Field(max_length=64)
    strategy: Strategy


class PlanProposed(PlanEvent):
    """A proven plan exists. In mode `approve` it waits for a person until `expires_at`.

    `applies_from` is when it is applied without one, unless a person rejects it before. `by_service` are the services
    that lose most.
    """

    mode: Mode
    removes: int
    keeps: int
    pci_before: float
    pci_after: float
    expires_at: AwareDatetime
    applies_from: AwareDatetime | None = None
    by_service: tuple[ServiceChange, ...] = ()


class PolicyApplied(PlanEvent):
    """A plan was applied and verified in IAM. `removed_top` and `by_service` tell some of what was taken away."""

    trigger: str
    removes: int
    keeps: int
    pci_before: float
    pci_after: float
    policy_arns: tuple[str, ...]
    removed_top: tuple[str, ...] = ()
    by_service: tuple[ServiceChange, ...] = ()


class PolicyRolledBack(PlanEvent):
    """An identity has exactly the permissions again that the plan's snapshot recorded."""

    code: ReasonCode
    message: str


class RemediationSkipped(IdentityEvent):
    """Nothing was changed, for this catalogued reason."""

    code: ReasonCode
    message: str
    plan_id: str | None = Field(default=None, max_length=64)


class RemediationFailed(PlanEvent):
    """A change could neither be completed nor taken back by itself: a person must look."""

    code: ReasonCode
    message: str


class PlanDue(PlanEvent):
    """A plan waits for the remediator: it was interrupted, or its notice period is over (`why`)."""

    why: Literal["interrupted", "notice_over"]


class RestorationDue(PlanEvent):
    """What a plan took away is to be given back, wholly or in part, by the one function that may: for this reason."""

    code: ReasonCode
    message: str


class AccessRegretted(PlanEvent):
    """A changed identity was refused what its snapshot allowed; `actions` are what it wanted, `lost` what it lacks."""

    actions: tuple[str, ...]
    lost: tuple[str, ...]
    denied_at: AwareDatetime
    applied_at: AwareDatetime
    response: RegretResponse


class AccessRestored(PlanEvent):
    """A regret is over: plan `plan_id` gave `actions` back that plan `amends` had taken, so long after the refusal."""

    amends: str
    actions: tuple[str, ...]
    denied_at: AwareDatetime
    seconds_to_restore: float


class ExemptionExpired(IdentityEvent):
    """An exemption is over; its owner has until `acts_from` to renew it before anything is changed."""

    owner: str
    reason: str
    expired_on: date
    acts_from: AwareDatetime


class AlarmChanged(DomainEvent):
    """An alarm of the stack went off, or is over. `advice` is the alarm's own text: what it means and what to do."""

    alarm: str
    state: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    previous: str
    reason: str
    advice: str


class ControlChanged(DomainEvent):
    """Somebody set one of the two parameters that say how far remediation may go.

    `set_to` is what this very call made of the mode, "none" where that is no mode, and None where it can't be known any
    more. `mode` is the mode that was read afterwards, when others may have set it again; None where it is no mode. Both
    are None where the safeguards were changed.
    """

    control: Literal["mode", "safeguards"]
    mode: Mode | None
    by: str
    set_to: Mode | Literal["none", "deleted"] | None = None


class AuditTrailBroken(DomainEvent):
    """A look at the audit trail found an entry that was edited, is out of line or missing: the first one of a chain."""

    chain: str
    fault: str
    sequence: int | None
    message: str


class Route(NamedTuple):
    """Who tells an event, and who listens."""

    producers: frozenset[Service]
    consumers: frozenset[Service]


def _route(producers: set[Service], consumers: set[Service]) -> Route:
    return Route(frozenset(producers), frozenset(consumers | {Service.AUDITOR}))


ROUTES: Mapping[type[DomainEvent], Route] = {
    ScoreRequested: _route({Service.EVALUATOR, Service.COMMAND, Service.SCORER}, {Service.SCORER}),
    IdentityScored: _route({Service.SCORER}, {Service.EVALUATOR}),
    AccountScored: _route({Service.SCORER}, {Service.EVALUATOR}),
    SweepPaused: _route({Service.SCORER}, {Service.SCORER}),
    IdentityEvaluated: _route({Service.EVALUATOR}, {Service.REMEDIATOR}),
    PlanProposed: _route({Service.REMEDIATOR}, set()),
    PolicyApplied: _route({Service.REMEDIATOR}, {Service.SCORER}),
    PolicyRolledBack: _route({Service.REMEDIATOR}, {Service.SCORER}),
    RemediationSkipped: _route({Service.REMEDIATOR}, set()),
    RemediationFailed: _route({Service.REMEDIATOR}, set()),
    PlanDue: _route({Service.REMEDIATOR}, {Service.REMEDIATOR}),
    RestorationDue: _route({Service.REMEDIATOR}, {Service.REMEDIATOR}),
    AccessRegretted: _route({Service.REMEDIATOR}, set()),
    AccessRestored: _route({Service.REMEDIATOR}, set()),
    ExemptionExpired: _route({Service.REMEDIATOR}, set()),
    AlarmChanged: _route({Service.AUDITOR}, set()),
    ControlChanged: _route({Service.AUDITOR}, set()),
    AuditTrailBroken: _route({Service.AUDITOR}, set()),
}

EVENT_TYPES: Mapping[str, type[DomainEvent]] = {event.type_name(): event for event in ROUTES}
