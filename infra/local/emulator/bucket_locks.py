"""Object lock of the buckets that stacks make: ministack's CloudFormation leaves it out."""

from collections.abc import Callable
from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

BUCKET = "AWS::S3::Bucket"
Provisioned = tuple[str, dict[str, Any]]


def install() -> None:
    """Let a bucket of a stack have the lock that its properties ask for, and lose it with the bucket."""
    handlers = provisioners._RESOURCE_HANDLERS[BUCKET]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]
    handlers["create"] = _then_lock(create, properties_at=1)
    handlers["update"] = _then_lock(update, properties_at=2)

    def delete_with_lock(physical_id: str, properties: dict[str, Any]) -> None:
        delete(physical_id, properties)
        s3._bucket_object_lock.pop(physical_id, None)

    handlers["delete"] = delete_with_lock


def _then_lock(provision: Callable[..., Provisioned], *, properties_at: int) -> Callable[..., Provisioned]:
    def provision_and_lock(*arguments: Any) -> Provisioned:
        name, attributes = provision(*arguments)
        if lock := _lock_of(arguments[properties_at]):
            s3._bucket_object_lock[name] = lock
        return name, attributes

    return provision_and_lock


def _lock_of(properties: dict[str, Any]) -> dict[str, Any] | None:
    """The lock as ministack keeps it; booleans and numbers may be texts, where parameters gave them."""
    if str(properties.get("ObjectLockEnabled", "false")).lower() != "true":
        return None
    rule = (properties.get("ObjectLockConfiguration") or {}).get("Rule") or {}
    retention = rule.get("DefaultRetention") or {}
    unit = "Years" if "Years" in retention else "Days"
    default = {"Mode": retention["Mode"], unit: int(retention[unit])} if retention else None
    return {"enabled": True, "default_retention": default}
