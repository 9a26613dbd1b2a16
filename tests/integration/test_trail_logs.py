"""Log files of a trail on moto: word of a file in, its usage in the ledger; whatever can't be read comes back."""

import gzip
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from services.scorer.feeds.edge import MAX_LOGGED, RESERVED_SECONDS, known_entries
from services.scorer.handler import handle_trail_logs
from shared.aws import clients
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DependencyError, InputError
from shared.model.usage import Evidence, IdentityKey, Usage
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT, envelope, failed, sqs_event
from tests.conftest import MAKE_API_CALL, FakeContext, LogLines, Stack

BUCKET = "trail"
INVICTUS = sorted((Path(__file__).parents[2] / "infra" / "local" / "records" / "invictus").glob("*.json.gz"))
INVICTUS_ACCOUNT = "123837392027"  # in the records; the names of the files have another one
USER_ID = "AIDAEXAMPLEUSER00001"
CANARY = "AKIACANARYCANARY0000"


@pytest.fixture(autouse=True)
def bucket(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    known_entries.cache_clear()
    monkeypatch.setattr(FakeContext, "get_remaining_time_in_millis", lambda _: 300_000)
    monkeypatch.setattr("services.scorer.handler.utc_now", lambda: NOW)
    clients.s3().create_bucket(Bucket=BUCKET)


def record(action: str = "GetBucketPolicy", account: str = ACCOUNT, **changes: Any) -> dict[str, Any]:
    identity = {"type": "IAMUser", "principalId": USER_ID, "arn": f"arn:aws:iam::{account}:user/ana"}
    fields = {
        "eventVersion": "1.10",
        "userIdentity": identity | {"accountId": account},
        "eventTime": "2026-03-01T12:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": action,
        "awsRegion": "eu-west-1",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return fields | changes


def key_of(name: str = "a", *, account: str = ACCOUNT, kind: str = "CloudTrail", region: str = "eu-west-1") -> str:
    file = f"{account}_{kind}_{region}_20260301T1200Z_{name:x<16}.json.gz"
    return f"AWSLogs/{account}/{kind}/{region}/2026/03/01/{file}"


def put(key: str, *records: dict[str, Any], raw: bytes | None = None) -> str:
    """Deliver a log file as CloudTrail does; gives the body of the bucket's own notification."""
    body = gzip.compress(json.dumps({"Records": records}).encode()) if raw is None else raw
    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="application/json", ContentEncoding="gzip")
    return told(key, size=len(body))


def told(*keys: str, bucket: str = BUCKET, **more: Any) -> str:
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key.replace("+", "%2B"), **more}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


def usage(aws: Stack, account: str = ACCOUNT, identity: str = USER_ID) -> Usage:
    return UsageLedger(aws.table(aws.usage_table)).read(IdentityKey(account, identity), since=NOW - timedelta(days=9))


def items(aws: Stack) -> list[dict[str, Any]]:
    return list(clients.dynamodb().scan(TableName=aws.usage_table)["Items"])


def by_sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "Message": body})


def by_eventbridge(key: str) -> str:
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}}
    return json.dumps(envelope(detail, detail_type="Object Created", source="aws.s3"))


FORMS: dict[str, Callable[[str], str]] = {
    "S3": told,
    "S3 by SNS": lambda key: by_sns(told(key)),
    "EventBridge": by_eventbridge,
    "EventBridge by SNS": lambda key: by_sns(by_eventbridge(key)),
}


# ---- what is recorded


@pytest.mark.parametrize("form", FORMS)
def test_the_usage_of_a_log_file_is_recorded_however_it_was_told(aws: Stack, context: LambdaContext, form: str) -> None:
    put(key_of(), record(), record("ListBuckets", errorCode="AccessDenied"))
    assert failed(handle_trail_logs(sqs_event(FORMS[form](key_of())), context)) == []
    seen = usage(aws)
    assert {key: set(entry.spans) for key, entry in seen.entries.items()} == {
        "s3:getbucketpolicy": {Evidence.OBSERVED},
        "s3:listallmybuckets": {Evidence.DENIED},
    }
    assert seen.coverage.days == {NOW.date()}
    assert seen.coverage.feeds == {"trail"}
    assert seen.coverage.regions == {"eu-west-1"}


def test_real_log_files_are_recorded_and_once_more_says_nothing_new(
    aws: Stack, context: LambdaContext, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ACCOUNT_ID", INVICTUS_ACCOUNT)
    messages = []
    for file in INVICTUS:
        key = f"AWSLogs/{INVICTUS_ACCOUNT}/CloudTrail/us-east-1/2023/07/10/{file.name}"
        messages.append(put(key, raw=file.read_bytes()))
    for start in range(0, len(messages), 10):
        assert failed(handle_trail_logs(sqs_event(*messages[start : start + 10]), context)) == []
    first = items(aws)
    assert len(first) > 200
    assert sum(line["records"] for line in log.entries("usage recorded")) == 2_900
    assert {line["unreadable"] for line in log.entries("log files read")} == {0}

    known_entries.cache_clear()
    for start in range(0, len(messages), 10):
        handle_trail_logs(sqs_event(*messages[start : start + 10]), context)
    assert sum(line["writes"] for line in log.entries("usage recorded")[-6:]) == 0
    assert items(aws) == first


def test_one_message_may_tell_of_several_files(aws: Stack, context: LambdaContext) -> None:
    put(key_of("a"), record())
    put(key_of("b"), record("GetBucketAcl"))
    handle_trail_logs(sqs_event(told(key_of("a"), key_of("b"))), context)
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy", "s3:getbucketacl"}


def test_the_version_that_was_told_of_is_read(aws: Stack, context: LambdaContext) -> None:
    clients.s3().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put(key_of(), record())
    version = clients.s3().head_object(Bucket=BUCKET, Key=key_of())["VersionId"]
    put(key_of(), record("GetBucketAcl"))
    handle_trail_logs(sqs_event(told(key_of(), versionId=version)), context)
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy"}


def test_a_file_without_records_is_fine(aws: Stack, context: LambdaContext, log: LogLines) -> None:
    assert failed(handle_trail_logs(sqs_event(put(key_of())), context)) == []
    assert log.entries("log files read")[0]["unreadable"] == 0
    assert items(aws) == []


def test_the_test_event_of_a_new_notification_is_done_with(aws: Stack, context: LambdaContext) -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})
    assert failed(handle_trail_logs(sqs_event(body), context)) == []


@pytest.mark.parametrize(("mode", "accounts"), [("own", {ACCOUNT}), ("organization", {ACCOUNT, OTHER_ACCOUNT})])
def test_whose_usage_counts_is_a_setting(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, mode: str, accounts: set[str]
) -> None:
    monkeypatch.setenv("LEASTWISE_TRAIL_LOG_ACCOUNTS", mode)
    stranger = record(account=OTHER_ACCOUNT)
    handle_trail_logs(
        sqs_event(
            put(key_of("a"), record(), stranger),
            put(key_of("b", account=OTHER_ACCOUNT), stranger),
        ),
        context,
    )
    recorded = {account for account in (ACCOUNT, OTHER_ACCOUNT) if usage(aws, account).entries}
    covered = {account for account in (ACCOUNT, OTHER_ACCOUNT) if usage(aws, account).coverage.days}
    assert recorded == covered == accounts


# ---- what is left out


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (key_of(kind="CloudTrail-Digest"), "digest"),
        (key_of(kind="CloudTrail-Insight"), "insights"),
        (key_of(kind="Config"), "other"),
        ("holiday.jpg", "other"),
        (key_of(account=OTHER_ACCOUNT), "other_account"),
    ],
)
def test_other_objects_are_left_out_by_reason_and_counted(
    aws: Stack, context: LambdaContext, log: LogLines, key: str, reason: str
) -> None:
    put(key_of("good"), record())
    assert failed(handle_trail_logs(sqs_event(told(key), told(key_of("good"))), context)) == []
    [line] = log.entries("log file left out")
    assert (line["key"], line["reason"]) == (key, reason)
    assert log.entries("log files read")[0]["left_out"] == {reason: 1}
    assert usage(aws).entries


def test_an_empty_object_is_left_out(
    aws: Stack, context: LambdaContext, log: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failed(handle_trail_logs(sqs_event(told(key_of(), size=0)), context)) == []
    assert [line["reason"] for line in log.entries("log file left out")] == ["empty"]
    assert '"TrailLogsLeftOutEmpty":[1.0]' in capsys.readouterr().out


# ---- what can't be read


def test_unreadable_parts_are_counted_and_named_and_the_rest_is_recorded(
    aws: Stack, context: LambdaContext, log: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    body = put(key_of(), record(), record(eventTime=CANARY), record("GetBucketAcl"))
    assert failed(handle_trail_logs(sqs_event(body), context)) == []
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy", "s3:getbucketacl"}
    [line] = log.entries("unreadable part of a log file")
    assert (line["key"], line["position"] > 0) == (key_of(), True)
    assert line["reason"].startswith("eventTime")
    assert '"UnreadableRecords":[1.0]' in capsys.readouterr().out
    assert CANARY not in log.text


def test_many_unreadable_parts_are_all_counted_and_some_logged(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    handle_trail_logs(sqs_event(put(key_of(), record(), *[record(eventTime=CANARY)] * 100)), context)
    assert len(log.entries("unreadable part of a log file")) == MAX_LOGGED
    assert log.entries("log files read")[0]["unreadable"] == 100


def test_records_of_the_future_are_counted_and_not_recorded(
    aws: Stack, context: LambdaContext, log: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given times that would outlive every window, and clocks that disagree by less than a day."""
    ahead = [record("GetBucketAcl", eventTime=f"2026-03-{day:02d}T12:00:01Z") for day in (2, 3)]
    soon = record("ListBuckets", eventTime="2026-03-02T12:00:00Z")
    assert failed(handle_trail_logs(sqs_event(put(key_of(), record(), soon, *ahead)), context)) == []
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy", "s3:listallmybuckets"}
    assert usage(aws).coverage.days == {NOW.date(), NOW.date() + timedelta(days=1)}
    [line] = log.entries("unreadable part of a log file")
    assert (line["key"], line["count"]) == (key_of(), 2)
    assert line["reason"] == "eventTime: more than 1 day in the future"
    assert '"UnreadableRecords":[2.0]' in capsys.readouterr().out


def test_one_item_that_cannot_be_read_keeps_no_other_account_from_being_covered(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    monkeypatch.setenv("LEASTWISE_TRAIL_LOG_ACCOUNTS", "organization")
    key = {"pk": f"IDENTITY#{ACCOUNT}#{USER_ID}", "sk": "ACTION#s3:getbucketpolicy"}
    aws.table(aws.usage_table).put({**key, "format": 1})
    batch = sqs_event(put(key_of(), record(), record("GetBucketAcl"), record(account=OTHER_ACCOUNT)))
    with pytest.raises(InputError, match="ACTION#s3:getbucketpolicy: can't be read"):
        handle_trail_logs(batch, context)
    assert usage(aws, OTHER_ACCOUNT).coverage.days == {NOW.date()}
    stored = {item["sk"]["S"] for item in items(aws) if item["pk"]["S"].split("#")[1] == ACCOUNT}
    assert stored == {key["sk"], "ACTION#s3:getbucketacl"}, "and no day"
    assert log.entries("usage recorded")[0]["writes"] == 3


def test_a_file_that_is_cut_off_gives_what_it_has(aws: Stack, context: LambdaContext, log: LogLines) -> None:
    records = [record(requestID=f"{number:x}" * 30) for number in range(500)]
    whole = gzip.compress(json.dumps({"Records": [record("GetBucketAcl"), *records]}).encode())
    assert failed(handle_trail_logs(sqs_event(put(key_of(), raw=whole[: len(whole) // 2])), context)) == []
    assert "s3:getbucketacl" in usage(aws).entries
    assert log.entries("log files read")[0]["unreadable"] >= 1


def test_a_file_that_is_no_log_is_unreadable_and_no_failure(aws: Stack, context: LambdaContext, log: LogLines) -> None:
    assert failed(handle_trail_logs(sqs_event(put(key_of(), raw=b"\xff\xd8\xff holiday")), context)) == []
    assert log.entries("log files read")[0]["unreadable"] >= 1


def test_a_file_that_is_gone_comes_back_with_its_name_and_the_others_are_recorded(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    batch = sqs_event(told(key_of("gone")), put(key_of("good"), record()))
    assert failed(handle_trail_logs(batch, context)) == ["m0"]
    [line] = log.entries("message failed")
    assert (line["error"], line["retry_can_help"]) == ("NotFoundError", True)
    assert key_of("gone") in line["reason"]
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy"}


def test_of_one_message_all_files_are_tried_and_it_comes_back_for_one(aws: Stack, context: LambdaContext) -> None:
    put(key_of("good"), record())
    batch = sqs_event(told(key_of("gone"), key_of("good")), put(key_of("other"), record("GetBucketAcl")))
    assert failed(handle_trail_logs(batch, context)) == ["m0"]
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy", "s3:getbucketacl"}


@pytest.mark.parametrize("code", ["AccessDenied", "KMS.DisabledException", "SlowDown"])
def test_a_file_that_is_refused_is_an_error_and_never_no_usage(
    aws: Stack, context: LambdaContext, log: LogLines, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    body = put(key_of(), record())

    def refuse(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == "GetObject":
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation_name)
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    with pytest.raises(BatchProcessingError, match=code):
        handle_trail_logs(sqs_event(body), context)
    assert log.entries("message failed")[0]["reason"].startswith(f"GetObject s3://{BUCKET}/{key_of()}: {code}")
    assert items(aws) == [], "not even coverage"


def test_another_bucket_is_refused(aws: Stack, context: LambdaContext, log: LogLines) -> None:
    clients.s3().create_bucket(Bucket="foreign")
    clients.s3().put_object(Bucket="foreign", Key=key_of(), Body=gzip.compress(json.dumps([record()]).encode()))
    with pytest.raises(BatchProcessingError):
        handle_trail_logs(sqs_event(told(key_of(), bucket="foreign")), context)
    [line] = log.entries("message failed")
    assert (line["reason"], line["retry_can_help"]) == ("object in bucket 'foreign', expected trail", False)
    assert items(aws) == []


def test_a_bucket_that_changed_hands_is_not_read(aws: Stack, context: LambdaContext) -> None:
    asked: list[str | None] = []
    clients.s3().meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: asked.append(params.get("ExpectedBucketOwner"))
    )
    handle_trail_logs(sqs_event(put(key_of(), record())), context)
    assert asked == [ACCOUNT], "S3 compares it with the owner"


def test_a_malformed_message_fails_alone_and_its_content_is_not_logged(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    batch = sqs_event(CANARY, json.dumps({"Records": [{"s3": CANARY}]}), put(key_of(), record()))
    assert failed(handle_trail_logs(batch, context)) == ["m0", "m1"]
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy"}
    assert CANARY not in log.text


def test_a_ledger_that_fails_sends_the_whole_batch_back(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = put(key_of(), record())
    monkeypatch.setenv("LEASTWISE_USAGE_TABLE", "nowhere")
    with pytest.raises(DependencyError, match="nowhere"):
        handle_trail_logs(sqs_event(body), context)


def hurried(monkeypatch: pytest.MonkeyPatch, *, looks: int) -> None:
    """Let the time be up after this many looks at the clock."""
    reserved = int(RESERVED_SECONDS * 1_000)
    left = itertools.chain(itertools.repeat(reserved, looks), itertools.repeat(reserved - 1))
    monkeypatch.setattr(FakeContext, "get_remaining_time_in_millis", lambda _: next(left))


def test_what_is_not_finished_in_time_comes_back_and_what_was_read_of_it_is_recorded(
    aws: Stack, context: LambdaContext, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a file of several pieces, and time for the first file and one piece of the second
    long = [record("GetBucketAcl"), *[record(requestParameters={"x": "y" * 10_000}) for _ in range(500)]]
    batch = sqs_event(put(key_of("a"), record()), put(key_of("b"), *long), put(key_of("c"), record("DeleteBucket")))
    hurried(monkeypatch, looks=4)
    assert failed(handle_trail_logs(batch, context)) == ["m1", "m2"]
    reasons = [line["reason"] for line in log.entries("message failed")]
    assert all("not finished within the function's time" in reason for reason in reasons)
    assert key_of("b") in reasons[0]
    assert ", 0 bytes of it read" in reasons[1]
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy", "s3:getbucketacl"}


def test_a_connection_that_breaks_in_the_middle_is_made_good(aws: Stack, context: LambdaContext) -> None:
    body = put(key_of(), record(), record("GetBucketAcl"))
    left = [10, 3]

    def spoil(parsed: dict[str, Any], **_: Any) -> None:
        if left and "Body" in parsed:
            good, read = left.pop(0), parsed["Body"].read
            parsed["Body"].read = lambda size: read(good) if not left else b""

    clients.s3().meta.events.register("after-call.s3.GetObject", spoil)
    assert failed(handle_trail_logs(sqs_event(body), context)) == []
    assert usage(aws).entries.keys() == {"s3:getbucketpolicy", "s3:getbucketacl"}


def test_the_day_is_of_the_records_and_not_of_the_clock(aws: Stack, context: LambdaContext) -> None:
    handle_trail_logs(sqs_event(put(key_of(), record(eventTime="2026-02-27T23:59:59Z"))), context)
    assert usage(aws).coverage.days == {datetime(2026, 2, 27, tzinfo=UTC).date()}
