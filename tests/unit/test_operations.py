"""From CloudTrail's event source and name to IAM actions."""

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.operations import (
    ACTION_OF_EVENT,
    PREFIXES_OF_SOURCE,
    PRIMARY_OF_OPERATION,
    OperationActions,
    Unmapped,
    UnmappedReason,
)
from shared.reference import SERVICE_REFERENCE, load_operations, load_service_reference


def actions_of(source: str, name: str) -> OperationActions:
    found = load_operations().actions_of(f"{source}.amazonaws.com", name)
    assert isinstance(found, OperationActions), f"{source} {name}: {found}"
    return found


@pytest.mark.parametrize(
    ("source", "name", "primary"),
    [
        ("ec2", "RunInstances", "ec2:RunInstances"),
        ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
        ("s3", "HeadBucket", "s3:ListBucket"),
        ("s3", "GetBucketVersioning", "s3:GetBucketVersioning"),
        ("s3", "GetBucketCors", "s3:GetBucketCORS"),
        ("s3", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
        ("s3", "PutBucketLifecycle", "s3:PutLifecycleConfiguration"),
        ("s3", "GetAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
        ("s3", "GetBucketObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
        ("s3", "GetBucketPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
        ("s3", "DeleteBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        ("s3", "DeleteAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"),
        ("s3", "GetObject", "s3:GetObject"),
        ("s3", "HeadObject", "s3:GetObject"),
        ("s3", "CopyObject", "s3:PutObject"),
        ("lambda", "CreateFunction20150331", "lambda:CreateFunction"),
        ("lambda", "UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode"),
        ("lambda", "GetLayerVersion20181031", "lambda:GetLayerVersion"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("cloudfront", "UpdateDistribution2014_01_31", "cloudfront:UpdateDistribution"),
        ("quicksight", "CreateTopicV2", "quicksight:CreateTopic"),
        ("apigateway", "GetRestApis", "apigateway:GET"),
        ("apigateway", "CreateRestApi", "apigateway:POST"),
        ("apigateway", "UpdateStage", "apigateway:PATCH"),
        ("apigateway", "ImportApi", "apigateway:PUT"),
        ("apigateway", "DeleteSomethingNew", "apigateway:DELETE"),
        ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("tagging", "GetResources", "tag:GetResources"),
        ("servicecatalog-appregistry", "ListApplications", "servicecatalog:ListApplications"),
        ("amazonmq", "CreateBroker", "mq:CreateBroker"),
        ("runtime.lex", "PostText", "lex:PostText"),
        ("streams.dynamodb", "GetRecords", "dynamodb:GetRecords"),
        ("es", "CreateDomain", "es:CreateDomain"),
        ("autoscaling", "RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget"),
        ("autoscaling", "PutScalingPolicy", "autoscaling:PutScalingPolicy"),
        ("budgets", "DescribeBudgets", "budgets:ViewBudget"),
        ("bedrock", "Converse", "bedrock:InvokeModel"),
        ("ssm", "UpdateInstanceInformation", "ssm:UpdateInstanceInformation"),
        ("elasticbeanstalk", "CreateEnvironment", "elasticbeanstalk:CreateEnvironment"),
    ],
)
def test_a_call_proves_its_action(source: str, name: str, primary: str) -> None:
    assert actions_of(source, name).primary == primary


def test_given_a_source_of_the_china_partition_then_the_service_is_known() -> None:
    found = load_operations().actions_of("ec2.amazonaws.com.cn", "StopInstances")
    assert isinstance(found, OperationActions)
    assert found.primary == "ec2:StopInstances"


@pytest.mark.parametrize(
    ("source", "name", "possible"),
    [
        ("dynamodb", "ExecuteStatement", "dynamodb:PartiQLSelect"),
        ("s3", "DeleteObjects", "s3:DeleteObject"),
        ("timestream", "Query", "timestream:Select"),
        ("apigateway", "TagResource", "apigateway:PUT"),
    ],
)
def test_given_one_of_several_actions_then_none_is_proven(source: str, name: str, possible: str) -> None:
    found = actions_of(source, name)
    assert found.primary is None
    assert possible in found.possible
    assert len(found.possible) > 1


def test_given_an_operation_that_passes_roles_then_it_says_so_and_lists_the_other_actions() -> None:
    assert actions_of("ec2", "RunInstances") == OperationActions(
        "ec2:RunInstances", ("ec2:CreateTags",), passes_role=True
    )
    assert actions_of("lambda", "CreateFunction20150331").passes_role
    assert not actions_of("ec2", "StopInstances").passes_role


def test_given_a_namesake_that_the_reference_does_not_list_then_it_is_possible() -> None:
    found = actions_of("kafka", "CreateTopic")
    assert found.primary == "kafka-cluster:CreateTopic"
    assert set(found.possible) == {"kafka-cluster:Connect", "kafka:CreateTopic"}


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ("nosuchservice.amazonaws.com", "DoThings", UnmappedReason.UNKNOWN_SERVICE),
        ("", "", UnmappedReason.UNKNOWN_SERVICE),
        ("s3.amazonaws.com", "GetStorageLensDashboardDataInternal", UnmappedReason.UNKNOWN_OPERATION),
        ("lambda.amazonaws.com", "NoSuchThing20150331", UnmappedReason.UNKNOWN_OPERATION),
        ("codecatalyst.amazonaws.com", "ListSourceRepositories", UnmappedReason.NO_ACTION),
        ("apigateway.amazonaws.com", "ponder", UnmappedReason.UNKNOWN_OPERATION),
    ],
)
def test_given_no_action_then_the_reason_is_named(source: str, name: str, reason: UnmappedReason) -> None:
    assert load_operations().actions_of(source, name) == Unmapped(reason)


def test_given_an_operation_whose_own_name_ends_like_a_version_then_it_is_not_stripped() -> None:
    """For instance ses:CreateSomethingV2 beside ses:CreateSomething: the exact name wins."""
    services = load_service_reference()["services"]
    versioned = {
        (prefix, name)
        for prefix, service in services.items()
        for name in service["operations"]
        if re.search(r"[vV]\d$", name) and f"{prefix}:{name}" not in PRIMARY_OF_OPERATION
    }
    assert versioned
    for prefix, name in versioned:
        authorized = [a if isinstance(a, str) else a["action"] for a in services[prefix]["operations"][name]]
        if f"{prefix}:{name}" in authorized:
            assert actions_of(prefix, name).primary == f"{prefix}:{name}"


def test_every_operation_of_the_reference_is_mapped_to_actions_that_it_authorizes() -> None:
    operations, services = load_operations(), load_service_reference()["services"]
    unproven, unmapped, total = 0, 0, 0
    for prefix, service in services.items():
        if prefix in PREFIXES_OF_SOURCE:
            continue
        for name, authorized in service["operations"].items():
            total += 1
            found = operations.actions_of(f"{prefix}.amazonaws.com", name)
            if isinstance(found, Unmapped):
                assert not authorized, f"{prefix}:{name}"
                unmapped += 1
                continue
            unproven += found.primary is None
            named = {found.primary, *found.possible} - {None}
            assert all(operations.has_action(action) for action in named if action)
            assert {a if isinstance(a, str) else a["action"] for a in authorized} - {"iam:PassRole"} <= named
            assert found.primary not in found.possible
    assert total > 18_000
    assert unmapped < 330, "operations for which the reference names no action"
    assert unproven < 50, "operations of which no single action is proven"


def test_the_tables_by_hand_name_what_the_reference_knows() -> None:
    operations, services = load_operations(), load_service_reference()["services"]
    assert {prefix for prefixes in PREFIXES_OF_SOURCE.values() for prefix in prefixes} <= services.keys()
    actions = {*ACTION_OF_EVENT.values(), *PRIMARY_OF_OPERATION.values()}
    assert {action for action in actions if not operations.has_action(action)} == set()
    for call in PRIMARY_OF_OPERATION:
        prefix, name = call.split(":")
        assert name in services[prefix]["operations"], call
    for call in ACTION_OF_EVENT:
        prefix, name = call.split(":")
        assert name not in services[prefix]["operations"], f"{call} is in the reference by now"


def test_the_reference_is_the_one_that_its_source_file_describes() -> None:
    source = (SERVICE_REFERENCE.parent / "SERVICE_REFERENCE_SOURCE.md").read_text()
    assert hashlib.sha256(SERVICE_REFERENCE.read_bytes()).hexdigest() in source
    services = load_service_reference()["services"]
    counts = (len(services), *(sum(len(s[kind]) for s in services.values()) for kind in ("actions", "operations")))
    assert "{} services, {:,} actions, {:,} operations".format(*counts) in source


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_mapped_or_unmapped_without_an_error(source: str, name: str) -> None:
    assert isinstance(load_operations().actions_of(source, name), OperationActions | Unmapped)
