"""AWS as `leastwise backfill` uses it: with the caller's own credentials, region and profile."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from shared.aws.clients import CONFIG, aws_errors
from shared.errors import NotFoundError

if TYPE_CHECKING:
    from types_boto3_athena import AthenaClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """The usage ledger of a deployed stack: its table, and how many days it keeps a use."""

    table: str
    retention_days: int


class BackfillSession:
    """Makes the clients of one caller; the bucket's region is found by S3 itself."""

    def __init__(self, *, region: str | None = None, profile: str | None = None) -> None:
        with aws_errors("reading the AWS configuration"):
            self._session = boto3.Session(region_name=region, profile_name=profile)

    def s3(self, *, connections: int) -> "S3Client":
        """Client of S3 for as many threads as there are connections."""
        with aws_errors("reading the AWS configuration"):
            return self._session.client("s3", config=CONFIG.merge(Config(max_pool_connections=connections)))

    def athena(self) -> "AthenaClient":
        """Client of Athena."""
        with aws_errors("reading the AWS configuration"):
            return self._session.client("athena", config=CONFIG)

    def dynamodb(self) -> "DynamoDBClient":
        """Client of DynamoDB."""
        with aws_errors("reading the AWS configuration"):
            return self._session.client("dynamodb", config=CONFIG)

    def ledger_of(self, stack_name: str) -> LedgerPlace:
        """Where a stack has its ledger. Raises NotFoundError when the stack isn't there or isn't leastwise."""
        with aws_errors(f"DescribeStacks {stack_name}"):
            client = self._session.client("cloudformation", config=CONFIG)
            stack = client.describe_stacks(StackName=stack_name)["Stacks"][0]
        outputs = {each.get("OutputKey"): each.get("OutputValue") for each in stack.get("Outputs", [])}
        parameters = {each.get("ParameterKey"): each.get("ParameterValue") for each in stack.get("Parameters", [])}
        table, retention = outputs.get("UsageTableName"), parameters.get("LedgerRetentionDays")
        if not table or not retention:
            raise NotFoundError(f"stack {stack_name} has no usage ledger: is it leastwise, and up to date?")
        return LedgerPlace(table, int(retention))
