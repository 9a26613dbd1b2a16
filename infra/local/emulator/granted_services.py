"""Which services the policies of an identity allow: IAM's last accessed report lists each of them, used or not.

As on AWS only identity policies count, not boundaries, and a Deny takes nothing away.
"""

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from ministack.services import iam

from infra.local.emulator import identities

SERVICE_REFERENCE = Path("shared/iam/data/service-reference.json.gz")
_COMMON_SERVICES = frozenset(
    {
        "access-analyzer",
        "acm",
        "apigateway",
        "application-autoscaling",
        "athena",
        "autoscaling",
        "backup",
        "batch",
        "bedrock",
        "cloudformation",
        "cloudfront",
        "cloudtrail",
        "cloudwatch",
        "codebuild",
        "codecommit",
        "codedeploy",
        "codepipeline",
        "cognito-idp",
        "config",
        "dynamodb",
        "ec2",
        "ecr",
        "ecs",
        "eks",
        "elasticache",
        "elasticfilesystem",
        "elasticloadbalancing",
        "elasticmapreduce",
        "es",
        "events",
        "firehose",
        "glacier",
        "glue",
        "guardduty",
        "iam",
        "inspector2",
        "kafka",
        "kinesis",
        "kms",
        "lambda",
        "logs",
        "organizations",
        "rds",
        "redshift",
        "route53",
        "s3",
        "sagemaker",
        "secretsmanager",
        "securityhub",
        "ses",
        "sns",
        "sqs",
        "ssm",
        "states",
        "sts",
        "support",
        "tag",
        "wafv2",
        "xray",
    }
)


def entities_of(arn: str) -> list[str] | None:
    """The identities that a report on `arn` covers: itself, a group's members, or who has a policy attached.

    None when IAM has nothing under this ARN.
    """
    users, roles, groups = iam._users.values(), iam._roles.values(), iam._groups.values()
    if any(entity["Arn"] == arn for entity in (*users, *roles)):
        return [arn]
    for group in groups:
        if group["Arn"] == arn:
            return [iam._users[name]["Arn"] for name in group.get("Users", [])]
    if not iam._policy_exists(arn):
        return None
    attached = [entity["Arn"] for entity in (*users, *roles) if arn in (entity.get("AttachedPolicies") or [])]
    for group in groups:
        if arn in (group.get("AttachedPolicies") or []):
            attached += [iam._users[name]["Arn"] for name in group.get("Users", [])]
    return sorted(set(attached))


def granted_to(arn: str, seen: set[str]) -> set[str]:
    """The service namespaces that the policies behind `arn` allow; `seen` are those known from calls."""
    granted: set[str] = set()
    for document in _documents_of(arn):
        for statement in _statements(document):
            if statement.get("Effect") == "Allow":
                granted |= _services_of(statement, seen)
    return granted


def _services_of(statement: dict[str, Any], seen: set[str]) -> set[str]:
    if "NotAction" in statement:
        refused = {action.split(":")[0] for action in _texts(statement["NotAction"]) if action.endswith(":*")}
        return set(known_services() | seen) - refused
    actions = _texts(statement.get("Action"))
    if any(action.startswith("*") for action in actions):
        return set(known_services() | seen)
    return {action.split(":")[0].lower() for action in actions}


@functools.cache
def known_services() -> frozenset[str]:
    """Every service namespace there is: from the project's copy of the service reference, else the common ones."""
    if not SERVICE_REFERENCE.is_file():
        return _COMMON_SERVICES
    with gzip.open(SERVICE_REFERENCE, "rt", encoding="utf-8") as file:
        return frozenset(json.load(file)["services"])


def _documents_of(arn: str) -> list[str]:
    for user in iam._users.values():
        if user["Arn"] == arn:
            sources = [(user, iam._user_inline_policies.get(user["UserName"]))]
            sources += [_group_source(group) for group in identities.groups_of(user["UserName"])]
            return _documents(sources)
    for role in iam._roles.values():
        if role["Arn"] == arn:
            return _documents([(role, role.get("InlinePolicies"))])
    for group in iam._groups.values():
        if group["Arn"] == arn:
            return _documents([_group_source(group)])
    return [identities.default_document(arn) or "{}"]


def _group_source(group: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str] | None]:
    return group, iam._group_inline_policies.get(group["GroupName"])


def _documents(sources: list[tuple[dict[str, Any], dict[str, str] | None]]) -> list[str]:
    documents = []
    for entity, inline in sources:
        documents += list((inline or {}).values())
        documents += [identities.default_document(arn) or "{}" for arn in entity.get("AttachedPolicies") or []]
    return documents


def _statements(document: str) -> list[dict[str, Any]]:
    statements = json.loads(document).get("Statement") or []
    return statements if isinstance(statements, list) else [statements]


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
