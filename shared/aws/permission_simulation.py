"""Asking IAM's simulator what the caller may do.

It knows the caller's policies, its boundary and the organization's policies, but neither a session's own policy nor the
policies of resources. Source: IAM API Reference, SimulatePrincipalPolicy and EvaluationResult.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.aws.clients import aws_errors
from shared.aws.iam_pages import whole
from shared.errors import InputError
from shared.model.account_setup import Permission

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_sts import STSClient

ALLOWED = "allowed"


def caller_arn(client: "STSClient") -> str:
    """The ARN that the credentials belong to, which nobody needs a permission to ask. Raises CallerError."""
    with aws_errors("GetCallerIdentity"):
        return client.get_caller_identity()["Arn"]


def principal_of(client: "IAMClient", caller: str) -> str:
    """The ARN of the user or role behind a caller's ARN: a session's does not tell its role's path.

    Raises InputError for a caller that IAM can't simulate, such as the root user; DependencyError.
    """
    resource = caller.split(":", 5)[-1]
    if ":iam:" in caller and resource.startswith(("user/", "role/")):
        return caller
    if resource.startswith("assumed-role/"):
        name = resource.split("/")[1]
        with aws_errors(f"GetRole {name}"):
            return client.get_role(RoleName=name)["Role"]["Arn"]
    raise InputError(f"IAM can't simulate what {caller} may do")


def simulate(client: "IAMClient", principal: str, asked: Mapping[str, Sequence[str]]) -> list[Permission]:
    """Ask for each resource (`*` for any) whether the principal may do the actions on it. Raises DependencyError."""
    found: list[Permission] = []
    for resource, actions in asked.items():
        paginator = client.get_paginator("simulate_principal_policy")
        with aws_errors("SimulatePrincipalPolicy"):
            pages = paginator.paginate(PolicySourceArn=principal, ActionNames=list(actions), ResourceArns=[resource])
            found += [answer for page in whole(pages, "SimulatePrincipalPolicy") for answer in _answers(page, resource)]
    return found


def _answers(page: Mapping[str, Any], resource: str) -> Iterator[Permission]:
    for result in page.get("EvaluationResults", []):
        on_resource = result.get("ResourceSpecificResults", [])
        decisions = [each["EvalResourceDecision"] for each in on_resource] or [result["EvalDecision"]]
        is_allowed = all(decision == ALLOWED for decision in decisions)
        is_open = any(each.get("MissingContextValues") for each in (result, *on_resource))
        yield Permission(result["EvalActionName"], resource, None if is_open and not is_allowed else is_allowed)
