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
        "GroupList": [],
        "AttachedManagedPolicies": [],
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


def without(holder: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in holder.items() if name != field}


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


NEEDED = [
    ("UserDetailList", user(), "GroupList"),
    ("UserDetailList", user(), "AttachedManagedPolicies"),
    ("RoleDetailList", role(), "RolePolicyList"),
    ("RoleDetailList", role(), "AttachedManagedPolicies"),
]
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
        rf"user/team/ana: group devs: the default version of {OWN} is not in",
    ),
    (
        {
            "RoleDetailList": [role(AttachedManagedPolicies=attached(OWN))],
            "Policies": [{"Arn": OWN, "PolicyVersionList": [{"Document": READ, "IsDefaultVersion": False}]}],
        },
        rf"role/deployer: Policies\[0\]: the default version of {OWN} is not in",
    ),
    (
        {"RoleDetailList": [role(RolePolicyList=[inline("p", "canary")])]},
        r"role/deployer: RoleDetailList\[0\].RolePolicyList\[0\].PolicyDocument: the text is not valid JSON",
    ),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", "{" * 9)])]}, "the text is not valid JSON"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", '{"a":' * 50_000)])]}, "nested too deeply"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", '{"a": 1, "a": 2}')])]}, "the key 'a' is given twice"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", [READ])])]}, "a policy document is a JSON object"),
    ({"RoleDetailList": [role(RolePolicyList=[inline("p", "%5B%5D")])]}, "a policy document is a JSON object"),
    (
        {"RoleDetailList": [role(AssumeRolePolicyDocument="canary")]},
        r"\[0\].AssumeRolePolicyDocument: .*not valid JSON",
    ),
    ({"RoleDetailList": [role(RoleId="GOAT")]}, r"role/deployer: RoleDetailList\[0\].RoleId: String should match"),
    ({"UserDetailList": [role(UserId="AIDAEXAMPLEUSER00001")]}, r"UserDetailList\[0\].Arn: String should match"),
    (
        {"UserDetailList": [user(), user(Tags=[{"Key": "team", "Value": "core"}])]},
        r"user/team/ana: UserDetailList\[0\]: .* is listed twice and differently",
    ),
    (
        {
            "UserDetailList": [user(GroupList=["devs"])],
            "GroupDetailList": [group(), group(GroupPolicyList=[inline("p", READ)])],
        },
        r"group devs: GroupDetailList\[0\]: .* is listed twice and differently",
    ),
    (
        {
            "RoleDetailList": [role(AttachedManagedPolicies=attached(OWN))],
            "Policies": [managed(OWN), managed(OWN, WRITE)],
        },
        rf"Policies\[0\]: {OWN} is listed twice and differently",
    ),
    (
        {
            "RoleDetailList": [role(AttachedManagedPolicies=attached(OWN))],
            "Policies": [{"Arn": OWN, "PolicyVersionList": [{"Document": READ, "IsDefaultVersion": True}] * 2}],
        },
        r"Policies\[0\].PolicyVersionList: several versions of .* are the default",
    ),
    (
        {
            "RoleDetailList": [role(AttachedManagedPolicies=attached(OWN))],
            "Policies": [managed(OWN) | {"DefaultVersionId": "v1"}],
        },
        r"Policies\[0\].DefaultVersionId: names another version",
    ),
    (
        {"RoleDetailList": [role(AttachedManagedPolicies=attached(OWN))], "Policies": [{"Arn": OWN}]},
        "the default version of .* is not in",
    ),
    (
        {"UserDetailList": [user(PermissionsBoundary={"canary": 1})]},
        "PermissionsBoundary.PermissionsBoundaryArn: Field req",
    ),
    ({"UserDetailList": [user(GroupList="devs")]}, r"UserDetailList\[0\].GroupList: Input should be a valid tuple"),
    ({"UserDetailList": [user(GroupList=None)]}, r"UserDetailList\[0\].GroupList: Input should be a valid tuple"),
    *(({name: [without(holder, field)]}, rf"{name}\[0\].{field}: Field required") for name, holder, field in NEEDED),
    (
        {"UserDetailList": [user(GroupList=["devs"])], "GroupDetailList": [without(group(), "GroupPolicyList")]},
        r"group devs: GroupDetailList\[0\].GroupPolicyList: Field required",
    ),
    (
        {
            "UserDetailList": [user(GroupList=["devs"])],
            "GroupDetailList": [without(group(), "AttachedManagedPolicies")],
        },
        r"group devs: GroupDetailList\[0\].AttachedManagedPolicies: Field required",
    ),
    ({"UserDetailList": [user(Tags=[{"Key": "canary"}])]}, r"UserDetailList\[0\].Tags\[0\].Value: Field required"),
    (
        {"UserDetailList": [user(CreateDate="canary")]},
        r"UserDetailList\[0\].CreateDate: Input should be a valid datetime",
    ),
    ({"UserDetailList": [user(CreateDate="9999-12-31T23:59:59-01:00")]}, "outside the calendar of UTC"),
    ({"UserDetailList": [{"Arn": "canary"}]}, r"UserDetailList\[0\].CreateDate: Field required"),
    ({"UserDetailList": ["canary"]}, r"^UserDetailList\[0\]: Input should be a valid dictionary"),
    ({"UserDetailList": {"canary": 1}}, "UserDetailList: not a list"),
    ({"Policies": "canary"}, "Policies: not a list"),
]


@pytest.mark.parametrize(("details", "complaint"), LACKING)
def test_what_is_missing_or_wrong_is_an_error_that_names_it_and_never_an_empty_policy(
    details: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read(**details)
    assert "canary" not in str(caught.value)


def test_what_is_listed_twice_alike_counts_once() -> None:
    pages = [{"UserDetailList": [user(GroupList=["devs"])], "GroupDetailList": [group()]}] * 2
    [ana] = read(**merge_pages(pages))
    assert ana.groups == ("devs",)


ALIKE: list[dict[str, Any]] = [
    {"UserDetailList": [user(PasswordLastUsed="2024-02-01"), user()]},
    {"GroupDetailList": [group(CreateDate="2024-02-01"), group()], "UserDetailList": [user(GroupList=["devs"])]},
    {
        "UserDetailList": [user(AttachedManagedPolicies=attached(MANAGED))],
        "Policies": [managed(MANAGED) | {"AttachmentCount": count} for count in (1, 2)],
    },
]


@pytest.mark.parametrize("details", ALIKE)
def test_what_is_listed_twice_and_read_alike_counts_once(details: dict[str, Any]) -> None:
    [ana] = read(**details)
    assert ana.ref.name == "ana"


def test_groups_of_the_same_name_are_told_apart_by_their_accounts() -> None:
    other = "444455556666"
    bea = user(UserId="AIDAEXAMPLEUSER00002", Arn=f"arn:aws:iam::{other}:user/bea", GroupList=["devs"])
    groups = [
        group(Arn=f"arn:aws:iam::{account_id}:group/devs", GroupPolicyList=[inline("p", document)])
        for account_id, document in ((ACCOUNT, READ), (other, WRITE))
    ]
    found = read(UserDetailList=[user(GroupList=["devs"]), bea], GroupDetailList=groups)
    assert [detail.policies[0].document for detail in found] == [READ, WRITE]
    with pytest.raises(InputError, match="user/bea: group 'devs' is not in"):
        read(UserDetailList=[bea], GroupDetailList=groups[:1])


def test_a_policy_without_marks_has_the_version_that_it_names() -> None:
    versions = [{"VersionId": name, "Document": document} for name, document in (("v1", WRITE), ("v2", READ))]
    policy = {"Arn": OWN, "DefaultVersionId": "v1", "PolicyVersionList": versions}
    [ana] = read(UserDetailList=[user(AttachedManagedPolicies=attached(OWN))], Policies=[policy])
    assert ana.policies[0].document == WRITE


def test_one_that_cannot_be_read_is_told_and_the_others_are_read() -> None:
    told: dict[str, InputError] = {}
    users = [user(UserId="AIDAEXAMPLEUSER00002", GroupList=["gone"]), {"Arn": "arn:aws:iam::1:user/x"}, user(), 7]
    details = list(identity_details({"UserDetailList": users}, read_at=NOW, on_error=told.__setitem__))
    assert [detail.ref.identity_id for detail in details] == ["AIDAEXAMPLEUSER00001"]
    assert set(told) == {"AIDAEXAMPLEUSER00002", "UserDetailList[1]", "UserDetailList[3]"}
    assert "group 'gone' is not in" in str(told["AIDAEXAMPLEUSER00002"])
    assert str(told["UserDetailList[1]"]).startswith("arn:aws:iam::1:user/x: UserDetailList[1].UserId: Field required")


def test_unknown_fields_are_left_alone() -> None:
    [ana] = read(UserDetailList=[user(PasswordLastUsed=7, New={"canary": [1]})], Marker=None, New=[])
    assert ana.ref.name == "ana"


def test_an_identity_of_one_page_may_hold_policies_and_groups_of_another() -> None:
    pages: list[dict[str, Any]] = [
        {"UserDetailList": [user(GroupList=["devs"])], "IsTruncated": True, "Marker": "m"},
        {"RoleDetailList": [role()], "GroupDetailList": [group(AttachedManagedPolicies=attached(MANAGED))]},
        {"UserDetailList": [user(UserId="AIDAEXAMPLEUSER00002")], "Policies": [managed(MANAGED)], "IsTruncated": False},
    ]
    details = read(**merge_pages(pages))
    assert [detail.ref.identity_id[-5:] for detail in details] == ["00001", "00002", "00001"]
    assert details[0].policies[0].document == READ
