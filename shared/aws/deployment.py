"""The deployed system as the command sees it: a stack's outputs, and its functions to invoke."""

import json
import os
from collections.abc import Mapping
from typing import Any

from botocore.config import Config

from shared.aws.caller import caller_of, missing_output, outputs_of
from shared.aws.clients import CONFIG, aws_errors
from shared.errors import DependencyError, InputError

MAX_CALLER = 200  # characters
INPUT_ERRORS = frozenset({"InputError", "PolicyDocumentError", "SettingsError"})
_LONG_READ = Config(
    read_timeout=900, retries={"total_max_attempts": 1}
)  # a sweep may take as long as a function may run


class Deployment:
    """One deployed stack, reached with the caller's own credentials."""

    def __init__(self, stack_name: str | None = None, *, region: str | None = None, profile: str | None = None) -> None:
        self._caller = caller_of(stack_name, region=region, profile=profile)
        self.stack_name = self._caller.stack_name

    def outputs(self) -> dict[str, str]:
        """Outputs of the stack by name. Raises InputError when it is not there."""
        return outputs_of(self._caller.stack())

    def caller(self) -> str:
        """Who asks, for the journal: the ARN of the credentials' identity, else the name of the computer's user."""
        try:
            with aws_errors("GetCallerIdentity"):
                caller = self._caller.client("sts").get_caller_identity()["Arn"]
        except DependencyError:
            caller = os.environ.get("USER", "")
        return "".join(char for char in caller if char.isprintable())[:MAX_CALLER]

    def invoke(self, output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke the function that an output names and return its answer.

        Raises InputError or DependencyError with the function's own error where it refused or failed.
        """
        outputs = self.outputs()
        if output not in outputs:
            raise missing_output(self.stack_name, output)
        with aws_errors(f"Invoke {outputs[output]}"):
            client = self._caller.client("lambda", CONFIG.merge(_LONG_READ))
            answer = client.invoke(FunctionName=outputs[output], Payload=json.dumps(payload).encode())
            content = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            message = str(content.get("errorMessage", "the function failed"))[:400]
            raise InputError(message) if content.get("errorType") in INPUT_ERRORS else DependencyError(message)
        return dict(content)
