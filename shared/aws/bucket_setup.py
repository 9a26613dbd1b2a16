"""How a bucket is set up: whom it tells of new objects, and how it locks them."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.aws.clients import aws_errors
from shared.model.account_setup import BucketEvents, BucketLock

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import DefaultRetentionTypeDef

NO_LOCK = "ObjectLockConfigurationNotFoundError"
CREATED = frozenset({"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload"})
DAYS_OF_YEAR = 365


def read_bucket_events(client: "S3Client", bucket: str) -> BucketEvents:
    """Whom the bucket tells of objects that are put. Raises DependencyError."""
    with aws_errors(f"GetBucketNotificationConfiguration {bucket}"):
        told = client.get_bucket_notification_configuration(Bucket=bucket)
    return BucketEvents(
        queues=frozenset(
            each["QueueArn"] for each in told.get("QueueConfigurations", []) if CREATED.intersection(each["Events"])
        ),
        topics=frozenset(
            each["TopicArn"] for each in told.get("TopicConfigurations", []) if CREATED.intersection(each["Events"])
        ),
        event_bridge="EventBridgeConfiguration" in told,
    )


def read_bucket_lock(client: "S3Client", bucket: str) -> BucketLock:
    """Versions and object lock of a bucket, and its default retention. Raises DependencyError."""
    with aws_errors(f"GetBucketVersioning {bucket}"):
        is_versioned = client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
    with aws_errors(f"GetObjectLockConfiguration {bucket}"):
        try:
            lock = client.get_object_lock_configuration(Bucket=bucket).get("ObjectLockConfiguration", {})
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != NO_LOCK:
                raise
            lock = {}
    is_locked = lock.get("ObjectLockEnabled") == "Enabled"
    retention: DefaultRetentionTypeDef = lock.get("Rule", {}).get("DefaultRetention", {})
    days = retention.get("Days") or DAYS_OF_YEAR * (retention.get("Years") or 0)
    return BucketLock(is_versioned, is_locked, retention.get("Mode", ""), days)
