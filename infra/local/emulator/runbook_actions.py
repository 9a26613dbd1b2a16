"""The actions a runbook's step can have here. Any other one fails the execution, it never passes silently."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, UnknownServiceError

from infra.local.emulator import local_clients
from infra.local.emulator.runbook_values import RunbookError

LONGEST_SLEEP_SECONDS = 1.0
_DURATION = re.compile(r"^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$")

ClientFactory = Callable[[str], Any]
Outputs = dict[str, Any]


def clients_of(role_arn: str | None) -> ClientFactory:
    """Clients with the execution's role, or with the account's own credentials where it has none."""

    def client(service: str) -> Any:
        if role_arn:
            return local_clients.role_client(service, role_arn, "Automation")
        return local_clients.account_client(service)

    return client


def run_action(action: str, inputs: dict[str, Any], role_arn: str | None) -> Outputs:
    """Carry out a step's action with the execution's role and return its outputs. Raises RunbookError."""
    actions: dict[str, Callable[[dict[str, Any], ClientFactory], Outputs]] = {
        "aws:invokeLambdaFunction": _invoke_function,
        "aws:executeAwsApi": _execute_api,
        "aws:sleep": _sleep,
    }
    if action not in actions:
        raise RunbookError(f"the action {action} is not supported by the local AWS")
    try:
        return actions[action](dict(inputs), clients_of(role_arn))
    except (ClientError, BotoCoreError) as error:
        raise RunbookError(str(error)) from error


def _invoke_function(inputs: dict[str, Any], client: ClientFactory) -> Outputs:
    payload = inputs.get("Payload")
    if payload is None:
        payload = inputs.get("InputPayload", {})
    text = payload if isinstance(payload, str) else json.dumps(payload)
    answer = client("lambda").invoke(
        FunctionName=inputs["FunctionName"],
        InvocationType=inputs.get("InvocationType", "RequestResponse"),
        Payload=text.encode(),
    )
    returned = answer["Payload"].read().decode()
    if answer.get("FunctionError"):
        raise RunbookError(f"the function returned an error: {returned[:1000]}")
    return {"StatusCode": answer["StatusCode"], "Payload": returned, "OutputPayload": {"Payload": returned}}


def _execute_api(inputs: dict[str, Any], client: ClientFactory) -> Outputs:
    service, api = str(inputs.pop("Service")), str(inputs.pop("Api"))
    try:
        operation = getattr(client(service.lower()), xform_name(api))
    except (UnknownServiceError, AttributeError) as error:
        raise RunbookError(f"there is no API {service}.{api}") from error
    answer: Outputs = operation(**inputs)
    answer.pop("ResponseMetadata", None)
    return answer


def _sleep(inputs: dict[str, Any], _client: ClientFactory) -> Outputs:
    found = _DURATION.match(str(inputs.get("Duration", "")))
    if not found:
        raise RunbookError("aws:sleep needs a Duration such as PT5M; a Timestamp is not supported by the local AWS")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    time.sleep(min(LONGEST_SLEEP_SECONDS, hours * 3600 + minutes * 60 + seconds))
    return {}
