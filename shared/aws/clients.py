"""boto3 clients: made once per warm function on first use, with one configuration, and one translation of errors."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws.refusals import of_answer, of_sdk
from shared.errors import LeastwiseError

if TYPE_CHECKING:
    from types_boto3_cloudtrail import CloudTrailClient
    from types_boto3_config import ConfigServiceClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient

# Every service that a function calls: the build keeps only these in the artefacts' botocore data.
AWS_SERVICES = (
    "accessanalyzer",
    "cloudtrail",
    "config",
    "dynamodb",
    "events",
    "iam",
    "kms",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
)

CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "adaptive", "max_attempts": 6},  # exponential backoff with jitter, bounded
    user_agent_extra="leastwise",
)
IMPATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})


class AnalyzerClient(Protocol):
    """What is used of boto3's client of `accessanalyzer`, for which there is no package of types."""

    def validate_policy(self, **request: Any) -> Mapping[str, Any]:
        """Findings about one document, a page at a time."""

    def check_no_new_access(self, **request: Any) -> Mapping[str, Any]:
        """Whether a document allows what another does not."""


@functools.cache
def accessanalyzer() -> AnalyzerClient:
    """Client of IAM Access Analyzer."""
    client: AnalyzerClient = boto3.client("accessanalyzer", config=CONFIG)
    return client


@functools.cache
def cloudtrail(region: str | None = None) -> "CloudTrailClient":
    """Client of CloudTrail in a region; in our own where none is named."""
    return boto3.client("cloudtrail", region_name=region, config=CONFIG)


@functools.cache
def dynamodb() -> "DynamoDBClient":
    """Client of DynamoDB."""
    return boto3.client("dynamodb", config=CONFIG)


@functools.cache
def events() -> "EventBridgeClient":
    """Client of EventBridge."""
    return boto3.client("events", config=CONFIG)


@functools.cache
def iam() -> "IAMClient":
    """Client of IAM."""
    return boto3.client("iam", config=CONFIG)


@functools.cache
def kms() -> "KMSClient":
    """Client of KMS."""
    return boto3.client("kms", config=CONFIG)


@functools.cache
def config() -> "ConfigServiceClient":
    """Client of AWS Config."""
    return boto3.client("config", config=CONFIG)


@functools.cache
def s3() -> "S3Client":
    """Client of S3."""
    return boto3.client("s3", config=CONFIG)


@functools.cache
def secretsmanager() -> "SecretsManagerClient":
    """Client of Secrets Manager."""
    return boto3.client("secretsmanager", config=CONFIG)


@functools.cache
def sns() -> "SNSClient":
    """Client of SNS, which gives up early: what could not be sent waits in the outbox."""
    return boto3.client("sns", config=CONFIG.merge(IMPATIENT))


@functools.cache
def sqs() -> "SQSClient":
    """Client of SQS."""
    return boto3.client("sqs", config=CONFIG)


@functools.cache
def ssm() -> "SSMClient":
    """Client of Systems Manager."""
    return boto3.client("ssm", config=CONFIG)


@contextmanager
def aws_errors(call: str) -> Iterator[None]:
    """Translate what boto3 raises into the project's error tree, once; `call` names what was tried.

    What AWS or the SDK said is not chained: a traceback would show it whole, and AWS repeats requests (a policy, the
    caller's token) in some messages. What may be told of it is in the error of ours.
    """
    try:
        yield
    except ClientError as error:
        raise of_answer(call, error) from None
    except BotoCoreError as error:
        raise of_sdk(call, error) from None


def code_of(error: LeastwiseError) -> str:
    """AWS's own code behind a translated error: "DeleteConflict"; empty where AWS gave none."""
    behind = error.__context__
    return behind.response.get("Error", {}).get("Code", "") if isinstance(behind, ClientError) else ""
