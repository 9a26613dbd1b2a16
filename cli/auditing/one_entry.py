"""One entry of the audit trail, found by its event or its place, and shown whole."""

import json
import re
import sys

from cli.answers import printable
from shared.aws.deployed_account import DeployedAccount
from shared.errors import InputError
from shared.model.audit import AuditEntry

PLACE = re.compile(r"(?:(?P<account>\d{12})/)?(?P<owner>[\w-]{1,64})#(?P<number>[1-9]\d{0,11})", re.ASCII)
EVENT_ID = re.compile(r"[!-~]{1,64}")
EXAMPLE = "123456789012/AIDAEXAMPLE#7"
FIRST = ("summary", "occurred_at", "event_type", "identity_arn")


def found(which: str, account: DeployedAccount) -> AuditEntry:
    """The entry of an event, or of a place `<chain>#<number>`. Raises InputError where there is none."""
    if named := PLACE.fullmatch(which):
        chain = f"{named['account'] or account.stack.account_id}/{named['owner']}"
        entry = account.audit.at(chain, int(named["number"]))
    else:
        entry = account.audit.of_event(which) if EVENT_ID.fullmatch(which) else None
    if entry is None or entry.account_id != account.stack.account_id:
        raise InputError(f"the audit trail has no entry {which}: name an event's id, or a place as {EXAMPLE}")
    return entry


def put_entry(entry: AuditEntry) -> None:
    """Print an entry for people: what happened first, then every field, then the event."""
    fields = entry.model_dump(mode="json", exclude_none=True)
    event = fields.pop("event")
    width = max(map(len, fields))
    for name in (*FIRST, *(name for name in fields if name not in FIRST)):
        if name in fields and fields[name] != []:
            sys.stdout.write(f"{name:<{width}}  {printable(str(fields[name]))}\n")
    sys.stdout.write("event\n")
    for line in json.dumps(event, indent=2, sort_keys=True).splitlines():
        sys.stdout.write(f"  {printable(line)}\n")
