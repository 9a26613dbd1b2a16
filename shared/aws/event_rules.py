"""The stack's rules of EventBridge, as they are now: somebody may have changed them since the deployment."""

from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.model.account_setup import EventRule

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient


def read_rule(client: "EventBridgeClient", name: str) -> EventRule:
    """State and targets of a rule on the default bus. Raises DependencyError where it is gone or can't be read."""
    with aws_errors(f"DescribeRule {name}"):
        state = client.describe_rule(Name=name).get("State", "")
    with aws_errors(f"ListTargetsByRule {name}"):
        pages = list(client.get_paginator("list_targets_by_rule").paginate(Rule=name))
    targets = {
        target["Arn"]: target.get("DeadLetterConfig", {}).get("Arn", "")
        for page in pages
        for target in page.get("Targets", [])
    }
    return EventRule(name, state, targets)
