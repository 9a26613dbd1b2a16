"""What happened, in one sentence a person reads in the audit trail. Pure."""

from collections.abc import Sequence

from shared.events import (
    AccessRegretted,
    AccessRestored,
    AccountScored,
    AlarmChanged,
    AuditTrailBroken,
    ControlChanged,
    DomainEvent,
    ExemptionExpired,
    IdentityEvaluated,
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

MAX_LISTED = 5  # actions that a sentence names
DUE = {"interrupted": "it was interrupted", "notice_over": "its notice is over"}


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
            return _of_system(event)


def _of_system(event: DomainEvent) -> str:
    match event:
        case AlarmChanged():
            return f"The alarm {event.alarm} is {event.state}, was {event.previous}: {event.reason}"
        case ControlChanged(control="safeguards"):
            return f"{event.by} changed the safeguards"
        case ControlChanged():
            return _of_mode(event)
        case AuditTrailBroken():
            return f"The audit trail does not verify: {event.message}"
        case _:
            return event.type_name()


def _of_mode(event: ControlChanged) -> str:
    now = event.mode or "none, which counts as off"
    match event.set_to:
        case None:
            return f"{event.by} changed the mode, what to is not known: it is {now} now"
        case "deleted":
            return f"{event.by} deleted the mode: it is {now} now"
        case "none":
            return f"{event.by} set the mode to what is none: it is {now} now"
        case mode:
            return f"{event.by} set the mode to {mode}" + (f": it is {now} now" if mode != event.mode else "")


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
