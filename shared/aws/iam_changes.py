"""Changing IAM: the only place that does. Every call is idempotent and works on our own policies alone."""

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.aws.clients import aws_errors
from shared.errors import ConflictError, DependencyError, NotFoundError, SafetyError
from shared.model.identity import IdentityRef, IdentityType
from shared.model.plan import POLICY_PATH, Step, StepKind

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

PLAN_TAG = "leastwise:plan"


class IamChanges:
    """Performs the steps of a plan."""

    def __init__(self, client: "IAMClient") -> None:
        self._client = client

    def perform(self, identity: IdentityRef, step: Step, *, plan_id: str) -> bool:
        """Make one call; making it again changes nothing more. False where a policy to delete is still in use.

        Raises SafetyError for a policy that is not ours and when an IAM quota is used up, NotFoundError when the
        identity is gone or the policy does not show yet, DeniedError when AWS refuses, DependencyError otherwise.
        """
        if f":policy{POLICY_PATH}" not in step.policy_arn:
            raise SafetyError(f"{step.kind} on {step.policy_arn}: not a policy under {POLICY_PATH}")
        try:
            with aws_errors(f"{step.kind} for {identity.arn}"):
                self._call(identity, step, plan_id)
        except DependencyError as error:
            match _code(error):
                case "DeleteConflict":
                    return False
                case "LimitExceeded":
                    raise SafetyError(str(error)) from error
                case _:
                    raise
        return True

    def _call(self, identity: IdentityRef, step: Step, plan_id: str) -> None:
        match step.kind:
            case StepKind.CREATE_POLICY:
                self._create(step, plan_id)
            case StepKind.PUT_BOUNDARY:
                self._put_boundary(identity, step.policy_arn)
            case StepKind.DELETE_BOUNDARY:
                self._delete_boundary(identity)
            case StepKind.DELETE_POLICY:
                self._delete_policy(step.policy_arn)

    def _create(self, step: Step, plan_id: str) -> None:
        if step.policy is None:
            raise SafetyError("a policy to create without its document")
        document = json.dumps(step.policy.document, separators=(",", ":"), sort_keys=True)
        try:
            with aws_errors(f"CreatePolicy {step.policy.name}"):
                self._client.create_policy(
                    PolicyName=step.policy.name,
                    Path=POLICY_PATH,
                    PolicyDocument=document,
                    Description=f"Just enough privileges, leastwise plan {plan_id}",
                    Tags=[{"Key": PLAN_TAG, "Value": plan_id}],
                )
        except ConflictError as error:
            if _code(error) != "EntityAlreadyExists":
                raise
            self._check_same(step)

    def _check_same(self, step: Step) -> None:
        """The policy exists: right if an earlier try of the same plan made it, else nothing is touched."""
        version = self._client.get_policy(PolicyArn=step.policy_arn)["Policy"].get("DefaultVersionId", "")
        found = self._client.get_policy_version(PolicyArn=step.policy_arn, VersionId=version)["PolicyVersion"]
        if step.policy is None or found.get("Document") != step.policy.document:
            raise SafetyError(f"{step.policy_arn} exists with another document")

    def _put_boundary(self, identity: IdentityRef, arn: str) -> None:
        if identity.type is IdentityType.USER:
            self._client.put_user_permissions_boundary(UserName=identity.name, PermissionsBoundary=arn)
        else:
            self._client.put_role_permissions_boundary(RoleName=identity.name, PermissionsBoundary=arn)

    def _delete_boundary(self, identity: IdentityRef) -> None:
        if identity.type is IdentityType.USER:
            self._client.delete_user_permissions_boundary(UserName=identity.name)
        else:
            self._client.delete_role_permissions_boundary(RoleName=identity.name)

    def _delete_policy(self, arn: str) -> None:
        try:
            with aws_errors(f"DeletePolicy {arn}"):
                self._client.delete_policy(PolicyArn=arn)
        except NotFoundError:
            return


def _code(error: DependencyError) -> str:
    """IAM's own error code behind a translated error."""
    cause = error.__cause__
    return cause.response.get("Error", {}).get("Code", "") if isinstance(cause, ClientError) else ""
