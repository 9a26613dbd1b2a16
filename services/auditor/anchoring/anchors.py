"""Reading anchors: whether each is what was written, and continues the one before. Pure.

Every anchor names the digest of the one before, so that the newest vouches for all. One that can't be trusted is told,
left out, and the next one taken as it is: a fault is told once, not again by all that follow it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from pydantic import ValidationError

from shared.model.anchor import (
    NO_ANCHOR,
    UNHASHED,
    Anchor,
    AnchorPlace,
    FaultKind,
    Signature,
    StoredAnchor,
    TrailFault,
    anchors_of,
)
from shared.model.digests import digest_of
from shared.model.stored_entry import FAR, Head


class AnchorWalk:
    """What a row of anchors says together, added in the order of their numbers.

    `heads` are the ends of all chains, `anchored` every end that was ever anchored (chain to place to hash). `faults`
    is what is wrong with the anchors, `recorded` what they say is wrong. `newest` is the last good one, `digest` its;
    `times` are those of all good ones. `are_signed` says that a key signs anchors: behind a signed one, one without a
    signature is none. `refused` are numbers of those whose signature is known to be wrong.
    """

    def __init__(self, *, first: int = 1, are_signed: bool = False, refused: Collection[int] = ()) -> None:
        self.heads: dict[str, Head] = {}
        self.anchored: dict[str, dict[int, str]] = {}
        self.faults: list[TrailFault] = []
        self.recorded: dict[tuple[str, FaultKind, int | None], TrailFault] = {}
        self.newest: Anchor | None = None
        self.times: list[datetime] = []
        self.signature: Signature | None = None
        self.ever_signed = False
        self.count = 0
        self._next = first
        self.digest = NO_ANCHOR
        self._linked = first == 1  # whether the next one must continue it
        self._are_signed = are_signed
        self._refused = refused

    def add(self, stored: StoredAnchor) -> None:
        """Take one more anchor, or say what is wrong with it."""
        self.faults.extend(faults_of_places([stored.place], first=self._next))
        self.count += 1
        if is_far(stored.place, self._next):
            return
        if stored.place.number != self._next:
            self._linked = False  # nobody knows what the missing ones said
        self._next = stored.place.number + 1
        anchor = self._good(stored)
        if isinstance(anchor, TrailFault):
            self.faults.append(anchor)
            self._linked = False
            return
        self._take(anchor, str((stored.content or {}).get("digest")))
        self.signature = signature_of(stored)
        self.ever_signed = self.ever_signed or self.signature is not None

    def _good(self, stored: StoredAnchor) -> Anchor | TrailFault:
        anchor = read_anchor(stored)
        if isinstance(anchor, TrailFault):
            return anchor
        if stored.place.number in self._refused:
            return _fault(stored.place, FaultKind.ANCHOR_UNSIGNED, "its signature is not the key's")
        if self._are_signed and self.ever_signed and signature_of(stored) is None:
            return _fault(stored.place, FaultKind.ANCHOR_UNSIGNED, "it has no signature, and earlier ones have")
        if said := self._breach(anchor):
            return _fault(stored.place, FaultKind.ANCHOR_UNLINKED, said)
        return anchor

    def _breach(self, anchor: Anchor) -> str:
        if self._linked and anchor.previous_digest != self.digest:
            return "it does not continue the one before, or that one is not what was written"
        if anchor.complete and (lost := sorted(set(self.heads) - set(anchor.heads))):
            return f"it leaves out {lost[0]}, which was anchored before"
        for chain, head in anchor.heads.items():
            before = self.heads.get(chain, head)
            if head.sequence < before.sequence or (head.sequence == before.sequence and head != before):
                return f"it takes {chain} back behind what was anchored before"
        return ""

    def _take(self, anchor: Anchor, digest: str) -> None:
        for chain, head in anchor.heads.items():
            if self.heads.get(chain) != head:
                self.anchored.setdefault(chain, {}).setdefault(head.sequence, head.entry_hash)
        self.heads.update(anchor.heads)
        for fault in anchor.faults:
            self.recorded.setdefault(fault.place, fault)
        self.newest, self.digest, self._linked = anchor, digest, True
        self.times.append(anchor.anchored_at)


def read_anchor(stored: StoredAnchor) -> Anchor | TrailFault:
    """The anchor that is stored at a place, or what is wrong with it. Fields of a newer version are hashed as well."""
    place, content = stored
    if content is None:
        return _fault(place, FaultKind.ANCHOR_EDITED, "it can't be read")
    fields = {name: value for name, value in content.items() if name not in UNHASHED}
    try:
        anchor = Anchor.model_validate(fields)
    except ValidationError:
        return _fault(place, FaultKind.ANCHOR_EDITED, "it can't be read")
    if (anchor.account_id, anchor.number) != (place.account_id, place.number):
        return _fault(place, FaultKind.ANCHOR_EDITED, "it is another one")
    if content.get("digest") != digest_of(fields):
        return _fault(place, FaultKind.ANCHOR_EDITED, "it was edited")
    return anchor


def signature_of(stored: StoredAnchor) -> Signature | None:
    """The signature that an anchor carries; None where there is none that can be read."""
    try:
        return Signature.model_validate((stored.content or {}).get("signature"))
    except ValidationError:
        return None


def faults_of_places(places: Iterable[AnchorPlace], *, first: int = 1) -> Iterator[TrailFault]:
    """What the bucket's listing alone shows: numbers that are missing, objects that were overwritten or deleted.

    A gap has the number of its last missing anchor: the first may be written yet, where somebody put one further on.
    """
    expected = first
    for place in places:
        if is_far(place, expected):
            yield _fault(place, FaultKind.ANCHOR_UNLINKED, "it stands far behind the end of the row, and is none of it")
            continue
        if place.number > expected:
            last = place.number - 1
            said = f"anchor {last} is missing" if last == expected else f"anchors {expected} to {last} are missing"
            yield TrailFault(
                chain=anchors_of(place.account_id), kind=FaultKind.ANCHOR_MISSING, sequence=last, message=said
            )
        expected = place.number + 1
        if place.overwritten:
            yield _fault(place, FaultKind.ANCHOR_OVERWRITTEN, "somebody wrote over it; its first version counts")
        if place.deleted:
            yield _fault(place, FaultKind.ANCHOR_DELETED, "somebody deleted it; its first version counts")


def row_of(places: Iterable[AnchorPlace]) -> list[AnchorPlace]:
    """The places that can be anchors of ours: an object that somebody puts far ahead does not end the row."""
    row: list[AnchorPlace] = []
    for place in places:
        if not is_far(place, row[-1].number + 1 if row else 1):
            row.append(place)
    return row


def is_far(place: AnchorPlace, expected: int) -> bool:
    """Whether so many numbers are missing before a place that it was made up."""
    return place.number > expected + FAR


def _fault(place: AnchorPlace, kind: FaultKind, said: str) -> TrailFault:
    message = f"anchor {place.number}: {said}"
    return TrailFault(chain=anchors_of(place.account_id), kind=kind, sequence=place.number, message=message)


def moved(heads: Mapping[str, Head], before: Mapping[str, Head]) -> dict[str, Head]:
    """The ends of chains that are not where they were."""
    return {chain: head for chain, head in heads.items() if before.get(chain) != head}
