"""Which resources a use named: certain ones only, for a wrong certainty locks somebody out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.scorer.trail.record import Record
from services.scorer.usage.fold import fold
from services.scorer.usage.groups import MAX_PENDING
from services.scorer.usage.resources import ALTERNATIVES, NAMED_IN_REQUEST, NEVER_CERTAIN
from services.scorer.usage.templates import partition_of, template
from shared.model.resources import MAX_EXACT
from shared.model.usage import UsageEntry
from shared.reference import load_operations
from tests.unit.cloudtrail_records import ACCOUNT, INVICTUS, STRATUS, real_records, record

HERE = f"eu-west-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HERE}:key/0a1b2c3d-1111-2222-3333-444455556666"
TOPIC = f"arn:aws:sns:{HERE}:alerts"
TABLE = f"arn:aws:dynamodb:{HERE}:table/orders"
FUNCTION = f"arn:aws:lambda:{HERE}:function:resize"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/worker"
OBJECT, BUCKET = "arn:aws:s3:::photos/2026/cat.jpg", "arn:aws:s3:::photos"
ANY = None


def used(operation: str, resources: Sequence[str] = (), request: object = None, **changes: Any) -> UsageEntry:
    """Entry of the operation's primary action, after one call."""
    source, name = operation.split(":")
    told = [{"ARN": arn} for arn in resources] or None
    call = record(
        eventSource=f"{source}.amazonaws.com", eventName=name, resources=told, requestParameters=request, **changes
    )
    result = fold([call], load_operations(), feed="test")
    (usage,) = result.usages.values()
    return next(iter(usage.entries.values()))


def patterns(*args: Any, **changes: Any) -> set[str] | None:
    found = used(*args, **changes).resources.patterns()
    return None if found is None else set(found)


# By `resources`

TOLD: dict[str, tuple[str, list[str], Any, set[str] | None]] = {
    "the one type": ("kms:Decrypt", [KEY], None, {KEY}),
    "several of the one type": ("kms:ReEncrypt", [KEY, KEY.replace("0a", "0b")], None, {KEY, KEY.replace("0a", "0b")}),
    "of another account": (
        "sts:AssumeRole",
        [ROLE.replace(ACCOUNT, "4" * 12)],
        None,
        {ROLE.replace(ACCOUNT, "4" * 12)},
    ),
    "the object, not its bucket": ("s3:GetObject", [OBJECT, BUCKET], {"bucketName": "photos"}, {OBJECT}),
    "the action's type, not the operation's": ("s3:HeadObject", [OBJECT, BUCKET], None, {OBJECT}),
    "the bucket": ("s3:ListObjects", [BUCKET], {"bucketName": "photos", "Host": "photos.s3.amazonaws.com"}, {BUCKET}),
    "a parameter in a hierarchy": (
        "ssm:GetParameter",
        [f"arn:aws:ssm:{HERE}:parameter/app/dsn"],
        None,
        {f"arn:aws:ssm:{HERE}:parameter/app/dsn"},
    ),
    "several parameters": (
        "ssm:GetParameters",
        [f"arn:aws:ssm:{HERE}:parameter/a", f"arn:aws:ssm:{HERE}:parameter/b"],
        None,
        {f"arn:aws:ssm:{HERE}:parameter/a", f"arn:aws:ssm:{HERE}:parameter/b"},
    ),
    "a table": ("dynamodb:Query", [TABLE], {"tableName": "orders"}, {TABLE}),
    "a table's index": ("dynamodb:Query", [TABLE], {"tableName": "orders", "indexName": "by-day"}, ANY),
    "through an access point": (
        "s3:GetObject",
        [OBJECT, BUCKET],
        {"bucketName": "photos", "Host": "ap-111122223333.s3-accesspoint.eu-west-1.amazonaws.com"},
        ANY,
    ),
    "through an access point's alias": ("s3:GetObject", [OBJECT], {"bucketName": "ap-x1y2z3-s3alias"}, ANY),
    "through an Object Lambda access point": ("s3:GetObject", [OBJECT], {"bucketName": "ap-x1y2z3--ol-s3"}, ANY),
    "in a directory bucket": ("s3:GetObject", [OBJECT], {"bucketName": "photos--euw1-az1--x-s3"}, ANY),
    "with addressing that can't be read": ("s3:GetObject", [OBJECT], {"bucketName": ["photos"]}, ANY),
    "a copy's source or target": ("s3:CopyObject", [OBJECT, BUCKET], None, ANY),
    "only the bucket of an object": ("s3:GetObject", [BUCKET], None, ANY),
    "an action without types": ("sts:GetCallerIdentity", [ROLE], None, ANY),
    "an action with several types": ("kms:UpdateAlias", [KEY, f"arn:aws:kms:{HERE}:alias/app"], None, ANY),
    "of another type": ("ssm:ListInstanceAssociations", [f"arn:aws:ec2:{HERE}:instance/i-0abc"], None, ANY),
    "a pattern": ("sns:Publish", [f"arn:aws:sns:{HERE}:*"], None, ANY),
    "a policy variable": ("s3:GetObject", ["arn:aws:s3:::photos/${aws:username}"], None, ANY),
    "a log group, of which streams are checked": (
        "logs:CreateLogStream",
        [f"arn:aws:logs:{HERE}:log-group:g"],
        None,
        ANY,
    ),
    "a secret, whose ARN may lack its suffix": (
        "secretsmanager:GetSecretValue",
        [f"arn:aws:secretsmanager:{HERE}:secret:prod/my-secret"],
        None,
        ANY,
    ),
    "a path for all below": ("ssm:GetParametersByPath", [f"arn:aws:ssm:{HERE}:parameter/app"], None, ANY),
    "no ARN": ("kms:Decrypt", ["0a1b2c3d"], None, ANY),
    "nothing": ("kms:Decrypt", [], None, ANY),
}


@pytest.mark.parametrize("case", TOLD)
def test_resources_are_certain_where_the_record_lists_the_one_type(case: str) -> None:
    operation, resources, request, expected = TOLD[case]
    assert patterns(operation, resources, request) == expected


# By `requestParameters`

QUEUE = f"arn:aws:sqs:{HERE}:jobs"
REQUESTED: dict[str, tuple[str, Any, set[str] | None]] = {
    "an ARN, called as the type": ("sns:Publish", {"topicArn": TOPIC, "message": "x"}, {TOPIC}),
    "an ARN in capitals": (
        "kinesis:PutRecord",
        {"streamARN": f"arn:aws:kinesis:{HERE}:stream/s"},
        {f"arn:aws:kinesis:{HERE}:stream/s"},
    ),
    "a policy with its path": (
        "iam:CreatePolicyVersion",
        {"policyArn": f"arn:aws:iam::{ACCOUNT}:policy/team/p", "policyDocument": "{}"},
        {f"arn:aws:iam::{ACCOUNT}:policy/team/p"},
    ),
    "AWS's own policy": (
        "iam:GetPolicy",
        {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        {"arn:aws:iam::aws:policy/ReadOnlyAccess"},
    ),
    "a role to assume": ("sts:AssumeRole", {"roleArn": ROLE, "roleSessionName": "x"}, {ROLE}),
    "an ARN of another type": ("sns:Publish", {"topicArn": f"{TOPIC}:8a7b"}, ANY),
    "an ARN in a parameter of another name": ("sns:Publish", {"targetArn": TOPIC}, ANY),
    "an ARN deep in the request": ("sns:Publish", {"x": {"topicArn": TOPIC}}, ANY),
    "a role by name, whose path is unknown": ("iam:GetRole", {"roleName": "worker"}, ANY),
    "a table by name": ("dynamodb:DescribeTable", {"tableName": "orders"}, {TABLE}),
    "a table by ARN": ("dynamodb:DescribeTable", {"tableName": TABLE}, {TABLE}),
    "a table by the ARN of its index": ("dynamodb:DescribeTable", {"tableName": f"{TABLE}/index/i"}, ANY),
    "a function by name": ("lambda:GetFunction20150331v2", {"functionName": "resize"}, {FUNCTION}),
    "a function by ARN": ("lambda:GetFunction20150331v2", {"functionName": FUNCTION}, {FUNCTION}),
    "a function's version by ARN": ("lambda:GetFunction20150331v2", {"functionName": f"{FUNCTION}:7"}, ANY),
    "a function's version by name": ("lambda:GetFunction20150331v2", {"functionName": "resize:LIVE"}, ANY),
    "a function's version": ("lambda:GetFunction20150331v2", {"functionName": "resize", "qualifier": "7"}, ANY),
    "a bucket": ("s3:CreateBucket", {"bucketName": "photos", "Host": "s3.amazonaws.com"}, {BUCKET}),
    "a queue by URL": ("sqs:SendMessage", {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/jobs"}, {QUEUE}),
    "a queue of another account by URL": (
        "sqs:SendMessage",
        {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{'4' * 12}/jobs.fifo"},
        {f"arn:aws:sqs:eu-west-1:{'4' * 12}:jobs.fifo"},
    ),
    "a queue by an old URL": ("sqs:SendMessage", {"queueUrl": f"https://queue.amazonaws.com/{ACCOUNT}/jobs"}, ANY),
    "a queue elsewhere by URL": (
        "sqs:SendMessage",
        {"queueUrl": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/jobs"},
        ANY,
    ),
    "a queue by name": ("sqs:CreateQueue", {"queueName": "jobs"}, {QUEUE}),
    "a queue of another owner": ("sqs:GetQueueUrl", {"queueName": "jobs", "queueOwnerAWSAccountId": "4" * 12}, ANY),
    "a repository": (
        "ecr:BatchGetImage",
        {"repositoryName": "team/app", "registryId": ACCOUNT},
        {f"arn:aws:ecr:{HERE}:repository/team/app"},
    ),
    "a repository of another registry": ("ecr:BatchGetImage", {"repositoryName": "app", "registryId": "4" * 12}, ANY),
    "a name with a wildcard": ("dynamodb:DescribeTable", {"tableName": "or*"}, ANY),
    "a name with a variable": ("dynamodb:DescribeTable", {"tableName": "${x}"}, ANY),
    "a name with a slash": ("dynamodb:DescribeTable", {"tableName": "a/b"}, ANY),
    "a hidden name": ("dynamodb:DescribeTable", {"tableName": "HIDDEN_DUE_TO_SECURITY_REASONS"}, ANY),
    "an empty name": ("dynamodb:DescribeTable", {"tableName": ""}, ANY),
    "no string": ("dynamodb:DescribeTable", {"tableName": {"S": "orders"}}, ANY),
    "two that disagree": ("sns:Publish", {"topicArn": TOPIC, "resourceArn": KEY}, ANY),
    "a key by alias": ("kms:Decrypt", {"keyId": "alias/app"}, ANY),
    "a key by id": ("kms:Decrypt", {"keyId": "0a1b2c3d-1111-2222-3333-444455556666"}, ANY),
    "a secret by name": ("secretsmanager:GetSecretValue", {"secretId": "prod/x"}, ANY),
    "a name of a service that folds case": ("elasticache:DeleteCacheCluster", {"cacheClusterId": "Main"}, ANY),
    "no object": ("sns:Publish", [TOPIC], ANY),
    "nothing": ("sns:Publish", None, ANY),
}


@pytest.mark.parametrize("case", REQUESTED)
def test_resources_are_certain_where_the_request_names_the_one_type(case: str) -> None:
    operation, request, expected = REQUESTED[case]
    assert patterns(operation, (), request) == expected


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("us-east-1", "aws"),
        ("mx-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("eusc-de-east-1", "aws-eusc"),
        ("mars-north-1", None),
        ("global", None),
    ],
)
def test_a_name_becomes_an_arn_in_the_partition_of_its_region(region: str, partition: str | None) -> None:
    assert partition_of(region) == partition
    found = patterns("dynamodb:DescribeTable", (), {"tableName": "t"}, awsRegion=region)
    assert found == ({f"arn:{partition}:dynamodb:{region}:{ACCOUNT}:table/t"} if partition else None)


def test_without_a_recipient_a_name_says_nothing() -> None:
    assert patterns("dynamodb:DescribeTable", (), {"tableName": "t"}, recipientAccountId=None) is None


# Over many records


def named_by(*records: Record) -> tuple[str, ...] | None:
    """What the reads of objects among these records named, all together."""
    (usage,) = fold(records, load_operations(), feed="test").usages.values()
    return usage.entries["s3:getobject"].resources.patterns()


def read(name: str, **changes: Any) -> Record:
    arn = f"arn:aws:s3:::photos/{name}"
    call = {"eventName": "GetObject", "resources": [{"ARN": arn}, {"ARN": BUCKET}]}
    return record(**(call | changes))


def test_given_a_use_that_names_no_resource_then_no_other_use_can_narrow_it() -> None:
    assert named_by(read("a"), read("b", resources=None)) is None
    assert named_by(read("b", resources=None), read("a")) is None
    assert named_by(read("a"), read("a")) == ("arn:aws:s3:::photos/a",)


def test_uses_in_other_regions_and_by_other_operations_count_for_the_same_action() -> None:
    there = read("b", awsRegion="us-east-1", eventName="HeadObject")
    assert named_by(read("a"), there) == ("arn:aws:s3:::photos/a", "arn:aws:s3:::photos/b")


def test_an_unsure_use_counts_and_a_denied_one_does_not() -> None:
    unsure, denied = read("b", errorCode="SlowDown"), read("c", errorCode="AccessDenied", resources=None)
    assert named_by(read("a"), unsure, denied) == ("arn:aws:s3:::photos/a", "arn:aws:s3:::photos/b")


def test_many_objects_become_their_common_prefix() -> None:
    names = [f"2026/{n:04}" for n in range(3 * MAX_PENDING)]
    assert named_by(*(read(name) for name in names)) == ("arn:aws:s3:::photos/2026/0*",)
    assert named_by(*(read(name) for name in names[:MAX_EXACT])) == tuple(
        f"arn:aws:s3:::photos/{name}" for name in names[:MAX_EXACT]
    )


# The tables


def test_the_tables_name_what_exists() -> None:
    operations = load_operations()
    services = set(operations.services())
    assert {key.partition(":")[0] for key in (*NAMED_IN_REQUEST, *ALTERNATIVES, *NEVER_CERTAIN)} <= services
    for prefix, variable in NAMED_IN_REQUEST.items():
        templates = {
            text
            for name in operations.known_actions_of(prefix)
            for text in operations.resource_templates(f"{prefix}:{name}")
        }
        assert any(template(text).names == (variable,) for text in templates), prefix


@pytest.mark.parametrize("folder", [INVICTUS, STRATUS], ids=["invictus", "stratus"])
def test_real_records_name_only_arns_of_the_actions_types(folder: Path) -> None:
    operations = load_operations()
    result = fold(real_records(folder), operations, feed="test")
    entries = [entry for usage in result.usages.values() for entry in usage.entries.values()]
    known = [(entry.action, arn) for entry in entries for arn in entry.resources.exact() or ()]
    assert len(known) > 3
    for action, arn in known:
        assert any(template(text).fits(arn) for text in operations.resource_templates(action)), (action, arn)
