"""A strict IAM in memory: what leastwise calls, with IAM's refusals, quotas, pages and eventual consistency."""

# ruff: noqa: D102, N803 methods and arguments are AWS's own, as its references describe them

import itertools
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.fake_aws.errors import refused
from tests.fake_aws.iam_reads import entity_shape, managed_shape, version_shape
from tests.fake_aws.iam_rules import (
    ATTACHED,
    GROUPS_PER_USER,
    INLINE_SIZE,
    MANAGED_SIZE,
    POLICIES_PER_ACCOUNT,
    VERSIONS,
)
from tests.fake_aws.iam_state import Entity, IamState
from tests.fake_aws.iam_writes import IamWrites

COMPLETED, IN_PROGRESS = "COMPLETED", "IN_PROGRESS"


class FakeIam(IamWrites):
    """One account. `services` are the namespaces that a last-accessed report lists, with when each was last tried."""

    def __init__(self, clock: Callable[[], datetime], *, account_id: str, seed: int = 0) -> None:
        super().__init__(clock, seed=seed)
        self.account_id = account_id
        self.policies_per_account = POLICIES_PER_ACCOUNT
        self.services: dict[str, datetime | None] = {}
        self.job_seconds = 0.0
        self._jobs: dict[str, tuple[str, datetime]] = {}
        self._job_numbers = itertools.count(1)

    # -- last accessed

    def generate_service_last_accessed_details(self, *, Arn: str, Granularity: str = "SERVICE_LEVEL") -> dict[str, Any]:
        if Granularity not in {"SERVICE_LEVEL", "ACTION_LEVEL"}:
            raise refused("GenerateServiceLastAccessedDetails", "InvalidInput")
        state = self.seen()
        if not any(one.arn == Arn for one in state.entities.values()) and Arn not in state.policies:
            raise refused("GenerateServiceLastAccessedDetails", "NoSuchEntity", f"ARN {Arn} does not exist")
        job = f"00000000-0000-0000-0000-{next(self._job_numbers):012d}"
        self._jobs[job] = (Arn, self.clock())
        return {"JobId": job}

    def get_service_last_accessed_details(self, *, JobId: str, MaxItems: int = 100, Marker: str = "") -> dict[str, Any]:
        if JobId not in self._jobs:
            raise refused("GetServiceLastAccessedDetails", "NoSuchEntity", "the job does not exist")
        arn, asked = self._jobs[JobId]
        if self.clock() < asked + timedelta(seconds=self.job_seconds):
            return {"JobStatus": IN_PROGRESS, "JobCreationDate": asked, "IsTruncated": False}
        listed = [_service(name, at, arn) for name, at in sorted(self.services.items())]
        page = self.page("ServicesLastAccessed", listed, Marker, MaxItems)
        return page | {
            "JobStatus": COMPLETED,
            "JobType": "ACTION_LEVEL",
            "JobCreationDate": asked,
            "JobCompletionDate": self.clock(),
        }

    # -- the whole account

    def get_account_summary(self) -> dict[str, Any]:
        state = self.seen()
        own = [policy for policy in state.policies.values() if ":aws:policy/" not in policy.arn]
        return {
            "SummaryMap": {
                "Users": len(state.of("user")),
                "Groups": len(state.of("group")),
                "Roles": len(state.of("role")),
                "Policies": len(own),
                "PoliciesQuota": self.policies_per_account,
                "PolicySizeQuota": MANAGED_SIZE,
                "VersionsPerPolicyQuota": VERSIONS,
                "AttachedPoliciesPerUserQuota": ATTACHED,
                "AttachedPoliciesPerRoleQuota": ATTACHED,
                "AttachedPoliciesPerGroupQuota": ATTACHED,
                "GroupsPerUserQuota": GROUPS_PER_USER,
                "UserPolicySizeQuota": INLINE_SIZE["user"],
                "GroupPolicySizeQuota": INLINE_SIZE["group"],
                "RolePolicySizeQuota": INLINE_SIZE["role"],
            }
        }

    def get_account_authorization_details(
        self,
        *,
        Filter: list[str] | None = None,
        MaxItems: int = 100,
        Marker: str = "",
    ) -> dict[str, Any]:
        state = self.seen()
        kinds = Filter or ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]
        found = [
            (f"{kind.title()}DetailList", _detail(one))
            for kind in ("user", "group", "role")
            if kind.title() in kinds
            for one in state.of(kind)
        ]
        found += [
            ("Policies", _policy_detail(state, arn))
            for arn in state.policies
            if ("AWSManagedPolicy" if ":aws:policy/" in arn else "LocalManagedPolicy") in kinds
        ]
        page = self.page("all", found, Marker, MaxItems)
        answer: dict[str, Any] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
        for name, shape in page.pop("all"):
            answer[name].append(shape)
        return answer | page


def _service(name: str, at: datetime | None, arn: str) -> dict[str, Any]:
    shape: dict[str, Any] = {"ServiceName": name, "ServiceNamespace": name, "TotalAuthenticatedEntities": 0}
    if at is not None:
        shape |= {"LastAuthenticated": at, "LastAuthenticatedEntity": arn, "LastAuthenticatedRegion": "us-east-1"}
        shape["TotalAuthenticatedEntities"] = 1
    return shape


def _detail(entity: Entity) -> dict[str, Any]:
    name = entity.kind.title()
    shape = entity_shape(entity)
    shape[f"{name}PolicyList"] = [
        {"PolicyName": policy, "PolicyDocument": _json(document)} for policy, document in entity.inline
    ]
    shape["AttachedManagedPolicies"] = [
        {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in entity.attached
    ]
    if entity.kind == "user":
        shape["GroupList"] = list(entity.groups)
    if entity.kind == "role":
        shape["InstanceProfileList"] = []
    return shape


def _policy_detail(state: IamState, arn: str) -> dict[str, Any]:
    policy = state.policies[arn]
    versions = [version_shape(policy, name) | {"Document": _json(text)} for name, text in policy.versions]
    return managed_shape(policy, state) | {"PolicyVersionList": versions}


def _json(text: str) -> Any:
    return json.loads(text)
