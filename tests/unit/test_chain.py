"""The hash chain: any edit, loss, swap or repetition before its end is found, and where it begins is named."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.build.template import ROOT
from services.auditor.chain import BEFORE_ALL, verify_chain, verify_on
from services.auditor.core import entry_of
from shared.aws.dynamodb import plain_item
from shared.errors import InputError
from shared.events import EVENT_TYPES, DomainEvent
from shared.model.anchor import FaultKind
from shared.model.audit import NO_PREVIOUS, decode_entry
from shared.model.stored_entry import Head, StoredEntry, hash_of
from tests.builders import ANA, NOW, every_event
from tests.unit.trail import ANAS, Chain, chain_of, edited, event_about, sealed, stored_of

CHAIN = chain_of(6)
ATTRIBUTES = sorted(CHAIN[0].attributes)
OTHER = stored_of(CHAIN[:2], event_about(ANA, 99))
ITEMS = json.loads((ROOT / "tests/data/audit/version-1.json").read_text(encoding="utf-8"))
VERSION_1 = [StoredEntry(item) for item in map(plain_item, ITEMS) if item["pk"].startswith("CHAIN#")]
OF_VERSION_1 = {
    chain: tuple(entry for entry in VERSION_1 if entry.attributes["chain"] == chain)
    for chain in sorted({entry.attributes["chain"] for entry in VERSION_1})
}


@pytest.mark.parametrize("length", [0, 1, 6])
def test_a_chain_that_nobody_touched_is_whole(length: int) -> None:
    report = verify_chain(CHAIN[:length])
    assert (report.whole, report.verified, report.fault, report.sequence) == (True, length, None, None)
    assert report.head == (CHAIN[length - 1].head if length else BEFORE_ALL)


def test_a_chain_begins_with_nothing_before_it_and_each_entry_continues_the_last() -> None:
    assert CHAIN[0].attributes["previous_hash"] == NO_PREVIOUS
    hashes = [entry.head.entry_hash for entry in CHAIN]
    assert [entry.attributes["previous_hash"] for entry in CHAIN[1:]] == hashes[:-1]
    assert [entry.head.sequence for entry in CHAIN] == [1, 2, 3, 4, 5, 6]


def under_keys(chain: Chain, *order: int) -> Chain:
    """The contents of a chain in another order, under the keys that are there."""
    keys = [{name: entry.attributes[name] for name in ("pk", "sk")} for entry in chain]
    return tuple(StoredEntry({**chain[place - 1].attributes, **key}) for place, key in zip(order, keys, strict=True))


BREAKS: list[tuple[str, Callable[[Chain], Chain], FaultKind, int]] = [
    ("first dropped", lambda c: c[1:], FaultKind.MISSING, 1),
    ("one dropped in the middle", lambda c: c[:2] + c[3:], FaultKind.MISSING, 3),
    ("several dropped in the middle", lambda c: c[:2] + c[5:], FaultKind.MISSING, 3),
    ("two swapped", lambda c: (*c[:2], c[3], c[2], *c[4:]), FaultKind.MISSING, 3),
    ("two swapped under their keys", lambda c: under_keys(c, 1, 2, 4, 3, 5, 6), FaultKind.EDITED, 3),
    ("two swapped and renumbered", lambda c: (*c[:2], sealed(c[3], sequence=3), *c[3:]), FaultKind.BROKEN, 3),
    ("one repeated", lambda c: (*c[:3], c[2], *c[3:]), FaultKind.MISSING, 4),
    ("reversed", lambda c: c[::-1], FaultKind.MISSING, 1),
    ("one replaced by a well-made one", lambda c: (*c[:2], OTHER, *c[3:]), FaultKind.BROKEN, 4),
    ("one edited and sealed anew", lambda c: (*c[:2], sealed(c[2], summary="nothing"), *c[3:]), FaultKind.BROKEN, 4),
    ("one dropped, the next renumbered", lambda c: (*c[:2], sealed(c[3], sequence=3), *c[4:]), FaultKind.BROKEN, 3),
    ("one of another chain", lambda c: (*c[:2], sealed(c[2], chain="1/account"), *c[3:]), FaultKind.EDITED, 3),
    ("one hidden from an index", lambda c: (*c[:2], edited(c[2], type_key=None), *c[3:]), FaultKind.EDITED, 3),
    ("one shown in an index", lambda c: (*c[:2], edited(c[2], compliance_key="x"), *c[3:]), FaultKind.EDITED, 3),
    ("something added", lambda c: (*c[:2], edited(c[2], note="x"), *c[3:]), FaultKind.EDITED, 3),
]


@pytest.mark.parametrize(("what", "change", "fault", "at"), BREAKS, ids=[case[0] for case in BREAKS])
def test_a_broken_chain_is_found_and_the_place_is_named(
    what: str, change: Callable[[Chain], Chain], fault: FaultKind, at: int
) -> None:
    report = verify_chain(change(CHAIN), chain=ANAS)
    assert (report.fault, report.sequence, report.verified) == (fault, at, at - 1)
    assert report.message.startswith(f"{ANAS} #{at}: ")
    assert report.head.sequence == at - 1


def another(value: Any) -> Any:
    """A value of the same type that isn't the same."""
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, dict):
        return {**value, "pci": 1.0}
    return f"{value}x"


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize("change", [another, lambda _: None, lambda _: {"a": [b"\0", {1, 2}]}])
def test_an_edit_or_loss_of_any_attribute_of_any_entry_is_found(
    name: str, place: int, change: Callable[[Any], Any]
) -> None:
    changed = edited(CHAIN[place], **{name: change(CHAIN[place].attributes[name])})
    report = verify_chain((*CHAIN[:place], changed, *CHAIN[place + 1 :]), chain=ANAS)
    assert not report.whole
    assert report.verified == place


@given(st.integers(0, 5), st.data())
@settings(deadline=None)
def test_flipping_any_one_byte_of_what_is_told_is_found(place: int, data: st.DataObject) -> None:
    text = CHAIN[place].attributes["summary"]
    at = data.draw(st.integers(0, len(text) - 1))
    flipped = text[:at] + chr(ord(text[at]) ^ data.draw(st.integers(1, 127))) + text[at + 1 :]
    report = verify_chain((*CHAIN[:place], edited(CHAIN[place], summary=flipped), *CHAIN[place + 1 :]))
    assert (report.fault, report.sequence) == (FaultKind.EDITED, place + 1)


def test_a_chain_by_itself_cannot_tell_that_its_end_was_cut_off_or_forged() -> None:
    """Both need a head that is kept elsewhere, which is an anchor."""
    forged = (*CHAIN[:5], sealed(CHAIN[5], summary="forged"))
    assert verify_chain(CHAIN[:4]).whole
    assert verify_chain(forged).whole
    anchored = {6: CHAIN[5].head.entry_hash}
    cut = verify_chain(CHAIN[:4], anchored=anchored)
    assert (cut.fault, cut.sequence, cut.verified) == (FaultKind.TRUNCATED, 5, 4)
    assert verify_chain(forged, anchored=anchored).fault is FaultKind.REPLACED
    assert verify_chain((), chain=ANAS, anchored=anchored).fault is FaultKind.REMOVED


@pytest.mark.parametrize("proven", range(7))
def test_a_chain_is_gone_on_with_where_it_was_proven(proven: int) -> None:
    head = CHAIN[proven - 1].head if proven else BEFORE_ALL
    report = verify_on(CHAIN[max(0, proven - 1) :], chain=ANAS, proven=head)
    assert (report.whole, report.verified, report.head) == (True, 6 - proven, CHAIN[5].head)


GONE: list[tuple[str, Chain, FaultKind, int]] = [
    ("the proven entry was cut off with all behind it", (), FaultKind.TRUNCATED, 4),
    ("the proven entry is gone", CHAIN[4:], FaultKind.MISSING, 4),
    ("the proven entry was edited", (edited(CHAIN[3], summary="x"), *CHAIN[4:]), FaultKind.EDITED, 4),
    ("the proven entry was forged", (sealed(CHAIN[3], summary="x"), *CHAIN[4:]), FaultKind.REPLACED, 4),
    ("the next entry was edited", (*CHAIN[3:4], edited(CHAIN[4], summary="x")), FaultKind.EDITED, 5),
]


@pytest.mark.parametrize(("what", "rest", "fault", "at"), GONE, ids=[case[0] for case in GONE])
def test_what_was_proven_is_never_taken_back(what: str, rest: Chain, fault: FaultKind, at: int) -> None:
    report = verify_on(rest, chain=ANAS, proven=CHAIN[3].head)
    assert (report.fault, report.sequence, report.verified) == (fault, at, 0)
    assert report.head == CHAIN[3].head


@pytest.mark.parametrize("event", every_event(), ids=lambda event: event.type_name())
def test_a_hash_survives_a_store_that_keeps_neither_nulls_nor_the_zero_after_the_point(event: DomainEvent) -> None:
    entry = entry_of(event, None, now=NOW)

    def stored(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: stored(inner) for name, inner in value.items() if inner is not None}
        if isinstance(value, list):
            return [stored(inner) for inner in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    back = StoredEntry(stored(json.loads(json.dumps(StoredEntry.of(entry.fields()).attributes))))
    assert not back.was_edited
    assert decode_entry(back) == entry


def test_what_version_1_stored_verifies_and_is_read_as_this_version_has_it() -> None:
    assert {chain: len(entries) for chain, entries in OF_VERSION_1.items()} == {ANAS: 14, "123456789012/account": 2}
    for entries in OF_VERSION_1.values():
        assert verify_chain(entries).verified == len(entries)
    for stored in VERSION_1:
        entry = decode_entry(stored)
        event = EVENT_TYPES[entry.event_type].model_validate(entry.event)
        again = entry_of(event, None, now=entry.recorded_at)
        derived = ("identity_name", "identity_type", "identity_id", "plan_id", "compliance", "pci", "summary")
        assert [getattr(entry, name) for name in derived] == [getattr(again, name) for name in derived]
        assert (entry.schema_version, entry.head) == (1, stored.head)


def test_the_documented_way_to_redo_a_hash_by_hand_is_right() -> None:
    decision = (ROOT / "docs/decisions/0024-how-the-audit-trail-is-proven.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", decision, re.DOTALL)
    by_hand: dict[str, Any] = {}
    exec(code, by_hand)  # noqa: S102 what the decision tells its readers to run
    entries = [item for item in ITEMS if item["pk"]["S"].startswith("CHAIN#")]
    assert [by_hand["entry_hash"](item) for item in entries] == [item["entry_hash"]["S"] for item in entries]
    serialize = TypeSerializer().serialize
    for stored in CHAIN:
        told = json.loads(json.dumps(stored.attributes), parse_float=Decimal)
        assert by_hand["entry_hash"]({name: serialize(value) for name, value in told.items()}) == stored.head.entry_hash


@pytest.mark.parametrize("place", range(14))
def test_an_edit_of_what_version_1_stored_is_found_too(place: int) -> None:
    entries = OF_VERSION_1[ANAS]
    for name, value in entries[place].attributes.items():
        changed = edited(entries[place], **{name: another(value)})
        report = verify_chain((*entries[:place], changed, *entries[place + 1 :]), chain=ANAS)
        assert (report.whole, report.verified) == (False, place), name


def test_a_chain_of_version_1_goes_on_in_this_version() -> None:
    before = OF_VERSION_1[ANAS]
    assert verify_chain((*before, stored_of(before, event_about(ANA, 77)))).verified == 15


def test_what_a_later_version_adds_is_hashed_and_not_in_the_way() -> None:
    later = sealed(CHAIN[0], schema_version=9, weather={"rain": [True, 0.5]})
    shown = StoredEntry({**later.attributes, "of_weather_key": "rain"})
    assert verify_chain([shown]).whole
    assert decode_entry(shown).summary == CHAIN[0].attributes["summary"]
    assert not verify_chain([edited(shown, weather={"rain": [True, 0.25]})]).whole


@pytest.mark.parametrize("changes", [{"sequence": "six"}, {"event": None}, {"schema_version": ["x"]}, {"pci": "much"}])
def test_an_entry_that_cannot_be_read_says_where_it_is_and_not_what_it_holds(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"CHAIN#{ANAS} 000000000001 can't be read \({next(iter(changes))}\): verify"):
        decode_entry(edited(CHAIN[0], **changes))


def test_the_head_of_an_entry_with_a_strange_key_is_no_place() -> None:
    assert edited(CHAIN[0], sk="zzz").head.sequence == 0
    assert StoredEntry({}).head == Head(0, "None")
    assert StoredEntry({}).was_edited


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
@settings(deadline=None)
def test_two_values_have_the_same_hash_only_where_the_table_cannot_tell_them_apart(first: Any, second: Any) -> None:
    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: told(inner) for name, inner in value.items() if inner is not None}
        if isinstance(value, list):
            return [told(inner) for inner in value]
        return ("bool", value) if isinstance(value, bool) else value

    same = told({"event": first}) == told({"event": second})
    assert (hash_of({"event": first}) == hash_of({"event": second})) == same
