"""Laws of reading: whatever the form, the spacing and the pieces, good records come out and broken ones are counted."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.scorer.trail import compression
from services.scorer.trail.compression import Text
from services.scorer.trail.framing import Framing
from services.scorer.trail.reader import Unreadable
from services.scorer.trail.record import Record
from services.scorer.trail.values import End, measure
from services.scorer.trail.window import Window
from tests.unit.trail_texts import FORMATS, Chunked, Json, event, ids, looked_up, read, record, zipped

SPACE = st.text(" \t\r\n", max_size=4)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
CHUNKS = st.sampled_from([1, 3, 50, 4_096, 1 << 20])
PIECES = st.sampled_from([16, 100, 1_000, 5_000, 1 << 18])
ZIPPED = st.sampled_from([str.encode, zipped])
DETAILS = st.lists(
    st.builds(
        lambda text, key, number: record(
            number, userAgent=text, requestParameters={key: text, "list": [text, {"eventVersion": text}]}
        ),
        TEXT,
        TEXT,
        st.integers(0, 10**6),
    ),
    max_size=12,
)
JSON_FORMS = [name for name in FORMATS if "csv" not in name]
BROKEN = [
    "garbage",
    "null",
    "17",
    '"text"',
    "{}",
    "{]",
    '{"a": }',
    json.dumps(record(99) | {"eventName": 7}),
    json.dumps(record(99, eventTime=None)),
    json.dumps(record(99))[:-2],
    json.dumps(record(99)).replace(":", "::", 1),
    json.dumps(record(99)).replace('"userAgent": "', '"userAgent": '),
]


@contextmanager
def pieces_of(size: int) -> Iterator[None]:
    """Text in pieces of another size, so that short texts meet the ends of pieces."""
    with patch.object(compression, "PIECE", size):
        yield


def halves() -> st.SearchStrategy[str]:
    """Records that stop somewhere."""
    whole = json.dumps(record(99))
    return st.integers(1, len(whole) - 1).map(lambda size: whole[:size])


def framed(data: bytes, chunk: int, *, quick: bool) -> tuple[list[Record], list[Unreadable]]:
    batches = list(Framing(Window(Text(Chunked(data, chunk))), quick=quick).batches())
    return [r for batch in batches for r in batch.records], [u for batch in batches for u in batch.unreadable]


@settings(deadline=None)
@given(st.sampled_from(sorted(FORMATS)), DETAILS, CHUNKS, PIECES, ZIPPED)
def test_every_form_gives_back_its_records(
    form: str, details: list[Json], chunk: int, piece: int, pack: Callable[[str], bytes]
) -> None:
    text = FORMATS[form](details)
    assume(text.strip())
    with pieces_of(piece):
        records, unreadable = read(pack(text), chunk=chunk)
    assert unreadable == []
    assert ids(records) == [detail["eventID"] for detail in details]


@st.composite
def spaced(draw: st.DrawFn, value: object) -> str:
    """JSON with any white space between its tokens."""
    if isinstance(value, dict):
        members = [f"{draw(SPACE)}{json.dumps(k)}{draw(SPACE)}:{draw(spaced(v))}" for k, v in value.items()]
        text = "{" + ",".join(members) + draw(SPACE) + "}"
    elif isinstance(value, list):
        text = "[" + ",".join(draw(spaced(inner)) for inner in value) + draw(SPACE) + "]"
    else:
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return draw(SPACE) + text + draw(SPACE)


SMALL = [{k: record(n)[k] for k in ("eventVersion", "eventTime", "eventID", "resources")} for n in range(4)]


@settings(deadline=None)
@given(st.data(), st.sampled_from([dict, event, looked_up]), CHUNKS, PIECES)
def test_white_space_changes_nothing(data: st.DataObject, wrap: Callable[[Json], Json], chunk: int, piece: int) -> None:
    items = [wrap(detail) for detail in SMALL]
    whole = data.draw(st.sampled_from([{"Records": items}, {"a": 1, "Events": items, "b": [2]}, items]))
    with pieces_of(piece):
        records, unreadable = read(data.draw(spaced(whole)), chunk=chunk)
    assert (ids(records), unreadable) == (["id-0", "id-1", "id-2", "id-3"], [])


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, list[str], int]:
    """A list or lines of records with broken pieces between them; the good ones' ids and the number of pieces."""
    before, between, after = draw(
        st.sampled_from([('{"Records":[', ",", "]}"), ("[", " ,\n\t", "]"), ("", "\n", ""), ("", "\n\n", "\n")])
    )
    good = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
    texts: list[str] = []
    count = 0
    for number in good:
        if draw(st.booleans()):
            broken = draw(st.one_of(st.sampled_from(BROKEN), halves()))
            # A piece that stops between the values of an array takes in what follows as further values.
            follower = measure(memoryview(f'{broken}{between}{{"eventVersion":1}}'.encode()))
            assume(follower.end is not End.CUT_OFF)
            texts.append(broken)
            count += 1
        texts.append(json.dumps(record(number)))
    return before + between.join(texts) + after, [f"id-{number}" for number in good], count


@settings(deadline=None, max_examples=200)
@given(damaged(), CHUNKS, PIECES, ZIPPED)
def test_broken_pieces_cost_only_themselves(
    case: tuple[str, list[str], int], chunk: int, piece: int, pack: Callable[[str], bytes]
) -> None:
    text, good, broken = case
    with pieces_of(piece):
        records, unreadable = read(pack(text), chunk=chunk)
    assert ids(records) == good
    assert len(unreadable) == broken
    assert [fault.position for fault in unreadable] == sorted({fault.position for fault in unreadable})


def edited(text: str, edits: Sequence[tuple[float, int, str]]) -> bytes:
    """A text with some stretches replaced."""
    for place, size, other in edits:
        start = int(place * len(text))
        text = text[:start] + other + text[start + size :]
    return text.encode(errors="surrogateescape")


EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 30),
        st.sampled_from(
            ["", '"', "}", "]", "{", "[", ",", "\\", "\0", "\udcff", "\n", '{"eventVersion":', '"a":', "1"]
        ),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(JSON_FORMS), DETAILS, EDITS, CHUNKS, PIECES)
def test_the_quick_and_the_careful_way_read_the_same(
    form: str, details: list[Json], edits: list[tuple[float, int, str]], chunk: int, piece: int
) -> None:
    data = edited(FORMATS[form](details), edits)
    with pieces_of(piece):
        quick = framed(data, chunk, quick=True)
        careful = framed(data, chunk, quick=False)
    assert quick[1] == careful[1]
    assert ids(quick[0]) == ids(careful[0])


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(FORMATS)), DETAILS, EDITS, st.tuples(CHUNKS, PIECES), st.floats(0, 2))
def test_damage_of_any_kind_is_counted_and_the_same_in_any_pieces(
    form: str, details: list[Json], edits: list[tuple[float, int, str]], sizes: tuple[int, int], share: float
) -> None:
    text = edited(FORMATS[form](details), edits)
    raw = zipped(text)
    raw = raw[: int(share * len(raw))]
    chunk, piece = sizes
    known = read(raw)
    with pieces_of(piece):
        found = read(raw, chunk=chunk)
    assert (ids(found[0]), found[1]) == (ids(known[0]), known[1])
    assert all(0 <= fault.position <= len(text) for fault in found[1])


@settings(deadline=None)
@given(st.binary(max_size=300), CHUNKS)
def test_any_bytes_give_records_or_a_fault(data: bytes, chunk: int) -> None:
    records, unreadable = read(data, chunk=chunk)
    assert records or unreadable or data.strip() == b"[]"
