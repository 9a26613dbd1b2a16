"""Whether a context exists: held to every context of small worlds, and to the conditions themselves."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.comparison.contexts import find, implies
from shared.iam.comparison.possible import outcomes
from shared.iam.comparison.representatives import Grade
from shared.iam.conditions.matching import compile_conditions
from shared.iam.conditions.model import Condition, parse_conditions
from shared.iam.patterns.language import Budget
from tests.unit.compare_oracle import WORLDS, Test, World, holds

STEPS = 10**6
WORLD = st.sampled_from(WORLDS)
Tests = list[Test]


def block(tests: Tests) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for operator, key, values in tests:
        found.setdefault(operator, {})[key] = list(values)
    return found


def parsed(tests: Tests) -> tuple[Condition, ...]:
    return parse_conditions(block(tests), "$")


@st.composite
def statements(draw: st.DrawFn) -> tuple[World, list[Tests], list[Tests]]:
    """Conditions of statements that shall apply, and of statements that shall not."""
    world = draw(WORLD)
    conditions = st.lists(st.sampled_from(world.tests), min_size=1, max_size=3)
    return world, draw(st.lists(conditions, max_size=2)), draw(st.lists(conditions, max_size=3))


@settings(deadline=None, max_examples=400)
@given(statements())
def test_a_context_is_found_where_there_is_one(drawn: tuple[World, list[Tests], list[Tests]]) -> None:
    world, applying, failing = drawn
    found = find(list(map(parsed, applying)), list(map(parsed, failing)), Budget(STEPS))

    if found is None:
        for context in world.contexts():
            assert not all(holds({"Condition": block(tests)}, context) for tests in applying) or any(
                holds({"Condition": block(tests)}, context) for tests in failing
            )
    elif found.grade is not Grade.UNDECIDED:
        context = {key: values for key, values in found.values.items() if values is not None}
        compiled = [(compile_conditions(parsed(tests)), True) for tests in applying]
        compiled += [(compile_conditions(parsed(tests)), False) for tests in failing]
        assert all(test is not None and test(context) is wanted for test, wanted in compiled)


@pytest.mark.parametrize(
    ("key", "operator", "values", "count"),
    [
        ("aws:PrincipalTag/x", "StringEquals", ["a", "b"], 2),
        ("aws:SecureTransport", "Bool", ["true"], 2),
        ("aws:SourceIp", "IpAddress", ["10.0.0.0/8", "2001:db8::/32"], 2),
        ("aws:CurrentTime", "DateLessThan", ["2020-01-01"], 2),
        ("aws:TagKeys", "ForAllValues:StringLike", ["a*"], 2),
    ],
)
def test_one_test_comes_out_either_way(key: str, operator: str, values: list[str], count: int) -> None:
    tests = parse_conditions({operator: {key: values}}, "$")
    found = outcomes(key.lower(), tests)

    assert found is not None
    assert [one.holding for one in found.found if one.grade is Grade.SURE].count(1) == 1
    assert len(found.found) == count


def test_keys_that_may_hold_one_value_only_leave_a_doubt() -> None:
    wide, narrow = (
        parse_conditions({name: {"s3:prefix": value}}, "$")
        for name, value in (("StringNotEquals", "b"), ("StringEquals", "a"))
    )
    found = find([narrow], [wide], Budget(STEPS))

    assert found is not None
    assert (found.grade, found.doubtful) == (Grade.DOUBTFUL, ("s3:prefix",))
    assert not implies(narrow, wide, Budget(STEPS))


def test_too_many_outcomes_are_not_listed() -> None:
    tests = tuple(
        test
        for letter in "abcdefghijklmnopqrst"
        for test in parse_conditions({"ForAnyValue:StringLike": {"aws:TagKeys": f"*{letter}*"}}, "$")
    )

    assert outcomes("aws:tagkeys", tests) is None
