"""Statements held to the resources that their actions were used on: only where nobody could miss anything.

An action of a statement is narrowed only if the ledger knows all resources of its uses, each of them surely lies within
some statement that allows it, and each surely lies within this statement or outside of it. Statements with conditions,
a NotResource or policy variables stay as they are: they say in their own way which resources they are meant for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.iam import actions, scopes
from shared.iam.actions import ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.policy import Statement
from shared.iam.scopes import Scope

_VARIABLE = "${"


class Share(NamedTuple):
    """Actions of one statement (lower-case) that are narrowed to the same resource patterns."""

    resources: tuple[str, ...]
    actions: frozenset[str]


class Observed:
    """By lower-case action, the resource patterns of its uses, as far as the Allow statements explain all of them."""

    def __init__(self, resources: Mapping[str, Sequence[str]], allows: Iterable[Statement]) -> None:
        listed = tuple(allows)
        self._resources = {
            action: tuple(sorted(patterns))
            for action, patterns in resources.items()
            if patterns and _explained(action, patterns, listed)
        }

    def shares(self, statement: Statement, kept: ActionSet, catalogue: Catalogue) -> Iterator[Share]:
        """What of the `kept` actions of one Allow is narrowed, by resources; without resources it isn't needed here."""
        if not self._resources or not _is_plain(statement):
            return
        found: dict[tuple[str, ...], set[str]] = {}
        for action in kept.keys(catalogue):
            resources = self._within(statement, action)
            if resources is not None and set(resources) != set(statement.resources):
                found.setdefault(resources, set()).add(action)
        for resources, keys in sorted(found.items()):
            yield Share(resources, frozenset(keys))

    def _within(self, statement: Statement, action: str) -> tuple[str, ...] | None:
        """Observed resources that a statement reaches; None where that is not sure, or not known."""
        patterns = self._resources.get(action)
        if patterns is None:
            return None
        inside = tuple(pattern for pattern in patterns if scopes.covers_pattern(statement, pattern))
        outside = (pattern for pattern in patterns if pattern not in inside)
        return None if any(scopes.may_overlap(statement, Scope((pattern,))) for pattern in outside) else inside


NOTHING_OBSERVED = Observed({}, ())


def _is_plain(statement: Statement) -> bool:
    if statement.conditional or not statement.resources:
        return False
    return not any(_VARIABLE in pattern for pattern in statement.resources)


def _explained(action: str, patterns: Iterable[str], allows: Sequence[Statement]) -> bool:
    """Whether each of the patterns surely lies within a statement that allows the action."""
    allowing = [allow for allow in allows if actions.admits(allow, action)]
    return all(any(scopes.covers_pattern(allow, pattern) for allow in allowing) for pattern in patterns)
