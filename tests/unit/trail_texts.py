"""Records for the tests of reading trails, and the texts that they come in."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.scorer.trail.reader import Unreadable, read_batches
from services.scorer.trail.record import Record

Json = dict[str, Any]
SESSION = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLEEXAMPLE123:orders-1",
    "arn": "arn:aws:sts::111122223333:assumed-role/orders/orders-1",
    "accountId": "111122223333",
    "accessKeyId": "ASIAEXAMPLEEXAMPLE12",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLEEXAMPLE123",
            "arn": "arn:aws:iam::111122223333:role/orders",
            "accountId": "111122223333",
            "userName": "orders",
        },
        "attributes": {"creationDate": "2026-03-01T09:00:00Z", "mfaAuthenticated": "false"},
    },
}


def record(number: int = 0, **changes: Any) -> Json:
    """A record as CloudTrail writes it, told from others by its number; a change to None leaves the field out."""
    made = {
        "eventVersion": "1.09",
        "userIdentity": SESSION,
        "eventTime": "2026-03-01T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": 'a "quoted" {agent}, with [brackets]\\',
        "requestParameters": {"bucketName": "bucket", "key": f"key-{number}"},
        "responseElements": None,
        "eventID": f"id-{number}",
        "readOnly": True,
        "resources": [{"ARN": f"arn:aws:s3:::bucket/key-{number}", "accountId": "111122223333", "type": "x"}],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": "111122223333",
        "eventCategory": "Data",
    }
    return {name: value for name, value in (made | changes).items() if value is not None or name not in changes}


class Chunked:
    """A stream that gives at most so many bytes at a time."""

    def __init__(self, data: bytes, chunk: int = 1 << 20) -> None:
        self._stream = io.BytesIO(data)
        self._chunk = chunk

    def read(self, size: int, /) -> bytes:
        """As SupportsRead has it."""
        return self._stream.read(min(size, self._chunk))


def read(data: bytes | str, *, name: str = "x", chunk: int = 1 << 20) -> tuple[list[Record], list[Unreadable]]:
    """All records and faults of a text."""
    records: list[Record] = []
    unreadable: list[Unreadable] = []
    for batch in read_batches(Chunked(data.encode() if isinstance(data, str) else data, chunk), name):
        records += batch.records
        unreadable += batch.unreadable
    return records, unreadable


def ids(records: Iterable[Record]) -> list[str | None]:
    """What tells records apart."""
    return [record.event_id for record in records]


def event(detail: Json) -> Json:
    """An EventBridge event."""
    return {
        "version": "0",
        "id": "11111111-2222-3333-4444-555555555555",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-03-01T10:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


def looked_up(detail: Json) -> Json:
    """An entry of the answer of LookupEvents."""
    return {
        "EventId": detail.get("eventID"),
        "EventName": detail.get("eventName"),
        "ReadOnly": "true",
        "EventTime": "2026-03-01T10:00:00+00:00",
        "Resources": [{"ResourceType": "AWS::S3::Bucket", "ResourceName": "bucket"}],
        "CloudTrailEvent": json.dumps(detail),
    }


def lower(detail: Json) -> Json:
    """A row of a query over a table with lower-case columns, as JSON."""
    columns = {name.lower(): _lowered(value, text=name in TEXT_COLUMNS) for name, value in detail.items()}
    return {"errorcode": None} | columns


TEXT_COLUMNS = {"requestParameters", "responseElements", "additionalEventData"}


def _lowered(value: Any, *, text: bool = False) -> Any:
    if text:
        return None if value is None else json.dumps(value)
    if isinstance(value, Mapping):
        return {name.lower(): _lowered(inner) for name, inner in value.items()}
    return [_lowered(inner) for inner in value] if isinstance(value, list) else value


def structure(value: Any) -> str:
    """A value as Athena and CloudTrail Lake write it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name.lower()}={structure(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(structure, value)) + "]"
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if not isinstance(value, str) else value


def flat_map(value: Mapping[str, Any]) -> str:
    """A map of text to text as CloudTrail Lake writes it; what is nested in it is JSON."""
    return "{" + ", ".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in value.items()) + "}"


def with_error_code(detail: Json) -> Json:
    """A record with the field that a row of a query has even where nothing went wrong."""
    return {"errorCode": None, **detail}


def lake_columns(detail: Json) -> dict[str, str]:
    """Columns of a row of CloudTrail Lake, all text."""
    columns = {
        name: flat_map(value) if name in TEXT_COLUMNS and value is not None else structure(value)
        for name, value in with_error_code(detail).items()
    }
    columns["eventTime"] = detail["eventTime"].replace("T", " ").replace("Z", ".000")
    return columns


def athena_columns(detail: Json) -> dict[str, str]:
    """Columns of a row of Athena, all text: null is empty and the request is JSON."""
    return {
        name.lower(): "" if value is None else json.dumps(value) if name in TEXT_COLUMNS else structure(value)
        for name, value in detail.items()
    }


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """Rows as CSV, as both services write it."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[row.get(name, "") for name in columns] for row in rows])
    return text.getvalue()


def _lines(items: Iterable[Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


COLUMNS = [*record(), "errorCode", "errorMessage"]
Details = Sequence[Json]
FORMATS: dict[str, Callable[[Details], str]] = {
    "trail log": lambda details: json.dumps({"Records": details}, separators=(",", ":")),
    "trail log, pretty": lambda details: json.dumps({"Records": details}, indent=4),
    "trail log, sorted": lambda details: json.dumps({"Records": details}, sort_keys=True),
    "other keys around": lambda details: json.dumps({"a": {"Records": [1]}, "Records": details, "z": [{}]}),
    "array": json.dumps,
    "array, pretty": lambda details: json.dumps(details, indent=1),
    "lines": _lines,
    "documents, pretty": lambda details: "\n".join(json.dumps(detail, indent=2) for detail in details),
    "documents without space": lambda details: "".join(map(json.dumps, details)),
    "several trail logs": lambda details: "\n".join(json.dumps({"Records": [detail]}) for detail in details),
    "event lines": lambda details: _lines(map(event, details)),
    "event array": lambda details: json.dumps(list(map(event, details))),
    "events, pretty": lambda details: "\n".join(json.dumps(event(detail), indent=2) for detail in details),
    "lookup": lambda details: json.dumps({"Events": list(map(looked_up, details)), "NextToken": "x"}, indent=4),
    "lookup, token first": lambda details: json.dumps({"NextToken": "x", "Events": list(map(looked_up, details))}),
    "lookup lines": lambda details: _lines(map(looked_up, details)),
    "lake rows": lambda details: json.dumps(
        {
            "QueryStatus": "FINISHED",
            "QueryStatistics": {"ResultsCount": 1},
            "QueryResultRows": [[{k: v} for k, v in lake_columns(detail).items()] for detail in details],
        },
        indent=4,
    ),
    "lake record column": lambda details: json.dumps(
        {"QueryResultRows": [[{"eventJson": json.dumps(detail)}] for detail in details]}
    ),
    "lake lines": lambda details: _lines(map(lake_columns, details)),
    "lower-case lines": lambda details: _lines(map(lower, details)),
    "lake csv": lambda details: table(list(map(lake_columns, details)), COLUMNS),
    "athena csv": lambda details: table(list(map(athena_columns, details)), [name.lower() for name in COLUMNS]),
}


def zipped(text: str | bytes) -> bytes:
    """One gzip member."""
    return gzip.compress(text.encode() if isinstance(text, str) else text, mtime=0)
