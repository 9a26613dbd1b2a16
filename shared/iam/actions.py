"""Which actions a statement admits, over the catalogue and over actions that the catalogue doesn't know (yet)."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from shared.iam import globs
from shared.iam.catalogue import Catalogue
from shared.iam.policy import Statement

NOTHING_ELSE: frozenset[str] = frozenset()


def expand(statement: Statement, catalogue: Catalogue, others: AbstractSet[str] = NOTHING_ELSE) -> frozenset[str]:
    """Lower-case actions that a statement speaks of, by Action or NotAction.

    The universe is the catalogue, the statement's own literals (one that the catalogue doesn't know is kept, never
    dropped) and `others`: further unknown actions that the caller needs an answer for, lower-case.
    """
    unknown = others - catalogue.keys
    if statement.not_actions:
        spared = catalogue.matching_any(statement.not_actions)
        return (catalogue.keys - spared) | {key for key in unknown if admits(statement, key)}
    literals = {pattern.lower() for pattern in statement.actions if not globs.is_wild(pattern)}
    known = catalogue.matching_any(statement.actions)
    extra = (literals - known) | {key for key in unknown if admits(statement, key)}
    return known | extra if extra else known


def admits(statement: Statement, action: str) -> bool:
    """Whether a statement speaks of one lower-case action, known or not."""
    if statement.not_actions:
        return not any(globs.matches(pattern, action) for pattern in _facing(statement.not_actions, action))
    return any(globs.matches(pattern, action) for pattern in _facing(statement.actions, action))


def admits_pattern(statement: Statement, pattern: str) -> bool:
    """Whether a statement surely speaks of every action, even of the future, that a lower-case pattern admits."""
    if statement.not_actions:
        return not any(globs.overlaps(spared, pattern) for spared in _facing(statement.not_actions, pattern))
    return any(globs.covers(own, pattern) for own in _facing(statement.actions, pattern))


def may_share(patterns: tuple[str, ...], pattern: str) -> bool:
    """Whether some action could match a lower-case pattern and one of `patterns`."""
    return any(globs.overlaps(own, pattern) for own in _facing(patterns, pattern))


def covers_actions(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` surely speaks of every action, even of the future, that `narrow` speaks of.

    By patterns alone: each pattern of `narrow` must lie within one of `wide`.
    """
    if narrow.actions:
        return all(admits_pattern(wide, pattern.lower()) for pattern in narrow.actions)
    if wide.actions:
        return any(globs.is_everything(pattern) for pattern in wide.actions)
    return all(
        any(globs.covers(spared.lower(), kept.lower()) for spared in narrow.not_actions) for kept in wide.not_actions
    )


def _facing(patterns: tuple[str, ...], query: str) -> Iterator[str]:
    """Those of `patterns`, in lower case, that could share an action with the query, by their services."""
    buckets = _by_service(patterns)
    service = _service(query)
    if service is None:
        for bucket in buckets.values():
            yield from bucket
        return
    yield from buckets.get(service, ())
    yield from buckets.get(None, ())


@functools.lru_cache(4096)
def _by_service(patterns: tuple[str, ...]) -> Mapping[str | None, tuple[str, ...]]:
    buckets: dict[str | None, list[str]] = {}
    for pattern in patterns:
        lowered = pattern.lower()
        buckets.setdefault(_service(lowered), []).append(lowered)
    return {service: tuple(bucket) for service, bucket in buckets.items()}


def _service(pattern: str) -> str | None:
    """Service prefix of a pattern, or None where a wildcard leaves it open."""
    prefix, colon, _ = pattern.partition(":")
    return prefix if colon and not globs.is_wild(prefix) else None


def unknown_wildcards(statement: Statement, catalogue: Catalogue) -> tuple[str, ...]:
    """Wildcard patterns of an Action element in which the catalogue knows no action: unknown, and so never dropped."""
    return tuple(pattern for pattern in statement.actions if globs.is_wild(pattern) and not catalogue.matching(pattern))


def unknown_literals(statements: Iterable[Statement], catalogue: Catalogue) -> frozenset[str]:
    """Lower-case literals of Action and NotAction elements that the catalogue doesn't know."""
    return frozenset(
        pattern.lower()
        for statement in statements
        for pattern in (*statement.actions, *statement.not_actions)
        if not globs.is_wild(pattern) and pattern not in catalogue
    )
