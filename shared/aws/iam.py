"""Reading IAM: identities with every policy in force, and the whole account."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from shared.aws.clients import aws_errors
from shared.aws.iam_pages import whole
from shared.errors import ConflictError, DependencyError, InputError, NotFoundError
from shared.iam.authorization import identity_details, merge_pages
from shared.iam.authorization_items import LISTS
from shared.model.identity import IdentityDetail, IdentityRef, IdentityType

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

PAGE_ITEMS = 100  # users, roles, groups and policies of one page, at most; IAM may give fewer
MARKER_REFUSED = frozenset({"InvalidInput", "ValidationError"})
ListedKind = Literal["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]


class MarkerRefusedError(InputError):
    """IAM doesn't know the marker (any more) that a listing was to be resumed at: list from the start."""


class NamedIdentity(NamedTuple):
    """A user or role as IAM's calls name it."""

    type: IdentityType
    name: str


class ListingPage(NamedTuple):
    """Some of an account, as the API gives it by kind; `marker` is where the next page begins, None after the last."""

    content: Mapping[str, list[Any]]
    marker: str | None


class IamReader:
    """Reads identities and their policies; every listing to its last page."""

    def __init__(self, client: "IAMClient") -> None:
        self._client = client

    def pages(self, kinds: Sequence[ListedKind], *, marker: str | None = None) -> Iterator[ListingPage]:
        """Pages of GetAccountAuthorizationDetails over the given kinds, from `marker` on.

        Raises MarkerRefusedError where that is none. Filter, Marker and IsTruncated as
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html has them.
        """
        while True:
            page = self._page(kinds, marker)
            yield page
            if (marker := page.marker) is None:
                return

    def _page(self, kinds: Sequence[ListedKind], marker: str | None) -> ListingPage:
        resumed = {"Marker": marker} if marker else {}
        call = "GetAccountAuthorizationDetails"
        with aws_errors(call):
            try:
                answer: Any = self._client.get_account_authorization_details(
                    Filter=list(kinds), MaxItems=PAGE_ITEMS, **resumed
                )
            except ClientError as error:
                if marker and error.response.get("Error", {}).get("Code") in MARKER_REFUSED:
                    raise MarkerRefusedError(f"{call}: the marker of its page is refused") from error
                raise
        following = answer.get("Marker") if answer.get("IsTruncated") else None
        if answer.get("IsTruncated") and not following:
            raise DependencyError(f"{call}: a page says that there are more, and not where")
        return ListingPage(merge_pages([answer]), following)

    def reference(self, who: NamedIdentity) -> IdentityRef:
        """The identity that a name means now, without its policies. Raises NotFoundError when there is none."""
        is_user = who.type is IdentityType.USER
        with aws_errors(f"reading {who.type} {who.name}"):
            raw = self._raw_user(who.name) if is_user else self._raw_role(who.name)
        arn = raw["Arn"]
        return IdentityRef(account_id=arn.split(":")[4], identity_id=raw["UserId" if is_user else "RoleId"], arn=arn)

    def policy(self, arn: str) -> dict[str, Any]:
        """A managed policy with the document in force, as the account's listing has it.

        Raises NotFoundError when it does not exist (any more).
        """
        with aws_errors(f"reading {arn}"):
            return self._policy(arn)

    def identity(self, who: NamedIdentity, *, now: datetime) -> IdentityDetail:
        """One user or role with every policy in force.

        Raises NotFoundError when it does not exist (any more), ConflictError when it changed while it was read.
        """
        call = f"reading {who.type} {who.name}"
        is_user = who.type is IdentityType.USER
        with aws_errors(call):
            raw = self._raw_user(who.name) if is_user else self._raw_role(who.name)
        try:
            with aws_errors(call):
                details = self._user(raw) if is_user else self._role(raw)
        except NotFoundError as error:  # of a policy or a group: the identity itself was there
            raise ConflictError(f"{who.type} {who.name} changed while it was read: {error}") from error
        return next(iter(identity_details(details, read_at=now)))

    def verified(self, ref: IdentityRef, *, now: datetime) -> IdentityDetail:
        """The identity that `ref` means, by unique id: NotFoundError when its name belongs to someone else by now."""
        detail = self.identity(NamedIdentity(ref.type, ref.name), now=now)
        if detail.ref.identity_id != ref.identity_id:
            raise NotFoundError(f"{ref.arn} is {detail.ref.identity_id} by now, not {ref.identity_id}")
        return detail

    def members_of_group(self, name: str) -> list[NamedIdentity]:
        """Users of a group; none when the group is gone."""
        try:
            with aws_errors(f"GetGroup {name}"):
                pages = whole(self._client.get_paginator("get_group").paginate(GroupName=name), "GetGroup")
                return [NamedIdentity(IdentityType.USER, user["UserName"]) for page in pages for user in page["Users"]]
        except NotFoundError:
            return []

    def holders_of_policy(self, arn: str) -> list[NamedIdentity]:
        """Users and roles that a managed policy reaches, also through groups or as their boundary."""
        holders: dict[NamedIdentity, None] = {}
        try:
            with aws_errors(f"ListEntitiesForPolicy {arn}"):
                pages = list(
                    whole(
                        self._client.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn),
                        "ListEntitiesForPolicy",
                    )
                )
        except NotFoundError:
            return []
        for page in pages:
            for user in page["PolicyUsers"]:
                holders[NamedIdentity(IdentityType.USER, user["UserName"])] = None
            for role in page["PolicyRoles"]:
                holders[NamedIdentity(IdentityType.ROLE, role["RoleName"])] = None
            for group in page["PolicyGroups"]:
                holders.update(dict.fromkeys(self.members_of_group(group["GroupName"])))
        return list(holders)

    def _raw_user(self, name: str) -> dict[str, Any]:
        return dict(self._client.get_user(UserName=name)["User"])

    def _raw_role(self, name: str) -> dict[str, Any]:
        return dict(self._client.get_role(RoleName=name)["Role"])

    def _user(self, user: dict[str, Any]) -> dict[str, list[Any]]:
        details, name = _empty(), user["UserName"]
        pages = whole(self._client.get_paginator("list_user_policies").paginate(UserName=name), "ListUserPolicies")
        user["UserPolicyList"] = [
            self._client.get_user_policy(UserName=name, PolicyName=policy)
            for page in pages
            for policy in page["PolicyNames"]
        ]
        attached = whole(
            self._client.get_paginator("list_attached_user_policies").paginate(UserName=name),
            "ListAttachedUserPolicies",
        )
        user["AttachedManagedPolicies"] = [policy for page in attached for policy in page["AttachedPolicies"]]
        groups = whole(self._client.get_paginator("list_groups_for_user").paginate(UserName=name), "ListGroupsForUser")
        user["GroupList"] = [group["GroupName"] for page in groups for group in page["Groups"]]
        details["UserDetailList"] = [user]
        details["GroupDetailList"] = [self._group(group) for group in user["GroupList"]]
        details["Policies"] = self._documents(details)
        return details

    def _role(self, role: dict[str, Any]) -> dict[str, list[Any]]:
        details, name = _empty(), role["RoleName"]
        pages = whole(self._client.get_paginator("list_role_policies").paginate(RoleName=name), "ListRolePolicies")
        role["RolePolicyList"] = [
            self._client.get_role_policy(RoleName=name, PolicyName=policy)
            for page in pages
            for policy in page["PolicyNames"]
        ]
        attached = whole(
            self._client.get_paginator("list_attached_role_policies").paginate(RoleName=name),
            "ListAttachedRolePolicies",
        )
        role["AttachedManagedPolicies"] = [policy for page in attached for policy in page["AttachedPolicies"]]
        details["RoleDetailList"] = [role]
        details["Policies"] = self._documents(details)
        return details

    def _group(self, name: str) -> dict[str, Any]:
        pages = whole(self._client.get_paginator("list_group_policies").paginate(GroupName=name), "ListGroupPolicies")
        inline = [
            self._client.get_group_policy(GroupName=name, PolicyName=policy)
            for page in pages
            for policy in page["PolicyNames"]
        ]
        attached = whole(
            self._client.get_paginator("list_attached_group_policies").paginate(GroupName=name),
            "ListAttachedGroupPolicies",
        )
        managed = [policy for page in attached for policy in page["AttachedPolicies"]]
        return {"GroupName": name, "GroupPolicyList": inline, "AttachedManagedPolicies": managed}

    def _documents(self, details: dict[str, list[Any]]) -> list[Any]:
        """The default version's document of every managed policy that `details` names and does not hold."""
        held = {policy["Arn"] for policy in details["Policies"]}
        return [self._policy(arn) for arn in managed_policies_named(details) if arn not in held]

    def _policy(self, arn: str) -> dict[str, Any]:
        version = self._client.get_policy(PolicyArn=arn)["Policy"].get("DefaultVersionId")
        if not version:
            raise InputError(f"{arn} has no default version")
        return {
            "Arn": arn,
            "PolicyVersionList": [self._client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]],
        }


def managed_policies_named(details: Mapping[str, list[Any]]) -> list[str]:
    """ARNs of the managed policies that users, roles and groups of a listing hold, boundaries included; each once."""
    arns: dict[str, None] = {}
    for holder in (*details["UserDetailList"], *details["RoleDetailList"], *details["GroupDetailList"]):
        arns.update(dict.fromkeys(policy["PolicyArn"] for policy in holder.get("AttachedManagedPolicies", [])))
        if boundary := (holder.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"):
            arns[boundary] = None
    return list(arns)


def _empty() -> dict[str, list[Any]]:
    return {name: [] for name in LISTS}
