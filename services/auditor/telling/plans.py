"""What people are told of plans: one waits, will be or was applied, rejected, taken back, or failed. Pure."""

from services.auditor.telling.letter import Letter, utc
from services.auditor.telling.place import Place
from shared.events import PlanProposed, PolicyApplied, PolicyRolledBack, RemediationFailed, RemediationSkipped
from shared.model.notification import Severity
from shared.model.plan import Strategy

HOW = {
    Strategy.BOUNDARY: "by a permissions boundary",
    Strategy.REPLACE: "by narrower policies in place of those in force",
    Strategy.PATCH: "by a change in the code that manages it",
}
UNUSED = "they were not used in the time that was observed, and what was used is kept, by proof"


def waiting(event: PlanProposed, place: Place) -> Letter:
    """A plan that a person must approve, or whose change must be made in the code that manages the identity."""
    if event.strategy is Strategy.PATCH:
        return _in_code(event, place)
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="waiting for approval",
        severity=Severity.INFO,
        subject=f"Waiting for approval: take {event.removes} unused permissions from {who}",
        lines=[
            *_change(event),
            ("Next", f"nothing until somebody approves it; it can be approved until {utc(event.expires_at)}"),
            ("Approve in the console", _console(place, event.identity.type.config_resource_type)),
        ],
        steps=[
            ("Look at it first", place.command("plan", "show", event.plan_id)),
            ("Approve it", place.command("plan", "approve", event.plan_id)),
            ("Reject it, and have the identity left alone", place.command("plan", "reject", event.plan_id)),
        ],
        services=event.by_service,
    )


def _in_code(event: PlanProposed, place: Place) -> Letter:
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="waiting for a change in code",
        severity=Severity.INFO,
        subject=f"Waiting for a change in code: {event.removes} unused permissions of {who}",
        lines=[
            *_change(event),
            ("Next", "leastwise changes nothing here, since code would put it back: whoever owns the code decides"),
        ],
        steps=[
            ("See the change for Terraform", place.command("plan", "show", event.plan_id, "--terraform")),
            ("See the change for CloudFormation", place.command("plan", "show", event.plan_id, "--cloudformation")),
        ],
        services=event.by_service,
    )


def _console(place: Place, resource_type: str) -> str:
    """The way that needs no command; where approvers are named, Systems Manager asks them as well."""
    rule = f"{place.stack_name}-privilege-creep"
    return (
        f"AWS Config, Rules, {rule}, choose the {resource_type}, Remediate. Where approvers are named, that starts an "
        "execution in Systems Manager, Automation, which waits for their Approve"
    )


def noticed(event: PlanProposed, place: Place) -> Letter:
    """A plan that is applied by itself when its notice is over."""
    starts = utc(event.applies_from) if event.applies_from else "now"
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="will be applied",
        severity=Severity.WARNING,
        subject=f"Notice: {event.removes} unused permissions of {who} will be taken from {starts} on",
        lines=[*_change(event), ("Next", f"it is applied from {starts} on, without anybody's doing")],
        steps=[
            ("Look at it", place.command("plan", "show", event.plan_id)),
            ("Stop it, and have the identity left alone", place.command("plan", "reject", event.plan_id)),
            ("Apply it now", place.command("plan", "apply", event.plan_id)),
        ],
        services=event.by_service,
    )


def applied(event: PolicyApplied, place: Place) -> Letter:
    """A change that was made and verified, and how to undo it."""
    who = f"{event.identity.type} {event.identity.name}"
    scores = f"PCI {event.pci_before:.0f} to {event.pci_after:.0f}"
    return Letter(
        label="right-sized",
        severity=Severity.INFO,
        subject=f"Right-sized: {who}, {event.removes} unused permissions taken, {scores}",
        lines=[
            ("What", f"{event.removes} permissions were taken, {event.keeps} kept, {HOW[event.strategy]}"),
            ("Why", UNUSED),
            ("Asked for by", event.trigger),
            ("Effect", f"Privilege Creep Index {event.pci_before:.0f} to {event.pci_after:.0f}; verified in IAM"),
            ("Worst of what was taken", ", ".join(event.removed_top)),
            ("Policies in force", ", ".join(event.policy_arns)),
            ("Plan", event.plan_id),
            ("Next", "refusals are watched; if it is refused what it had before, you are told"),
        ],
        steps=[
            ("Undo it, which gives everything back as it was", place.command("plan", "rollback", event.plan_id)),
            ("See what was changed", place.command("plan", "show", event.plan_id)),
        ],
        services=event.by_service,
    )


def rolled_back(event: PolicyRolledBack, place: Place) -> Letter:
    """A change that was taken back."""
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="rolled back",
        severity=Severity.WARNING,
        subject=f"Rolled back: {who} has its permissions again",
        lines=[
            ("What", f"plan {event.plan_id} was taken back: exactly what its snapshot recorded is in force again"),
            ("Why", f"{event.message} ({event.code})"),
            ("Next", "it is left alone until a person asks for another plan"),
        ],
        steps=[
            ("See what happened", place.command("plan", "show", event.plan_id)),
            ("Have another plan made", place.command("plan", "propose", event.identity.arn)),
        ],
    )


def rejected(event: RemediationSkipped, place: Place) -> Letter:
    """A person did not want a plan; the others hear of it."""
    who = f"{event.identity.type} {event.identity.name}"
    return Letter(
        label="rejected",
        severity=Severity.INFO,
        subject=f"Rejected: nothing is taken from {who}",
        lines=[
            ("What", f"plan {event.plan_id or '?'} will not be applied"),
            ("Why", event.message),
            ("Next", "it is left alone until a person asks for another plan"),
        ],
        steps=[("Have another plan made", place.command("plan", "propose", event.identity.arn))],
    )


def failed(event: RemediationFailed, place: Place) -> Letter:
    """A change that could be neither completed nor taken back by itself."""
    steps = [
        ("See how far it came", place.command("plan", "show", event.plan_id)),
        ("Take it back", place.command("plan", "rollback", event.plan_id)),
    ]
    if place.mode_parameter:
        off = place.ssm("put-parameter", place.mode_parameter, "--value", "off", "--overwrite")
        steps.append(("If IAM looks wrong for others too, stop everything, undoing included", off))
    return Letter(
        label="needs a person",
        severity=Severity.CRITICAL,
        subject=f"A person must look: the change of {event.identity.type} {event.identity.name} failed half way",
        lines=[
            ("What", f"plan {event.plan_id} could neither be completed nor taken back by itself"),
            ("Why", f"{event.message} ({event.code})"),
            ("Effect", "it may lack what it needs, or hold more than planned, but never more than it had before"),
            ("Next", "it is left alone until a person acts"),
        ],
        steps=steps,
    )


def _change(event: PlanProposed) -> list[tuple[str, str]]:
    return [
        ("What", f"takes {event.removes} permissions away, keeps {event.keeps}, {HOW[event.strategy]}"),
        ("Why", UNUSED),
        ("Effect", f"Privilege Creep Index {event.pci_before:.0f} to {event.pci_after:.0f}"),
        ("Plan", event.plan_id),
    ]
