"""The real CloudTrail records of the demonstration, given to the seeded identities and spread over the window.

Changed in each record: who called (the mapping of account.py), the account id wherever it stands, and the time; one
hour is stretched over STRETCH_DAYS, so that the window has as many observed days as a deployed system would. Everything
else is as recorded.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.local.demonstration.account import IDENTITIES
from infra.local.local_aws import LocalAwsError
from shared.model.identity import IdentityRef, IdentityType

RECORDS = Path(__file__).parents[1] / "records" / "invictus"
RECORDED_ACCOUNT = "123837392027"
STRETCH_DAYS = 60
MAX_ENTRIES = 10  # per PutEvents (API limit)
SENDERS = 4
SESSION = "demonstration"

Record = dict[str, Any]


def recorded(account_id: str = RECORDED_ACCOUNT) -> Iterator[Record]:
    """Every record, as it was delivered but for the account id."""
    for path in sorted(RECORDS.glob("*.json.gz")):
        text = gzip.decompress(path.read_bytes()).decode().replace(RECORDED_ACCOUNT, account_id)
        yield from json.loads(text)["Records"]


def replayed(identities: Mapping[str, IdentityRef], *, account_id: str, now: datetime) -> list[Record]:
    """The records as the seeded account would have produced them, the last one an hour ago."""
    records = list(recorded(account_id))
    times = [datetime.fromisoformat(record["eventTime"]) for record in records]
    first, last = min(times), max(times)
    stretch = timedelta(days=STRETCH_DAYS) / (last - first)
    owners = {pair: one.name for one in IDENTITIES for pair in one.activity}
    result = []
    for record, time in zip(records, times, strict=True):
        moved = now - timedelta(hours=1) - (last - time) * stretch
        changed = {**record, "eventTime": f"{moved:%Y-%m-%dT%H:%M:%SZ}"}
        owner = owners.get((record["userIdentity"].get("userName", ""), record["eventSource"].split(".")[0]))
        if owner:
            changed["userIdentity"] = _caller(record["userIdentity"], identities[owner])
        result.append(changed)
    return result


def _caller(recorded_caller: Mapping[str, Any], ref: IdentityRef) -> dict[str, Any]:
    """The caller element of the record, as a seeded user or a session of a seeded role."""
    context = dict(recorded_caller.get("sessionContext", {}))
    if ref.type is IdentityType.USER:
        user = {"type": "IAMUser", "principalId": ref.identity_id, "arn": ref.arn, "userName": ref.name}
        return {**user, "accountId": ref.account_id, "sessionContext": context}
    issuer = {"type": "Role", "principalId": ref.identity_id, "arn": ref.arn, "userName": ref.name}
    return {
        "type": "AssumedRole",
        "principalId": f"{ref.identity_id}:{SESSION}",
        "arn": f"arn:aws:sts::{ref.account_id}:assumed-role/{ref.name}/{SESSION}",
        "accountId": ref.account_id,
        "sessionContext": {**context, "sessionIssuer": {**issuer, "accountId": ref.account_id}},
    }


def replay(events: Any, records: Sequence[Record]) -> None:
    """Put the records on the default bus, as CloudTrail delivers them; `events` is an EventBridge client."""
    batches = [records[start : start + MAX_ENTRIES] for start in range(0, len(records), MAX_ENTRIES)]
    with ThreadPoolExecutor(SENDERS) as senders:
        for answer in senders.map(lambda batch: events.put_events(Entries=[_entry(one) for one in batch]), batches):
            if answer["FailedEntryCount"]:
                raise LocalAwsError(f"the local AWS refused {answer['FailedEntryCount']} events")


def _entry(record: Record) -> dict[str, str]:
    kind = "AWS API Call via CloudTrail" if record["eventType"] == "AwsApiCall" else "AWS Service Event via CloudTrail"
    return {
        "Source": f"aws.{record['eventSource'].split('.')[0]}",
        "DetailType": kind,
        "Detail": json.dumps(record),
    }
