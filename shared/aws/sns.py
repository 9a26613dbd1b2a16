"""Telling the security team."""

import json
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.model.notification import Notification

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import MessageAttributeValueTypeDef


def send_notification(client: "SNSClient", topic_arn: str, notification: Notification) -> None:
    """Publish one notification: text for people, JSON for machines, attributes for subscription filter policies.

    Raises InputError where SNS will never take it as it is, and DependencyError where it may later.
    """
    with aws_errors("Publish"):
        client.publish(
            TopicArn=topic_arn,
            Subject=notification.subject,
            Message=notification.message_structure(),
            MessageStructure="json",
            MessageAttributes={name: _attribute(value) for name, value in notification.attributes.items()},
        )


def _attribute(value: str | tuple[str, ...]) -> "MessageAttributeValueTypeDef":
    """SNS Developer Guide, "Message attributes": an array is its JSON; a filter policy matches any of its values."""
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    return {"DataType": "String.Array", "StringValue": json.dumps(value)}
