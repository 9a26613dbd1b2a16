"""IAM's reads: of the state as it is, or as some replica still has it; in pages of any length."""

# ruff: noqa: D102, N803 methods and arguments are AWS's own, as its references describe them

import json
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tests.fake_aws.errors import refused
from tests.fake_aws.iam_state import Entity, IamState, Managed


class IamReads:
    """The reading half of the fake.

    `past` are all states with the time from which on each was in force. `lag_seconds` is how old a state a read may
    show, each read another one, chosen by the seed; `stale` makes just the next read show the state before so many
    changes. `page_size` cuts every listing; `cut` just the next one: "marker" cuts it as AWS may at any time,
    "no_marker" as AWS never should.
    """

    def __init__(self, clock: Callable[[], datetime], *, seed: int = 0) -> None:
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311 disorder, not a secret
        self.past: list[tuple[datetime, IamState]] = [(clock(), IamState())]
        self.lag_seconds = 0.0
        self.stale = 0
        self.page_size: int | None = None
        self.random_pages = False
        self.cut = ""
        self._markers = 0

    @property
    def state(self) -> IamState:
        """IAM as it really is."""
        return self.past[-1][1]

    def seen(self) -> IamState:
        """IAM as the replica has it that answers this read."""
        if self.stale:
            back, self.stale = self.stale, 0
            return self.past[max(0, len(self.past) - 1 - back)][1]
        if not self.lag_seconds:
            return self.state
        oldest = self.clock().timestamp() - self.random.uniform(0, self.lag_seconds)
        return next(state for since, state in reversed(self.past) if since.timestamp() <= oldest or state is FIRST)

    # -- entities

    def get_user(self, *, UserName: str) -> dict[str, Any]:
        return {"User": entity_shape(self.find("GetUser", "user", UserName))}

    def get_role(self, *, RoleName: str) -> dict[str, Any]:
        return {"Role": entity_shape(self.find("GetRole", "role", RoleName))}

    def get_group(self, *, GroupName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        group = self.find("GetGroup", "group", GroupName)
        users = [entity_shape(one) for one in self.seen().of("user") if group.name in one.groups]
        return {"Group": entity_shape(group)} | self.page("Users", users, Marker, MaxItems)

    def list_groups_for_user(self, *, UserName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        state = self.seen()
        user = find(state, "ListGroupsForUser", "user", UserName)
        groups = [entity_shape(find(state, "ListGroupsForUser", "group", name)) for name in user.groups]
        return self.page("Groups", groups, Marker, MaxItems)

    def find(self, operation: str, kind: str, name: str) -> Entity:
        """An entity as this read sees it."""
        return find(self.seen(), operation, kind, name)

    # -- inline policies

    def _inline_names(self, kind: str, name: str, marker: str, limit: int) -> dict[str, Any]:
        entity = self.find(f"List{kind.title()}Policies", kind, name)
        return self.page("PolicyNames", sorted(dict(entity.inline)), marker, limit)

    def list_user_policies(self, *, UserName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        return self._inline_names("user", UserName, Marker, MaxItems)

    def list_role_policies(self, *, RoleName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        return self._inline_names("role", RoleName, Marker, MaxItems)

    def list_group_policies(self, *, GroupName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        return self._inline_names("group", GroupName, Marker, MaxItems)

    def _inline(self, kind: str, name: str, policy: str) -> dict[str, Any]:
        operation = f"Get{kind.title()}Policy"
        document = dict(self.find(operation, kind, name).inline).get(policy)
        if document is None:
            raise refused(operation, "NoSuchEntity", f"The {kind} policy with name {policy} cannot be found.")
        return {f"{kind.title()}Name": name, "PolicyName": policy, "PolicyDocument": json.loads(document)}

    def get_user_policy(self, *, UserName: str, PolicyName: str) -> dict[str, Any]:
        return self._inline("user", UserName, PolicyName)

    def get_role_policy(self, *, RoleName: str, PolicyName: str) -> dict[str, Any]:
        return self._inline("role", RoleName, PolicyName)

    def get_group_policy(self, *, GroupName: str, PolicyName: str) -> dict[str, Any]:
        return self._inline("group", GroupName, PolicyName)

    # -- managed policies

    def _attached(self, kind: str, name: str, marker: str, limit: int) -> dict[str, Any]:
        entity = self.find(f"ListAttached{kind.title()}Policies", kind, name)
        held = [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in entity.attached]
        return self.page("AttachedPolicies", held, marker, limit)

    def list_attached_user_policies(self, *, UserName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        return self._attached("user", UserName, Marker, MaxItems)

    def list_attached_role_policies(self, *, RoleName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        return self._attached("role", RoleName, Marker, MaxItems)

    def list_attached_group_policies(self, *, GroupName: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        return self._attached("group", GroupName, Marker, MaxItems)

    def get_policy(self, *, PolicyArn: str) -> dict[str, Any]:
        state = self.seen()
        return {"Policy": managed_shape(find_policy(state, "GetPolicy", PolicyArn), state)}

    def get_policy_version(self, *, PolicyArn: str, VersionId: str) -> dict[str, Any]:
        policy = find_policy(self.seen(), "GetPolicyVersion", PolicyArn)
        document = dict(policy.versions).get(VersionId)
        if document is None:
            raise refused("GetPolicyVersion", "NoSuchEntity", f"Policy {PolicyArn} version {VersionId} does not exist")
        return {"PolicyVersion": version_shape(policy, VersionId) | {"Document": json.loads(document)}}

    def list_policy_versions(self, *, PolicyArn: str, Marker: str = "", MaxItems: int = 100) -> dict[str, Any]:
        policy = find_policy(self.seen(), "ListPolicyVersions", PolicyArn)
        versions = [version_shape(policy, name) for name, _ in reversed(policy.versions)]
        return self.page("Versions", versions, Marker, MaxItems)

    def list_policies(
        self,
        *,
        Scope: str = "All",
        OnlyAttached: bool = False,
        PathPrefix: str = "/",
        PolicyUsageFilter: str = "",
        Marker: str = "",
        MaxItems: int = 100,
    ) -> dict[str, Any]:
        state = self.seen()
        found = [
            managed_shape(policy, state)
            for policy in state.policies.values()
            if policy.path.startswith(PathPrefix)
            and (Scope != "Local" or ":aws:policy/" not in policy.arn)
            and (not OnlyAttached or state.holders(policy.arn))
        ]
        for shape in found:
            shape.pop("Tags", None)  # ListPolicies leaves them out, as its reference says
            shape.pop("Description", None)
        return self.page("Policies", found, Marker, MaxItems)

    def list_entities_for_policy(
        self, *, PolicyArn: str, Marker: str = "", MaxItems: int = 100, **_: Any
    ) -> dict[str, Any]:
        state = self.seen()
        find_policy(state, "ListEntitiesForPolicy", PolicyArn)
        held = {id(one): one for one in (*state.holders(PolicyArn), *state.bounded(PolicyArn))}.values()
        answer: dict[str, Any] = {"IsTruncated": False}
        for kind, name in (("user", "User"), ("role", "Role"), ("group", "Group")):
            answer[f"Policy{name}s"] = [
                {f"{name}Name": one.name, f"{name}Id": one.unique_id} for one in held if one.kind == kind
            ]
        return answer

    def page(self, name: str, items: Sequence[Any], marker: str, limit: int) -> dict[str, Any]:
        """One page of a listing; IAM may give fewer than asked for, even none, and says so in IsTruncated."""
        start = int(marker.split("-", 1)[0] or 0)
        size = min(limit, self.page_size or limit)
        if self.random_pages and len(items) - start > 0:
            size = self.random.randint(0 if self.random.random() < 0.1 else 1, min(size, len(items) - start))
        kind, self.cut = self.cut, ""
        if kind:
            size = min(size, max(0, len(items) - start - 1))
        end = start + size
        answer: dict[str, Any] = {name: list(items[start:end]), "IsTruncated": end < len(items) or bool(kind)}
        if answer["IsTruncated"] and kind != "no_marker":
            self._markers += 1
            answer["Marker"] = f"{end}-{self._markers}"  # another one each time, also after a page with nothing on it
        return answer


FIRST = IamState()


def find(state: IamState, operation: str, kind: str, name: str) -> Entity:
    """An entity of a state; NoSuchEntity where there is none."""
    entity = state.entities.get((kind, name.lower()))
    if entity is None:
        raise refused(operation, "NoSuchEntity", f"The {kind} with name {name} cannot be found.")
    return entity


def find_policy(state: IamState, operation: str, arn: str) -> Managed:
    """A managed policy of a state; NoSuchEntity where there is none."""
    policy = state.policies.get(arn)
    if policy is None:
        raise refused(operation, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")
    return policy


def entity_shape(entity: Entity) -> dict[str, Any]:
    """An entity as GetUser, GetRole and GetGroup give it."""
    name = entity.kind.title()
    shape: dict[str, Any] = {
        f"{name}Name": entity.name,
        f"{name}Id": entity.unique_id,
        "Arn": entity.arn,
        "Path": entity.path,
        "CreateDate": entity.created,
    }
    if entity.tags:
        shape["Tags"] = [{"Key": key, "Value": value} for key, value in entity.tags]
    if entity.boundary:
        shape["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": entity.boundary,
        }
    if entity.kind == "role":
        shape |= {"AssumeRolePolicyDocument": json.loads(entity.trust), "MaxSessionDuration": 3600}
    return shape


def managed_shape(policy: Managed, state: IamState) -> dict[str, Any]:
    """A managed policy as GetPolicy gives it."""
    shape: dict[str, Any] = {
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default,
        "AttachmentCount": len(state.holders(policy.arn)),
        "PermissionsBoundaryUsageCount": len(state.bounded(policy.arn)),
        "IsAttachable": True,
        "Description": policy.description,
        "CreateDate": policy.created,
        "UpdateDate": policy.created,
    }
    if policy.tags:
        shape["Tags"] = [{"Key": key, "Value": value} for key, value in policy.tags]
    return shape


def version_shape(policy: Managed, name: str) -> dict[str, Any]:
    """A version as ListPolicyVersions gives it, without its document."""
    return {"VersionId": name, "IsDefaultVersion": name == policy.default, "CreateDate": policy.created}
