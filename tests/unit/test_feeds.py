"""What arrives in the feeds' queues: envelopes around records, and word of new objects in every form that AWS has."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.feeds.envelopes import record_in
from services.scorer.feeds.notifications import NewObject, new_objects
from services.scorer.feeds.selection import LeftOut, why_left_out
from shared.errors import InputError
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT, cloudtrail_body, envelope

EVENTS = Path(__file__).parents[1] / "events" / "s3"
CANARY = "AKIACANARYCANARY0000"
RECORD = {"eventTime": "2026-03-01T12:00:00Z", "eventName": "ListBuckets", "userIdentity": {"type": "IAMUser"}}


# ---- envelopes


def test_the_record_of_an_envelope_is_read_with_one_look() -> None:
    record = record_in(cloudtrail_body(RECORD), account_id=ACCOUNT, now=NOW)
    assert record.event_name == "ListBuckets"
    assert record.event_time.isoformat() == "2026-03-01T12:00:00+00:00"
    assert record.user_identity is not None
    assert record.user_identity.type == "IAMUser"


def test_a_record_of_the_next_day_is_still_taken() -> None:
    """Given clocks that disagree."""
    body = cloudtrail_body(RECORD | {"eventTime": "2026-03-02T14:00:00+02:00"})
    assert record_in(body, account_id=ACCOUNT, now=NOW).event_time == NOW + timedelta(days=1)


BAD_ENVELOPES = {
    "empty": ("", "$: input data was truncated"),
    "text": (CANARY, "$: JSON is malformed"),
    "half": (cloudtrail_body(RECORD)[:-20], "$: input data was truncated"),
    "list": ("[]", "$: expected object, got array"),
    "no detail": ('{"account": "123456789012"}', "$: object missing required field detail"),
    "no account": (json.dumps({"detail": RECORD}), "$: object missing required field account"),
    "detail is text": (json.dumps({"account": ACCOUNT, "detail": CANARY}), "detail: expected object, got str"),
    "no time": (cloudtrail_body({"eventName": "x"}), "detail: object missing required field eventTime"),
    "wrong time": (cloudtrail_body({"eventTime": CANARY}), "detail.eventTime: invalid RFC3339"),
    "future": (
        cloudtrail_body(RECORD | {"eventTime": "2026-03-02T12:00:01Z"}),
        "detail.eventTime: more than 1 day in the future",
    ),
    "far future": (
        cloudtrail_body(RECORD | {"eventTime": "9999-12-31T23:59:59-23:59"}),
        "detail.eventTime: more than 1 day in the future",
    ),
    "wrong type": (cloudtrail_body(RECORD | {"eventName": [CANARY]}), "detail.eventName: expected str | null"),
    "wrong caller": (cloudtrail_body(RECORD | {"userIdentity": CANARY}), "detail.userIdentity: expected object"),
    "deep": ('{"x":' * 100_000, "$: nested too deep"),
    "lone surrogate": ('"\ud800"', "$: not valid Unicode"),
    "stranger": (cloudtrail_body(RECORD, account=OTHER_ACCOUNT), "event of account '210987654321', expected"),
    "long stranger": (json.dumps({"account": "9" * 999, "detail": RECORD}), f"event of account '{'9' * 64}',"),
}


@pytest.mark.parametrize("case", BAD_ENVELOPES)
def test_a_bad_envelope_is_refused_with_place_and_reason_and_without_its_content(case: str) -> None:
    body, reason = BAD_ENVELOPES[case]
    with pytest.raises(InputError) as caught:
        record_in(body, account_id=ACCOUNT, now=NOW)
    said = str(caught.value).removeprefix("not an EventBridge event with a CloudTrail record: ")
    assert said.startswith(reason)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# ---- notifications


def s3_record(key: str, bucket: str = "trail", name: str = "ObjectCreated:Put", **more: Any) -> dict[str, Any]:
    contents = {"bucket": {"name": bucket, "arn": "x"}, "object": {"key": quote_plus(key, safe="/"), **more}}
    return {"eventVersion": "2.6", "eventSource": "aws:s3", "eventName": name, "s3": contents}


def by_s3(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": records})


def by_sns(message: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": message, "Signature": "s"})


def by_eventbridge(key: str, bucket: str = "trail", **more: Any) -> str:
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, **more}, "reason": "PutObject"}
    return json.dumps(envelope(detail, detail_type="Object Created", source="aws.s3"))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "created.json",
            [NewObject("lambda-artifacts-deafc19498e3f2df", "b21b84d653bb07b05b1e6b33684dc11b", 1_305_107)],
        ),
        ("created-versioned.json", [NewObject("sourcebucket", "Happy Face.jpg", 1_024, "version")]),
        ("removed.json", []),
        ("eventbridge-created.json", [NewObject("example-bucket", "IMG_m7fzo3.jpg", 184_662)]),
        ("eventbridge-deleted.json", []),
    ],
)
def test_the_events_of_real_projects_are_read_by_themselves_and_by_sns(file: str, expected: list[NewObject]) -> None:
    body = (EVENTS / file).read_text(encoding="utf-8")
    assert new_objects(body) == expected
    assert new_objects(by_sns(body)) == expected


def test_several_objects_in_one_message_are_all_told() -> None:
    body = by_s3(s3_record("a", size=1), s3_record("b", name="ObjectRemoved:Delete"), s3_record("c", versionId=None))
    assert new_objects(body) == [NewObject("trail", "a", 1), NewObject("trail", "c")]


@pytest.mark.parametrize(
    "name", ["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:Copy"]
)
def test_every_way_to_create_an_object_counts(name: str) -> None:
    assert new_objects(by_s3(s3_record("a", name=name))) == [NewObject("trail", "a")]


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50),
    size=st.integers(0, 2**40),
    version=st.none() | st.text("aB_.-0", min_size=1, max_size=20),
)
@settings(deadline=None)
def test_all_forms_tell_the_same_of_any_key(key: str, size: int, version: str | None) -> None:
    bridged: dict[str, Any] = {"size": size} | ({"version-id": version} if version else {})
    forms = [by_s3(s3_record(key, size=size, versionId=version)), by_eventbridge(key, **bridged)]
    told = [new_objects(form) for form in [*forms, *map(by_sns, forms)]]
    assert told == [[NewObject("trail", key, size, version)]] * 4


def test_the_test_event_of_a_new_notification_tells_of_nothing() -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-01", "Bucket": "trail"})
    assert new_objects(body) == new_objects(by_sns(body)) == []


BAD_NOTIFICATIONS = {
    "empty": ("", "$: input data was truncated"),
    "text": (CANARY, "$: JSON is malformed"),
    "nothing of S3": (json.dumps({"x": CANARY}), "not a notification of S3"),
    "another test": (json.dumps({"Event": CANARY}), "not a notification of S3"),
    "another source": (json.dumps({"source": CANARY, "detail-type": "Object Created"}), "not a notification of S3"),
    "a subscription": (json.dumps({"Type": "SubscriptionConfirmation", "Message": CANARY}), "not a notification of S3"),
    "SNS in SNS": (by_sns(by_sns(by_s3())), "not a notification of S3"),
    "text by SNS": (by_sns(CANARY), "by SNS: $: JSON is malformed"),
    "records of others": (by_s3({**s3_record("a"), "eventSource": CANARY}), "Records[].eventSource: not aws:s3"),
    "no key": (by_s3({**s3_record("a"), "s3": {"bucket": {"name": "b"}, "object": {}}}), "Records[0].s3.object: "),
    "wrong key": (json.dumps({"Records": CANARY}), "Records: expected array | null, got str"),
    "key in no code": (by_s3(s3_record("a")).replace('"a"', '"%ff"'), "Records[].s3.object.key: not URL-encoded"),
    "no object": (
        by_eventbridge("a").replace('"object"', '"x"'),
        "by EventBridge: $: object missing required field object",
    ),
    "deep": ("[" * 100_000, "$: expected object, got array"),
    "deep inside": ('{"detail":' * 100_000, "$: nested too deep"),
}


@pytest.mark.parametrize("case", BAD_NOTIFICATIONS)
def test_what_is_no_notification_is_refused_with_the_reason_and_without_its_content(case: str) -> None:
    body, reason = BAD_NOTIFICATIONS[case]
    with pytest.raises(InputError) as caught:
        new_objects(body)
    assert reason in str(caught.value)
    assert CANARY not in str(caught.value)


# ---- selection

DAY = "2026/03/01"
RANDOM = "20260301T1200Z_abcdefghijklmnop.json.gz"
OWN = f"AWSLogs/{ACCOUNT}"
TRAIL = f"{OWN}/CloudTrail/eu-west-1/{DAY}/{ACCOUNT}_CloudTrail_eu-west-1_{RANDOM}"
INSIGHTS = f"{OWN}/CloudTrail-Insight/eu-west-1/{DAY}/{ACCOUNT}_CloudTrail-Insight_eu-west-1_{RANDOM}"
DIGEST = f"{OWN}/CloudTrail-Digest/eu-west-1/{DAY}/{ACCOUNT}_CloudTrail-Digest_eu-west-1_t_eu-west-1_{RANDOM}"
SELECTED = {
    "own": (TRAIL, None),
    "under a prefix": (f"logs/of all/{TRAIL}", None),
    "of an organization": (TRAIL.replace("AWSLogs/", "AWSLogs/o-exampleorg/", 1), None),
    "digest": (DIGEST, LeftOut.DIGEST),
    "Insights": (INSIGHTS, LeftOut.INSIGHTS),
    "AWS Config": (
        f"{OWN}/Config/eu-west-1/2026/3/1/ConfigHistory/{ACCOUNT}_Config_eu-west-1_x.json.gz",
        LeftOut.OTHER,
    ),
    "load balancer": (f"{OWN}/elasticloadbalancing/eu-west-1/{DAY}/x.log.gz", LeftOut.OTHER),
    "anything": ("holiday.jpg", LeftOut.OTHER),
    "another account": (TRAIL.replace(ACCOUNT, OTHER_ACCOUNT), LeftOut.OTHER_ACCOUNT),
}


@pytest.mark.parametrize("case", SELECTED)
def test_only_log_files_of_the_trail_are_read(case: str) -> None:
    key, expected = SELECTED[case]
    assert why_left_out(NewObject("trail", key, 100), only_account=ACCOUNT) == expected
    assert why_left_out(NewObject("trail", key), only_account=ACCOUNT) == expected, "its size isn't known"


def test_an_empty_object_is_left_out() -> None:
    assert why_left_out(NewObject("trail", TRAIL, 0), only_account=ACCOUNT) is LeftOut.EMPTY


def test_with_everybody_counted_files_of_any_account_are_read() -> None:
    key = SELECTED["another account"][0]
    assert why_left_out(NewObject("trail", key, 100), only_account=None) is None
