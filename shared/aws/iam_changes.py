"""Changing IAM: the only place that does. Every call is idempotent, and for what isn't ours the duties are split."""

import json
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors, code_of
from shared.aws.iam_pages import whole
from shared.errors import ConflictError, DependencyError, InputError, NotFoundError, SafetyError
from shared.model.call_outcome import CallOutcome
from shared.model.identity import IdentityRef, IdentityType
from shared.model.plan import POLICY_PATH, PlannedPolicy, Step, StepKind

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

PLAN_TAG = "leastwise:plan"
ENDINGS = {
    "DeleteConflict": CallOutcome.IN_USE,
    "LimitExceeded": CallOutcome.OVER_QUOTA,
    "UnmodifiableEntity": CallOutcome.UNMODIFIABLE,
}
ONLY_OURS = frozenset({StepKind.CREATE_POLICY, StepKind.DELETE_POLICY, StepKind.PUT_BOUNDARY, StepKind.DELETE_BOUNDARY})
GIVING = frozenset({StepKind.ATTACH_POLICY, StepKind.PUT_INLINE, StepKind.ADD_TO_GROUP})
TAKING = frozenset({StepKind.DETACH_POLICY, StepKind.DELETE_INLINE, StepKind.REMOVE_FROM_GROUP})


class IamChanges:
    """Performs the steps of a plan.

    Whoever `may_give_back` may attach policies of others, put inline policies and add to groups, and take off none of
    these; everybody else the other way round. Both create, delete, attach and detach policies of our own.
    """

    def __init__(self, client: "IAMClient", *, may_give_back: bool = False) -> None:
        self._client = client
        self._may_give_back = may_give_back

    def perform(self, identity: IdentityRef, step: Step, *, plan_id: str) -> CallOutcome:
        """Make one call; making it again changes nothing more, and what isn't there is taken off already.

        Raises SafetyError for a step that isn't within these duties, NotFoundError where the identity, the policy to
        attach or the group doesn't show (any more), InputError for a malformed document, DeniedError when AWS refuses,
        DependencyError otherwise.
        """
        self._check(identity, step)
        try:
            with aws_errors(f"{step.kind} for {identity.arn}"):
                self._call(identity, step, plan_id)
        except NotFoundError:
            if step.kind in TAKING | {StepKind.DELETE_BOUNDARY, StepKind.DELETE_POLICY}:
                return CallOutcome.DONE
            raise
        except (DependencyError, InputError) as error:
            ending = ENDINGS.get(code_of(error))
            if ending is None:
                raise
            return ending
        return CallOutcome.DONE

    def _check(self, identity: IdentityRef, step: Step) -> None:
        """Refuse what this instance must not do, whatever IAM would allow."""
        partition = identity.arn.split(":")[1]
        ours = step.target.startswith(f"arn:{partition}:iam::{identity.account_id}:policy{POLICY_PATH}")
        if ours and step.kind not in {StepKind.PUT_INLINE, StepKind.DELETE_INLINE}:
            return
        if step.kind in ONLY_OURS or step.kind not in (GIVING if self._may_give_back else TAKING):
            raise SafetyError(
                f"{step.kind} on {step.target}: not a policy under {POLICY_PATH}, or not this role's duty"
            )
        if identity.type is IdentityType.ROLE and step.kind in {StepKind.ADD_TO_GROUP, StepKind.REMOVE_FROM_GROUP}:
            raise SafetyError(f"{step.kind} for {identity.arn}: a role is in no group")

    def _call(self, identity: IdentityRef, step: Step, plan_id: str) -> None:
        match step.kind:
            case StepKind.CREATE_POLICY:
                self._create(step, plan_id)
            case StepKind.DELETE_POLICY:
                self._delete(step.target)
            case _ if identity.type is IdentityType.USER:
                self._call_for_user(identity.name, step)
            case _:
                self._call_for_role(identity.name, step)

    def _call_for_user(self, name: str, step: Step) -> None:
        client, target = self._client, step.target
        match step.kind:
            case StepKind.PUT_BOUNDARY:
                client.put_user_permissions_boundary(UserName=name, PermissionsBoundary=target)
            case StepKind.DELETE_BOUNDARY:
                client.delete_user_permissions_boundary(UserName=name)
            case StepKind.ATTACH_POLICY:
                client.attach_user_policy(UserName=name, PolicyArn=target)
            case StepKind.DETACH_POLICY:
                client.detach_user_policy(UserName=name, PolicyArn=target)
            case StepKind.PUT_INLINE:
                client.put_user_policy(UserName=name, PolicyName=target, PolicyDocument=_document(step))
            case StepKind.DELETE_INLINE:
                client.delete_user_policy(UserName=name, PolicyName=target)
            case StepKind.ADD_TO_GROUP:
                client.add_user_to_group(UserName=name, GroupName=target)
            case StepKind.REMOVE_FROM_GROUP:
                client.remove_user_from_group(UserName=name, GroupName=target)

    def _call_for_role(self, name: str, step: Step) -> None:
        client, target = self._client, step.target
        match step.kind:
            case StepKind.PUT_BOUNDARY:
                client.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=target)
            case StepKind.DELETE_BOUNDARY:
                client.delete_role_permissions_boundary(RoleName=name)
            case StepKind.ATTACH_POLICY:
                client.attach_role_policy(RoleName=name, PolicyArn=target)
            case StepKind.DETACH_POLICY:
                client.detach_role_policy(RoleName=name, PolicyArn=target)
            case StepKind.PUT_INLINE:
                client.put_role_policy(RoleName=name, PolicyName=target, PolicyDocument=_document(step))
            case StepKind.DELETE_INLINE:
                client.delete_role_policy(RoleName=name, PolicyName=target)

    def _create(self, step: Step, plan_id: str) -> None:
        policy = _policy(step)
        try:
            with aws_errors(f"CreatePolicy {policy.name}"):
                self._client.create_policy(
                    PolicyName=policy.name,
                    Path=POLICY_PATH,
                    PolicyDocument=_document(step),
                    Description=f"Just enough privileges, leastwise plan {plan_id}",
                    Tags=[{"Key": PLAN_TAG, "Value": plan_id}],
                )
        except ConflictError as error:
            if code_of(error) != "EntityAlreadyExists":
                raise
            self._check_same(step.target, policy)

    def _check_same(self, arn: str, policy: PlannedPolicy) -> None:
        """The policy exists: right if an earlier try of the same plan made it, else nothing is touched."""
        version = self._client.get_policy(PolicyArn=arn)["Policy"].get("DefaultVersionId", "")
        found = self._client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        if found.get("Document") != policy.document:
            raise SafetyError(f"{arn} exists with another document")

    def _delete(self, arn: str) -> None:
        """Delete a policy of ours; IAM wants the versions that others gave it deleted first, and says so only then."""
        try:
            with aws_errors(f"DeletePolicy {arn}"):
                self._client.delete_policy(PolicyArn=arn)
        except DependencyError as error:
            if code_of(error) != "DeleteConflict" or not self._delete_further_versions(arn):
                raise
            self._client.delete_policy(PolicyArn=arn)

    def _delete_further_versions(self, arn: str) -> bool:
        """Delete the versions that aren't in force; whether there were any."""
        pages = whole(self._client.get_paginator("list_policy_versions").paginate(PolicyArn=arn), "ListPolicyVersions")
        further = [one["VersionId"] for page in pages for one in page["Versions"] if not one["IsDefaultVersion"]]
        for version in further:
            self._client.delete_policy_version(PolicyArn=arn, VersionId=version)
        return bool(further)


def _policy(step: Step) -> PlannedPolicy:
    if step.policy is None:
        raise SafetyError(f"{step.kind} of {step.target} without its document")
    return step.policy


def _document(step: Step) -> str:
    return json.dumps(_policy(step).document, separators=(",", ":"), sort_keys=True)
