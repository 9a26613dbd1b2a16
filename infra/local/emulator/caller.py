"""Who made a call: the `userIdentity` that CloudTrail writes for an access key."""

import re
from typing import Any

from ministack.core.iam_evaluator import CredentialResolutionError, resolve_credential
from ministack.core.router import extract_access_key_id
from ministack.services import iam, sts

from infra.local.emulator.clock import utc_now_text

_ROLE_OF_SESSION = re.compile(r":assumed-role/([^/]+)/(.+)$")


def user_identity(headers: dict[str, str], query: dict[str, list[str]], account_id: str) -> dict[str, Any]:
    """The identity behind a signed request: a user, a role's session, or the account's root user.

    Any unknown access key is the root user: so ministack itself treats the keys of a developer's machine.
    """
    access_key = extract_access_key_id(headers, query) or ""
    credential = resolve_credential(access_key, account_id)
    if not isinstance(credential, CredentialResolutionError):
        if credential.principal_type == "User":
            return _user(credential.principal_name, access_key, account_id)
        session = _ROLE_OF_SESSION.search(credential.principal_arn)
        if session:
            return _role_session(session[1], session[2], credential.principal_arn, access_key, account_id)
    return {
        "type": "Root",
        "principalId": account_id,
        "arn": f"arn:aws:iam::{account_id}:root",
        "accountId": account_id,
        "accessKeyId": access_key,
    }


def _user(name: str, access_key: str, account_id: str) -> dict[str, Any]:
    user = iam._users[name]
    return {
        "type": "IAMUser",
        "principalId": user["UserId"],
        "arn": user["Arn"],
        "accountId": account_id,
        "accessKeyId": access_key,
        "userName": name,
    }


def _role_session(
    role_name: str, session_name: str, session_arn: str, access_key: str, account_id: str
) -> dict[str, Any]:
    role = iam._roles.get(role_name) or {}
    role_id = role.get("RoleId", "")
    issuer = {
        "type": "Role",
        "principalId": role_id,
        "arn": role.get("Arn", f"arn:aws:iam::{account_id}:role/{role_name}"),
        "accountId": account_id,
        "userName": role_name,
    }
    return {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session_name}",
        "arn": session_arn,
        "accountId": account_id,
        "accessKeyId": access_key,
        "sessionContext": {
            "sessionIssuer": issuer,
            "webIdFederationData": {},
            "attributes": {"creationDate": utc_now_text(), "mfaAuthenticated": "false"},
        },
    }


def open_role_session(role_arn: str, session_name: str, account_id: str) -> dict[str, str]:
    """Register temporary credentials of a role with ministack and return them under botocore's argument names."""
    role_name = role_arn.rsplit("/", 1)[-1]
    credentials = {
        "aws_access_key_id": iam._gen_session_access_key(),
        "aws_secret_access_key": iam._gen_secret(),
        "aws_session_token": iam._gen_session_token(),
    }
    sts.register_session(
        credentials["aws_access_key_id"],
        {
            "Arn": f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}",
            "UserId": f"{(iam._roles.get(role_name) or {}).get('RoleId', '')}:{session_name}",
            "SecretAccessKey": credentials["aws_secret_access_key"],
            "SessionToken": credentials["aws_session_token"],
        },
    )
    return credentials
