"""Sending a delayed message to a queue of ours."""

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


def send_delayed(client: "SQSClient", queue_url: str, body: str, *, delay: timedelta) -> None:
    """Send one message that shows up after `delay` (at most 15 minutes)."""
    with aws_errors("SendMessage"):
        client.send_message(QueueUrl=queue_url, MessageBody=body, DelaySeconds=int(delay.total_seconds()))
