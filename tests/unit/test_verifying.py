"""Verifying the whole trail: each kind of tampering is found and named, and an untouched trail is never accused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auditor.verifying import gaps_of, verify_trail
from shared.model.anchor import FaultKind, Signature, StoredAnchor
from shared.model.digests import digest_of
from shared.model.stored_entry import LAST, StoredEntry
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT
from tests.unit.trail import ANAS, DEPLOYERS, Chain, anchored, chain_of, edited, sealed, verified

ANCHORS = f"{ACCOUNT}/anchors"
STAGES: tuple[dict[str, Chain], ...] = tuple(
    {ANAS: chain_of(ana)} | ({DEPLOYERS: chain_of(deployer, DEPLOYER)} if deployer else {})
    for ana, deployer in ((2, 0), (4, 1), (4, 3))
)
FULL = {ANAS: chain_of(6), DEPLOYERS: chain_of(3, DEPLOYER)}
LISTED = (ANAS, DEPLOYERS)
ANCHORED = anchored(STAGES)


class Trail(NamedTuple):
    """All that verification reads."""

    chains: dict[str, Chain] = FULL
    anchors: tuple[StoredAnchor, ...] = ANCHORED
    listed: tuple[str, ...] = LISTED

    def told(self) -> list[tuple[str, FaultKind, int | None]]:
        """The faults that verification finds."""
        return [fault.place for fault in verified(self.chains, self.anchors, registry=self.listed).faults]


def of_ana(change: Callable[[Chain], Chain]) -> Callable[[Trail], Trail]:
    return lambda trail: trail._replace(chains={**FULL, ANAS: change(FULL[ANAS])})


def of_anchor(number: int, change: Callable[[StoredAnchor], StoredAnchor]) -> Callable[[Trail], Trail]:
    at = number - 1
    return lambda trail: trail._replace(anchors=(*ANCHORED[:at], change(ANCHORED[at]), *ANCHORED[at + 1 :]))


def content_of(stored: StoredAnchor, **changes: Any) -> StoredAnchor:
    return stored._replace(content={**(stored.content or {}), **changes})


def forged(stored: StoredAnchor, **changes: Any) -> StoredAnchor:
    """An anchor with some fields changed and the digest that they make."""
    content = content_of(stored, **changes).content or {}
    fields = {name: value for name, value in content.items() if name not in {"digest", "signature"}}
    return stored._replace(content={**content, "digest": digest_of(fields)})


def put_by(stored: StoredAnchor, *, overwritten: bool = False, deleted: bool = False) -> StoredAnchor:
    return stored._replace(place=stored.place._replace(overwritten=overwritten, deleted=deleted))


FAR_ENTRY = sealed(FULL[ANAS][0], sequence=LAST, summary="nothing happened")
REWRITTEN = chain_of(6, ANA, after=(sealed(FULL[ANAS][0], summary="nothing happened"),))
HEADS = {**(ANCHORED[1].content or {})["heads"], ANAS: [4, "f" * 64]}
TAMPERINGS: list[tuple[str, Callable[[Trail], Trail], list[tuple[str, FaultKind, int | None]]]] = [
    ("an edited entry", of_ana(lambda c: (edited(c[0], summary="x"), *c[1:])), [(ANAS, FaultKind.EDITED, 1)]),
    ("a dropped entry", of_ana(lambda c: c[:2] + c[3:]), [(ANAS, FaultKind.MISSING, 3)]),
    ("swapped entries", of_ana(lambda c: (c[1], c[0], *c[2:])), [(ANAS, FaultKind.MISSING, 1)]),
    ("a cut end", of_ana(lambda c: c[:3]), [(ANAS, FaultKind.TRUNCATED, 4)]),
    ("an entry made up at the last place", of_ana(lambda c: (*c, FAR_ENTRY)), [(ANAS, FaultKind.FOREIGN, None)]),
    (
        "that, and a cut end",
        of_ana(lambda c: (*c[:3], FAR_ENTRY)),
        [(ANAS, FaultKind.TRUNCATED, 4)],
    ),
    ("a chain written anew", of_ana(lambda c: REWRITTEN), [(ANAS, FaultKind.REPLACED, 2)]),
    ("a removed chain", of_ana(lambda c: ()), [(ANAS, FaultKind.REMOVED, 1)]),
    (
        "a removed chain that no anchor has",
        lambda t: t._replace(chains={**FULL, ANAS: ()}, anchors=()),
        [(ANAS, FaultKind.REMOVED, 1)],
    ),
    ("a chain off the list", lambda t: t._replace(listed=(ANAS,)), [(DEPLOYERS, FaultKind.UNREGISTERED, None)]),
    (
        "a chain removed everywhere but in the anchors",
        lambda t: t._replace(chains={ANAS: FULL[ANAS]}, listed=(ANAS,)),
        [(DEPLOYERS, FaultKind.REMOVED, 1), (DEPLOYERS, FaultKind.UNREGISTERED, None)],
    ),
    ("an edited anchor", of_anchor(2, lambda a: content_of(a, entries=9)), [(ANCHORS, FaultKind.ANCHOR_EDITED, 2)]),
    ("a garbled anchor", of_anchor(2, lambda a: a._replace(content=None)), [(ANCHORS, FaultKind.ANCHOR_EDITED, 2)]),
    (
        "an anchor under another number",
        of_anchor(2, lambda a: a._replace(content=ANCHORED[0].content)),
        [(ANCHORS, FaultKind.ANCHOR_EDITED, 2)],
    ),
    (
        "an anchor made anew",
        of_anchor(2, lambda a: forged(a, entries=9)),
        [(ANCHORS, FaultKind.ANCHOR_UNLINKED, 3)],
    ),
    (
        "an anchor made anew with another head",
        of_anchor(2, lambda a: forged(a, heads=HEADS)),
        [(ANCHORS, FaultKind.ANCHOR_UNLINKED, 3), (ANAS, FaultKind.REPLACED, 4)],
    ),
    (
        "the first anchor removed",
        lambda t: t._replace(anchors=ANCHORED[1:]),
        [(ANCHORS, FaultKind.ANCHOR_MISSING, 1)],
    ),
    (
        "an anchor in the middle removed",
        lambda t: t._replace(anchors=(ANCHORED[0], ANCHORED[2])),
        [(ANCHORS, FaultKind.ANCHOR_MISSING, 2)],
    ),
    (
        "an overwritten anchor",
        of_anchor(2, lambda a: put_by(a, overwritten=True)),
        [(ANCHORS, FaultKind.ANCHOR_OVERWRITTEN, 2)],
    ),
    ("a deleted anchor", of_anchor(2, lambda a: put_by(a, deleted=True)), [(ANCHORS, FaultKind.ANCHOR_DELETED, 2)]),
]


@pytest.mark.parametrize(("what", "tamper", "expected"), TAMPERINGS, ids=[case[0] for case in TAMPERINGS])
def test_each_kind_of_tampering_is_found_and_named_once(
    what: str, tamper: Callable[[Trail], Trail], expected: list[tuple[str, FaultKind, int | None]]
) -> None:
    assert tamper(Trail()).told() == expected


def test_an_untouched_trail_is_counted() -> None:
    report = verified(FULL, ANCHORED)
    assert report.whole
    assert (report.entries, report.chains, report.anchors, report.unanchored) == (9, 2, 3, 2)
    assert (report.anchored_at, report.signed) == (NOW + timedelta(hours=3), False)


def test_what_no_anchor_covers_can_be_cut_off_unnoticed() -> None:
    """This is the limit that the documentation states: it is as long as the schedule of anchors."""
    assert verified({**FULL, ANAS: FULL[ANAS][:4]}, ANCHORED).whole


def test_every_bad_chain_is_named_and_the_good_ones_are_counted() -> None:
    third = f"{ACCOUNT}/account"
    chains = {
        **{chain: (edited(entries[1], summary="x"), *entries[2:]) for chain, entries in FULL.items()},
        third: FULL[ANAS][:0],
    }
    report = verified(chains, (), registry=[*LISTED])
    assert [fault.chain for fault in report.faults] == [ANAS, DEPLOYERS]
    assert report.entries == 0


def test_one_chain_alone_is_verified_against_its_anchors() -> None:
    cut = {**FULL, ANAS: FULL[ANAS][:3], DEPLOYERS: ()}
    report = verify_trail(cut.__getitem__, ANCHORED, (), only={ANAS})
    assert [fault.place for fault in report.faults] == [(ANAS, FaultKind.TRUNCATED, 4)]
    assert report.chains == 1
    assert verify_trail({ANAS: FULL[ANAS]}.__getitem__, ANCHORED, (), only={ANAS}).whole


def test_a_fault_that_was_anchored_stays_after_it_was_repaired() -> None:
    broken = {**STAGES[2], ANAS: (*FULL[ANAS][:3], edited(FULL[ANAS][3], summary="x"))}
    anchors = anchored([broken, STAGES[2], FULL], before=ANCHORED[:2])
    assert verified(broken, anchors).faults[0].place == (ANAS, FaultKind.EDITED, 4)
    (fault,) = verified(FULL, anchors).faults
    assert fault.place == (ANAS, FaultKind.EDITED, 4)
    assert fault.message.endswith("(an anchor recorded this)")


KEY = "alias/anchors"
SIGNED = tuple(
    content_of(stored, signature={"key": KEY, "algorithm": "A", "value": f"of {(stored.content or {})['digest']}"})
    for stored in ANCHORED
)


def good(digest: str, signature: Signature) -> bool:
    return signature.value == f"of {digest}"


def test_the_signature_of_the_newest_anchor_covers_all() -> None:
    report = verified(FULL, SIGNED, signed=good)
    assert (report.whole, report.signed) == (True, True)
    assert verified(FULL, (*ANCHORED[:2], SIGNED[2]), signed=good).whole, "signing may begin at any time"
    assert verified(FULL, SIGNED).signed is False, "nobody looked"


@pytest.mark.parametrize(
    "newest", [ANCHORED[2], content_of(SIGNED[2], signature=(SIGNED[1].content or {})["signature"])]
)
def test_a_newest_anchor_without_its_signature_is_found(newest: StoredAnchor) -> None:
    report = verified(FULL, (*SIGNED[:2], newest), signed=good)
    assert [fault.place for fault in report.faults] == [(ANCHORS, FaultKind.ANCHOR_UNSIGNED, 3)]
    assert not report.signed


def test_a_trail_that_others_write_to_meanwhile_is_never_accused() -> None:
    """Anchors are read first, then the list, then each chain: whatever is added in between is newer."""
    order: list[str] = []
    now = dict(STAGES[0])

    def anchors() -> Any:
        order.append("anchors")
        yield from ANCHORED[:1]
        now.update(STAGES[1])

    def registry() -> Any:
        order.append("list")
        yield from list(now)
        now.update(FULL)

    def read(chain: str) -> Any:
        order.append(chain)
        for place in range(1, 7):
            now[ANAS] = chain_of(6 + place)
            if place <= len(now[chain]):
                yield now[chain][place - 1]

    report = verify_trail(read, anchors(), registry())
    assert report.whole
    assert order == ["anchors", "list", ANAS, DEPLOYERS]


@given(st.data())
@settings(deadline=None)
def test_an_untouched_trail_is_never_accused_whenever_it_was_anchored(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
    ana, deployer, stages = 0, 0, []
    for more_of_ana, more_of_deployer in lengths:
        ana, deployer = min(ana + more_of_ana, 12), min(deployer + more_of_deployer, 12)
        stages.append({ANAS: LONG[ANAS][:ana], DEPLOYERS: LONG[DEPLOYERS][:deployer]})
    listed = [[chain for chain, entries in stage.items() if entries] for stage in stages]
    anchors: tuple[StoredAnchor, ...] = ()
    for stage, names in zip(stages, listed, strict=True):
        anchors = anchored([stage], before=anchors, listed=names)
    assert verified(stages[-1], anchors, registry=listed[-1]).whole
    assert verified(LONG, anchors).whole


LONG = {ANAS: chain_of(12), DEPLOYERS: chain_of(12, DEPLOYER)}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else None
    return [path] if inner is None else [path, *(one for name, item in inner for one in leaves(item, (*path, name)))]


def mutated(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    """A document with one value replaced."""
    if not path:
        return change
    name, *rest = path
    if isinstance(value, dict):
        return {**value, name: mutated(value[name], tuple(rest), change)}
    return [mutated(item, tuple(rest), change) if place == name else item for place, item in enumerate(value)]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.just({})
    | st.just([])
)


@given(st.sampled_from([(chain, place) for chain in LISTED for place in range(len(FULL[chain]))]), st.data())
@settings(deadline=None, max_examples=300)
def test_any_one_changed_value_of_any_entry_is_found(where: tuple[str, int], data: st.DataObject) -> None:
    chain, place = where
    entries = FULL[chain]
    document = dict(entries[place].attributes)
    path = data.draw(st.sampled_from([path for path in leaves(document) if path]))
    change = data.draw(VALUES.filter(lambda value: digest_of({"": value}) != digest_of({"": at(document, path)})))
    changed = StoredEntry(mutated(document, path, change))
    report = verified({**FULL, chain: (*entries[:place], changed, *entries[place + 1 :])}, ANCHORED)
    assert [fault.chain for fault in report.faults] == [chain]
    if path == ("sk",) and report.faults[0].kind is FaultKind.FOREIGN:  # the newest, put under a key that none can have
        assert place + 1 == len(entries)
    else:
        assert report.faults[0].sequence == place + 1


@given(st.integers(0, 2), st.data())
@settings(deadline=None, max_examples=300)
def test_any_one_changed_value_of_any_anchor_is_found(place: int, data: st.DataObject) -> None:
    document = dict(SIGNED[place].content or {})
    path = data.draw(st.sampled_from([path for path in leaves(document) if path and path[0] != "signature"]))
    change = data.draw(VALUES.filter(lambda value: digest_of({"": value}) != digest_of({"": at(document, path)})))
    changed = SIGNED[place]._replace(content=mutated(document, path, change))
    report = verified(FULL, (*SIGNED[:place], changed, *SIGNED[place + 1 :]), signed=good)
    assert report.faults[0].place == (ANCHORS, FaultKind.ANCHOR_EDITED, place + 1)


OTHER = ANA.model_copy(update={"identity_id": "AIDASTRANGER"})
OTHERS = f"{ACCOUNT}/{OTHER.identity_id}"
STRANGERS = chain_of(2, OTHER)
OLD = tuple(sealed(entry, schema_version=1) for entry in chain_of(1, OTHER))


@pytest.mark.parametrize(
    ("item", "chain"),
    [
        (STRANGERS[0], STRANGERS),
        (edited(STRANGERS[0], pk="CHAIN#elsewhere"), "CHAIN#elsewhere"),
        (edited(STRANGERS[0], pk=f"EVENT#{STRANGERS[0].attributes['event_id']}"), "EVENT#"),
        (edited(STRANGERS[0], pk=f"CHAIN#{OTHER_ACCOUNT}/x"), f"CHAIN#{OTHER_ACCOUNT}/x"),
        (edited(OLD[0], pk="CHAIN#old"), "CHAIN#old"),
    ],
)
def test_what_queries_show_outside_of_all_chains_is_found(item: StoredEntry, chain: Any) -> None:
    everything = [entry for entries in FULL.values() for entry in entries]
    assert verified(FULL, ANCHORED, shown=everything).whole
    (fault,) = verified(FULL, ANCHORED, shown=[*everything, item]).faults
    assert (fault.kind, fault.sequence) == (FaultKind.FOREIGN, None)
    assert fault.chain.startswith(OTHERS if chain is STRANGERS else chain)


def test_a_chain_that_only_a_version_before_the_list_wrote_to_is_verified_by_itself() -> None:
    report = verified({**FULL, OTHERS: OLD}, ANCHORED, registry=LISTED, shown=OLD)
    assert (report.whole, report.unlisted, report.chains) == (True, 1, 3)
    broken = (edited(OLD[0], summary="x"),)
    (fault,) = verified({**FULL, OTHERS: broken}, ANCHORED, registry=LISTED, shown=broken).faults
    assert fault.place == (OTHERS, FaultKind.EDITED, 1)


def test_longer_times_between_anchors_than_the_schedule_explains_are_told() -> None:
    times = [NOW + timedelta(hours=hours) for hours in (0, 1, 5, 6)]
    assert gaps_of(times, timedelta(hours=3)) == [(times[1], times[2])]
    assert gaps_of(times[:1], timedelta(hours=3)) == gaps_of([], timedelta(hours=3)) == []
