"""What an identity holds: what its policies allow within its boundary and its organization's policies, minus Denies.

Exact: a request is allowed if and only if some grant covers it (`Grant` says what that means). What can be settled
without a request is settled here: a Deny that surely covers a grant's actions or resources takes them away, a boundary
narrows the resources. What can't (a Deny under a condition, two patterns that only overlap) stays with the grant as
`unless` and `within`, so that whoever counts permissions never misses one, and whoever tests a request is never wrong.

Source: IAM user guide, "Policy evaluation for requests within a single account".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.iam import actions, scopes
from shared.iam.actions import NO_ACTIONS, NOTHING_ELSE, ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.conditions.model import Condition
from shared.iam.intersect import intersect
from shared.iam.patterns import globs
from shared.iam.permissions import Permission, read_permissions
from shared.iam.policy import Effect, Statement
from shared.iam.scopes import Scope, Scoped
from shared.model.sources import PolicyKind, PolicySource

if TYPE_CHECKING:
    from shared.model.identity import IdentityDetail

SERVICE_LINKED_ROLE = "role/aws-service-role/"
_ORGANIZATION = PolicySource(PolicyKind.MANAGED, "service control policy")
_Layer = Sequence[tuple[PolicySource, Sequence[Permission]]]  # documents that allow together, with their sources


class Grant(NamedTuple):
    """What one Allow statement grants, after all that limits it.

    It covers a request if: the action is in `actions`; the resource is reached by `resources`, or by not being in
    `not_resources` where there are none, and lies in each scope of `within`; every one of `conditions` (the statement's
    own and those of the boundary and organization statements that it passes) holds; and no Deny of `unless` applies.
    `statement` is the statement's place in the document of `source`.
    """

    actions: ActionSet
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    within: tuple[Scope, ...]
    unless: tuple[Statement, ...]
    source: PolicySource
    statement: int

    @property
    def conditional(self) -> bool:
        """Whether it grants only under conditions; Denies that may apply are not counted as such."""
        return bool(self.conditions)


class ActionClass(NamedTuple):
    """Actions that the same grants grant."""

    actions: ActionSet
    grants: tuple[Grant, ...]


class Grants:
    """Everything that an identity holds.

    `unknown_patterns` are granted wildcards in which the catalogue knows no action (`newservice:*`): they grant
    something that can't be named, which is unknown and so never unused.
    """

    def __init__(self, grants: tuple[Grant, ...], unknown_patterns: tuple[str, ...], catalogue: Catalogue) -> None:
        self.grants = grants
        self.unknown_patterns = unknown_patterns
        self.catalogue = catalogue

    @cached_property
    def actions(self) -> ActionSet:
        """Every granted action."""
        granted = NO_ACTIONS
        for grant in self.grants:
            granted |= grant.actions
        return granted

    @cached_property
    def classes(self) -> tuple[ActionClass, ...]:
        """The granted actions, parted so that each part has one list of grants: there are few such parts."""
        parts: list[ActionClass] = []
        seen = NO_ACTIONS
        for grant in self.grants:
            new = grant.actions - seen
            if new != grant.actions:
                parts = [piece for part in parts for piece in _parted(part, grant)]
            if new:
                parts.append(ActionClass(new, (grant,)))
                seen |= new
        return tuple(parts)

    @cached_property
    def by_action(self) -> Mapping[str, tuple[Grant, ...]]:
        """The grants of every granted action, by lower-case action, sorted."""
        found: dict[str, tuple[Grant, ...]] = {}
        for part in self.classes:
            found |= dict.fromkeys(part.actions.keys(self.catalogue), part.grants)
        return {key: found[key] for key in sorted(self.actions.keys(self.catalogue))}


def _parted(part: ActionClass, grant: Grant) -> tuple[ActionClass, ...]:
    """A class of actions, parted into those that one more grant grants too, and the others."""
    shared = part.actions & grant.actions
    if not shared:
        return (part,)
    left = part.actions - shared
    both = ActionClass(shared, (*part.grants, grant))
    return (both, ActionClass(left, part.grants)) if left else (both,)


def effective_grants(
    detail: "IdentityDetail",
    catalogue: Catalogue,
    service_control_policies: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    others: frozenset[str] = NOTHING_ELSE,
) -> Grants:
    """Everything that an identity's policies grant it, with the source of each grant.

    `service_control_policies` are the documents in force at each level of the organization, root first, or None for an
    account in no organization; every level must allow, and none limits a service-linked role. The answer is about the
    actions of the catalogue, those that the identity's own Allows name, and `others` (lower-case): a wildcard may admit
    more. What a Deny or a boundary names doesn't count, so that neither ever adds a grant.

    Raises PolicyDocumentError where a policy can't be read: what it grants or denies would be unknown.
    """
    own = [(policy.source, read_permissions(policy.document, catalogue)) for policy in detail.policies]
    layers: list[_Layer] = [
        [(policy.source, read_permissions(policy.document, catalogue))] for policy in (detail.boundary,) if policy
    ]
    layers += [
        [(_ORGANIZATION, read_permissions(document, catalogue)) for document in level]
        for level in (() if _is_service_linked(detail) else service_control_policies or ())
    ]
    everything = [one for layer in (own, *layers) for _, permissions in layer for one in permissions]
    named = others.union(*(one.literals for one in _allows(own)))
    universe = frozenset(key for key in named if key not in catalogue)
    denies = [_Denial(one.statement, one.action_set(universe)) for one in everything if one.effect is Effect.DENY]
    # Denies are taken from every side before the sides meet: of two patterns that only overlap the wider one is kept,
    # and a Deny that covers the other would no longer be seen to cover it.
    granted = _allowed(own, denies, universe)
    for layer in layers:
        granted = _within(granted, _allowed(layer, denies, universe))
    return Grants(_with_exceptions(granted, denies), _unknown_patterns(own, layers, denies), catalogue)


def _is_service_linked(detail: "IdentityDetail") -> bool:
    return detail.ref.arn.split(":", 5)[5].startswith(SERVICE_LINKED_ROLE)


class _Denial(NamedTuple):
    """A Deny statement and the actions that it denies."""

    statement: Statement
    actions: ActionSet


def _allowed(layer: _Layer, denies: Iterable[_Denial], universe: frozenset[str]) -> list[Grant]:
    """What Allow statements grant by themselves, without what unconditional Denies surely cover."""
    granted: list[Grant] = []
    certain = [deny for deny in denies if not deny.statement.conditional]
    for source, permission in ((source, one) for source, permissions in layer for one in permissions):
        allow = permission.statement
        if allow.effect is Effect.DENY or any(map(globs.is_everything, allow.not_resources)):
            continue  # NotResource "*" reaches nothing
        grant = Grant(
            actions=permission.action_set(universe),
            resources=allow.resources,
            not_resources=allow.not_resources,
            conditions=allow.conditions,
            within=(),
            unless=(),
            source=source,
            statement=allow.place,
        )
        granted += _after_denies(grant, certain)
    return granted


def _after_denies(grant: Grant, denies: Sequence[_Denial]) -> list[Grant]:
    """What is left of a grant: the actions that are left, by the resource patterns that are left for them."""
    if not grant.actions or not denies:
        return [grant] if grant.actions else []
    left = {grant.resources: grant.actions}
    for deny in denies:
        before, left = left, {}
        for resources, kept in before.items():
            denied = kept & deny.actions
            limited = _without(grant._replace(resources=resources), deny.statement) if denied else resources
            for patterns, some in ((resources, kept - denied), (limited, denied)):
                if some and patterns is not None:
                    left[patterns] = left.get(patterns, NO_ACTIONS) | some
    return [grant._replace(actions=kept, resources=resources) for resources, kept in left.items()]


def _without(grant: Grant, deny: Statement) -> tuple[str, ...] | None:
    """Resource patterns of a grant that a Deny does not surely cover, or None if it covers the whole grant."""
    if scopes.reaches_everything(deny):
        return None
    if not grant.resources:
        return None if scopes.covers_scope(deny, grant) else grant.resources
    return tuple(pattern for pattern in grant.resources if not scopes.covers_pattern(deny, pattern)) or None


def _within(granted: Iterable[Grant], limits: Sequence[Grant]) -> list[Grant]:
    """What a boundary, or one level of an organization, leaves of what is granted."""
    widest_first = sorted(limits, key=lambda one: (one.conditional, not scopes.reaches_everything(one), one.statement))
    merged: dict[Grant, ActionSet] = {}
    for grant in granted:
        rest = grant.actions
        for limit in widest_first:
            shared = rest & limit.actions
            narrowed = _intersect(grant, limit) if shared else None
            if narrowed is None:
                continue
            if narrowed == grant:
                rest -= shared  # nothing that another statement of the layer could add
            key = narrowed._replace(actions=NO_ACTIONS)
            merged[key] = merged.get(key, NO_ACTIONS) | shared
    return [grant._replace(actions=kept) for grant, kept in merged.items()]


def _intersect(grant: Grant, limit: Grant) -> Grant | None:
    """The resources and conditions that a grant and one statement of a layer share, or None."""
    near = _near(limit, grant.within)
    shared = intersect(grant, near) if near else None
    if near is None or shared is None:
        return None
    scope, exact = shared
    overlapping = () if exact else tuple(filter(None, (_near(grant, [near]), _near(near, [_scope(grant)]))))
    return grant._replace(
        resources=scope.resources,
        not_resources=scope.not_resources,
        conditions=tuple(dict.fromkeys((*grant.conditions, *limit.conditions))),
        within=tuple(dict.fromkeys((*grant.within, *overlapping))),
    )


def _scope(scoped: Scoped) -> Scope:
    return Scope(scoped.resources, scoped.not_resources)


def _near(limit: Scoped, within: Sequence[Scope]) -> Scope | None:
    """A scope without the patterns that share nothing with where a grant must lie anyway.

    None where nothing is left. Pattern by pattern, so that it doesn't matter how statements are split.
    """

    def meets(scope: Scope) -> bool:
        return all(intersect(scope, one) is not None for one in within)

    if not limit.resources:
        scope = Scope((), limit.not_resources)
        return scope if meets(scope) else None
    left = tuple(pattern for pattern in limit.resources if meets(Scope((pattern,))))
    return Scope(left) if left else None


def _with_exceptions(granted: Iterable[Grant], denies: Sequence[_Denial]) -> tuple[Grant, ...]:
    """Give each grant the Denies that could still apply to it."""
    if not denies:
        return tuple(granted)
    return tuple(
        grant._replace(
            unless=tuple(
                deny.statement
                for deny in denies
                if deny.actions & grant.actions and scopes.may_overlap(deny.statement, grant)
            )
        )
        for grant in granted
    )


def _unknown_patterns(own: _Layer, layers: Iterable[_Layer], denies: Sequence[_Denial]) -> tuple[str, ...]:
    """Wildcards in which the catalogue knows no action, unless they are surely denied or outside of a layer."""
    found = {
        pattern
        for one in _allows(own)
        for pattern in one.wildcards
        if not any(_denies_pattern(deny.statement, pattern, one.statement) for deny in denies)
    }
    return tuple(sorted(pattern for pattern in found if all(_may_allow(layer, pattern) for layer in layers)))


def _allows(layer: _Layer) -> Iterator[Permission]:
    return (one for _, permissions in layer for one in permissions if one.effect is Effect.ALLOW)


def _may_allow(layer: _Layer, pattern: str) -> bool:
    """Whether a layer could allow some action of an unknown wildcard."""
    return any(
        one.statement.not_actions or actions.may_share(one.statement.actions, pattern.lower()) for one in _allows(layer)
    )


def _denies_pattern(deny: Statement, pattern: str, allow: Statement) -> bool:
    return not deny.conditional and actions.admits_pattern(deny, pattern.lower()) and scopes.covers_scope(deny, allow)
