"""Reading how an account is set up: AWS's answers, page by page, as the facts that `leastwise doctor` judges."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shared.aws import clients
from shared.aws.bucket_setup import read_bucket_events, read_bucket_lock
from shared.aws.cloudtrail import TrailReader
from shared.aws.config_setup import read_config_rule, read_recorder, records
from shared.aws.event_rules import read_rule
from shared.aws.lambda_quotas import read_concurrency
from shared.aws.permission_simulation import principal_of, simulate
from shared.aws.stack_attention import read_alarms, read_subscribers, read_waiting
from shared.aws.stack_resources import name_of, stack_status
from shared.errors import DeniedError, DependencyError, InputError, NotFoundError
from shared.model.account_setup import BucketEvents, BucketLock, Concurrency, Permission, Subscribers
from tests.builders import ACCOUNT
from tests.conftest import REGION, Stack

USER, ROLE, BUCKET = "AWS::IAM::User", "AWS::IAM::Role", "AWS::S3::Bucket"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

GROUPS: list[tuple[dict[str, Any], set[str]]] = [
    ({"allSupported": True, "includeGlobalResourceTypes": True}, {USER, ROLE, BUCKET}),
    ({"allSupported": True, "includeGlobalResourceTypes": False}, {BUCKET}),
    ({"allSupported": True}, {BUCKET}),
    ({"allSupported": False, "resourceTypes": [ROLE]}, {ROLE}),
    ({"recordingStrategy": {"useOnly": "INCLUSION_BY_RESOURCE_TYPES"}, "resourceTypes": [USER]}, {USER}),
    (
        {
            "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"},
            "exclusionByResourceTypes": {"resourceTypes": [USER]},
            "includeGlobalResourceTypes": False,
        },
        {ROLE, BUCKET},
    ),
    ({}, set()),
]


@pytest.mark.parametrize(("group", "expected"), GROUPS)
def test_what_a_recorder_records(group: dict[str, Any], expected: set[str]) -> None:
    assert {kind for kind in (USER, ROLE, BUCKET) if records({"recordingGroup": group}, kind)} == expected


def test_a_recorder_is_read_with_its_frequencies_and_deliveries() -> None:
    recorder = {
        "name": "default",
        "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
        "recordingMode": {
            "recordingFrequency": "DAILY",
            "recordingModeOverrides": [{"resourceTypes": [ROLE], "recordingFrequency": "CONTINUOUS"}],
        },
    }
    linked = {"name": "AWSConfigurationRecorderForX", "servicePrincipal": "x.amazonaws.com"}
    status = {"name": "default", "recording": True, "lastStatus": "Failure", "lastErrorCode": "AccessDenied"}
    failed = {"lastStatus": "Failure", "lastErrorCode": "NoSuchBucket"}
    channel = {"name": "default", "configHistoryDeliveryInfo": failed}
    client = boto3.client("config")
    with Stubber(client) as stub:
        stub.add_response("describe_configuration_recorders", {"ConfigurationRecorders": [linked, recorder]})
        stub.add_response("describe_configuration_recorder_status", {"ConfigurationRecordersStatus": [status]})
        stub.add_response("describe_delivery_channel_status", {"DeliveryChannelsStatus": [channel]})
        found = read_recorder(client, (USER, ROLE))
    assert found is not None
    assert (found.name, found.is_recording, found.status, found.error) == ("default", True, "Failure", "AccessDenied")
    assert found.frequencies == {USER: "DAILY", ROLE: "CONTINUOUS"}
    assert (found.has_channel, found.channel_error) == (True, "NoSuchBucket")


def test_a_region_with_the_recorders_of_services_alone_has_none() -> None:
    client = boto3.client("config")
    linked = {"name": "AWSConfigurationRecorderForX", "servicePrincipal": "x.amazonaws.com"}
    with Stubber(client) as stub:
        stub.add_response("describe_configuration_recorders", {"ConfigurationRecorders": [linked]})
        assert read_recorder(client, (USER,)) is None


def test_the_later_of_a_rules_failures_counts() -> None:
    client = boto3.client("config")
    status = {
        "LastSuccessfulEvaluationTime": NOW,
        "LastFailedInvocationTime": NOW + timedelta(hours=1),
        "LastFailedEvaluationTime": NOW - timedelta(hours=1),
        "LastErrorCode": "Throttled",
    }
    with Stubber(client) as stub:
        stub.add_response(
            "describe_config_rules", {"ConfigRules": [{"Source": {"Owner": "AWS"}, "ConfigRuleState": "ACTIVE"}]}
        )
        stub.add_response("describe_config_rule_evaluation_status", {"ConfigRulesEvaluationStatus": [status]})
        found = read_config_rule(client, "rule")
    assert found == ("ACTIVE", NOW, NOW + timedelta(hours=1), "Throttled")


def test_a_bucket_tells_of_what_is_put_and_not_of_what_is_removed() -> None:
    client = boto3.client("s3")
    told = {
        "QueueConfigurations": [
            {"QueueArn": "put", "Events": ["s3:ObjectCreated:Put"]},
            {"QueueArn": "gone", "Events": ["s3:ObjectRemoved:*"]},
        ],
        "TopicConfigurations": [{"TopicArn": "topic", "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}],
        "EventBridgeConfiguration": {},
    }
    with Stubber(client) as stub:
        stub.add_response("get_bucket_notification_configuration", told)
        stub.add_response("get_bucket_notification_configuration", {})
        found = BucketEvents(frozenset({"put"}), frozenset({"topic"}), event_bridge=True)
        assert read_bucket_events(client, "logs") == found
        assert read_bucket_events(client, "logs") == BucketEvents(frozenset(), frozenset(), event_bridge=False)


LOCKS: list[tuple[dict[str, Any], BucketLock]] = [
    (
        {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 2}}},
        BucketLock(is_versioned=True, is_locked=True, mode="COMPLIANCE", days=730),
    ),
    (
        {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 5}}},
        BucketLock(is_versioned=True, is_locked=True, mode="GOVERNANCE", days=5),
    ),
    ({}, BucketLock(is_versioned=True, is_locked=True, mode="", days=0)),
]


@pytest.mark.parametrize(("lock", "expected"), LOCKS)
def test_a_locked_bucket_says_for_how_long(lock: dict[str, Any], expected: BucketLock) -> None:
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_response("get_bucket_versioning", {"Status": "Enabled"})
        configuration = {"ObjectLockEnabled": "Enabled", **lock}
        stub.add_response("get_object_lock_configuration", {"ObjectLockConfiguration": configuration})
        assert read_bucket_lock(client, "anchors") == expected


def test_a_bucket_without_a_lock_is_no_error_but_one_that_may_not_be_asked_is() -> None:
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_response("get_bucket_versioning", {})
        stub.add_client_error("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError")
        assert read_bucket_lock(client, "anchors") == BucketLock(is_versioned=False, is_locked=False, mode="", days=0)
        stub.add_response("get_bucket_versioning", {})
        stub.add_client_error("get_object_lock_configuration", "AccessDenied")
        with pytest.raises(DeniedError, match="GetObjectLockConfiguration"):
            read_bucket_lock(client, "anchors")


def test_the_targets_of_a_rule_are_read_to_the_last_page() -> None:
    client = boto3.client("events")
    first = {"Targets": [{"Id": "1", "Arn": "one", "DeadLetterConfig": {"Arn": "dead"}}], "NextToken": "t"}
    with Stubber(client) as stub:
        stub.add_response("describe_rule", {"State": "ENABLED"})
        stub.add_response("list_targets_by_rule", first)
        stub.add_response("list_targets_by_rule", {"Targets": [{"Id": "2", "Arn": "two"}]})
        assert read_rule(client, "rule") == ("rule", "ENABLED", {"one": "dead", "two": ""})


def test_a_resource_is_found_by_its_name_in_the_template() -> None:
    client = boto3.client("cloudformation")
    detail = {
        "LogicalResourceId": "Rule",
        "ResourceType": "AWS::Events::Rule",
        "LastUpdatedTimestamp": NOW,
        "ResourceStatus": "CREATE_COMPLETE",
    }
    with Stubber(client) as stub:
        stub.add_response("describe_stack_resource", {"StackResourceDetail": {**detail, "PhysicalResourceId": "x"}})
        stub.add_response("describe_stack_resource", {"StackResourceDetail": detail})
        assert name_of(client, "leastwise", "Rule") == "x"
        with pytest.raises(NotFoundError, match="Rule"):
            name_of(client, "leastwise", "Rule")
        stub.add_response("describe_stacks", {"Stacks": []})
        assert stack_status(client, "leastwise") == ""


def test_the_peak_of_a_day_is_the_highest_point() -> None:
    functions, metrics = boto3.client("lambda"), boto3.client("cloudwatch")
    limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
    points = [{"Maximum": 3.0}, {"Maximum": 41.0}, {"Maximum": 0.0}]
    with Stubber(functions) as one, Stubber(metrics) as two:
        for datapoints in (points, []):
            one.add_response("get_account_settings", {"AccountLimit": limits})
            two.add_response("get_metric_statistics", {"Datapoints": datapoints})
        assert read_concurrency(functions, metrics, now=NOW) == Concurrency(1000, 900, 41)
        assert read_concurrency(functions, metrics, now=NOW) == Concurrency(1000, 900, 0)


def test_messages_that_are_worked_on_count_as_well(aws: Stack) -> None:
    sqs = clients.sqs()
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=60)
    assert read_waiting(sqs, url) == 2


def test_alarms_and_subscriptions_are_read_to_the_last_page() -> None:
    metrics, topics = boto3.client("cloudwatch"), boto3.client("sns")
    later = NOW + timedelta(hours=1)

    def alarm(name: str, **more: Any) -> dict[str, Any]:
        return {"AlarmName": name, "StateValue": "OK", "StateUpdatedTimestamp": later, **more}

    with Stubber(metrics) as stub:
        first = alarm("a", StateTransitionedTimestamp=NOW, ActionsEnabled=False, AlarmDescription="Do.")
        stub.add_response("describe_alarms", {"MetricAlarms": [first], "NextToken": "t"})
        stub.add_response("describe_alarms", {"MetricAlarms": [alarm("b")]})
        found = read_alarms(metrics, "leastwise-")
    assert found == (("a", "OK", NOW, "Do.", False), ("b", "OK", later, "", True))
    with Stubber(topics) as stub:
        confirmed = {"SubscriptionArn": "arn:aws:sns:us-east-1:1:t:1", "Protocol": "sqs"}
        pending = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email"}
        stub.add_response("list_subscriptions_by_topic", {"Subscriptions": [confirmed], "NextToken": "t"})
        stub.add_response("list_subscriptions_by_topic", {"Subscriptions": [pending]})
        assert read_subscribers(topics, "topic") == Subscribers(1, ("email",))


def decision(action: str, decided: str, *, missing: list[str] | None = None) -> dict[str, Any]:
    on = {"EvalResourceName": "arn:t", "EvalResourceDecision": decided, "MissingContextValues": missing or []}
    return {"EvalActionName": action, "EvalDecision": decided, "ResourceSpecificResults": [on]}


def test_simulated_permissions_are_read_to_the_last_page_and_conditions_leave_them_open() -> None:
    client = boto3.client("iam")
    mfa = ["aws:MultiFactorAuthPresent"]
    first = [decision("s:A", "allowed"), decision("s:B", "implicitDeny")]
    second = [decision("s:C", "explicitDeny", missing=mfa), decision("s:D", "allowed", missing=mfa)]
    with Stubber(client) as stub:
        page = {"EvaluationResults": first, "IsTruncated": True, "Marker": "m"}
        stub.add_response("simulate_principal_policy", page)
        stub.add_response("simulate_principal_policy", {"EvaluationResults": second, "IsTruncated": False})
        found = simulate(client, "arn:aws:iam::123456789012:user/ana", {"arn:t": ("s:A", "s:B", "s:C", "s:D")})
    expected = {"s:A": True, "s:B": False, "s:C": None, "s:D": True}
    assert found == [Permission(action, "arn:t", allowed) for action, allowed in expected.items()]


def test_a_listing_that_is_cut_off_is_an_error() -> None:
    client = boto3.client("iam")
    with Stubber(client) as stub:
        stub.add_response("simulate_principal_policy", {"EvaluationResults": [], "IsTruncated": True})
        with pytest.raises(DependencyError, match="SimulatePrincipalPolicy"):
            simulate(client, "arn:aws:iam::123456789012:user/ana", {"*": ("s:A",)})


def test_a_session_is_led_back_to_its_role_with_its_path(aws: Stack) -> None:
    iam = clients.iam()
    role = iam.create_role(RoleName="auditor", Path="/people/", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    assert principal_of(iam, f"arn:aws:sts::{ACCOUNT}:assumed-role/auditor/ana") == role
    assert principal_of(iam, f"arn:aws:iam::{ACCOUNT}:user/team/ana") == f"arn:aws:iam::{ACCOUNT}:user/team/ana"
    for who in (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:federated-user/ana"):
        with pytest.raises(InputError, match="can't simulate"):
            principal_of(iam, who)


def test_trails_of_all_home_regions_are_read_and_one_that_refuses_says_so(aws: Stack) -> None:
    clients.s3().create_bucket(Bucket="trail-logs")
    for name, region, options in (
        ("here", REGION, {"IsMultiRegionTrail": False}),
        ("there", "eu-west-1", {"IsMultiRegionTrail": True, "EnableLogFileValidation": True}),
    ):
        client: Any = boto3.client("cloudtrail", region_name=region)
        client.create_trail(Name=name, S3BucketName="trail-logs", **options)
        client.put_event_selectors(TrailName=name, EventSelectors=[{"ReadWriteType": "All"}])
        client.start_logging(Name=name)
    here, there = sorted(TrailReader(clients.cloudtrail).setups(), key=lambda setup: setup.arn)[::-1]
    assert (here.home_region, here.is_multi_region, here.is_validated) == (REGION, False, False)
    assert (there.home_region, there.is_multi_region, there.is_validated) == ("eu-west-1", True, True)
    assert here.is_logging
    assert there.is_logging
    assert here.recording.management_gaps == there.recording.management_gaps == ()

    def refusing(region: str | None) -> Any:
        client = clients.cloudtrail(region)
        if region == "eu-west-1":
            client = boto3.client("cloudtrail", region_name=region)
            stub = Stubber(client)
            stub.add_client_error("get_trail_status", "AccessDeniedException")
            stub.activate()
        return client

    found = {setup.home_region: setup for setup in TrailReader(refusing).setups()}
    assert "GetTrailStatus" in found["eu-west-1"].unread
    assert (found["eu-west-1"].is_logging, found[REGION].unread) == (False, "")
