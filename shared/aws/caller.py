"""The person who runs the command, as AWS knows them: their session, and the stack that they mean."""

from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.session
from botocore.exceptions import NoRegionError

from shared.aws.clients import CONFIG, aws_errors
from shared.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

STACK_KEY = "leastwise_stack_name"  # of a profile in ~/.aws/config
USUAL_STACK = "leastwise"
SETUP = "reading the AWS configuration"
UNUSABLE = frozenset({"DELETE_COMPLETE", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})


class Caller(NamedTuple):
    """A session with the caller's own credentials, region and profile, and the name of the stack that is meant."""

    session: boto3.Session
    stack_name: str

    def client(self, service: str, config: Any = CONFIG) -> Any:
        """A client of an AWS service. Raises CallerError where credentials or a region are missing."""
        with aws_errors(SETUP):
            if self.session.region_name == "":  # an empty variable, which the SDK takes for a region
                raise NoRegionError
            return self.session.client(service, config=config)  # type: ignore[call-overload]  # any service

    def stack(self) -> "StackTypeDef":
        """The stack as CloudFormation describes it. Raises InputError where there is none of that name."""
        where = f"{self.session.region_name or 'the region'}, account of the credentials"
        hint = "name the stack with --stack-name, where it is with --region, and as whom with --profile"
        call = f"DescribeStacks {self.stack_name}"
        client = self.client("cloudformation")
        try:
            with aws_errors(call):
                stacks = client.describe_stacks(StackName=self.stack_name)["Stacks"]
        except InputError as error:
            if "does not exist" not in str(error):
                raise
            raise InputError(f"there is no stack {self.stack_name} in {where}: {hint}") from None
        if not stacks or stacks[0].get("StackStatus") in UNUSABLE:
            raise InputError(f"there is no stack {self.stack_name} in use in {where}: {hint}")
        found: StackTypeDef = stacks[0]
        return found


def caller_of(stack_name: str | None = None, *, region: str | None = None, profile: str | None = None) -> Caller:
    """Who asks, and about which stack: the one that is named, else the profile's, else the usual one.

    Region and profile are looked up as the SDK does where they are not named. Raises CallerError for a profile that
    isn't there.
    """
    with aws_errors(SETUP):
        core = botocore.session.Session(profile=profile or None)
        configured = core.get_scoped_config().get(STACK_KEY)
        session = boto3.Session(region_name=region or None, botocore_session=core)
    return Caller(session, stack_name or (configured if isinstance(configured, str) else "") or USUAL_STACK)


def outputs_of(stack: "StackTypeDef") -> dict[str, str]:
    """Outputs of a stack by name."""
    return {each.get("OutputKey", ""): each.get("OutputValue", "") for each in stack.get("Outputs", [])}


def parameters_of(stack: "StackTypeDef") -> dict[str, str]:
    """Parameters of a stack by name, with their values."""
    return {each.get("ParameterKey", ""): each.get("ParameterValue", "") for each in stack.get("Parameters", [])}


def missing_output(stack_name: str, output: str) -> NotFoundError:
    """What a stack without an output is told as."""
    return NotFoundError(f"stack {stack_name} has no output {output}: is it leastwise, and up to date?")
