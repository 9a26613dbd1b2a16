"""The deployed system as the command sees it: a stack's outputs, and its functions to invoke."""

import json
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

from shared.aws.clients import CONFIG, aws_errors
from shared.errors import DependencyError, InputError, NotFoundError

MAX_CALLER = 200  # characters
INPUT_ERRORS = frozenset({"InputError", "PolicyDocumentError", "SettingsError"})
_LONG_READ = Config(
    read_timeout=900, retries={"total_max_attempts": 1}
)  # a sweep may take as long as a function may run


class Deployment:
    """One deployed stack, reached with the caller's own credentials."""

    def __init__(self, stack_name: str, *, region: str | None = None, profile: str | None = None) -> None:
        self._stack_name = stack_name
        with aws_errors("reading the AWS configuration"):
            self._session = boto3.Session(region_name=region, profile_name=profile)

    def outputs(self) -> dict[str, str]:
        """Outputs of the stack by name. Raises NotFoundError when it is not there."""
        with aws_errors(f"DescribeStacks {self._stack_name}"):
            client = self._session.client("cloudformation", config=CONFIG)
            stacks = client.describe_stacks(StackName=self._stack_name)["Stacks"]
        outputs = stacks[0].get("Outputs", []) if stacks else []
        return {output["OutputKey"]: output["OutputValue"] for output in outputs if "OutputKey" in output}

    def caller(self) -> str:
        """Who asks, for the journal: the ARN of the credentials' identity, else the name of the computer's user."""
        try:
            with aws_errors("GetCallerIdentity"):
                caller = self._session.client("sts", config=CONFIG).get_caller_identity()["Arn"]
        except DependencyError:
            caller = os.environ.get("USER", "")
        return "".join(char for char in caller if char.isprintable())[:MAX_CALLER]

    def invoke(self, output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke the function that an output names and return its answer.

        Raises InputError or DependencyError with the function's own error where it refused or failed.
        """
        outputs = self.outputs()
        if output not in outputs:
            raise NotFoundError(f"stack {self._stack_name} has no output {output}: is it leastwise, and up to date?")
        with aws_errors(f"Invoke {outputs[output]}"):
            client = self._session.client("lambda", config=CONFIG.merge(_LONG_READ))
            answer = client.invoke(FunctionName=outputs[output], Payload=json.dumps(payload).encode())
            content = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            message = str(content.get("errorMessage", "the function failed"))[:400]
            raise InputError(message) if content.get("errorType") in INPUT_ERRORS else DependencyError(message)
        return dict(content)
