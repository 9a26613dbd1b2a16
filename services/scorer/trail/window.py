"""A movable window over a text that may be of any size: what is being read, and about a piece ahead of it."""

import re

from services.scorer.trail.compression import Text

RECORD_LIMIT = 1 << 20  # bytes; CloudTrail's own limit is 256 KB, and 1 MB for events with long fields
_WHITE = re.compile(rb"[ \t\r\n\x1e]*+")  # the last one separates texts by RFC 7464
_OVERLAP = 1 << 12  # of a search through more than the window


class Window:
    """`data` holds part of the text; reading goes on at `data[here]`."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._before = 0  # bytes of text before `data`
        self.here = 0
        self.data = text.read()
        self.at_end = not self.data  # whether `data` reaches to the end of the text

    @property
    def position(self) -> int:
        """Where reading goes on, counted from the start of the text."""
        return self._before + self.here

    @property
    def fault(self) -> str | None:
        """Why the text ended too early, once it has ended."""
        return self._text.fault

    @property
    def full(self) -> bool:
        """Whether the window holds as much ahead as a record may have."""
        return len(self.data) - self.here > RECORD_LIMIT

    def more(self) -> bool:
        """Let go of what was read and look further ahead; False at the end of the text."""
        if self.at_end:
            return False
        ahead = self.data[self.here :]
        self._before += self.here
        self.here = 0
        self.data = self._text.read(ahead)
        self.at_end = len(self.data) == len(ahead)
        return not self.at_end

    def next_byte(self) -> bytes:
        """Move over white space to the next byte; empty at the end."""
        while True:
            space = _WHITE.match(self.data, self.here)
            self.here = space.end() if space else self.here
            if self.here < len(self.data):
                return self.data[self.here : self.here + 1]
            if not self.more():
                return b""

    def look_ahead(self, size: int) -> None:
        """Hold at least `size` bytes ahead, or all there are."""
        while len(self.data) - self.here < size and self.more():
            pass

    def seek(self, pattern: re.Pattern[bytes], start: int) -> bool:
        """Move to the next match from `data[start]` on, however far; else to the end, and False."""
        while True:
            if found := pattern.search(self.data, start):
                self.here = found.start()
                return True
            self.here = max(start, len(self.data) - _OVERLAP)
            if not self.more():
                self.here = len(self.data)
                return False
            start = 0
