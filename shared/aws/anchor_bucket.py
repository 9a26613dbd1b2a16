"""The bucket of anchors: versioned, locked, one object an anchor, of which the first version counts.

Key: `anchors/<account id>/<number, 12 digits>.json`. An anchor is put only where its key holds nothing, so that of two
that are made at the same time one wins; how long it is locked is the bucket's own setting.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from shared.aws.clients import aws_errors
from shared.errors import ConflictError
from shared.model.anchor import Anchor, AnchorPlace, Signature, StoredAnchor

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

READERS = 8  # anchors read at the same time
PLACE = re.compile(r"([0-9]{12})\.json")


class AnchorBucket:
    """Reads and adds anchors. With `owner_account_id`, S3 refuses every call once the bucket is somebody else's."""

    def __init__(self, client: "S3Client", bucket: str, *, owner_account_id: str | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._owner: dict[str, Any] = {"ExpectedBucketOwner": owner_account_id} if owner_account_id else {}

    def write(self, anchor: Anchor, signature: Signature | None = None) -> None:
        """Add an anchor; doing so twice is the same as once. Raises ConflictError where its number is another's."""
        content = {**anchor.fields(), "digest": anchor.digest}
        if signature:
            content["signature"] = signature.model_dump(mode="json")
        key = _key(anchor.account_id, anchor.number)
        try:
            with aws_errors(f"PutObject s3://{self._bucket}/{key}"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=json.dumps(content, sort_keys=True).encode(),
                    ContentType="application/json",
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",  # S3 wants a checksum of every object that it locks
                    **self._owner,
                )
        except ConflictError:
            if not self._holds(anchor):  # a repeated request, whose first answer was lost
                raise

    def places(self, account_id: str) -> list[AnchorPlace]:
        """Every anchor that was ever written, in the order of numbers, and what was done to it since."""
        prefix = _key(account_id, None)
        versions: dict[int, list[str]] = {}
        marked: set[int] = set()
        paginator = self._client.get_paginator("list_object_versions")
        with aws_errors(f"ListObjectVersions s3://{self._bucket}/{prefix}"):
            for page in paginator.paginate(Bucket=self._bucket, Prefix=prefix, **self._owner):
                for version in page.get("Versions", []):  # of one key the newest first
                    if number := _number(version["Key"], prefix):
                        versions.setdefault(number, []).append(version["VersionId"])
                marked |= {_number(marker["Key"], prefix) for marker in page.get("DeleteMarkers", [])} - {0}
        return [_place(account_id, number, versions.get(number, []), marked) for number in sorted({*versions, *marked})]

    def read(self, place: AnchorPlace) -> StoredAnchor:
        """Read the first version of an anchor."""
        if place.version_id is None:
            return StoredAnchor(place, None)
        key = _key(place.account_id, place.number)
        with aws_errors(f"GetObject s3://{self._bucket}/{key}"):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=place.version_id, **self._owner)
            text = answer["Body"].read()
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = None
        return StoredAnchor(place, content if isinstance(content, dict) else None)

    def anchors(self, account_id: str) -> Iterator[StoredAnchor]:
        """Read all anchors in the order of their numbers, a few ahead of what is asked for."""
        return self.read_all(self.places(account_id))

    def read_all(self, places: Iterable[AnchorPlace]) -> Iterator[StoredAnchor]:
        """Read anchors in this order, a few ahead of what is asked for."""
        ahead: deque[Future[StoredAnchor]] = deque()
        with ThreadPoolExecutor(READERS) as pool:
            for place in places:
                ahead.append(pool.submit(self.read, place))
                if len(ahead) > READERS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _holds(self, anchor: Anchor) -> bool:
        stored = [place for place in self.places(anchor.account_id) if place.number == anchor.number]
        return any((self.read(place).content or {}).get("digest") == anchor.digest for place in stored)


def _place(account_id: str, number: int, versions: list[str], marked: set[int]) -> AnchorPlace:
    return AnchorPlace(
        account_id=account_id,
        number=number,
        version_id=versions[-1] if versions else None,
        overwritten=len(versions) > 1,
        deleted=number in marked,
    )


def _key(account_id: str, number: int | None) -> str:
    return f"anchors/{account_id}/" + (f"{number:012d}.json" if number is not None else "")


def _number(key: str, prefix: str) -> int:
    """The number that a key names; 0 where it names none, which is no anchor of ours."""
    found = PLACE.fullmatch(key.removeprefix(prefix))
    return int(found[1]) if found else 0
