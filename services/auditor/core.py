"""From event to audit entry: one sentence for people, the whole event for machines, its place in the chain. Pure."""

from datetime import datetime

from services.auditor.chain import seal
from shared.events import (
    AccountScored,
    DomainEvent,
    IdentityEvaluated,
    IdentityEvent,
    IdentityScored,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
    ScoreRequested,
    SweepPaused,
)
from shared.model.audit import NO_PREVIOUS, AuditEntry


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


def summary_of(event: DomainEvent) -> str:  # noqa: C901, PLR0911 one case an event is the clearest form
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
        case PlanProposed():
            effect = f"PCI {event.pci_before:.0f} to {event.pci_after:.0f}"
            return f"Plan {event.plan_id} would take {event.removes} permissions from {event.identity.name}: {effect}"
        case PolicyApplied():
            effect = f"PCI {event.pci_before:.0f} to {event.pci_after:.0f}"
            return f"Plan {event.plan_id} took {event.removes} permissions from {event.identity.name}: {effect}"
        case PolicyRolledBack():
            return f"Plan {event.plan_id} of {event.identity.name} was rolled back: {event.message}"
        case RemediationSkipped():
            return f"Nothing was changed for {event.identity.name}: {event.message}"
        case RemediationFailed():
            return f"Plan {event.plan_id} of {event.identity.name} needs a person: {event.message}"
        case _:
            return event.type_name()
