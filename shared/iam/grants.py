"""What an identity holds: every grant of its policies within its boundary, minus what its Denies take away.

A Deny is never subtracted without looking at its condition and its resources: only an unconditional one takes anything
away, and only what it surely covers. Everything that is in doubt stays granted, so that a score never hides a
permission; whatever changes a policy proves itself with `compare` and `replay` instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from shared.iam import actions, globs, scopes
from shared.iam.catalogue import Catalogue
from shared.iam.policy import Effect, Statement, parse_document
from shared.iam.scopes import Scope
from shared.model.identity import IdentityDetail, Policy, PolicySource


class Grant(NamedTuple):
    """One action (lower-case) that one statement grants.

    `resources` are the ARN patterns reached, or empty where the statement has NotResource: then every resource outside
    `not_resources` is. `statement` is the statement's place in the document of `source`.
    """

    action: str
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditional: bool
    source: PolicySource
    statement: int


class Grants(NamedTuple):
    """Everything that an identity holds, by lower-case action, sorted.

    `unknown_patterns` are granted wildcards in which the catalogue knows no action (`newservice:*`): they grant
    something that can't be named, which is unknown and so never unused.
    """

    by_action: Mapping[str, tuple[Grant, ...]]
    unknown_patterns: tuple[str, ...]


_ByAction = dict[str, tuple[Grant, ...]]


class _Allowed(NamedTuple):
    """An Allow statement, and the actions it grants."""

    statement: Statement
    source: PolicySource
    keys: frozenset[str]


class _Rules(NamedTuple):
    """A set of policies that apply together: what they allow, and their unconditional Denies."""

    allows: tuple[_Allowed, ...]
    denies: tuple[Statement, ...]


def effective_grants(detail: IdentityDetail, catalogue: Catalogue) -> Grants:
    """Everything that an identity's policies grant it, with the source of each grant.

    Raises PolicyDocumentError where a policy can't be read: what it grants or denies would be unknown.
    """
    rules = _rules(detail.policies, catalogue)
    denies: Sequence[Statement] = rules.denies
    granted = _after_denies(_granted(rules.allows), denies, catalogue)
    unknown = [
        (pattern, allowed.statement)
        for allowed in rules.allows
        for pattern in actions.unknown_wildcards(allowed.statement, catalogue)
    ]
    if detail.boundary is not None:
        boundary = _rules([detail.boundary], catalogue, others=frozenset(granted))
        denies = (*denies, *boundary.denies)
        # Denies are taken from both sides before they meet: of two patterns that only overlap the wider one is kept,
        # and a Deny that covers the other would no longer be seen to cover it.
        limits = _after_denies(_granted(boundary.allows), denies, catalogue)
        granted = _within(_after_denies(granted, boundary.denies, catalogue), limits)
        unknown = [item for item in unknown if _may_allow(boundary.allows, item[0])]
    patterns = {pattern for pattern, statement in unknown if not _denied_pattern(pattern, statement, denies)}
    return Grants({key: granted[key] for key in catalogue.in_order(granted)}, tuple(sorted(patterns)))


def _rules(policies: Iterable[Policy], catalogue: Catalogue, others: frozenset[str] = frozenset()) -> _Rules:
    """Read policies; `others` are actions outside the catalogue that need an answer as well."""
    parsed = [(policy.source, statement) for policy in policies for statement in parse_document(policy.document)]
    unknown = others | actions.unknown_literals((statement for _, statement in parsed), catalogue)
    allows = tuple(
        _Allowed(statement, source, actions.expand(statement, catalogue, unknown))
        for source, statement in parsed
        if statement.effect is Effect.ALLOW
    )
    denies = tuple(
        statement for _, statement in parsed if statement.effect is Effect.DENY and not statement.conditional
    )
    return _Rules(allows, denies)


def _granted(allows: Iterable[_Allowed]) -> _ByAction:
    granted: _ByAction = {}
    for statement, source, keys in allows:
        if any(globs.is_everything(pattern) for pattern in statement.not_resources):
            continue  # NotResource "*" reaches nothing
        resources, not_resources = statement.resources, statement.not_resources
        conditional, index = statement.conditional, statement.index
        for key in keys:
            grant = Grant(key, resources, not_resources, conditional, source, index)
            others = granted.get(key)
            granted[key] = (*others, grant) if others else (grant,)
    return granted


def _after_denies(granted: _ByAction, denies: Iterable[Statement], catalogue: Catalogue) -> _ByAction:
    """Take away what unconditional Denies surely cover; each Deny only ever takes away."""
    remaining = dict(granted)
    for deny in denies:
        denied = actions.expand(deny, catalogue, remaining.keys()) & remaining.keys()
        for key in denied:
            left = () if scopes.reaches_everything(deny) else _limited(remaining[key], deny)
            if left:
                remaining[key] = left
            else:
                del remaining[key]
    return remaining


def _limited(grants: Iterable[Grant], deny: Statement) -> tuple[Grant, ...]:
    left: list[Grant] = []
    for grant in grants:
        if not grant.resources:
            left += [] if scopes.covers_scope(deny, grant) else [grant]
            continue
        kept = tuple(pattern for pattern in grant.resources if not scopes.covers_pattern(deny, pattern))
        if kept:
            left.append(grant if kept == grant.resources else grant._replace(resources=kept))
    return tuple(left)


def _within(granted: _ByAction, limits: _ByAction) -> _ByAction:
    """What a permissions boundary leaves: an action that it allows too, on the resources that both reach."""
    limited: _ByAction = {}
    for key, grants in granted.items():
        left: list[Grant] = []
        for grant in grants:
            for limit in _widest_first(limits.get(key, ())):
                narrowed = _intersect(grant, limit)
                if narrowed is not None and narrowed not in left:
                    left.append(narrowed)
                if narrowed == grant:
                    break  # nothing that another statement of the boundary could add
        if left:
            limited[key] = tuple(left)
    return limited


def _widest_first(limits: Iterable[Grant]) -> list[Grant]:
    return sorted(limits, key=lambda one: (one.conditional, not scopes.reaches_everything(one), one.statement))


def _intersect(grant: Grant, limit: Grant) -> Grant | None:
    """What a grant and one statement of the boundary both reach, or None.

    Where neither of two patterns covers the other but they may overlap, what both reach is kept as the one of them
    that names a single resource, else as the grant's own: the wider answer, so that a score never hides a permission.
    """
    narrowed = _intersect_scopes(grant, limit)
    if narrowed is None:
        return None
    return grant._replace(
        resources=narrowed.resources,
        not_resources=narrowed.not_resources,
        conditional=grant.conditional or limit.conditional,
    )


def _intersect_scopes(grant: Grant, limit: Grant) -> Scope | None:
    if not grant.resources and not limit.resources:
        return Scope((), tuple(dict.fromkeys((*grant.not_resources, *limit.not_resources))))
    if grant.resources and limit.resources:
        met = [_meet(own, other) for own in grant.resources for other in limit.resources]
        kept = tuple(dict.fromkeys(pattern for pattern in met if pattern is not None))
    else:
        inside, outside = (grant.resources, limit) if grant.resources else (limit.resources, grant)
        kept = tuple(pattern for pattern in inside if not _is_spared(pattern, outside.not_resources))
    return Scope(kept) if kept else None


def _meet(own: str, other: str) -> str | None:
    if scopes.pattern_covers(other, own):
        return own
    if scopes.pattern_covers(own, other):
        return other
    if not globs.overlaps(own, other):
        return None
    return own if globs.is_wild(other) else other


def _is_spared(pattern: str, not_resources: Iterable[str]) -> bool:
    return any(scopes.pattern_covers(spared, pattern) for spared in not_resources)


def _may_allow(allows: Iterable[_Allowed], pattern: str) -> bool:
    """Whether a boundary could allow some action of an unknown wildcard."""
    lowered = pattern.lower()
    return any(
        bool(allowed.statement.not_actions)
        or any(globs.overlaps(own.lower(), lowered) for own in allowed.statement.actions)
        for allowed in allows
    )


def _denied_pattern(pattern: str, statement: Statement, denies: Iterable[Statement]) -> bool:
    """Whether a Deny surely takes away every action of an unknown wildcard."""
    return any(
        actions.admits_pattern(deny, pattern.lower()) and scopes.covers_scope(deny, statement) for deny in denies
    )
