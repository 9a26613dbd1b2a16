"""Scopes: what is surely reached and what might be, held to sample resources under both readings of wildcards."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam import scopes
from shared.iam.comparison import reach
from shared.iam.scopes import Scope
from tests.unit.compare_oracle import RESOURCE_PATTERNS, RESOURCES, reaches

PATTERNS = st.lists(st.sampled_from(RESOURCE_PATTERNS), min_size=1, max_size=3, unique=True).map(tuple)
SCOPES = PATTERNS.map(Scope) | PATTERNS.map(lambda patterns: Scope((), patterns))


def reached(scope: Scope, *, across: bool) -> set[str]:
    """Sample resources of a scope."""
    statement = {"Resource": scope.resources} if scope.resources else {"NotResource": scope.not_resources}
    return {resource for resource in RESOURCES if reaches(statement, resource, {}, across=across)}


@settings(deadline=None)
@given(SCOPES, SCOPES)
def test_what_covers_holds_all_and_what_cannot_overlap_shares_nothing(wide: Scope, narrow: Scope) -> None:
    for across in (True, False):
        if scopes.covers_scope(wide, narrow):
            assert reached(narrow, across=across) <= reached(wide, across=across)
        if not scopes.may_overlap(wide, narrow):
            assert not reached(narrow, across=across) & reached(wide, across=across)


@settings(deadline=None)
@given(PATTERNS, st.sampled_from(RESOURCES))
def test_a_resource_that_is_reached_might_be(patterns: tuple[str, ...], resource: str) -> None:
    scope = Scope(patterns)

    assert scopes.surely_reaches(scope, resource) <= scopes.might_reach(scope, resource)
    assert (resource in reached(scope, across=True)) <= scopes.might_reach(scope, resource)


@settings(deadline=None)
@given(st.sampled_from(RESOURCE_PATTERNS), st.sampled_from(RESOURCE_PATTERNS))
def test_patterns_are_compared_under_both_readings(wide: str, narrow: str) -> None:
    for across in (True, False):
        own, other = (reached(Scope((pattern,)), across=across) for pattern in (wide, narrow))
        assert not reach.pattern_covers(wide, narrow) or other <= own
        assert reach.may_share(wide, narrow) or not other & own
