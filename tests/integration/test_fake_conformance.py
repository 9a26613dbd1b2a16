"""The fake AWS of the fault runs answers as moto does: the same contract, case by case, for every call that is used.

Where the two differ on purpose the case names which of them follows AWS, and AWS's own page.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend

from infra.build.template import ROOT, load_template
from shared.aws import clients
from tests.fake_aws.cloud import FakeCloud

ACCOUNT = "123456789012"  # moto's
READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]})
WRITE = READ.replace("Get", "Put")
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
)
ABSENT = f"arn:aws:iam::{ACCOUNT}:policy/absent"


@dataclass(frozen=True)
class Side:
    """One of the two, with the functions of `shared.aws.clients`."""

    name: str
    cloud: ModuleType | FakeCloud

    @property
    def iam(self) -> Any:
        """Client of IAM."""
        return self.cloud.iam()

    @property
    def table(self) -> Any:
        """Client of DynamoDB."""
        return self.cloud.dynamodb()


@pytest.fixture(scope="module")
def moto() -> Iterator[ModuleType]:
    """Moto, with clients that are made once: making them takes longer than all the cases."""
    for name in ("iam", "dynamodb", "ssm", "events"):
        getattr(clients, name).cache_clear()
    with mock_aws():
        yield clients
    for name in ("iam", "dynamodb", "ssm", "events"):
        getattr(clients, name).cache_clear()


@pytest.fixture(params=["fake", "moto"])
def side(request: pytest.FixtureRequest, moto: ModuleType) -> Side:
    """The account with nothing in it but the journal's table, a bus, and a user, a role and a group."""
    moto_api_backend.reset()
    return account(Side(request.param, FakeCloud(account_id=ACCOUNT) if request.param == "fake" else moto))


@pytest.fixture
def fake() -> Side:
    """The fake alone, for what moto lacks: boundaries of users, last accessed information."""
    return account(Side("fake", FakeCloud(account_id=ACCOUNT)))


def account(side: Side) -> Side:
    properties = load_template(ROOT / "infra" / "sam" / "data.yaml")["Resources"]["JournalTable"]["Properties"]
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    side.table.create_table(TableName="journal", **{key: properties[key] for key in keys if key in properties})
    side.cloud.events().create_event_bus(Name="leastwise")
    side.iam.create_user(UserName="alice", Path="/team/")
    side.iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=TRUST)
    side.iam.create_group(GroupName="devs")
    return side


def code_of(call: Callable[[], object]) -> str:
    """The error code that a call is refused with; "" where it isn't."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def create(side: Side, name: str = "read", document: str = READ, **more: Any) -> str:
    return str(side.iam.create_policy(PolicyName=name, PolicyDocument=document, **more)["Policy"]["Arn"])


def pages(side: Side, operation: str, name: str, **given: Any) -> list[Any]:
    return [one for page in side.iam.get_paginator(operation).paginate(**given) for one in page[name]]


# ---- identities


def test_identities_are_told_with_id_arn_path_and_date(side: Side) -> None:
    user, role = side.iam.get_user(UserName="alice")["User"], side.iam.get_role(RoleName="deployer")["Role"]

    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/alice"
    assert (user["UserName"], user["Path"]) == ("alice", "/team/")
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/deployer"
    assert role["RoleId"].startswith("AROA")
    assert user["UserId"]  # moto's don't begin with AIDA as IAM's do: tests/conftest.py mends that elsewhere
    assert user["CreateDate"].tzinfo
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert "PermissionsBoundary" not in user


@pytest.mark.parametrize("kind", ["user", "role", "group"])
def test_who_is_not_there_is_no_such_entity(side: Side, kind: str) -> None:
    who = {f"{kind.title()}Name": "nobody"}

    assert code_of(lambda: getattr(side.iam, f"get_{kind}")(**who)) == "NoSuchEntity"


@pytest.mark.parametrize("kind", ["user", "role"])
def test_a_name_that_is_taken_is_refused(side: Side, kind: str) -> None:
    name, more = ("alice", {}) if kind == "user" else ("deployer", {"AssumeRolePolicyDocument": TRUST})

    again = code_of(lambda: getattr(side.iam, f"create_{kind}")(**{f"{kind.title()}Name": name}, **more))

    assert again == "EntityAlreadyExists"


def test_an_identity_that_holds_something_can_not_be_deleted(side: Side) -> None:
    side.iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=READ)
    assert code_of(lambda: side.iam.delete_user(UserName="alice")) == "DeleteConflict"
    side.iam.delete_user_policy(UserName="alice", PolicyName="own")
    side.iam.delete_user(UserName="alice")
    assert code_of(lambda: side.iam.get_user(UserName="alice")) == "NoSuchEntity"


def test_tags_are_told_with_the_identity(side: Side) -> None:
    side.iam.tag_user(UserName="alice", Tags=[{"Key": "team", "Value": "data"}])
    side.iam.tag_user(UserName="alice", Tags=[{"Key": "team", "Value": "web"}])

    assert side.iam.get_user(UserName="alice")["User"]["Tags"] == [{"Key": "team", "Value": "web"}]


# ---- managed policies


def test_a_policy_is_told_with_its_default_version_and_document(side: Side) -> None:
    arn = create(side, "p", Path="/leastwise/", Tags=[{"Key": "leastwise:plan", "Value": "p"}])

    policy = side.iam.get_policy(PolicyArn=arn)["Policy"]
    version = side.iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/p"
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)
    assert policy["Tags"] == [{"Key": "leastwise:plan", "Value": "p"}]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(READ), True)


@pytest.mark.parametrize(
    "call",
    [
        lambda iam: iam.get_policy(PolicyArn=ABSENT),
        lambda iam: iam.get_policy_version(PolicyArn=ABSENT, VersionId="v1"),
        lambda iam: iam.delete_policy(PolicyArn=ABSENT),
        lambda iam: iam.attach_user_policy(UserName="alice", PolicyArn=ABSENT),
        lambda iam: iam.attach_role_policy(RoleName="deployer", PolicyArn=ABSENT),
        lambda iam: iam.detach_user_policy(UserName="alice", PolicyArn=ABSENT),
        lambda iam: iam.detach_role_policy(RoleName="deployer", PolicyArn=ABSENT),
        lambda iam: iam.get_user_policy(UserName="alice", PolicyName="absent"),
        lambda iam: iam.get_role_policy(RoleName="deployer", PolicyName="absent"),
        lambda iam: iam.get_group_policy(GroupName="devs", PolicyName="absent"),
        lambda iam: iam.delete_user_policy(UserName="alice", PolicyName="absent"),
        lambda iam: iam.delete_role_policy(RoleName="deployer", PolicyName="absent"),
        lambda iam: iam.remove_user_from_group(UserName="alice", GroupName="absent"),
        lambda iam: iam.add_user_to_group(UserName="alice", GroupName="absent"),
        lambda iam: iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=READ),
        lambda iam: iam.list_attached_user_policies(UserName="nobody"),
        lambda iam: iam.list_user_policies(UserName="nobody"),
        lambda iam: iam.list_groups_for_user(UserName="nobody"),
    ],
)
def test_what_is_not_there_is_no_such_entity(side: Side, call: Callable[[Any], object]) -> None:
    assert code_of(lambda: call(side.iam)) == "NoSuchEntity"


@pytest.mark.parametrize(
    "call",
    [
        lambda iam: iam.list_entities_for_policy(PolicyArn=ABSENT),
        lambda iam: iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=ABSENT),
        lambda iam: iam.put_role_permissions_boundary(RoleName="deployer", PermissionsBoundary=ABSENT),
        lambda iam: iam.get_service_last_accessed_details(JobId="00000000-0000-0000-0000-000000000000"),
    ],
)
def test_what_moto_does_not_look_up_is_no_such_entity_either(fake: Side, call: Callable[[Any], object]) -> None:
    """As the IAM API reference lists NoSuchEntity for each of them."""
    assert code_of(lambda: call(fake.iam)) == "NoSuchEntity"


def test_a_policy_of_the_same_name_exists_already(side: Side) -> None:
    create(side)

    assert code_of(lambda: create(side, document=WRITE)) == "EntityAlreadyExists"


@pytest.mark.parametrize(
    "document",
    [
        "not json",
        "[]",
        '{"Version": "2012-10-17"}',
        '{"Version": "2030-01-01", "Statement": []}',
        READ.replace("Allow", "Permit"),
        READ.replace('"Action": "s3:Get*", ', ""),
        READ.replace(', "Resource": "*"', ""),
        READ.replace("s3:Get*", "GetObject"),
    ],
)
def test_what_is_no_policy_is_malformed(side: Side, document: str) -> None:
    assert code_of(lambda: create(side, document=document)) == "MalformedPolicyDocument"
    inline = code_of(lambda: side.iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document))
    assert inline == "MalformedPolicyDocument"


def test_a_policy_that_names_a_principal_is_malformed(side: Side) -> None:
    refused = code_of(lambda: create(side, document=READ.replace('"Effect"', '"Principal": "*", "Effect"')))

    # moto takes it. AWS: IAM user guide, "AWS JSON policy elements: Principal": not in an identity-based policy
    assert refused == ("MalformedPolicyDocument" if side.name == "fake" else "")


def test_a_policy_that_is_held_can_not_be_deleted(fake: Side) -> None:
    """Moto deletes it. AWS: API_DeletePolicy: detach it from all users, groups and roles first."""
    side, arn = fake, create(fake)
    side.iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    assert code_of(lambda: side.iam.delete_policy(PolicyArn=arn)) == "DeleteConflict"

    side.iam.detach_user_policy(UserName="alice", PolicyArn=arn)
    side.iam.delete_policy(PolicyArn=arn)

    assert code_of(lambda: side.iam.get_policy(PolicyArn=arn)) == "NoSuchEntity"


def test_a_policy_that_is_a_boundary_can_not_be_deleted(side: Side) -> None:
    arn = create(side)
    side.iam.put_role_permissions_boundary(RoleName="deployer", PermissionsBoundary=arn)

    refused = code_of(lambda: side.iam.delete_policy(PolicyArn=arn))

    # AWS refuses; moto does not look at boundaries. https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
    # and "Permissions boundaries for IAM entities" in the user guide: a policy that is a boundary is in use
    assert refused == ("DeleteConflict" if side.name == "fake" else "")


def test_versions_are_limited_and_the_default_stays(side: Side) -> None:
    arn = create(side)
    for _ in range(4):
        side.iam.create_policy_version(PolicyArn=arn, PolicyDocument=WRITE, SetAsDefault=False)

    sixth = code_of(lambda: side.iam.create_policy_version(PolicyArn=arn, PolicyDocument=WRITE, SetAsDefault=True))
    default = code_of(lambda: side.iam.delete_policy_version(PolicyArn=arn, VersionId="v1"))
    side.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")

    assert (sixth, default) == ("LimitExceeded", "DeleteConflict")
    assert sorted(one["VersionId"] for one in pages(side, "list_policy_versions", "Versions", PolicyArn=arn)) == [
        "v1",
        "v3",
        "v4",
        "v5",
    ]
    # AWS refuses to delete a policy that has more than one version; moto deletes it.
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
    assert code_of(lambda: side.iam.delete_policy(PolicyArn=arn)) == ("DeleteConflict" if side.name == "fake" else "")


def test_own_policies_are_listed_by_path(side: Side) -> None:
    create(side, "other")
    arn = create(side, "mine", Path="/leastwise/")
    side.iam.attach_user_policy(UserName="alice", PolicyArn=arn)

    (found,) = pages(side, "list_policies", "Policies", Scope="Local", PathPrefix="/leastwise/")

    assert (found["Arn"], found["AttachmentCount"], found["Path"]) == (arn, 1, "/leastwise/")
    assert found["CreateDate"].tzinfo


def test_holders_of_a_policy_are_listed(side: Side) -> None:
    arn = create(side)
    side.iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    side.iam.attach_role_policy(RoleName="deployer", PolicyArn=arn)
    side.iam.attach_group_policy(GroupName="devs", PolicyArn=arn)

    found = side.iam.list_entities_for_policy(PolicyArn=arn)

    assert [one["UserName"] for one in found["PolicyUsers"]] == ["alice"]
    assert [one["RoleName"] for one in found["PolicyRoles"]] == ["deployer"]
    assert [one["GroupName"] for one in found["PolicyGroups"]] == ["devs"]


# ---- what an identity holds


@pytest.mark.parametrize(("kind", "name"), [("user", "alice"), ("role", "deployer")])
def test_attached_policies_come_and_go(side: Side, kind: str, name: str) -> None:
    arn, who = create(side), {f"{kind.title()}Name": name}
    listing = (f"list_attached_{kind}_policies", "AttachedPolicies")
    for _ in range(2):  # attaching again changes nothing
        getattr(side.iam, f"attach_{kind}_policy")(**who, PolicyArn=arn)
    assert pages(side, *listing, **who) == [{"PolicyName": "read", "PolicyArn": arn}]

    getattr(side.iam, f"detach_{kind}_policy")(**who, PolicyArn=arn)

    assert pages(side, *listing, **who) == []
    assert code_of(lambda: getattr(side.iam, f"detach_{kind}_policy")(**who, PolicyArn=arn)) == "NoSuchEntity"


@pytest.mark.parametrize(("kind", "name"), [("user", "alice"), ("role", "deployer"), ("group", "devs")])
def test_inline_policies_come_and_go(side: Side, kind: str, name: str) -> None:
    who = {f"{kind.title()}Name": name}
    for document in (READ, WRITE):  # a second one of the name takes the first one's place
        getattr(side.iam, f"put_{kind}_policy")(**who, PolicyName="own", PolicyDocument=document)
    assert pages(side, f"list_{kind}_policies", "PolicyNames", **who) == ["own"]
    found = getattr(side.iam, f"get_{kind}_policy")(**who, PolicyName="own")
    assert found["PolicyDocument"] == json.loads(WRITE)
    if kind == "group":
        return

    getattr(side.iam, f"delete_{kind}_policy")(**who, PolicyName="own")

    assert pages(side, f"list_{kind}_policies", "PolicyNames", **who) == []


def test_groups_come_and_go(side: Side) -> None:
    for _ in range(2):
        side.iam.add_user_to_group(GroupName="devs", UserName="alice")
    assert [one["GroupName"] for one in pages(side, "list_groups_for_user", "Groups", UserName="alice")] == ["devs"]
    assert [one["UserName"] for one in pages(side, "get_group", "Users", GroupName="devs")] == ["alice"]

    side.iam.remove_user_from_group(GroupName="devs", UserName="alice")

    assert pages(side, "list_groups_for_user", "Groups", UserName="alice") == []


@pytest.mark.parametrize(("kind", "name"), [("user", "alice"), ("role", "deployer")])
def test_boundaries_come_and_go(side: Side, kind: str, name: str) -> None:
    if (side.name, kind) == ("moto", "user"):
        pytest.skip("moto has no boundaries of users")
    arn, who = create(side), {f"{kind.title()}Name": name}
    getattr(side.iam, f"put_{kind}_permissions_boundary")(**who, PermissionsBoundary=arn)
    told = getattr(side.iam, f"get_{kind}")(**who)[kind.title()]["PermissionsBoundary"]
    assert told["PermissionsBoundaryArn"] == arn

    getattr(side.iam, f"delete_{kind}_permissions_boundary")(**who)

    assert "PermissionsBoundary" not in getattr(side.iam, f"get_{kind}")(**who)[kind.title()]


# ---- quotas


def test_ten_policies_are_all_that_can_be_attached(side: Side) -> None:
    for number in range(10):
        side.iam.attach_user_policy(UserName="alice", PolicyArn=create(side, f"p{number}"))

    eleventh = create(side, "eleventh")

    # moto knows no such quota. AWS: IAM user guide, "IAM and AWS STS quotas": 10 managed policies attached to a user
    refused = code_of(lambda: side.iam.attach_user_policy(UserName="alice", PolicyArn=eleventh))
    assert refused == ("LimitExceeded" if side.name == "fake" else "")


def test_a_document_can_have_6144_characters(side: Side) -> None:
    room = 6144 - len(READ.replace(" ", "")) - len(',"Sid":""')
    fits, too_long = (READ.replace('"Effect"', f'"Sid": "{"a" * count}", "Effect"') for count in (room, room + 1))
    create(side, "fits", fits)

    # moto doesn't count. AWS: IAM user guide, "IAM and AWS STS quotas": managed policy 6,144 characters, no white space
    refused = code_of(lambda: create(side, "too-long", too_long))
    assert refused == ("LimitExceeded" if side.name == "fake" else "")


def test_inline_policies_of_a_user_have_2048_characters_together(side: Side) -> None:
    long = READ.replace('"Effect"', f'"Sid": "{"a" * 1500}", "Effect"')
    side.iam.put_user_policy(UserName="alice", PolicyName="one", PolicyDocument=long)

    # moto doesn't count. AWS: IAM user guide, "IAM and AWS STS quotas": aggregate inline policy size of a user 2,048
    refused = code_of(lambda: side.iam.put_user_policy(UserName="alice", PolicyName="two", PolicyDocument=long))
    assert refused == ("LimitExceeded" if side.name == "fake" else "")


def test_the_quotas_are_told(side: Side) -> None:
    create(side)
    told = side.iam.get_account_summary()["SummaryMap"]

    assert {key: told[key] for key in ("Policies", "PolicySizeQuota", "AttachedPoliciesPerUserQuota")} == {
        "Policies": 1,
        "PolicySizeQuota": 6144,
        "AttachedPoliciesPerUserQuota": 10,
    }
    # moto answers with the quotas of years ago: 1,000 policies, groups of 2,560 characters
    assert told["PoliciesQuota"] == (1500 if side.name == "fake" else told["PoliciesQuota"])


def test_only_aws_changes_a_service_linked_role(side: Side) -> None:
    if side.name == "moto":
        side.iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    else:
        side.iam.create_role(
            RoleName="AWSServiceRoleForAutoScaling",
            Path="/aws-service-role/autoscaling.amazonaws.com/",
            AssumeRolePolicyDocument=TRUST,
        )
    arn = create(side)

    refused = code_of(lambda: side.iam.attach_role_policy(RoleName="AWSServiceRoleForAutoScaling", PolicyArn=arn))

    # moto lets it pass. AWS: API_AttachRolePolicy, UnmodifiableEntity, "only the service that depends on" such a role
    assert refused == ("UnmodifiableEntity" if side.name == "fake" else "")


# ---- pages


def test_listings_go_on_at_the_marker(fake: Side) -> None:
    """Moto gives these listings whole. AWS: API_ListUserPolicies: MaxItems, Marker, IsTruncated."""
    side = fake
    for number in range(5):
        side.iam.put_user_policy(UserName="alice", PolicyName=f"p{number}", PolicyDocument=READ)

    first = side.iam.list_user_policies(UserName="alice", MaxItems=2)
    second = side.iam.list_user_policies(UserName="alice", MaxItems=2, Marker=first["Marker"])
    third = side.iam.list_user_policies(UserName="alice", MaxItems=2, Marker=second["Marker"])

    assert [page["IsTruncated"] for page in (first, second, third)] == [True, True, False]
    assert "Marker" not in third
    assert [name for page in (first, second, third) for name in page["PolicyNames"]] == [f"p{n}" for n in range(5)]


def test_the_whole_account_is_listed_by_kind(side: Side) -> None:
    arn = create(side)
    side.iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=READ)
    side.iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    side.iam.add_user_to_group(UserName="alice", GroupName="devs")

    told = side.iam.get_account_authorization_details(Filter=["User", "LocalManagedPolicy"])

    (user,), (policy,) = told["UserDetailList"], told["Policies"]
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": json.loads(READ)}]
    assert user["AttachedManagedPolicies"] == [{"PolicyName": "read", "PolicyArn": arn}]
    assert user["GroupList"] == ["devs"]
    assert [one["Document"] for one in policy["PolicyVersionList"]] == [json.loads(READ)]
    assert (told["RoleDetailList"], told["GroupDetailList"], told["IsTruncated"]) == ([], [], False)


# ---- last accessed


def test_last_accessed_information_is_a_job_and_its_report(fake: Side) -> None:
    """Moto has no such job. AWS: API_GenerateServiceLastAccessedDetails, API_GetServiceLastAccessedDetails."""
    side = fake
    arn = side.iam.get_user(UserName="alice")["User"]["Arn"]

    job = side.iam.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]
    report = side.iam.get_service_last_accessed_details(JobId=job)

    assert report["JobStatus"] == "COMPLETED"
    assert report["IsTruncated"] is False
    assert isinstance(report["ServicesLastAccessed"], list)
    assert report["JobCreationDate"].tzinfo


# ---- DynamoDB


def put(side: Side, sk: str, condition: str = "", values: Any = None, **attributes: Any) -> str:
    item = {"pk": {"S": "p"}, "sk": {"S": sk}} | attributes
    given = {"ConditionExpression": condition} if condition else {}
    given |= {"ExpressionAttributeValues": values} if values else {}
    return code_of(lambda: side.table.put_item(TableName="journal", Item=item, **given))


FAILED = "ConditionalCheckFailedException"


@pytest.mark.parametrize(
    ("condition", "values", "known", "unknown"),
    [
        ("attribute_not_exists(pk)", None, FAILED, ""),
        ("attribute_exists(pk)", None, "", FAILED),
        ("fencing_token = :t", {":t": {"N": "3"}}, "", FAILED),
        ("fencing_token = :t", {":t": {"N": "4"}}, FAILED, FAILED),
        ("fencing_token = :t", {":t": {"S": "3"}}, FAILED, FAILED),
        ("attribute_not_exists(pk) OR fencing_token <= :t", {":t": {"N": "3"}}, "", ""),
        ("attribute_not_exists(pk) OR fencing_token < :t", {":t": {"N": "3"}}, FAILED, ""),
        (
            "attribute_not_exists(pk) OR (fencing_token = :t AND word = :w)",
            {":t": {"N": "3"}, ":w": {"S": "x"}},
            "",
            "",
        ),
        (
            "attribute_not_exists(pk) OR (fencing_token = :t AND word > :w)",
            {":t": {"N": "3"}, ":w": {"S": "x"}},
            FAILED,
            "",
        ),
        ("nowhere = :t", {":t": {"N": "3"}}, FAILED, FAILED),
        ("word <> :w", {":w": {"S": "y"}}, "", None),
    ],
)
def test_a_condition_is_held_against_the_old_item(
    side: Side, condition: str, values: Any, known: str, unknown: str | None
) -> None:
    put(side, "known", fencing_token={"N": "3"}, word={"S": "x"})

    assert put(side, "known", condition, values) == known
    if unknown is not None:  # an attribute that is missing is unequal to everything in AWS, not in moto
        assert put(side, "unknown", condition, values) == unknown


@pytest.mark.parametrize("condition", ["status = :t", "token = :t"])
def test_a_reserved_name_is_a_validation_error(side: Side, condition: str) -> None:
    assert put(side, "known", condition, {":t": {"S": "x"}}) == "ValidationException"


@pytest.mark.parametrize("condition", ["word = ", "word ~ :t", "(word = :t", "word = :other", "#s = :t"])
def test_a_condition_that_can_not_be_read_is_a_validation_error(fake: Side, condition: str) -> None:
    """Moto breaks with errors of its own on these. AWS: PutItem, ValidationException."""
    side = fake
    assert put(side, "known", condition, {":t": {"S": "x"}}) == "ValidationException"


def test_items_are_read_back_and_missing_ones_are_not(side: Side) -> None:
    put(side, "one", record={"B": b"\x00\x01"}, words={"L": [{"S": "a"}]})

    answer = side.table.get_item(TableName="journal", Key={"pk": {"S": "p"}, "sk": {"S": "one"}}, ConsistentRead=True)
    missing = side.table.get_item(TableName="journal", Key={"pk": {"S": "p"}, "sk": {"S": "two"}}, ConsistentRead=True)

    assert answer["Item"]["words"] == {"L": [{"S": "a"}]}
    assert bytes(answer["Item"]["record"]["B"]) == b"\x00\x01"
    assert "Item" not in missing


def test_queries_are_ordered_bounded_and_paged(side: Side) -> None:
    for name in ("STEP#002", "STEP#000", "PLAN", "STEP#001"):
        put(side, name)

    def query(**more: Any) -> list[str]:
        given = {
            "TableName": "journal",
            "KeyConditionExpression": "#pk = :pk AND begins_with(#sk, :sk)",
            "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
            "ExpressionAttributeValues": {":pk": {"S": "p"}, ":sk": {"S": "STEP#"}},
        }
        found = side.table.get_paginator("query").paginate(**(given | more))
        return [item["sk"]["S"] for page in found for item in page["Items"]]

    assert query() == ["STEP#000", "STEP#001", "STEP#002"]
    assert query(PaginationConfig={"PageSize": 1}) == query()
    assert query(ScanIndexForward=False)[0] == "STEP#002"
    assert query(PaginationConfig={"MaxItems": 2, "PageSize": 2}) == ["STEP#000", "STEP#001"]
    later = query(
        KeyConditionExpression="#pk = :pk AND #sk >= :sk",
        ExpressionAttributeValues={":pk": {"S": "p"}, ":sk": {"S": "STEP#001"}},
    )
    assert later == ["STEP#001", "STEP#002"]


def test_an_index_holds_the_items_that_have_its_keys(side: Side) -> None:
    for name, status, at in (("one", "a#APPLIED", "2"), ("two", "a#APPLIED", "1"), ("three", "a#SKIPPED", "3")):
        put(side, name, plan_status={"S": status}, updated_at={"S": at})
    put(side, "four")

    found = side.table.query(
        TableName="journal",
        IndexName="by_status",
        KeyConditionExpression="#pk = :pk",
        ExpressionAttributeNames={"#pk": "plan_status"},
        ExpressionAttributeValues={":pk": {"S": "a#APPLIED"}},
        ScanIndexForward=False,
    )

    assert [item["sk"]["S"] for item in found["Items"]] == ["one", "two"]


def test_a_batch_is_read_in_any_order(side: Side) -> None:
    put(side, "one")
    keys = [{"pk": {"S": "p"}, "sk": {"S": name}} for name in ("two", "one")]

    answer = side.table.batch_get_item(RequestItems={"journal": {"Keys": keys, "ConsistentRead": True}})

    assert [item["sk"]["S"] for item in answer["Responses"]["journal"]] == ["one"]
    assert answer["UnprocessedKeys"] == {}


def test_a_transaction_is_all_or_nothing(side: Side) -> None:
    put(side, "one")
    items = [
        {
            "Put": {
                "TableName": "journal",
                "Item": {"pk": {"S": "p"}, "sk": {"S": name}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for name in ("two", "one")
    ]

    assert code_of(lambda: side.table.transact_write_items(TransactItems=items)) == "TransactionCanceledException"
    assert "Item" not in side.table.get_item(TableName="journal", Key={"pk": {"S": "p"}, "sk": {"S": "two"}})


def test_a_table_that_is_not_there_is_no_resource(side: Side) -> None:
    refused = code_of(lambda: side.table.get_item(TableName="absent", Key={"pk": {"S": "p"}, "sk": {"S": "one"}}))

    assert refused == "ResourceNotFoundException"


# ---- parameters and events


def test_parameters_are_told_by_name(side: Side) -> None:
    ssm = side.cloud.ssm()
    ssm.put_parameter(Name="/leastwise/mode", Value="auto", Type="String")

    assert ssm.get_parameter(Name="/leastwise/mode")["Parameter"]["Value"] == "auto"
    assert code_of(lambda: ssm.get_parameter(Name="/absent")) == "ParameterNotFound"


def test_events_are_put_and_those_of_aws_refused(side: Side) -> None:
    events = side.cloud.events()
    entry = {"EventBusName": "leastwise", "Source": "leastwise.test", "DetailType": "T", "Detail": "{}"}

    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    answer = code_of(lambda: events.put_events(Entries=[entry | {"Source": "aws.config"}]))
    # moto takes them. AWS: EventBridge API reference, PutEvents: sources that begin with aws. are AWS's own
    assert answer == ("NotAuthorizedForSourceException" if side.name == "fake" else "")
    too_many = code_of(lambda: events.put_events(Entries=[entry] * 11))
    assert too_many.startswith("Validation")
