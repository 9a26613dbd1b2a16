"""A call: everything that decides what a record proves, and what was seen of all records that agree in it. Pure.

A trail repeats itself: a hundred thousand records are a few thousand calls. So records are grouped into calls first
(`tally`), and what a call proves is worked out once (`evidence`). What differs from record to record, such as the
session's name, the object or the event's id, is no part of a call.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from services.scorer.trail.record import API_CALL, NULL, Record
from services.scorer.usage.caller import ACCOUNT_ID, Caller, resolve_caller
from services.scorer.usage.outcome import Outcome, denied_action_of, outcome_of
from services.scorer.usage.parameters import names_role
from shared.iam.operations import OperationActions, OperationMap
from shared.model.resources import NO_RESOURCE, Resources

_REGION = re.compile(r"[a-z0-9-]{1,40}")  # as the ledger takes them
AUTO_SCALING = "autoscaling.amazonaws.com"
_APPLICATION_AUTO_SCALING = "application-autoscaling.amazonaws.com"
_service_of = msgspec.json.Decoder(dict[str, Any])


class Call(NamedTuple):
    """What many records have in common, and what alone decides what each of them proves.

    `account_id` is the account whose trail tells (None in records older than event version 1.02). `denied_action` is
    the known action that the error message says was refused. `names_role` says that an operation that passes a role
    was told which one. `management` is False for data events: a trail that has them need not have anything else.
    `reads` is True for a management event that only reads: a trail that has others need not have these. `complete` is
    False for a record that lacks what every API call has.
    """

    caller: Caller
    account_id: str | None
    event_type: str
    event_source: str
    event_name: str
    region: str
    outcome: Outcome
    denied_action: str | None
    names_role: bool
    management: bool
    reads: bool
    complete: bool


class Place(NamedTuple):
    """Where a trail was seen: account, region, and whether it was by an event that only reads."""

    account_id: str
    region: str
    reads: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a call: how many records, from when to when (UTC), on which days, and what they named.

    `resources` are those of the call's primary action, `roles` those that it passed: both "any" as soon as one record
    left them open. Without any, they are taken for "any" unless other records of the same use name some.
    """

    count: int
    first: datetime
    last: datetime
    days: frozenset[date] = frozenset()
    resources: Resources = NO_RESOURCE
    roles: Resources = NO_RESOURCE


def call_of(record: Record, operations: OperationMap, *, caller: Caller | None = None) -> Call:
    """Tell which call a record belongs to; never raises, since a malformed record is a call that is not complete.

    `caller` is who made it, where that is known already.
    """
    account_id = record.recipient_account_id or None
    event_type = record.event_type or API_CALL
    source, name, region = _source(record), record.event_name or "", record.aws_region or ""
    caller = caller_in_call(caller or resolve_caller(record.user_identity, account_id), account_id)
    complete = bool(source and name and record.user_identity and _REGION.fullmatch(region)) and (
        account_id is None or ACCOUNT_ID.fullmatch(account_id) is not None
    )
    outcome = outcome_of(record.error_code, source)
    management = is_management_event(record)
    return Call(
        caller=caller,
        account_id=account_id,
        event_type=event_type,
        event_source=source,
        event_name=name,
        region=region,
        outcome=outcome,
        denied_action=_known_denied_action(record, operations) if outcome is Outcome.DENIED else None,
        names_role=outcome is not Outcome.DENIED
        and passes_role(source, name, operations)
        and _may_name_role(record.request_parameters)
        and names_role(record.request_parameters),
        management=management,
        reads=management and record.read_only is True,
        complete=complete,
    )


def _known_denied_action(record: Record, operations: OperationMap) -> str | None:
    """The action that was refused, where it is one: messages from outside could else make any number of calls."""
    action = denied_action_of(record.error_message)
    return action if action and operations.has_action(action) else None


def caller_in_call(caller: Caller, account_id: str | None) -> Caller:
    """Leave out of a caller what makes no difference: who exactly it was that is no identity of the trail's account."""
    return Caller(caller.kind, None, None, None) if account_id and caller.identity_id is None else caller


def passes_role(event_source: str, event_name: str, operations: OperationMap) -> bool:
    """Whether AWS checks iam:PassRole for the roles that the operation's request names."""
    actions = operations.actions_of(event_source, event_name)
    return isinstance(actions, OperationActions) and actions.passes_role


def place_of(call: Call) -> Place | None:
    """Of what a record of this call shows that the trail was recorded; None where it can't tell."""
    account_id = call.account_id or call.caller.account_id
    if (
        not call.management
        or account_id is None
        or not ACCOUNT_ID.fullmatch(account_id)
        or not _REGION.fullmatch(call.region)
    ):
        return None
    return Place(account_id, call.region, call.reads) if call.complete or call.event_type != API_CALL else None


def is_management_event(record: Record) -> bool:
    """Whether a record shows that management events were recorded; `eventCategory` is absent before version 1.07."""
    if record.event_category is not None:
        return record.event_category == "Management"
    return record.management_event is not False


def _may_name_role(parameters: msgspec.Raw) -> bool:
    """Whether a request is worth reading for roles: most don't hold the words, and a search is far cheaper."""
    text = bytes(parameters)
    if b"\\" in text or not text.isascii():  # letters may be written in another way
        return True
    text = text.lower()
    return b"role" in text or b"instanceprofile" in text


def _source(record: Record) -> str:
    """Event source; Application Auto Scaling calls bear EC2 Auto Scaling's and tell themselves apart elsewhere.

    Source: Application Auto Scaling User Guide, "Log Application Auto Scaling API calls using AWS CloudTrail".
    """
    source = record.event_source or ""
    if source != AUTO_SCALING or record.additional_event_data == NULL:
        return source
    try:
        service: object = _service_of.decode(record.additional_event_data).get("service")
    except (msgspec.MsgspecError, RecursionError):
        return source
    return _APPLICATION_AUTO_SCALING if service == "application-autoscaling" else source
