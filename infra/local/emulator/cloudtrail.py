"""CloudTrail for IAM: every IAM call becomes an event on the default bus, with the identity that made it."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import botocore.session
from ministack.core.responses import get_account_id, new_uuid

from infra.local.emulator.caller import user_identity
from infra.local.emulator.clock import utc_now_text
from infra.local.emulator.event_bus import CLOUDTRAIL_CALL, EventBus
from infra.local.emulator.gateway import HOME_REGION, Response
from infra.local.emulator.iam_calls import IamCall
from infra.local.emulator.iam_xml import error_code

READ_PREFIXES = ("Get", "List", "Generate", "Simulate")


def is_read_only(action: str) -> bool:
    """Whether CloudTrail marks an IAM action as read-only."""
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
        account_id = get_account_id()
        detail = {
            "eventVersion": "1.10",
            "userIdentity": user_identity(call.headers, call.query, account_id),
            "eventTime": utc_now_text(),
            "eventSource": "iam.amazonaws.com",
            "eventName": call.action,
            "awsRegion": HOME_REGION,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": call.headers.get("user-agent", ""),
            "requestParameters": request_parameters(call.params) or None,
            "responseElements": None,
            "requestID": new_uuid(),
            "eventID": new_uuid(),
            "readOnly": is_read_only(call.action),
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account_id,
            "eventCategory": "Management",
        }
        code = error_code(response)
        if code:
            detail |= {"errorCode": _exception_names().get(code, code), "errorMessage": _error_message(response)}
        self._bus.publish_in(HOME_REGION, "aws.iam", CLOUDTRAIL_CALL, detail)


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
