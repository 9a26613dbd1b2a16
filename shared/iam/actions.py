"""Which actions a statement admits, over the catalogue and over actions that the catalogue doesn't know (yet)."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.iam.catalogue import Catalogue
from shared.iam.patterns import globs
from shared.iam.patterns.action_patterns import is_wild
from shared.iam.policy import Effect, Statement
from shared.iam.principals import EVERYONE, PrincipalKind

NOTHING_ELSE: frozenset[str] = frozenset()


class ActionSet(NamedTuple):
    """A set of actions: `known` is a mask of the catalogue, `unknown` holds lower-case actions outside of it.

    >>> ActionSet(0b110, frozenset({"new:thing"})) - ActionSet(0b010)
    ActionSet(known=4, unknown=frozenset({'new:thing'}))
    """

    known: int
    unknown: frozenset[str] = NOTHING_ELSE

    def __bool__(self) -> bool:
        return bool(self.known or self.unknown)

    def __or__(self, other: "ActionSet") -> "ActionSet":
        return ActionSet(self.known | other.known, self.unknown | other.unknown)

    def __and__(self, other: "ActionSet") -> "ActionSet":
        return ActionSet(self.known & other.known, self.unknown & other.unknown)

    def __sub__(self, other: "ActionSet") -> "ActionSet":
        return ActionSet(self.known & ~other.known, self.unknown - other.unknown)

    @property
    def size(self) -> int:
        """Number of actions."""
        return self.known.bit_count() + len(self.unknown)

    def keys(self, catalogue: Catalogue) -> list[str]:
        """Lower-case actions: the known ones sorted, then the others sorted."""
        return [*catalogue.keys_of(self.known), *sorted(self.unknown)]

    def names(self, catalogue: Catalogue) -> list[str]:
        """Actions in canonical spelling, in the order of `keys`; an unknown one is lower-case."""
        return [*catalogue.names_of(self.known), *sorted(self.unknown)]


NO_ACTIONS = ActionSet(0)


@functools.lru_cache(1024)
def actions_of(keys: frozenset[str], catalogue: Catalogue) -> ActionSet:
    """Lower-case actions as a set."""
    return ActionSet(catalogue.mask_of_keys(keys), keys - catalogue.keys)


def action_set(statement: Statement, catalogue: Catalogue, others: AbstractSet[str] = NOTHING_ELSE) -> ActionSet:
    """Actions that a statement speaks of, by Action or NotAction.

    The universe is the catalogue, the statement's own literals (one that the catalogue doesn't know is kept, never
    dropped) and `others`: further unknown actions that the caller needs an answer for, lower-case.
    """
    if statement.not_actions:
        known, own = catalogue.everything & ~catalogue.mask_any(statement.not_actions), NOTHING_ELSE
    else:
        known, own = catalogue.resolve(statement.actions)
    foreign = {key for key in others if key not in own and key not in catalogue and admits(statement, key)}
    return ActionSet(known, own | foreign)


def expand_document(statements: Iterable[Statement], catalogue: Catalogue) -> ActionSet:
    """Actions that a document allows on some resource: its Allows, minus what a Deny takes away for good.

    That is a Deny without conditions, of every resource, and for everyone. Wildcards in which the catalogue knows no
    action are not in the answer: `unknown_wildcards` names them.
    """
    plain: list[Statement] = []
    others: list[Statement] = []
    for statement in statements:
        (plain if statement.effect is Effect.ALLOW and statement.actions else others).append(statement)
    known, named = catalogue.resolve(itertools.chain.from_iterable(allow.actions for allow in plain))
    literals = named | unknown_literals(others, catalogue)
    allowed = ActionSet(known, named | {key for key in literals - named if any(admits(allow, key) for allow in plain)})
    denied = NO_ACTIONS
    for statement in others:
        if statement.effect is Effect.ALLOW:
            allowed |= action_set(statement, catalogue, literals)
        elif denies_for_good(statement):
            denied |= action_set(statement, catalogue, literals)
    return allowed - denied


def denies_for_good(deny: Statement) -> bool:
    """Whether a Deny applies to every request for its actions: no condition, every resource, every principal."""
    everyone = deny.principals is None or (
        not deny.principals.negated and (PrincipalKind.AWS, EVERYONE) in deny.principals.entries
    )
    everything = any(map(globs.is_everything, deny.resources)) or not (deny.resources or deny.not_resources)
    return everyone and everything and not deny.conditional


def admits(statement: Statement, action: str) -> bool:
    """Whether a statement speaks of one lower-case action, known or not."""
    if statement.not_actions:
        return not any(globs.matches(pattern, action) for pattern in _facing(statement.not_actions, action))
    return any(globs.matches(pattern, action) for pattern in _facing(statement.actions, action))


def admits_pattern(statement: Statement, pattern: str) -> bool:
    """Whether a statement surely speaks of every action, even of the future, that a lower-case pattern admits."""
    if statement.not_actions:
        return not any(globs.overlaps(spared, pattern) for spared in _facing(statement.not_actions, pattern))
    return any(_covers(own, pattern) for own in _facing(statement.actions, pattern))


def _covers(own: str, pattern: str) -> bool:
    """`globs.covers`, with the answers that most patterns give at once: a literal, and a prefix."""
    stem = own.rstrip("*")
    if is_wild(stem):
        return globs.covers(own, pattern)
    return own == pattern if stem == own else pattern.startswith(stem)


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
    return prefix if colon and not is_wild(prefix) else None


def unknown_wildcards(statement: Statement, catalogue: Catalogue) -> tuple[str, ...]:
    """Wildcard patterns of an Action element in which the catalogue knows no action: unknown, and so never dropped."""
    return tuple(pattern for pattern in statement.actions if is_wild(pattern) and not catalogue.mask(pattern))


def unknown_literals(statements: Iterable[Statement], catalogue: Catalogue) -> frozenset[str]:
    """Lower-case literals of Action and NotAction elements that the catalogue doesn't know."""
    patterns = itertools.chain.from_iterable((*one.actions, *one.not_actions) for one in statements)
    return catalogue.resolve(patterns)[1]
