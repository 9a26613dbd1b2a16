"""The hash chain: any edit, loss, swap or repetition before its end is found, and where it begins is named."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auditor.chain import ChainFault, hash_of, seal, verify_chain
from services.auditor.core import entry_of
from shared.model.audit import NO_PREVIOUS, AuditEntry
from tests.builders import NOW, every_event, scored

Entries = tuple[AuditEntry, ...]


def chain_of(*, length: int) -> Entries:
    entries: list[AuditEntry] = []
    for number in range(1, length + 1):
        event = scored(60.0 + number / 4, version=number)
        entries.append(entry_of(event, entries[-1] if entries else None, now=NOW))
    return tuple(entries)


CHAIN = chain_of(length=6)
FIELDS = sorted(set(AuditEntry.model_fields) - {"chain"})


@pytest.mark.parametrize("length", [0, 1, 6])
def test_a_chain_that_nobody_touched_is_whole(length: int) -> None:
    report = verify_chain(CHAIN[:length])
    assert (report.whole, report.verified, report.fault, report.sequence) == (True, length, None, None)


def test_a_chain_begins_with_nothing_before_it_and_each_entry_continues_the_last() -> None:
    assert CHAIN[0].previous_hash == NO_PREVIOUS
    assert [entry.previous_hash for entry in CHAIN[1:]] == [entry.entry_hash for entry in CHAIN[:-1]]
    assert [entry.sequence for entry in CHAIN] == [1, 2, 3, 4, 5, 6]


BREAKS: list[tuple[str, Callable[[Entries], Entries], ChainFault, int]] = [
    ("first dropped", lambda c: c[1:], ChainFault.MISSING, 1),
    ("one dropped in the middle", lambda c: c[:2] + c[3:], ChainFault.MISSING, 3),
    ("several dropped in the middle", lambda c: c[:2] + c[5:], ChainFault.MISSING, 3),
    ("two swapped", lambda c: (*c[:2], c[3], c[2], *c[4:]), ChainFault.MISSING, 3),
    ("one repeated", lambda c: (*c[:3], c[2], *c[3:]), ChainFault.MISSING, 4),
    ("reversed", lambda c: c[::-1], ChainFault.MISSING, 1),
    (
        "one replaced by a well-made one",
        lambda c: (*c[:2], entry_of(scored(1.0, version=99), c[1], now=NOW), *c[3:]),
        ChainFault.BROKEN,
        4,
    ),
    (
        "one dropped and the next renumbered and sealed anew",
        lambda c: (*c[:2], seal(c[3].model_copy(update={"sequence": 3})), *c[4:]),
        ChainFault.BROKEN,
        3,
    ),
]


@pytest.mark.parametrize(("what", "change", "fault", "at"), BREAKS, ids=[case[0] for case in BREAKS])
def test_a_broken_chain_is_found_and_the_place_is_named(
    what: str, change: Callable[[Entries], Entries], fault: ChainFault, at: int
) -> None:
    report = verify_chain(change(CHAIN))
    assert (report.fault, report.sequence, report.verified) == (fault, at, at - 1)
    assert CHAIN[0].chain in report.message


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("field", FIELDS)
def test_an_edit_of_any_field_of_any_entry_is_found(field: str, place: int) -> None:
    entry = CHAIN[place]
    fields: dict[str, Any] = entry.model_dump(mode="json")
    old = fields[field]
    if isinstance(old, int):
        fields[field] = old + 1
    elif isinstance(old, dict):
        fields[field] = old | {"pci": 1.0}
    elif field in {"occurred_at", "recorded_at"}:
        fields[field] = "2026-03-01T12:00:01Z"
    else:
        fields[field] = f"{old or ''}x"
    edited = (*CHAIN[:place], AuditEntry.model_validate(fields), *CHAIN[place + 1 :])
    report = verify_chain(edited)
    assert not report.whole
    assert report.verified == place


@given(st.integers(0, 5), st.data())
def test_flipping_any_one_byte_of_what_is_told_is_found(place: int, data: st.DataObject) -> None:
    text = CHAIN[place].summary
    at = data.draw(st.integers(0, len(text) - 1))
    flipped = text[:at] + chr(ord(text[at]) ^ data.draw(st.integers(1, 127))) + text[at + 1 :]
    edited = CHAIN[place].model_copy(update={"summary": flipped})
    report = verify_chain((*CHAIN[:place], edited, *CHAIN[place + 1 :]))
    assert (report.fault, report.sequence) == (ChainFault.EDITED, place + 1)


def test_an_edit_that_is_sealed_anew_is_found_by_the_next_entry() -> None:
    forged = seal(CHAIN[2].model_copy(update={"summary": "nothing happened"}))
    report = verify_chain((*CHAIN[:2], forged, *CHAIN[3:]))
    assert (report.fault, report.sequence) == (ChainFault.BROKEN, 4)


def test_a_chain_by_itself_cannot_tell_that_its_end_was_cut_off() -> None:
    """Nor that its last entry was forged and sealed: both need a head that is kept elsewhere (an anchor)."""
    assert verify_chain(CHAIN[:4]).whole
    assert verify_chain((*CHAIN[:5], seal(CHAIN[5].model_copy(update={"summary": "forged"})))).whole
    assert verify_chain(CHAIN[:4]).verified != len(CHAIN), "but the count differs from the anchored one"


@pytest.mark.parametrize("event", every_event(), ids=lambda event: event.type_name())
def test_a_hash_survives_a_store_that_keeps_neither_nulls_nor_the_zero_after_the_point(event: Any) -> None:
    entry = entry_of(event, None, now=NOW)

    def stored(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: stored(inner) for name, inner in value.items() if inner is not None}
        if isinstance(value, list):
            return [stored(inner) for inner in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    back = AuditEntry.model_validate(stored(json.loads(entry.model_dump_json())))
    assert hash_of(back) == entry.entry_hash
