"""Laws of condition operators, set operators and IfExists, and a slow evaluator to agree with."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.iam.conditions.matching import compile_condition, compile_conditions
from shared.iam.conditions.model import Condition, Operator, Quantifier
from shared.iam.request import Context
from tests.unit import condition_oracle

TEXTS = ("", "a", "A", "ab", "a*", "*", "?", "a?", "[a]")
NUMBERS = ("0", "-0", "1", "1.0", "10", "9", "1e1", "-1", "0.1", "9007199254740993", "9007199254740992", "x", "")
DATES = (
    "2020-01-01",
    "2020-01-01T00:00:00Z",
    "2020-01-01T01:00:00+01:00",
    "2019-12-31T23:59:59.5Z",
    "2020-01-01T00:00Z",
    "1577836800",
    "1577836801",
    "2020-02-30",
    "soon",
)
ADDRESSES = ("10.0.0.1", "10.0.0.0/8", "10.1.2.3/8", "10.0.0.1/32", "0.0.0.0/0", "11.0.0.1", "::1", "::/0", "1.2.3", "")
ARNS = (
    "arn:aws:s3:::a",
    "arn:aws:s3:::*",
    "arn:*:s3:::a",
    "arn:aws:s3:::a:b",
    "arn:aws:s3:*:a",
    "a",
    "*",
    "x:aws:s3:::a",
)
POOLS = {
    "String": TEXTS,
    "Numeric": NUMBERS,
    "Date": DATES,
    "Bool": ("true", "TRUE", "false", "yes", ""),
    "Binary": ("YQ==", "YQ=", "Yg==", "YR==", ""),
    "Ip": ADDRESSES,
    "NotIp": ADDRESSES,
    "Arn": ARNS,
    "Null": ("true", "false", "TRUE"),
}


def pool(operator: Operator) -> tuple[str, ...]:
    return next(values for start, values in POOLS.items() if operator.value.startswith(start))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    operator = draw(st.sampled_from(Operator))
    values = draw(st.lists(st.sampled_from(pool(operator)), max_size=3, unique=True))
    if_exists = operator is not Operator.NULL and draw(st.booleans())
    return Condition(operator, "x:key", tuple(values), draw(st.sampled_from([None, *Quantifier])), if_exists)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Condition, tuple[str, ...]]:
    """A condition and at least one request value of its kind."""
    condition = draw(conditions())
    values = st.lists(st.sampled_from(pool(condition.operator)), min_size=1, max_size=3)
    return condition, tuple(draw(values))


def holds(condition: Condition, values: tuple[str, ...] | None) -> bool:
    return compile_condition(condition)({} if values is None else {"x:key": values})


@settings(deadline=None, max_examples=1_000)
@given(cases(), st.sampled_from(["given", "absent", "empty"]))
def test_a_condition_holds_where_the_slow_evaluator_says(
    case: tuple[Condition, tuple[str, ...]], presence: str
) -> None:
    condition, values = case
    contexts: dict[str, Context] = {"given": {"x:key": values}, "absent": {}, "empty": {"x:key": ()}}
    context = contexts[presence]

    assert compile_condition(condition)(context) is condition_oracle.holds(condition, context)


@settings(deadline=None)
@given(cases())
def test_a_negated_operator_is_the_opposite(case: tuple[Condition, tuple[str, ...]]) -> None:
    condition, values = case
    plain = condition._replace(quantifier=None, if_exists=False)

    for negated in condition_oracle.negative_of(condition.operator):
        assert holds(plain._replace(operator=negated), values) is not holds(plain, values)
        assert holds(plain._replace(operator=negated), None)
        assert not holds(plain, None)


@settings(deadline=None)
@given(cases())
def test_if_exists_matters_only_where_the_key_has_no_value(case: tuple[Condition, tuple[str, ...]]) -> None:
    condition, values = case
    assume(condition.operator is not Operator.NULL)
    assume(condition.quantifier is None or values != ("",))  # to a set operator an empty text is no value

    assert holds(condition._replace(if_exists=True), values) is holds(condition._replace(if_exists=False), values)
    assert holds(condition._replace(if_exists=True), None)
    assert holds(condition._replace(if_exists=True), ())


@settings(deadline=None)
@given(cases())
def test_all_match_unless_any_does_not(case: tuple[Condition, tuple[str, ...]]) -> None:
    condition, values = case
    assume(values != ("",))

    for negated in condition_oracle.negative_of(condition.operator):
        every = condition._replace(quantifier=Quantifier.ALL, if_exists=False)
        some_not = every._replace(operator=negated, quantifier=Quantifier.ANY)
        assert holds(every, values) is not holds(some_not, values)
        assert holds(every, None) is not holds(some_not, None)


@settings(deadline=None)
@given(cases())
def test_without_set_operator_some_value_must_match(case: tuple[Condition, tuple[str, ...]]) -> None:
    condition, values = case
    assume(condition.operator not in {*condition_oracle.NEGATED, Operator.NULL})
    assume(values != ("",))  # to a set operator an empty text is no value

    assert holds(condition._replace(quantifier=None), values) is holds(
        condition._replace(quantifier=Quantifier.ANY), values
    )


@settings(deadline=None)
@given(cases())
def test_several_policy_values_are_alternatives(case: tuple[Condition, tuple[str, ...]]) -> None:
    condition, values = case
    assume(condition.operator not in {*condition_oracle.NEGATED, Operator.NULL})
    plain = condition._replace(quantifier=None, if_exists=False)

    assert holds(plain, values) is any(holds(plain._replace(values=(value,)), values) for value in plain.values)


@settings(deadline=None)
@given(st.lists(conditions(), max_size=6), st.lists(st.sampled_from(TEXTS), max_size=2))
def test_all_conditions_of_a_statement_must_hold(together: list[Condition], values: list[str]) -> None:
    context = {"x:key": tuple(values)}
    test = compile_conditions(tuple(together))

    assert (test is None) is (not together)
    assert test is None or test(context) is all(compile_condition(one)(context) for one in together)


def test_given_more_conditions_than_calls_may_nest_then_all_are_tested() -> None:
    many = [Condition(Operator.STRING_EQUALS, f"x:{number}", ("a",)) for number in range(2_000)]
    test = compile_conditions(many)
    context = {condition.key: ("a",) for condition in many}

    assert test is not None
    assert test(context)
    assert not test(context | {"x:1999": ("b",)})
