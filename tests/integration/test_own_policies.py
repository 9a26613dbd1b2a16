"""The policies of our own making on moto: all are found, only they are, and only what nobody holds is deleted."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from shared.aws import clients
from shared.aws.own_policies import OwnPolicies, OwnPolicy
from shared.errors import DeniedError, SafetyError
from tests.conftest import Stack

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def create(name: str, *, path: str = "/leastwise/") -> str:
    answer = clients.iam().create_policy(PolicyName=name, Path=path, PolicyDocument=json.dumps(DOCUMENT))
    return answer["Policy"]["Arn"]


@pytest.fixture
def policies(aws: Stack) -> OwnPolicies:
    return OwnPolicies(clients.iam())


def found(policies: OwnPolicies) -> dict[str, OwnPolicy]:
    return {policy.name: policy for policy in policies.list()}


def test_all_pages_are_read_and_only_our_path(policies: OwnPolicies) -> None:
    names = {f"plan-{number:03}" for number in range(150)}
    for name in names:
        create(name)
    create("theirs", path="/")
    create("nearly", path="/leastwise-not/")
    assert found(policies).keys() == names


def test_it_is_told_who_holds_a_policy() -> None:
    client, created = boto3.client("iam"), datetime(2026, 3, 1, tzinfo=UTC)
    counts = {"free": (0, 0), "attached": (2, 0), "bounding": (0, 3)}
    raw = [
        {
            "PolicyName": name,
            "Arn": f"arn:aws:iam::123456789012:policy/leastwise/{name}",
            "CreateDate": created,
            "AttachmentCount": attached,
            "PermissionsBoundaryUsageCount": boundaries,
        }
        for name, (attached, boundaries) in counts.items()
    ]
    with Stubber(client) as stub:
        stub.add_response("list_policies", {"Policies": raw}, {"Scope": "Local", "PathPrefix": "/leastwise/"})
        known = found(OwnPolicies(client))
    assert {name: (policy.attached, policy.boundaries) for name, policy in known.items()} == counts
    assert {name for name, policy in known.items() if policy.is_free} == {"free"}
    assert known["free"].created_at == created


def test_a_policy_that_nobody_holds_is_deleted_with_its_versions_and_once_is_enough(policies: OwnPolicies) -> None:
    arn = create("orphan")
    clients.iam().create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(DOCUMENT), SetAsDefault=True)
    assert policies.delete(arn)
    assert found(policies) == {}
    assert policies.delete(arn), "gone is as good as deleted"


def test_a_policy_in_use_keeps_every_version(policies: OwnPolicies) -> None:
    iam, arn = clients.iam(), create("used")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(DOCUMENT), SetAsDefault=True)
    iam.create_user(UserName="ana")
    iam.attach_user_policy(UserName="ana", PolicyArn=arn)
    assert not policies.delete(arn)
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 2


def test_a_boundary_keeps_every_version() -> None:
    client, arn = boto3.client("iam"), "arn:aws:iam::123456789012:policy/leastwise/p"
    with Stubber(client) as stub:
        stub.add_response("get_policy", {"Policy": {"AttachmentCount": 0, "PermissionsBoundaryUsageCount": 1}})
        assert not OwnPolicies(client).delete(arn)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::123456789012:policy/theirs",
        "arn:aws:iam::123456789012:policy/x/leastwise/theirs",
        "arn:aws:iam::123456789012:role/leastwise/theirs",
    ],
)
def test_nothing_else_is_ever_deleted(policies: OwnPolicies, arn: str) -> None:
    with pytest.raises(SafetyError, match="not below /leastwise/"):
        policies.delete(arn)


@pytest.mark.parametrize("code", ["DeleteConflict", "AccessDenied"])
def test_a_policy_that_somebody_took_meanwhile_stays_and_a_refusal_is_told(code: str) -> None:
    client, arn = boto3.client("iam"), "arn:aws:iam::123456789012:policy/leastwise/p"
    with Stubber(client) as stub:
        stub.add_response("get_policy", {"Policy": {"AttachmentCount": 0, "PermissionsBoundaryUsageCount": 0}})
        stub.add_response("list_policy_versions", {"Versions": [{"VersionId": "v1", "IsDefaultVersion": True}]})
        stub.add_client_error("delete_policy", code)
        if code == "DeleteConflict":
            assert not OwnPolicies(client).delete(arn)
        else:
            with pytest.raises(DeniedError):
                OwnPolicies(client).delete(arn)
