"""Verifying the whole audit trail: every chain by itself, against the anchors, and against the list of chains. Pure.

The order of reading matters while others write: anchors first, then what queries show, then the list of chains, then
the chains. Whatever was anchored or shown is in the list, and whatever is in the list has entries, so that an untouched
trail is never accused.

What it can't find: entries cut off that no anchor covers yet, and an event that somebody kept from being recorded.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from services.auditor.anchoring.anchors import AnchorWalk
from services.auditor.chain import faults_of, verify_chain
from shared.model.anchor import FaultKind, Signature, StoredAnchor, TrailFault, anchors_of
from shared.model.stored_entry import StoredEntry

CHAIN = "CHAIN#"  # before a chain's name in the key of its entries
ReadChain = Callable[[str], Iterable[StoredEntry]]  # the entries of a chain by its name, oldest first
CheckSignature = Callable[[str, Signature], bool]  # whether a signature of this digest (hex) is the trusted key's


class TrailReport(NamedTuple):
    """Outcome of a verification.

    `entries`, `chains` and `anchors` count what was looked at and good, `unanchored` the good entries behind the newest
    anchor. `anchored_at` is when that one was made, `signed` whether its signature was checked and good. `faults` are
    those of anchors first, then those of each bad chain. `anchor_times` are when all good anchors were made. `unlisted`
    counts chains that only a version before the list of chains wrote to: nothing but their own hashes vouches for them.
    """

    entries: int
    chains: int
    anchors: int
    unanchored: int
    anchored_at: datetime | None
    signed: bool
    faults: tuple[TrailFault, ...]
    anchor_times: tuple[datetime, ...] = ()
    unlisted: int = 0

    @property
    def whole(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def verify_trail(
    read: ReadChain,
    anchors: Iterable[StoredAnchor],
    registry: Iterable[str],
    *,
    shown: Iterable[StoredEntry] = (),
    only: Collection[str] | None = None,
    signed: CheckSignature | None = None,
) -> TrailReport:
    """Verify the chains of `registry` and of the anchors, one at a time; of `only` these, if given.

    Each bad chain is named with its first bad entry. `anchors` come in the order of their numbers. `shown` is whatever
    queries of the account show: what lies in none of these chains is a fault, too. With `signed`, the newest anchor's
    signature is checked: its digest covers all anchors before.
    """
    walk = AnchorWalk(are_signed=signed is not None)
    for stored in anchors:
        walk.add(stored)
    others = _chains_of(shown)
    listed = set(registry)
    known = listed | set(walk.heads)
    unlisted = {chain for chain, is_old in others.items() if is_old} - known
    wanted = sorted(known | unlisted if only is None else only)
    entries = unanchored = 0
    found = [*walk.faults, *_of_signature(walk, signed), *_foreign(sorted(others.keys() - known - unlisted))]
    for chain in wanted:
        report = verify_chain(read(chain), chain=chain, anchored=walk.anchored.get(chain))
        entries += report.verified
        unanchored += _beyond(walk, chain, report.head.sequence)
        found.extend(faults_of(chain, report, listed=only is not None or chain in listed, anchored=chain in walk.heads))
    found.extend(_recorded_alone(walk, found, only))
    unsigned = [fault for fault in found if fault.kind is FaultKind.ANCHOR_UNSIGNED]
    good = walk.count - len({fault.sequence for fault in walk.faults if fault.kind is not FaultKind.ANCHOR_MISSING})
    return TrailReport(
        entries=entries,
        chains=len(wanted),
        anchors=good,
        unanchored=unanchored,
        anchored_at=walk.newest.anchored_at if walk.newest else None,
        signed=signed is not None and walk.signature is not None and not unsigned,
        faults=tuple(found),
        anchor_times=tuple(walk.times),
        unlisted=len(unlisted),
    )


def gaps_of(times: Sequence[datetime], patience: timedelta) -> list[tuple[datetime, datetime]]:
    """Between which anchors more time lies than `patience`: a schedule that failed, or anchors that were removed.

    Whoever may remove locked anchors can remove all of the newest, and the next run goes on from the last one left.
    """
    return [(before, after) for before, after in pairwise(times) if after - before > patience]


def _chains_of(shown: Iterable[StoredEntry]) -> dict[str, bool]:
    """The chains, or other partitions, in which entries lie; of each whether it may be one that was never listed.

    That is a chain of the account that only version 1 wrote to. Whether an entry is what its chain says is seen there.
    """
    found: dict[str, bool] = {}
    for entry in shown:
        key = str(entry.attributes.get("pk"))
        chain = key.removeprefix(CHAIN) if key.startswith(f"{CHAIN}{entry.attributes.get('account_id')}/") else key
        is_old = chain != key and entry.attributes.get("schema_version") == 1
        found[chain] = found.get(chain, True) and is_old
    return found


def _foreign(chains: Iterable[str]) -> Iterator[TrailFault]:
    for chain in chains:
        message = f"{chain}: queries show what lies there, and it is in no list of chains"
        yield TrailFault(chain=chain, kind=FaultKind.FOREIGN, sequence=None, message=message)


def _beyond(walk: AnchorWalk, chain: str, reached: int) -> int:
    anchored = walk.heads[chain].sequence if chain in walk.heads else 0
    return max(0, reached - anchored)


def _of_signature(walk: AnchorWalk, signed: CheckSignature | None) -> Iterator[TrailFault]:
    if walk.newest is None or signed is None or not walk.ever_signed:
        return
    if walk.signature is not None and signed(walk.digest, walk.signature):
        return
    message = f"anchor {walk.newest.number}: its signature is not the key's"
    chain = anchors_of(walk.newest.account_id)
    yield TrailFault(chain=chain, kind=FaultKind.ANCHOR_UNSIGNED, sequence=walk.newest.number, message=message)


def _recorded_alone(
    walk: AnchorWalk, found: Iterable[TrailFault], only: Collection[str] | None
) -> Iterator[TrailFault]:
    """Faults that anchors recorded and that aren't to be seen any more: whoever repaired them must say so."""
    places, chains = {fault.place for fault in found}, {fault.chain for fault in found if not _of_anchors(fault)}
    for fault in walk.recorded.values():
        if fault.place not in places and fault.chain not in chains and (only is None or fault.chain in only):
            yield fault.model_copy(update={"message": f"{fault.message} (an anchor recorded this)"})


def _of_anchors(fault: TrailFault) -> bool:
    return fault.chain == anchors_of(fault.chain.split("/", 1)[0])
