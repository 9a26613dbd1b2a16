"""What each of the remediator's roles may do: requests and what IAM must answer, as data.

A row holds an action, a resource, what else is known of the request, and an answer for each of `COLUMNS`: `+` allowed,
`.` not allowed by anything, `x` refused by a Deny. In the last two columns somebody attached AdministratorAccess to the
role: what its permissions boundary still holds back.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tests.unit.rendered_roles import ACCOUNT, REGION, STACK


class Column(NamedTuple):
    """Roles that must answer alike, under a strategy; with `overreach`, while they hold AdministratorAccess as well."""

    roles: tuple[str, ...]
    strategy: str
    overreach: bool = False


TAKES = ("RemediateRole", "RemediationRequestRole")
GIVES = ("RestoreRole", "RestoreRequestRole")
RECONCILES = ("ReconcileRole",)
COLUMNS = (
    Column(TAKES, "boundary"),
    Column(TAKES, "replace"),
    Column(GIVES, "boundary"),
    Column(GIVES, "replace"),
    Column(RECONCILES, "replace"),
    Column(TAKES, "replace", overreach=True),
    Column(GIVES, "replace", overreach=True),
)

IAM = f"arn:aws:iam::{ACCOUNT}:"
USER, ROLE, GROUP = f"{IAM}user/team/ann", f"{IAM}role/app", f"{IAM}group/devs"
OWN, THEIRS = f"{IAM}policy/leastwise/0123456789abcdef", f"{IAM}policy/team/deploy"
ADMIN, GUARD = "arn:aws:iam::aws:policy/AdministratorAccess", f"{IAM}policy/deny-without-mfa"
ALIKE = f"{IAM}policy/leastwise-like"
LOOKS_OWN_ABROAD = "arn:aws:iam::444455556666:policy/leastwise/0123456789abcdef"
BREAK_GLASS_USER, BREAK_GLASS_ROLE = f"{IAM}user/breakglass/eve", f"{IAM}role/breakglass/admin"
OURS, OUR_USER = f"{IAM}role/leastwise/remediate", f"{IAM}user/leastwise/bot"
SSO, LINKED = (
    f"{IAM}role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x",
    f"{IAM}role/aws-service-role/x/AWSServiceRoleForX",
)
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
SSM = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/"
EVENTS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/"
SQS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
DATA_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/DataKey"

POLICY, LIMIT, EXEMPT = "iam:PolicyARN", "iam:PermissionsBoundary", "iam:ResourceTag/leastwise:exempt"
TAGGED = {"aws:RequestTag/leastwise:plan": "0123", "aws:TagKeys": ["leastwise:plan"]}
NOTHING: dict[str, object] = {}


def via(service: str) -> dict[str, object]:
    return {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}


def variables_of(function: str) -> dict[str, object]:
    return {"kms:EncryptionContext:aws:lambda:FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"}


Row = tuple[str, str, Mapping[str, object], str]

# ---- policies: only of leastwise's own

POLICIES: tuple[Row, ...] = (
    ("iam:CreatePolicy", OWN, TAGGED, "++ ++ . ++"),
    ("iam:CreatePolicy", OWN, NOTHING, ".. .. . ++"),
    ("iam:CreatePolicy", OWN, TAGGED | {"aws:TagKeys": ["leastwise:plan", "team"]}, ".. .. . ++"),
    ("iam:CreatePolicy", THEIRS, TAGGED, "xx xx x xx"),
    ("iam:CreatePolicy", ALIKE, TAGGED, "xx xx x xx"),
    ("iam:TagPolicy", OWN, TAGGED, "++ ++ . ++"),
    ("iam:TagPolicy", THEIRS, TAGGED, "xx xx x xx"),
    ("iam:DeletePolicy", OWN, NOTHING, "++ ++ + ++"),
    ("iam:DeletePolicy", THEIRS, NOTHING, "xx xx x xx"),
    ("iam:DeletePolicy", LOOKS_OWN_ABROAD, NOTHING, "xx xx x xx"),
    ("iam:DeletePolicyVersion", OWN, NOTHING, "++ ++ + ++"),
    ("iam:DeletePolicyVersion", THEIRS, NOTHING, "xx xx x xx"),
    ("iam:CreatePolicyVersion", THEIRS, NOTHING, "xx xx x xx"),
    ("iam:CreatePolicyVersion", OWN, NOTHING, ".. .. . .."),
    ("iam:SetDefaultPolicyVersion", THEIRS, NOTHING, "xx xx x xx"),
    ("iam:SetDefaultPolicyVersion", OWN, NOTHING, ".. .. . .."),
    ("iam:UntagPolicy", OWN, NOTHING, ".. .. . .."),
)

# ---- boundaries: only of leastwise's own

BOUNDARIES: tuple[Row, ...] = (
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN}, "++ ++ . ++"),
    ("iam:PutRolePermissionsBoundary", ROLE, {LIMIT: OWN}, "++ ++ . ++"),
    ("iam:DeleteUserPermissionsBoundary", USER, {LIMIT: OWN}, "++ ++ . ++"),
    ("iam:DeleteRolePermissionsBoundary", ROLE, {LIMIT: OWN}, "++ ++ . ++"),
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: THEIRS}, "xx xx x xx"),
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: ADMIN}, "xx xx x xx"),
    ("iam:PutRolePermissionsBoundary", ROLE, {LIMIT: LOOKS_OWN_ABROAD}, "xx xx x xx"),
    ("iam:DeleteUserPermissionsBoundary", USER, {LIMIT: THEIRS}, "xx xx x xx"),
    ("iam:DeleteRolePermissionsBoundary", ROLE, {LIMIT: THEIRS}, "xx xx x xx"),
    ("iam:DeleteRolePermissionsBoundary", ROLE, NOTHING, "xx xx x xx"),
)

# ---- policies and groups of others: one duty takes off, the other gives back, only where the strategy replaces

REPLACING: tuple[Row, ...] = (
    ("iam:AttachUserPolicy", USER, {POLICY: OWN}, ".+ .+ . ++"),
    ("iam:AttachRolePolicy", ROLE, {POLICY: OWN}, ".+ .+ . ++"),
    ("iam:AttachUserPolicy", USER, {POLICY: THEIRS}, "xx .+ . x+"),
    ("iam:AttachRolePolicy", ROLE, {POLICY: THEIRS}, "xx .+ . x+"),
    ("iam:AttachUserPolicy", USER, {POLICY: ADMIN}, "xx .+ . x+"),
    ("iam:AttachRolePolicy", ROLE, {POLICY: ADMIN}, "xx .+ . x+"),
    ("iam:AttachUserPolicy", USER, {POLICY: ALIKE}, "xx .+ . x+"),
    ("iam:AttachUserPolicy", USER, {POLICY: LOOKS_OWN_ABROAD}, "xx .+ . x+"),
    ("iam:AttachUserPolicy", USER, NOTHING, "xx .+ . x+"),
    ("iam:DetachUserPolicy", USER, {POLICY: OWN}, ".+ .+ . ++"),
    ("iam:DetachRolePolicy", ROLE, {POLICY: OWN}, ".+ .+ . ++"),
    ("iam:DetachUserPolicy", USER, {POLICY: THEIRS}, ".+ xx . +x"),
    ("iam:DetachRolePolicy", ROLE, {POLICY: ADMIN}, ".+ xx . +x"),
    ("iam:DetachUserPolicy", USER, {POLICY: GUARD}, "xx xx . xx"),
    ("iam:DetachRolePolicy", ROLE, {POLICY: GUARD}, "xx xx . xx"),
    ("iam:DeleteUserPolicy", USER, NOTHING, ".+ xx . +x"),
    ("iam:DeleteRolePolicy", ROLE, NOTHING, ".+ xx . +x"),
    ("iam:PutUserPolicy", USER, NOTHING, "xx .+ . x+"),
    ("iam:PutRolePolicy", ROLE, NOTHING, "xx .+ . x+"),
    ("iam:AddUserToGroup", GROUP, NOTHING, "xx .+ . x+"),
    ("iam:RemoveUserFromGroup", GROUP, NOTHING, ".+ xx . +x"),
)

# ---- who is never touched

PROTECTED: tuple[Row, ...] = (
    *(
        (action, resource, context, "xx xx x xx")
        for kind, resources in (
            ("User", (BREAK_GLASS_USER, OUR_USER)),
            ("Role", (BREAK_GLASS_ROLE, OURS, SSO, LINKED)),
        )
        for resource in resources
        for action, context in (
            (f"iam:Put{kind}PermissionsBoundary", {LIMIT: OWN}),
            (f"iam:Delete{kind}PermissionsBoundary", {LIMIT: OWN}),
            (f"iam:Attach{kind}Policy", {POLICY: OWN}),
            (f"iam:Detach{kind}Policy", {POLICY: OWN}),
            (f"iam:Put{kind}Policy", NOTHING),
            (f"iam:Delete{kind}Policy", NOTHING),
        )
    ),
    ("iam:AddUserToGroup", f"{IAM}group/breakglass/admins", NOTHING, "xx xx x xx"),
    ("iam:RemoveUserFromGroup", f"{IAM}group/breakglass/admins", NOTHING, "xx xx x xx"),
)

# ---- who asked to be left alone: nothing is taken from them, and what was taken may be given back

EXEMPTED: tuple[Row, ...] = (
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN, EXEMPT: "true"}, "xx ++ . x+"),
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN, EXEMPT: "ture"}, "xx ++ . x+"),
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN, EXEMPT: " "}, "xx ++ . x+"),
    (
        "iam:PutUserPermissionsBoundary",
        USER,
        {LIMIT: OWN, EXEMPT: ""},
        "++ ++ . ++",
    ),  # no value to IAM: the code exempts
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN, EXEMPT: "FALSE"}, "++ ++ . ++"),
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN, EXEMPT: "2026-12-31"}, "++ ++ . ++"),
    ("iam:PutUserPermissionsBoundary", USER, {LIMIT: OWN, EXEMPT: "1999-12-31"}, "xx ++ . x+"),
    ("iam:PutRolePermissionsBoundary", ROLE, {LIMIT: OWN, EXEMPT: "2026-12-31 or so"}, "xx ++ . x+"),
    ("iam:DeleteRolePermissionsBoundary", ROLE, {LIMIT: OWN, EXEMPT: "true"}, "xx ++ . x+"),
    ("iam:AttachUserPolicy", USER, {POLICY: OWN, EXEMPT: "yes"}, "xx .+ . x+"),
    ("iam:AttachRolePolicy", ROLE, {POLICY: OWN, EXEMPT: "yes"}, "xx .+ . x+"),
    ("iam:DetachUserPolicy", USER, {POLICY: OWN, EXEMPT: "yes"}, "xx .+ . x+"),
    ("iam:DetachUserPolicy", USER, {POLICY: THEIRS, EXEMPT: "yes"}, "xx xx . xx"),
    ("iam:DetachUserPolicy", USER, {POLICY: THEIRS, EXEMPT: "2027-01-31"}, ".+ xx . +x"),
    ("iam:DeleteUserPolicy", USER, {EXEMPT: "yes"}, "xx xx . xx"),
    ("iam:DeleteRolePolicy", ROLE, {EXEMPT: "yes"}, "xx xx . xx"),
    ("iam:PutUserPolicy", USER, {EXEMPT: "yes"}, "xx .+ . x+"),
)

# ---- known ways to escalate, and what else nobody ever needs here

NEVER: tuple[Row, ...] = (
    ("iam:AttachGroupPolicy", GROUP, {POLICY: OWN}, "xx xx x xx"),
    ("iam:PutGroupPolicy", GROUP, NOTHING, "xx xx x xx"),
    ("iam:CreateAccessKey", USER, NOTHING, "xx xx x xx"),
    ("iam:CreateLoginProfile", USER, NOTHING, "xx xx x xx"),
    ("iam:UpdateLoginProfile", USER, NOTHING, "xx xx x xx"),
    ("iam:CreateRole", ROLE, NOTHING, "xx xx x xx"),
    ("iam:CreateUser", USER, NOTHING, "xx xx x xx"),
    ("iam:PassRole", ROLE, NOTHING, "xx xx x xx"),
    ("iam:UpdateAssumeRolePolicy", ROLE, NOTHING, "xx xx x xx"),
    ("sts:AssumeRole", ROLE, NOTHING, "xx xx x xx"),
    ("iam:DeleteUser", USER, NOTHING, ".. .. . .."),
    ("iam:DeleteRole", ROLE, NOTHING, ".. .. . .."),
    ("iam:DeleteGroup", GROUP, NOTHING, ".. .. . .."),
    ("iam:DetachGroupPolicy", GROUP, {POLICY: THEIRS}, ".. .. . .."),
    ("iam:DeleteGroupPolicy", GROUP, NOTHING, ".. .. . .."),
    ("iam:UpdateAccessKey", USER, NOTHING, ".. .. . .."),
    ("iam:TagUser", USER, NOTHING, ".. .. . .."),
    ("iam:UntagRole", ROLE, NOTHING, ".. .. . .."),
    ("iam:UpdateUser", USER, NOTHING, ".. .. . .."),
    ("iam:CreateServiceLinkedRole", LINKED, NOTHING, ".. .. . .."),
    ("iam:DeactivateMFADevice", USER, NOTHING, ".. .. . .."),
    (
        "lambda:UpdateFunctionCode",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:leastwise-remediate",
        NOTHING,
        ".. .. . ..",
    ),
    ("s3:GetObject", "arn:aws:s3:::bucket/key", NOTHING, ".. .. . .."),
    ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1", NOTHING, ".. .. . .."),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:x", NOTHING, ".. .. . .."),
)

# ---- what is read, kept and told

OTHERS: tuple[Row, ...] = (
    ("iam:GetAccountAuthorizationDetails", "*", NOTHING, "++ ++ + ++"),
    ("iam:GetUser", USER, NOTHING, "++ ++ + ++"),
    ("iam:ListAttachedRolePolicies", ROLE, NOTHING, "++ ++ + ++"),
    ("iam:GetPolicyVersion", ADMIN, NOTHING, "++ ++ + ++"),
    ("iam:GetAccountSummary", "*", NOTHING, "++ ++ + ++"),
    ("iam:GenerateServiceLastAccessedDetails", USER, NOTHING, "++ ++ + ++"),
    ("iam:GetServiceLastAccessedDetails", "*", NOTHING, "++ ++ + ++"),
    ("iam:ListPolicies", "*", NOTHING, ".. .. + ++"),
    ("iam:ListPolicyVersions", OWN, NOTHING, "++ ++ + ++"),
    ("iam:ListPolicyVersions", THEIRS, NOTHING, ".. .. . ++"),
    ("dynamodb:PutItem", f"{TABLE}JournalTable", NOTHING, "++ ++ + ++"),
    ("dynamodb:Query", f"{TABLE}JournalTable/index/by_status", NOTHING, "++ ++ + ++"),
    ("dynamodb:UpdateItem", f"{TABLE}JournalTable", NOTHING, ".. .. . .."),
    ("dynamodb:DeleteItem", f"{TABLE}JournalTable", NOTHING, ".. .. . .."),
    ("dynamodb:DeleteTable", f"{TABLE}JournalTable", NOTHING, ".. .. . .."),
    ("dynamodb:GetItem", f"{TABLE}ScoresTable", NOTHING, "++ ++ + ++"),
    ("dynamodb:PutItem", f"{TABLE}ScoresTable", NOTHING, ".. .. . ++"),
    ("dynamodb:Query", f"{TABLE}UsageTable", NOTHING, "++ ++ + ++"),
    ("dynamodb:PutItem", f"{TABLE}UsageTable", NOTHING, ".. .. . ++"),
    ("dynamodb:GetItem", f"{TABLE}AuditTable", NOTHING, ".. .. . ++"),
    ("ssm:GetParameter", f"{SSM}leastwise/mode", NOTHING, "++ ++ + ++"),
    ("ssm:GetParameter", f"{SSM}leastwise/safeguards", NOTHING, "++ ++ + ++"),
    ("ssm:GetParameter", f"{SSM}other/secret", NOTHING, ".. .. . ++"),
    ("ssm:PutParameter", f"{SSM}leastwise/mode", NOTHING, ".. .. . .."),
    ("ssm:PutParameter", f"{SSM}leastwise/safeguards", NOTHING, ".. .. . .."),
    ("events:PutEvents", f"{EVENTS}{STACK}", {"events:source": "leastwise.remediator"}, "++ ++ + ++"),
    ("events:PutEvents", f"{EVENTS}{STACK}", {"events:source": "leastwise.evaluator"}, ".. .. . ++"),
    ("events:PutEvents", f"{EVENTS}default", {"events:source": "leastwise.remediator"}, ".. .. . ++"),
    ("sqs:SendMessage", f"{SQS}RemediationQueue", NOTHING, ".. .. . ++"),
    ("sqs:SendMessage", f"{SQS}RestoreQueue", NOTHING, ".. .. . ++"),
    ("sqs:SendMessage", f"{SQS}ReconcileDeadLetterQueue", NOTHING, ".. .. + ++"),
    ("access-analyzer:ValidatePolicy", "*", NOTHING, "++ ++ + ++"),
    ("access-analyzer:CheckNoNewAccess", "*", NOTHING, "++ ++ + ++"),
    ("xray:PutTraceSegments", "*", NOTHING, "++ ++ + ++"),
    ("kms:GenerateDataKey", DATA_KEY, via("dynamodb"), "++ ++ + ++"),
    ("kms:Decrypt", DATA_KEY, via("sns"), "++ ++ + ++"),
    ("kms:Decrypt", DATA_KEY, via("s3"), ".. .. . ++"),
    ("kms:Decrypt", DATA_KEY, NOTHING, ".. .. . ++"),
    ("kms:Decrypt", DATA_KEY, variables_of(f"{STACK}-remediate"), "++ ++ + ++"),
    ("kms:Decrypt", DATA_KEY, variables_of("payroll"), ".. .. . ++"),
    ("kms:ScheduleKeyDeletion", DATA_KEY, NOTHING, ".. .. . .."),
)

ROWS = POLICIES + BOUNDARIES + REPLACING + PROTECTED + EXEMPTED + NEVER + OTHERS
