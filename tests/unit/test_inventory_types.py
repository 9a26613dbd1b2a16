"""Which resources of an inventory an action is about, by the templates of the AWS service reference."""

import functools

import pytest

from shared.knowledge import load_catalogue
from shared.pci.reach.inventory_types import ServiceKinds, plain, service_kinds
from shared.reference import load_operations
from tests.builders import ACCOUNT

HERE = f"eu-west-1:{ACCOUNT}"
# One resource of many types, as their ARNs really look.
ARNS = tuple(
    sorted(
        [
            "arn:aws:s3:::photos",
            f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/photos",
            f"arn:aws:dynamodb:{HERE}:table/orders",
            f"arn:aws:dynamodb:{HERE}:table/people",
            f"arn:aws:dynamodb:{HERE}:table/people/index/by_name",
            f"arn:aws:lambda:{HERE}:function:web",
            f"arn:aws:lambda:{HERE}:function:web:live",
            f"arn:aws:logs:{HERE}:log-group:/aws/lambda/web",
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
            f"arn:aws:iam::{ACCOUNT}:user/people/ana",
            f"arn:aws:iam::{ACCOUNT}:policy/own",
            f"arn:aws:ec2:{HERE}:instance/i-0123",
            f"arn:aws:ec2:{HERE}:volume/vol-0123",
            f"arn:aws:kms:{HERE}:key/1234",
            f"arn:aws:sqs:{HERE}:jobs.fifo",
            f"arn:aws:ecr:{HERE}:repository/team/web",
            f"arn:aws:secretsmanager:{HERE}:secret:team/web-AbCdEf",
            "arn:aws:apigateway:eu-west-1::/restapis/a1b2",
            f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1",
            f"arn:aws:nosuchservice:{HERE}:thing",
        ]
    )
)


@functools.cache
def kinds_of(arns: tuple[str, ...]) -> tuple[ServiceKinds, ...]:
    return service_kinds(arns, load_catalogue(), load_operations())


def resources_of(action: str, arns: tuple[str, ...] = ARNS) -> set[str]:
    catalogue = load_catalogue()
    mask = catalogue.mask(action)
    assert mask, action
    found = [kind for one in kinds_of(arns) for kind in one.kinds if kind.actions & mask]
    assert len(found) <= 1  # an action is of one kind
    return {arn for place, arn in enumerate(arns) if found and found[0].resources >> place & 1}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("s3:ListBucket", {"s3:::photos", "accesspoint/photos"}),
        ("s3:DeleteBucket", {"s3:::photos"}),
        ("s3:ListAllMyBuckets", set()),
        ("dynamodb:PutItem", {"table/orders", "table/people"}),
        ("dynamodb:Query", {"table/orders", "table/people", "table/people/index/by_name"}),
        ("dynamodb:GetRecords", {"table/orders", "table/people"}),  # streams lie in tables
        ("lambda:CreateFunction", {"function:web"}),
        ("logs:PutRetentionPolicy", {"/aws/lambda/web"}),
        ("logs:GetLogEvents", {"/aws/lambda/web"}),  # streams lie in groups
        ("iam:PassRole", {"AWSServiceRoleForConfig"}),
        ("iam:CreateAccessKey", {"user/people/ana"}),
        ("iam:CreatePolicyVersion", {"policy/own"}),
        ("ec2:AttachVolume", {"instance/i-0123", "volume/vol-0123"}),
        ("ec2:DescribeInstances", set()),
        ("kms:Decrypt", {"key/1234"}),
        ("sqs:SendMessage", {"jobs.fifo"}),
        ("ecr:PutImage", {"repository/team/web"}),
        ("secretsmanager:GetSecretValue", {"secret:team/web-AbCdEf"}),
        ("cloudfront:UpdateDistribution", {"distribution/E1"}),
        ("sns:Publish", set()),
    ],
)
def test_an_action_is_about_the_resources_of_its_types(action: str, expected: set[str]) -> None:
    assert resources_of(action) == {arn for arn in ARNS if any(arn.endswith(end) for end in expected)}


def test_objects_count_by_the_bucket_that_they_lie_in() -> None:
    assert "arn:aws:s3:::photos" in resources_of("s3:GetObject", ("arn:aws:s3:::photos",))


def test_an_object_that_is_listed_is_none_of_the_buckets() -> None:
    both = ("arn:aws:s3:::photos", "arn:aws:s3:::photos/a.jpg")
    assert resources_of("s3:ListBucket", both) == {"arn:aws:s3:::photos"}
    assert resources_of("s3:GetObject", both) == {"arn:aws:s3:::photos/a.jpg"}


def test_what_fits_no_template_belongs_to_no_action() -> None:
    odd = ("", "arn", "arn:aws:s3", "arn:aws:s3:::", f"arn:aws:nosuchservice:{HERE}:thing")
    assert kinds_of(odd) == ()


def test_kinds_share_no_action_and_are_numbered() -> None:
    kinds = [kind for one in kinds_of(ARNS) for kind in one.kinds]
    assert sorted(kind.number for kind in kinds) == list(range(len(kinds)))
    seen = 0
    for kind in kinds:
        assert kind.actions
        assert kind.resources
        assert not kind.actions & seen
        seen |= kind.actions


def test_names_of_variables_make_no_difference() -> None:
    assert plain("arn:${Partition}:iam::${Account}:role/${RoleName}") == plain("arn:${P}:iam::${A}:role/${X}")
