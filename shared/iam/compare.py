"""Does a new set of policies grant anything that an old one didn't? A proof, a counterexample, or "not proven".

Sound above all: `no_new_access` is said only where every Allow of the new policies lies, per action and resource
pattern, within an Allow of the old ones under the same conditions or none, and where every old Deny that could matter
is repeated. Actions range over the catalogue, every literal and wildcard of both sides, and the actions that AWS may
add: a wildcard is only covered by a pattern that admits whatever it admits. Some comparisons that hold are not proven:
resources that only several old patterns cover together, conditions that imply one another, Denies split in another way.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from shared.iam import actions, globs, scopes
from shared.iam.catalogue import Catalogue
from shared.iam.policy import Effect, Statement, canonical_condition, parse_document
from shared.iam.scopes import Scope
from shared.model.plan import ProofVerdict

EXAMPLE = "leastwise-example"
MAX_EXAMPLES = 50  # actions, and resources, to try as a counterexample


class Counterexample(NamedTuple):
    """A request that the new policies allow and the old ones don't; `action` is in canonical spelling."""

    action: str
    resource: str


class Comparison(NamedTuple):
    """Outcome of a comparison; whatever acts on it treats everything but `no_new_access` as no."""

    verdict: ProofVerdict
    reason: str
    counterexample: Counterexample | None = None


class _Side(NamedTuple):
    """The statements of one set of policies."""

    allows: tuple[Statement, ...]
    denies: tuple[Statement, ...]


class _Gap(NamedTuple):
    """Something that was not covered: actions to try as counterexamples, the scope, and why."""

    keys: tuple[str, ...]
    scope: Scope
    reason: str


def compare(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> Comparison:
    """Compare the policies `new` of an identity with its policies `old`; each is a sequence of documents.

    Raises PolicyDocumentError on an unreadable document of either side.
    """
    before, after = _side(old), _side(new)
    unknown = _unknown_actions((*before.allows, *before.denies, *after.allows, *after.denies), catalogue)
    gaps = list(_gaps(before, after, catalogue, unknown))
    if not gaps:
        return Comparison(ProofVerdict.NO_NEW_ACCESS, "every allow of the new policies lies within the old ones")
    for gap in gaps:
        for example in _examples(gap, before, catalogue):
            if _plainly_allows(after, example) and not _may_allow(before, example):
                return Comparison(ProofVerdict.NEW_ACCESS, gap.reason, example)
    return Comparison(ProofVerdict.NOT_PROVEN, gaps[0].reason)


def same_or_weaker_condition(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` surely applies where `narrow` does: no condition at all or the same one, for the same callers."""
    if _principal(wide) != _principal(narrow):
        return False
    return wide.condition is None or canonical_condition(wide.condition) == canonical_condition(narrow.condition)


def covers_statement(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` surely matches every request that `narrow` matches (whatever their effects)."""
    return (
        same_or_weaker_condition(wide, narrow)
        and actions.covers_actions(wide, narrow)
        and scopes.covers_scope(wide, narrow)
    )


def _principal(statement: Statement) -> str:
    return repr(sorted((statement.principal or {}).items()))


def _side(documents: Iterable[Mapping[str, Any]]) -> _Side:
    statements = [statement for document in documents for statement in parse_document(document)]
    return _Side(
        tuple(statement for statement in statements if statement.effect is Effect.ALLOW),
        tuple(statement for statement in statements if statement.effect is Effect.DENY),
    )


def _unknown_actions(statements: Iterable[Statement], catalogue: Catalogue) -> frozenset[str]:
    """Actions outside the catalogue that an answer is needed for: literals, and one made up for every wildcard."""
    listed = list(statements)
    made_up = {
        pattern.lower().replace("*", EXAMPLE).replace("?", "x")
        for statement in listed
        for pattern in (*statement.actions, *statement.not_actions)
        if globs.is_wild(pattern) and not globs.is_everything(pattern)
    }
    return (actions.unknown_literals(listed, catalogue) | made_up | {f"{EXAMPLE}:{EXAMPLE}"}) - catalogue.keys


def _gaps(before: _Side, after: _Side, catalogue: Catalogue, unknown: frozenset[str]) -> Iterable[_Gap]:
    expanded = [(allow, actions.expand(allow, catalogue, unknown)) for allow in before.allows]
    for allow in after.allows:
        keys = actions.expand(allow, catalogue, unknown)
        usable = [(one, admitted) for one, admitted in expanded if same_or_weaker_condition(one, allow)]
        for scope in _parts(allow):
            yield from _uncovered(allow, keys, scope, usable)
        for deny in before.denies:
            denied = keys & actions.expand(deny, catalogue, unknown)
            if _could_matter(deny, allow, denied) and not any(covers_statement(one, deny) for one in after.denies):
                scope = Scope(deny.resources, deny.not_resources)
                yield _Gap(_ordered(denied), scope, "a deny of the old policies is missing from the new ones")


def _parts(statement: Statement) -> list[Scope]:
    """A statement's resources one pattern at a time; a NotResource is one part."""
    if statement.resources:
        return [Scope((pattern,)) for pattern in statement.resources]
    return [Scope((), statement.not_resources)]


def _uncovered(
    allow: Statement, keys: frozenset[str], scope: Scope, old: Sequence[tuple[Statement, frozenset[str]]]
) -> Iterable[_Gap]:
    """What the old Allows that reach all of `scope` don't admit of a new Allow's actions, known and future."""
    reaching = [(one, admitted) for one, admitted in old if scopes.covers_scope(one, scope)]
    missing = keys.difference(*(admitted for _, admitted in reaching))
    if missing:
        yield _Gap(_ordered(missing), scope, f"not within the old policies: {min(missing)} on {_spelled(scope)}")
        return
    for pattern in _open_patterns(allow):
        if not any(actions.admits_pattern(one, pattern) for one, _ in reaching):
            yield _Gap((), scope, f"actions that AWS may add to {pattern!r} are not surely within the old policies")
    if allow.not_actions and not any(actions.covers_actions(one, allow) for one, _ in reaching):
        yield _Gap((), scope, "actions that AWS may add outside NotAction are not surely within the old policies")


def _open_patterns(allow: Statement) -> list[str]:
    return [pattern.lower() for pattern in allow.actions if globs.is_wild(pattern)]


def _could_matter(deny: Statement, allow: Statement, denied: frozenset[str]) -> bool:
    """Whether an old Deny could have denied something that a new Allow allows."""
    if not scopes.may_overlap(deny, allow):
        return False
    if denied or (deny.not_actions and allow.not_actions):
        return True
    if deny.actions and allow.actions:
        return any(actions.may_share(deny.actions, pattern.lower()) for pattern in allow.actions)
    listed, spared = (deny.actions, allow.not_actions) if deny.actions else (allow.actions, deny.not_actions)
    return any(not any(globs.covers(out.lower(), one.lower()) for out in spared) for one in listed)


def _ordered(keys: Iterable[str]) -> tuple[str, ...]:
    """Known-looking actions first, so that a counterexample is one that people recognise."""
    return tuple(sorted(keys, key=lambda key: (EXAMPLE in key, key)))[:MAX_EXAMPLES]


def _spelled(scope: Scope) -> str:
    return ", ".join(scope.resources) or f"everything but {', '.join(scope.not_resources)}"


def _examples(gap: _Gap, before: _Side, catalogue: Catalogue) -> Iterable[Counterexample]:
    """Requests that may show a gap: on the gap's own resources, and on those that the old policies leave out."""
    left_out = [pattern for allow in before.allows for pattern in allow.not_resources]
    left_out += [pattern for deny in before.denies for pattern in deny.resources]
    patterns = [*(gap.scope.resources or ("*",)), *dict.fromkeys(left_out)][:MAX_EXAMPLES]
    for key in gap.keys:
        for pattern in patterns:
            if not globs.has_variable(pattern):
                yield Counterexample(catalogue.name(key), _example_resource(pattern, key.partition(":")[0]))


def _example_resource(pattern: str, service: str) -> str:
    if globs.is_everything(pattern):
        return f"arn:aws:{service}:us-east-1:111122223333:{EXAMPLE}"
    return pattern.replace("*", EXAMPLE).replace("?", "x")


def _plainly_allows(side: _Side, request: Counterexample) -> bool:
    """Whether a side surely allows a request in any context: by an unconditional Allow, with no Deny in reach."""
    action = request.action.lower()
    allowed = any(
        allow.condition is None
        and allow.principal is None
        and actions.admits(allow, action)
        and scopes.surely_reaches(allow, request.resource)
        for allow in side.allows
    )
    return allowed and not any(
        actions.admits(deny, action) and scopes.might_reach(deny, request.resource) for deny in side.denies
    )


def _may_allow(side: _Side, request: Counterexample) -> bool:
    """Whether a side could allow a request in some context."""
    action = request.action.lower()
    if any(
        deny.condition is None
        and deny.principal is None
        and actions.admits(deny, action)
        and scopes.surely_reaches(deny, request.resource)
        for deny in side.denies
    ):
        return False
    return any(actions.admits(allow, action) and scopes.might_reach(allow, request.resource) for allow in side.allows)
