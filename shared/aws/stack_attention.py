"""What of a deployed stack waits for a person: messages in queues, alarms, subscriptions that nobody confirmed."""

from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.model.account_setup import AlarmState, Subscribers

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

PENDING = frozenset({"PendingConfirmation", "Pending Confirmation"})  # in place of the subscription's ARN


def read_waiting(client: "SQSClient", queue_url: str) -> int:
    """How many messages a queue holds, those that are being worked on included. Raises DependencyError."""
    with aws_errors(f"GetQueueAttributes {queue_url}"):
        attributes = client.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
    in_work = attributes.get("ApproximateNumberOfMessagesNotVisible", "0")
    return int(attributes["ApproximateNumberOfMessages"]) + int(in_work)


def read_alarms(client: "CloudWatchClient", prefix: str) -> tuple[AlarmState, ...]:
    """All alarms whose names begin so, all pages. Raises DependencyError."""
    with aws_errors(f"DescribeAlarms {prefix}"):
        pages = list(client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix))
    return tuple(
        AlarmState(
            name=alarm["AlarmName"],
            state=alarm["StateValue"],
            since=alarm.get("StateTransitionedTimestamp", alarm["StateUpdatedTimestamp"]),
            advice=alarm.get("AlarmDescription", ""),
            is_active=alarm.get("ActionsEnabled", True),
        )
        for page in pages
        for alarm in page.get("MetricAlarms", [])
    )


def read_subscribers(client: "SNSClient", topic_arn: str) -> Subscribers:
    """Subscriptions of a topic, all pages. Raises DependencyError."""
    with aws_errors(f"ListSubscriptionsByTopic {topic_arn}"):
        pages = list(client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn))
    subscriptions = [each for page in pages for each in page.get("Subscriptions", [])]
    pending = tuple(each.get("Protocol", "") for each in subscriptions if each.get("SubscriptionArn") in PENDING)
    return Subscribers(len(subscriptions) - len(pending), pending)
