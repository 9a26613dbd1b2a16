"""What the security team is told, and how: subject, text, attributes for filter policies. Pure."""

import re
from enum import StrEnum

from shared.events import (
    DomainEvent,
    IdentityEvaluated,
    IdentityEvent,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
)
from shared.model.audit import Notification
from shared.model.plan import Compliance, Mode

MAX_SUBJECT = 100  # characters, SNS's limit (ASCII only)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Severity(StrEnum):
    """For subscription filter policies."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def notification_of(event: DomainEvent, *, stack_name: str) -> Notification | None:
    """The message that an event deserves, or None: standing verdicts, scores and skips are not news."""
    match event:
        case IdentityEvaluated(compliance=Compliance.NON_COMPLIANT, repeated=False):
            return _non_compliant(event)
        case PlanProposed(mode=Mode.APPROVE):
            return _waiting(event, stack_name)
        case PolicyApplied():
            return _applied(event, stack_name)
        case PolicyRolledBack():
            subject = f"Rolled back: {event.identity.name} has its permissions again"
            return _notification(event, Severity.WARNING, subject, [f"Why: {event.message}", f"Plan: {event.plan_id}"])
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
