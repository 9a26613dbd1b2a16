"""What the security team is told, and how: subject, text, attributes for filter policies. Pure."""

import re
from collections.abc import Sequence
from enum import StrEnum

from shared.events import (
    AccessRegretted,
    AccessRestored,
    DomainEvent,
    ExemptionExpired,
    IdentityEvaluated,
    IdentityEvent,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
)
from shared.model.audit import Notification
from shared.model.plan import Compliance, Mode, ReasonCode, RegretResponse

MAX_SUBJECT = 100  # characters, SNS's limit (ASCII only)
MAX_ACTIONS = 5  # that a message names
NEXT = {
    RegretResponse.ALERT: "nothing is given back by itself; a person decides.",
    RegretResponse.RESTORE: "what it lacks is given back by itself, and told when it is.",
    RegretResponse.ROLL_BACK: "the whole plan is taken back by itself, and told when it is.",
}
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Severity(StrEnum):
    """For subscription filter policies."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def notification_of(  # noqa: C901, PLR0911 one case an event is the clearest form
    event: DomainEvent, *, stack_name: str
) -> Notification | None:
    """The message that an event deserves, or None: standing verdicts, scores and most skips are not news."""
    match event:
        case IdentityEvaluated(compliance=Compliance.NON_COMPLIANT, repeated=False):
            return _non_compliant(event)
        case PlanProposed(mode=Mode.APPROVE):
            return _waiting(event, stack_name)
        case PlanProposed(mode=Mode.AUTO) if event.applies_from:
            return _noticed(event, stack_name)
        case PolicyApplied():
            return _applied(event, stack_name)
        case PolicyRolledBack():
            subject = f"Rolled back: {event.identity.name} has its permissions again"
            return _notification(event, Severity.WARNING, subject, [f"Why: {event.message}", f"Plan: {event.plan_id}"])
        case RemediationSkipped(code=ReasonCode.REJECTED):
            subject = f"Rejected: nothing is taken from {event.identity.name}"
            lines = [
                f"Why: {event.message}",
                f"Plan: {event.plan_id}",
                "The identity is left alone until a person asks.",
            ]
            return _notification(event, Severity.INFO, subject, lines)
        case AccessRegretted():
            return _regretted(event, stack_name)
        case AccessRestored():
            return _restored(event, stack_name)
        case ExemptionExpired():
            return _unexempted(event)
        case RemediationFailed():
            subject = f"A person must look: plan of {event.identity.name} failed"
            lines = [f"Why: {event.message}", f"Plan: {event.plan_id}", "The identity is left alone until then."]
            return _notification(event, Severity.CRITICAL, subject, lines)
        case _:
            return None


def _non_compliant(event: IdentityEvaluated) -> Notification:
    subject = f"NON_COMPLIANT: {event.identity.type} {event.identity.name}, PCI {event.pci:.0f}"
    lines = [f"Why: {event.annotation}", f"Threshold: {event.threshold:.0f}"]
    return _notification(event, Severity.WARNING, subject, lines)


def _waiting(event: PlanProposed, stack_name: str) -> Notification:
    subject = f"Waiting for approval: {event.removes} permissions of {event.identity.name}"
    return _notification(
        event,
        Severity.INFO,
        subject,
        [
            f"What: takes {event.removes} unused permissions away, keeps {event.keeps}.",
            f"Effect: PCI {event.pci_before:.0f} to {event.pci_after:.0f}",
            f"Plan: {event.plan_id}, good until {event.expires_at:%Y-%m-%d %H:%M} UTC",
            "Approve: start the remediation of this resource in the AWS Config console, or run",
            f"  leastwise plan approve {event.plan_id} --stack-name {stack_name}",
        ],
    )


def _noticed(event: PlanProposed, stack_name: str) -> Notification:
    subject = f"Notice: {event.removes} permissions of {event.identity.name} will be taken"
    return _notification(
        event,
        Severity.WARNING,
        subject,
        [
            f"What: takes {event.removes} unused permissions away, keeps {event.keeps}.",
            f"When: from {event.applies_from:%Y-%m-%d %H:%M} UTC on, without anybody's doing.",
            f"Effect: PCI {event.pci_before:.0f} to {event.pci_after:.0f}",
            f"Plan: {event.plan_id}",
            *_commands("Stop it", f"plan reject {event.plan_id}", stack_name),
            *_commands("Look at it", f"plan show {event.plan_id}", stack_name),
        ],
    )


def _regretted(event: AccessRegretted, stack_name: str) -> Notification:
    """What was refused, what comes of it by itself, and how a person gives it back."""
    is_left = event.response is RegretResponse.ALERT
    subject = f"Refused after right-sizing: {event.identity.type} {event.identity.name}, {_listed(event.actions)}"
    refused = f"refused at {event.denied_at:%Y-%m-%d %H:%M}"
    asked = " ".join(f"--action {action}" for action in event.lost[:MAX_ACTIONS])
    return _notification(
        event,
        Severity.CRITICAL if is_left else Severity.WARNING,
        subject,
        [
            f"What: it wanted {_listed(event.actions)} and lacks {_listed(event.lost)}, which it had before.",
            f"When: {refused} UTC or after, changed at {event.applied_at:%Y-%m-%d %H:%M} UTC by plan {event.plan_id}.",
            f"Next: {NEXT[event.response]}",
            *_commands("Give these back", f"plan restore {event.plan_id} {asked}", stack_name),
            *_commands("Undo the whole plan", f"plan rollback {event.plan_id}", stack_name),
        ],
    )


def _restored(event: AccessRestored, stack_name: str) -> Notification:
    minutes = event.seconds_to_restore / 60
    subject = f"Given back: {event.identity.type} {event.identity.name} may use {_listed(event.actions)} again"
    return _notification(
        event,
        Severity.INFO,
        subject,
        [
            f"What: {_listed(event.actions)}, which plan {event.amends} had taken.",
            f"After: {minutes:.1f} minutes since it was first known to be refused.",
            *_commands("Look at it", f"plan show {event.plan_id}", stack_name),
        ],
    )


def _unexempted(event: ExemptionExpired) -> Notification:
    subject = f"Exemption ended: {event.identity.type} {event.identity.name}"
    return _notification(
        event,
        Severity.WARNING,
        subject,
        [
            f"Owner: {event.owner}",
            f"It was exempt because: {event.reason}",
            f"Ended: {event.expired_on}",
            f"Next: from {event.acts_from:%Y-%m-%d %H:%M} UTC on it is right-sized as any other, unless it is renewed.",
        ],
    )


def _listed(actions: Sequence[str]) -> str:
    """The first of some actions, and how many more there are."""
    more = f" and {len(actions) - MAX_ACTIONS} more" if len(actions) > MAX_ACTIONS else ""
    return ", ".join(actions[:MAX_ACTIONS]) + more


def _commands(what: str, command: str, stack_name: str) -> list[str]:
    return [f"{what}:", f"  leastwise {command} --stack-name {stack_name}"]


def _applied(event: PolicyApplied, stack_name: str) -> Notification:
    subject = f"Right-sized: {event.identity.type} {event.identity.name}, PCI {event.pci_after:.0f}"
    return _notification(
        event,
        Severity.INFO,
        subject,
        [
            f"What: took {event.removes} unused permissions away, kept {event.keeps} ({event.strategy}).",
            f"Among those taken: {', '.join(event.removed_top)}",
            f"Effect: PCI {event.pci_before:.0f} to {event.pci_after:.0f}",
            f"Policies: {', '.join(event.policy_arns)}",
            f"Undo: leastwise plan rollback {event.plan_id} --stack-name {stack_name}",
        ],
    )


def _notification(event: IdentityEvent, severity: Severity, subject: str, lines: list[str]) -> Notification:
    text = "\n".join(_plain(line) for line in [subject, "", f"Identity: {event.identity.arn}", *lines])
    return Notification(
        subject=_subject(subject),
        text=text,
        data={"event": event.model_dump(mode="json", exclude_none=True)},
        attributes={
            "type": event.type_name(),
            "account": event.account_id,
            "severity": severity.value,
            "identity_type": event.identity.type.value,
        },
    )


def _plain(text: str) -> str:
    """Control and direction characters made visible as `?`: names and tags come from outside."""
    return CONTROL.sub("?", text)


def _subject(text: str) -> str:
    """SNS subjects are ASCII without line breaks, at most 100 characters."""
    ascii_only = _plain(text).encode("ascii", "replace").decode()
    return ascii_only if len(ascii_only) <= MAX_SUBJECT else ascii_only[: MAX_SUBJECT - 3] + "..."
