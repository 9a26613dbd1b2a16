"""A bucket of logs on moto: objects as streams over connections that break, and the keys of a range of days."""

import hashlib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError
from urllib3.exceptions import SSLError

from shared.aws import clients
from shared.aws.s3 import MAX_RESUMPTIONS, PIECE_BYTES, LogBucket
from shared.errors import DeniedError, DependencyError, NotFoundError
from tests.builders import ACCOUNT, OTHER_ACCOUNT
from tests.conftest import Stack

BUCKET = "trail"
KEY = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/01/a b+c.json.gz"
CONTENT = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(PIECE_BYTES * 3 // 32)) + b"end"

Break = Callable[[], bytes]


class BreakingBody:
    """A response body that is fine for `good` bytes; then `how` decides."""

    def __init__(self, body: Any, good: int, how: Break) -> None:
        self._body, self._good, self._how = body, good, how

    def read(self, size: int) -> bytes:
        """As StreamingBody.read."""
        if not self._good:
            return self._how()
        piece: bytes = self._body.read(min(size, self._good))
        self._good -= len(piece)
        return piece

    def close(self) -> None:
        """As StreamingBody.close."""
        self._body.close()


def raising(error: Exception) -> Break:
    def fail() -> bytes:
        raise error

    return fail


BREAKS: dict[str, Break] = {
    "ends early": lambda: b"",
    "counted short": raising(IncompleteReadError(actual_bytes=1, expected_bytes=2)),
    "timed out": raising(ReadTimeoutError(endpoint_url="https://s3")),
    "TLS failed": raising(SSLError("bad record")),
}


@pytest.fixture
def bucket(aws: Stack) -> LogBucket:
    clients.s3().create_bucket(Bucket=BUCKET)
    put(KEY, CONTENT)
    return LogBucket(clients.s3(), BUCKET)


def put(key: str, content: bytes = b"x") -> str | None:
    return clients.s3().put_object(Bucket=BUCKET, Key=key, Body=content).get("VersionId")


def break_bodies(*plan: tuple[int, str]) -> list[dict[str, Any]]:
    """Let the next answers break as planned: (good bytes, kind of break); gives the list of requests made."""
    left, requests = list(plan), []

    def spoil(parsed: dict[str, Any], **_: Any) -> None:
        if left and "Body" in parsed:
            good, how = left.pop(0)
            parsed["Body"] = BreakingBody(parsed["Body"], good, BREAKS[how])

    events = clients.s3().meta.events
    events.register("after-call.s3.GetObject", spoil)
    events.register("provide-client-params.s3.GetObject", lambda params, **_: requests.append(params))
    return requests


@pytest.mark.parametrize("size", [1_000, PIECE_BYTES, PIECE_BYTES + 1, 10 * PIECE_BYTES, -1])
def test_an_object_is_read_as_it_is_stored_in_pieces_of_any_size(bucket: LogBucket, size: int) -> None:
    with bucket.open(KEY) as stream:
        pieces = []
        while piece := stream.read(size):
            pieces.append(piece)
    assert b"".join(pieces) == CONTENT
    assert stream.size == len(CONTENT)


def test_an_empty_object_ends_at_once(bucket: LogBucket) -> None:
    put("empty", b"")
    with bucket.open("empty") as stream:
        assert (stream.size, stream.read(10), stream.read()) == (0, b"", b"")


@pytest.mark.parametrize("how", BREAKS)
def test_a_connection_that_breaks_is_made_good_at_the_same_byte_of_the_same_object(bucket: LogBucket, how: str) -> None:
    for good in (0, 1, PIECE_BYTES, len(CONTENT) - 1):
        requests = break_bodies((good, how), (7, how))
        with bucket.open(KEY) as stream:
            assert stream.read() == CONTENT
        assert [request.get("Range") for request in requests][:2] == [None, f"bytes={good}-"]
        assert all(request["IfMatch"] for request in requests[1:])


@pytest.mark.parametrize("how", BREAKS)
def test_a_connection_that_keeps_breaking_is_an_error_and_not_the_end(bucket: LogBucket, how: str) -> None:
    requests = break_bodies(*[(3, how)] * 100)
    with bucket.open(KEY) as stream, pytest.raises(DependencyError, match=f"after 18 of {len(CONTENT)} bytes"):
        stream.read()
    assert len(requests) == 1 + MAX_RESUMPTIONS


def test_an_object_that_was_replaced_while_it_was_read_is_an_error(bucket: LogBucket) -> None:
    break_bodies((5, "ends early"))
    with bucket.open(KEY) as stream:
        put(KEY, b"another")
        with pytest.raises(DependencyError, match="PreconditionFailed"):
            stream.read()


def test_an_answer_that_starts_elsewhere_is_an_error(bucket: LogBucket) -> None:
    break_bodies((5, "ends early"))

    def ignore_range(params: dict[str, Any], **_: Any) -> None:
        params.pop("Range", None)

    clients.s3().meta.events.register("provide-client-params.s3.GetObject", ignore_range)
    with bucket.open(KEY) as stream, pytest.raises(DependencyError, match="asked for bytes 5-"):
        stream.read()


def test_the_version_that_was_asked_for_is_read_and_resumed(bucket: LogBucket) -> None:
    clients.s3().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = put("versioned", b"first version")
    put("versioned", b"second")
    break_bodies((5, "ends early"))
    with bucket.open("versioned", first) as stream:
        assert stream.read() == b"first version"


def test_what_is_not_there_is_an_error_that_names_it(bucket: LogBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="GetObject s3://trail/gone: NoSuchKey"):
        bucket.open("gone")
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        LogBucket(clients.s3(), "nowhere").open("x")
    with pytest.raises(NotFoundError, match="ListObjectsV2 s3://nowhere/p: NoSuchBucket"):
        list(LogBucket(clients.s3(), "nowhere").log_keys("p"))


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDenied", DeniedError), ("NoSuchVersion", NotFoundError), ("KMS.DisabledException", DependencyError)],
)
def test_a_refusal_is_an_error_that_names_the_object(
    bucket: LogBucket, monkeypatch: pytest.MonkeyPatch, code: str, error: type[DependencyError]
) -> None:
    def refuse(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation_name)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    with pytest.raises(error, match=f"GetObject s3://trail/x: {code}"):
        bucket.open("x")


def test_every_call_says_who_must_own_the_bucket(bucket: LogBucket) -> None:
    said: list[str | None] = []
    clients.s3().meta.events.register(
        "provide-client-params.s3.*", lambda params, **_: said.append(params.get("ExpectedBucketOwner"))
    )
    owned = LogBucket(clients.s3(), BUCKET, owner_account_id=ACCOUNT)
    owned.open(KEY).close()
    list(owned.log_keys(""))
    list(owned.folders(""))
    assert said == [ACCOUNT] * 3
    assert OTHER_ACCOUNT not in said


PREFIX = "AWSLogs/1/CloudTrail/us-east-1/"
DAYS = ("2025/12/31", "2026/01/01", "2026/01/02", "2026/01/10", "2026/02/01")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, DAYS),
        (date(2026, 1, 1), None, DAYS[1:]),
        (None, date(2026, 1, 1), DAYS[:2]),
        (date(2026, 1, 2), date(2026, 1, 10), DAYS[2:4]),
        (date(2026, 1, 3), date(2026, 1, 9), ()),
        (date.min, date.max, DAYS),
    ],
)
def test_the_keys_of_a_range_of_days_are_listed_both_ends_included(
    bucket: LogBucket, since: date | None, until: date | None, expected: tuple[str, ...]
) -> None:
    for day in DAYS:
        put(f"{PREFIX}{day}/{'z' * 3}.json.gz", b"123")
    put("AWSLogs/1/CloudTrail/us-east-2/2026/01/01/other.json.gz")
    found = list(bucket.log_keys(PREFIX, since=since, until=until))
    assert [entry.key for entry in found] == [f"{PREFIX}{day}/zzz.json.gz" for day in expected]
    assert {entry.size for entry in found} <= {3}


def test_all_pages_of_a_listing_are_read(bucket: LogBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"many/{number:04}" for number in range(25)]
    for key in keys:
        put(key)
    clients.s3().meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=10)
    )
    assert [entry.key for entry in bucket.log_keys("many/")] == keys


def test_the_folders_of_a_prefix_are_its_next_level_only(bucket: LogBucket) -> None:
    for key in ("p/a/1", "p/a/2", "p/b/c/3", "p/file", "q/x"):
        put(key)
    assert list(bucket.folders("p/")) == ["p/a/", "p/b/"]
    assert list(bucket.folders("")) == ["AWSLogs/", "p/", "q/"]
