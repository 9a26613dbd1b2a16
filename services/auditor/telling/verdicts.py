"""What people are told of identities: too much unused, an exemption over, refused what it had, given back. Pure."""

from services.auditor.telling.letter import MAX_ACTIONS, Letter, listed, utc
from services.auditor.telling.place import Place
from shared.events import AccessRegretted, AccessRestored, ExemptionExpired, IdentityEvaluated
from shared.model.notification import Severity
from shared.model.plan import RegretResponse

NEXT = {
    RegretResponse.ALERT: "nothing is given back by itself; a person decides",
    RegretResponse.RESTORE: "what it lacks is given back by itself, and you are told when it is",
    RegretResponse.ROLL_BACK: "the whole plan is taken back by itself, and you are told when it is",
}


def non_compliant(event: IdentityEvaluated, place: Place) -> Letter:
    """An identity whose score is over the threshold since now."""
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="non-compliant",
        severity=Severity.WARNING,
        subject=f"NON_COMPLIANT: {who}, PCI {event.pci:.0f} of 100",
        lines=[
            ("What", f"its Privilege Creep Index is {event.pci:.0f}; from {event.threshold:.0f} on nobody complies"),
            ("Why", event.annotation),
            ("Next", "as the mode says: a plan is made, and you are told where it waits for you or is applied"),
        ],
        steps=[
            ("See why", place.command("explain", event.identity.arn)),
            ("Have a plan made now", place.command("plan", "propose", event.identity.arn)),
        ],
    )


def unexempted(event: ExemptionExpired, place: Place) -> Letter:
    """An exemption that is over, and until when it can be renewed."""
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="exemption ended",
        severity=Severity.WARNING,
        subject=f"Exemption ended: {who}, changed from {event.acts_from:%Y-%m-%d} on unless renewed",
        lines=[
            ("What", f"its exemption ended on {event.expired_on}"),
            ("Owner", event.owner or "nobody is named"),
            ("It was exempt because", event.reason or "no reason is given"),
            ("Next", f"from {utc(event.acts_from)} on it is right-sized as any other, unless it is renewed"),
            ("Renew it", "put a later day into its tag leastwise:exempt, or into the safeguards where it is listed"),
        ],
        steps=[("See what it doesn't use", place.command("explain", event.identity.arn))],
    )


def regretted(event: AccessRegretted, place: Place) -> Letter:
    """What was refused, what comes of it by itself, and how a person gives it back."""
    is_left = event.response is RegretResponse.ALERT
    asked = [word for action in event.lost[:MAX_ACTIONS] for word in ("--action", action)]
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="refused after right-sizing",
        severity=Severity.CRITICAL if is_left else Severity.WARNING,
        subject=f"Refused after right-sizing: {who}, {listed(event.actions)}",
        lines=[
            ("What", f"it wanted {listed(event.actions)} and lacks {listed(event.lost)}, which it had before"),
            ("When", f"refused at {utc(event.denied_at)} or after, changed at {utc(event.applied_at)}"),
            ("Plan", event.plan_id),
            ("Next", NEXT[event.response]),
        ],
        steps=[
            ("Give these back", place.command("plan", "restore", event.plan_id, *asked)),
            ("Undo the whole plan", place.command("plan", "rollback", event.plan_id)),
            ("See what was changed", place.command("plan", "show", event.plan_id)),
        ],
    )


def restored(event: AccessRestored, place: Place) -> Letter:
    """A refusal that is over."""
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="given back",
        severity=Severity.INFO,
        subject=f"Given back: {who} may use {listed(event.actions)} again",
        lines=[
            ("What", f"{listed(event.actions)}, which plan {event.amends} had taken"),
            ("After", f"{event.seconds_to_restore / 60:.1f} minutes since it was first known to be refused"),
            ("Next", "nothing to do; what was given back is kept from now on"),
        ],
        steps=[("See what was given back", place.command("plan", "show", event.plan_id))],
    )
