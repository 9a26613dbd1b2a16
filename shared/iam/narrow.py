"""A just-enough (JEP) policy: the statements that an identity has, each narrowed to the actions it keeps.

Derivation, not invention: every Allow statement of the result is an existing one with fewer actions, the same
conditions, and the same resources or those of them that were observed; every Deny stays as it is. So the result can't
grant anything new, which `compare` then proves again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import InputError
from shared.iam import actions
from shared.iam.actions import NO_ACTIONS, ActionSet, actions_of
from shared.iam.bounds import Bound
from shared.iam.catalogue import Catalogue
from shared.iam.minimise import minimise
from shared.iam.observed import NOTHING_OBSERVED, Observed
from shared.iam.patterns import globs
from shared.iam.policy import VERSION, Effect, Statement, canonical_condition, parse_document
from shared.iam.sizes import MAX_MANAGED_POLICY, compact, policy_size

if TYPE_CHECKING:
    from shared.model.identity import Policy

DENY_EVERYTHING: Mapping[str, Any] = {"Effect": "Deny", "Action": "*", "Resource": "*"}


@dataclass(slots=True)
class _Merged:
    """Allow statements with the same conditions, and what is kept of them together on the same resources."""

    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    statements: list[Statement]
    kept: ActionSet
    verbatim: set[str]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What is left of some policies: Allows to be written more or less briefly, and all of their Denies.

    `held` are the actions (lower-case) that reach fewer resources than before.
    """

    held: frozenset[str]
    _merged: Sequence[_Merged]
    _statements: Sequence[Statement]
    _catalogue: Catalogue

    @property
    def allows_anything(self) -> bool:
        """Whether anything is left to allow."""
        return bool(self._merged)

    def statements(self, *, whole_words: bool) -> list[dict[str, Any]]:
        """The statements of the result, in an order that doesn't depend on that of the policies.

        Wildcards are cut between words only, or are as short as can be.
        """
        allows = (_render(one, self._catalogue, whole_words=whole_words) for one in self._merged)
        return [*sorted(allows, key=compact), *_denies(self._statements)]


def narrow(
    policies: Sequence["Policy"],
    keep: frozenset[str],
    catalogue: Catalogue,
    *,
    limit: int = MAX_MANAGED_POLICY,
    deny_everything_if_empty: bool = False,
) -> dict[str, Any]:
    """Derive the policy document that keeps exactly the actions of `keep` (any case) among those that are allowed.

    Never dropped, whatever `keep` says: literals and wildcards that the catalogue doesn't know (unknown is not
    unused). The same inputs in any order give the same document. Wildcards are cut between words, unless the document
    then exceeds `limit` characters: then they are as short as can be, and it may still be too large.

    Raises InputError if nothing is left to allow, so that missing evidence never becomes a lock-out; with
    `deny_everything_if_empty` the document then denies everything. Raises PolicyDocumentError on an unreadable policy.
    """
    wanted = frozenset(key.lower() for key in keep)
    narrowed = narrow_statements(statements_of(policies), actions_of(wanted, catalogue), catalogue)
    if not narrowed.allows_anything and deny_everything_if_empty:
        return as_document([DENY_EVERYTHING])
    if not narrowed.allows_anything:
        raise InputError("nothing left to allow")
    readable = as_document(narrowed.statements(whole_words=True))
    return readable if policy_size(readable) <= limit else as_document(narrowed.statements(whole_words=False))


def statements_of(policies: Iterable["Policy"]) -> tuple[Statement, ...]:
    """Every statement of identity policies. Raises PolicyDocumentError, InputError for one that names a principal."""
    statements = tuple(statement for policy in policies for statement in parse_document(policy.document))
    if any(statement.principal is not None for statement in statements):
        raise InputError("a statement with a Principal belongs to no identity policy")
    return statements


def narrow_statements(
    statements: Sequence[Statement],
    keep: ActionSet,
    catalogue: Catalogue,
    observed: Observed = NOTHING_OBSERVED,
) -> Narrowed:
    """Narrow statements to the actions of `keep`, and these to the resources that were `observed`."""
    allows = [statement for statement in statements if statement.effect is Effect.ALLOW]
    wanted = _wanted(allows, keep, catalogue)
    merged: dict[tuple[Any, ...], _Merged] = {}
    held: set[str] = set()
    for statement in allows:
        kept = actions.action_set(statement, catalogue, wanted.unknown) & wanted
        verbatim = set(actions.unknown_wildcards(statement, catalogue))
        for share in observed.shares(statement, kept, catalogue):
            own = actions_of(share.actions, catalogue)
            held |= share.actions
            kept -= own
            if share.resources:
                _add(merged, statement, share.resources, own, set())
        if kept or verbatim:
            _add(merged, statement, statement.resources, kept, verbatim)
    return Narrowed(frozenset(held), tuple(merged.values()), statements, catalogue)


def keeps_all(
    statements: Iterable[Statement],
    keep: ActionSet,
    catalogue: Catalogue,
    observed: Observed = NOTHING_OBSERVED,
) -> bool:
    """Whether narrowing would change nothing of what these statements allow."""
    allows = [statement for statement in statements if statement.effect is Effect.ALLOW]
    wanted = _wanted(allows, keep, catalogue)
    return not any(
        own - wanted or any(observed.shares(allow, own, catalogue))
        for allow in allows
        for own in (actions.action_set(allow, catalogue),)
    )


def as_document(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A policy document of these statements."""
    return {"Version": VERSION, "Statement": [dict(statement) for statement in statements]}


def rendered_denies(statements: Iterable[Statement]) -> Iterator[str]:
    """Every Deny, without its Sid, as text that is equal where they say the same word for word."""
    return (compact(statement.render()) for statement in statements if statement.effect is Effect.DENY)


def _wanted(allows: Iterable[Statement], keep: ActionSet, catalogue: Catalogue) -> ActionSet:
    """The actions to keep, and every action that an Allow names and the catalogue doesn't know."""
    return keep | ActionSet(0, actions.unknown_literals((allow for allow in allows if allow.actions), catalogue))


def _add(
    merged: dict[tuple[Any, ...], _Merged],
    statement: Statement,
    resources: tuple[str, ...],
    kept: ActionSet,
    verbatim: set[str],
) -> None:
    scope = tuple(sorted(resources)), tuple(sorted(statement.not_resources))
    key = (*scope, canonical_condition(statement.condition))
    same = merged.setdefault(key, _Merged(*scope, [], NO_ACTIONS, set()))
    same.statements.append(statement)
    same.kept |= kept
    same.verbatim |= verbatim


def _render(merged: _Merged, catalogue: Catalogue, *, whole_words: bool) -> dict[str, Any]:
    """One Allow statement, with the fewest characters that the old statements' own patterns cover."""
    written = _patterns(merged, catalogue, whole_words=whole_words)
    first = min(merged.statements, key=lambda statement: compact(statement.render()))
    values = {"Resource": merged.resources, "NotResource": merged.not_resources}
    document: dict[str, Any] = {"Effect": Effect.ALLOW.value, "Action": _short(written)}
    document |= {key: _short(patterns) for key, patterns in values.items() if patterns}
    return document | ({"Condition": dict(first.condition)} if first.condition is not None else {})


def _patterns(merged: _Merged, catalogue: Catalogue, *, whole_words: bool) -> list[str]:
    """The kept actions as patterns; the old patterns themselves where nothing was removed and they are shorter."""
    wildcards = [pattern.lower() for pattern in merged.verbatim]
    keys = merged.kept.keys(catalogue)
    kept = [key for key in keys if not any(globs.matches(pattern, key) for pattern in wildcards)] if wildcards else keys
    old = sorted({pattern for statement in merged.statements for pattern in statement.actions})
    spelling = {pattern.lower(): pattern for pattern in old if pattern not in catalogue}
    minimised = minimise(kept, catalogue, Bound.of(merged.statements), whole_words=whole_words)
    written = {spelling.get(pattern, pattern) for pattern in minimised} | merged.verbatim
    unchanged = all(
        statement.actions and not actions.action_set(statement, catalogue) - merged.kept
        for statement in merged.statements
    )
    return old if unchanged and len(compact(old)) < len(compact(sorted(written))) else sorted(written)


def _denies(statements: Iterable[Statement]) -> list[dict[str, Any]]:
    """Every Deny as it is, once; a Sid stays with the first of those that share it, since Sids must be unique."""
    denies = {compact(rendered): (statement, rendered) for statement, rendered in _rendered_denies(statements)}
    kept: list[dict[str, Any]] = []
    sids: set[str] = set()
    for _, (statement, rendered) in sorted(denies.items()):
        sid = statement.sid
        kept.append({"Sid": sid, **rendered} if sid and sid not in sids else rendered)
        sids.add(sid or "")
    return kept


def _rendered_denies(statements: Iterable[Statement]) -> list[tuple[Statement, dict[str, Any]]]:
    denies = [statement for statement in statements if statement.effect is Effect.DENY]
    return [(deny, deny.render()) for deny in sorted(denies, key=lambda deny: deny.sid or "", reverse=True)]


def _short(patterns: Sequence[str]) -> str | list[str]:
    return patterns[0] if len(patterns) == 1 else list(patterns)
