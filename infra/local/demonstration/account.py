"""The account of the demonstration: 14 identities with real AWS managed policies, and whose real activity is whose.

The records are of one hour in a real account (infra/local/records/invictus/SOURCE.md), where two people did nearly
everything. Here each service that they used belongs to the identity whose job it could be.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.model.identity import IdentityRef, IdentityType

AWS = "arn:aws:iam::aws:policy/"
BUILDER, VISITOR = "bert-jan", "benjamin"  # the two people of the records


@dataclass(frozen=True, slots=True)
class Seeded:
    """One identity: what it holds, and which calls of the records are its own (service -> person who made them)."""

    name: str
    type: IdentityType
    job: str
    managed: tuple[str, ...] = ()
    inline: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    activity: tuple[tuple[str, str], ...] = ()


def _by(person: str, *services: str) -> tuple[tuple[str, str], ...]:
    return tuple((person, service) for service in services)


GROUPS: Mapping[str, tuple[str, ...]] = {"platform": (f"{AWS}PowerUserAccess",)}

IDENTITIES: tuple[Seeded, ...] = (
    Seeded(
        "nadia",
        IdentityType.USER,
        "network engineer, in a group with PowerUserAccess",
        groups=("platform",),
        activity=_by(BUILDER, "ec2", "autoscaling", "elasticloadbalancing", "route53resolver", "monitoring"),
    ),
    Seeded(
        "ines",
        IdentityType.USER,
        "identity administrator",
        managed=(f"{AWS}IAMFullAccess",),
        activity=_by(BUILDER, "iam"),
    ),
    Seeded(
        "sam",
        IdentityType.USER,
        "storage, still holds what a project once needed",
        managed=(f"{AWS}AmazonS3FullAccess", f"{AWS}AmazonEC2FullAccess", f"{AWS}AmazonDynamoDBFullAccess"),
        activity=_by(BUILDER, "s3"),
    ),
    Seeded(
        "finn",
        IdentityType.USER,
        "finance analyst who was once made administrator",
        managed=(f"{AWS}AdministratorAccess",),
        activity=_by(
            BUILDER,
            *("ce", "health", "logs", "notifications", "organizations", "resource-explorer-2", "rolesanywhere"),
            *("servicecatalog-appregistry", "signin", "sts"),
        ),
    ),
    Seeded(
        "sara",
        IdentityType.USER,
        "auditor with SecurityAudit",
        managed=(f"{AWS}SecurityAudit",),
        activity=_by(BUILDER, "devops-guru", "guardduty", "ram", "securityhub"),
    ),
    Seeded(
        "lena",
        IdentityType.USER,
        "support, looks at buckets",
        managed=(f"{AWS}job-function/ViewOnlyAccess",),
        activity=_by(VISITOR, "account", "health", "iam", "notifications", "route53", "s3"),
    ),
    Seeded(
        "break-glass",
        IdentityType.USER,
        "emergencies only, exempt",
        managed=(f"{AWS}AdministratorAccess",),
        tags={"leastwise:exempt": "true", "leastwise:exempt-owner": "security", "leastwise:exempt-reason": "emergency"},
        path="/breakglass/",
    ),
    Seeded(
        "app-config",
        IdentityType.ROLE,
        "application that reads parameters",
        managed=(f"{AWS}AmazonSSMFullAccess", f"{AWS}AmazonEC2FullAccess"),
        activity=_by(BUILDER, "ssm"),
    ),
    Seeded(
        "crypto-service",
        IdentityType.ROLE,
        "encrypts and decrypts, holds kms:* and all secrets",
        managed=(f"{AWS}SecretsManagerReadWrite",),
        inline={
            "keys": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
            }
        },
        activity=_by(BUILDER, "kms"),
    ),
    Seeded(
        "secrets-rotator",
        IdentityType.ROLE,
        "rotates secrets",
        managed=(f"{AWS}SecretsManagerReadWrite",),
        activity=_by(BUILDER, "secretsmanager"),
    ),
    Seeded(
        "db-admin",
        IdentityType.ROLE,
        "databases, with PowerUserAccess",
        managed=(f"{AWS}PowerUserAccess",),
        activity=_by(BUILDER, "rds"),
    ),
    Seeded(
        "ci-deployer",
        IdentityType.ROLE,
        "deploys functions, as administrator",
        managed=(f"{AWS}AdministratorAccess",),
        activity=_by(BUILDER, "lambda"),
    ),
    Seeded(
        "trail-manager",
        IdentityType.ROLE,
        "manages trails, and the buckets behind them",
        managed=(f"{AWS}AWSCloudTrail_FullAccess", f"{AWS}AmazonS3FullAccess", f"{AWS}AmazonEC2FullAccess"),
        activity=_by(BUILDER, "cloudtrail"),
    ),
    Seeded(
        "legacy-batch",
        IdentityType.ROLE,
        "administrator that nobody has used",
        managed=(f"{AWS}AdministratorAccess",),
    ),
)

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def seed(iam: Any) -> dict[str, IdentityRef]:
    """Create the groups and identities with an IAM client; returns who they are by name."""
    for group, policies in GROUPS.items():
        iam.create_group(GroupName=group)
        for arn in policies:
            iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    return {one.name: (_user if one.type is IdentityType.USER else _role)(iam, one) for one in IDENTITIES}


def _user(iam: Any, one: Seeded) -> IdentityRef:
    user = iam.create_user(UserName=one.name, Path=one.path, Tags=_tags(one))["User"]
    for arn in one.managed:
        iam.attach_user_policy(UserName=one.name, PolicyArn=arn)
    for name, document in one.inline.items():
        iam.put_user_policy(UserName=one.name, PolicyName=name, PolicyDocument=json.dumps(document))
    for group in one.groups:
        iam.add_user_to_group(UserName=one.name, GroupName=group)
    return IdentityRef(account_id=user["Arn"].split(":")[4], identity_id=user["UserId"], arn=user["Arn"])


def _role(iam: Any, one: Seeded) -> IdentityRef:
    role = iam.create_role(
        RoleName=one.name, Path=one.path, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=_tags(one)
    )["Role"]
    for arn in one.managed:
        iam.attach_role_policy(RoleName=one.name, PolicyArn=arn)
    for name, document in one.inline.items():
        iam.put_role_policy(RoleName=one.name, PolicyName=name, PolicyDocument=json.dumps(document))
    return IdentityRef(account_id=role["Arn"].split(":")[4], identity_id=role["RoleId"], arn=role["Arn"])


def _tags(one: Seeded) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in one.tags.items()]
