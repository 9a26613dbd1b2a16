"""IAM's changes, refused as IAM refuses them. Each makes a new state; what changes nothing makes none."""

# ruff: noqa: D102, N803 methods and arguments are AWS's own, as its references describe them

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.fake_aws.errors import refused
from tests.fake_aws.iam_reads import IamReads, entity_shape, find, find_policy, managed_shape
from tests.fake_aws.iam_rules import (
    ATTACHED,
    GROUPS_PER_USER,
    MANAGED_SIZE,
    VERSIONS,
    check_document,
    check_inline_size,
    check_modifiable,
    check_name,
    check_quota,
    size,
)
from tests.fake_aws.iam_state import Entity, IamState, Managed, drop, put

Tags = Sequence[dict[str, str]]
PREFIXES = {"user": "AIDA", "role": "AROA", "group": "AGPA"}  # of unique ids, IAM user guide "IAM identifiers"


class IamWrites(IamReads):
    """The changing half of the fake."""

    account_id: str
    policies_per_account: int

    def commit(self, state: IamState) -> None:
        """Make a state the one in force."""
        if state is not self.state:
            self.past.append((self.clock(), state))

    def _change(self, operation: str, kind: str, name: str) -> Entity:
        entity = find(self.state, operation, kind, name)
        check_modifiable(operation, kind, name, entity.path)
        return entity

    # -- managed policies

    def create_policy(
        self,
        *,
        PolicyName: str,
        PolicyDocument: str,
        Path: str = "/",
        Description: str = "",
        Tags: Tags = (),
    ) -> dict[str, Any]:
        call = "CreatePolicy"
        check_name(call, PolicyName)
        check_document(call, PolicyDocument)
        check_quota(call, "PolicySize", size(PolicyDocument), MANAGED_SIZE)
        arn = f"arn:aws:iam::{self.account_id}:policy{Path}{PolicyName}"
        own = [one for one in self.state.policies.values() if ":aws:policy/" not in one.arn]
        if any(one.name.lower() == PolicyName.lower() for one in own):
            raise refused(call, "EntityAlreadyExists", f"A policy called {PolicyName} already exists.")
        check_quota(call, "PoliciesPerAccount", len(own) + 1, self.policies_per_account)
        tags = tuple((tag["Key"], tag["Value"]) for tag in Tags)
        unique = self.unique_id("ANPA")
        policy = Managed(
            arn, PolicyName, Path, unique, self.clock(), (("v1", PolicyDocument),), tags=tags, description=Description
        )
        self.commit(self.state.with_policy(policy))
        return {"Policy": managed_shape(policy, self.state)}

    def delete_policy(self, *, PolicyArn: str) -> dict[str, Any]:
        policy = find_policy(self.state, "DeletePolicy", PolicyArn)
        if self.state.holders(PolicyArn) or self.state.bounded(PolicyArn):
            raise refused("DeletePolicy", "DeleteConflict", "Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise refused("DeletePolicy", "DeleteConflict", "This policy has more than one version.")
        self.commit(self.state.without_policy(PolicyArn))
        return {}

    def create_policy_version(
        self,
        *,
        PolicyArn: str,
        PolicyDocument: str,
        SetAsDefault: bool = False,
    ) -> dict[str, Any]:
        call = "CreatePolicyVersion"
        policy = find_policy(self.state, call, PolicyArn)
        check_document(call, PolicyDocument)
        check_quota(call, "VersionsPerPolicy", len(policy.versions) + 1, VERSIONS)
        name = f"v{policy.made + 1}"
        changed = replace(policy, versions=put(policy.versions, name, PolicyDocument), made=policy.made + 1)
        if SetAsDefault:
            changed = replace(changed, default=name)
        self.commit(self.state.with_policy(changed))
        return {"PolicyVersion": {"VersionId": name, "IsDefaultVersion": SetAsDefault, "CreateDate": self.clock()}}

    def delete_policy_version(self, *, PolicyArn: str, VersionId: str) -> dict[str, Any]:
        policy = find_policy(self.state, "DeletePolicyVersion", PolicyArn)
        if VersionId == policy.default:
            raise refused("DeletePolicyVersion", "DeleteConflict", "Cannot delete the default version of a policy.")
        if VersionId not in dict(policy.versions):
            raise refused("DeletePolicyVersion", "NoSuchEntity", "This policy version does not exist.")
        self.commit(self.state.with_policy(replace(policy, versions=drop(policy.versions, VersionId))))
        return {}

    # -- attachments

    def _attach(self, kind: str, name: str, arn: str) -> dict[str, Any]:
        call = f"Attach{kind.title()}Policy"
        entity = self._change(call, kind, name)
        find_policy(self.state, call, arn)
        if arn not in entity.attached:
            check_quota(call, f"PoliciesPer{kind.title()}", len(entity.attached) + 1, ATTACHED)
            self.commit(self.state.with_entity(replace(entity, attached=(*entity.attached, arn))))
        return {}

    def _detach(self, kind: str, name: str, arn: str) -> dict[str, Any]:
        call = f"Detach{kind.title()}Policy"
        entity = self._change(call, kind, name)
        if arn not in entity.attached:
            raise refused(call, "NoSuchEntity", f"Policy {arn} was not found.")
        held = tuple(one for one in entity.attached if one != arn)
        self.commit(self.state.with_entity(replace(entity, attached=held)))
        return {}

    def attach_user_policy(self, *, UserName: str, PolicyArn: str) -> dict[str, Any]:
        return self._attach("user", UserName, PolicyArn)

    def attach_role_policy(self, *, RoleName: str, PolicyArn: str) -> dict[str, Any]:
        return self._attach("role", RoleName, PolicyArn)

    def attach_group_policy(self, *, GroupName: str, PolicyArn: str) -> dict[str, Any]:
        return self._attach("group", GroupName, PolicyArn)

    def detach_user_policy(self, *, UserName: str, PolicyArn: str) -> dict[str, Any]:
        return self._detach("user", UserName, PolicyArn)

    def detach_role_policy(self, *, RoleName: str, PolicyArn: str) -> dict[str, Any]:
        return self._detach("role", RoleName, PolicyArn)

    def detach_group_policy(self, *, GroupName: str, PolicyArn: str) -> dict[str, Any]:
        return self._detach("group", GroupName, PolicyArn)

    # -- inline policies

    def _put_inline(self, kind: str, name: str, policy: str, document: str) -> dict[str, Any]:
        call = f"Put{kind.title()}Policy"
        entity = self._change(call, kind, name)
        check_name(call, policy)
        check_document(call, document)
        inline = put(entity.inline, policy, document)
        check_inline_size(call, kind, dict(inline).values())
        if inline != entity.inline:
            self.commit(self.state.with_entity(replace(entity, inline=inline)))
        return {}

    def _delete_inline(self, kind: str, name: str, policy: str) -> dict[str, Any]:
        call = f"Delete{kind.title()}Policy"
        entity = self._change(call, kind, name)
        if policy not in dict(entity.inline):
            raise refused(call, "NoSuchEntity", f"The {kind} policy with name {policy} cannot be found.")
        self.commit(self.state.with_entity(replace(entity, inline=drop(entity.inline, policy))))
        return {}

    def put_user_policy(self, *, UserName: str, PolicyName: str, PolicyDocument: str) -> dict[str, Any]:
        return self._put_inline("user", UserName, PolicyName, PolicyDocument)

    def put_role_policy(self, *, RoleName: str, PolicyName: str, PolicyDocument: str) -> dict[str, Any]:
        return self._put_inline("role", RoleName, PolicyName, PolicyDocument)

    def put_group_policy(self, *, GroupName: str, PolicyName: str, PolicyDocument: str) -> dict[str, Any]:
        return self._put_inline("group", GroupName, PolicyName, PolicyDocument)

    def delete_user_policy(self, *, UserName: str, PolicyName: str) -> dict[str, Any]:
        return self._delete_inline("user", UserName, PolicyName)

    def delete_role_policy(self, *, RoleName: str, PolicyName: str) -> dict[str, Any]:
        return self._delete_inline("role", RoleName, PolicyName)

    # -- boundaries

    def _put_boundary(self, kind: str, name: str, arn: str) -> dict[str, Any]:
        call = f"Put{kind.title()}PermissionsBoundary"
        entity = self._change(call, kind, name)
        find_policy(self.state, call, arn)
        if entity.boundary != arn:
            self.commit(self.state.with_entity(replace(entity, boundary=arn)))
        return {}

    def _delete_boundary(self, kind: str, name: str) -> dict[str, Any]:
        call = f"Delete{kind.title()}PermissionsBoundary"
        entity = self._change(call, kind, name)
        if entity.boundary is None:
            raise refused(call, "NoSuchEntity", f"The {kind} with name {name} has no permissions boundary.")
        self.commit(self.state.with_entity(replace(entity, boundary=None)))
        return {}

    def put_user_permissions_boundary(self, *, UserName: str, PermissionsBoundary: str) -> dict[str, Any]:
        return self._put_boundary("user", UserName, PermissionsBoundary)

    def put_role_permissions_boundary(self, *, RoleName: str, PermissionsBoundary: str) -> dict[str, Any]:
        return self._put_boundary("role", RoleName, PermissionsBoundary)

    def delete_user_permissions_boundary(self, *, UserName: str) -> dict[str, Any]:
        return self._delete_boundary("user", UserName)

    def delete_role_permissions_boundary(self, *, RoleName: str) -> dict[str, Any]:
        return self._delete_boundary("role", RoleName)

    # -- groups

    def add_user_to_group(self, *, GroupName: str, UserName: str) -> dict[str, Any]:
        call = "AddUserToGroup"
        user, group = self._change(call, "user", UserName), find(self.state, call, "group", GroupName)
        if group.name not in user.groups:
            check_quota(call, "GroupsPerUser", len(user.groups) + 1, GROUPS_PER_USER)
            self.commit(self.state.with_entity(replace(user, groups=(*user.groups, group.name))))
        return {}

    def remove_user_from_group(self, *, GroupName: str, UserName: str) -> dict[str, Any]:
        call = "RemoveUserFromGroup"
        user, group = self._change(call, "user", UserName), find(self.state, call, "group", GroupName)
        if group.name not in user.groups:
            raise refused(call, "NoSuchEntity", f"User {UserName} is not in group {GroupName}")
        rest = tuple(one for one in user.groups if one != group.name)
        self.commit(self.state.with_entity(replace(user, groups=rest)))
        return {}

    # -- what only people do

    def create_user(self, *, UserName: str, Path: str = "/", Tags: Tags = ()) -> dict[str, Any]:
        return {"User": entity_shape(self._create("user", UserName, Path, Tags))}

    def create_group(self, *, GroupName: str, Path: str = "/") -> dict[str, Any]:
        return {"Group": entity_shape(self._create("group", GroupName, Path, ()))}

    def create_role(
        self,
        *,
        RoleName: str,
        AssumeRolePolicyDocument: str,
        Path: str = "/",
        Tags: Tags = (),
    ) -> dict[str, Any]:
        return {"Role": entity_shape(self._create("role", RoleName, Path, Tags, AssumeRolePolicyDocument))}

    def _create(self, kind: str, name: str, path: str, tags: Tags, trust: str = "") -> Entity:
        call = f"Create{kind.title()}"
        check_name(call, name)
        if (kind, name.lower()) in self.state.entities:
            raise refused(call, "EntityAlreadyExists", f"{kind.title()} with name {name} already exists.")
        arn = f"arn:aws:iam::{self.account_id}:{kind}{path}{name}"
        pairs = tuple((tag["Key"], tag["Value"]) for tag in tags)
        entity = Entity(kind, name, path, self.unique_id(PREFIXES[kind]), arn, self.clock(), tags=pairs, trust=trust)
        self.commit(self.state.with_entity(entity))
        return entity

    def delete_user(self, *, UserName: str) -> dict[str, Any]:
        return self._delete("user", UserName)

    def delete_role(self, *, RoleName: str) -> dict[str, Any]:
        return self._delete("role", RoleName)

    def delete_group(self, *, GroupName: str) -> dict[str, Any]:
        return self._delete("group", GroupName)

    def _delete(self, kind: str, name: str) -> dict[str, Any]:
        """IAM refuses to delete who still holds or contains something; a boundary alone does not hold it back."""
        call = f"Delete{kind.title()}"
        entity = self._change(call, kind, name)
        members = kind == "group" and any(entity.name in one.groups for one in self.state.of("user"))
        if entity.inline or entity.attached or entity.groups or members:
            raise refused(call, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
        self.commit(self.state.without_entity(entity))
        return {}

    def tag_user(self, *, UserName: str, Tags: Tags) -> dict[str, Any]:
        return self._tag("user", UserName, Tags)

    def tag_role(self, *, RoleName: str, Tags: Tags) -> dict[str, Any]:
        return self._tag("role", RoleName, Tags)

    def _tag(self, kind: str, name: str, tags: Tags) -> dict[str, Any]:
        entity = self._change(f"Tag{kind.title()}", kind, name)
        pairs = entity.tags
        for tag in tags:
            pairs = put(pairs, tag["Key"], tag["Value"])
        self.commit(self.state.with_entity(replace(entity, tags=pairs)))
        return {}

    def unique_id(self, prefix: str) -> str:
        """An id that is never given twice, also not to a name that is used again."""
        self.ids_given += 1
        return f"{prefix}FAKE{self.ids_given:013d}"

    ids_given = 0
