"""Who made a call: whose permissions CloudTrail's record shows in use. Pure.

Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.scorer.cloudtrail import CloudTrailRecord, UserIdentity
from shared.model.identity import ROLE_ID_PREFIX, USER_ID_PREFIX

_UNIQUE_ID = re.compile(rf"(?:{USER_ID_PREFIX}|{ROLE_ID_PREFIX})[A-Z0-9]{{4,}}")
_IDENTITY_ARN = re.compile(r"arn:[^:]+:iam::\d{12}:(user|role)/.+")


class CallerKind(StrEnum):
    """Who made a call."""

    IAM_IDENTITY = "iam_identity"  # a user or a role of the trail's account, service-linked roles too
    ROOT = "root"
    AWS_SERVICE = "aws_service"
    FEDERATED = "federated"
    OTHER_ACCOUNT = "other_account"
    IDENTITY_CENTER = "identity_center"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a call: `identity_id` and `arn` are those of the IAM user or role whose permissions were used.

    `arn` is never a session's, and None where the record doesn't tell it. A FEDERATED caller has an identity where its
    session was issued by an IAM user (GetFederationToken): it acts with that user's permissions.
    """

    kind: CallerKind
    identity_id: str | None
    arn: str | None
    account_id: str | None


_KIND_OF_TYPE: Mapping[str, CallerKind] = {
    "Root": CallerKind.ROOT,
    "AWSService": CallerKind.AWS_SERVICE,
    "AWSAccount": CallerKind.OTHER_ACCOUNT,
    "Directory": CallerKind.FEDERATED,
    "FederatedUser": CallerKind.FEDERATED,
    "SAMLUser": CallerKind.FEDERATED,
    "WebIdentityUser": CallerKind.FEDERATED,
    "IdentityCenterUser": CallerKind.IDENTITY_CENTER,
}


def resolve_identity(record: CloudTrailRecord) -> Caller:
    """Tell whose permissions a call used. Calls made through a service (`invokedBy`) are the caller's own."""
    who = record.identity
    account_id = who.account_id or who.issuer_account_id
    if who.type in {"IAMUser", "AssumedRole"}:
        identity_id, arn = _user(who) if who.type == "IAMUser" else _role(who)
        kind = CallerKind.IAM_IDENTITY if identity_id else CallerKind.UNKNOWN
    elif who.type == "FederatedUser":
        kind, (identity_id, arn) = CallerKind.FEDERATED, _federation_issuer(who)
    else:
        fallback = CallerKind.AWS_SERVICE if who.type is None and who.invoked_by else CallerKind.UNKNOWN
        kind, identity_id, arn = _KIND_OF_TYPE.get(who.type or "", fallback), None, None
    if identity_id and account_id is None:
        account_id = arn.split(":")[4] if arn else record.account_id
    if identity_id and record.account_id and account_id != record.account_id:
        return Caller(CallerKind.OTHER_ACCOUNT, None, None, account_id)
    if identity_id and account_id is None:
        return Caller(CallerKind.UNKNOWN, None, None, None)
    return Caller(kind, identity_id, arn, account_id)


def _user(who: UserIdentity) -> tuple[str | None, str | None]:
    return _identity_of(USER_ID_PREFIX, who.principal_id, who.arn)


def _role(who: UserIdentity) -> tuple[str | None, str | None]:
    """The role behind a session: its issuer, else the id before the session's name (`AROA…:session`)."""
    by_issuer = _identity_of(ROLE_ID_PREFIX, who.issuer_id, who.issuer_arn)
    return by_issuer if by_issuer[0] else _identity_of(ROLE_ID_PREFIX, (who.principal_id or "").partition(":")[0], None)


def _federation_issuer(who: UserIdentity) -> tuple[str | None, str | None]:
    return _identity_of(USER_ID_PREFIX, who.issuer_id, who.issuer_arn)


def _identity_of(prefix: str, unique_id: str | None, arn: str | None) -> tuple[str | None, str | None]:
    """Unique id and ARN of an identity of this kind, each only where it is one."""
    if not unique_id or not unique_id.startswith(prefix) or not _UNIQUE_ID.fullmatch(unique_id):
        return None, None
    kind = "user" if prefix == USER_ID_PREFIX else "role"
    match = _IDENTITY_ARN.fullmatch(arn or "")
    return unique_id, arn if match and match.group(1) == kind else None
