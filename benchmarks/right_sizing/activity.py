"""What each identity of the real CloudTrail records did, in the order of time."""

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.startup import ROOT
from services.scorer.trail.reader import decode_record
from services.scorer.trail.record import Record
from services.scorer.usage.folded import Folded
from services.scorer.usage.tally import Tally
from shared.evidence import TRACKED_REGIONS
from shared.model.usage import Coverage, IdentityKey, Usage
from shared.reference import load_operations

SOURCES = {
    "invictus": ROOT / "infra" / "local" / "records" / "invictus",
    "stratus-red-team": ROOT / "tests" / "data" / "cloudtrail" / "stratus-red-team",
}
FEED = "files"
REGION = "us-east-1"


class Use(NamedTuple):
    """One action that AWS let pass, as one record tells it; no ARNs where the record named none."""

    action: str  # lower-case
    arns: frozenset[str]


class Event(NamedTuple):
    """One record of an identity: as it was delivered, as we read it, and the uses that it proves."""

    raw: dict[str, Any]
    record: Record
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """All records of one identity; `account` holds those of everybody in its account, both in the order of time."""

    source: str
    key: IdentityKey
    events: Sequence[Event]
    account: Sequence[Record]

    @property
    def uses(self) -> int:
        """How many uses there are in all."""
        return sum(len(event.uses) for event in self.events)

    def services(self) -> frozenset[str]:
        """IAM prefixes of everything that it used."""
        return frozenset(use.action.split(":")[0] for event in self.events for use in event.uses)

    def usage(self, count: int) -> Usage:
        """The ledger after its first so many records: what it did by then, and what the account's trail showed."""
        own = [event.record for event in self.events[:count]]
        until = own[-1].event_time
        seen = fold([record for record in self.account if record.event_time <= until])
        entries = fold(own).usages[self.key].entries
        return Usage(self.key.identity_id, entries, seen.coverage.get(self.key.account_id, Coverage()))

    def time(self, count: int) -> datetime:
        """When the last one of its first so many records was made."""
        return self.events[count - 1].record.event_time


def fold(records: Sequence[Record]) -> Folded:
    """What records add up to."""
    tally = Tally(load_operations(), feed=FEED)
    tally.add(records)
    return tally.folded()


def activities(least_uses: int) -> list[Activity]:
    """Every identity with at least so many uses, the busiest first."""
    found = [one for source, folder in SOURCES.items() for one in _of(source, folder)]
    return sorted((one for one in found if one.uses >= least_uses), key=lambda one: (-one.uses, one.key))


def _of(source: str, folder: Path) -> list[Activity]:
    raws = [raw for path in sorted(folder.glob("*.json.gz")) for raw in _records(path)]
    read = sorted(
        ((decode_record(json.dumps(raw).encode()), raw) for raw in raws),
        key=lambda pair: (pair[0].event_time, str(pair)),
    )
    events: defaultdict[IdentityKey, list[Event]] = defaultdict(list)
    accounts: defaultdict[str, list[Record]] = defaultdict(list)
    for record, raw in read:
        folded = fold([record])
        for account in folded.coverage:
            accounts[account].append(record)
        for key, usage in folded.usages.items():
            used = usage.used_since(record.event_time)
            uses = tuple(Use(action, entry.resources.exact() or frozenset()) for action, entry in sorted(used.items()))
            events[key].append(Event(raw, record, uses))
    return [Activity(source, key, own, accounts[key.account_id]) for key, own in events.items()]


def _records(path: Path) -> list[dict[str, Any]]:
    """The records of a file, those from a region that is none (their publisher made the names up) from a real one."""
    content = json.loads(gzip.decompress(path.read_bytes()))
    records: list[dict[str, Any]] = content["Records"] if isinstance(content, dict) else content
    return [raw if raw["awsRegion"] in TRACKED_REGIONS else {**raw, "awsRegion": REGION} for raw in records]
