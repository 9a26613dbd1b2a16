"""What ministack leaves out of a request when it checks permissions, and the template's policies rely on."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import config, iam

Context = dict[str, Any]
Refused = Callable[[str, str, str, Mapping[str, str]], None]

GROUP_MEMBERSHIP = ("AddUserToGroup", "RemoveUserFromGroup")


def install(refused: Refused) -> None:
    """Wrap the functions that every checked request passes through: its condition keys, its resource, its origin.

    `refused` is told of each refusal: service, action, the caller's ARN and the request's headers.

    The loopback connection has no TLS and needs none; policies see it as `aws:SecureTransport`, so that the TLS-only
    statements of the template take effect without refusing everything.
    Without the keys of IAM and EventBridge an Allow that is conditional on them never applies and, worse, neither does
    a Deny. And ministack leaves the path out of the ARN of a user, role or new policy.
    """
    request_tag_context, resource_arn = iam_actions.request_tag_context, iam_actions.extract_resource_arn

    def request_context(service: str, action: str, body: bytes, params: dict[str, Any]) -> Context:
        context: Context = request_tag_context(service, action, body, params)
        if action == "events:PutEvents":
            return context | put_events_keys(body)
        return context | iam_keys(action, _fields(body)) if service == "iam" else context

    def request_resource_arn(*request: Any) -> str:
        service, body, account_id = request[0], request[4], request[7]
        known = None
        if service == "iam":
            known = iam_resource_arn(_fields(body), account_id)
        elif service == "config":
            known = config_rule_arn(body)
        return known or str(resource_arn(*request))

    def pin_request_origin(source_ip: str, _secure_transport: bool) -> None:  # noqa: FBT001 ministack's own signature
        iam_evaluator.pin_request_origin(source_ip, secure_transport=True)

    def answer_refusal(service: str, action: str, principal_arn: str, request_id: str, **more: Any) -> Any:
        if not more.get("error_code"):  # with one, the credentials were refused, not the call
            refused(service, action, principal_arn, more.get("headers") or {})
        return access_denied_response(service, action, principal_arn, request_id, **more)

    access_denied_response = iam_actions.access_denied_response
    iam_actions.access_denied_response = answer_refusal
    app.pin_request_origin = pin_request_origin
    iam_actions.request_tag_context = request_context
    iam_actions.extract_resource_arn = request_resource_arn


def put_events_keys(body: bytes) -> Context:
    """`events:source` and `events:detail-type` of a request; different ones together match no single-valued condition.

    AWS checks entry by entry, so a request that mixes sources is refused here although each entry might be allowed.
    """
    entries = json.loads(body or b"{}").get("Entries") or []
    context: Context = {}
    for key, name in (("events:source", "Source"), ("events:detail-type", "DetailType")):
        values = sorted({str(entry.get(name, "")) for entry in entries})
        context[key] = values[0] if len(values) == 1 else values
    return context


def iam_keys(action: str, params: Mapping[str, str]) -> Context:
    """`iam:PermissionsBoundary`, `iam:PolicyARN` and `iam:ResourceTag/…` of an IAM call.

    The boundary is the one that the call sets, or else the one that its user or role has.
    """
    target = _target(params)
    context: Context = {f"iam:ResourceTag/{tag['Key']}": tag["Value"] for tag in target.get("Tags") or []}
    boundary = params.get("PermissionsBoundary") or target.get("PermissionsBoundary")
    if boundary:
        context["iam:PermissionsBoundary"] = boundary
    if action.startswith(("iam:Attach", "iam:Detach")) and "PolicyArn" in params:
        context["iam:PolicyARN"] = params["PolicyArn"]
    return context


def iam_resource_arn(params: Mapping[str, str], account_id: str) -> str | None:
    """The ARN of what an IAM call is about, its path included; None leaves it to ministack."""
    if "Arn" in params:
        return params["Arn"]
    if known := _target(params):
        return str(known["Arn"])
    for name, kind in (("UserName", "user"), ("RoleName", "role"), ("PolicyName", "policy")):
        if name in params:
            return f"arn:aws:iam::{account_id}:{kind}{params.get('Path', '/')}{params[name]}"
    return None


def config_rule_arn(body: bytes) -> str | None:
    """The ARN of the one rule that an AWS Config call names; None leaves it to ministack."""
    names = json.loads(body or b"{}").get("ConfigRuleNames") or []
    rule = config._config_rules.get(names[0]) if len(names) == 1 else None
    return str(rule["ConfigRuleArn"]) if rule else None


def _target(params: Mapping[str, str]) -> dict[str, Any]:
    """The stored user, role, group or policy that a call is about: a policy only where no identity is named.

    Who joins or leaves a group is decided by the group.
    """
    if params.get("Action") in GROUP_MEMBERSHIP:
        return dict(iam._groups.get(params.get("GroupName", "")) or {})
    stores = {"UserName": iam._users, "RoleName": iam._roles, "GroupName": iam._groups, "PolicyArn": iam._policies}
    for name, store in stores.items():
        if name in params:
            return dict(store.get(params[name]) or {})
    return {}


def _fields(body: bytes) -> dict[str, str]:
    fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
