"""CloudTrail log files to measure on: made up, the same in every run, in the shapes and the mix of real ones.

    python -m benchmarks.usage.trail_logs FOLDER EVENTS EVENTS_PER_FILE

Three accounts with 96 roles and 15 users between them call 37 operations over fourteen days. Of the records 98 % passed
and 2 % were refused. A record has about 1,500 bytes, and a seventh of that compressed.
"""

import argparse
import gzip
import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

START = datetime(2026, 4, 12, tzinfo=UTC)
DAYS = 14
ACCOUNTS = ("111122223333", "444455556666", "777788889999")
REGIONS = ("us-east-1",) * 6 + ("eu-west-1",) * 3 + ("us-west-2",)
TEAMS = ("orders", "billing", "search", "etl", "web", "ci", "infra", "audit")
AGENTS = (
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.1.79-99.164.amzn2023.x86_64 exe/x86_64.amzn.2023 prompt/off",
    "Boto3/1.34.84 md/Botocore#1.34.84 ua/2.0 os/linux#5.10.213 md/arch#x86_64 lang/python#3.12.2 cfg/retry#legacy",
    "aws-sdk-java/2.25.30 Linux/5.10.210 OpenJDK_64-Bit_Server_VM/17.0.10 Java/17.0.10 vendor/Amazon.com io/sync",
)
SERVICES = ("lambda", "ecs-tasks", "ec2", "config", "autoscaling", "elasticloadbalancing")
DENIED_SHARE = 0.02


class Operation(NamedTuple):
    """An operation: how often it is called, its parameters, the resources that its records name; `{…}` is filled in."""

    weight: float
    source: str
    name: str
    parameters: Mapping[str, Any]
    resources: Sequence[tuple[str, str]] = ()
    read_only: bool = True
    data: bool = False


_BUCKET = ("AWS::S3::Bucket", "arn:aws:s3:::{bucket}")
_OBJECT = ("AWS::S3::Object", "arn:aws:s3:::{bucket}/{key}")
_KEY = ("AWS::KMS::Key", "arn:aws:kms:{region}:{account}:key/{key_id}")
_TABLE = ("AWS::DynamoDB::Table", "arn:aws:dynamodb:{region}:{account}:table/{thing}")
_ROLE = ("AWS::IAM::Role", "arn:aws:iam::{account}:role/{thing}-role")
_AT_BUCKET = {"bucketName": "{bucket}", "Host": "{bucket}.s3.{region}.amazonaws.com"}
_AT_OBJECT = {**_AT_BUCKET, "key": "{key}"}
_AT_TABLE = {"tableName": "{thing}", "key": {"pk": "HIDDEN_DUE_TO_SECURITY_REASONS"}, "consistentRead": True}
_CIPHER = {"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::{bucket}"}, "keyId": _KEY[1]}
_ITEMS = {"items": [{"instanceId": "i-0{hex}"}, {"instanceId": "i-0{hex}"}]}
_FILTERS = {"items": [{"name": "tag:Name", "valueSet": {"items": [{"value": "{thing}"}]}}]}
_SESSION = {"roleArn": _ROLE[1], "roleSessionName": "{thing}-{hex}", "durationSeconds": 3600, "externalId": "{uuid}"}

OPERATIONS = (
    Operation(16, "s3", "GetObject", _AT_OBJECT, (_OBJECT, _BUCKET), data=True),
    Operation(6, "s3", "PutObject", _AT_OBJECT, (_OBJECT, _BUCKET), read_only=False, data=True),
    Operation(5, "s3", "HeadObject", _AT_OBJECT, (_OBJECT, _BUCKET), data=True),
    Operation(3, "s3", "ListObjects", {**_AT_BUCKET, "list-type": "2", "prefix": "{thing}/"}, (_BUCKET,), data=True),
    Operation(1, "s3", "DeleteObject", _AT_OBJECT, (_OBJECT, _BUCKET), read_only=False, data=True),
    Operation(10, "kms", "Decrypt", {**_CIPHER, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}, (_KEY,)),
    Operation(4, "kms", "GenerateDataKey", {**_CIPHER, "keySpec": "AES_256"}, (_KEY,)),
    Operation(9, "sts", "AssumeRole", _SESSION, (_ROLE,)),
    Operation(2, "sts", "GetCallerIdentity", {}),
    Operation(6, "dynamodb", "GetItem", _AT_TABLE, (_TABLE,), data=True),
    Operation(4, "dynamodb", "PutItem", _AT_TABLE, (_TABLE,), read_only=False, data=True),
    Operation(4, "dynamodb", "Query", {"tableName": "{thing}", "limit": 50}, (_TABLE,), data=True),
    Operation(1, "dynamodb", "DescribeTable", {"tableName": "{thing}"}),
    Operation(4, "ec2", "DescribeInstances", {"instancesSet": _ITEMS, "filterSet": _FILTERS, "maxResults": 1000}),
    Operation(2, "ec2", "DescribeNetworkInterfaces", {"networkInterfaceIdSet": {}, "filterSet": _FILTERS}),
    Operation(2, "ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "filterSet": _FILTERS}),
    Operation(0.5, "ec2", "RunInstances", {"instancesSet": _ITEMS, "instanceType": "m6i.large"}, read_only=False),
    Operation(0.3, "ec2", "TerminateInstances", {"instancesSet": _ITEMS}, read_only=False),
    Operation(3, "logs", "CreateLogStream", {"logGroupName": "/aws/lambda/{thing}"}, read_only=False),
    Operation(2, "logs", "DescribeLogGroups", {"logGroupNamePrefix": "/aws/lambda/{thing}"}),
    Operation(1, "lambda", "GetFunction20150331v2", {"functionName": "{thing}"}),
    Operation(0.5, "lambda", "ListFunctions20150331", {"maxItems": 50}),
    Operation(2, "monitoring", "GetMetricData", {"startTime": "Apr 12, 2026, 3:00:00 PM", "maxDatapoints": 500}),
    Operation(1, "monitoring", "DescribeAlarms", {"maxRecords": 100}),
    Operation(2, "secretsmanager", "GetSecretValue", {"secretId": "prod/{thing}"}),
    Operation(2, "ssm", "GetParameter", {"name": "/app/{thing}/dsn", "withDecryption": True}),
    Operation(1, "ssm", "UpdateInstanceInformation", {"instanceId": "i-0{hex}"}, read_only=False),
    Operation(1, "iam", "GetRole", {"roleName": "{thing}-role"}),
    Operation(0.7, "iam", "ListAttachedRolePolicies", {"roleName": "{thing}-role"}),
    Operation(0.3, "iam", "CreatePolicyVersion", {"policyArn": "arn:aws:iam::{account}:policy/{thing}"}),
    Operation(1, "sqs", "SendMessage", {"queueUrl": "https://sqs.{region}.amazonaws.com/{account}/{thing}"}, data=True),
    Operation(1, "sns", "Publish", {"topicArn": "arn:aws:sns:{region}:{account}:{thing}"}, read_only=False),
    Operation(1, "rds", "DescribeDBInstances", {"dBInstanceIdentifier": "{thing}"}),
    Operation(1, "ecr", "BatchGetImage", {"repositoryName": "{thing}", "imageIds": [{"imageTag": "latest"}]}),
    Operation(1, "ecs", "DescribeTasks", {"cluster": "{thing}", "tasks": ["{hex}"]}),
    Operation(0.4, "cloudformation", "DescribeStacks", {"stackName": "{thing}"}),
    Operation(0.4, "config", "PutEvaluations", {"resultToken": "{uuid}"}, read_only=False),
)


class Identity(NamedTuple):
    """A role or user of an account."""

    account: str
    name: str
    unique_id: str


def write_logs(folder: Path, events: int, events_per_file: int, seed: int = 7) -> int:
    """Write that many records below `folder` as a trail lays them out; returns their uncompressed bytes."""
    world = World(seed)
    raw = 0
    for first in range(0, events, events_per_file):
        count = min(events_per_file, events - first)
        moment = START + timedelta(seconds=int(DAYS * 86_400 * first / events))
        account, region = world.chance.choice(ACCOUNTS), world.chance.choice(REGIONS)
        records = list(itertools.islice(world.records(account, region, moment, count), count))
        content = json.dumps({"Records": records}, separators=(",", ":")).encode()
        name = f"{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{world.text(16)}.json.gz"
        file = folder / "AWSLogs" / account / "CloudTrail" / region / f"{moment:%Y/%m/%d}" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(content, 6, mtime=0))
        raw += len(content)
    return raw


class World:
    """Accounts, identities and things, and a source of chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 made up data
        kinds = ("lambda", "ecs", "batch", "admin")
        people = ("alice", "bob", "carol", "dave", "deploy-bot")
        self.roles = [
            Identity(account, f"{team}-{kind}-role", f"AROA{self.text(17)}")
            for account, team, kind in itertools.product(ACCOUNTS, TEAMS, kinds)
        ]
        self.users = [
            Identity(account, name, f"AIDA{self.text(17)}") for account, name in itertools.product(ACCOUNTS, people)
        ]
        self._weights = [operation.weight for operation in OPERATIONS]

    def text(self, length: int) -> str:
        """Letters and digits as in unique ids."""
        return "".join(self.chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=length))

    def hexadecimal(self, length: int) -> str:
        """Hexadecimal digits."""
        return f"{self.chance.getrandbits(4 * length):0{length}x}"

    def uuid(self) -> str:
        """Text in the form of an event id."""
        digits = self.hexadecimal(32)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def records(self, account: str, region: str, moment: datetime, count: int) -> Iterator[dict[str, Any]]:
        """Records of one delivery: five minutes of one account in one region."""
        for number in range(count):
            operation = self.chance.choices(OPERATIONS, self._weights)[0]
            yield self._record(operation, account, region, moment + timedelta(seconds=number * 300 // count))

    def _record(self, operation: Operation, account: str, region: str, moment: datetime) -> dict[str, Any]:
        filling = self._filling(account, region)
        identity = self._identity(account)
        service = identity.get("invokedBy")
        record: dict[str, Any] = {
            "eventVersion": "1.09",
            "userIdentity": identity,
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": f"{operation.source}.amazonaws.com",
            "eventName": operation.name,
            "awsRegion": region,
            "sourceIPAddress": service or f"10.{self.chance.randint(0, 255)}.{self.chance.randint(0, 255)}.7",
            "userAgent": service or self.chance.choice(AGENTS),
        }
        if self.chance.random() < DENIED_SHARE:
            action = f"{operation.source}:{operation.name}"
            record["errorCode"] = "AccessDenied"
            record["errorMessage"] = f"User: {identity.get('arn', '?')} is not authorized to perform: {action}"
        record |= {
            "requestParameters": _filled(operation.parameters, filling) or None,
            "responseElements": None,
            "additionalEventData": {"SignatureVersion": "SigV4", "x-amz-id-2": self.text(72)},
            "requestID": self.uuid(),
            "eventID": self.uuid(),
            "readOnly": operation.read_only,
        }
        if operation.resources:
            record["resources"] = [
                {"accountId": account, "type": kind, "ARN": arn.format_map(filling)}
                for kind, arn in operation.resources
            ]
        return record | {
            "eventType": "AwsApiCall",
            "managementEvent": not operation.data,
            "recipientAccountId": account,
            "eventCategory": "Data" if operation.data else "Management",
            "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
        }

    def _filling(self, account: str, region: str) -> dict[str, str]:
        team, number = self.chance.choice(TEAMS), self.chance.randint(0, 5)
        day = f"{self.chance.randint(2024, 2026)}-{self.chance.randint(1, 12):02d}-{self.chance.randint(1, 28):02d}"
        return {
            "account": account,
            "region": region,
            "thing": f"{team}-{self.chance.choice(('events', 'sessions', 'locks'))}",
            "bucket": f"{team}-{self.chance.choice(('prod', 'dev'))}-{self.chance.choice(('data', 'logs'))}-{number}",
            "key": f"{self.chance.choice(('raw', 'stage', 'out'))}/dt={day}/part-{self.uuid()}.snappy.parquet",
            "key_id": f"0000000{number}-1111-2222-3333-444455556666",
            "hex": self.hexadecimal(16),
            "uuid": self.uuid(),
        }

    def _identity(self, account: str) -> dict[str, Any]:
        """80 % roles' sessions, 10 % users, 9.5 % AWS services, the rest root."""
        chance = self.chance.random()
        if chance < 0.8:  # noqa: PLR2004 the shares above
            roles = [role for role in self.roles if role.account == account]
            return self._session(roles[min(int(self.chance.expovariate(0.25)), len(roles) - 1)])
        if chance < 0.9:  # noqa: PLR2004
            user = self.chance.choice([user for user in self.users if user.account == account])
            arn = f"arn:aws:iam::{account}:user/{user.name}"
            found = {"type": "IAMUser", "principalId": user.unique_id, "arn": arn, "accountId": account}
            return {**found, "accessKeyId": f"AKIA{self.text(16)}", "userName": user.name}
        if chance < 0.995:  # noqa: PLR2004
            return {"type": "AWSService", "invokedBy": f"{self.chance.choice(SERVICES)}.amazonaws.com"}
        return {"type": "Root", "principalId": account, "arn": f"arn:aws:iam::{account}:root", "accountId": account}

    def _session(self, role: Identity) -> dict[str, Any]:
        session = f"{role.name.split('-')[0]}-{self.hexadecimal(8)}"
        arn = f"arn:aws:iam::{role.account}:role/{role.name}"
        issuer = {"type": "Role", "principalId": role.unique_id, "arn": arn, "accountId": role.account}
        return {
            "type": "AssumedRole",
            "principalId": f"{role.unique_id}:{session}",
            "arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session}",
            "accountId": role.account,
            "accessKeyId": f"ASIA{self.text(16)}",
            "sessionContext": {
                "sessionIssuer": {**issuer, "userName": role.name},
                "attributes": {"creationDate": "2026-04-12T14:12:40Z", "mfaAuthenticated": "false"},
            },
        }


def _filled(value: Any, filling: Mapping[str, str]) -> Any:
    """A template with its blanks filled, however deep."""
    if isinstance(value, str):
        return value.format_map(filling) if "{" in value else value
    if isinstance(value, Mapping):
        return {name: _filled(inner, filling) for name, inner in value.items()}
    return [_filled(inner, filling) for inner in value] if isinstance(value, list) else value


def main() -> None:
    """Write log files from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.usage.trail_logs", description="Write made up CloudTrail logs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("events", type=int)
    parser.add_argument("events_per_file", type=int)
    options = parser.parse_args()
    write_logs(options.folder, options.events, options.events_per_file)


if __name__ == "__main__":
    main()
