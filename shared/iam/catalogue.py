"""The catalogue of IAM actions: what each is called, what it may do, and whether a trail would show its use.

Built from the parsed artefact of data/compile_catalogue.py (see data/SOURCE.md). Keys are lower-case `service:action`,
since IAM compares actions without case.

A set of known actions is a mask: an int whose bit i stands for the i-th key in sorted order, so that union,
intersection and difference of thousands of actions are one machine operation each. Actions that the catalogue doesn't
know have no bit; whoever works with masks keeps them beside (see shared/iam/actions.py).
"""

import bisect
import functools
import itertools
import struct
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from shared.iam.patterns import globs

LAST_CHARACTER = "\U0010ffff"
NOTHING_UNKNOWN: frozenset[str] = frozenset()
_REMEMBERED_PATTERNS = 4096  # wildcards whose masks (up to 3 KB each) an instance remembers
_BITS_TO_FLAGS = bytes.maketrans(b"01", b"\0\1")
_WORD_BITS = 64
_FULL_WORD = (1 << _WORD_BITS) - 1


class AccessLevel(StrEnum):
    """AWS's own classification of what an action does."""

    READ = "Read"
    LIST = "List"
    WRITE = "Write"
    TAGGING = "Tagging"
    PERMISSIONS_MANAGEMENT = "Permissions management"


class Observability(StrEnum):
    """Where CloudTrail shows the use of an action: `none` means that its silence proves nothing."""

    MANAGEMENT = "management"
    DATA = "data"
    NONE = "none"


LEVEL_CODES: Mapping[str, AccessLevel] = {
    "r": AccessLevel.READ,
    "l": AccessLevel.LIST,
    "w": AccessLevel.WRITE,
    "t": AccessLevel.TAGGING,
    "p": AccessLevel.PERMISSIONS_MANAGEMENT,
}
OBSERVABILITY_CODES: Mapping[str, Observability] = {
    "m": Observability.MANAGEMENT,
    "d": Observability.DATA,
    "n": Observability.NONE,
}


class Action(NamedTuple):
    """One action. `depends_on` are lower-case keys that AWS may also check when this action is used."""

    name: str
    access_level: AccessLevel
    observability: Observability
    depends_on: frozenset[str] = frozenset()


class Catalogue:
    """Every known action, and which of them a pattern admits.

    `version` names the sources. An instance never changes what it answers; it only remembers answers.
    """

    def __init__(self, artefact: Mapping[str, str]) -> None:
        """Take the parsed artefact: `{"version", "names", "levels", "observability", "depends_on"}`.

        `names` are separated by spaces and sorted without case, `levels` and `observability` hold one letter for each
        of them; `depends_on` (may be missing) is `key dependency dependency…`, separated by semicolons.

        Raises ValueError where they are out of order or don't fit together.
        """
        self.version = artefact["version"]
        self._names = artefact["names"].split()
        self._sorted = artefact["names"].lower().split()
        self._places = dict(zip(self._sorted, range(len(self._sorted)), strict=True))
        self._levels = artefact["levels"]
        self._observability = artefact["observability"]
        self._depends_on = artefact.get("depends_on", "")
        if not len(self._places) == len(self._names) == len(self._levels) == len(self._observability):
            raise ValueError("a name is given twice, or the columns of the catalogue differ in length")
        if self._sorted != sorted(self._sorted):
            raise ValueError("the names of the catalogue are not sorted")
        self.everything = (1 << len(self._names)) - 1
        self._wildcard = functools.lru_cache(_REMEMBERED_PATTERNS)(self._search)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._places

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every action, in lower case."""
        return frozenset(self._places)

    @cached_property
    def services(self) -> frozenset[str]:
        """Every service prefix, in lower case."""
        return frozenset(key.partition(":")[0] for key in self._sorted)

    def get(self, name: str) -> Action | None:
        """The action of that name in any case, or None if the catalogue doesn't know it."""
        place = self._places.get(name.lower())
        if place is None:
            return None
        return Action(
            name=self._names[place],
            access_level=LEVEL_CODES[self._levels[place]],
            observability=OBSERVABILITY_CODES[self._observability[place]],
            depends_on=self._dependencies.get(self._sorted[place], frozenset()),
        )

    def name(self, key: str) -> str:
        """Canonical spelling of an action; an unknown one keeps the spelling it has."""
        place = self._places.get(key.lower())
        return key if place is None else self._names[place]

    def access_level(self, key: str) -> AccessLevel | None:
        """Access level of an action (lower-case), or None if the catalogue doesn't know it."""
        place = self._places.get(key)
        return None if place is None else LEVEL_CODES[self._levels[place]]

    def observability(self, key: str) -> Observability:
        """Where the use of an action (lower-case) shows; an unknown action shows nowhere that we know of."""
        place = self._places.get(key)
        return Observability.NONE if place is None else OBSERVABILITY_CODES[self._observability[place]]

    def mask(self, pattern: str) -> int:
        """Mask of the known actions that a pattern admits; `*` and `?` range over the whole string, without case.

        A pattern that no known action matches gives 0: whether that means "nothing" is for the caller.
        """
        lowered = pattern.lower()
        if "*" in lowered or "?" in lowered:
            return self._wildcard(lowered)
        place = self._places.get(lowered)
        return 0 if place is None else 1 << place

    def mask_any(self, patterns: Iterable[str]) -> int:
        """Union of `mask` over several patterns."""
        return self.resolve(patterns)[0]

    def resolve(self, patterns: Iterable[str]) -> tuple[int, frozenset[str]]:
        """What `mask_any` gives, and the literals among the patterns that the catalogue doesn't know, in lower case."""
        listed = list(patterns)
        places = list(map(self._spelled.get, listed))  # most are literals in canonical spelling, found without a loop
        found = 0
        unknown: list[str] = []
        if None in places:
            for pattern in itertools.compress(listed, [place is None for place in places]):
                if mask := self.mask(pattern):
                    found |= mask
                elif "*" not in pattern and "?" not in pattern:
                    unknown.append(pattern.lower())
        return found | _mask(place for place in places if place is not None), frozenset(unknown)

    def mask_of_keys(self, keys: Iterable[str]) -> int:
        """Mask of those lower-case keys that the catalogue knows; the others have no bit."""
        return _mask(place for place in map(self._places.get, keys) if place is not None)

    def keys_of(self, mask: int) -> list[str]:
        """Sorted lower-case keys of a mask."""
        return _chosen(self._sorted, mask)

    def names_of(self, mask: int) -> list[str]:
        """Canonical spellings of the actions of a mask, sorted by their keys."""
        return _chosen(self._names, mask)

    def level_mask(self, level: AccessLevel) -> int:
        """Mask of the actions of one access level."""
        return self._level_masks[level]

    def observability_mask(self, kind: Observability) -> int:
        """Mask of the actions whose use shows in one place."""
        return self._observability_masks[kind]

    def unshown(self, kinds: AbstractSet[Observability]) -> frozenset[str]:
        """Known actions (lower-case) whose observability is none of `kinds`."""
        hidden = (self._observability_masks[kind] for kind in Observability if kind not in kinds)
        return frozenset(self.keys_of(functools.reduce(int.__or__, hidden, 0)))

    def of_service(self, prefix: str) -> list[str]:
        """Keys of one service, sorted."""
        first, end = self._between(f"{prefix.lower()}:")
        return self._sorted[first:end]

    @cached_property
    def _spelled(self) -> Mapping[str, int]:
        """Places by canonical spelling, as nearly every literal of a policy is spelled."""
        return dict(zip(self._names, itertools.count()))

    @cached_property
    def _dependencies(self) -> Mapping[str, frozenset[str]]:
        listed = (entry.split() for entry in self._depends_on.split(";") if entry)
        return {key: frozenset(dependencies) for key, *dependencies in listed}

    @cached_property
    def _level_masks(self) -> Mapping[AccessLevel, int]:
        return {level: _column_mask(self._levels, code) for code, level in LEVEL_CODES.items()}

    @cached_property
    def _observability_masks(self) -> Mapping[Observability, int]:
        return {kind: _column_mask(self._observability, code) for code, kind in OBSERVABILITY_CODES.items()}

    def _search(self, pattern: str) -> int:
        """Mask of a lower-case pattern with a wildcard: a run of neighbours for `stem*`, else a test of each."""
        stem = pattern[: min(place for place in (pattern.find("*"), pattern.find("?")) if place >= 0)]
        first, end = self._between(stem)
        if pattern == f"{stem}*":
            return ((1 << (end - first)) - 1) << first
        matches = globs.compiled(pattern).fullmatch
        return _mask(place for place in range(first, end) if matches(self._sorted[place]))

    def _between(self, stem: str) -> tuple[int, int]:
        """Where the keys that begin with the stem are: from, and up to but without."""
        first = bisect.bisect_left(self._sorted, stem)
        return first, bisect.bisect_right(self._sorted, stem + LAST_CHARACTER, lo=first)


def _mask(places: Iterable[int]) -> int:
    """Set many bits without making an int for each."""
    listed = list(places)
    if len(listed) <= 1:
        return 1 << listed[0] if listed else 0
    octets = bytearray(max(listed) // 8 + 1)
    for place in listed:
        octets[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(octets, "little")


def _chosen(column: list[str], mask: int) -> list[str]:
    """The elements whose bits are set. Most words of a mask are empty; many others are full, or hold a single bit."""
    size = -(-mask.bit_length() // _WORD_BITS)
    words = struct.unpack(f"<{size}Q", mask.to_bytes(size * 8, "little"))
    chosen: list[str] = []
    for place in itertools.compress(range(size), words):
        word, first = words[place], place * _WORD_BITS
        if not word & (word - 1):
            chosen.append(column[first + word.bit_length() - 1])
        elif word == _FULL_WORD:
            chosen += column[first : first + _WORD_BITS]
        else:
            chosen += itertools.compress(column[first : first + _WORD_BITS], _flags(word))
    return chosen


def _flags(word: int) -> bytes:
    """The bits of a word, lowest first, as bytes that are 0 or 1."""
    return f"{word:b}"[::-1].encode().translate(_BITS_TO_FLAGS)


def _column_mask(column: str, code: str) -> int:
    return _mask(place for place, letter in enumerate(column) if letter == code)
