"""Which resources a statement or a grant reaches: sets of ARN patterns, and the questions asked of them.

A scope is (patterns, excluded): every resource of `patterns` where there are any, else every resource outside
`excluded` (NotResource). A statement with neither (trust policies) reaches only the resource that it is attached to,
which no question here is asked of.

IAM's documentation leaves open how far a wildcard in the head of an ARN ranges. What is said to be sure here holds
under both readings, as in the comparison, so that nothing rests on the choice.

Source: IAM user guide, "IAM JSON policy elements: Resource".
"""

from typing import NamedTuple, Protocol

from shared.iam.comparison.reach import may_share, pattern_covers
from shared.iam.patterns import globs


class Scoped(Protocol):
    """What reaches resources: a statement or a grant."""

    @property
    def resources(self) -> tuple[str, ...]:
        """Patterns reached."""

    @property
    def not_resources(self) -> tuple[str, ...]:
        """Patterns of a NotResource."""


class Scope(NamedTuple):
    """A set of resources by itself."""

    resources: tuple[str, ...]
    not_resources: tuple[str, ...] = ()


def reaches_everything(scope: Scoped) -> bool:
    """Whether every resource is reached."""
    return any(globs.is_everything(pattern) for pattern in scope.resources)


def covers_pattern(scope: Scoped, pattern: str) -> bool:
    """Whether every resource of one pattern is surely reached."""
    if scope.resources:
        return any(pattern_covers(own, pattern) for own in scope.resources)
    return bool(scope.not_resources) and not any(may_share(spared, pattern) for spared in scope.not_resources)


def covers_scope(wide: Scoped, narrow: Scoped) -> bool:
    """Whether every resource of `narrow` is surely reached by `wide`; each pattern must lie within one pattern."""
    if narrow.resources:
        return all(covers_pattern(wide, pattern) for pattern in narrow.resources)
    if reaches_everything(wide):
        return True
    if not wide.not_resources:
        return False
    return all(any(pattern_covers(out, spared) for out in narrow.not_resources) for spared in wide.not_resources)


def may_overlap(one: Scoped, other: Scoped) -> bool:
    """Whether some resource could be reached by both; false only where that is sure."""
    if one.resources and other.resources:
        return any(may_share(left, right) for left in one.resources for right in other.resources)
    for inside, outside in ((one, other), (other, one)):
        if inside.resources and outside.not_resources:
            return any(
                not any(pattern_covers(spared, pattern) for spared in outside.not_resources)
                for pattern in inside.resources
            )
    return True


def surely_reaches(scope: Scoped, resource: str) -> bool:
    """Whether one concrete resource is reached, whatever the policy variables are."""
    if scope.resources:
        return any(globs.matches(pattern, resource) for pattern in scope.resources)
    return bool(scope.not_resources) and not any(globs.might_match(out, resource) for out in scope.not_resources)


def might_reach(scope: Scoped, resource: str) -> bool:
    """Whether one concrete resource could be reached, depending on policy variables."""
    if scope.resources:
        return any(globs.might_match(pattern, resource) for pattern in scope.resources)
    return not any(globs.matches(pattern, resource) for pattern in scope.not_resources)
