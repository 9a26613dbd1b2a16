"""A set of actions as the fewest patterns that people can read, without admitting anything else.

A wildcard is only ever written where every known action that it admits is wanted and where the caller's bound covers
it, so that an action which AWS adds later is admitted only where the old policy admitted it already.
"""

from collections.abc import Callable, Iterable, Iterator

from shared.iam.catalogue import Catalogue

Bound = Callable[[str], bool]  # may this lower-case pattern be written at all?


def minimise(wanted: Iterable[str], catalogue: Catalogue, bound: Bound) -> tuple[str, ...]:
    """Spell lower-case actions as sorted literals and prefix wildcards (`s3:GetObject*`) in canonical case.

    Over the catalogue and `wanted`, the result admits exactly `wanted`.
    """
    by_service: dict[str, set[str]] = {}
    for key in wanted:
        by_service.setdefault(key.partition(":")[0], set()).add(key)
    patterns: list[str] = []
    for prefix, keys in sorted(by_service.items()):
        known = sorted(keys.union(catalogue.of_service(prefix)))
        patterns += _cover(known, len(prefix) + 1, frozenset(keys), catalogue, bound)
    return tuple(sorted(patterns))


def _cover(group: list[str], depth: int, wanted: frozenset[str], catalogue: Catalogue, bound: Bound) -> Iterator[str]:
    """Patterns for the wanted ones of a sorted group of actions that share their first `depth` characters."""
    inside = sum(key in wanted for key in group)
    if inside == 0:
        return
    if inside == len(group) > 1:
        stem = _shared_start(group[0], group[-1])
        if bound(f"{stem}*"):
            yield f"{catalogue.name(group[0])[: len(stem)]}*"
            return
    if len(group) == 1:
        yield catalogue.name(group[0])
        return
    for branch in _branches(group, depth):
        yield from _cover(branch, depth + 1, wanted, catalogue, bound)


def _branches(group: list[str], depth: int) -> Iterator[list[str]]:
    """Split by the character at `depth`; an action that ends there is a branch by itself."""
    branches: dict[str, list[str]] = {}
    for key in group:
        branches.setdefault(key[depth : depth + 1], []).append(key)
    yield from branches.values()


def _shared_start(one: str, other: str) -> str:
    """What two strings begin with; of the first and last of a sorted group that is what all of them begin with."""
    length = next((place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), None)
    return one[:length] if length is not None else min(one, other, key=len)
