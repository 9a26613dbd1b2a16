"""Made up accounts: the answer of GetAccountAuthorizationDetails, usage and an inventory, the same in every run.

A hundred AWS managed policies, attached as unevenly as in real accounts; customer policies in line, tied to the
account's own resources; groups, boundaries and trust policies.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.managed import Document, managed_policies

Json = dict[str, Any]

ACCOUNT = "111122223333"
REGIONS = ("us-east-1", "eu-west-1")
MANAGED = 100
CREATED = "2025-06-01T00:00:00+00:00"
ADMINISTRATOR, ORDINARY = "role-administrator", "role-ordinary"

# What nearly every account attaches, the most usual first; the rest of the hundred are drawn.
USUAL = (
    "AWSLambdaBasicExecutionRole",
    "AmazonSSMManagedInstanceCore",
    "AmazonS3ReadOnlyAccess",
    "CloudWatchAgentServerPolicy",
    "AWSXRayDaemonWriteAccess",
    "AmazonECSTaskExecutionRolePolicy",
    "ReadOnlyAccess",
    "AmazonS3FullAccess",
    "AdministratorAccess",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonDynamoDBFullAccess",
    "SecurityAudit",
    "PowerUserAccess",
    "IAMReadOnlyAccess",
    "AmazonEC2FullAccess",
    "ViewOnlyAccess",
)
# Actions and the resources that an application's own policy ties them to.
APPLICATION = (
    (("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), "arn:aws:s3:::{team}-{thing}/*"),
    (("s3:ListBucket", "s3:GetBucketLocation"), "arn:aws:s3:::{team}-{thing}"),
    (("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), "arn:aws:dynamodb:{region}:{account}:table/{team}-*"),
    (("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"), "arn:aws:sqs:{region}:{account}:{team}-{thing}"),
    (("sns:Publish",), "arn:aws:sns:{region}:{account}:{team}-{thing}"),
    (("kms:Decrypt", "kms:GenerateDataKey*"), "arn:aws:kms:{region}:{account}:key/*"),
    (("secretsmanager:GetSecretValue",), "arn:aws:secretsmanager:{region}:{account}:secret:{team}/*"),
    (("lambda:InvokeFunction",), "arn:aws:lambda:{region}:{account}:function:{team}-*"),
    (("logs:CreateLogStream", "logs:PutLogEvents"), "arn:aws:logs:{region}:{account}:log-group:/app/{team}/*"),
    (("sts:AssumeRole",), "arn:aws:iam::{account}:role/{team}-deploy"),
    (("ec2:Describe*", "cloudwatch:PutMetricData"), "*"),
)
USED = (
    "s3:GetObject", "s3:PutObject", "s3:ListBucket", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
    "sqs:SendMessage", "sqs:ReceiveMessage", "sns:Publish", "kms:Decrypt", "kms:GenerateDataKey", "sts:AssumeRole",
    "secretsmanager:GetSecretValue", "lambda:InvokeFunction", "lambda:ListFunctions", "logs:CreateLogStream",
    "logs:DescribeLogGroups", "ec2:DescribeInstances", "ec2:DescribeVpcs", "ec2:RunInstances", "ec2:CreateTags",
    "iam:GetRole", "iam:ListRoles", "iam:PassRole", "cloudformation:DescribeStacks", "cloudformation:UpdateStack",
    "cloudwatch:PutMetricData", "cloudwatch:GetMetricData", "ssm:GetParameter", "ssm:UpdateInstanceInformation",
    "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecs:DescribeTasks", "rds:DescribeDBInstances",
)  # fmt: skip
TEAMS = ("payments", "search", "data", "platform", "mobile", "risk", "crm", "web")
THINGS = ("events", "uploads", "exports", "sessions", "archive", "models")
# An inventory's resource types, as ARNs, by how many of them accounts have.
RESOURCES: Mapping[str, int] = {
    "arn:aws:logs:{region}:{account}:log-group:/app/{team}/{thing}-{number}": 20,
    "arn:aws:ec2:{region}:{account}:network-interface/eni-{number:017x}": 20,
    "arn:aws:ec2:{region}:{account}:volume/vol-{number:017x}": 12,
    "arn:aws:ec2:{region}:{account}:snapshot/snap-{number:017x}": 12,
    "arn:aws:ec2:{region}:{account}:instance/i-{number:017x}": 8,
    "arn:aws:cloudwatch:{region}:{account}:alarm:{team}-{thing}-{number}": 8,
    "arn:aws:lambda:{region}:{account}:function:{team}-{thing}-{number}": 6,
    "arn:aws:s3:::{team}-{thing}-{number}": 4,
    "arn:aws:dynamodb:{region}:{account}:table/{team}-{thing}-{number}": 3,
    "arn:aws:sqs:{region}:{account}:{team}-{thing}-{number}": 3,
    "arn:aws:iam::{account}:role/{team}-{thing}-{number}": 2,
    "arn:aws:secretsmanager:{region}:{account}:secret:{team}/{thing}-{number}-AbCdEf": 1,
    "arn:aws:kms:{region}:{account}:key/{number:08x}-1111-2222-3333-444455556666": 1,
}


class Account:
    """An account of so many identities; the same managed policies whatever their number."""

    def __init__(self, identities: int, documents: Mapping[str, Document] | None = None, seed: int = 5) -> None:
        everything = managed_policies() if documents is None else documents
        chance = random.Random(seed)  # noqa: S311 made up data
        usual = [name for name in USUAL if name in everything]
        others = [name for name in everything if name not in usual]
        drawn = chance.sample(others, min(len(others), MANAGED - len(usual)))
        self._chance = chance
        self._documents = {name: everything[name] for name in [*usual, *drawn]}
        self._identities = identities

    def authorization_details(self) -> Json:
        """Users (three in ten), roles, groups and policies, in the shape of the API's answer, documents decoded.

        The last two roles are an administrator and an application's role.
        """
        users = self._identities * 3 // 10
        roles = [self._role(number) for number in range(self._identities - users - 2)]
        return {
            "UserDetailList": [self._user(number) for number in range(users)],
            "GroupDetailList": [self._group(team) for team in TEAMS],
            "RoleDetailList": [*roles, self._administrator(), self._ordinary()],
            "Policies": [_managed(name, document) for name, document in self._documents.items()],
        }

    def _user(self, number: int) -> Json:
        name = f"user-{number}"
        groups = self._chance.sample(TEAMS, self._chance.randint(0, 2))
        return {
            "Path": "/",
            "UserName": name,
            "UserId": f"AIDA{number:017d}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
            "CreateDate": CREATED,
            "UserPolicyList": [self._in_line()] if self._chance.random() < 0.1 else [],  # noqa: PLR2004 one in ten
            "GroupList": groups,
            "AttachedManagedPolicies": [] if groups else self._attached(),
            "Tags": [],
        }

    def _role(self, number: int) -> Json:
        in_line = [self._in_line()] if self._chance.random() < 0.7 else []  # noqa: PLR2004 seven in ten
        role = _role(f"role-{number}", number, in_line, self._attached())
        if self._chance.random() < 0.1:  # noqa: PLR2004 one in ten
            boundary = _arn("PowerUserAccess" if "PowerUserAccess" in self._documents else next(iter(self._documents)))
            role["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
        return role

    def _administrator(self) -> Json:
        return _role(ADMINISTRATOR, self._identities, [], [_attachment("AdministratorAccess")])

    def _ordinary(self) -> Json:
        attached = [_attachment("AWSLambdaBasicExecutionRole"), _attachment("AmazonS3ReadOnlyAccess")]
        return _role(ORDINARY, self._identities + 1, [self._in_line()], attached)

    def _group(self, team: str) -> Json:
        return {
            "Path": "/",
            "GroupName": team,
            "GroupId": f"AGPA{TEAMS.index(team):017d}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:group/{team}",
            "CreateDate": CREATED,
            "GroupPolicyList": [self._in_line()],
            "AttachedManagedPolicies": self._attached(),
        }

    def _attached(self) -> list[Json]:
        """One to three of the hundred, the first ones far more often."""
        names = list(self._documents)
        places = {min(int(self._chance.expovariate(0.06)), len(names) - 1) for _ in range(self._chance.randint(1, 3))}
        return [_attachment(names[place]) for place in sorted(places)]

    def _in_line(self) -> Json:
        team, chosen = self._chance.choice(TEAMS), self._chance.sample(APPLICATION, self._chance.randint(2, 5))
        filling = {
            "account": ACCOUNT,
            "region": self._chance.choice(REGIONS),
            "team": team,
            "thing": self._chance.choice(THINGS),
        }
        statements: list[Json] = [
            {"Effect": "Allow", "Action": list(actions), "Resource": resource.format_map(filling)}
            for actions, resource in chosen
        ]
        if self._chance.random() < 0.2:  # noqa: PLR2004 one in five
            insecure = {"Bool": {"aws:SecureTransport": "false"}}
            statements.append({"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": insecure})
        return {
            "PolicyName": f"{team}-application",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
        }


def used_actions(identities: Sequence[str], seed: int = 6) -> dict[str, list[str]]:
    """Unique id -> five to twenty-five actions that it used."""
    chance = random.Random(seed)  # noqa: S311 made up data
    return {identity: chance.sample(USED, chance.randint(5, 25)) for identity in identities}


def inventory(resources: int, seed: int = 7) -> list[str]:
    """So many distinct ARNs, sorted."""
    chance = random.Random(seed)  # noqa: S311 made up data
    templates = chance.choices(list(RESOURCES), list(RESOURCES.values()), k=resources)
    return sorted(
        template.format(
            account=ACCOUNT,
            region=chance.choice(REGIONS),
            team=chance.choice(TEAMS),
            thing=chance.choice(THINGS),
            number=number,
        )
        for number, template in enumerate(templates)
    )


def _role(name: str, number: int, in_line: list[Json], attached: list[Json]) -> Json:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "Path": "/",
        "RoleName": name,
        "RoleId": f"AROA{number:017d}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "CreateDate": CREATED,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "InstanceProfileList": [],
        "RolePolicyList": in_line,
        "AttachedManagedPolicies": attached,
        "Tags": [],
        "RoleLastUsed": {},
    }


def _managed(name: str, document: Document) -> Json:
    version = {"Document": document, "VersionId": "v1", "IsDefaultVersion": True, "CreateDate": CREATED}
    return {
        "PolicyName": name,
        "PolicyId": "ANPA00000000000000000",
        "Arn": _arn(name),
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 1,
        "IsAttachable": True,
        "CreateDate": CREATED,
        "UpdateDate": CREATED,
        "PolicyVersionList": [version],
    }


def _attachment(name: str) -> Json:
    return {"PolicyName": name, "PolicyArn": _arn(name)}


def _arn(name: str) -> str:
    return f"arn:aws:iam::aws:policy/{name}"
