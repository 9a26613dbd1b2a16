"""Reading which events the account's trails record."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.errors import DependencyError
from shared.model.account_setup import TrailSetup
from shared.model.recording import Recording, recording_of

if TYPE_CHECKING:
    from types_boto3_cloudtrail import CloudTrailClient
    from types_boto3_cloudtrail.type_defs import TrailTypeDef


class TrailReader:
    """Reads trails and their event selectors, those of other regions and of the organization included."""

    def __init__(self, client_in: "Callable[[str | None], CloudTrailClient]") -> None:
        """Take what gives the client of a region (None: our own): a trail is asked about in its home region."""
        self._client_in = client_in

    def recording(self, bucket: str, *, since: datetime) -> Recording:
        """What all trails together have recorded in every region since that time and deliver to this bucket.

        A trail of one region, one that is stopped or was started later, and one that can't deliver count for nothing;
        selectors are known only as they are now. Raises DeniedError or DependencyError where any trail that may count
        can't be read.
        """
        recording = Recording()
        for trail in self._trails(bucket):
            arn, client = trail["TrailARN"], self._client_in(trail["HomeRegion"])
            with aws_errors(f"GetTrailStatus {arn}"):
                status = client.get_trail_status(Name=arn)
            late = status.get("StartLoggingTime", since) > since
            if not status.get("IsLogging") or status.get("LatestDeliveryError") or late:
                continue
            with aws_errors(f"GetEventSelectors {arn}"):
                answer = client.get_event_selectors(TrailName=arn)
            recording = recording.join(recording_of(answer))
        return recording

    def setups(self) -> list[TrailSetup]:
        """Every trail that records in our region, those of other home regions and of the organization included.

        A trail that can't be asked for its state or its selectors says so. Raises DependencyError where there is no
        list of trails.
        """
        with aws_errors("DescribeTrails"):
            trails = self._client_in(None).describe_trails(includeShadowTrails=True)["trailList"]
        return [self._setup(trail) for trail in trails]

    def _setup(self, trail: "TrailTypeDef") -> TrailSetup:
        arn = trail["TrailARN"]
        setup = TrailSetup(
            arn=arn,
            home_region=trail.get("HomeRegion", ""),
            bucket=trail.get("S3BucketName", ""),
            is_multi_region=trail.get("IsMultiRegionTrail", False),
            has_global_events=trail.get("IncludeGlobalServiceEvents", False),
            is_validated=trail.get("LogFileValidationEnabled", False),
            key=trail.get("KmsKeyId", ""),
        )
        try:
            client = self._client_in(setup.home_region or None)
            with aws_errors(f"GetTrailStatus {arn}"):
                status = client.get_trail_status(Name=arn)
            setup = setup._replace(
                is_logging=bool(status.get("IsLogging")), delivery_error=status.get("LatestDeliveryError", "")
            )
            with aws_errors(f"GetEventSelectors {arn}"):
                answer = client.get_event_selectors(TrailName=arn)
        except DependencyError as error:
            return setup._replace(unread=str(error))
        return setup._replace(recording=recording_of(answer))

    def _trails(self, bucket: str) -> list["TrailTypeDef"]:
        """Trails of all regions that deliver to the bucket; DescribeTrails gives all at once."""
        with aws_errors("DescribeTrails"):
            trails = self._client_in(None).describe_trails(includeShadowTrails=True)["trailList"]
        return [trail for trail in trails if trail.get("IsMultiRegionTrail") and trail.get("S3BucketName") == bucket]
