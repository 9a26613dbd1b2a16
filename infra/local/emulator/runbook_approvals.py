"""`aws:approve`: steps that wait until one of the named principals approves or rejects."""

import threading
from dataclasses import dataclass, field
from typing import Any

from ministack.core.iam_evaluator import caller_arn

from infra.local.emulator.errors import AwsError
from infra.local.emulator.runbook_actions import ClientFactory, Outputs
from infra.local.emulator.runbook_values import RunbookError

DEFAULT_TIMEOUT_SECONDS = 604_800
DECISIONS = {"Approve": "Approved", "Reject": "Rejected"}


@dataclass
class Question:
    """One waiting step: who may decide, and how it was decided."""

    approvers: frozenset[str]
    decided: threading.Event = field(default_factory=threading.Event)
    status: str = "TimedOut"
    decisions: list[str] = field(default_factory=list)


class Approvals:
    """The steps that wait, by the id of their execution: one at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, Question] = {}

    def ask(self, execution_id: str, inputs: dict[str, Any], seconds: float, client: ClientFactory) -> Outputs:
        """Tell the topic, wait for a decision, and return the step's outputs. Raises RunbookError unless approved."""
        approvers = inputs.get("Approvers")
        if not isinstance(approvers, list) or not all(approvers):
            raise RunbookError("aws:approve needs Approvers, a list of principals")
        if inputs.get("MinRequiredApprovals", 1) != 1:
            raise RunbookError("MinRequiredApprovals other than 1 are not supported by the local AWS")
        question = self._waiting[execution_id] = Question(frozenset(approvers))
        try:
            if "NotificationArn" in inputs:
                _notify(str(inputs["NotificationArn"]), str(inputs.get("Message", "")), client)
            question.decided.wait(seconds)
        finally:
            del self._waiting[execution_id]
        if question.status != "Approved":
            raise RunbookError(f"the step was not approved: {question.status}")
        return {"ApprovalStatus": question.status, "ApproverDecisions": question.decisions}

    def decide(self, execution_id: str, signal: str) -> None:
        """Take a signal of whoever makes the current request. Raises AwsError for one that changes nothing."""
        question, caller = self._waiting.get(execution_id), caller_arn()
        if question is None or signal not in DECISIONS:
            raise AwsError("InvalidAutomationSignalException", f"No step of {execution_id} waits for {signal}.")
        if caller not in question.approvers:
            raise AwsError("InvalidAutomationSignalException", f"{caller} is no approver of {execution_id}.")
        question.status = DECISIONS[signal]
        question.decisions.append(f"{caller}: {question.status}")
        question.decided.set()


def _notify(topic_arn: str, message: str, client: ClientFactory) -> None:
    if not topic_arn.rpartition(":")[2].startswith("Automation"):
        raise RunbookError(f"the name of {topic_arn} must begin with Automation")
    client("sns").publish(TopicArn=topic_arn, Message=message)
