"""What AWS Config records: the configuration items of IAM users and roles."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam

from infra.local.emulator import identities
from infra.local.emulator.clock import utc_now_millisecond_text
from infra.local.emulator.gateway import HOME_REGION

USER_TYPE, ROLE_TYPE = "AWS::IAM::User", "AWS::IAM::Role"

_CHANGES = re.compile(
    r"^(?:(?:Create|Delete|Update|Tag|Untag)(?:User|Role)|(?:Attach|Detach|Put|Delete)(?:User|Role)Policy"
    r"|(?:Put|Delete)(?:User|Role)PermissionsBoundary|AddUserToGroup|RemoveUserFromGroup"
    r"|UpdateAssumeRolePolicy|UpdateRoleDescription)$"
)


@dataclass(frozen=True)
class Resource:
    """A user or role as Config knows it: by its unique id, which no later identity of the same name has."""

    resource_type: str
    resource_id: str
    name: str
    arn: str
    tags: tuple[tuple[str, str], ...] = ()


def changed_resource(action: str, params: dict[str, str]) -> Resource | None:
    """The user or role that an IAM action changes, or None when it changes neither or there is none of this name."""
    if not _CHANGES.match(action):
        return None
    if "UserName" in params:
        return find(USER_TYPE, params["UserName"])
    return find(ROLE_TYPE, params.get("RoleName", ""))


def find(resource_type: str, name: str) -> Resource | None:
    """The user or role of this name, or None."""
    record = (iam._users if resource_type == USER_TYPE else iam._roles).get(name)
    return None if record is None else _resource(resource_type, record)


def all_resources() -> Iterator[Resource]:
    """Every user and role of the account."""
    for user in iam._users.values():
        yield _resource(USER_TYPE, user)
    for role in iam._roles.values():
        yield _resource(ROLE_TYPE, role)


def exists(resource: Resource) -> bool:
    """Whether this very user or role is still there."""
    current = find(resource.resource_type, resource.name)
    return current is not None and current.resource_id == resource.resource_id


def configuration_item(resource: Resource, status: str) -> dict[str, Any]:
    """A configuration item in the shape Config sends to rules; a deleted resource has no configuration."""
    now = utc_now_millisecond_text()
    item: dict[str, Any] = {
        "version": "1.3",
        "accountId": get_account_id(),
        "awsAccountId": get_account_id(),
        "configurationItemCaptureTime": now,
        "configurationItemStatus": status,
        "configurationStateId": now,
        "configurationItemVersion": "1.3",
        "resourceType": resource.resource_type,
        "resourceId": resource.resource_id,
        "resourceName": resource.name,
        "ARN": resource.arn,
        "awsRegion": "global",
        "availabilityZone": "Not Applicable",
        "tags": dict(resource.tags),
        "relatedEvents": [],
        "relationships": [],
        "configuration": None,
        "supplementaryConfiguration": {},
    }
    if status != "ResourceDeleted":
        item["configuration"] = _lower_keys(_detail(resource))
        item["resourceCreationTime"] = item["configuration"]["createDate"]
    return item


def reporting_region() -> str:
    """The region whose bus and rules get the items of global resources."""
    return HOME_REGION


def _resource(resource_type: str, record: dict[str, Any]) -> Resource:
    kind = resource_type.rpartition("::")[2]
    tags = tuple((tag["Key"], tag["Value"]) for tag in record.get("Tags") or [])
    return Resource(resource_type, record[f"{kind}Id"], record[f"{kind}Name"], record["Arn"], tags)


def _detail(resource: Resource) -> dict[str, Any]:
    if resource.resource_type == USER_TYPE:
        return identities.user_detail(iam._users[resource.name])
    detail = identities.role_detail(iam._roles[resource.name], last_used=lambda _arn: {})
    del detail["RoleLastUsed"]
    return detail


def _lower_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lower_keys(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_lower_keys(member) for member in value]
    return value
