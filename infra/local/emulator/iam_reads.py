"""The IAM reads that ministack answers without what the application needs."""

from typing import Any

from ministack.services import iam

from infra.local.emulator import identities
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import Response
from infra.local.emulator.iam_xml import xml_answer, xml_error
from infra.local.emulator.last_accessed import LastAccessed

Params = dict[str, Any]


class IamReads:
    """GetAccountAuthorizationDetails, GetUser and GetRole with boundaries, tags and the last use of roles."""

    def __init__(self, last_accessed: LastAccessed) -> None:
        self._last_accessed = last_accessed

    def install(self) -> None:
        """Replace the actions in ministack's own table."""
        iam._IAM_HANDLERS["GetAccountAuthorizationDetails"] = self._get_account_authorization_details
        iam._IAM_HANDLERS["GetRole"] = self._get_role
        self._get_root_user = iam._IAM_HANDLERS["GetUser"]
        iam._IAM_HANDLERS["GetUser"] = self._get_user

    def _get_account_authorization_details(self, params: Params) -> Response:
        wanted = {value for name in params if name.startswith("Filter.member.") for value in _values(params, name)}
        policies: list[dict[str, Any]] = []
        if not wanted or "LocalManagedPolicy" in wanted:
            policies += iam._policies.values()
        if not wanted or "AWSManagedPolicy" in wanted:
            policies += identities.aws_managed_policies_in_use()
        lists = {
            "UserDetailList": ("User", [identities.user_detail(user) for user in iam._users.values()]),
            "GroupDetailList": ("Group", [identities.group_detail(group) for group in iam._groups.values()]),
            "RoleDetailList": (
                "Role",
                [identities.role_detail(role, self._last_accessed.role_last_used) for role in iam._roles.values()],
            ),
        }
        result = {name: members if not wanted or kind in wanted else [] for name, (kind, members) in lists.items()}
        result["Policies"] = [identities.policy_detail(policy) for policy in policies]
        return xml_answer("GetAccountAuthorizationDetails", {**result, "IsTruncated": False})

    def _get_user(self, params: Params) -> Response:
        name = iam._p(params, "UserName")
        if not name:
            response: Response = self._get_root_user(params)
            return response
        user = iam._users.get(name)
        if user is None:
            return xml_error(AwsError("NoSuchEntity", f"The user with name {name} cannot be found.", 404))
        return xml_answer("GetUser", {"User": identities.user_summary(user)})

    def _get_role(self, params: Params) -> Response:
        name = iam._p(params, "RoleName")
        role = iam._roles.get(name)
        if role is None:
            return xml_error(AwsError("NoSuchEntity", f"The role with name {name} cannot be found.", 404))
        return xml_answer("GetRole", {"Role": identities.role_summary(role, self._last_accessed.role_last_used)})


def _values(params: Params, name: str) -> list[str]:
    value = params[name]
    return value if isinstance(value, list) else [value]
