"""Which resources of an inventory ARN patterns cover: sets of resources as masks over its sorted ARNs, found fast.

Most patterns are a literal, or end in their only `*`: those are found by bisection, and of the others only the ARNs
that begin with the pattern's literal stem are looked at. What an inventory doesn't list because it lies inside of
something that it does list (objects of a bucket, streams of a log group) counts by what it lies in: a pattern covers a
bucket from inside when it could match something after the bucket's ARN and a `/`. The pattern's head, up to its fifth
colon, must match within the ARN: no `*` for a region or an account runs through a bucket's name into its objects.

`may` reads policy variables as any text, `sure` as text that no ARN has, so that both err on their safe side; wildcards
range over any characters (see shared/iam/patterns/globs.py).
"""

import bisect
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shared.iam.patterns import globs
from shared.iam.patterns.globs import Wild
from shared.iam.scopes import Scoped
from shared.pci.reach.beginnings import END, beginnings, compiled, longest, needle, split, varies, written

_LAST_CHARACTER = "\U0010ffff"
_RECENT_PATTERNS = 8  # whose matches are asked for again at once, for what lies inside
_FACETS_MEMORY = 2**24  # bytes
_MOST_FACETS = 16_384


class Facets(NamedTuple):
    """Masks of resources that are covered themselves, and of those in which something is: after a `/` or a `:`."""

    own: int
    slash: int
    colon: int

    def __or__(self, other: "Facets") -> "Facets":
        return Facets(self.own | other.own, self.slash | other.slash, self.colon | other.colon)

    def __and__(self, other: "Facets") -> "Facets":
        return Facets(self.own & other.own, self.slash & other.slash, self.colon & other.colon)

    def __sub__(self, other: "Facets") -> "Facets":
        return Facets(self.own & ~other.own, self.slash & ~other.slash, self.colon & ~other.colon)

    @property
    def union(self) -> int:
        """Resources of any facet."""
        return self.own | self.slash | self.colon


NOTHING = Facets(0, 0, 0)


class Covering:
    """The resources of one inventory; an instance only remembers answers."""

    def __init__(self, arns: Sequence[str]) -> None:
        """Take the ARNs, sorted and distinct: the i-th is bit i of every mask."""
        self._arns = arns
        self._text = "".join(f"{arn}{END}" for arn in arns)
        self._starts = list(itertools.accumulate((len(arn) + 1 for arn in arns), initial=0))
        everything = (1 << len(arns)) - 1
        self.everything = Facets(everything, everything, everything)
        self._matching = functools.lru_cache(_RECENT_PATTERNS)(self._find)
        self._scopes = functools.lru_cache(facets_to_remember(len(arns)))(self._of_scope)

    def may_cover(self, scope: Scoped) -> Facets:
        """Resources that a scope could cover, whatever its policy variables turn out to be."""
        return self._scopes(scope.resources, scope.not_resources, sure=False)

    def surely_covers(self, scope: Scoped) -> Facets:
        """Resources that a scope covers for certain; from inside: everything that could be in them."""
        return self._scopes(scope.resources, scope.not_resources, sure=True)

    def _of_scope(self, resources: tuple[str, ...], not_resources: tuple[str, ...], *, sure: bool) -> Facets:
        inside, outside = (self._surely_match, self._may_match) if sure else (self._may_match, self._surely_match)
        if resources:
            return _union(map(inside, resources))
        if not not_resources:  # a statement with neither reaches what it is attached to
            return NOTHING if sure else self.everything
        return self.everything - _union(map(outside, not_resources))

    def _may_match(self, pattern: str) -> Facets:
        return Facets(self._matching(pattern), *(self._entered(pattern, sign) for sign in "/:"))

    def _surely_match(self, pattern: str) -> Facets:
        if varies(pattern):
            return NOTHING
        return Facets(self._matching(pattern), *(self._filled(pattern, sign) for sign in "/:"))

    def _find(self, pattern: str) -> int:
        """Resources whose ARN matches."""
        stem, rest = split(pattern)
        if not rest:
            return self._one(stem)
        first, end = self._between(stem)
        if rest == (Wild.RUN,):
            return _run(first, end)
        test = globs.compiled(pattern, variables_match=True).fullmatch
        return mask_of([place for place in self._holding(longest(rest), first, end) if test(self._arns[place])])

    def _entered(self, pattern: str, sign: str) -> int:
        """Resources in which something could match: ARN and sign match what the pattern could begin with."""
        found = 0
        for beginning, ones in beginnings(pattern, sign):
            found |= self._signed(beginning, sign, ones)
        return found

    def _filled(self, pattern: str, sign: str) -> int:
        """Resources in which everything matches: the pattern matches ARN and sign, and ends in `*`."""
        return self._signed(pattern, sign) if globs.tokens(pattern)[-1:] == (Wild.RUN,) else 0

    def _signed(self, pattern: str, sign: str, ones: int = 1) -> int:
        """Resources whose ARN and the sign after it match; a `?` at the pattern's end is up to that many."""
        read = globs.tokens(pattern)
        if read[-1:] == (Wild.RUN,):
            return self._matching(pattern) | self._signed(written(read[:-1]), sign)
        if not read or read[-1] not in (sign, Wild.ONE):
            return 0
        stem, rest = split(pattern)
        if not rest:
            return self._one(stem[:-1])
        first, end = self._between(stem)
        test = compiled(pattern, ones).fullmatch
        near = self._holding(needle(rest), first, end)
        return mask_of([place for place in near if test(f"{self._arns[place]}{sign}")])

    def _holding(self, part: str, first: int, end: int) -> Iterator[int]:
        """Which of a run of neighbours hold some text: a search in all of them at once, since it is the quickest."""
        if not part:
            yield from range(first, end)
            return
        last = self._starts[end]
        found = self._text.find(part, self._starts[first], last)
        while found >= 0:
            place = bisect.bisect_right(self._starts, found) - 1
            yield place
            found = self._text.find(part, self._starts[place + 1], last)

    def _one(self, arn: str) -> int:
        place = bisect.bisect_left(self._arns, arn)
        return 1 << place if place < len(self._arns) and self._arns[place] == arn else 0

    def _between(self, stem: str) -> tuple[int, int]:
        """Where the ARNs that begin with a stem are: from, and up to but without."""
        first = bisect.bisect_left(self._arns, stem)
        return first, bisect.bisect_right(self._arns, stem + _LAST_CHARACTER, lo=first)


def facets_to_remember(resources: int) -> int:
    """How many answers of three masks of that many resources take some 16 MB at most."""
    return min(_MOST_FACETS, _FACETS_MEMORY // (3 * (resources // 8 + 1)))


def _union(facets: Iterable[Facets]) -> Facets:
    return functools.reduce(Facets.__or__, facets, NOTHING)


def _run(first: int, end: int) -> int:
    """Mask of neighbours: from `first` up to but without `end`."""
    return ((1 << (end - first)) - 1) << first


def mask_of(places: Sequence[int]) -> int:
    """Set many bits, given in rising order, without making an int for each."""
    if len(places) <= 1:
        return 1 << places[0] if places else 0
    octets = bytearray(places[-1] // 8 + 1)
    for place in places:
        octets[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(octets, "little")
