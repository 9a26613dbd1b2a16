"""What calls prove: which actions are observed, possible, inferred or denied, in which regions, and what is skipped."""

import gzip
import hashlib
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.scorer.trail.record import Record
from services.scorer.usage.caller import CallerKind
from services.scorer.usage.calls import Call, call_of
from services.scorer.usage.evidence import SkipReason
from services.scorer.usage.fold import fold
from services.scorer.usage.folded import Folded
from shared.model.resources import NO_RESOURCE, Resources
from shared.model.usage import Evidence, IdentityKey, UsageEntry
from shared.reference import load_operations
from tests.unit.cloudtrail_records import ACCOUNT, INVICTUS, STRATUS, USER, real_records, record

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/service/worker"
OTHER_ACCOUNT = "444455556666"


def folded(*records: Record) -> Folded:
    return fold(records, load_operations(), feed="test")


def uses(**changes: Any) -> dict[str, UsageEntry]:
    result = folded(record(**changes))
    assert not result.skipped
    (usage,) = result.usages.values()
    return {entry.action: entry for entry in usage.entries.values()}


def kinds(found: dict[str, UsageEntry]) -> dict[str, set[Evidence]]:
    return {action: set(entry.spans) for action, entry in found.items()}


def exactly(*arns: str) -> Resources:
    return Resources.of(arns)


# What a call is


def test_what_differs_from_record_to_record_is_no_part_of_a_call() -> None:
    def called(**changes: Any) -> Call:
        return call_of(record(**changes), load_operations())

    assert called() == called(
        eventID="another", eventTime="2026-03-09T00:00:00Z", resources=[{"ARN": "arn:aws:s3:::b"}], requestID="x"
    )
    for changes in ({"awsRegion": "us-east-1"}, {"errorCode": "AccessDenied"}, {"eventName": "GetBucketAcl"}):
        assert called() != called(**changes)
    assert hash(called()) == hash(called())


# Evidence


def test_given_an_allowed_call_then_its_action_is_observed_with_region_and_time() -> None:
    found = uses(eventTime="2026-03-01T23:30:00-02:00")
    assert kinds(found) == {"s3:GetBucketPolicy": {Evidence.OBSERVED}}
    entry = found["s3:GetBucketPolicy"]
    assert entry.regions == {"eu-west-1"}
    span = entry.spans[Evidence.OBSERVED]
    assert span.first == span.last == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def test_given_other_actions_of_the_operation_then_they_are_only_possible_and_of_any_resource() -> None:
    found = uses(eventName="CreateBucket", requestParameters={"bucketName": "b"})
    assert found["s3:CreateBucket"].resources == exactly("arn:aws:s3:::b")
    assert kinds(found)["s3:PutBucketAcl"] == {Evidence.POSSIBLE}
    assert found["s3:PutBucketAcl"].resources.is_any


def test_given_a_refused_call_then_nothing_but_the_wish_is_kept() -> None:
    found = uses(
        eventName="CreateBucket",
        errorCode="AccessDenied",
        errorMessage="Access Denied",
        resources=[{"ARN": "arn:aws:s3:::b"}],
        requestParameters={"roleArn": ROLE_ARN},
    )
    assert kinds(found) == {"s3:CreateBucket": {Evidence.DENIED}}
    assert found["s3:CreateBucket"].resources == NO_RESOURCE
    assert found["s3:CreateBucket"].regions == frozenset()


def test_given_a_refusal_that_names_another_action_then_both_are_denied() -> None:
    message = f"User: {USER['arn']} is not authorized to perform: iam:PassRole on resource: {ROLE_ARN} because no"
    found = uses(
        eventSource="ec2.amazonaws.com",
        eventName="RunInstances",
        errorCode="Client.UnauthorizedOperation",
        errorMessage=message,
    )
    assert kinds(found) == {"ec2:RunInstances": {Evidence.DENIED}, "iam:PassRole": {Evidence.DENIED}}


def test_given_a_refusal_that_names_no_known_action_then_it_is_not_believed() -> None:
    found = uses(errorCode="AccessDenied", errorMessage="not authorized to perform: evil:Everything")
    assert list(found) == ["s3:GetBucketPolicy"]


def test_given_a_throttled_call_then_it_is_neither_use_nor_denial() -> None:
    found = uses(
        eventSource="iam.amazonaws.com",
        eventName="AddRoleToInstanceProfile",
        errorCode="Throttling",
        requestParameters={"roleName": "worker"},
    )
    assert kinds(found) == {
        "iam:AddRoleToInstanceProfile": {Evidence.POSSIBLE},
        "iam:PassRole": {Evidence.POSSIBLE},
    }


def test_given_another_error_then_authorization_was_passed() -> None:
    assert kinds(uses(errorCode="NoSuchBucketPolicy")) == {"s3:GetBucketPolicy": {Evidence.OBSERVED}}


PASSED: tuple[tuple[Any, Evidence, Resources | None], ...] = (
    ({"role": ROLE_ARN}, Evidence.INFERRED, exactly(ROLE_ARN)),
    (
        {"a": [{"b": [ROLE_ARN]}], "role": ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)},
        Evidence.INFERRED,
        exactly(ROLE_ARN, ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)),
    ),
    ({"role": ROLE_ARN, "vpcRoleName": "worker"}, Evidence.INFERRED, None),
    ({"iamInstanceProfile": {"name": "worker"}}, Evidence.INFERRED, None),
    ({"functionName": "f", "description": f"uses {ROLE_ARN}"}, Evidence.POSSIBLE, None),
    ({"rolesEnabled": True, "role": ""}, Evidence.POSSIBLE, None),
    ("role", Evidence.POSSIBLE, None),
    ({"n": list(range(60_000)), "role": ROLE_ARN}, Evidence.POSSIBLE, None),
    (None, Evidence.POSSIBLE, None),
)


@pytest.mark.parametrize(("parameters", "kind", "resources"), PASSED)
def test_pass_role_is_inferred_where_the_request_names_a_role(
    parameters: Any, kind: Evidence, resources: Resources | None
) -> None:
    found = uses(eventSource="lambda.amazonaws.com", eventName="CreateFunction20150331", requestParameters=parameters)
    entry = found["iam:PassRole"]
    assert set(entry.spans) == {kind}
    assert entry.resources == resources if resources else entry.resources.is_any


def test_roles_of_several_calls_add_up_and_one_that_is_not_named_opens_them() -> None:
    call = {"eventSource": "lambda.amazonaws.com", "eventName": "CreateFunction20150331"}
    named = [record(**call, requestParameters={"role": f"{ROLE_ARN}-{n}"}) for n in range(2)]
    (usage,) = folded(*named).usages.values()
    assert usage.entries["iam:passrole"].resources == exactly(f"{ROLE_ARN}-0", f"{ROLE_ARN}-1")
    (usage,) = folded(*named, record(**call)).usages.values()
    assert usage.entries["iam:passrole"].resources.is_any
    assert set(usage.entries["iam:passrole"].spans) == {Evidence.INFERRED, Evidence.POSSIBLE}


def test_given_an_operation_that_passes_no_role_then_a_role_in_its_parameters_infers_nothing() -> None:
    found = uses(eventSource="sts.amazonaws.com", eventName="AssumeRole", requestParameters={"roleArn": ROLE_ARN})
    assert kinds(found)["sts:AssumeRole"] == {Evidence.OBSERVED}
    assert "iam:PassRole" not in found


@pytest.mark.parametrize(
    "call",
    [
        "opsworks:CreateStack",
        "elasticbeanstalk:CreateEnvironment",
        "iotevents:CreateDetectorModel",
        "opsworks:CloneStack",
        "a2c:StartDeploymentJob",
        "newservice:CreateThing",  # of an unknown service
        "ec2:CreateShinyThing",  # an unknown operation
        "ec2:RequestShinyThingsV2",
    ],
)
def test_given_an_operation_that_the_reference_lacks_then_pass_role_is_possible(call: str) -> None:
    source, _, name = call.partition(":")
    api = {"eventSource": f"{source}.amazonaws.com", "eventName": name}
    found = uses(**api, requestParameters={"roleArn": ROLE_ARN})
    assert kinds(found) == {call: {Evidence.OBSERVED}, "iam:PassRole": {Evidence.POSSIBLE}}
    assert found["iam:PassRole"].resources.is_any
    refused = uses(**api, errorCode="AccessDenied", errorMessage="Access Denied")
    assert kinds(refused) == {call: {Evidence.DENIED}}
    message = f"User: {USER['arn']} is not authorized to perform: iam:PassRole on resource: {ROLE_ARN} because no"
    refused = uses(**api, errorCode="AccessDenied", errorMessage=message)
    assert kinds(refused) == {call: {Evidence.DENIED}, "iam:PassRole": {Evidence.DENIED}}


@pytest.mark.parametrize("call", ["s3:CreateJob", "elastictranscoder:CreatePipeline", "robomaker:CreateSimulationJob"])
def test_given_an_operation_of_which_documentation_says_that_it_passes_roles_then_pass_role_is_inferred(
    call: str,
) -> None:
    source, _, name = call.partition(":")
    found = uses(
        eventSource=f"{source}.amazonaws.com", eventName=name, requestParameters={"roleArn": ROLE_ARN}, resources=None
    )
    assert kinds(found) == {call: {Evidence.OBSERVED}, "iam:PassRole": {Evidence.INFERRED}}
    assert found["iam:PassRole"].resources == exactly(ROLE_ARN)


@pytest.mark.parametrize("call", ["newservice:GetThing", "ec2:DescribeShinyThings", "ssm:UpdateInstanceInformation"])
def test_given_a_read_or_an_agents_call_that_the_reference_lacks_then_it_passes_no_role(call: str) -> None:
    source, _, name = call.partition(":")
    found = uses(
        eventSource=f"{source}.amazonaws.com", eventName=name, requestParameters={"roleArn": ROLE_ARN}, resources=None
    )
    assert kinds(found) == {call: {Evidence.OBSERVED}}


def test_given_a_refusal_of_one_of_several_actions_then_nobody_was_refused_to_pass_a_role() -> None:
    found = uses(
        eventSource="ec2.amazonaws.com",
        eventName="StopInstancesV2",
        errorCode="Client.UnauthorizedOperation",
        errorMessage="You are not authorized",
    )
    assert kinds(found) == {"ec2:StopInstances": {Evidence.DENIED}, "ec2:StopInstancesV2": {Evidence.DENIED}}


@pytest.mark.parametrize(
    ("additional", "action"),
    [
        (None, "autoscaling:PutScalingPolicy"),
        ({"service": "application-autoscaling"}, "application-autoscaling:PutScalingPolicy"),
        ({"service": {"odd": 1}}, "autoscaling:PutScalingPolicy"),
        ("application-autoscaling", "autoscaling:PutScalingPolicy"),
    ],
)
def test_application_auto_scaling_is_not_taken_for_ec2_auto_scaling(additional: Any, action: str) -> None:
    call = {"eventSource": "autoscaling.amazonaws.com", "eventName": "PutScalingPolicy"}
    assert action in uses(**call, additionalEventData=additional)


@pytest.mark.parametrize(
    ("source", "name", "action"),
    [
        ("ec2.amazonaws.com", "BrandNewOperation", "ec2:BrandNewOperation"),
        ("monitoring.amazonaws.com", "BrandNewOperation", "cloudwatch:BrandNewOperation"),
        ("brandnew.amazonaws.com", "DoThings", "brandnew:DoThings"),
    ],
)
def test_a_call_that_the_reference_lacks_uses_the_action_of_its_name(source: str, name: str, action: str) -> None:
    found = uses(eventSource=source, eventName=name)
    assert kinds(found) == {action: {Evidence.OBSERVED}, "iam:PassRole": {Evidence.POSSIBLE}}
    assert found[action].resources.is_any


# What is skipped


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eventType": "AwsServiceEvent"}, SkipReason.SERVICE_EVENT),
        ({"eventType": "AwsServiceEvent", "eventName": None, "userIdentity": None}, SkipReason.SERVICE_EVENT),
        ({"eventType": "AwsConsoleSignIn"}, SkipReason.CONSOLE_SIGN_IN),
        ({"eventType": "AwsConsoleAction"}, SkipReason.NOT_AN_API_CALL),
        ({"eventType": "AwsVpceEvent"}, SkipReason.NOT_AN_API_CALL),
        ({"eventType": "AwsCloudTrailInsight", "eventSource": None}, SkipReason.NOT_AN_API_CALL),
        ({"eventName": None}, SkipReason.MALFORMED),
        ({"eventSource": None}, SkipReason.MALFORMED),
        ({"awsRegion": None}, SkipReason.MALFORMED),
        ({"awsRegion": "eu west\n1"}, SkipReason.MALFORMED),
        ({"userIdentity": None}, SkipReason.MALFORMED),
        ({"recipientAccountId": "12"}, SkipReason.MALFORMED),
        ({"eventSource": "ec2.amazonaws.com", "eventName": "Brand New/Operation"}, SkipReason.UNKNOWN_OPERATION),
    ],
)
def test_what_proves_nothing_is_skipped_with_the_reason(changes: dict[str, Any], reason: SkipReason) -> None:
    result = folded(record(**changes), record(**changes))
    assert (result.usages, result.skipped, result.records) == ({}, {reason: 2}, 2)


def test_given_no_event_type_as_in_the_oldest_records_then_it_is_an_api_call() -> None:
    assert folded(record(eventType=None)).skipped == {}


def test_given_no_recipient_as_in_the_oldest_records_then_the_callers_account_is_the_trails() -> None:
    result = folded(record(recipientAccountId=None))
    assert list(result.usages) == [IdentityKey(ACCOUNT, USER["principalId"])]
    assert list(result.coverage) == [ACCOUNT]


# Coverage and ARNs


def test_coverage_is_the_accounts_by_day_and_counts_every_management_event() -> None:
    result = folded(
        record(),
        record(eventTime="2026-03-02T00:30:00+02:00", awsRegion="us-east-1", eventType="AwsServiceEvent"),
        record(eventTime="2026-03-03T00:30:00Z", userIdentity={"type": "Root", "accountId": ACCOUNT}),
        record(eventTime="2026-03-04T12:00:00Z", recipientAccountId=OTHER_ACCOUNT),
    )
    seen = {
        account: {day: what.regions for day, what in known.seen.items()} for account, known in result.coverage.items()
    }
    assert seen == {
        ACCOUNT: {date(2026, 3, 1): {"eu-west-1", "us-east-1"}, date(2026, 3, 3): {"eu-west-1"}},
        OTHER_ACCOUNT: {date(2026, 3, 4): {"eu-west-1"}},
    }
    assert result.coverage[ACCOUNT].feeds == {"test"}
    assert all(not known.data_events for known in result.coverage.values())
    assert all(not usage.coverage.days for usage in result.usages.values())


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"eventCategory": None}, True),
        ({"eventCategory": None, "managementEvent": None}, True),
        ({"eventCategory": "Data", "managementEvent": False}, False),
        ({"eventCategory": None, "managementEvent": False}, False),
        ({"eventCategory": "NetworkActivity", "managementEvent": False}, False),
        ({"eventCategory": "Insight", "managementEvent": None, "eventType": "AwsCloudTrailInsight"}, False),
        ({"awsRegion": "??"}, False),
        ({"recipientAccountId": "12"}, False),
    ],
)
def test_only_a_management_event_shows_that_a_trail_records_what_it_should(
    changes: dict[str, Any], *, shown: bool
) -> None:
    assert bool(folded(record(**changes)).coverage) is shown


def test_data_events_of_the_same_call_do_not_hide_the_days_of_its_management_events() -> None:
    data = {"eventCategory": "Data", "managementEvent": False}
    days = ("2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z")
    result = folded(record(eventTime=days[0]), record(eventTime=days[1], **data), record(eventTime=days[2]))
    assert result.coverage[ACCOUNT].days == {date(2026, 3, 1), date(2026, 3, 3)}


def test_given_a_renamed_user_then_the_latest_arn_counts_whatever_the_order() -> None:
    renamed = {**USER, "arn": f"arn:aws:iam::{ACCOUNT}:user/anna"}
    before, after = record(), record(userIdentity=renamed, eventTime="2026-03-05T00:00:00Z")
    key = IdentityKey(ACCOUNT, USER["principalId"])
    assert folded(before, after).arns == folded(after, before).arns == {key: renamed["arn"]}


def test_a_moment_beyond_the_calendar_is_its_last_one() -> None:
    edge = Record(event_time=datetime.fromisoformat("9999-12-31T23:00:00-14:00"))
    assert folded(edge).records == 1


# Real records


@pytest.mark.parametrize(
    ("folder", "records", "identities", "skipped", "evidence"),
    [
        (
            INVICTUS,
            2_900,
            11,
            {"aws_service": 34, "service_event": 42, "console_sign_in": 3},
            {"observed": 277, "possible": 38, "denied": 6, "inferred": 1},
        ),
        (
            STRATUS,
            310,
            39,
            {"console_sign_in": 1},
            {"observed": 60, "possible": 28, "denied": 6, "inferred": 1},
        ),
    ],
    ids=["invictus", "stratus"],
)
def test_every_real_record_is_mapped_or_skipped_with_a_reason(
    folder: Path, records: int, identities: int, skipped: dict[str, int], evidence: dict[str, int]
) -> None:
    result = folded(*real_records(folder))
    spans = Counter(
        kind.value for usage in result.usages.values() for entry in usage.entries.values() for kind in entry.spans
    )
    assert result.records == records
    assert result.skipped == skipped
    assert spans == evidence
    assert len(result.usages) == len(result.arns) == identities
    assert set(result.callers) <= {CallerKind.IAM_IDENTITY, CallerKind.AWS_SERVICE, CallerKind.FEDERATED}


def test_real_records_the_federated_session_uses_its_users_permissions() -> None:
    federated = [
        one for one in real_records(STRATUS) if one.user_identity and one.user_identity.type == "FederatedUser"
    ]
    result = folded(*federated)
    [(key, usage)] = result.usages.items()
    assert result.callers == {CallerKind.FEDERATED: 1}
    assert key.identity_id.startswith("AIDA")
    assert len(usage.entries) == 1


def test_real_records_are_unmodified_and_small_and_name_their_source() -> None:
    for folder, count in ((INVICTUS, 55), (STRATUS, 35)):
        files = list(folder.glob("*.json.gz"))
        assert len(files) == count
        assert sum(file.stat().st_size for file in files) < 500_000
        content = b"".join(gzip.decompress(file.read_bytes()) for file in sorted(files))
        assert {file.read_bytes()[4:8] for file in files} == {bytes(4)}, "mtime of gzip is 0, so that builds repeat"
        source = (folder / "SOURCE.md").read_text()
        assert all(word in source for word in ("origin:", "commit:", "licence:", "changes: none"))
        assert hashlib.sha256(content).hexdigest() in source
