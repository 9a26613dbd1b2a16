"""CloudTrail events as EventBridge delivers them: an envelope around one record, decoded in one go."""

from datetime import datetime

import msgspec

from services.scorer.feeds.future import AHEAD, MAX_AHEAD
from services.scorer.feeds.messages import decoded
from services.scorer.trail.record import Record
from shared.errors import InputError

MAX_SHOWN = 64  # characters of a name from outside that an error repeats


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What is read of an EventBridge event that carries a CloudTrail record."""

    account: str
    detail: Record


_DECODER = msgspec.json.Decoder(Envelope)


def record_in(body: str, *, account_id: str, now: datetime) -> Record:
    """Give the record that an SQS message of our own account carries.

    Raises InputError that says what is wrong without the value: not JSON, a field missing or of another type, another
    account's event, or one of the future.
    """
    envelope = decoded(body, _DECODER, what="an EventBridge event with a CloudTrail record")
    if envelope.account != account_id:
        raise InputError(f"event of account {envelope.account[:MAX_SHOWN]!r}, expected {account_id}")
    if envelope.detail.event_time > now + MAX_AHEAD:
        raise InputError(f"detail.{AHEAD}")
    return envelope.detail
