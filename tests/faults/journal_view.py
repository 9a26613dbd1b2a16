"""The journal as it is stored, read without the code that writes it: only its items and their attributes."""

import json
import zlib
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer

from tests.fake_aws.dynamodb import FakeDynamoDB

_plain = TypeDeserializer().deserialize
TERMINAL = frozenset({"APPLIED", "SKIPPED", "ROLLED_BACK", "QUARANTINED", "PROPOSED"})
STEP_OF = {
    "create_policy": ("create_policy", "PolicyName"),
    "delete_policy": ("delete_policy", "PolicyArn"),
    "put_user_permissions_boundary": ("put_boundary", "PermissionsBoundary"),
    "put_role_permissions_boundary": ("put_boundary", "PermissionsBoundary"),
    "delete_user_permissions_boundary": ("delete_boundary", ""),
    "delete_role_permissions_boundary": ("delete_boundary", ""),
    "attach_user_policy": ("attach_policy", "PolicyArn"),
    "attach_role_policy": ("attach_policy", "PolicyArn"),
    "detach_user_policy": ("detach_policy", "PolicyArn"),
    "detach_role_policy": ("detach_policy", "PolicyArn"),
    "put_user_policy": ("put_inline", "PolicyName"),
    "put_role_policy": ("put_inline", "PolicyName"),
    "delete_user_policy": ("delete_inline", "PolicyName"),
    "delete_role_policy": ("delete_inline", "PolicyName"),
    "add_user_to_group": ("add_to_group", "GroupName"),
    "remove_user_from_group": ("remove_from_group", "GroupName"),
}


class StoredStep(NamedTuple):
    """One mutating call in the journal."""

    plan_id: str
    kind: str
    target: str
    outcome: str


def steps(dynamodb: FakeDynamoDB) -> list[StoredStep]:
    """Every step of every plan, and every orphan that was collected."""
    found = []
    for (pk, sk), item in dynamodb.tables["JournalTable"].items():
        if sk.startswith("STEP#"):
            kind, target, outcome = (_plain(item[name]) for name in ("kind", "target", "outcome"))
            found.append(StoredStep(pk.removeprefix("PLAN#"), kind, target, outcome))
        if sk.startswith("ORPHAN#"):
            target, outcome = (_plain(item[name]) for name in ("target", "outcome"))
            found.append(StoredStep(pk.removeprefix("PLAN#"), "delete_policy", target, outcome))
    return found


def has_intent(dynamodb: FakeDynamoDB, operation: str, arguments: dict[str, Any], *, is_open: bool) -> bool:
    """Whether a call's intent is on paper; `is_open` wants its outcome to be open still."""
    kind, argument = STEP_OF[operation]
    wanted = str(arguments.get(argument, ""))
    return any(
        step.kind == kind
        and not (is_open and step.outcome)
        and (not argument or step.target.rsplit("/", 1)[-1] == wanted.rsplit("/", 1)[-1])
        for step in steps(dynamodb)
    )


def plans(dynamodb: FakeDynamoDB) -> dict[str, dict[str, Any]]:
    """Every plan's record, by id."""
    return {
        pk.removeprefix("PLAN#"): json.loads(zlib.decompress(bytes(_plain(item["record"]))))
        for (pk, sk), item in dynamodb.tables["JournalTable"].items()
        if sk == "PLAN"
    }


def statuses(dynamodb: FakeDynamoDB) -> dict[str, str]:
    """Every plan's status, by id."""
    return {
        pk.removeprefix("PLAN#"): str(_plain(item["status"]))
        for (pk, sk), item in dynamodb.tables["JournalTable"].items()
        if sk == "PLAN"
    }
