"""The refusals and the one operation that ministack's IAM lacks, and that a change of permissions meets on AWS."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import iam

from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import Response
from infra.local.emulator.iam_xml import xml_answer, xml_error

MAX_MANAGED_POLICY_CHARACTERS = 6144
MAX_INLINE_CHARACTERS = {"User": 2048, "Role": 10240, "Group": 5120}
MAX_ATTACHED_POLICIES = 10

_PUT_INLINE = re.compile(r"^Put(User|Role|Group)Policy$")
_ATTACH = re.compile(r"^Attach(User|Role|Group)Policy$")
_BOUNDARY = re.compile(r"^(Put|Delete)(User|Role)PermissionsBoundary$")

Params = Mapping[str, str]


def install() -> None:
    """Add SetDefaultPolicyVersion to ministack's own table."""
    iam._IAM_HANDLERS["SetDefaultPolicyVersion"] = _set_default_policy_version


def refuse(action: str, params: Params) -> None:
    """Raise AwsError where AWS refuses the call and ministack would carry it out."""
    checks: dict[str, Callable[[Params], None]] = {
        "CreatePolicy": _check_new_policy,
        "CreatePolicyVersion": _check_policy_size,
        "DeletePolicy": _check_policy_unused,
        "CreateUser": _check_boundary_exists,
        "CreateRole": _check_boundary_exists,
    }
    if action in checks:
        checks[action](params)
    elif found := _PUT_INLINE.match(action):
        _check_inline_size(found[1], params)
    elif found := _ATTACH.match(action):
        _check_attachment(found[1], params)
    elif found := _BOUNDARY.match(action):
        _check_boundary_change(found[1], found[2], params)


def _set_default_policy_version(params: dict[str, Any]) -> Response:
    policy = iam._policies.get(iam._p(params, "PolicyArn"))
    version_id = iam._p(params, "VersionId")
    if policy is None or version_id not in policy["Versions"]:
        return xml_error(AwsError("NoSuchEntity", f"Policy version {version_id} does not exist.", 404))
    for version in policy["Versions"].values():
        version["IsDefaultVersion"] = version["VersionId"] == version_id
    policy["DefaultVersionId"] = version_id
    policy["UpdateDate"] = iam._now()
    return xml_answer("SetDefaultPolicyVersion")


def _check_new_policy(params: Params) -> None:
    name = params.get("PolicyName", "")
    if any(policy["PolicyName"] == name for policy in iam._policies.values()):
        message = f"A policy called {name} already exists. Duplicate names are not allowed."
        raise AwsError("EntityAlreadyExists", message, 409)
    _check_policy_size(params)


def _check_policy_size(params: Params) -> None:
    document = params.get("PolicyDocument", "")
    _check_json(document)
    if _size(document) > MAX_MANAGED_POLICY_CHARACTERS:
        message = f"Cannot exceed quota for PolicySize: {MAX_MANAGED_POLICY_CHARACTERS}"
        raise AwsError("LimitExceeded", message, 409)


def _check_inline_size(kind: str, params: Params) -> None:
    _check_json(params.get("PolicyDocument", ""))
    name = params.get(f"{kind}Name", "")
    stores = {"User": iam._user_inline_policies, "Group": iam._group_inline_policies}
    documents = dict((iam._roles.get(name) or {}).get("InlinePolicies") or {}) if kind == "Role" else {}
    documents |= (stores[kind].get(name) or {}) if kind in stores else {}
    documents[params.get("PolicyName", "")] = params.get("PolicyDocument", "")
    limit = MAX_INLINE_CHARACTERS[kind]
    if sum(_size(document) for document in documents.values()) > limit:
        message = f"Maximum policy size of {limit} bytes exceeded for {kind.lower()} {name}"
        raise AwsError("LimitExceeded", message, 409)


def _check_attachment(kind: str, params: Params) -> None:
    arn = params.get("PolicyArn", "")
    _check_policy_exists(arn, f"Policy {arn} does not exist or is not attachable.")
    entity = {"User": iam._users, "Role": iam._roles, "Group": iam._groups}[kind].get(
        params.get(f"{kind}Name", "")
    ) or {}
    attached = entity.get("AttachedPolicies") or []
    if arn not in attached and len(attached) >= MAX_ATTACHED_POLICIES:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind}: {MAX_ATTACHED_POLICIES}", 409)


def _check_policy_unused(params: Params) -> None:
    arn = params.get("PolicyArn", "")
    policy = iam._policies.get(arn)
    if policy is None:
        return
    if len(policy["Versions"]) > 1:
        message = (
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
        )
        raise AwsError("DeleteConflict", message, 409)
    if iam._boundary_usage_counts().get(arn):
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)


def _check_boundary_exists(params: Params) -> None:
    if params.get("PermissionsBoundary"):
        _check_policy_exists(params["PermissionsBoundary"])


def _check_boundary_change(verb: str, kind: str, params: Params) -> None:
    entity = {"User": iam._users, "Role": iam._roles}[kind].get(params.get(f"{kind}Name", ""))
    if entity is None:
        return
    if verb == "Put":
        _check_policy_exists(params.get("PermissionsBoundary", ""))
    elif not entity.get("PermissionsBoundary"):
        principal = entity.get("UserId") or entity.get("RoleId")
        raise AwsError("NoSuchEntity", f"Principal {principal} does not have scope", 404)


def _check_policy_exists(arn: str, message: str | None = None) -> None:
    if not iam._policy_exists(arn):
        message = message or f"Scope ARN: {arn} does not exist or is not attachable."
        raise AwsError("NoSuchEntity", message, 404)


def _check_json(document: str) -> None:
    try:
        parsed = json.loads(document)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.")


def _size(document: str) -> int:
    """How long a policy document is to IAM, which doesn't count white space."""
    return len(re.sub(r"\s", "", document))
