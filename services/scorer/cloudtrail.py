"""What is read of a CloudTrail record, checked for type and size. Pure.

Record contents: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.errors import InputError

API_CALL = "AwsApiCall"
MAX_TEXT = 2_048  # characters of a field that is kept; IAM's longest ARN
MAX_DEPTH = 64  # of requestParameters
MAX_VALUES = 50_000  # of requestParameters: CloudTrail's own limit is 256 KB a record

_ACCOUNT = re.compile(r"\d{12}")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}")
_DENIED_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]{1,64}:[A-Za-z0-9]{1,128})")


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """The `userIdentity` element as it stands; `issuer_*` come from `sessionContext.sessionIssuer`."""

    type: str | None
    principal_id: str | None
    arn: str | None
    account_id: str | None
    issuer_id: str | None
    issuer_arn: str | None
    issuer_account_id: str | None
    invoked_by: str | None


@dataclass(frozen=True, slots=True)
class CloudTrailRecord:
    """The fields of a record that are read, checked for type and size.

    `account_id` is the account whose trail tells (`recipientAccountId`). `resource_arns` are the ARNs in `resources`.
    `role_arns` are the IAM role ARNs anywhere in `requestParameters`; `names_role` says that these also name a role or
    an instance profile in another way. `denied_action` is the action that `errorMessage` says was refused.
    """

    event_id: str | None
    event_type: str
    event_time: datetime
    event_source: str
    event_name: str
    region: str
    account_id: str | None
    data_event: bool
    identity: UserIdentity
    error_code: str | None
    denied_action: str | None
    resource_arns: frozenset[str]
    role_arns: frozenset[str]
    names_role: bool


def parse_record(detail: Mapping[str, Any]) -> CloudTrailRecord:
    """Read a record: an entry of a trail log, or the `detail` of an EventBridge event.

    Raises InputError, which names the field that is missing or wrong.
    """
    if not isinstance(detail, Mapping):
        raise InputError("record: not an object")
    event_type = _text(detail, "eventType") or API_CALL  # absent before event version 1.02
    required = event_type == API_CALL  # insights and service events lack some of these
    role_arns, names_role = _roles_in(detail.get("requestParameters"))
    return CloudTrailRecord(
        event_id=_text(detail, "eventID"),
        event_type=event_type,
        event_time=_time(detail, "eventTime"),
        event_source=_source(detail, required=required),
        event_name=_text(detail, "eventName", required=required) or "",
        region=_text(detail, "awsRegion", required=True) or "",
        account_id=_account(detail, "recipientAccountId"),
        data_event=_is_data_event(detail),
        identity=_identity(_mapping(detail, "userIdentity", required=required)),
        error_code=_text(detail, "errorCode"),
        denied_action=_denied_action(detail.get("errorMessage")),
        resource_arns=frozenset(_resource_arns(detail.get("resources"))),
        role_arns=role_arns,
        names_role=names_role,
    )


def _identity(element: Mapping[str, Any]) -> UserIdentity:
    context = _mapping(element, "sessionContext", within="userIdentity.")
    issuer = _mapping(context, "sessionIssuer", within="userIdentity.sessionContext.")
    where, issuer_where = "userIdentity.", "userIdentity.sessionContext.sessionIssuer."
    return UserIdentity(
        type=_text(element, "type", within=where),
        principal_id=_text(element, "principalId", within=where),
        arn=_text(element, "arn", within=where),
        account_id=_account_or_none(_text(element, "accountId", within=where)),
        issuer_id=_text(issuer, "principalId", within=issuer_where),
        issuer_arn=_text(issuer, "arn", within=issuer_where),
        issuer_account_id=_account_or_none(_text(issuer, "accountId", within=issuer_where)),
        invoked_by=_text(element, "invokedBy", within=where),
    )


def _account_or_none(value: str | None) -> str | None:
    """An account id; S3 writes ANONYMOUS_PRINCIPAL where there is none."""
    return value if value and _ACCOUNT.fullmatch(value) else None


def _text(source: Mapping[str, Any], field: str, *, within: str = "", required: bool = False) -> str | None:
    value = source.get(field)
    if value is None or value == "":
        if required:
            raise InputError(f"{within}{field}: missing")
        return None
    if not isinstance(value, str):
        raise InputError(f"{within}{field}: not a string")
    if len(value) > MAX_TEXT:
        raise InputError(f"{within}{field}: longer than {MAX_TEXT} characters")
    return value


def _mapping(source: Mapping[str, Any], field: str, *, within: str = "", required: bool = False) -> Mapping[str, Any]:
    value = source.get(field)
    if value is None and not required:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{within}{field}: {'missing' if value is None else 'not an object'}")
    return value


def _account(source: Mapping[str, Any], field: str) -> str | None:
    value = _text(source, field)
    if value is not None and not _ACCOUNT.fullmatch(value):
        raise InputError(f"{field}: not an account id")
    return value


def _time(source: Mapping[str, Any], field: str) -> datetime:
    value = _text(source, field, required=True) or ""
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise InputError(f"{field}: no time zone")
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"{field}: not a time") from None


def _source(detail: Mapping[str, Any], *, required: bool) -> str:
    """Event source; Application Auto Scaling calls bear EC2 Auto Scaling's and tell themselves apart elsewhere.

    Source: Application Auto Scaling User Guide, "Log Application Auto Scaling API calls using AWS CloudTrail".
    """
    source = _text(detail, "eventSource", required=required) or ""
    if source == "autoscaling.amazonaws.com":
        service = _mapping(detail, "additionalEventData").get("service")
        return "application-autoscaling.amazonaws.com" if service == "application-autoscaling" else source
    return source


def _is_data_event(detail: Mapping[str, Any]) -> bool:
    """Whether this is a data event; `eventCategory` is absent before event version 1.07."""
    category = _text(detail, "eventCategory")
    return category == "Data" if category else detail.get("managementEvent") is False


def _denied_action(message: object) -> str | None:
    match = _DENIED_ACTION.search(message[:MAX_TEXT]) if isinstance(message, str) else None
    return match.group(1) if match else None


def _resource_arns(resources: object) -> Iterator[str]:
    if resources is None:
        return
    if not isinstance(resources, list):
        raise InputError("resources: not a list")
    for index, resource in enumerate(resources):
        if not isinstance(resource, Mapping):
            raise InputError(f"resources[{index}]: not an object")
        arn = _text(resource, "ARN", within=f"resources[{index}].")
        if arn and arn.startswith("arn:") and arn.count(":") >= 5:  # noqa: PLR2004 an ARN has six parts
            yield arn


def _roles_in(parameters: object) -> tuple[frozenset[str], bool]:
    """Role ARNs anywhere in the request, and whether it names a role or an instance profile without an ARN."""
    arns: set[str] = set()
    named = False
    seen = 0
    stack: list[tuple[Any, bool, int]] = [
        (parameters, False, 0)
    ]  # value, whether a key above it tells of a role, depth
    while stack:
        value, about_role, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            raise InputError(f"requestParameters: deeper than {MAX_DEPTH} or more than {MAX_VALUES} values")
        if isinstance(value, Mapping):
            stack.extend((inner, about_role or _names_role(str(key)), depth + 1) for key, inner in value.items())
        elif isinstance(value, list):
            stack.extend((inner, about_role, depth + 1) for inner in value)
        elif isinstance(value, str) and value.startswith("arn:") and _ROLE_ARN.fullmatch(value):
            arns.add(value)
        elif about_role and isinstance(value, str) and value:
            named = True
    return frozenset(arns), named


def _names_role(key: str) -> bool:
    lowered = key.lower()
    return "role" in lowered or "instanceprofile" in lowered
