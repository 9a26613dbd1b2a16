"""JSON text of any size to records: several at a time where the text is regular, one by one where it is not.

The quick way takes the text at hand up to the last place that looks like the end of one item and the start of
the next, such as `},{"eventVersion"`, and decodes it in one call. Quotes inside of JSON strings are escaped, so that
only a nested object can look like that; then the piece has an open bracket and does not decode. What does not decode
is read item by item, and after a fault reading goes on where the next item seems to start.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto

from services.scorer.trail.batch import Batch, Unreadable
from services.scorer.trail.borders import Borders
from services.scorer.trail.reasons import CUT_OFF, DECODING_ERRORS, TOO_LONG, reason_of
from services.scorer.trail.record import Record
from services.scorer.trail.shapes import BARE, LISTS, shape_of
from services.scorer.trail.values import KEY, End, Measured, balance, measure, start_of_list
from services.scorer.trail.window import RECORD_LIMIT, Window

STRAY_TEXT = "other text between records"

_BATCH = 50  # records and faults, at which a batch is given; a piece of text may add some hundred more
_ROOM = 1 << 12  # bytes ahead in which a key is looked for
_MOST_IN_VAIN = 1 << 22
_END = re.compile(rb"\s*+(?:,\s*+[{\[]|[\]{]|\Z)|[ \t\r]*+\n")  # of an item: another one or nothing comes next
_END_IN_LIST = re.compile(rb"\s*+(?:,\s*+[{\[]|\])")
_OPEN_END = re.compile(rb"\s*+,?+\s*+\Z")


class _Place(Enum):
    """Where in the text reading stands."""

    BETWEEN_DOCUMENTS = auto()
    BEFORE_FIRST_ITEM = auto()
    BEFORE_ITEM = auto()
    AFTER_ITEM = auto()
    AMONG_MEMBERS = auto()  # of the object that holds the list
    AT_END = auto()


class Framing:
    """Reads the records of JSON text, in any shape and in any container. `quick=False` is for comparison in tests."""

    def __init__(self, window: Window, *, quick: bool = True) -> None:
        self._window = window
        self._quick = quick
        self._slow_until = 0  # position before which the quick way has failed
        self._shape = BARE
        self._borders = Borders()
        self._told = False  # whether the fault that ends the text has been counted
        self._in_object = False  # whether the list of items is a member of an object
        self._in_array = False  # whether such objects are themselves listed
        self._vain = 0  # bytes that were looked at for the end of a broken item and had none
        self._batch = Batch([], [])

    def batches(self) -> Iterator[Batch]:
        """All records of the text in its order, with the faults between them."""
        place = _Place.BETWEEN_DOCUMENTS
        while place is not _Place.AT_END:
            place = self._step(place)
            if len(self._batch.records) + len(self._batch.unreadable) >= _BATCH:
                yield self._batch
                self._batch = Batch([], [])
        if self._window.fault and not self._told:
            self._complain(self._window.position, self._window.fault)
        if self._batch.records or self._batch.unreadable:
            yield self._batch

    def _step(self, place: _Place) -> _Place:
        # A dictionary of bound methods would hold its own object: text and records would stay until garbage is sought.
        match place:
            case _Place.BETWEEN_DOCUMENTS:
                return self._document()
            case _Place.BEFORE_FIRST_ITEM:
                return self._first_item()
            case _Place.BEFORE_ITEM:
                return self._item()
            case _Place.AFTER_ITEM:
                return self._after_item()
        return self._member()

    def _document(self) -> _Place:
        window = self._window
        match byte := window.next_byte():
            case b"":
                return _Place.AT_END
            case b"," | b"]" if self._in_array:
                window.here += 1
                self._in_array = byte == b","
                return _Place.BETWEEN_DOCUMENTS
            case b"[":
                window.here += 1
                self._in_object = False
                return _Place.BEFORE_FIRST_ITEM
            case b"," | b"]" | b"}":
                return self._lost(window.position, STRAY_TEXT, _Place.BETWEEN_DOCUMENTS)
        window.look_ahead(_ROOM)
        if opened := self._borders.opened_list(window.data, window.here):
            return self._enter(opened)
        return self._items(_Place.BETWEEN_DOCUMENTS, _Place.BETWEEN_DOCUMENTS)

    def _enter(self, start: int) -> _Place:
        self._window.here = start
        self._in_object = True
        return _Place.BEFORE_FIRST_ITEM

    def _first_item(self) -> _Place:
        if self._window.next_byte() != b"]":
            return _Place.BEFORE_ITEM
        return self._leave()

    def _leave(self) -> _Place:
        self._window.here += 1
        return _Place.AMONG_MEMBERS if self._in_object else _Place.BETWEEN_DOCUMENTS

    def _item(self) -> _Place:
        if not self._window.next_byte():
            return self._cut_off()
        return self._items(_Place.BEFORE_ITEM, _Place.AFTER_ITEM)

    def _after_item(self) -> _Place:
        match self._window.next_byte():
            case b"":
                return self._cut_off()
            case b",":
                self._window.here += 1
                return _Place.BEFORE_ITEM
            case b"]":
                return self._leave()
            case b"{":  # a comma is missing, or this is another document
                self._complain(self._window.position, STRAY_TEXT)
                return _Place.BETWEEN_DOCUMENTS
        return self._lost(self._window.position, STRAY_TEXT, _Place.AFTER_ITEM)

    def _member(self) -> _Place:
        window = self._window
        match window.next_byte():
            case b"":
                return self._cut_off()
            case b"}":
                window.here += 1
                return _Place.BETWEEN_DOCUMENTS
        window.look_ahead(_ROOM)
        start = window.position
        key = KEY.match(window.data, window.here)
        if not key:
            return self._lost(start, STRAY_TEXT, _Place.AMONG_MEMBERS)
        window.here = key.end()
        if key["key"] in LISTS and window.next_byte() == b"[":
            return self._enter(window.here + 1)
        value = self._measured()
        if value.end is not End.WHOLE:
            return self._lost(start, value.reason, _Place.AMONG_MEMBERS)
        window.here += value.size
        return _Place.AMONG_MEMBERS

    def _items(self, before: _Place, after: _Place) -> _Place:
        """Read several items, or else one."""
        in_list = before is _Place.BEFORE_ITEM
        return after if self._read_several(in_list=in_list) else self._read_one(before, after)

    def _read_several(self, *, in_list: bool) -> bool:
        window = self._window
        if not self._quick or window.position < self._slow_until or self._borders.comma is not in_list:
            return False
        end = self._borders.last(window.data, window.here, window.here + RECORD_LIMIT)
        if end is None:
            return False
        try:
            records = self._decoded(window.data, window.here, end)
        except DECODING_ERRORS:
            self._slow_until = window.position + end - window.here
            return False
        self._batch.records.extend(records)
        window.here = end
        return True

    def _decoded(self, data: bytes, start: int, end: int) -> list[Record]:
        if self._borders.comma:
            return self._shape.listed(b"".join((b"[", memoryview(data)[start:end], b"]")))
        return self._shape.lined(data[start:end])

    def _read_one(self, before: _Place, after: _Place) -> _Place:
        window, start = self._window, self._window.position
        value = self._measured()
        if value.end is not End.WHOLE:
            return self._broken(value, before, after)
        text = window.data[window.here : window.here + value.size].rstrip()
        if reason := self._read(text):
            if opened := self._opened_list(before):
                return self._enter(opened)
            self._complain(start, reason)
        else:
            self._borders.learn(window.data, window.here, window.here + len(text))
        window.here += value.size
        return after

    def _broken(self, value: Measured, before: _Place, after: _Place) -> _Place:
        """Go on within an object that has a list of items, after an item that is broken, or else inside of it."""
        window, start = self._window, self._window.position
        if opened := self._opened_list(before):
            return self._enter(opened)
        if value.end is End.BROKEN and (size := self._balanced(before)):
            self._complain(start, value.reason)
            window.here += size
            return after
        too_long = value.end is End.CUT_OFF and not window.at_end
        return self._lost(start, TOO_LONG if too_long else value.reason, before, skip=1)

    def _balanced(self, place: _Place) -> int:
        """The size of the broken item that starts here, by its brackets; 0 if they do not surely tell its end.

        Whoever makes a call decides on objects within its record, which may look like records. So a broken record is
        not searched for others if its end is clear. The search for it may be in vain for some bytes per byte of text.
        """
        window = self._window
        opens = window.data[window.here : window.here + 1] in (b"{", b"[")
        if not opens or self._vain > _MOST_IN_VAIN + window.position:
            return 0
        while True:
            end = min(window.here + RECORD_LIMIT, len(window.data))
            item = balance(window.data, window.here, end)
            open_ended = item.end is End.CUT_OFF or _OPEN_END.match(window.data, window.here + item.size)
            if item.end is End.BROKEN or not open_ended or window.full or not window.more():
                break
        end = window.here + item.size
        ending = _END_IN_LIST if place is _Place.BEFORE_ITEM else _END
        ends = item.end is End.WHOLE and ending.match(window.data, end)
        if ends and not self._borders.within(window.data[window.here : end]):
            return item.size
        self._vain += item.size
        return 0

    def _opened_list(self, place: _Place) -> int | None:
        """Where the items start, if an object begins here that has a list of them after other members."""
        opened = start_of_list(self._window.data, self._window.here, LISTS)
        if opened and place is _Place.BEFORE_ITEM:
            if self._in_object:  # the document before has no end
                self._complain(self._window.position, STRAY_TEXT)
            else:
                self._in_array = True
        return opened

    def _measured(self) -> Measured:
        """Measure the value that starts here, as far as a record may reach."""
        window = self._window
        while True:
            value = measure(memoryview(window.data)[window.here :])
            ends_here = value.end is End.WHOLE and window.here + value.size < len(window.data)
            if ends_here or value.end is End.BROKEN or window.full or not window.more():
                return value

    def _read(self, text: bytes) -> str | None:
        """Read one item; the reason if it gives no record."""
        if len(text) > RECORD_LIMIT:
            return TOO_LONG
        try:
            self._batch.records.append(self._shape.one(text))
        except DECODING_ERRORS as error:
            reason = reason_of(error)
        else:
            return None
        try:
            shape = shape_of(text)
            if shape is self._shape:
                return reason
            self._batch.records.append(shape.one(text))
        except DECODING_ERRORS as error:
            return reason_of(error)
        self._shape = shape
        return None

    def _lost(self, position: int, reason: str, place: _Place, *, skip: int = 0) -> _Place:
        """Count what is broken and go on where the next item, or the next list of them, seems to start."""
        self._complain(position, reason)
        window = self._window
        in_list = place is not _Place.BETWEEN_DOCUMENTS or window.data.startswith(b",", window.here)
        if not window.seek(self._borders.starts(documents=not in_list), window.here + skip):
            return _Place.AT_END
        return _Place.BEFORE_ITEM if in_list else _Place.BETWEEN_DOCUMENTS

    def _cut_off(self) -> _Place:
        self._complain(self._window.position, CUT_OFF)
        return _Place.AT_END

    def _complain(self, position: int, reason: str) -> None:
        if reason == CUT_OFF and self._window.fault and not self._told:
            reason, self._told = self._window.fault, True
        self._batch.unreadable.append(Unreadable(position, reason))
