"""CloudTrail: IAM calls, parameter changes and refused calls become events, with the identity that made them."""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import botocore.session
from ministack.core.responses import get_account_id, get_region, new_uuid

from infra.local.emulator.caller import user_identity
from infra.local.emulator.clock import utc_now_text
from infra.local.emulator.event_bus import CLOUDTRAIL_CALL, EventBus
from infra.local.emulator.gateway import HOME_REGION, Response, failed
from infra.local.emulator.iam_calls import IamCall
from infra.local.emulator.iam_xml import error_code

READ_PREFIXES = ("Describe", "Get", "List", "Generate", "Simulate")
# Services whose refused calls are recorded, as CloudTrail writes their error code: those whose calls all are
# management events.
REFUSAL_CODES = {"ec2": "Client.UnauthorizedOperation", "iam": "AccessDenied"}


def is_read_only(action: str) -> bool:
    """Whether CloudTrail marks an action of IAM or EC2 as read-only."""
    return action.startswith(READ_PREFIXES)


class CloudTrail:
    """Turns IAM calls into events; IAM is a global service, so all of them are reported in us-east-1."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def record(self, call: IamCall, response: Response) -> None:
        """Publish the event of a call that came through the API, refused ones included.

        A function that reads IAM because it got such an event would cause the next one. So it would on AWS: it's for
        the application to not answer read-only events with reads.
        """
        if not call.action:
            return
        detail = _record("iam", call.action, call.headers, call.query)
        detail["requestParameters"] = request_parameters(call.params) or None
        code = error_code(response)
        if code:
            detail |= {"errorCode": _exception_names().get(code, code), "errorMessage": _error_message(response)}
        self._bus.publish_in(HOME_REGION, "aws.iam", CLOUDTRAIL_CALL, detail)

    def record_parameter_change(
        self, operation: str, request: dict[str, Any], headers: dict[str, str], response: Response
    ) -> None:
        """Publish the event of a call that changes a parameter, in the region of the call and without the value.

        Of the answer it has the version, as CloudTrail's has, where there is one.
        """
        detail = _record("ssm", operation, headers, {})
        kept = {name: value for name, value in request.items() if name != "Value"}
        detail |= {"awsRegion": get_region(), "requestParameters": {_lower_first(name): kept[name] for name in kept}}
        if failed(response):
            error = json.loads(response[2] or b"{}")
            detail |= {"errorCode": str(error.get("__type", "")).rpartition("#")[2], "errorMessage": "refused"}
        elif operation == "PutParameter":
            answer = json.loads(response[2] or b"{}")
            detail["responseElements"] = {_lower_first(name): answer[name] for name in answer}
        self._bus.publish("aws.ssm", CLOUDTRAIL_CALL, detail)

    def record_refusal(self, service: str, action: str, principal_arn: str, headers: Mapping[str, str]) -> None:
        """Publish the event of a call that the caller's policies refused, for the services in `REFUSAL_CODES`."""
        if service not in REFUSAL_CODES:
            return
        reason = f"because no identity-based policy allows the {action} action"
        detail = _record(service, action.partition(":")[2], dict(headers), {}) | {
            "errorCode": REFUSAL_CODES[service],
            "errorMessage": f"User: {principal_arn} is not authorized to perform: {action} {reason}",
        }
        self._bus.publish_in(HOME_REGION, f"aws.{service}", CLOUDTRAIL_CALL, detail)


def _record(service: str, name: str, headers: dict[str, str], query: dict[str, list[str]]) -> dict[str, Any]:
    account_id = get_account_id()
    return {
        "eventVersion": "1.10",
        "userIdentity": user_identity(headers, query, account_id),
        "eventTime": utc_now_text(),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": HOME_REGION,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": headers.get("user-agent", ""),
        "requestParameters": None,
        "responseElements": None,
        "requestID": new_uuid(),
        "eventID": new_uuid(),
        "readOnly": is_read_only(name),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    }


def request_parameters(params: Mapping[str, str]) -> dict[str, Any]:
    """Parameters as CloudTrail writes them.

    >>> request_parameters({"UserName": "ann", "Tags.member.1.Key": "team", "Tags.member.1.Value": "a"})
    {'userName': 'ann', 'tags': [{'key': 'team', 'value': 'a'}]}
    """
    nested: dict[str, Any] = {}
    for name, value in params.items():
        node = nested
        *parents, last = name.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return {_lower_first(name): _with_lists(value) for name, value in nested.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"member"}:
        return [_with_lists(value["member"][index]) for index in sorted(value["member"], key=int)]
    return {_lower_first(name): _with_lists(member) for name, member in value.items()}


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _error_message(response: Response) -> str:
    found = re.search(rb"<Message>(.*?)</Message>", response[2])
    return found[1].decode() if found else ""


@functools.cache
def _exception_names() -> dict[str, str]:
    """From the code in IAM's answer to the name CloudTrail writes: `NoSuchEntity` is `NoSuchEntityException` there."""
    model = botocore.session.get_session().get_service_model("iam")
    return {shape.metadata.get("error", {}).get("code", shape.name): shape.name for shape in model.error_shapes}
