"""AWS as `leastwise backfill` uses it: with the caller's own credentials, region and profile."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.config import Config

from shared.aws.caller import caller_of, outputs_of, parameters_of
from shared.aws.clients import CONFIG
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
        self._caller = caller_of(region=region, profile=profile)

    def s3(self, *, connections: int) -> "S3Client":
        """Client of S3 for as many threads as there are connections."""
        client: S3Client = self._caller.client("s3", CONFIG.merge(Config(max_pool_connections=connections)))
        return client

    def athena(self) -> "AthenaClient":
        """Client of Athena."""
        client: AthenaClient = self._caller.client("athena")
        return client

    def dynamodb(self) -> "DynamoDBClient":
        """Client of DynamoDB."""
        client: DynamoDBClient = self._caller.client("dynamodb")
        return client

    def ledger_of(self, stack_name: str | None) -> LedgerPlace:
        """Where a stack has its ledger; the caller's own stack where none is named.

        Raises InputError when the stack isn't there, NotFoundError when it isn't leastwise.
        """
        caller = self._caller._replace(stack_name=stack_name) if stack_name else self._caller
        stack = caller.stack()
        table, retention = outputs_of(stack).get("UsageTableName"), parameters_of(stack).get("LedgerRetentionDays")
        if not table or not retention:
            raise NotFoundError(f"stack {caller.stack_name} has no usage ledger: is it leastwise, and up to date?")
        return LedgerPlace(table, int(retention))
