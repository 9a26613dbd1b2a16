"""IAM's quotas as they are in this account, and how much of them is used: they can be raised, so no constant will do.

Source: IAM API reference, GetAccountSummary.
"""

from typing import TYPE_CHECKING, NamedTuple

from shared.aws.clients import aws_errors
from shared.errors import DependencyError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

CALL = "GetAccountSummary"


class IamQuotas(NamedTuple):
    """How many customer managed policies there may be and are; how many can be attached; characters of one at most."""

    policies: int
    policies_used: int
    attached_to_user: int
    attached_to_role: int
    policy_size: int  # white space does not count


def read_quotas(client: "IAMClient") -> IamQuotas:
    """Ask IAM, by one call. Raises DependencyError where the answer lacks a quota: unknown is not unlimited."""
    with aws_errors(CALL):
        summary = client.get_account_summary()["SummaryMap"]
    try:
        return IamQuotas(
            policies=summary["PoliciesQuota"],
            policies_used=summary["Policies"],
            attached_to_user=summary["AttachedPoliciesPerUserQuota"],
            attached_to_role=summary["AttachedPoliciesPerRoleQuota"],
            policy_size=summary["PolicySizeQuota"],
        )
    except KeyError as error:
        raise DependencyError(f"{CALL}: the answer has no {error}") from error
