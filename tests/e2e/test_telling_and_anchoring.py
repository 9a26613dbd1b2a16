"""What people are told, and what proves the audit trail: on the deployed system, under its own permissions."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.demonstration.inbox import Notice
from infra.local.demonstration.system import System
from shared.aws.dynamodb import Table, sortable
from shared.aws.outbox import OUTBOX
from shared.events import DomainEvent, ExemptionExpired
from shared.model.anchor import FaultKind
from shared.model.identity import IdentityRef
from tests.e2e.test_deployed_job import create_user, story_of, until

pytestmark = pytest.mark.e2e
BURST = 5  # the default of NotificationBurst


def put_on_our_bus(system: System, events: list[DomainEvent]) -> None:
    entries = [
        {
            "EventBusName": system.outputs["EventBusName"],
            "Source": "leastwise.remediator",
            "DetailType": type(event).__name__,
            "Detail": event.model_dump_json(),
        }
        for event in events
    ]
    assert system.local.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0


def exemption_over(ref: IdentityRef, number: int) -> DomainEvent:
    now = datetime.now(UTC)
    return ExemptionExpired.about(
        ref, str(number), occurred_at=now, owner="ops", reason="test", expired_on=now.date(), acts_from=now
    )


def told(system: System, matches: Callable[[Notice], bool], *, what: str) -> list[Notice]:
    """The messages that match, as soon as one has come."""
    found: list[Notice] = []

    def look() -> bool:
        found.extend(notice for notice in system.notices() if matches(notice))
        return bool(found)

    until(look, what=what)
    return found


def make_older(system: System) -> None:
    """Let what waits in the outbox have come two minutes earlier, so that nobody needs to wait."""
    client, name = system.local.client("dynamodb"), system.outputs["NotificationsTableName"]
    for item in list(Table(client, name).query(OUTBOX)):
        kept_at = sortable(datetime.fromisoformat(item["kept_at"]) - timedelta(minutes=2))
        older = {**item, "kept_at": kept_at, "sk": f"{kept_at}#{item['event_id']}"}
        client.delete_item(TableName=name, Key={"pk": {"S": OUTBOX}, "sk": {"S": item["sk"]}})
        client.put_item(TableName=name, Item={key: {"S": value} for key, value in older.items()})


def test_a_burst_is_told_in_part_at_once_and_the_rest_as_one_digest(system: System) -> None:
    # given an empty outbox
    system.settle()
    make_older(system)
    system.tell_waiting()
    system.notices()
    ref = create_user(system)
    events = [exemption_over(ref, number) for number in range(BURST + 5)]

    # when more messages come than a window takes
    put_on_our_bus(system, events)
    wanted = {event.event_id for event in events}
    until(lambda: wanted <= {entry.event_id for entry in story_of(system, ref)}, what="every event has its entry")
    system.settle()

    # then the first are told alone, the others wait, and the schedule tells them as one
    alone = {event_id for notice in system.notices() for event_id in notice.event_ids} & wanted
    waiting = {kept.event_id for kept in system.outbox.waiting(limit=100)} & wanted
    assert len(alone) <= BURST
    assert alone | waiting == wanted
    assert not alone & waiting
    make_older(system)
    system.tell_waiting()
    digests = [notice for notice in system.notices() if notice.is_digest]
    assert len(digests) == 1
    assert waiting <= set(digests[0].event_ids)
    assert "ExemptionExpired" in digests[0].types
    assert not list(system.outbox.waiting(limit=1))


def test_the_kill_switch_is_told_at_once_with_who_pulled_it(system: System) -> None:
    # given a person who may set the mode
    ref = create_user(system)
    allowed = {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    system.local.client("iam").put_user_policy(UserName=ref.name, PolicyName="mode", PolicyDocument=document)
    system.settle()
    system.notices()

    # when they set it to off
    system.set_mode("off", by=ref)
    try:
        notices = told(system, lambda notice: notice.types == ("ControlChanged",), what="the kill switch is told")
    finally:
        system.set_mode("auto")

    # then that is told once, critical and with who it was, and recorded
    assert len(notices) == 1
    assert notices[0].subject.startswith("Kill switch")
    assert ref.arn in notices[0].text
    assert system.audit.of_event(notices[0].event_ids[0]) is not None


def test_an_alarm_of_the_stack_is_told_with_what_to_do(system: System) -> None:
    # given an alarm of the stack that reaches people through the auditor
    names = ["leastwise/usage-dead-letters"]
    (alarm,) = system.local.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000+0000}"
    detail: dict[str, Any] = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": now},
        "previousState": {"value": "OK", "timestamp": now},
        "configuration": {"description": alarm["AlarmDescription"]},
    }

    # when CloudWatch tells of it twice, as EventBridge may
    entry = {"Source": "aws.cloudwatch", "DetailType": "CloudWatch Alarm State Change", "Detail": json.dumps(detail)}
    assert system.local.client("events").put_events(Entries=[entry, entry])["FailedEntryCount"] == 0

    # then it is told once
    notices = told(system, lambda notice: notice.types == ("AlarmChanged",), what="the alarm is told")
    system.settle()
    notices += [notice for notice in system.notices() if notice.types == ("AlarmChanged",)]
    assert len(notices) == 1
    assert alarm["AlarmName"] in notices[0].text
    assert alarm["AlarmDescription"][:60] in " ".join(notices[0].text.split())


def test_the_trail_is_anchored_and_whoever_edits_it_is_found_and_told(system: System) -> None:
    # given a trail that is anchored
    ref = create_user(system)
    put_on_our_bus(system, [exemption_over(ref, number) for number in range(3)])
    until(lambda: len(story_of(system, ref)) >= 3, what="the entries are there")
    system.settle()
    system.anchor()
    before = system.verify_trail()
    assert before.whole, before.faults
    assert before.anchors >= 1

    # when somebody edits an entry that is anchored
    entry = story_of(system, ref)[-1]
    system.edit_entry(entry, "Nothing happened")
    try:
        # then verification names it, and the next anchor tells of it
        assert [(fault.chain, fault.sequence, fault.kind) for fault in system.verify_trail().faults] == [
            (entry.chain, entry.sequence, FaultKind.EDITED)
        ]
        system.anchor()
        notices = told(system, lambda notice: notice.types == ("AuditTrailBroken",), what="the fault is told")
        assert entry.chain in notices[0].text or str(entry.sequence) in notices[0].text
    finally:
        system.edit_entry(entry, entry.summary)

    # and putting it back doesn't hide that it was so
    assert [fault.chain for fault in system.verify_trail().faults] == [entry.chain]


def test_an_anchor_can_neither_be_deleted_nor_written_over(system: System) -> None:
    s3, bucket = system.local.client("s3"), system.outputs["AuditAnchorBucketName"]
    system.anchor()
    newest = s3.list_object_versions(Bucket=bucket)["Versions"][0]
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    retention = s3.get_object_retention(Bucket=bucket, Key=newest["Key"], VersionId=newest["VersionId"])["Retention"]

    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 400}
    assert retention["RetainUntilDate"] > datetime.now(UTC) + timedelta(days=399)
    with pytest.raises(ClientError) as refused:
        s3.delete_object(Bucket=bucket, Key=newest["Key"], VersionId=newest["VersionId"])
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    # Whoever may do anything by IAM is refused by the bucket.
    ref = create_user(system, "AmazonS3FullAccess")
    mine = system.client_of(ref, "s3")
    with pytest.raises(ClientError) as refused:
        mine.put_object(Bucket=bucket, Key=newest["Key"], Body=uuid.uuid4().bytes)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
