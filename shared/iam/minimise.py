"""A set of actions in as few characters as can be found, without admitting anything else.

IAM counts the characters of a policy, so wildcards are written: `s3:*`, `s3:Get*`, `s3:*Tagging`, `ec2:D*Attribute`.
Never one that admits a known action which isn't wanted, and only where the caller's bound covers it, so that an action
which AWS adds later is admitted only where the old policy admitted it already. A wildcard stands for two wanted actions
or more: one by itself is spelled out, else a policy would no longer say what is used.

Where size comes first, what a wildcard begins and ends with is as short as it can be (`cloudwatch:*tDashboard`). With
whole words it is cut between words only, which costs some percent more characters, but reads as what it means, and
admits less of what AWS adds later. Of two results of the same size the one with fewer kinds of wildcards is taken.

The smallest set of patterns is a set cover, which nobody can find in reasonable time: prefixes alone are solved
exactly, all kinds together greedily, and the smaller of both results is the answer. Two wildcards in one pattern
(`ec2:*Fleet*`) are not tried.
"""

import bisect
import functools
import heapq
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.iam.bounds import Bound
from shared.iam.catalogue import LAST_CHARACTER, Catalogue

_REMEMBERED_COVERS = 4096
_SEPARATORS = len('"",')  # what a pattern costs beyond its own characters
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def minimise(
    wanted: Iterable[str], catalogue: Catalogue, bound: Bound, *, whole_words: bool = False
) -> tuple[str, ...]:
    """Spell lower-case actions as sorted literals and wildcards in canonical case, as short as can be found.

    Over the catalogue and `wanted`, the result admits exactly `wanted`. It depends on the set of actions only, and is
    never longer than the actions spelled out.
    """
    keys = frozenset(wanted)
    if len(keys) > 1 and bound.admits("*") and catalogue.keys <= keys:
        return ("*",)
    by_service: dict[str, list[str]] = {}
    for key in sorted(keys):
        by_service.setdefault(key.partition(":")[0], []).append(key)
    patterns: list[str] = []
    for service, listed in by_service.items():
        if len(listed) == 1:
            patterns.append(catalogue.name(listed[0]))
        else:
            patterns += _cover(catalogue, service, tuple(listed), bound.of_service(service), whole_words)
    return tuple(sorted(patterns))


@functools.lru_cache(_REMEMBERED_COVERS)
def _cover(
    catalogue: Catalogue,
    service: str,
    listed: tuple[str, ...],
    bound: Bound,
    whole_words: bool,  # noqa: FBT001 a cache key
) -> tuple[str, ...]:
    """Patterns of one service: many identities keep the same of most services, within the same bound."""
    known = sorted({*listed, *catalogue.of_service(service)})
    names = [catalogue.name(key) for key in known]
    return tuple(_Service(f"{service}:", names, frozenset(listed), bound, whole_words=whole_words).cover())


class _Ends(NamedTuple):
    """A pattern of one service: what comes before its one wildcard and after it, lower-case, without the service."""

    start: str
    end: str


class _Service:
    """The actions of one service, some of them wanted; sets of actions are masks by their places."""

    def __init__(
        self, prefix: str, names: Sequence[str], wanted: frozenset[str], bound: Bound, *, whole_words: bool
    ) -> None:
        """Take the canonical names of all actions in the order of their keys, and the keys of the wanted ones."""
        self._prefix = prefix
        self._names = names
        self._texts = [name.lower().removeprefix(prefix) for name in names]
        self._mirrored = sorted((text[::-1], place) for place, text in enumerate(self._texts))
        self._everything = (1 << len(names)) - 1
        self._wanted = sum(1 << place for place, name in enumerate(names) if name.lower() in wanted)
        self._bound = bound
        self._is_free = bound.admits(f"{prefix}*")
        self._whole_words = whole_words
        self._is_fine = functools.cache(self._check)
        self._ending = functools.cache(self._search_ending)

    def cover(self) -> list[str]:
        """Patterns and literals for the wanted actions."""
        if self._wanted.bit_count() == 1:
            return self._spelled(self._wanted)
        stems: dict[int, _Ends] = {}
        tails: dict[int, _Ends] = {}
        for place in _places(self._wanted):
            text = self._texts[place]
            cuts = self._words(place) if self._whole_words else range(len(text) + 1)
            stems |= self._first_fine(place, [_Ends(text[:cut], "") for cut in cuts])
            tails |= self._first_fine(place, [_Ends("", text[cut:]) for cut in reversed(cuts)])
        plain = self._choose(stems.values())
        mixed = self._choose({*stems.values(), *tails.values(), *self._between(stems, tails)})
        return min(plain, mixed, key=_size)

    def _first_fine(self, place: int, widest_first: Sequence[_Ends]) -> dict[int, _Ends]:
        """The widest of nested patterns that may be written: where one may, every narrower one may too."""
        first = bisect.bisect_left(widest_first, x=True, key=self._is_fine)
        return {place: widest_first[first]} if first < len(widest_first) else {}

    def _words(self, place: int) -> list[int]:
        """Where the words of an action's name end, and its beginning."""
        return [0, *(word.end() - len(self._prefix) for word in _WORD.finditer(self._names[place], len(self._prefix)))]

    def _between(self, stems: Mapping[int, _Ends], tails: Mapping[int, _Ends]) -> Iterator[_Ends]:
        """`start*end` out of whole words of wanted actions, where neither end would do by itself."""
        seen: set[_Ends] = set()
        for place in _places(self._wanted):
            text, cuts = self._texts[place], self._words(place)[1:]
            starts = [cut for cut in cuts if place not in stems or cut < len(stems[place].start)]
            ends = [cut for cut in cuts if place not in tails or len(text) - cut < len(tails[place].end)]
            for start, end in itertools.product(starts, ends):
                found = _Ends(text[:start], text[end:])
                if start <= end < len(text) and found not in seen:
                    seen.add(found)
                    if self._admitted(found).bit_count() > 1 and self._is_fine(found):
                        yield found if self._whole_words else self._shortened(found)

    def _shortened(self, ends: _Ends) -> _Ends:
        """Without what isn't needed: at the end of the start first, then at the start of the end."""
        start, end = ends
        while start and self._is_fine(_Ends(start[:-1], end)):
            start = start[:-1]
        while end and self._is_fine(_Ends(start, end[1:])):
            end = end[1:]
        return _Ends(start, end)

    def _check(self, ends: _Ends) -> bool:
        """Whether a pattern may be written: it admits nothing that isn't wanted and lies within the bound."""
        if self._admitted(ends) & ~self._wanted:
            return False
        return self._is_free or self._bound.admits(f"{self._prefix}{ends.start}*{ends.end}")

    def _admitted(self, ends: _Ends) -> int:
        first = bisect.bisect_left(self._texts, ends.start)
        end = bisect.bisect_right(self._texts, ends.start + LAST_CHARACTER, lo=first)
        starting = ((1 << (end - first)) - 1) << first
        return starting & self._ending(ends.end, len(ends.start)) if ends.end else starting

    def _search_ending(self, end: str, room: int) -> int:
        """Mask of the actions with this end, and at least `room` characters before it."""
        mirrored, found = end[::-1], 0
        for place in range(bisect.bisect_left(self._mirrored, (mirrored, 0)), len(self._mirrored)):
            text, own = self._mirrored[place]
            if not text.startswith(mirrored):
                break
            found |= (len(text) >= len(end) + room) << own
        return found

    def _choose(self, patterns: Iterable[_Ends]) -> list[str]:
        """Take the pattern that saves most, until none saves anything; then drop those that others made useless."""
        masks = {self._written(ends): self._admitted(ends) for ends in patterns}
        queue = [(-self._saving(text, mask), text) for text, mask in masks.items() if mask.bit_count() > 1]
        heapq.heapify(queue)
        chosen: dict[str, int] = {}
        rest = self._wanted
        while queue and queue[0][0] < 0:
            _, text = heapq.heappop(queue)
            saving = self._saving(text, masks[text] & rest)
            if queue and (-saving, text) > queue[0]:
                heapq.heappush(queue, (-saving, text))  # others took some of it: look at it again later
            elif saving > 0:
                chosen[text] = masks[text]
                rest &= ~masks[text]
        for text in reversed(tuple(chosen)):
            others = functools.reduce(int.__or__, (mask for other, mask in chosen.items() if other != text), 0)
            if self._saving(text, chosen[text] & ~others) <= 0:
                del chosen[text]
        covered = functools.reduce(int.__or__, chosen.values(), 0)
        return [*chosen, *self._spelled(self._wanted & ~covered)]

    def _saving(self, text: str, mask: int) -> int:
        """Characters that a pattern saves if it stands for the actions of a mask."""
        return sum(len(self._names[place]) + _SEPARATORS for place in _places(mask)) - len(text) - _SEPARATORS

    def _written(self, ends: _Ends) -> str:
        """The pattern in the spelling of the first action that it admits."""
        admitted = self._admitted(ends)
        name = self._names[next(_places(admitted))].removeprefix(self._prefix)
        return f"{self._prefix}{name[: len(ends.start)]}*{name[len(name) - len(ends.end) :]}"

    def _spelled(self, mask: int) -> list[str]:
        return [self._names[place] for place in _places(mask)]


def _places(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _size(patterns: Iterable[str]) -> int:
    return sum(len(pattern) + _SEPARATORS for pattern in patterns)
