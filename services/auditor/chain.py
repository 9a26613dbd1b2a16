"""The hash chain that proves that nobody edited the audit trail. Pure."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from shared.model.anchor import FaultKind, TrailFault
from shared.model.audit import NO_PREVIOUS
from shared.model.stored_entry import FAR, Head, StoredEntry, place_of

BEFORE_ALL = Head(0, NO_PREVIOUS)


class ChainReport(NamedTuple):
    """Outcome of a verification: how many entries were good, where the good ones end, and the first bad one, if any."""

    verified: int
    head: Head
    fault: FaultKind | None = None
    sequence: int | None = None
    message: str = ""

    @property
    def whole(self) -> bool:
        """Whether no fault was found."""
        return self.fault is None


def verify_chain(
    entries: Iterable[StoredEntry],
    *,
    chain: str | None = None,
    proven: Head = BEFORE_ALL,
    anchored: Mapping[int, str] | None = None,
) -> ChainReport:
    """Recompute one chain, oldest entry first, and name the first entry that is edited, out of line or missing.

    `chain` is its name, by default the one that its first entry says. `entries` begin behind `proven`. `anchored` are
    hashes by place that were anchored: an entry with another one was replaced, and one that isn't there was cut off.
    What lies under a key that no entry can have is told last, since it hides nothing.
    """
    head, count = proven, 0
    expected = anchored or {}
    is_foreign = False
    for entry in entries:
        chain = chain if chain is not None else str(entry.attributes.get("chain"))
        if not 0 < entry.head.sequence <= head.sequence + FAR:
            is_foreign = True
            continue
        if wrong := _wrong(entry, chain, head, expected):
            fault, said = wrong
            place = head.sequence + 1
            return ChainReport(count, head, fault, place, f"{chain} #{place}: {said}")
        head, count = entry.head, count + 1
    if (last := max(expected, default=0)) > head.sequence:
        place = head.sequence + 1
        if head.sequence == 0:
            return ChainReport(0, head, FaultKind.REMOVED, 1, f"{chain}: all of its {last} anchored entries are gone")
        message = f"{chain} #{place}: the chain ends before it, and was anchored up to #{last}"
        return ChainReport(count, head, FaultKind.TRUNCATED, place, message)
    if is_foreign:
        message = f"{chain}: something lies in this chain that is no entry of it"
        return ChainReport(count, head, FaultKind.FOREIGN, None, message)
    return ChainReport(count, head)


def verify_on(entries: Iterable[StoredEntry], *, chain: str, proven: Head) -> ChainReport:
    """Go on with a chain that was proven up to an entry: `entries` begin with that one, which must still be there.

    `verified` counts the ones behind it. The head never goes back behind `proven`.
    """
    if proven == BEFORE_ALL:
        return verify_chain(entries, chain=chain)
    found = iter(entries)
    first = next(found, None)
    before = Head(proven.sequence - 1, str(first.attributes.get("previous_hash")) if first else NO_PREVIOUS)
    again = [first] if first else []
    anchored = {proven.sequence: proven.entry_hash}
    report = verify_chain(itertools.chain(again, found), chain=chain, proven=before, anchored=anchored)
    if report.verified == 0:
        return report._replace(head=proven)
    return report._replace(verified=report.verified - 1)


def faults_of(chain: str, report: ChainReport, *, listed: bool, anchored: bool) -> Iterator[TrailFault]:
    """What a report, and the chain's presence in the list of chains, tell of it. What is listed had an entry once."""
    if report.fault:
        yield TrailFault(chain=chain, kind=report.fault, sequence=report.sequence, message=report.message)
    if report.fault in {None, FaultKind.FOREIGN} and listed and report.head == BEFORE_ALL:
        message = f"{chain}: all of its entries are gone"
        yield TrailFault(chain=chain, kind=FaultKind.REMOVED, sequence=1, message=message)
    if anchored and not listed:
        message = f"{chain}: it was anchored, and is gone from the list of chains"
        yield TrailFault(chain=chain, kind=FaultKind.UNREGISTERED, sequence=None, message=message)


def _wrong(entry: StoredEntry, chain: str, before: Head, anchored: Mapping[int, str]) -> tuple[FaultKind, str] | None:
    place = before.sequence + 1
    if entry.attributes.get("sk") != place_of(place):
        return FaultKind.MISSING, "this entry is missing"
    if entry.was_edited or entry.attributes.get("chain") != chain:
        return FaultKind.EDITED, "this entry was edited"
    if entry.attributes.get("previous_hash") != before.entry_hash:
        return FaultKind.BROKEN, "this entry does not continue the one before"
    if anchored.get(place, entry.head.entry_hash) != entry.head.entry_hash:
        return FaultKind.REPLACED, "this entry is not the one that was anchored"
    return None
