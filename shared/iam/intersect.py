"""What two scopes both reach, as one scope: exactly where that can be written as patterns, else a little wider.

Not every intersection is a list of patterns: what `a*` and `*z` share is not. A scope that is too wide never hides a
permission; whoever needs the exact answer asks both scopes as well.
"""

from collections.abc import Iterable
from typing import NamedTuple

from shared.iam import scopes
from shared.iam.comparison.reach import may_share, pattern_covers
from shared.iam.patterns import globs
from shared.iam.scopes import Scope, Scoped


class Intersection(NamedTuple):
    """What two scopes share; where it is not `exact`, `scope` is wider."""

    scope: Scope
    exact: bool


class _Meeting(NamedTuple):
    """What two patterns share (None: nothing), and whether that is exact."""

    pattern: str | None
    exact: bool


def intersect(one: Scoped, other: Scoped) -> Intersection | None:
    """What both reach, or None where that is surely nothing.

    >>> intersect(Scope(("arn:aws:s3:::a/*",)), Scope(("*",)))
    Intersection(scope=Scope(resources=('arn:aws:s3:::a/*',), not_resources=()), exact=True)
    """
    if one.resources and other.resources:
        met = [_meet(left, right) for left in one.resources for right in other.resources]
        return _of_patterns((pattern for pattern, _ in met if pattern is not None), exact=all(one.exact for one in met))
    if not one.resources and not other.resources:
        return Intersection(Scope((), tuple(dict.fromkeys((*one.not_resources, *other.not_resources)))), exact=True)
    inside, outside = (one, other) if one.resources else (other, one)
    kept = [pattern for pattern in inside.resources if not _is_spared(pattern, outside.not_resources)]
    return _of_patterns(kept, exact=all(scopes.covers_pattern(outside, pattern) for pattern in kept))


def _of_patterns(patterns: Iterable[str], *, exact: bool) -> Intersection | None:
    kept = tuple(dict.fromkeys(patterns))
    return Intersection(Scope(kept), exact) if kept else None


def _meet(one: str, other: str) -> _Meeting:
    """What two patterns share; of two that only overlap, the one that names a single resource, else the first."""
    if pattern_covers(other, one):
        return _Meeting(one, exact=True)
    if pattern_covers(one, other):
        return _Meeting(other, exact=True)
    if not may_share(one, other):
        return _Meeting(None, exact=True)
    return _Meeting(one if globs.is_wild(other) else other, exact=False)


def _is_spared(pattern: str, not_resources: Iterable[str]) -> bool:
    return any(pattern_covers(spared, pattern) for spared in not_resources)
