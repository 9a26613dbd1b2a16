"""Deleting a stack: asked for once, and looked at until it is gone."""

from typing import TYPE_CHECKING, NamedTuple

from shared.aws.clients import aws_errors
from shared.errors import NotFoundError

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_lambda import LambdaClient


class StackState(NamedTuple):
    """A stack's ARN, by which one that is deleted can still be found, and its status in CloudFormation's words."""

    arn: str
    status: str
    reason: str
    is_protected: bool = False  # against termination

    @property
    def is_going(self) -> bool:
        """Whether its deletion is under way."""
        return self.status == "DELETE_IN_PROGRESS"

    @property
    def is_gone(self) -> bool:
        """Whether it is deleted."""
        return self.status == "DELETE_COMPLETE"

    @property
    def stuck(self) -> bool:
        """Whether its deletion failed."""
        return self.status == "DELETE_FAILED"

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being done with it."""
        return not self.status.endswith("_IN_PROGRESS")


def state_of(client: "CloudFormationClient", stack: str) -> StackState:
    """The state of a stack by its name or ARN. Raises InputError where there is none, DependencyError otherwise."""
    with aws_errors(f"DescribeStacks {stack}"):
        stacks = client.describe_stacks(StackName=stack)["Stacks"]
    if not stacks:
        raise NotFoundError(f"there is no stack {stack}")
    (found,) = stacks
    is_protected = found.get("EnableTerminationProtection", False)
    status, reason = found.get("StackStatus", ""), found.get("StackStatusReason", "")
    return StackState(found["StackId"], status, reason, is_protected)


def delete_stack(client: "CloudFormationClient", arn: str) -> None:
    """Have a stack deleted, but for what its template says is retained; asking again is harmless.

    Raises InputError for one that is protected against termination, DeniedError or DependencyError otherwise.
    """
    with aws_errors(f"DeleteStack {arn}"):
        client.delete_stack(StackName=arn)


def function_exists(client: "LambdaClient", name: str) -> bool:
    """Whether a function is (still) there. Raises DeniedError or DependencyError where that can't be read."""
    try:
        with aws_errors(f"GetFunctionConfiguration {name}"):
            client.get_function_configuration(FunctionName=name)
    except NotFoundError:
        return False
    return True
