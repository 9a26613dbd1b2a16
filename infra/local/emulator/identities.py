"""What IAM holds about users, groups, roles and policies, in the shape of the API's answers.

Everything is read from ministack's store directly and not through the API, so that the emulator's own reads leave no
CloudTrail event behind.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from ministack.services import iam

Record = dict[str, Any]
RoleLastUsed = Callable[[str], dict[str, str]]


def user_detail(user: Record) -> dict[str, Any]:
    """A member of `UserDetailList`."""
    name = user["UserName"]
    detail = {
        "Path": user["Path"],
        "UserName": name,
        "UserId": user["UserId"],
        "Arn": user["Arn"],
        "CreateDate": user["CreateDate"],
        "UserPolicyList": _inline(iam._user_inline_policies.get(name)),
        "GroupList": [group["GroupName"] for group in groups_of(name)],
        "AttachedManagedPolicies": _attached(user),
    }
    return detail | _boundary(user) | {"Tags": list(user.get("Tags") or [])}


def group_detail(group: Record) -> dict[str, Any]:
    """A member of `GroupDetailList`."""
    return {
        "Path": group["Path"],
        "GroupName": group["GroupName"],
        "GroupId": group["GroupId"],
        "Arn": group["Arn"],
        "CreateDate": group["CreateDate"],
        "GroupPolicyList": _inline(iam._group_inline_policies.get(group["GroupName"])),
        "AttachedManagedPolicies": _attached(group),
    }


def role_detail(role: Record, last_used: RoleLastUsed) -> dict[str, Any]:
    """A member of `RoleDetailList`."""
    detail = {
        "Path": role["Path"],
        "RoleName": role["RoleName"],
        "RoleId": role["RoleId"],
        "Arn": role["Arn"],
        "CreateDate": role["CreateDate"],
        "AssumeRolePolicyDocument": _quoted(role.get("AssumeRolePolicyDocument")),
        "InstanceProfileList": _instance_profiles(role["RoleName"]),
        "RolePolicyList": _inline(role.get("InlinePolicies")),
        "AttachedManagedPolicies": _attached(role),
    }
    return detail | _boundary(role) | {"Tags": list(role.get("Tags") or []), "RoleLastUsed": last_used(role["Arn"])}


def user_summary(user: Record) -> dict[str, Any]:
    """The `User` of GetUser."""
    wanted = ("Path", "UserName", "UserId", "Arn", "CreateDate", "PermissionsBoundary", "Tags")
    return _non_empty_tags({name: value for name, value in user_detail(user).items() if name in wanted})


def role_summary(role: Record, last_used: RoleLastUsed) -> dict[str, Any]:
    """The `Role` of GetRole."""
    wanted = {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
    wanted |= {"PermissionsBoundary", "Tags", "RoleLastUsed"}
    summary = {name: value for name, value in role_detail(role, last_used).items() if name in wanted}
    if role.get("Description"):
        summary["Description"] = role["Description"]
    summary["MaxSessionDuration"] = role.get("MaxSessionDuration", 3600)
    return _non_empty_tags(summary)


def policy_detail(policy: Record) -> dict[str, Any]:
    """A member of `Policies`, with every version's document."""
    arn = policy["Arn"]
    detail = {
        "PolicyName": policy["PolicyName"],
        "PolicyId": policy["PolicyId"],
        "Arn": arn,
        "Path": policy.get("Path", "/"),
        "DefaultVersionId": policy["DefaultVersionId"],
        "AttachmentCount": sum(arn in (entity.get("AttachedPolicies") or []) for entity in _entities()),
        "PermissionsBoundaryUsageCount": iam._boundary_usage_counts().get(arn, 0),
        "IsAttachable": True,
        "CreateDate": policy["CreateDate"],
        "UpdateDate": policy.get("UpdateDate", policy["CreateDate"]),
        "PolicyVersionList": [
            {
                "Document": _quoted(version.get("Document")),
                "VersionId": version["VersionId"],
                "IsDefaultVersion": bool(version.get("IsDefaultVersion")),
                "CreateDate": version["CreateDate"],
            }
            for version in policy["Versions"].values()
        ],
    }
    return detail | ({"Description": policy["Description"]} if policy.get("Description") else {})


def aws_managed_policies_in_use() -> list[Record]:
    """The AWS managed policies that an identity of the account has attached or has as its boundary."""
    arns = {arn for entity in _entities() for arn in entity.get("AttachedPolicies") or []}
    arns |= {entity["PermissionsBoundary"] for entity in _entities() if entity.get("PermissionsBoundary")}
    return [policy for arn, policy in iam._aws_managed_policies.items() if arn in arns]


def groups_of(user_name: str) -> list[Record]:
    """The groups that a user is a member of."""
    return [group for group in iam._groups.values() if user_name in group.get("Users", [])]


def default_document(policy_arn: str) -> str | None:
    """The JSON of a managed policy's default version, or None when there is no such policy."""
    policy = iam._lookup_policy(policy_arn)
    return None if policy is None else policy["Versions"][policy["DefaultVersionId"]]["Document"]


def _entities() -> Iterator[Record]:
    yield from iam._users.values()
    yield from iam._groups.values()
    yield from iam._roles.values()


def _inline(documents: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": _quoted(document)} for name, document in (documents or {}).items()]


def _attached(entity: Record) -> list[dict[str, str]]:
    arns = entity.get("AttachedPolicies") or []
    return [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in arns]


def _boundary(entity: Record) -> dict[str, Any]:
    arn = entity.get("PermissionsBoundary")
    if not arn:
        return {}
    return {
        "PermissionsBoundary": {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}
    }


def _instance_profiles(role_name: str) -> list[dict[str, Any]]:
    wanted = ("Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate")
    return [
        {name: profile[name] for name in wanted}
        for profile in iam._instance_profiles.values()
        if role_name in profile.get("Roles", [])
    ]


def _non_empty_tags(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name != "Tags" or value}


def _quoted(document: str | None) -> str:
    return quote(document or "{}", safe="")
