"""Conditions compiled into tests of a request context.

How many of a key's request values must match, and what holds where there are none:

| operator | holds where | without a value |
|---|---|---|
| positive, ForAnyValue | some value matches | false |
| negated | no value matches | true |
| ForAnyValue, negated | some value doesn't match | false |
| ForAllValues | every value matches (negated: none does) | true |
| any of them with IfExists | the same | true |
| Null | the key has no value (`true`), or one (`false`) | |

A key is without a value where it is absent or holds an empty list; for Null and the set operators also where it holds
nothing but an empty text (a "null data set" in the guide's words), which other operators compare like any text.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

from collections.abc import Callable, Sequence

from shared.iam.conditions.model import Condition, Operator, Quantifier
from shared.iam.conditions.operators import exact_values, value_test
from shared.iam.conditions.values import truth
from shared.iam.patterns.wildcards import Test
from shared.iam.request import Context

ContextTest = Callable[[Context], bool]

POSITIVE = {
    Operator.STRING_NOT_EQUALS: Operator.STRING_EQUALS,
    Operator.STRING_NOT_EQUALS_IGNORE_CASE: Operator.STRING_EQUALS_IGNORE_CASE,
    Operator.STRING_NOT_LIKE: Operator.STRING_LIKE,
    Operator.NUMERIC_NOT_EQUALS: Operator.NUMERIC_EQUALS,
    Operator.DATE_NOT_EQUALS: Operator.DATE_EQUALS,
    Operator.NOT_IP_ADDRESS: Operator.IP_ADDRESS,
    Operator.ARN_NOT_EQUALS: Operator.ARN_EQUALS,
    Operator.ARN_NOT_LIKE: Operator.ARN_LIKE,
}
"""The operator that each negated one negates."""

_EMPTY_TEXT = ("",)


def compile_conditions(conditions: Sequence[Condition]) -> ContextTest | None:
    """One test that holds where all conditions do; None where there is nothing to test."""
    return _all_of([compile_condition(condition) for condition in conditions]) if conditions else None


def _all_of(tests: Sequence[ContextTest]) -> ContextTest:
    """Halved again and again, since a loop costs more than the tests and a long chain would nest too deep."""
    if len(tests) == 1:
        return tests[0]
    middle = len(tests) // 2
    first, second = _all_of(tests[:middle]), _all_of(tests[middle:])
    return lambda context: first(context) and second(context)


def compile_condition(condition: Condition) -> ContextTest:
    """One test of a request context.

    >>> from shared.iam.conditions.model import parse_conditions
    >>> condition, = parse_conditions({"StringLike": {"s3:prefix": "home/*"}}, "$")
    >>> compile_condition(condition)({"s3:prefix": ("home/alice",)})
    True
    """
    key, values = condition.key, condition.values
    if condition.operator is Operator.NULL:
        return _null(key, values)
    positive = POSITIVE.get(condition.operator, condition.operator)
    matching = positive is condition.operator
    exact = exact_values(positive, values)
    if condition.quantifier is Quantifier.ALL or (condition.quantifier is None and not matching):
        every = (
            _every(key, value_test(positive, values), passes=matching)
            if exact is None
            else _every_of(key, exact, passes=matching)
        )
        return _or_empty_text(key, every) if condition.quantifier is Quantifier.ALL else every
    some = (
        _some(key, value_test(positive, values), passes=matching, absent=condition.if_exists)
        if exact is None
        else _some_of(key, exact, passes=matching, absent=condition.if_exists)
    )
    if condition.quantifier is None or condition.if_exists:
        return _or_empty_text(key, some) if condition.quantifier is Quantifier.ANY else some
    return _but_not_empty_text(key, some)


def _every(key: str, test: Test, *, passes: bool) -> ContextTest:
    """Every value's test has this result, also where there is no value."""

    def holds(context: Context) -> bool:
        values = context.get(key, ())
        if len(values) == 1:
            return test(values[0], context) is passes
        return all(test(value, context) is passes for value in values)

    return holds


def _some(key: str, test: Test, *, passes: bool, absent: bool) -> ContextTest:
    """Some value's test has this result, or there is no value and `absent` holds."""

    def holds(context: Context) -> bool:
        values = context.get(key)
        if not values:
            return absent
        if len(values) == 1:
            return test(values[0], context) is passes
        return any(test(value, context) is passes for value in values)

    return holds


def _every_of(key: str, exact: frozenset[str], *, passes: bool) -> ContextTest:
    """The same where the values that match are listed: a set operation does it."""
    within = exact.issuperset if passes else exact.isdisjoint
    return lambda context: within(context.get(key, ()))


def _some_of(key: str, exact: frozenset[str], *, passes: bool, absent: bool) -> ContextTest:
    outside = exact.isdisjoint if passes else exact.issuperset
    if absent:
        return lambda context: not (values := context.get(key)) or not outside(values)
    return lambda context: not outside(context.get(key, ()))


def _or_empty_text(key: str, test: ContextTest) -> ContextTest:
    return lambda context: context.get(key) == _EMPTY_TEXT or test(context)


def _but_not_empty_text(key: str, test: ContextTest) -> ContextTest:
    return lambda context: context.get(key) != _EMPTY_TEXT and test(context)


def _null(key: str, values: Sequence[str]) -> ContextTest:
    wanted = {truth(value) for value in values}

    def holds(context: Context) -> bool:
        found = context.get(key)
        return (not found or found == _EMPTY_TEXT) in wanted

    return holds
