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
from shared.model.anchor import Anchor, TrailFault, anchors_of
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


def is_complete(number: int) -> bool:
    """Whether the anchor of this number holds all chains and all faults, which every 24th does."""
    return (number - 1) % COMPLETE_EVERY == 0


def next_anchor(walk: AnchorWalk, looked: Looked, *, account_id: str, number: int, now: datetime) -> Anchor:
    """The anchor that follows: each chain's last proven end, and the faults that are new.

    It holds all chains and all faults in every 24th, in the first, and where the ones before can't be relied on.
    """
    heads = dict(walk.heads)
    for chain, report in looked.reports.items():
        if report.head != BEFORE_ALL:
            heads[chain] = report.head
    complete = is_complete(number) or bool(walk.faults) or walk.newest is None
    new = new_faults(walk, looked)
    return Anchor(
        account_id=account_id,
        number=number,
        anchored_at=now,
        previous_digest=walk.digest,
        complete=complete,
        chains=len(heads),
        entries=sum(head.sequence for head in heads.values()),
        heads=dict(sorted((heads if complete else moved(heads, walk.heads)).items())),
        faults=(*walk.recorded.values(), *new) if complete else tuple(new),
        new_faults=len(new),
        pending_from=looked.pending_from,
    )


def new_faults(walk: AnchorWalk, looked: Looked) -> list[TrailFault]:
    """The faults that no anchor recorded yet."""
    found = {fault.place: fault for fault in looked.faults(walk.heads)}
    return [fault for place, fault in found.items() if place not in walk.recorded]


def next_number(walk: AnchorWalk, taken: Collection[int]) -> int:
    """The first free number behind the newest good anchor, whatever somebody put further on.

    Raises SafetyError where none is left.
    """
    first = walk.newest.number + 1 if walk.newest else 1
    number = next(number for number in count(first) if number not in taken)
    if number > LAST_NUMBER:
        raise SafetyError(f"no number is left for an anchor behind {first - 1}: an anchor was forged")
    return number


def events_of(anchor: Anchor) -> list[AuditTrailBroken]:
    """The events that tell of the faults that are new in an anchor, and one for all that are too many to be told alone.

    They are the same ones however often they are made of an anchor.
    """
    new = anchor.faults[max(0, len(anchor.faults) - anchor.new_faults) :]
    events = [_broken(anchor, fault, *fault.place) for fault in new[:MAX_TOLD]]
    if more := len(new[MAX_TOLD:]):
        message = f"{more:,} more faults, which anchor {anchor.number} has: `leastwise audit verify` names all"
        others = new[MAX_TOLD].model_copy(update={"chain": anchors_of(anchor.account_id), "sequence": anchor.number})
        events.append(_broken(anchor, others.model_copy(update={"message": message}), "more", anchor.number))
    return events


def _broken(anchor: Anchor, fault: TrailFault, *key: object) -> AuditTrailBroken:
    return AuditTrailBroken(
        event_id=event_id_of(AuditTrailBroken.type_name(), anchor.account_id, *key),
        occurred_at=anchor.anchored_at,
        account_id=anchor.account_id,
        chain=fault.chain,
        fault=fault.kind,
        sequence=fault.sequence,
        message=fault.message,
    )
