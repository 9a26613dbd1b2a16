"""A stack as CloudFormation has it: how its last deployment ended, and what its resources are called."""

from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.errors import NotFoundError

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


def stack_status(client: "CloudFormationClient", stack_name: str) -> str:
    """How the last deployment ended, in CloudFormation's words. Raises InputError or DependencyError."""
    with aws_errors(f"DescribeStacks {stack_name}"):
        stacks = client.describe_stacks(StackName=stack_name)["Stacks"]
    return stacks[0].get("StackStatus", "") if stacks else ""


def name_of(client: "CloudFormationClient", stack_name: str, logical_id: str) -> str:
    """The name of a resource by its name in the template. Raises InputError, or DependencyError where it has none."""
    with aws_errors(f"DescribeStackResource {logical_id}"):
        found = client.describe_stack_resource(StackName=stack_name, LogicalResourceId=logical_id)
    if not (name := found["StackResourceDetail"].get("PhysicalResourceId")):
        raise NotFoundError(f"stack {stack_name} has no {logical_id}")
    return name
