"""What a run of anchoring tells: new faults only, a hundred at most and one sum, however many somebody plants."""

import json
from collections.abc import Sequence

import pytest

from services.auditor.anchoring.core import MAX_TOLD, Looked, events_of, next_anchor
from services.auditor.chain import verify_chain
from shared.model.anchor import Anchor, AnchorPlace, StoredAnchor
from tests.builders import ACCOUNT, NOW
from tests.unit.trail import anchored, chain_of, walk_of

FIRST = anchored([{f"{ACCOUNT}/AIDAEXAMPLE": chain_of(2)}])


def anchor_after(before: Sequence[StoredAnchor], *, planted: int) -> Anchor:
    """The next anchor where somebody put so many chains without entries into the list."""
    names = [f"{ACCOUNT}/planted-{place:04}" for place in range(planted)]
    looked = Looked({chain: verify_chain((), chain=chain) for chain in names}, frozenset(names))
    return next_anchor(walk_of(before), looked, account_id=ACCOUNT, number=len(before) + 1, now=NOW)


@pytest.mark.parametrize(
    ("planted", "told", "summed"),
    [(0, 0, ""), (1, 1, ""), (MAX_TOLD, MAX_TOLD, ""), (MAX_TOLD + 1, MAX_TOLD, "1 "), (2_000, MAX_TOLD, "1,900 ")],
)
def test_however_many_chains_are_made_up_a_hundred_are_told_and_the_sum_of_the_others(
    planted: int, told: int, summed: str
) -> None:
    anchor = anchor_after(FIRST, planted=planted)
    assert anchor.new_faults == planted
    events = events_of(anchor)
    assert events == events_of(anchor), "told again they are the same events, which the trail takes once"
    assert len({event.event_id for event in events}) == len(events) == told + bool(summed)
    sums = [event.message for event in events if "more faults" in event.message]
    assert [message.partition("more")[0] for message in sums] == ([summed] if summed else [])


def test_the_next_anchor_neither_holds_nor_tells_the_same_faults_again() -> None:
    anchor = anchor_after(FIRST, planted=2_000)
    content = json.loads(json.dumps({**anchor.fields(), "digest": anchor.digest}))
    stored = StoredAnchor(AnchorPlace(ACCOUNT, anchor.number, "v2"), content)
    later = anchor_after([*FIRST, stored], planted=2_001)
    assert not later.complete
    assert [fault.chain for fault in later.faults] == [f"{ACCOUNT}/planted-2000"]
    assert len(events_of(later)) == 1
