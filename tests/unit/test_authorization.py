"""Account authorization details become identities with every policy in force, or an error that names who lacks what."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from shared.errors import InputError
from shared.iam.authorization import identity_details, merge_pages
from shared.model.identity import IdentityDetail, IdentityType
from shared.model.sources import PolicyKind
from tests.builders import ACCOUNT, NOW

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
WRITE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Put+x %", "Resource": "*"}]}
MANAGED = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OWN = f"arn:aws:iam::{ACCOUNT}:policy/team/own"


def user(**changes: Any) -> dict[str, Any]:
    fields = {
        "Path": "/team/",
        "UserName": "ana",
        "UserId": "AIDAEXAMPLEUSER00001",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/team/ana",
        "CreateDate": "2024-01-02T03:04:05+00:00",
    }
    return fields | changes


def role(**changes: Any) -> dict[str, Any]:
    fields = {
        "RoleName": "deployer",
        "RoleId": "AROAEXAMPLEROLE00001",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/deployer",
        "CreateDate": datetime(2024, 1, 2, tzinfo=UTC),
        "RolePolicyList": [],
        "AttachedManagedPolicies": [],
    }
    return fields | changes


def managed(arn: str, document: Any = READ, *, default: bool = True) -> dict[str, Any]:
    old = {"VersionId": "v1", "IsDefaultVersion": not default, "Document": WRITE}
    return {
        "Arn": arn,
        "PolicyVersionList": [old, {"VersionId": "v2", "IsDefaultVersion": default, "Document": document}],
    }


def group(name: str = "devs", **changes: Any) -> dict[str, Any]:
    return {"GroupName": name, "GroupPolicyList": [], "AttachedManagedPolicies": []} | changes


def inline(name: str, document: Any) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyDocument": document}


def attached(arn: str) -> list[dict[str, str]]:
    return [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}]


def read(**details: Any) -> list[IdentityDetail]:
    return list(identity_details(details, read_at=NOW))


def test_a_user_has_its_inline_managed_and_group_policies_and_its_boundary() -> None:
    [ana] = read(
        UserDetailList=[
            user(
                UserPolicyList=[inline("mine", WRITE)],
                AttachedManagedPolicies=attached(MANAGED),
                GroupList=["devs"],
                PermissionsBoundary={"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": OWN},
                Tags=[{"Key": "team", "Value": "core"}],
            )
        ],
        GroupDetailList=[
            group(GroupPolicyList=[inline("limits", WRITE)], AttachedManagedPolicies=attached(OWN)),
            group("others", GroupPolicyList=[inline("not hers", WRITE)]),
        ],
        Policies=[managed(MANAGED), managed(OWN), managed(f"{OWN}-unused")],
    )
    assert [str(policy.source) for policy in ana.policies] == [
        "inline mine",
        "managed ReadOnlyAccess",
        "group_inline devs/limits",
        "group_managed devs/own",
    ]
    assert [policy.document for policy in ana.policies] == [WRITE, READ, WRITE, READ]
    assert ana.boundary is not None
    assert (ana.boundary.source.arn, ana.boundary.document) == (OWN, READ)
    assert (ana.ref.type, ana.ref.path, ana.ref.name) == (IdentityType.USER, "/team/", "ana")
    assert (ana.tags, ana.read_at) == ({"team": "core"}, NOW)
    assert ana.created_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_role_has_its_inline_and_managed_policies_and_never_its_trust_policy() -> None:
    [deployer] = read(
        RoleDetailList=[
            role(
                RolePolicyList=[inline("p", READ)],
                AttachedManagedPolicies=attached(MANAGED),
                AssumeRolePolicyDocument=WRITE,
            )
        ],
        Policies=[managed(MANAGED)],
    )
    assert [policy.source.kind for policy in deployer.policies] == [PolicyKind.INLINE, PolicyKind.MANAGED]
    assert WRITE not in [policy.document for policy in deployer.policies]
    assert deployer.boundary is None


@pytest.mark.parametrize(
    "document",
    [WRITE, json.dumps(WRITE), f"\n {json.dumps(WRITE)}", quote(json.dumps(WRITE)), quote(json.dumps(WRITE), safe="")],
    ids=["decoded", "json", "json after blanks", "url-encoded", "url-encoded in full"],
)
def test_a_document_is_read_in_each_form_that_aws_writes(document: Any) -> None:
    [ana] = read(UserDetailList=[user(UserPolicyList=[inline("p", document)])])
    assert ana.policies[0].document == WRITE


def test_of_a_managed_policy_the_default_version_counts() -> None:
    [ana] = read(UserDetailList=[user(AttachedManagedPolicies=attached(OWN))], Policies=[managed(OWN, default=False)])
    assert ana.policies[0].document == WRITE


def test_an_identity_without_any_policy_is_an_identity() -> None:
    [ana, deployer] = read(UserDetailList=[user()], RoleDetailList=[role()])
    assert (ana.policies, deployer.policies) == ((), ())


LACKING = [
    ({"UserDetailList": [user(AttachedManagedPolicies=attached(OWN))]}, rf"user/team/ana: .*{OWN} is not in"),
    (
        {"UserDetailList": [user(PermissionsBoundary={"PermissionsBoundaryArn": OWN})]},
        rf"user/team/ana: .*{OWN} is not in",
    ),
    ({"UserDetailList": [user(GroupList=["devs"])]}, r"user/team/ana: group 'devs' is not in"),
    (
        {
            "UserDetailList": [user(GroupList=["devs"])],
            "GroupDetailList": [group(AttachedManagedPolicies=attached(OWN))],
        },
        rf"devs: .*{OWN} is not in",
    ),
    (
        {
            "RoleDetailList": [role(AttachedManagedPolicies=attached(OWN))],
            "Policies": [{"Arn": OWN, "PolicyVersionList": [{"Document": READ, "IsDefaultVersion": False}]}],
        },
        rf"role/deployer: the default version of {OWN} is not in",
    ),
    (
        {"RoleDetailList": [role(RolePolicyList=[inline("p", "canary")])]},
        "role/deployer: a policy document is not JSON",
    ),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", "{" * 9)])]}, "role/deployer: a policy document is not JSON"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", '{"a":' * 50_000)])]}, "a policy document is not JSON"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", [READ])])]}, "a policy document is a list, not an object"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", "%5B%5D")])]}, "a policy document is a list, not an object"),
    ({"RoleDetailList": [role(RoleId="GOAT")]}, "role/deployer: identity_id: String should match"),
]


@pytest.mark.parametrize(("details", "complaint"), LACKING)
def test_what_is_missing_or_wrong_is_an_error_that_names_it_and_never_an_empty_policy(
    details: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read(**details)
    assert "canary" not in str(caught.value)


def test_an_identity_of_one_page_may_hold_policies_and_groups_of_another() -> None:
    pages: list[dict[str, Any]] = [
        {"UserDetailList": [user(GroupList=["devs"])], "IsTruncated": True, "Marker": "m"},
        {"RoleDetailList": [role()], "GroupDetailList": [group(AttachedManagedPolicies=attached(MANAGED))]},
        {"UserDetailList": [user(UserId="AIDAEXAMPLEUSER00002")], "Policies": [managed(MANAGED)], "IsTruncated": False},
    ]
    details = read(**merge_pages(pages))
    assert [detail.ref.identity_id[-5:] for detail in details] == ["00001", "00002", "00001"]
    assert details[0].policies[0].document == READ
