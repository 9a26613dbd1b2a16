"""Whom a message asks to look at: a refused call that CloudTrail tells of, or our own RestorationDue. Pure.

A message is a hint. All that is taken from a CloudTrail record is whose call was refused: what was refused, when, and
whether that is a regret, the usage ledger says. So a forged record can cause a look, and nothing else.
"""

import re
from collections.abc import Mapping
from typing import Any

from shared.envelope import Envelope, parse_domain_event
from shared.errors import InputError
from shared.events import RestorationDue
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

CLOUDTRAIL = "AWS API Call via CloudTrail"
IDENTITY_ID = re.compile(rf"({USER_ID_PREFIX}|{ROLE_ID_PREFIX})[A-Z0-9]{{4,124}}")
ISSUED = frozenset({"AssumedRole", "FederatedUser"})  # sessions, which act with the permissions of who issued them


def hint_of(envelope: Envelope) -> RestorationDue | str | None:
    """Our own event, or the unique id of the user or role that was refused; None where a record names nobody of ours.

    Raises InputError for any other kind of message.
    """
    if envelope.detail_type == CLOUDTRAIL:
        return _refused_identity(envelope.detail, envelope.account)
    event = parse_domain_event(envelope)
    if not isinstance(event, RestorationDue):
        raise InputError(f"{envelope.detail_type} asks for no restoration")
    return event


def _refused_identity(detail: Mapping[str, Any], account_id: str) -> str | None:
    """Unique id of who was refused; records of calls that passed, and of other callers than users and roles, have none.

    Source: CloudTrail user guide, "CloudTrail userIdentity element".
    """
    who = detail.get("userIdentity")
    if not detail.get("errorCode") or not isinstance(who, Mapping) or who.get("accountId", account_id) != account_id:
        return None
    found = who.get("principalId") if who.get("type") == "IAMUser" else None
    if who.get("type") in ISSUED:
        match who.get("sessionContext"):
            case {"sessionIssuer": {"principalId": issuer}}:
                found = issuer
    return found if isinstance(found, str) and IDENTITY_ID.fullmatch(found) else None
