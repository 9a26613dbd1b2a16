"""Made-up cases of every kind of policy, small enough that requests meet statements often."""

from collections.abc import Sequence
from random import Random
from typing import Any

HOME, OTHER = "111122223333", "444455556666"
CALLERS = (
    f"arn:aws:iam::{HOME}:user/alice",
    f"arn:aws:iam::{HOME}:role/app",
    f"arn:aws:iam::{HOME}:role/team/app",
    f"arn:aws:sts::{HOME}:assumed-role/app/one",
    f"arn:aws:sts::{HOME}:assumed-role/app/two",
    f"arn:aws:sts::{HOME}:assumed-role/AWSServiceRoleForApp/app",
    f"arn:aws:iam::{HOME}:role/aws-service-role/app.amazonaws.com/AWSServiceRoleForApp",
    f"arn:aws:sts::{HOME}:federated-user/alice",
    f"arn:aws:iam::{HOME}:root",
    f"arn:aws:iam::{OTHER}:user/alice",
    "*",
    "app.amazonaws.com",
    "accounts.google.com",
    f"arn:aws:iam::{HOME}:saml-provider/corp",
)
LISTED = (
    *((("AWS", caller)) for caller in CALLERS[:10]),
    *((("AWS", value)) for value in ("*", HOME, OTHER, "AIDAEXAMPLE00000001", f"arn:aws:iam::{HOME}:user/*")),
    ("Service", "app.amazonaws.com"),
    ("Service", "other.amazonaws.com"),
    ("Federated", "accounts.google.com"),
    ("Federated", f"arn:aws:iam::{HOME}:saml-provider/corp"),
)
ACTIONS = ("s3:GetObject", "s3:PutObject", "sts:AssumeRole", "kms:Decrypt", "kms:RetireGrant", "new:Thing")
ACTION_PATTERNS = (
    "*",
    "s3:*",
    "S3:get*",
    "s3:PutObject",
    "sts:*",
    "sts:AssumeRole",
    "kms:*",
    "kms:Decrypt",
    "new:?hing",
)
RESOURCES = (
    "arn:aws:s3:::bucket/a",
    "arn:aws:s3:::bucket/b",
    f"arn:aws:sqs:eu-west-1:{OTHER}:queue",
    f"arn:aws:iam::{HOME}:role/target",
    f"arn:aws:iam::{HOME}:role/aws-service-role/app.amazonaws.com/AWSServiceRoleForApp",
    f"arn:aws:kms:eu-west-1:{HOME}:key/1",
    f"arn:aws:kms:eu-west-1:{HOME}:alias/1",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "*",
)
RESOURCE_PATTERNS = (
    "*",
    "arn:aws:s3:::bucket/*",
    "arn:aws:s3:::bucket/a",
    f"arn:aws:iam::{HOME}:role/*",
    f"arn:aws:kms:eu-west-1:{HOME}:key/?",
)
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"StringEquals": {"aws:PrincipalAccount": HOME}},
    {"StringEquals": {"app:Tag": ["x", "y"]}},
    {"StringNotEquals": {"App:tag": "x"}},
    {"Null": {"app:tag": "true"}},
    {"StringEquals": {"aws:ResourceAccount": OTHER}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{HOME}:role/*"}},
    {"StringLike": {"aws:username": "al*"}, "StringEquals": {"app:Tag": "x"}},
)
WITH_PRINCIPALS = ("resource_policy", "resource_control_policies", "endpoint_policies")
LISTS = ("identity_policies", "permissions_boundaries", "session_policies", "endpoint_policies")
LEVELS = ("service_control_policies", "resource_control_policies")


def made_request(chance: Random) -> dict[str, Any]:
    """One request, with or without context and the resource's account."""
    request: dict[str, Any] = {
        "principal": chance.choice(CALLERS),
        "action": chance.choice(ACTIONS),
        "resource": chance.choice(RESOURCES),
        "context": chance.choice(({}, {"app:Tag": "x"}, {"APP:tag": ["y", "z"]})),
    }
    account = chance.choice((None, None, HOME, OTHER))
    return request | ({} if account is None else {"resource_account": account})


def made_policies(chance: Random) -> dict[str, Any]:
    """Any kinds of policies together."""
    case: dict[str, Any] = {}
    for field in LISTS:
        if chance.random() < (0.8 if field == "identity_policies" else 0.3):
            case[field] = _some_documents(chance, field)
    for field in LEVELS:
        if chance.random() < 0.3:
            case[field] = [_some_documents(chance, field) for _ in range(chance.randint(0, 2))]
    if chance.random() < 0.6:
        case["resource_policy"] = made_document(chance, "resource_policy")
    return case


def _some_documents(chance: Random, field: str) -> list[dict[str, Any]]:
    return [made_document(chance, field) for _ in range(chance.randint(0, 2))]


def made_document(chance: Random, field: str) -> dict[str, Any]:
    """One document of the kind that a field of a case holds."""
    named = field in WITH_PRINCIPALS
    return {
        "Version": "2012-10-17",
        "Statement": [made_statement(chance, named=named) for _ in range(chance.randint(1, 3))],
    }


def made_statement(chance: Random, *, named: bool) -> dict[str, Any]:
    """One statement; those of policies that name principals may lack a Resource."""
    statement: dict[str, Any] = {"Effect": chance.choice(("Allow", "Allow", "Allow", "Allow", "Deny"))}
    statement[chance.choice(("Action", "Action", "Action", "Action", "NotAction"))] = _some(chance, ACTION_PATTERNS)
    element = chance.choice(
        ("Resource", "Resource", None, "NotResource") if named else ("Resource", "Resource", "NotResource")
    )
    if element is not None:
        statement[element] = _some(chance, RESOURCE_PATTERNS)
    if named:
        statement[chance.choice(("Principal", "Principal", "NotPrincipal"))] = _principals(chance)
    if chance.random() < 0.4:
        statement["Condition"] = chance.choice(CONDITIONS)
    return statement


def _principals(chance: Random) -> dict[str, list[str]] | str:
    if chance.random() < 0.3:
        return "*"
    listed: dict[str, list[str]] = {}
    for kind, value in _some(chance, LISTED):
        listed.setdefault(kind, []).append(value)
    return listed


def _some(chance: Random, values: Sequence[Any]) -> list[Any]:
    """One or two of them, most often the first."""
    return [values[0]] if chance.random() < 0.4 else chance.sample(values, chance.randint(1, 2))
