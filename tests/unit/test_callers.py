"""Who made a call, for every shape of `userIdentity` that AWS documents or that real records show."""

from typing import Any

import pytest

from services.scorer.trail.record import UserIdentity
from services.scorer.usage.caller import Caller, CallerKind, resolve_caller
from services.scorer.usage.evidence import SkipReason
from services.scorer.usage.fold import fold
from shared.reference import load_operations
from tests.unit.cloudtrail_records import ACCOUNT, ISSUER, ROLE_SESSION, USER, record

OTHER_ACCOUNT = "444455556666"
USER_ID, ROLE_ID = "AIDAEXAMPLEUSER00001", "AROAEXAMPLEROLE00001"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ci/deployer"
USER_CALLER = Caller(CallerKind.IAM_IDENTITY, USER_ID, USER["arn"], ACCOUNT)
ROLE_CALLER = Caller(CallerKind.IAM_IDENTITY, ROLE_ID, ROLE_ARN, ACCOUNT)
NAMELESS_ROLE = ROLE_CALLER._replace(arn=None)
FOREIGNER = Caller(CallerKind.OTHER_ACCOUNT, None, None, OTHER_ACCOUNT)


def caller(identity: dict[str, Any]) -> Caller:
    parsed = record(userIdentity=identity)
    return resolve_caller(parsed.user_identity, parsed.recipient_account_id)


def issued(**issuer: Any) -> dict[str, Any]:
    """A role's session with another issuer."""
    return {**ROLE_SESSION, "sessionContext": {"sessionIssuer": {**ISSUER, **issuer}}}


def of_kind(kind: CallerKind, account_id: str | None = None) -> Caller:
    return Caller(kind, None, None, account_id)


SERVICE_LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
RESERVED = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"
INSTANCE = {
    "type": "AssumedRole",
    "principalId": f"{ACCOUNT}:aws:ec2-instance:i-02854e4f00000000",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-instance/i-02854e4f00000000",
    "accountId": ACCOUNT,
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": f"{ACCOUNT}:aws:ec2-instance",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/aws:ec2-instance",
            "accountId": ACCOUNT,
            "userName": "aws:ec2-instance",
        },
        "ec2RoleDelivery": "2.0",
    },
}
FEDERATED = {
    "type": "FederatedUser",
    "principalId": f"{ACCOUNT}:guest",
    "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
    "accountId": ACCOUNT,
    "sessionContext": {"sessionIssuer": {**USER, "type": "IAMUser"}},
}
ROOT = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}

SHAPES: dict[str, tuple[dict[str, Any], Caller]] = {
    "user": (USER, USER_CALLER),
    "user without ARN": ({k: v for k, v in USER.items() if k != "arn"}, USER_CALLER._replace(arn=None)),
    "user with a session of GetSessionToken": (
        {**USER, "sessionContext": {"sessionIssuer": {}, "attributes": {"mfaAuthenticated": "true"}}},
        USER_CALLER,
    ),
    "user through a service": ({**USER, "invokedBy": "cloudformation.amazonaws.com"}, USER_CALLER),
    "user without account": ({k: v for k, v in USER.items() if k != "accountId"}, USER_CALLER),
    "user with a role's id": ({"type": "IAMUser", "principalId": ROLE_ID}, of_kind(CallerKind.UNKNOWN)),
    "user of another account": ({**USER, "accountId": OTHER_ACCOUNT}, FOREIGNER),
    "role": (ROLE_SESSION, ROLE_CALLER),
    "role with an empty issuer": ({**ROLE_SESSION, "sessionContext": {}}, NAMELESS_ROLE),
    "role by principal id only": ({"type": "AssumedRole", "principalId": f"{ROLE_ID}:x"}, NAMELESS_ROLE),
    "role through a service (forward access)": ({**ROLE_SESSION, "invokedBy": "athena.amazonaws.com"}, ROLE_CALLER),
    "role chained from another role": ({**ROLE_SESSION, "principalId": f"{ROLE_ID}:chained"}, ROLE_CALLER),
    "role of an instance": ({**ROLE_SESSION, "principalId": f"{ROLE_ID}:i-0123456789abcdef0"}, ROLE_CALLER),
    "role on behalf of an Identity Center user": (
        {**ROLE_SESSION, "onBehalfOf": {"userId": "u", "identityStoreArn": "arn:aws:identitystore::1:identitystore/d"}},
        ROLE_CALLER,
    ),
    "role of another account": ({**ROLE_SESSION, "accountId": OTHER_ACCOUNT}, FOREIGNER),
    "role whose id can't be one": (
        {"type": "AssumedRole", "principalId": "not-an-id", "accountId": ACCOUNT},
        of_kind(CallerKind.UNKNOWN, ACCOUNT),
    ),
    "role by name only": (
        {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/x", "accountId": ACCOUNT},
        of_kind(CallerKind.UNKNOWN, ACCOUNT),
    ),
    "role as such": ({"type": "Role", "principalId": ROLE_ID, "arn": ROLE_ARN, "accountId": ACCOUNT}, ROLE_CALLER),
    "service-linked role": (
        {**issued(arn=SERVICE_LINKED), "invokedBy": "rds.amazonaws.com"},
        ROLE_CALLER._replace(arn=SERVICE_LINKED),
    ),
    "Identity Center's own role": (issued(arn=RESERVED), ROLE_CALLER._replace(arn=RESERVED)),
    "role created anew under the old name": (
        issued(principalId="AROAEXAMPLEROLE00002"),
        ROLE_CALLER._replace(identity_id="AROAEXAMPLEROLE00002"),
    ),
    "role whose issuer's ARN is none": (issued(arn="deployer"), NAMELESS_ROLE),
    "AWS's own role of an instance": (INSTANCE, of_kind(CallerKind.AWS_SERVICE, ACCOUNT)),
    "federated by a user": (FEDERATED, USER_CALLER._replace(kind=CallerKind.FEDERATED)),
    "federated by root": (
        {**FEDERATED, "sessionContext": {"sessionIssuer": ROOT}},
        of_kind(CallerKind.FEDERATED, ACCOUNT),
    ),
    "federated by nobody": (
        {"type": "FederatedUser", "accountId": ACCOUNT, "principalId": f"{ACCOUNT}:guest"},
        of_kind(CallerKind.FEDERATED, ACCOUNT),
    ),
    "federated in another account": ({**FEDERATED, "accountId": OTHER_ACCOUNT}, FOREIGNER),
    "root": (ROOT, of_kind(CallerKind.ROOT, ACCOUNT)),
    "root by AssumeRoot": (
        {**ROOT, "sessionContext": {"assumedRoot": "true", "attributes": {}}},
        of_kind(CallerKind.ROOT, ACCOUNT),
    ),
    "service": ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, of_kind(CallerKind.AWS_SERVICE)),
    "service without type": (
        {"accountId": ACCOUNT, "invokedBy": "rds.amazonaws.com"},
        of_kind(CallerKind.AWS_SERVICE, ACCOUNT),
    ),
    "other account's role": (
        {"type": "AWSAccount", "principalId": f"{ROLE_ID}:x", "accountId": OTHER_ACCOUNT},
        FOREIGNER,
    ),
    "other account without account": (
        {"type": "AWSAccount", "principalId": f"{ROLE_ID}:x"},
        of_kind(CallerKind.OTHER_ACCOUNT),
    ),
    "own account's user told as an account": (
        {"type": "AWSAccount", "principalId": USER_ID, "accountId": ACCOUNT},
        USER_CALLER._replace(arn=None),
    ),
    "anybody": (
        {"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"},
        of_kind(CallerKind.OTHER_ACCOUNT),
    ),
    "SAML": ({"type": "SAMLUser", "principalId": "x:ana", "userName": "ana"}, of_kind(CallerKind.FEDERATED)),
    "web identity": ({"type": "WebIdentityUser", "principalId": "x:aud:sub"}, of_kind(CallerKind.FEDERATED)),
    "directory": ({"type": "Directory", "accountId": ACCOUNT}, of_kind(CallerKind.FEDERATED, ACCOUNT)),
    "Identity Center user": (
        {"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": "u"}},
        of_kind(CallerKind.IDENTITY_CENTER, ACCOUNT),
    ),
    "unknown": ({"type": "Unknown", "principalId": "Anonymous"}, of_kind(CallerKind.UNKNOWN)),
    "no type, nobody": ({"accountId": ACCOUNT}, of_kind(CallerKind.UNKNOWN, ACCOUNT)),
    "no type, a user's id": ({k: v for k, v in USER.items() if k != "type"}, USER_CALLER),
    "type of the future": ({"type": "SomethingNew", "accountId": ACCOUNT}, of_kind(CallerKind.UNKNOWN, ACCOUNT)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_of_user_identity_resolves(shape: str) -> None:
    identity, expected = SHAPES[shape]
    assert caller(identity) == expected


def test_without_a_recipient_the_callers_own_account_counts() -> None:
    who = UserIdentity(type="IAMUser", principal_id=USER_ID, arn=USER["arn"])
    assert resolve_caller(who, None) == USER_CALLER
    assert resolve_caller(UserIdentity(type="IAMUser", principal_id=USER_ID), None) == of_kind(CallerKind.UNKNOWN)
    assert resolve_caller(None, ACCOUNT) == of_kind(CallerKind.UNKNOWN)


REASONS: tuple[tuple[str, SkipReason], ...] = (
    ("root", SkipReason.ROOT),
    ("service", SkipReason.AWS_SERVICE),
    ("user of another account", SkipReason.OTHER_ACCOUNT),
    ("SAML", SkipReason.FEDERATED),
    ("federated by root", SkipReason.FEDERATED),
    ("Identity Center user", SkipReason.IDENTITY_CENTER),
    ("unknown", SkipReason.UNKNOWN_CALLER),
)


def test_callers_without_a_ledger_are_counted_and_add_no_usage() -> None:
    result = fold([record(userIdentity=SHAPES[shape][0]) for shape, _ in REASONS], load_operations(), feed="test")
    assert result.usages == {}
    assert result.skipped == {
        reason: sum(1 for _, other in REASONS if other is reason) for reason in {reason for _, reason in REASONS}
    }
    assert sum(result.callers.values()) == result.records == len(REASONS)
