"""The managed policies of our own making, below /leastwise/: listing them, and deleting one that nobody needs."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.aws.clients import aws_errors, code_of
from shared.aws.iam_pages import whole
from shared.errors import DependencyError, NotFoundError, SafetyError
from shared.model.plan import POLICY_PATH

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

# Stand-ins for IAM leave it out. IAM refuses to delete a boundary whatever we think of its count.
_BOUNDARIES: Literal["PermissionsBoundaryUsageCount"] = "PermissionsBoundaryUsageCount"


class OwnPolicy(NamedTuple):
    """One policy below our path; `attached` counts who has it, `boundaries` whose boundary it is."""

    arn: str
    name: str
    created_at: datetime
    attached: int
    boundaries: int

    @property
    def is_free(self) -> bool:
        """Whether nobody holds it, by IAM's counts: they may be some seconds old."""
        return self.attached == 0 and self.boundaries == 0


class OwnPolicies:
    """Reads and clears the policies below our path; nothing else can be reached through it."""

    def __init__(self, client: "IAMClient") -> None:
        self._client = client

    def list(self) -> Iterator[OwnPolicy]:
        """Every policy below our path, to the last page."""
        with aws_errors(f"ListPolicies {POLICY_PATH}"):
            pages = whole(
                self._client.get_paginator("list_policies").paginate(Scope="Local", PathPrefix=POLICY_PATH),
                "ListPolicies",
            )
            for page in pages:
                for raw in page["Policies"]:
                    yield OwnPolicy(
                        arn=raw["Arn"],
                        name=raw["PolicyName"],
                        created_at=raw["CreateDate"],
                        attached=raw["AttachmentCount"],
                        boundaries=raw.get(_BOUNDARIES, 0),
                    )

    def delete(self, arn: str) -> bool:
        """Delete a policy with all its versions; one that is gone already is fine. False where somebody holds it.

        Raises SafetyError for a policy that is not below our path, DeniedError when AWS refuses, DependencyError
        otherwise.
        """
        if f":policy{POLICY_PATH}" not in arn:
            raise SafetyError(f"{arn} is not below {POLICY_PATH}")
        try:
            with aws_errors(f"DeletePolicy {arn}"):
                return self._delete(arn)
        except NotFoundError:
            return True
        except DependencyError as error:
            if code_of(error) == "DeleteConflict":
                return False
            raise

    def _delete(self, arn: str) -> bool:
        """Look first who holds it: versions have to go before the policy, and must not where that is then refused."""
        policy = self._client.get_policy(PolicyArn=arn)["Policy"]
        if policy["AttachmentCount"] or policy.get(_BOUNDARIES):
            return False
        for page in whole(
            self._client.get_paginator("list_policy_versions").paginate(PolicyArn=arn), "ListPolicyVersions"
        ):
            for version in page["Versions"]:
                if not version["IsDefaultVersion"]:
                    self._client.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        self._client.delete_policy(PolicyArn=arn)
        return True
