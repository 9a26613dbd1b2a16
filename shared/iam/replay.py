"""Replay: every recorded use that the old policies allowed must still be allowed by the new ones.

A use is replayed without its context (addresses, tags, MFA), which the ledger doesn't keep. So a use holds only if
every old statement that may have allowed it has a counterpart among the new ones under no narrower conditions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shared.iam import actions, scopes
from shared.iam.catalogue import Catalogue
from shared.iam.comparison import contexts
from shared.iam.patterns import globs
from shared.iam.patterns.language import Budget, BudgetSpentError
from shared.iam.policy import Effect, Statement, parse_document
from shared.iam.scopes import Scope

MAX_STEPS = 50_000  # to show that one statement's conditions imply another's


class Use(NamedTuple):
    """One or more recorded uses that AWS let pass.

    `resource` is an ARN, a pattern that ends in `*` for all that the ledger no longer tells apart, or None where a
    record named none.
    """

    action: str
    resource: str | None = None


class ReplayResult(NamedTuple):
    """Outcome of a replay: `held` if no use of the `replayed` ones was `lost`.

    `outside` are uses that no old statement explains: something else allowed them (a resource policy, for instance),
    and still does.
    """

    held: bool
    replayed: int
    lost: tuple[Use, ...]
    outside: tuple[Use, ...]


def replay(
    uses: Iterable[Use], old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], catalogue: Catalogue
) -> ReplayResult:
    """Replay recorded uses of an identity under the new policy documents instead of the old ones.

    Raises PolicyDocumentError on an unreadable document of either side.
    """
    before, after = _statements(old), _statements(new)
    old_denies = [deny for deny in before if deny.effect is Effect.DENY]
    added = [deny for deny in after if deny.effect is Effect.DENY and not _is_repeated(deny, old_denies)]
    replayed = 0
    lost: list[Use] = []
    outside: list[Use] = []
    for use in uses:
        request = Use(use.action.lower(), use.resource)
        explaining = [one for one in before if one.effect is Effect.ALLOW and _may_match(one, request)]
        if not explaining:
            outside.append(use)
            continue
        replayed += 1
        denied = any(_may_match(deny, request) for deny in added)
        if denied or not all(_has_counterpart(one, after, request) for one in explaining):
            lost.append(_named(use, catalogue))
    return ReplayResult(not lost, replayed, tuple(lost), tuple(_named(use, catalogue) for use in outside))


def _named(use: Use, catalogue: Catalogue) -> Use:
    return use._replace(action=catalogue.name(use.action))


def _statements(documents: Iterable[Mapping[str, Any]]) -> list[Statement]:
    return [statement for document in documents for statement in parse_document(document)]


def _is_repeated(deny: Statement, old_denies: Iterable[Statement]) -> bool:
    return any(
        same_or_weaker_condition(old, deny) and actions.covers_actions(old, deny) and scopes.covers_scope(old, deny)
        for old in old_denies
    )


def same_or_weaker_condition(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` surely applies where `narrow` does, as far as conditions and callers go."""
    if wide.principals != narrow.principals:
        return False
    try:
        return contexts.implies(narrow.conditions, wide.conditions, Budget(MAX_STEPS))
    except BudgetSpentError:
        return False


def _may_match(statement: Statement, use: Use) -> bool:
    if not actions.admits(statement, use.action):
        return False
    if use.resource is None:
        return True
    if globs.is_wild(use.resource):
        return scopes.may_overlap(statement, Scope((use.resource,)))
    return scopes.might_reach(statement, use.resource)


def _has_counterpart(explaining: Statement, after: Iterable[Statement], use: Use) -> bool:
    """Whether a new Allow surely lets a use pass wherever the old statement did."""
    return any(
        one.effect is Effect.ALLOW
        and actions.admits(one, use.action)
        and same_or_weaker_condition(one, explaining)
        and (scopes.covers_scope(one, explaining) or (use.resource is not None and _surely_reaches(one, use.resource)))
        for one in after
    )


def _surely_reaches(statement: Statement, resource: str) -> bool:
    if globs.is_wild(resource):
        return scopes.covers_pattern(statement, resource)
    return scopes.surely_reaches(statement, resource)
