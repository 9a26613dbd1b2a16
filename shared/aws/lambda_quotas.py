"""How many functions run at the same time, and how many may: Lambda's quota of one region."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.model.account_setup import Concurrency

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_lambda import LambdaClient

LOOKED_BACK = timedelta(days=1)
PERIOD_SECONDS = 300  # of a point of the metric: a day has 288, and one answer holds 1,440


def read_concurrency(client: "LambdaClient", metrics: "CloudWatchClient", *, now: datetime) -> Concurrency:
    """The region's quota, and the peak of the last day (0 where nothing ran). Raises DependencyError."""
    with aws_errors("GetAccountSettings"):
        limits = client.get_account_settings()["AccountLimit"]
    with aws_errors("GetMetricStatistics ConcurrentExecutions"):
        points = metrics.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="ConcurrentExecutions",
            StartTime=now - LOOKED_BACK,
            EndTime=now,
            Period=PERIOD_SECONDS,
            Statistics=["Maximum"],
        )["Datapoints"]
    return Concurrency(
        limit=limits.get("ConcurrentExecutions", 0),
        unreserved=limits.get("UnreservedConcurrentExecutions", 0),
        peak=int(max((point.get("Maximum", 0.0) for point in points), default=0)),
    )
