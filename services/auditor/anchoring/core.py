"""Making the next anchor out of the last ones and of what was proven since. Pure."""

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from services.auditor.anchoring.anchors import AnchorWalk, moved
from services.auditor.chain import BEFORE_ALL, ChainReport, faults_of
from shared.errors import SafetyError
from shared.events import AuditTrailBroken, event_id_of
from shared.model.anchor import Anchor, TrailFault
from shared.model.stored_entry import Head

LAST_NUMBER = 999_999_999_999  # of an anchor: its key has twelve digits
MAX_TOLD = 100  # faults that one run tells one by one
COMPLETE_EVERY = 24  # anchors: the others hold only what moved, so that a year of them can be read


@dataclass(frozen=True, slots=True)
class Looked:
    """What a run found: a report of each chain that it reached, the chains that are listed, and where it stopped."""

    reports: Mapping[str, ChainReport]
    listed: frozenset[str]
    faults_of_anchors: Sequence[TrailFault] = ()
    pending_from: str | None = None

    def faults(self, heads: Mapping[str, Head]) -> list[TrailFault]:
        """Everything that is wrong, as far as the run came; `heads` are what the anchors say."""
        found = list(self.faults_of_anchors)
        for chain, report in self.reports.items():
            found.extend(faults_of(chain, report, listed=chain in self.listed, anchored=chain in heads))
        return found


def order_of(chains: Iterable[str], pending_from: str | None) -> list[str]:
    """In which order a run looks at the chains: it begins with what the run before did not reach."""
    row = sorted(chains)
    first = next((place for place, chain in enumerate(row) if pending_from and chain >= pending_from), 0)
    return row[first:] + row[:first]


def is_due(chain: str, number: int) -> bool:
    """Whether the run of this number verifies a chain from its beginning, which is every 24th run for each."""
    return zlib.crc32(chain.encode()) % COMPLETE_EVERY == number % COMPLETE_EVERY


def next_anchor(walk: AnchorWalk, looked: Looked, *, account_id: str, number: int, now: datetime) -> Anchor:
    """The anchor that follows: each chain's last proven end, and every fault that was ever found.

    It holds all chains in every 24th, in the first, and where the ones before can't be relied on.
    """
    heads = dict(walk.heads)
    for chain, report in looked.reports.items():
        if report.head != BEFORE_ALL:
            heads[chain] = report.head
    complete = (number - 1) % COMPLETE_EVERY == 0 or bool(walk.faults) or walk.newest is None
    faults = walk.recorded | {fault.place: fault for fault in new_faults(walk, looked)}
    return Anchor(
        account_id=account_id,
        number=number,
        anchored_at=now,
        previous_digest=walk.digest,
        complete=complete,
        chains=len(heads),
        entries=sum(head.sequence for head in heads.values()),
        heads=dict(sorted((heads if complete else moved(heads, walk.heads)).items())),
        faults=tuple(faults.values()),
        pending_from=looked.pending_from,
    )


def new_faults(walk: AnchorWalk, looked: Looked) -> list[TrailFault]:
    """The faults that no anchor recorded yet."""
    found = {fault.place: fault for fault in looked.faults(walk.heads)}
    return [fault for place, fault in found.items() if place not in walk.recorded]


def next_number(walk: AnchorWalk, taken: Collection[int]) -> int:
    """The first free number behind the newest good anchor: an object planted far ahead does not end the row.

    Raises SafetyError where none is left.
    """
    first = walk.newest.number + 1 if walk.newest else 1
    number = next(number for number in count(first) if number not in taken)
    if number > LAST_NUMBER:
        raise SafetyError(f"no number is left for an anchor behind {first - 1}: an anchor was forged")
    return number


def events_of(faults: Sequence[TrailFault], *, account_id: str, now: datetime) -> list[AuditTrailBroken]:
    """The events that tell of new faults, and one for all that are too many to be told one by one."""
    events = [broken_trail(fault, account_id=account_id, now=now) for fault in faults[:MAX_TOLD]]
    if len(faults) > MAX_TOLD:
        message = f"{len(faults) - MAX_TOLD:,} more faults: `leastwise audit verify` names all"
        rest = faults[MAX_TOLD].model_copy(update={"message": message})
        events.append(broken_trail(rest, account_id=account_id, now=now))
    return events


def broken_trail(fault: TrailFault, *, account_id: str, now: datetime) -> AuditTrailBroken:
    """The event that tells of a fault, the same one however often it is found."""
    return AuditTrailBroken(
        event_id=event_id_of(AuditTrailBroken.type_name(), account_id, *fault.place),
        occurred_at=now,
        account_id=account_id,
        chain=fault.chain,
        fault=fault.kind,
        sequence=fault.sequence,
        message=fault.message,
    )
