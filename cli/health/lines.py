"""What the health of the system is told in: lines, each with a level and, where it isn't fine, advice. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How it stands with one part, from best to worst for whoever has to act."""

    OK = "ok"
    UNKNOWN = "unknown"  # it could not be read
    WARN = "warn"  # somebody should look at it
    BAD = "bad"  # somebody has to mend it now


ORDER = tuple(Level)
FINDINGS = frozenset({Level.WARN, Level.BAD})


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the system in a sentence; `advice` says what to do, `values` are its numbers for machines."""

    name: str
    level: Level
    text: str
    advice: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotRead:
    """A part that could not be read, and why; `action` is the permission that was missing, if it was that."""

    reason: str
    action: str = ""

    def line(self, name: str) -> Line:
        """The line that says so."""
        text = f"not readable: needs {self.action}" if self.action else f"not readable: {self.reason}"
        return Line(name, Level.UNKNOWN, text, self.reason if self.action else "")


def worst(lines: tuple[Line, ...]) -> Level:
    """The level of the whole system: that of its worst part."""
    return max((line.level for line in lines), key=ORDER.index, default=Level.OK)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word.

    >>> counted(1, "message"), counted(1_200, "message"), counted(2, "identity", "identities")
    ('1 message', '1,200 messages', '2 identities')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
