"""Who made a call: whose permissions CloudTrail's record shows in use. Pure.

Sources: CloudTrail User Guide, "CloudTrail userIdentity element"; IAM User Guide, "IAM identifiers" (unique ids).
The unique id decides, never the name: a user or role that was deleted and created again is somebody else.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from services.scorer.trail.record import Issuer, UserIdentity
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

ACCOUNT_ID = re.compile(r"[0-9]{12}")
_UNIQUE_ID = re.compile(rf"(?:{USER_ID_PREFIX}|{ROLE_ID_PREFIX})[A-Z0-9]{{4,124}}")
_IDENTITY_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[!-~]{1,576}")
_NO_ISSUER = Issuer()
_NOBODY = UserIdentity()
_NO_IDENTITY = (None, None)


class CallerKind(StrEnum):
    """Who made a call."""

    IAM_IDENTITY = "iam_identity"  # a user or a role of the trail's account, service-linked roles too
    ROOT = "root"
    AWS_SERVICE = "aws_service"
    FEDERATED = "federated"
    OTHER_ACCOUNT = "other_account"
    IDENTITY_CENTER = "identity_center"
    UNKNOWN = "unknown"


class Caller(NamedTuple):
    """Who made a call: `identity_id` and `arn` are those of the IAM user or role whose permissions were used.

    `arn` is never a session's, and None where the record doesn't tell it: the ARN of an assumed role lacks the role's
    path. A FEDERATED caller has an identity where an IAM user issued its session (GetFederationToken), since the
    session acts with that user's permissions.
    """

    kind: CallerKind
    identity_id: str | None
    arn: str | None
    account_id: str | None


# Types that tell the kind by themselves. A session of AssumeRoot is of the type Root.
_KIND_OF_TYPE: Mapping[str, CallerKind] = {
    "Root": CallerKind.ROOT,
    "AWSService": CallerKind.AWS_SERVICE,
    "Directory": CallerKind.FEDERATED,
    "SAMLUser": CallerKind.FEDERATED,
    "WebIdentityUser": CallerKind.FEDERATED,
    "IdentityCenterUser": CallerKind.IDENTITY_CENTER,
}
# Types whose unique id names the identity, and the kind where there is none.
_KIND_WITHOUT_ID: Mapping[str | None, CallerKind] = {
    "IAMUser": CallerKind.UNKNOWN,
    "AssumedRole": CallerKind.UNKNOWN,
    "Role": CallerKind.UNKNOWN,
    "AWSAccount": CallerKind.OTHER_ACCOUNT,
    None: CallerKind.UNKNOWN,
}


def resolve_caller(who: UserIdentity | None, recipient_account: str | None) -> Caller:
    """Tell whose permissions a call used; `recipient_account` is the account whose trail tells of it.

    Calls that a service makes with the caller's permissions (`invokedBy`, forward access sessions) are the caller's,
    and so are those of sessions on behalf of an Identity Center user. A caller of another account is that account's:
    its own trail tells of the same call.
    """
    who = who or _NOBODY
    issuer = issuer_of(who) or _NO_ISSUER
    kind, (identity_id, arn) = _kind_and_identity(who, issuer)
    account_id = _account(who.account_id) or _account(issuer.account_id)
    if identity_id is None:
        return Caller(kind, None, None, account_id)
    account_id = account_id or (arn.split(":")[4] if arn else recipient_account)
    if account_id is None:
        return Caller(CallerKind.UNKNOWN, None, None, None)
    if recipient_account is not None and account_id != recipient_account:
        return Caller(CallerKind.OTHER_ACCOUNT, None, None, account_id)
    return Caller(kind, identity_id, arn, account_id)


def issuer_of(who: UserIdentity) -> Issuer | None:
    """Who gave a session its permissions; an empty `sessionIssuer`, as in sessions of GetSessionToken, is none."""
    issuer = who.session_context.session_issuer if who.session_context else None
    return issuer if issuer and issuer.principal_id else None


def _kind_and_identity(who: UserIdentity, issuer: Issuer) -> tuple[CallerKind, tuple[str | None, str | None]]:
    if who.type == "FederatedUser":
        return CallerKind.FEDERATED, _known(issuer.principal_id, issuer.arn, USER_ID_PREFIX)
    if who.type in _KIND_WITHOUT_ID:
        identity = _identity(who, issuer)
        return CallerKind.IAM_IDENTITY if identity[0] else _kind_without_id(who), identity
    return _KIND_OF_TYPE.get(who.type or "", CallerKind.UNKNOWN), _NO_IDENTITY


def _identity(who: UserIdentity, issuer: Issuer) -> tuple[str | None, str | None]:
    """Unique id and ARN: a user's own id, or a role's: its session's issuer, or before the session's name (`AROA…:x`).

    A caller of the type AWSAccount is another account's unless it says that it is of the own one.
    """
    principal_id = who.principal_id or ""
    if who.type == "AWSAccount" and not _account(who.account_id):
        return _NO_IDENTITY
    if who.type not in {"AssumedRole", "Role"} and principal_id.startswith(USER_ID_PREFIX):
        return _known(principal_id, who.arn, USER_ID_PREFIX)
    if who.type == "IAMUser":
        return _NO_IDENTITY
    by_issuer = _known(issuer.principal_id, issuer.arn, ROLE_ID_PREFIX)
    return by_issuer if by_issuer[0] else _known(principal_id.partition(":")[0], who.arn, ROLE_ID_PREFIX)


def _known(unique_id: str | None, arn: str | None, prefix: str) -> tuple[str | None, str | None]:
    """Unique id and ARN of an identity of this kind, each only where it is one."""
    if not unique_id or not unique_id.startswith(prefix) or not _UNIQUE_ID.fullmatch(unique_id):
        return None, None
    match = _IDENTITY_ARN.fullmatch(arn or "")
    kind = "user" if prefix == USER_ID_PREFIX else "role"
    return unique_id, arn if match and match.group(1) == kind else None


def _kind_without_id(who: UserIdentity) -> CallerKind:
    """Kind of a caller that shows no unique id: AWS's own roles (`aws:ec2-instance`) are nobody's to narrow."""
    of_aws = ":assumed-role/aws:" in (who.arn or "") or (who.type is None and who.invoked_by)
    return CallerKind.AWS_SERVICE if of_aws else _KIND_WITHOUT_ID[who.type]


def _account(value: str | None) -> str | None:
    """An account id; S3 writes ANONYMOUS_PRINCIPAL where there is none."""
    return value if value and ACCOUNT_ID.fullmatch(value) else None
