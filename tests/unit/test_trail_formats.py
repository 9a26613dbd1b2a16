"""Every form that CloudTrail's records come in gives the same records."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from services.scorer.trail.reader import Unreadable
from services.scorer.trail.record import Record
from tests.unit.trail_texts import FORMATS, Json, event, ids, read, record, zipped

DETAILS = [
    record(1),
    record(2, errorCode="AccessDenied", errorMessage="User is not authorized, sorry", requestParameters=None),
    record(3, requestParameters={"roleArn": "arn:aws:iam::111122223333:role/x", "nested": {"items": [{"a": "b"}]}}),
    record(4, userIdentity={"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}, resources=None),
    record(5, eventTime="2026-03-02T00:00:00Z", managementEvent=True, eventCategory="Management"),
]
ROOT = Path(__file__).parents[2]


def as_facts(records: list[Record]) -> list[Json]:
    """What the records say, with the parts that stay JSON decoded."""
    return [
        {name: msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value for name, value in fields}
        for fields in ([(name, getattr(record, name)) for name in record.__struct_fields__] for record in records)
    ]


EXPECTED = as_facts([msgspec.json.decode(json.dumps(detail), type=Record) for detail in DETAILS])


@pytest.mark.parametrize("chunk", [7, 1 << 20])
@pytest.mark.parametrize("pack", [str.encode, zipped], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_form_gives_the_same_records(form: str, pack: Callable[[str], bytes], chunk: int) -> None:
    records, unreadable = read(pack(FORMATS[form](DETAILS)), chunk=chunk)
    assert unreadable == []
    assert as_facts(records) == EXPECTED


@pytest.mark.parametrize("form", FORMATS)
def test_a_byte_order_mark_is_skipped(form: str) -> None:
    records, unreadable = read(b"\xef\xbb\xbf" + FORMATS[form](DETAILS).encode())
    assert (ids(records), unreadable) == (["id-1", "id-2", "id-3", "id-4", "id-5"], [])


@pytest.mark.parametrize("form", FORMATS)
def test_more_records_than_a_piece_holds_keep_their_order(form: str) -> None:
    records, unreadable = read(zipped(FORMATS[form]([record(number) for number in range(1_500)])))
    assert unreadable == []
    assert ids(records) == [f"id-{number}" for number in range(1_500)]


@pytest.mark.parametrize("text", ['{"Records":[]}', '{"Records": [ ] }\n', "[]", '{"Events":[],"NextToken":"x"}'])
def test_nothing_in_a_whole_file_is_no_fault(text: str) -> None:
    assert read(text) == ([], [])


@pytest.mark.parametrize("text", [b"", b" \n", zipped(""), b"\xef\xbb\xbf"])
def test_an_empty_file_is_told(text: bytes) -> None:
    assert read(text) == ([], [Unreadable(0, "empty")])


def test_a_single_record_and_a_single_event() -> None:
    for item in (record(7), event(record(7))):
        for indent in (None, 2):
            records, unreadable = read(json.dumps(item, indent=indent))
            assert (ids(records), unreadable) == (["id-7"], [])


def test_an_insights_record_is_read_as_what_it_is() -> None:
    insight = {
        "eventVersion": "1.07",
        "eventTime": "2026-03-01T10:00:00Z",
        "awsRegion": "eu-west-1",
        "eventID": "id-1",
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": "111122223333",
        "insightDetails": {"state": "Start", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"},
        "eventCategory": "Insight",
    }
    records, unreadable = read(json.dumps({"Records": [insight]}))
    assert unreadable == []
    assert [(r.event_type, r.event_category, r.event_source) for r in records] == [
        ("AwsCloudTrailInsight", "Insight", None)
    ]


def test_a_digest_file_is_left_out_with_its_reason() -> None:
    digest = {
        "awsAccountId": "111122223333",
        "digestStartTime": "2026-03-01T10:00:00Z",
        "digestEndTime": "2026-03-01T11:00:00Z",
        "logFiles": [{"s3Object": "AWSLogs/x.json.gz", "hashValue": "0" * 64} for _ in range(20_000)],
    }
    assert read(zipped(json.dumps(digest))) == ([], [Unreadable(0, "digest file")])


@pytest.mark.parametrize("folder", ["infra/local/records/invictus", "tests/data/cloudtrail/stratus-red-team"])
def test_real_records_are_all_read(folder: str) -> None:
    files = sorted(file for file in (ROOT / folder).rglob("*") if file.name.endswith((".json.gz", ".json")))
    assert files
    for file in files:
        data = file.read_bytes()
        known = json.loads(gzip.decompress(data) if file.suffix == ".gz" else data)
        known = known["Records"] if isinstance(known, dict) else known
        records, unreadable = read(data, name=str(file))
        assert (ids(records), unreadable) == ([entry["eventID"] for entry in known], [])
