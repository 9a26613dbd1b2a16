"""Reading trails on moto: which of them count, and what the sweep notes of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from services.scorer.settings import SweepSettings
from services.scorer.sweeping.edge import Sweep
from shared.aws import clients
from shared.aws.cloudtrail import TrailReader
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DeniedError, DependencyError
from shared.knowledge import load_data_event_types
from shared.model.recording import Recording
from shared.model.usage import Coverage
from tests.builders import ACCOUNT
from tests.conftest import MAKE_API_CALL, LogLines, Stack

BUCKET, OTHER = "trail-logs", "other-logs"
S3, ACCESS_POINT, LAMBDA = "AWS::S3::Object", "AWS::S3::AccessPoint", "AWS::Lambda::Function"


def selectors(*kinds: str, **more: Any) -> dict[str, Any]:
    is_data = {"Field": "eventCategory", "Equals": ["Data"]}
    return {
        "AdvancedEventSelectors": [
            {"FieldSelectors": [is_data, {"Field": "resources.type", "Equals": [kind]}]} for kind in kinds
        ],
        **more,
    }


def make_trail(
    name: str, *kinds: str, bucket: str = BUCKET, region: str = "us-east-1", logging: bool = True, multi: bool = True
) -> str:
    """A trail of the account; its ARN."""
    client = boto3.client("cloudtrail", region_name=region)
    arn = client.create_trail(Name=name, S3BucketName=bucket, IsMultiRegionTrail=multi)["TrailARN"]
    if kinds:
        client.put_event_selectors(TrailName=name, **selectors(*kinds))
    if logging:
        client.start_logging(Name=name)
    return arn


@pytest.fixture(autouse=True)
def buckets(aws: Stack) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    for name in (BUCKET, OTHER):
        s3.create_bucket(Bucket=name)


def read(bucket: str = BUCKET, *, since: timedelta = timedelta(minutes=5)) -> Recording:
    """What counts, of trails that were started some minutes before `since`."""
    return TrailReader(clients.cloudtrail).recording(bucket, since=datetime.now(UTC) + since)


def test_what_several_trails_record_is_joined() -> None:
    make_trail("one", S3)
    make_trail("two", LAMBDA)
    assert read().data_event_types == {S3, LAMBDA}


def test_a_trail_of_another_region_is_seen_by_its_shadow() -> None:
    make_trail("one", S3, region="eu-west-1")
    assert read().data_event_types == {S3}


@pytest.mark.parametrize(
    "changes", [{"bucket": OTHER}, {"logging": False}, {"multi": False}], ids=lambda one: next(iter(one))
)
def test_a_trail_that_does_not_bring_everything_here_counts_for_nothing(changes: dict[str, Any]) -> None:
    make_trail("one", S3, **changes)
    assert read() == Recording()


def test_a_trail_that_was_started_since_counts_for_nothing() -> None:
    make_trail("one", S3)
    assert read(since=timedelta(minutes=-5)) == Recording()


def test_an_account_without_trails_records_nothing() -> None:
    assert read() == Recording()


def answering(monkeypatch: pytest.MonkeyPatch, wanted: str, answer: Any) -> None:
    """Have one operation answer something else; an error is raised."""

    def altered(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name != wanted:
            return MAKE_API_CALL(self, operation_name, api_params)
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": "m"}}, operation_name)
        return MAKE_API_CALL(self, operation_name, api_params) | answer

    monkeypatch.setattr(BaseClient, "_make_api_call", altered)


def test_a_trail_that_cannot_deliver_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    make_trail("one", S3)
    answering(monkeypatch, "GetTrailStatus", {"LatestDeliveryError": "AccessDenied"})
    assert read() == Recording()


@pytest.mark.parametrize("operation", ["DescribeTrails", "GetTrailStatus", "GetEventSelectors"])
@pytest.mark.parametrize(("code", "kind"), [("AccessDeniedException", DeniedError), ("Throttled", DependencyError)])
def test_a_trail_that_cannot_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, operation: str, code: str, kind: type[DependencyError]
) -> None:
    make_trail("one", S3)
    answering(monkeypatch, operation, code)
    with pytest.raises(kind, match=operation):
        read()


# ---- the sweep

TOMORROW = datetime.now(UTC) + timedelta(days=1)  # moto starts trails now, and only whole days count


@pytest.fixture
def unseen(aws: Stack) -> UsageLedger:
    """The ledger of an account with one user, which saw no trail yet."""
    clients.iam().create_user(UserName="ana")
    return UsageLedger(aws.table(aws.usage_table))


@pytest.fixture
def ledger(unseen: UsageLedger) -> UsageLedger:
    """The ledger, which saw the trail's log files on the day of the sweep and on the day before."""
    seen = [TOMORROW.date(), TOMORROW.date() - timedelta(days=1)]
    unseen.merge_coverage(ACCOUNT, Coverage.of(seen, regions=["us-east-1"], feeds=["trail"]))
    return unseen


def sweep(bucket: str = BUCKET, now: datetime = TOMORROW) -> None:
    settings = SweepSettings.load().model_copy(update={"trail_log_bucket": bucket})
    assert Sweep(settings, now, lambda: 900.0).run()["outcome"] == "completed"


def noted(ledger: UsageLedger) -> dict[int, frozenset[str]]:
    """Services noted, by days before the sweep."""
    coverage = ledger.read_coverage(ACCOUNT, since=TOMORROW - timedelta(days=30))
    return {(TOMORROW.date() - day).days: what.data_events for day, what in coverage.seen.items()}


def test_a_sweep_notes_todays_data_events(ledger: UsageLedger) -> None:
    make_trail("one", S3, ACCESS_POINT, LAMBDA)
    for _ in range(2):
        sweep()
    assert noted(ledger) == {0: {"s3", "lambda"}, 1: frozenset()}


def test_a_sweep_notes_every_service_that_records_everything(ledger: UsageLedger) -> None:
    make_trail("one", *sorted(load_data_event_types()))
    sweep()
    assert {"s3", "lambda", "dynamodb", "sqs", "sns"} <= noted(ledger)[0]


@pytest.mark.parametrize("bucket", ["", OTHER])
def test_without_the_feed_of_log_files_nothing_is_noted(ledger: UsageLedger, bucket: str) -> None:
    make_trail("one", LAMBDA)
    sweep(bucket)
    assert noted(ledger) == {0: frozenset(), 1: frozenset()}


def test_a_day_on_which_the_trail_was_not_seen_does_not_look_seen(ledger: UsageLedger) -> None:
    make_trail("one", LAMBDA)
    sweep(now=TOMORROW + timedelta(days=1))
    assert noted(ledger) == {0: frozenset(), 1: frozenset()}


def test_a_day_without_log_files_is_not_noted(unseen: UsageLedger, log: LogLines) -> None:
    # given a bucket whose log files nobody is told of, and EventBridge, which brings no data events
    make_trail("one", LAMBDA)
    unseen.merge_coverage(ACCOUNT, Coverage.of([TOMORROW.date()], regions=["us-east-1"], feeds=["eventbridge"]))
    sweep()
    assert noted(unseen) == {0: frozenset()}
    (line,) = log.entries("trails read")
    assert (line["data_events"], line["noted"]) == (["lambda"], False)


def test_a_note_does_not_say_that_reads_were_seen(unseen: UsageLedger) -> None:
    make_trail("one", LAMBDA)
    unseen.merge_coverage(ACCOUNT, Coverage.of([TOMORROW.date()], feeds=["trail"], reads=False))
    sweep()
    assert noted(unseen) == {0: {"lambda"}}
    assert not unseen.read_coverage(ACCOUNT, since=TOMORROW).reads


def test_trails_that_cannot_be_read_are_told_and_the_sweep_goes_on(
    ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch, log: LogLines, aws: Stack
) -> None:
    make_trail("one", LAMBDA)
    answering(monkeypatch, "DescribeTrails", "AccessDeniedException")
    sweep()
    (line,) = log.entries("trails could not be read, so no data events count as recorded")
    assert (line["level"], "AccessDenied" in line["error"]) == ("WARNING", True)
    assert noted(ledger) == {0: frozenset(), 1: frozenset()}
    assert len(aws.told("AccountScored")) == 1


def test_management_events_that_the_trail_lacks_are_told(ledger: UsageLedger, log: LogLines) -> None:
    make_trail("one", LAMBDA)
    sweep()
    (line,) = log.entries("trails read")
    assert (line["data_events"], line["noted"], line["missing"]) == (["lambda"], True, ["no reads", "no writes"])
