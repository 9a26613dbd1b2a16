"""From event to audit entry: one sentence for people, the whole event for machines, its place in the chain. Pure."""

from collections.abc import Sequence
from datetime import datetime

from services.auditor.chain import seal
from shared.events import (
    AccessRegretted,
    AccessRestored,
    AccountScored,
    DomainEvent,
    ExemptionExpired,
    IdentityEvaluated,
    IdentityEvent,
    IdentityScored,
    PlanDue,
    PlanEvent,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
    RestorationDue,
    ScoreRequested,
    SweepPaused,
)
from shared.model.audit import NO_PREVIOUS, AuditEntry

MAX_LISTED = 5  # actions that a sentence names
DUE = {"interrupted": "it was interrupted", "notice_over": "its notice is over"}


def chain_of(event: DomainEvent) -> str:
    """Which chain an event belongs to: its identity's, else the account's."""
    owner = event.identity.identity_id if isinstance(event, IdentityEvent) else "account"
    return f"{event.account_id}/{owner}"


def entry_of(event: DomainEvent, head: AuditEntry | None, *, now: datetime) -> AuditEntry:
    """The entry that follows `head` (None for an empty chain) and records `event`, sealed."""
    identity = event.identity if isinstance(event, IdentityEvent) else None
    return seal(
        AuditEntry(
            chain=chain_of(event),
            sequence=head.sequence + 1 if head else 1,
            event_id=event.event_id,
            event_type=event.type_name(),
            occurred_at=event.occurred_at,
            recorded_at=now,
            account_id=event.account_id,
            summary=summary_of(event),
            identity_id=identity.identity_id if identity else None,
            identity_arn=identity.arn if identity else None,
            plan_id=getattr(event, "plan_id", None),
            compliance=event.compliance.value if isinstance(event, IdentityEvaluated) else None,
            event=event.model_dump(mode="json", exclude_none=True),
            previous_hash=head.entry_hash if head else NO_PREVIOUS,
        )
    )


def summary_of(event: DomainEvent) -> str:  # noqa: PLR0911 one case an event is the clearest form
    """What happened, in one sentence."""
    match event:
        case ScoreRequested():
            return f"A score of {event.identity.name} was requested: {event.reason}"
        case IdentityScored():
            before = f", was {event.previous_pci:.0f}" if event.previous_pci is not None else ""
            unused = f"{event.unused} of {event.granted} permissions unused"
            return f"{event.identity.name} has PCI {event.pci:.0f} ({event.band}){before}: {unused}"
        case AccountScored():
            return f"The account has PCI {event.pci:.0f} over {event.identities} identities"
        case SweepPaused():
            return f"The sweep of the account paused after {event.identities} identities, and goes on"
        case IdentityEvaluated():
            again = "still " if event.repeated else ""
            return f"{event.identity.name} is {again}{event.compliance}: {event.annotation}"
        case RemediationSkipped():
            return f"Nothing was changed for {event.identity.name}: {event.message}"
        case ExemptionExpired():
            return (
                f"The exemption of {event.identity.name} by {event.owner} ended on {event.expired_on}: {event.reason}"
            )
        case PlanEvent():
            return _of_plan(event)
        case _:
            return event.type_name()


def _of_plan(event: PlanEvent) -> str:  # noqa: PLR0911 one case an event is the clearest form
    plan, name = f"Plan {event.plan_id}", event.identity.name
    match event:
        case PlanProposed():
            effect = f"PCI {event.pci_before:.0f} to {event.pci_after:.0f}"
            return f"{plan} would take {event.removes} permissions from {name}: {effect}"
        case PolicyApplied():
            effect = f"PCI {event.pci_before:.0f} to {event.pci_after:.0f}"
            return f"{plan} took {event.removes} permissions from {name}: {effect}"
        case PolicyRolledBack():
            return f"{plan} of {name} was rolled back: {event.message}"
        case RemediationFailed():
            return f"{plan} of {name} needs a person: {event.message}"
        case PlanDue():
            return f"{plan} of {name} is due: {DUE[event.why]}"
        case RestorationDue():
            return f"{plan} of {name} may have to be given back: {event.message}"
        case AccessRegretted():
            taken = _listed(event.lost)
            return f"{name} was refused {_listed(event.actions)} after plan {event.plan_id} took away {taken}"
        case AccessRestored():
            return f"{name} may use {_listed(event.actions)} again, {_span(event.seconds_to_restore)} after a refusal"
        case _:
            return event.type_name()


def _listed(actions: Sequence[str]) -> str:
    """The first of some actions, and how many more there are."""
    more = f" and {len(actions) - MAX_LISTED} more" if len(actions) > MAX_LISTED else ""
    return ", ".join(actions[:MAX_LISTED]) + more


def _span(seconds: float) -> str:
    """How long something took, in the unit that people would use."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
