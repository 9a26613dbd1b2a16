"""The security team's inbox: a queue that is subscribed to the topic."""

import json
from typing import Any, NamedTuple

from infra.local.local_aws import LocalAws


class Notice(NamedTuple):
    """One message as a subscriber got it; `event_ids` and `types` are of what it tells, several in a digest."""

    subject: str
    text: str
    types: tuple[str, ...]
    event_ids: tuple[str, ...]

    @property
    def is_digest(self) -> bool:
        """Whether it tells several events."""
        return len(self.event_ids) > 1


class Inbox:
    """Messages of the topic, subscribed to as the security team would: the queue lets nobody else send to it."""

    def __init__(self, local: LocalAws, topic_arn: str) -> None:
        self._sqs = local.client("sqs")
        self._url: str = self._sqs.create_queue(QueueName="security-team")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": attributes["QueueArn"],
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        local.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=attributes["QueueArn"])

    def take(self) -> list[Notice]:
        """What arrived since the last call."""
        notices: list[Notice] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                notices.append(notice_of(json.loads(message["Body"])))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return notices


def notice_of(body: dict[str, Any]) -> Notice:
    """One message of the topic, single or digest."""
    told = json.loads(body["Message"])
    members = told["digest"]["messages"] if "digest" in told else [told["event"]]
    attribute = body["MessageAttributes"]["type"]
    types = json.loads(attribute["Value"]) if attribute["Type"] == "String.Array" else [attribute["Value"]]
    ids = tuple(member["event_id"] for member in members)
    return Notice(body["Subject"], told["text"], tuple(types), ids)
