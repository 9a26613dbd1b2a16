"""Uncompressed text of plain and gzip streams, whole and damaged."""

import gzip
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.trail import compression
from services.scorer.trail.compression import CUT_OFF, DAMAGED, TRAILING, Text
from services.scorer.trail.reader import Unreadable
from tests.unit.trail_texts import FORMATS, Chunked, ids, read, record

LOG = FORMATS["trail log"]([record(number) for number in range(2_000)]).encode()
HARD = random.Random(0).randbytes(300_000)  # noqa: S311 not a secret: text that does not shrink


def unzipped(data: bytes, chunk: int = 1 << 20) -> tuple[bytes, str | None]:
    text = Text(Chunked(data, chunk))
    pieces = []
    while piece := text.read():
        pieces.append(piece)
    return b"".join(pieces), text.fault


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=2_000), st.integers(0, 500_000).map(lambda size: b"a" * size)), min_size=1),
    st.integers(0, 5),
    st.sampled_from([1, 2, 1_000, 1 << 20]),
)
def test_members_follow_each_other(members: list[bytes], zeros: int, chunk: int) -> None:
    data = b"".join(gzip.compress(member, mtime=0) + bytes(zeros) for member in members)
    text, fault = unzipped(data, chunk)
    assert (text, fault) == (b"".join(members).removeprefix(b"\xef\xbb\xbf"), None)


@settings(deadline=None)
@given(st.binary(max_size=300).filter(lambda data: not data.startswith(b"\x1f\x8b")), st.sampled_from([1, 1 << 20]))
def test_plain_text_stays_as_it_is(data: bytes, chunk: int) -> None:
    assert unzipped(data, chunk) == (data.removeprefix(b"\xef\xbb\xbf"), None)


@pytest.mark.parametrize("rest", [b"x", b"\0\0garbage", b"\x1f", b"\x1f\x00", b'{"Records":[]}'])
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_other_data_after_the_last_member_is_told(rest: bytes, chunk: int) -> None:
    assert unzipped(gzip.compress(LOG) + rest, chunk) == (LOG, TRAILING)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([LOG, HARD]).map(gzip.compress), st.floats(0, 1, exclude_max=True))
def test_a_stream_that_is_cut_off_gives_what_it_has(data: bytes, share: float) -> None:
    size = max(3, int(share * len(data)))
    text, fault = unzipped(data[:size])
    assert fault == CUT_OFF
    assert gzip.decompress(data).startswith(text)
    assert len(text) >= min(share - 0.3, 0.6) * len(gzip.decompress(data))


@pytest.mark.parametrize("place", ["header", "middle", "checksum", "length"])
def test_damage_costs_nothing_before_it(place: str) -> None:
    data = bytearray(gzip.compress(LOG, mtime=0))
    where = {"header": 2, "middle": len(data) // 2, "checksum": -8, "length": -1}[place]
    for offset in range(40 if place == "middle" else 1):
        data[where + offset] ^= 0xFF
    records, unreadable = read(bytes(data))
    whole = {"header": 0, "middle": 960, "checksum": 2_000, "length": 2_000}[place]
    assert ids(records)[:whole] == [f"id-{number}" for number in range(whole)]
    assert DAMAGED in {fault.reason for fault in unreadable}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_cut_stream_is_one_fault_and_its_whole_records_are_read(form: str) -> None:
    text = FORMATS[form]([record(number) for number in range(200)]).encode()
    records, unreadable = read(gzip.compress(text)[:-400])
    assert ids(records) == [f"id-{number}" for number in range(len(records))]
    assert len(records) > 50
    assert [fault.reason for fault in unreadable] == [CUT_OFF]


def test_nothing_but_a_cut_header() -> None:
    assert read(gzip.compress(LOG)[:5]) == ([], [Unreadable(0, CUT_OFF)])


def test_a_bomb_is_unpacked_step_by_step() -> None:
    text = Text(Chunked(gzip.compress(gzip.compress(b"\0" * (1 << 28)) + b"\0" * (1 << 24))))
    sizes = []
    while piece := text.read():
        sizes.append(len(piece))
    assert sum(sizes) > 1 << 24
    assert max(sizes) < 2 * compression.PIECE


@pytest.mark.parametrize("place", ["header", "middle", "checksum", "length"])
@pytest.mark.parametrize("chunk", [1_000, 1 << 20])
def test_damage_costs_only_its_own_member(place: str, chunk: int) -> None:
    members = [bytearray(gzip.compress(FORMATS["lines"]([record(n)]).encode(), mtime=0)) for n in range(5)]
    where = {"header": 3, "middle": len(members[1]) // 2, "checksum": -8, "length": -1}[place]
    members[1][where] ^= 0xFF
    records, unreadable = read(b"".join(members), chunk=chunk)
    assert [name for name in ids(records) if name != "id-1"] == ["id-0", "id-2", "id-3", "id-4"]
    assert unreadable[-1].reason in {DAMAGED, CUT_OFF}


def test_damage_in_a_member_too_large_to_keep_costs_only_that() -> None:
    large = bytearray(gzip.compress(random.Random(1).randbytes(6 << 20), mtime=0))  # noqa: S311 not a secret
    large[5 << 20 : (5 << 20) + 4_000] = bytes(4_000)
    text, fault = unzipped(bytes(large) + gzip.compress(LOG))
    assert fault == DAMAGED
    assert text.endswith(LOG)


def test_members_after_other_data_are_read() -> None:
    assert unzipped(gzip.compress(LOG) + b"other" + gzip.compress(LOG)) == (LOG + LOG, TRAILING)
