"""Which action patterns a document may hold at all, because the statements that it comes from admit them."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.iam.patterns import globs
from shared.iam.patterns.action_patterns import is_wild
from shared.iam.policy import Statement

Patterns = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """Admits a pattern that lies within one of `patterns`, or shares nothing with all of one list of `spared`.

    All of them are lower-case; a list of `spared` is what a NotAction names. Two equal bounds give equal answers.
    """

    patterns: Patterns
    spared: tuple[Patterns, ...] = ()

    @classmethod
    def of(cls, statements: Iterable[Statement]) -> "Bound":
        """What statements together admit, whatever the order they come in."""
        listed = list(statements)
        patterns = {pattern.lower() for one in listed for pattern in one.actions}
        spared = {tuple(sorted(map(str.lower, one.not_actions))) for one in listed if one.not_actions}
        return cls(tuple(sorted(patterns)), tuple(sorted(spared)))

    def of_service(self, service: str) -> "Bound":
        """What of it matters for the patterns that begin with one service's prefix."""
        return Bound(_facing(self.patterns, service), tuple(_facing(spared, service) for spared in self.spared))

    def admits(self, pattern: str) -> bool:
        """Whether every action, even of the future, that a lower-case pattern admits surely lies within the bound."""
        return any(_covers(own, pattern) for own in self.patterns) or any(
            not any(globs.overlaps(one, pattern) for one in spared) for spared in self.spared
        )


def _covers(own: str, pattern: str) -> bool:
    """`globs.covers`, with the answers that most patterns give at once: a literal, and a prefix."""
    stem = own.rstrip("*")
    if is_wild(stem):
        return globs.covers(own, pattern)
    return own == pattern if stem == own else pattern.startswith(stem)


def _facing(patterns: Patterns, service: str) -> Patterns:
    by_service = _by_service(patterns)
    return (*by_service.get(service, ()), *by_service.get("", ()))


@functools.lru_cache(1024)
def _by_service(patterns: Patterns) -> Mapping[str, Patterns]:
    """Patterns by their service; those that leave it open by the empty text."""
    found: dict[str, list[str]] = {}
    for pattern in patterns:
        service, colon, _ = pattern.partition(":")
        found.setdefault(service if colon and not is_wild(service) else "", []).append(pattern)
    return {service: tuple(own) for service, own in found.items()}
