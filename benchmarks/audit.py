"""`python -m benchmarks.audit`: how fast an audit trail is verified, and what an append asks of the table.

Entries are decoded from DynamoDB's form as an answer holds them, then verified: CPU time of one process, the best of
three. Requests are counted on moto; units follow from the sizes of what is written.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from moto import mock_aws

from infra.build.template import ROOT, load_template
from services.auditor.chain import verify_chain
from services.auditor.core import chain_of, entry_of
from shared.aws.audit_table import AuditTable
from shared.aws.dynamodb import Item, Table, plain_item
from shared.events import IdentityScored
from shared.model.identity import IdentityRef
from shared.model.score import Band
from shared.model.stored_entry import StoredEntry

ENTRIES = 10_000
APPENDS = 30
ROUNDS = 3
WRITE_UNIT = 1_024  # bytes; a transaction takes two for each (DynamoDB Developer Guide, "read and write operations")
INDEXES = 2  # that an entry of a score is in: by account and by type
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = "123456789012"
ANA = IdentityRef(account_id=ACCOUNT, identity_id="AIDAEXAMPLEUSER00001", arn=f"arn:aws:iam::{ACCOUNT}:user/team/ana")
KEYS = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def event(number: int) -> IdentityScored:
    """The event that a trail holds most of."""
    counts: dict[str, Any] = {"granted": 230, "used": 18, "unused": 212, "unobservable": 0, "observed_days": 60}
    top = ("iam:PutUserPolicy", "iam:CreateAccessKey", "s3:DeleteBucket")
    fields = {"score_version": number, "pci": 87.25, "previous_pci": 60.5, "band": Band.HIGH, "top": top, **counts}
    return IdentityScored.about(ANA, number, occurred_at=NOW, **fields)


def chain(length: int) -> list[Item]:
    """A chain as its items are stored."""
    items: list[Item] = []
    head = None
    for number in range(1, length + 1):
        entry = entry_of(event(number), head, now=NOW)
        head = entry.head
        items.append(dict(StoredEntry.of(entry.fields()).attributes))
    return items


def seconds_of(run: Callable[[], Any]) -> float:
    """CPU time of a run, the best of some."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        run()
        best = min(best, time.process_time() - begun)
    return best


def answered(item: Item) -> dict[str, Any]:
    """An item as DynamoDB's API gives it."""
    serialize = TypeSerializer().serialize
    numbers = {name: round(value) for name, value in item.items() if isinstance(value, float)}
    told = {name: round(value) if isinstance(value, float) else value for name, value in item["event"].items()}
    return {name: serialize(value) for name, value in {**item, **numbers, "event": told}.items()}


def requests_of_appends() -> Counter[str]:
    """Calls to DynamoDB for some appends to one chain, by name."""
    os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    properties = load_template(ROOT / "infra/sam/data.yaml")["Resources"]["AuditTable"]["Properties"]
    calls: Counter[str] = Counter()
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(TableName="audit", **{key: properties[key] for key in KEYS})
        client.meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.update([model.name]))
        audit = AuditTable(Table(client, "audit"))
        for number in range(1, APPENDS + 1):
            one = event(number)
            audit.append(one.event_id, chain_of(one), partial(entry_of, one, now=NOW))
    return calls


def main() -> None:
    """Measure and print."""
    items = chain(ENTRIES)
    stored = [StoredEntry(item) for item in items]
    answers = [answered(item) for item in items]
    size = len(str(items[-1]))
    verifying = seconds_of(lambda: verify_chain(stored))
    decoding = seconds_of(lambda: [plain_item(answer) for answer in answers])
    making = seconds_of(lambda: chain(ENTRIES // 10)) * 10
    of_entry = -(-size // WRITE_UNIT)
    units = 2 * (of_entry + 1) + INDEXES * of_entry  # the transaction of entry and marker, and the indexes
    calls = ", ".join(f"{count / APPENDS:g} {name}" for name, count in sorted(requests_of_appends().items()))
    sys.stdout.write(
        f"{ENTRIES:,} entries of about {size:,} bytes\n"
        f"verified  {ENTRIES / verifying:10,.0f} entries a second\n"
        f"decoded   {ENTRIES / decoding:10,.0f} entries a second\n"
        f"both      {ENTRIES / (verifying + decoding):10,.0f} entries a second\n"
        f"made      {ENTRIES / making:10,.0f} entries a second\n"
        f"append    {calls}; about {units} write units\n"
    )


if __name__ == "__main__":
    main()
