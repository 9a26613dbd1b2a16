"""Telling the security team."""

from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.model.audit import Notification

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient


def send_notification(client: "SNSClient", topic_arn: str, notification: Notification) -> None:
    """Publish one notification: text for people, JSON for machines, attributes for subscription filter policies."""
    with aws_errors("Publish"):
        client.publish(
            TopicArn=topic_arn,
            Subject=notification.subject,
            Message=notification.message_structure(),
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in notification.attributes.items()
            },
        )
