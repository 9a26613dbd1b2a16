"""An IAM call in, a right-sized identity out: through rules, queues, functions, AWS Config, audit and notification."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from infra.local.demonstration.account import AWS
from infra.local.demonstration.system import System, is_refused
from infra.local.local_aws import LocalAwsError
from services.auditor.chain import verify_chain
from shared.errors import ConflictError
from shared.events import IdentityScored
from shared.model.audit import AuditEntry
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import PlanRecord, PlanStatus
from shared.model.score import Band
from shared.model.usage import IdentityKey, Usage

pytestmark = pytest.mark.e2e
DEADLINE_SECONDS = 120.0  # nothing waits for it where all is well, and a busy machine takes its time
OURS = ":policy/leastwise/"
ALL_KEYS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
T = TypeVar("T")


def until(look: Callable[[], T], *, what: str) -> T:
    """Look until something true is seen."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:.0f} s: {what}"
        time.sleep(0.2)
    return seen


def create_user(system: System, *policies: str) -> IdentityRef:
    iam = system.local.client("iam")
    user = iam.create_user(UserName=f"user-{uuid.uuid4().hex[:8]}")["User"]
    for name in policies:
        iam.attach_user_policy(UserName=user["UserName"], PolicyArn=f"{AWS}{name}")
    return IdentityRef(account_id=system.account_id, identity_id=user["UserId"], arn=user["Arn"])


def call(ref: IdentityRef, service: str, operation: str) -> dict[str, Any]:
    """A management event as CloudTrail records it: `ref` made the call an hour ago."""
    return {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": ref.identity_id,
            "arn": ref.arn,
            "accountId": ref.account_id,
            "userName": ref.name,
        },
        "eventTime": f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": "us-east-1",
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ref.account_id,
        "eventCategory": "Management",
    }


def put_call(system: System, record: dict[str, Any]) -> None:
    source = f"aws.{str(record.get('eventSource', 'aws.')).split('.')[0]}"
    entry = {"Source": source, "DetailType": "AWS API Call via CloudTrail", "Detail": json.dumps(record)}
    assert system.local.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def usage_of(system: System, ref: IdentityRef) -> Usage:
    since = datetime.now(UTC) - timedelta(days=90)
    return system.ledger.read(IdentityKey(ref.account_id, ref.identity_id), since=since)


def story_of(system: System, ref: IdentityRef) -> list[AuditEntry]:
    return list(system.audit.chain(f"{ref.account_id}/{ref.identity_id}"))


def count(entries: list[AuditEntry], event_type: str) -> int:
    return sum(entry.event_type == event_type for entry in entries)


def right_sized(system: System, ref: IdentityRef) -> IdentityDetail | None:
    """The identity, once it holds nothing but policies of ours; None while it is being changed."""
    try:
        detail = system.detail(ref)
    except ConflictError:  # a policy went while the identity was read
        return None
    ours = [OURS in (policy.source.arn or "") for policy in detail.policies]
    return detail if ours and all(ours) and not detail.groups else None


def as_before(system: System, ref: IdentityRef, before: IdentityDetail) -> bool:
    now = system.detail(ref)
    return now == before.model_copy(update={"read_at": now.read_at})


def plan_of(system: System, ref: IdentityRef) -> PlanRecord:
    current = system.journal.current(ref)
    record = system.journal.get(current.plan_id) if current else None
    assert record is not None
    return record


def make_administrator(system: System, ref: IdentityRef) -> IdentityDetail:
    """Somebody attaches AdministratorAccess; returns what the identity is before anybody answers."""
    system.local.client("iam").attach_user_policy(UserName=ref.name, PolicyArn=f"{AWS}AdministratorAccess")
    return system.detail(ref)


def test_an_iam_call_ends_in_a_right_sized_identity_an_audit_trail_and_one_notification(system: System) -> None:
    # given a user who looks at instances, with a policy of each kind
    iam = system.local.client("iam")
    ref = create_user(system, "job-function/ViewOnlyAccess")
    iam.put_user_policy(UserName=ref.name, PolicyName="keys", PolicyDocument=json.dumps(ALL_KEYS))
    iam.create_group(GroupName="builders")
    iam.attach_group_policy(GroupName="builders", PolicyArn=f"{AWS}PowerUserAccess")
    iam.add_user_to_group(GroupName="builders", UserName=ref.name)
    put_call(system, call(ref, "ec2", "DescribeInstances"))
    until(lambda: "ec2:describeinstances" in usage_of(system, ref).entries, what="the use is in the ledger")

    # when somebody makes the user an administrator
    before = make_administrator(system, ref)

    # then the score rises, AWS Config says so, and narrower policies take the place of all that
    until(lambda: right_sized(system, ref), what="the policies are replaced")
    system.settle()
    detail = right_sized(system, ref)
    assert detail is not None
    allowed = json.dumps([policy.document for policy in detail.policies]).lower()
    assert "ec2:describeinstances" in allowed
    assert "iam:" not in allowed
    assert detail.boundary is None
    record = plan_of(system, ref)
    assert record.status is PlanStatus.APPLIED
    assert all(step["outcome"] == "done" for step in system.journal.steps(record.plan.plan_id))

    # and the audit trail tells the story, whole and once
    until(lambda: count(story_of(system, ref), "PolicyApplied"), what="the change is in the audit trail")
    story = story_of(system, ref)
    assert verify_chain(system.audit.raw_chain(story[0].chain)).whole
    assert any(entry.compliance == "NON_COMPLIANT" for entry in story)
    assert count(story, "PolicyApplied") == 1
    scored = [entry.event["pci"] for entry in story if entry.event_type == "IdentityScored"]
    assert max(scored) > 99

    # and AWS Config shows it compliant again, and the security team was told of the change once
    until(lambda: system.compliance().get(ref.identity_id) == "COMPLIANT", what="AWS Config shows COMPLIANT")
    (change,) = (entry for entry in story if entry.event_type == "PolicyApplied")
    texts = [notice.text for notice in system.notices() if change.event_id in notice.event_ids]
    texts += [one.notification.text for one in system.outbox.waiting(limit=1_000) if one.event_id == change.event_id]
    assert len(texts) == 1  # told at once, or it waits for the digest
    assert "leastwise plan rollback" in texts[0]

    # and the plan can be taken back, for good, by the one function that gives back
    request = {"action": "rollback", "plan_id": record.plan.plan_id}
    with pytest.raises(LocalAwsError):
        system.invoke("RemediationRequestFunctionName", request)
    assert system.invoke("RestoreRequestFunctionName", request)["outcome"] == PlanStatus.ROLLED_BACK
    assert as_before(system, ref, before)
    system.sweep()
    system.settle()
    assert as_before(system, ref, before)
    assert system.reconcile()["ReconcileFailures"] == 0
    assert as_before(system, ref, before)


def test_a_changed_user_who_is_refused_what_was_taken_gets_it_back(system: System) -> None:
    # given a user who was right-sized, and has access keys
    ref = create_user(system, "job-function/ViewOnlyAccess")
    put_call(system, call(ref, "ec2", "DescribeInstances"))
    until(lambda: "ec2:describeinstances" in usage_of(system, ref).entries, what="the use is in the ledger")
    make_administrator(system, ref)
    until(lambda: right_sized(system, ref), what="the policies are replaced")
    system.settle()
    first = plan_of(system, ref).plan
    assert "iam:ListUsers" in first.removes
    mine, keys = system.client_of(ref, "ec2"), system.client_of(ref, "iam")
    mine.describe_instances()
    time.sleep(1)  # CloudTrail has whole seconds, and what was refused within the second of the change is older

    # when the user is refused what AdministratorAccess allowed
    assert is_refused(keys.list_users)

    # then that is noticed and told, and just this permission comes back
    until(lambda: "iam:ListUsers" in plan_of(system, ref).plan.restores, what="the permission is given back")
    system.settle()
    second = plan_of(system, ref)
    assert (second.status, second.plan.amends) == (PlanStatus.APPLIED, first.plan_id)
    assert set(first.removes) - set(second.plan.removes) == {"iam:ListUsers"}
    assert not is_refused(keys.list_users)
    assert is_refused(keys.list_roles)
    until(lambda: count(story_of(system, ref), "AccessRestored"), what="the end is in the audit trail")
    assert count(story_of(system, ref), "AccessRegretted") >= 1


def started(system: System, ref: IdentityRef) -> str:
    """An execution of the SSM document for one identity, as far as the question."""
    ssm, document = system.local.client("ssm"), system.outputs["RemediationDocumentName"]
    given = {"ResourceId": [ref.identity_id]}
    execution_id = ssm.start_automation_execution(DocumentName=document, Parameters=given)["AutomationExecutionId"]
    until(lambda: ended(system, execution_id) == "Waiting", what="the document asks")
    return str(execution_id)


def ended(system: System, execution_id: str) -> str:
    found = system.local.client("ssm").get_automation_execution(AutomationExecutionId=execution_id)
    return str(found["AutomationExecution"]["AutomationExecutionStatus"])


def test_in_mode_approve_the_document_changes_nothing_before_an_approver_agrees(system: System) -> None:
    # given a user who is over the threshold, in mode approve
    system.set_mode("approve")
    try:
        ref = create_user(system, "job-function/ViewOnlyAccess")
        put_call(system, call(ref, "ec2", "DescribeInstances"))
        until(lambda: "ec2:describeinstances" in usage_of(system, ref).entries, what="the use is in the ledger")
        before = make_administrator(system, ref)
        until(lambda: system.journal.current(ref), what="a plan is proposed")
        system.settle()
        ssm = system.local.client("ssm")

        # when the document is started, it asks; when it is told no, nothing happens
        rejected = started(system, ref)
        assert as_before(system, ref, before)
        ssm.send_automation_signal(AutomationExecutionId=rejected, SignalType="Reject")
        until(lambda: ended(system, rejected) == "Failed", what="the rejected execution ends")
        assert as_before(system, ref, before)

        # and only when it is told yes, the plan is applied
        approved = started(system, ref)
        ssm.send_automation_signal(AutomationExecutionId=approved, SignalType="Approve")
        until(lambda: ended(system, approved) in {"Success", "Failed"}, what="the approved execution ends")
        assert ended(system, approved) == "Success"
        assert right_sized(system, ref)
    finally:
        system.set_mode("auto")


def test_a_poison_message_ends_in_the_dead_letter_queue_and_its_batch_is_done(system: System) -> None:
    # given a queue that tries again soon, so that the test need not wait for six minutes a try
    sqs = system.local.client("sqs")
    queue, dead_letters = system.outputs["UsageQueueUrl"], system.outputs["UsageDeadLetterQueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    ref = create_user(system, "job-function/ViewOnlyAccess")

    # when events arrive together of which two are malformed
    broken = call(ref, "ec2", "DescribeVpcs") | {"eventTime": "yesterday"}
    good = [call(ref, "ec2", "DescribeSubnets"), call(ref, "ec2", "DescribeVolumes")]
    put_call(system, good[0])
    put_call(system, broken)
    sqs.send_message(QueueUrl=queue, MessageBody="{not json")
    put_call(system, good[1])

    # then the others are recorded, and the two reach the dead-letter queue with their reasons in the log
    wanted = {"ec2:describesubnets", "ec2:describevolumes"}
    until(lambda: wanted <= set(usage_of(system, ref).entries), what="the good events are recorded")
    until(lambda: _depth(system, dead_letters) == 2, what="both malformed events are in the dead-letter queue")
    assert "ec2:describevpcs" not in usage_of(system, ref).entries
    log = system.local.log_file.read_text(encoding="utf-8", errors="replace")
    assert "eventTime" in log
    assert "not an EventBridge event" in log
    assert "yesterday" not in log
    sqs.purge_queue(QueueUrl=dead_letters)


def test_a_duplicate_event_has_one_effect(system: System) -> None:
    # given a use that is recorded
    ref = create_user(system, "job-function/ViewOnlyAccess")
    record = call(ref, "ec2", "DescribeInstances")
    put_call(system, record)
    until(lambda: "ec2:describeinstances" in usage_of(system, ref).entries, what="the use is in the ledger")
    before = usage_of(system, ref)

    # when CloudTrail delivers it again, and the bus one of our own events twice
    put_call(system, record)
    event = IdentityScored.about(
        ref,
        "duplicate",
        occurred_at=datetime.now(UTC),
        score_version=1,
        pci=1.0,
        band=Band.LOW,
        granted=1,
        used=1,
        unused=0,
        unobservable=0,
        observed_days=1,
    )
    entry = {
        "EventBusName": system.outputs["EventBusName"],
        "Source": "leastwise.scorer",
        "DetailType": "IdentityScored",
        "Detail": event.model_dump_json(),
    }
    for _ in range(2):
        system.local.client("events").put_events(Entries=[entry])
    system.settle()

    # then the ledger is the same and there is one entry
    assert usage_of(system, ref).entries == before.entries
    assert sum(one.event_id == event.event_id for one in story_of(system, ref)) == 1


def _depth(system: System, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = system.local.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])
