"""Which commands the caller's permissions suffice for, by IAM's own simulation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cli.checkups.finding import Check, Finding, Where
from shared.model.account_setup import Permission

CHECK = Check(
    "permissions.commands",
    "The commands may do what they need",
    "A command runs with your own permissions; everything else is done by the stack, with its own.",
    "docs/cli.md",
)
ANYTHING = "*"


class Need(NamedTuple):
    """What a command does to one kind of resource, named as in `resources_of`."""

    command: str
    resource: str
    actions: tuple[str, ...]


READS = ("dynamodb:GetItem", "dynamodb:Query")
IAM_READS = (
    *("iam:GetUser", "iam:GetRole", "iam:GetGroup", "iam:GetPolicy", "iam:GetPolicyVersion"),
    *("iam:ListUserPolicies", "iam:GetUserPolicy", "iam:ListAttachedUserPolicies", "iam:ListGroupsForUser"),
    *("iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"),
    *("iam:ListGroupPolicies", "iam:GetGroupPolicy", "iam:ListAttachedGroupPolicies"),
)
INVOKE = ("lambda:InvokeFunction",)
DEPLOYING = (
    Need(
        "sam deploy",
        ANYTHING,
        (
            *(
                "cloudformation:CreateChangeSet",
                "cloudformation:ExecuteChangeSet",
                "iam:CreateRole",
                "iam:CreatePolicy",
            ),
            *("iam:PassRole", "lambda:CreateFunction", "dynamodb:CreateTable", "sqs:CreateQueue", "sns:CreateTopic"),
            *("events:PutRule", "ssm:PutParameter", "ssm:CreateDocument", "config:PutConfigRule", "s3:CreateBucket"),
        ),
    ),
)
OFFLINE = (
    Need("the file for analyze", ANYTHING, ("iam:GetAccountAuthorizationDetails",)),
    Need(
        "last accessed data for analyze",
        ANYTHING,
        ("iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"),
    ),
)
DEPLOYED = (
    *(
        Need(command, "ScoresTableName", READS)
        for command in ("status", "identities", "explain", "report", "audit trend")
    ),
    *(Need(command, "UsageTableName", READS) for command in ("explain", "report")),
    *(Need(command, "JournalTableName", READS) for command in ("plans", "plan show", "report")),
    *(Need(command, "AuditTableName", READS) for command in ("audit query", "audit verify", "report")),
    Need("audit query", "AuditTableName/index", ("dynamodb:Query",)),
    Need("audit verify", "AuditAnchorBucketName", ("s3:ListBucketVersions",)),
    Need("audit verify", "AuditAnchorBucketName/objects", ("s3:GetObjectVersion",)),
    Need("explain", ANYTHING, IAM_READS),
    Need("status", "AuditAnchorBucketName", ("s3:ListBucketVersions",)),
    Need("status", "NotificationsTableName", ("dynamodb:Query",)),
    Need("status", ANYTHING, ("cloudwatch:DescribeAlarms",)),
    Need("status", "UsageQueueUrl", ("sqs:GetQueueAttributes",)),
    Need("status", "ModeParameterName", ("ssm:GetParameter",)),
    Need("sweep", "SweepFunctionArn", INVOKE),
    *(
        Need(f"plan {what}", "RemediationRequestFunctionArn", INVOKE)
        for what in ("propose", "approve", "apply", "reject")
    ),
    *(Need(f"plan {what}", "RestoreRequestFunctionArn", INVOKE) for what in ("rollback", "restore")),
)


def resources_of(outputs: Mapping[str, str], where: Where) -> dict[str, str]:
    """ARNs of the stack's resources by the names that needs use; what the stack doesn't have is missing."""
    found = {ANYTHING: ANYTHING}
    for name, value in outputs.items():
        if name.endswith("FunctionArn"):
            found[name] = value
        elif name.endswith("TableName"):
            found[name] = where.arn("dynamodb", f"table/{value}")
            found[f"{name}/index"] = f"{found[name]}/index/by_account"
        elif name.endswith("QueueUrl"):
            found[name] = where.arn("sqs", value.rpartition("/")[2])
        elif name.endswith("ParameterName"):
            found[name] = where.arn("ssm", f"parameter/{value.lstrip('/')}")
        elif name.endswith("BucketName"):
            found[name] = f"arn:{where.partition}:s3:::{value}"
            found[f"{name}/objects"] = f"{found[name]}/anchors/{where.account_id}/000000000001.json"
    return found


def asked_of(needs: Iterable[Need], resources: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What to ask IAM: actions by resource, each once."""
    asked: dict[str, dict[str, None]] = {}
    for need in needs:
        if need.resource in resources:
            asked.setdefault(resources[need.resource], {}).update(dict.fromkeys(need.actions))
    return {resource: tuple(actions) for resource, actions in asked.items()}


def judge_permissions(
    needs: Sequence[Need], resources: Mapping[str, str], permissions: Iterable[Permission]
) -> Iterator[Finding]:
    """Say which commands lack which permissions; what depends on a request's conditions is not held against them."""
    answers = {(one.action.lower(), one.resource): one.is_allowed for one in permissions}
    lacking: dict[str, list[str]] = {}
    open_ones: set[str] = set()
    commands = {need.command: None for need in needs if need.resource in resources}
    for need in needs:
        for action in need.actions if need.resource in resources else ():
            allowed = answers.get((action.lower(), resources[need.resource]))
            if allowed is None:
                open_ones.add(need.command)
            elif not allowed:
                lacking.setdefault(need.command, []).append(action)
    if lacking:
        told = "; ".join(f"{command} lacks {', '.join(dict.fromkeys(actions))}" for command, actions in lacking.items())
        resource_names = sorted({resources[need.resource] for need in needs if need.command in lacking} - {ANYTHING})
        on = f" They are needed on: {', '.join(resource_names)}." if resource_names else ""
        yield CHECK.warn(told, f"Where you need these commands, have the permissions added to yours.{on}")
    elif open_ones:
        yield CHECK.unknown(
            f"depends on a request's conditions: {', '.join(sorted(open_ones))}", "Try the command: it only reads."
        )
    else:
        yield CHECK.ok(", ".join(commands))
