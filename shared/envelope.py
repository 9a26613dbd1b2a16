"""The outer form of what arrives: EventBridge envelopes in SQS messages, from outside and therefore checked."""

from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from pydantic import ValidationError

from shared.errors import InputError
from shared.events import EVENT_TYPES, ROUTES, DomainEvent
from shared.validation import describe

__all__ = ["Envelope", "describe", "parse_domain_event", "parse_envelope"]

MAX_BODY_BYTES = 262_144  # EventBridge's classic entry limit; larger ones are left to the sweep
MAX_SHOWN = 64  # characters of a name from outside that an error repeats


class Envelope(EventBridgeModel):
    """An EventBridge event whose detail is a JSON object."""

    detail: dict[str, Any]


def parse_envelope(body: str, *, account_id: str) -> Envelope:
    """Parse one EventBridge envelope of our own account.

    Raises InputError that says what is wrong: too large, not JSON, a field missing or of another type, or another
    account's event.
    """
    try:
        content = body.encode()
    except UnicodeEncodeError:
        raise InputError("message is not valid Unicode") from None
    if len(content) > MAX_BODY_BYTES:
        raise InputError(f"message of {len(content)} bytes is over the limit of {MAX_BODY_BYTES}")
    try:
        envelope = Envelope.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"not an EventBridge event: {describe(error)}") from None
    if envelope.account != account_id:
        raise InputError(f"event of account {envelope.account[:MAX_SHOWN]!r}, expected {account_id}")
    return envelope


def parse_domain_event(envelope: Envelope) -> DomainEvent:
    """Decode the event of ours that an envelope carries.

    Raises InputError for a type that this version does not know, a source that doesn't tell such events, a wrong
    field, or an event about another account.
    """
    event_type = EVENT_TYPES.get(envelope.detail_type)
    if event_type is None:
        raise InputError(f"unknown event type {envelope.detail_type[:MAX_SHOWN]!r}")
    if envelope.source not in {producer.source for producer in ROUTES[event_type].producers}:
        raise InputError(f"{envelope.detail_type} from {envelope.source[:MAX_SHOWN]!r}, which tells no such events")
    try:
        event = event_type.model_validate(envelope.detail)
    except ValidationError as error:
        raise InputError(f"not a valid {envelope.detail_type}: {describe(error)}") from None
    if event.account_id != envelope.account:
        raise InputError(f"{envelope.detail_type} about account {event.account_id} came from {envelope.account}")
    return event
