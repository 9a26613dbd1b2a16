"""A just-enough (JEP) policy: the statements that an identity has, each narrowed to the actions it keeps.

Derivation, not invention: every Allow statement of the result is an existing one with fewer actions, the same
resources and the same conditions, and every Deny stays as it is. So the result can't grant anything new, which
`compare` then proves again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import InputError
from shared.iam import actions
from shared.iam.actions import NO_ACTIONS, ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.minimise import minimise
from shared.iam.patterns import globs
from shared.iam.policy import VERSION, Effect, Statement, canonical_condition, parse_document
from shared.iam.sizes import MAX_MANAGED_POLICY, compact, policy_size

if TYPE_CHECKING:
    from shared.model.identity import Policy

DENY_EVERYTHING: Mapping[str, Any] = {"Effect": "Deny", "Action": "*", "Resource": "*"}


@dataclass(slots=True)
class _Merged:
    """Allow statements with the same resources and conditions, and what is kept of them together."""

    statements: list[Statement]
    kept: ActionSet
    verbatim: set[str]


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
    statements = [statement for policy in policies for statement in parse_document(policy.document)]
    if any(statement.principal is not None for statement in statements):
        raise InputError("a statement with a Principal belongs to no identity policy")
    merged = _merge(statements, frozenset(key.lower() for key in keep), catalogue)
    if not merged and deny_everything_if_empty:
        return {"Version": VERSION, "Statement": [dict(DENY_EVERYTHING)]}
    if not merged:
        raise InputError("nothing left to allow")
    readable = _document(merged, statements, catalogue, whole_words=True)
    if policy_size(readable) <= limit:
        return readable
    return _document(merged, statements, catalogue, whole_words=False)


def _document(
    merged: Iterable[_Merged], statements: Iterable[Statement], catalogue: Catalogue, *, whole_words: bool
) -> dict[str, Any]:
    allows = sorted((_render(one, catalogue, whole_words=whole_words) for one in merged), key=compact)
    return {"Version": VERSION, "Statement": [*allows, *_denies(statements)]}


def _merge(statements: Iterable[Statement], keep: frozenset[str], catalogue: Catalogue) -> list[_Merged]:
    allows = [statement for statement in statements if statement.effect is Effect.ALLOW]
    unknown = actions.unknown_literals((allow for allow in allows if allow.actions), catalogue)
    unknown |= frozenset(key for key in keep if key not in catalogue)
    wanted = ActionSet(catalogue.mask_of_keys(keep), unknown)
    merged: dict[tuple[Any, ...], _Merged] = {}
    for statement in allows:
        verbatim = set(actions.unknown_wildcards(statement, catalogue))
        kept = actions.action_set(statement, catalogue, unknown) & wanted
        if not kept and not verbatim:
            continue
        scope = (
            tuple(sorted(statement.resources)),
            tuple(sorted(statement.not_resources)),
            canonical_condition(statement.condition),
        )
        same = merged.setdefault(scope, _Merged([], NO_ACTIONS, set()))
        same.statements.append(statement)
        same.kept |= kept
        same.verbatim |= verbatim
    return list(merged.values())


def _render(merged: _Merged, catalogue: Catalogue, *, whole_words: bool) -> dict[str, Any]:
    """One Allow statement, with the fewest characters that the old statements' own patterns cover."""
    written = _patterns(merged, catalogue, whole_words=whole_words)
    first = min(merged.statements, key=lambda statement: compact(statement.render()))
    values = {"Resource": sorted(first.resources), "NotResource": sorted(first.not_resources)}
    document: dict[str, Any] = {"Effect": Effect.ALLOW.value, "Action": _short(written)}
    document |= {key: _short(patterns) for key, patterns in values.items() if patterns}
    return document | ({"Condition": dict(first.condition)} if first.condition is not None else {})


def _patterns(merged: _Merged, catalogue: Catalogue, *, whole_words: bool) -> list[str]:
    """The kept actions as patterns; the old patterns themselves where nothing was removed and they are shorter."""

    def bound(pattern: str) -> bool:
        return any(actions.admits_pattern(statement, pattern) for statement in merged.statements)

    wildcards = [pattern.lower() for pattern in merged.verbatim]
    keys = merged.kept.keys(catalogue)
    kept = {key for key in keys if not any(globs.matches(pattern, key) for pattern in wildcards)}
    old = sorted({pattern for statement in merged.statements for pattern in statement.actions})
    spelling = {pattern.lower(): pattern for pattern in old if pattern not in catalogue}
    minimised = minimise(kept, catalogue, bound, whole_words=whole_words)
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
