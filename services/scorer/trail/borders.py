"""Where items of a JSON text probably start and end, learnt from those that were read."""

import re

from services.scorer.trail.shapes import LISTS

_LIST = rb'"(?:' + b"|".join(sorted(LISTS)) + rb')"\s*+:\s*+\['
_OPENED_LIST = re.compile(rb"\{\s*+" + _LIST)
_START = rb'(?P<row>\[?)\s*+\{\s*+(?P<key>"(?:[^"\\]|\\.)*+")\s*+:'
_FIRST = re.compile(_START)
_BETWEEN = re.compile(rb"[}\]]\s*+(?P<comma>,?)\s*+" + _START)
# As CloudTrail writes records, and with their keys in alphabetical order.
_USUAL_KEY = re.compile(rb'"(?:eventVersion|eventversion|EventId|awsRegion|additionalEventData|apiVersion)"')
_MOST_KEYS = 16
_AT_LINE_START = rb"|(?<=\n\{)"


class Borders:
    """What lies between two items, and how an item starts; `comma` says whether they are the items of a list."""

    def __init__(self) -> None:
        self.comma = False
        self._between = b""
        self._row: bytes | None = None  # a bracket or nothing, with which an item starts
        self._keys: set[bytes] = set()  # first keys of items

    def learn(self, data: bytes, start: int, end: int) -> None:
        """Learn from the item `data[start:end]` and from what comes after it."""
        if between := _BETWEEN.match(data, end - 1):
            self._between = between[0]
            self.comma = bool(between["comma"])
        if first := _FIRST.match(data, start):
            self._row = first["row"]
            if len(self._keys) < _MOST_KEYS:
                self._keys.add(first["key"])

    def last(self, data: bytes, start: int, limit: int) -> int | None:
        """Where the last item ends that starts after `start` and probably ends before `limit` and another item."""
        if not self._between:
            return None
        found = data.rfind(self._between, start, limit)
        return None if found < 0 else found + 1

    def starts(self, *, documents: bool) -> re.Pattern[bytes]:
        """How an item, or an object with a list of them, probably starts; at a line's start also any document."""
        keys = sorted(map(re.escape, self._keys))
        if not keys or any(map(_USUAL_KEY.fullmatch, self._keys)):
            keys.append(_USUAL_KEY.pattern)
        key = b"(?:" + b"|".join(keys) + b")"
        bare = b"" if self._row else key + rb"\s*+:|"
        in_row = b"" if self._row == b"" else rb"|\[\s*+\{\s*+" + key + rb"\s*+:"
        # Without rows all alternatives start with the same literal byte, which makes a search fast.
        return re.compile(
            rb"\{(?:\s*+(?:" + bare + _LIST + b")" + (_AT_LINE_START if documents else b"") + b")" + in_row
        )

    def within(self, text: bytes) -> bool:
        """Whether a text surely holds several items: a line end in a string of an item is escaped."""
        return b"\n" in self._between and self._between in text

    @staticmethod
    def opened_list(data: bytes, start: int) -> int | None:
        """Where the items start in an object that begins with the list of them."""
        opened = _OPENED_LIST.match(data, start)
        return opened.end() if opened else None
