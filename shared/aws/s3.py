"""A bucket of logs: its objects as streams that outlive a broken connection, and the keys of a range of days."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from shared.aws.clients import aws_errors
from shared.errors import DependencyError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

MAX_RESUMPTIONS = 5  # of one object; the requests themselves are retried by the client
# A read takes its bytes from the connection piece by piece, so that what came before a break is not asked for again.
PIECE_BYTES = 1 << 20
# What a body raises while it is read: botocore translates most of urllib3's errors, but not all.
BROKEN = (HTTPClientError, HTTPError, IncompleteReadError)


class LogKey(NamedTuple):
    """An object of the listing; `size` in bytes, as stored."""

    key: str
    size: int


class LogBucket:
    """One bucket. With `owner_account_id`, S3 refuses every call once the bucket belongs to somebody else."""

    def __init__(self, client: "S3Client", bucket: str, *, owner_account_id: str | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._owner: dict[str, Any] = {"ExpectedBucketOwner": owner_account_id} if owner_account_id else {}

    def open(self, key: str, version_id: str | None = None) -> "ObjectStream":
        """Open an object, or one version of it, for reading from its start; its bytes are given as they are stored.

        Raises NotFoundError or DeniedError with the object's name (S3 also refuses to decrypt as "denied", and calls a
        missing object so where the caller may not list the bucket), DependencyError for anything else.
        """
        version = {"VersionId": version_id} if version_id else {}
        request = {"Bucket": self._bucket, "Key": key, **version, **self._owner}
        return ObjectStream(self._client, request)

    def log_keys(self, prefix: str, *, since: date | None = None, until: date | None = None) -> Iterator[LogKey]:
        """List the objects below a prefix in key order, all pages.

        `since` and `until`, both inclusive, need a prefix that ends where `yyyy/mm/dd/` begins: only the pages of these
        days are asked for.
        """
        start = {"StartAfter": prefix + _folder(since)} if since else {}
        last = prefix + _folder(until) if until else None
        for page in self._pages(prefix, start):
            for entry in page.get("Contents", []):
                if last is not None and entry["Key"][: len(last)] > last:
                    return
                yield LogKey(entry["Key"], entry["Size"])

    def folders(self, prefix: str) -> Iterator[str]:
        """The prefixes one level below a prefix that ends in `/` (or is empty), each with its `/`, in order."""
        for page in self._pages(prefix, {"Delimiter": "/"}):
            yield from (entry["Prefix"] for entry in page.get("CommonPrefixes", []))

    def _pages(self, prefix: str, options: dict[str, Any]) -> Iterator["ListObjectsV2OutputTypeDef"]:
        paginator = self._client.get_paginator("list_objects_v2")
        pages = iter(paginator.paginate(Bucket=self._bucket, Prefix=prefix, **options, **self._owner))
        while True:
            with aws_errors(f"ListObjectsV2 s3://{self._bucket}/{prefix}"):
                page = next(pages, None)
            if page is None:
                return
            yield page


class ObjectStream:
    """The bytes of one object. Where the connection breaks it goes on at the same byte of the same version.

    Both a body that ends early and an object that was replaced meanwhile are errors, never the end of the stream.
    `position` counts the bytes that were given, of `size`.
    """

    def __init__(self, client: "S3Client", request: dict[str, Any]) -> None:
        self._client = client
        self._request = request
        self._name = f"GetObject s3://{request['Bucket']}/{request['Key']}"
        self.position = 0
        self._resumptions = 0
        answer = self._get({})
        self._body: StreamingBody = answer["Body"]
        self._same = {"IfMatch": answer["ETag"]}
        self.size: int = answer["ContentLength"]

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes (all that are left for a negative size); empty only at the end of the object.

        Raises DependencyError when the connection kept breaking.
        """
        wanted = self.size - self.position if size < 0 else min(size, self.size - self.position)
        pieces = []
        while wanted:
            piece = self._read_piece(min(wanted, PIECE_BYTES))
            self.position += len(piece)
            wanted -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Give the connection up; what was not read is not fetched."""
        self._body.close()

    def __enter__(self) -> "ObjectStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_piece(self, size: int) -> bytes:
        """One to `size` bytes, from a new connection where the old one broke."""
        while True:
            try:
                if piece := self._body.read(size):
                    return piece
                cause: Exception | None = None
            except BROKEN as error:
                cause = error
            self._resume(cause)

    def _resume(self, cause: Exception | None) -> None:
        self._body.close()
        self._resumptions += 1
        if self._resumptions > MAX_RESUMPTIONS:
            reason = type(cause).__name__ if cause else "the body ended early"
            raise DependencyError(
                f"{self._name}: broke off {self._resumptions} times, at last after {self.position} of {self.size} "
                f"bytes: {reason}"
            ) from cause
        answer = self._get({"Range": f"bytes={self.position}-", **self._same})
        self._body = answer["Body"]
        expected = f"bytes {self.position}-{self.size - 1}/{self.size}"
        if answer.get("ContentRange") != expected:
            self._body.close()
            raise DependencyError(f"{self._name}: asked for {expected}, got something else")

    def _get(self, condition: dict[str, Any]) -> "GetObjectOutputTypeDef":
        with aws_errors(self._name):
            return self._client.get_object(**self._request, **condition)


def _folder(day: date) -> str:
    return day.isoformat().replace("-", "/") + "/"
