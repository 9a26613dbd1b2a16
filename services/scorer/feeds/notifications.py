"""Which objects appeared in a bucket, as S3 tells it: itself, by way of SNS, or by EventBridge.

Shapes: Amazon S3 User Guide, "Event message structure" (keys are URL-encoded) and "EventBridge event message structure"
(keys are not); Amazon SNS Developer Guide, "Parsing message formats".
"""

from typing import NamedTuple
from urllib.parse import unquote_plus

import msgspec

from services.scorer.feeds.messages import decoded
from shared.errors import InputError


class NewObject(NamedTuple):
    """An object, or one version of it, that was created; `size` in bytes where it was told."""

    bucket: str
    key: str
    size: int | None = None
    version_id: str | None = None


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Object(msgspec.Struct, frozen=True, rename="camel"):
    key: str
    size: int | None = None
    version_id: str | None = None


class _Contents(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    event_source: str
    event_name: str
    s3: _Contents


class _BridgedObject(msgspec.Struct, frozen=True, rename="kebab"):
    key: str
    size: int | None = None
    version_id: str | None = None


class _Detail(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _BridgedObject


class _Message(msgspec.Struct, frozen=True):
    """Every form in one: what is absent tells which one it is."""

    records: list[_Record] | None = msgspec.field(default=None, name="Records")
    test_event: str | None = msgspec.field(default=None, name="Event")
    sns_type: str | None = msgspec.field(default=None, name="Type")
    sns_message: str | None = msgspec.field(default=None, name="Message")
    source: str | None = None
    detail_type: str | None = msgspec.field(default=None, name="detail-type")
    detail: msgspec.Raw = msgspec.Raw(b"{}")


WHAT = "a notification of S3"
_MESSAGE = msgspec.json.Decoder(_Message)
_DETAIL = msgspec.json.Decoder(_Detail)


def new_objects(body: str) -> list[NewObject]:
    """List the objects that a message says were created; none for S3's test event and for other kinds of event.

    Raises InputError for what is no notification of S3.
    """
    message = decoded(body, _MESSAGE, what=WHAT)
    if message.sns_type == "Notification" and message.sns_message is not None:
        message = decoded(message.sns_message, _MESSAGE, what=f"{WHAT}, by SNS")
    if message.records is not None:
        return [_told_by_s3(record.s3) for record in message.records if _is_creation(record)]
    if message.source == "aws.s3":
        return [_told_by_eventbridge(message)] if message.detail_type == "Object Created" else []
    if message.test_event == "s3:TestEvent":
        return []
    raise InputError(f"not {WHAT}, neither its own nor by SNS or EventBridge")


def _is_creation(record: _Record) -> bool:
    if record.event_source != "aws:s3":
        raise InputError("Records[].eventSource: not aws:s3")
    return record.event_name.removeprefix("s3:").startswith("ObjectCreated:")


def _told_by_s3(contents: _Contents) -> NewObject:
    told = contents.object
    try:
        key = unquote_plus(told.key, errors="strict")
    except UnicodeDecodeError:
        raise InputError("Records[].s3.object.key: not URL-encoded UTF-8") from None
    return NewObject(contents.bucket.name, key, told.size, told.version_id)


def _told_by_eventbridge(message: _Message) -> NewObject:
    detail = decoded(message.detail, _DETAIL, what=f"{WHAT}, by EventBridge")
    return NewObject(detail.bucket.name, detail.object.key, detail.object.size, detail.object.version_id)
