"""What IAM lets the two roles of leastwise do: the one that takes away and the one that gives back.

The rendered policies of the template are held to this split in tests/unit/test_blast_radius.py; here the fake refuses,
as IAM would, what a role has no permission for, so that a run can't depend on more than a role may do.
"""

from tests.fake_aws.errors import refused
from tests.fake_aws.iam_state import IamState
from tests.fake_aws.wire import Call

OURS = ":policy/leastwise/"
OF_OURS = frozenset(
    {
        "delete_policy",
        "delete_policy_version",
        "put_user_permissions_boundary",
        "put_role_permissions_boundary",
        "attach_user_policy",
        "attach_role_policy",
        "detach_user_policy",
        "detach_role_policy",
    }
)
TAKES_AWAY = frozenset(
    {"detach_user_policy", "detach_role_policy", "delete_user_policy", "delete_role_policy", "remove_user_from_group"}
)
GIVES_BACK = frozenset(
    {"attach_user_policy", "attach_role_policy", "put_user_policy", "put_role_policy", "add_user_to_group"}
)


def check(call: Call, state: IamState, *, may_restore: bool) -> None:
    """Raise AccessDenied for a call that the role behind it may not make."""
    if call.changes_iam and not _allowed(call, state, may_restore=may_restore):
        raise refused(call.operation, "AccessDenied", f"not authorized to perform iam:{call.operation}")


def _allowed(call: Call, state: IamState, *, may_restore: bool) -> bool:
    operation, given = call.operation, call.arguments
    ours = any(OURS in str(given.get(name, "")) for name in ("PolicyArn", "PermissionsBoundary"))
    if operation == "create_policy":
        return bool(given.get("Path") == "/leastwise/")
    if operation.startswith("delete_") and operation.endswith("_permissions_boundary"):
        return _boundary_is_ours(call, state)
    if ours:
        return operation in OF_OURS
    return operation in (GIVES_BACK if may_restore else TAKES_AWAY)


def _boundary_is_ours(call: Call, state: IamState) -> bool:
    kind = call.operation.split("_")[1]
    entity = state.entities.get((kind, call.arguments[f"{kind.title()}Name"].lower()))
    return entity is None or entity.boundary is None or OURS in entity.boundary
