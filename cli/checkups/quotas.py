"""Quotas of AWS that the system uses up: near its limit, one stops it without a word."""

from collections.abc import Iterator
from typing import Protocol

from cli.checkups.finding import Check, Finding, Where
from shared.model.account_setup import Concurrency

NEAR = 0.8  # of a limit
FEW_EXECUTIONS = 100  # new accounts have 10; all functions of the stack at work want some dozens

SEE = "docs/cli.md"
POLICIES = Check(
    "quotas.policies",
    "There is room for managed policies",
    "Each change makes a customer managed policy.",
    SEE,
)
ATTACHED = Check(
    "quotas.attached",
    "Policies can be attached to users and roles",
    "The strategy replace attaches narrower policies before it takes the old ones off.",
    SEE,
)
CONCURRENCY = Check(
    "quotas.concurrency",
    "Lambda has room for the functions",
    "Functions that are throttled fall behind, and messages end in dead-letter queues.",
    SEE,
)
IAM_CHECKS = (POLICIES, ATTACHED)
# Service Quotas' codes; those of IAM are kept in us-east-1 (Service Quotas User Guide).
POLICIES_CODE, CONCURRENCY_CODE = "L-E95E4862", "L-B99A9384"


class PolicyQuotas(Protocol):
    """What is looked at of IAM's quotas."""

    @property
    def policies(self) -> int:
        """Customer managed policies at most."""

    @property
    def policies_used(self) -> int:
        """Customer managed policies that there are."""

    @property
    def attached_to_user(self) -> int:
        """Managed policies of one user at most."""

    @property
    def attached_to_role(self) -> int:
        """Managed policies of one role at most."""


def judge_policies(quotas: PolicyQuotas, where: Where) -> Iterator[Finding]:
    """Judge how many managed policies there are, and may be attached."""
    told = f"{quotas.policies_used:,} of {quotas.policies:,}"
    more = _increase("iam", POLICIES_CODE, quotas.policies * 2, where)
    if quotas.policies_used >= quotas.policies:
        yield POLICIES.fail(told, "No plan can be applied: delete policies nobody uses, or ask for more.", more)
    elif quotas.policies_used >= NEAR * quotas.policies:
        yield POLICIES.warn(told, "Delete policies nobody uses, or ask for more.", more)
    else:
        yield POLICIES.ok(told)
    yield ATTACHED.ok(f"at most {quotas.attached_to_user} to a user, {quotas.attached_to_role} to a role")


def judge_concurrency(concurrency: Concurrency, where: Where) -> Iterator[Finding]:
    """Judge how many executions there may be at once, and were in the last day."""
    told = f"{concurrency.peak:,} of {concurrency.limit:,} at once in the last day"
    more = _increase("lambda", CONCURRENCY_CODE, max(1000, concurrency.limit * 2), where)
    if concurrency.peak >= concurrency.limit:
        yield CONCURRENCY.fail(told, "Functions are throttled: ask for more.", more)
    elif concurrency.peak >= NEAR * concurrency.limit:
        yield CONCURRENCY.warn(told, "Ask for more before functions are throttled.", more)
    elif concurrency.unreserved < FEW_EXECUTIONS:
        few = f"{concurrency.unreserved:,} that no function has for itself, of {concurrency.limit:,}"
        yield CONCURRENCY.warn(few, "New accounts have few: ask for more before a large account is scored.", more)
    else:
        yield CONCURRENCY.ok(told)


def _increase(service: str, code: str, wanted: int, where: Where) -> str:
    return where.aws(
        *("service-quotas", "request-service-quota-increase", "--service-code", service, "--quota-code", code),
        *("--desired-value", str(wanted)),
    )
