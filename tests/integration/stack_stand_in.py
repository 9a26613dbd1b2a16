"""A deployed stack as CloudFormation describes it and Lambda runs it; moto needs optional packages to do either."""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.client import BaseClient

from tests.builders import ACCOUNT
from tests.conftest import MAKE_API_CALL, REGION, Stack

Function = Callable[[dict[str, Any]], Mapping[str, Any]]


class Stacks(dict[str, dict[str, Any]]):
    """Stacks by name, and the functions that can be invoked; all other calls are moto's."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[str, Function] = {}

    def deploy(self, aws: Stack, name: str = "leastwise", **parameters: str) -> None:
        """Describe a stack; one without parameters is somebody else's."""
        outputs = {
            "UsageTableName": aws.usage_table,
            "ScoresTableName": aws.scores_table,
            "JournalTableName": aws.journal_table,
            "RemediationRequestFunctionName": "takes",
            "RestoreRequestFunctionName": "gives",
        }
        self[name] = {
            "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/1",
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items() if parameters],
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        }

    def answer(self, client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        """Answer a call as AWS would."""
        if operation_name == "DescribeStacks":
            return {"Stacks": [self[api_params["StackName"]]]}
        if operation_name == "Invoke":
            answer = self.functions[api_params["FunctionName"]](json.loads(api_params["Payload"]))
            return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}
        return MAKE_API_CALL(client, operation_name, api_params)

    def caller(self) -> Callable[..., Any]:
        """The method of clients that passes all calls by these stacks."""

        def ask(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
            return self.answer(client, operation_name, api_params)

        return ask
