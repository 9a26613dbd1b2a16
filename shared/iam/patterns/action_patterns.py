"""The patterns of an Action or NotAction element, arranged so that one can be held against thousands quickly.

Patterns are lower-case. Most are literals or end in their only `*`; those are found in sets, the others one by one
among the patterns of the same service.
"""

import functools
import re
from collections.abc import Iterable, Iterator

from shared.iam.patterns.language import Automaton, automaton, covers, overlaps
from shared.iam.patterns.wildcards import One, Reach, Run

_WILD = re.compile(r"[*?]")
_CACHE = 65_536


@functools.lru_cache(_CACHE)
def action_automaton(pattern: str) -> Automaton:
    """The automaton of an action pattern, in which there are no policy variables."""
    pieces: list[str | Run | One] = []
    place = 0
    for wild in _WILD.finditer(pattern):
        pieces.append(pattern[place : wild.start()])
        pieces.append(Run(Reach.ANYWHERE) if wild[0] == "*" else One(Reach.ANYWHERE))
        place = wild.end()
    return automaton([*pieces, pattern[place:]])


def stem_of(pattern: str) -> str:
    """Text before the first wildcard."""
    wild = _WILD.search(pattern)
    return pattern if wild is None else pattern[: wild.start()]


def is_wild(pattern: str) -> bool:
    """Whether an action pattern holds a wildcard; there are no policy variables in actions."""
    return "*" in pattern or "?" in pattern


@functools.lru_cache(_CACHE)
def _covers(wide: str, narrow: str) -> bool:
    return covers(action_automaton(wide), action_automaton(narrow))


@functools.lru_cache(_CACHE)
def _overlaps(one: str, other: str) -> bool:
    stem, facing = stem_of(one), stem_of(other)
    if not (stem.startswith(facing) or facing.startswith(stem)):
        return False
    return overlaps(action_automaton(one), action_automaton(other))


class ActionPatterns:
    """A set of patterns to hold others against; `services` are their prefixes, with None for patterns of several."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        """Take patterns in any case."""
        self.patterns = tuple(dict.fromkeys(pattern.lower() for pattern in patterns))
        self._all = frozenset(self.patterns)
        wild = [pattern for pattern in self.patterns if "*" in pattern or "?" in pattern]
        self._stems = {pattern[:-1] for pattern in wild if _is_beginning(pattern)}
        self._lengths = sorted({len(stem) for stem in self._stems})
        self._by_service: dict[str | None, list[str]] = {}
        for prefix, of_prefix in _by_prefix(self.patterns).items():
            self._by_service.setdefault(_service(prefix), []).extend(of_prefix)
        self._odd: dict[str | None, list[str]] = {}
        for pattern in wild:
            if not _is_beginning(pattern):
                self._odd.setdefault(_service(pattern), []).append(pattern)
        self.services = frozenset(self._by_service)

    def of_service(self, service: str) -> tuple[str, ...]:
        """Those of the patterns that could admit an action of a service (a prefix in lower case)."""
        return (*self._by_service.get(service, ()), *self._by_service.get(None, ()))

    def cover_all(self, others: "ActionPatterns") -> bool:
        """Whether the patterns surely admit every action that others admit."""
        if None not in self.services and not others.services <= self.services:
            return False
        return self._all.issuperset(others.patterns) or all(map(self.cover, others.patterns))

    def cover(self, pattern: str) -> bool:
        """Whether one of the patterns surely admits every action that a pattern admits."""
        if pattern in self._all:
            return True
        stem = stem_of(pattern)
        if any(stem[:length] in self._stems for length in self._lengths if length <= len(stem)):
            return True
        if not self._odd:
            return False
        odd = (*self._odd.get(_service(pattern), ()), *self._odd.get(None, ()))
        return any(_covers(own, pattern) for own in odd)

    def may_share(self, pattern: str) -> bool:
        """Whether some action could match a pattern and one of these."""
        if pattern in self._all or self.cover(pattern):
            return True
        return is_wild(pattern) and any(True for _ in self.sharing(pattern))

    def sharing(self, pattern: str) -> Iterator[str]:
        """Those of the patterns that could have an action in common with a pattern."""
        service = _service(pattern)
        facing = self.patterns if service is None else self._by_service.get(service, [])
        yield from (own for own in facing if _overlaps(own, pattern))
        if service is not None:
            yield from (own for own in self._by_service.get(None, ()) if _overlaps(own, pattern))


def _by_prefix(patterns: Iterable[str]) -> dict[str, list[str]]:
    """The patterns by what they begin with up to a colon."""
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        found.setdefault(pattern[: pattern.find(":") + 1], []).append(pattern)
    return found


def _is_beginning(pattern: str) -> bool:
    """Whether the only wildcard is a `*` at the end."""
    return pattern.endswith("*") and not is_wild(pattern[:-1])


def _service(pattern: str) -> str | None:
    """Service prefix of a pattern, None where a wildcard leaves it open."""
    prefix, colon, _ = pattern.partition(":")
    return prefix if colon and not is_wild(prefix) else None


@functools.lru_cache(2048)
def action_patterns(patterns: tuple[str, ...]) -> ActionPatterns:
    """The patterns of an element, arranged once."""
    return ActionPatterns(patterns)
