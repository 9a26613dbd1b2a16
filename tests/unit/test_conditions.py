"""Condition blocks: read as IAM reads them, and what each operator makes of examples."""

from typing import Any

import pytest

from shared.errors import PolicyDocumentError
from shared.iam.conditions.matching import compile_conditions
from shared.iam.conditions.model import Condition, Operator, Quantifier, parse_conditions, read_operator
from shared.iam.request import context_of

ARN = "arn:aws:sns:us-east-2:111122223333:orders"
BINARY = "QmluYXJ5VmFsdWVJbkJhc2U2NA=="
# operator, values of the policy, those of the request (None: the key is absent), and whether the condition holds
EXAMPLES: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", "a${*}", "a*", True),
    ("StringEquals", [], "a", False),
    ("StringNotEquals", [], "a", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], ["c", "b"], False),
    ("StringNotEquals", "a", None, True),
    ("StringEqualsIgnoreCase", "Straße", "STRASSE", False),
    ("StringEqualsIgnoreCase", "Team*", "tEAM*", True),
    ("StringNotEqualsIgnoreCase", "Team", "tEAM", False),
    ("StringLike", "home/*", "home/", True),
    ("StringLike", "home/?", "home/", False),
    ("StringLike", "[ab]", "a", False),
    ("StringLike", "a.c", "abc", False),
    ("StringLike", "", "", True),
    ("StringNotLike", ["a*", "b*"], "c", True),
    ("StringNotLike", ["a*", "b*"], "b", False),
    ("NumericEquals", "10", 10, True),
    ("NumericEquals", "10", "1" * 100_000 + "x", False),
    ("NumericEquals", ["5.", ".5", "+5e1"], ["0.5"], True),
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", "1e1", "10", True),
    ("NumericEquals", "9007199254740993", "9007199254740992", False),
    ("NumericEquals", "ten", "ten", False),
    ("NumericNotEquals", "ten", "ten", True),
    ("NumericNotEquals", "10", "ten", True),
    ("NumericEquals", "10", "1_0", False),
    ("NumericEquals", "1", "١", False),
    ("NumericEquals", "NaN", "NaN", False),
    ("NumericLessThan", ["5", "10"], "9", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThan", "10", "9e999999", False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericLessThan", "10", "-Infinity", False),
    ("NumericGreaterThan", ["5", "10"], "6", True),
    ("NumericGreaterThan", "x", "6", False),
    ("NumericGreaterThanEquals", "-1", "-1.0", True),
    ("DateEquals", "2020-04-01T00:00:01Z", "2020-04-01T02:00:01+02:00", True),
    ("DateEquals", "2020-04-01T00:00:00Z", "2020-03-31T18:30:00-05:30", True),
    ("DateEquals", "2020-04-01", "1585699200", True),
    ("DateEquals", "2020-04", "2020-04-01T00:00Z", True),
    ("DateEquals", "2020", "2020-01-01", True),
    ("DateEquals", "2020-04-01T00:00:00.50Z", "2020-04-01T00:00:00.5Z", True),
    ("DateEquals", "2020-04-01T00:00:00", "2020-04-01T00:00:00Z", True),
    ("DateNotEquals", "2020-02-30", "2020-02-30", True),
    ("DateNotEquals", "2020-04-01", None, True),
    ("DateLessThan", "2020-04-01T00:00:00Z", "2020-03-31T23:59:59.999999999Z", True),
    ("DateLessThan", "2020-04-01T00:00:00Z", "2020-04-01T00:00:00-00:30", False),
    ("DateLessThan", "2020-04-01T00:00:00Z", "2020-04-01T24:30:00Z", False),
    ("DateGreaterThan", "2020-04-01T00:00:00Z", "2020-04-01T00:00:00+30:00", False),
    ("DateGreaterThan", "2020-04-01T00:00:00Z", 1900000000, True),
    ("DateGreaterThanEquals", "2020-04-01T00:00:00Z", "2020-04-01", True),
    ("DateLessThanEquals", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", False),
    ("Bool", "true", True, True),
    ("Bool", True, "TRUE", True),
    ("Bool", "false", "true", False),
    ("Bool", "false", None, False),
    ("Bool", "yes", "yes", False),
    ("BinaryEquals", BINARY, BINARY, True),
    ("BinaryEquals", BINARY, "ASIAIOSFODNN7EXAMPLE", False),
    ("BinaryEquals", "%", "%", False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.255", True),
    ("IpAddress", "203.0.113.9/24", "203.0.113.1", True),
    ("IpAddress", "203.0.113.0/24", "203.0.114.0", False),
    ("IpAddress", "203.0.113.5", "203.0.113.5", True),
    ("IpAddress", "203.0.113.5", "203.0.113.6", False),
    ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9", True),
    ("IpAddress", "0.0.0.0/0", "::1", False),
    ("IpAddress", "::/0", "1.2.3.4", False),
    ("IpAddress", ["10.0.0.0/8", "10.1.0.0/16", "9.0.0.0/8"], "10.200.0.1", True),
    ("IpAddress", "10.0.0.0/33", "10.0.0.0", False),
    ("IpAddress", "10.0.0.0/", "10.0.0.0", False),
    ("IpAddress", "10.0.0.0/8", "10.0.0.0/8", False),
    ("NotIpAddress", ["10.0.0.0/8", "192.168.0.0/16"], "192.168.7.7", False),
    ("NotIpAddress", "10.0.0.0/8", "::1", True),
    ("NotIpAddress", "10.0.0.0/8", None, True),
    ("ArnEquals", "arn:aws:sns:*:111122223333:*", ARN, True),
    ("ArnLike", "arn:aws:sns:*", ARN, False),
    ("ArnLike", "*", ARN, False),
    ("ArnLike", "*:*:*:*:*:*", "a:b:c:d:e:f", False),
    ("ArnLike", "a:b:c:d:e:f", "a:b:c:d:e:f", False),
    ("ArnLike", "arn:aws:x:*:1:f/*", "arn:aws:x:r:9:s/a:1:f/d", False),
    ("StringLike", "arn:aws:x:*:1:f/*", "arn:aws:x:r:9:s/a:1:f/d", True),
    ("ArnLike", "arn:aws:lambda:*:*:function:f*", "arn:aws:lambda:r:1:function:f:v1", True),
    ("ArnNotEquals", ARN, ARN, False),
    ("ArnNotLike", ARN, "no arn", True),
    ("Null", "true", None, True),
    ("Null", "true", [], True),
    ("Null", "true", "a", False),
    ("Null", False, "a", True),
    ("Null", "false", None, False),
    ("Null", "false", "", False),
    ("Null", "maybe", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringNotEqualsIfExists", "a", "a", False),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b", "a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", "a", None, True),
    ("ForAllValues:StringEquals", "a", "", True),
    ("ForAllValues:StringEquals", "a", ["", "b"], False),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "a"], False),
    ("ForAllValues:StringNotLike", "a*", ["b", "c"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
    ("ForAnyValue:StringEquals", "a", None, False),
    ("ForAnyValue:StringEquals", "a", [], False),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], False),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "c"], True),
    ("ForAnyValue:StringNotEquals", "a", None, False),
    ("ForAnyValue:StringEqualsIfExists", "a", None, True),
    ("ForAnyValue:NumericLessThan", "5", ["9", "4"], True),
    ("forallvalues:STRINGLIKEifexists", "a*", ["ab", "b"], False),
]
# operator, value of the policy with a variable, value of the request, and whether the condition holds
WITH_VARIABLES = [
    ("StringEquals", "${aws:username}", "alice", True),
    ("StringEquals", "${aws:PrincipalTag/Team}", "x*", True),
    ("StringLike", "${aws:PrincipalTag/Team}", "xy", False),
    ("StringLike", "${aws:username}/*", "alice/a", True),
    ("StringLike", "*/${aws:username}/?", "a/alice/b", True),
    ("StringEqualsIgnoreCase", "${aws:username}", "ALICE", True),
    ("StringNotEquals", "${aws:username}", "alice", False),
    ("StringNotEquals", "${aws:userid}", "alice", True),
    ("StringEquals", "${aws:userid}", "${aws:userid}", False),
    ("StringEquals", "${aws:username}-${aws:PrincipalTag/Team}", "alice-x*", True),
    ("StringEquals", "${aws:username}-${aws:userid}", "alice-None", False),
    ("StringNotEquals", "${aws:username}-${aws:userid}", "alice-None", True),
    ("StringLike", "*${aws:userid}", "None", False),
    ("StringNotEqualsIgnoreCase", "${aws:userid}", "alice", True),
    ("ForAllValues:StringEquals", "${aws:userid}", "alice", False),
    ("ArnLike", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::1:user/alice", True),
    ("ArnEquals", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::1:user/bob", False),
    ("Bool", "${aws:SecureTransport}", "TRUE", True),
    ("NumericEquals", "${x:number}", "7", False),
    ("NumericNotEquals", "${x:number}", "7", True),
    ("IpAddress", "${x:address}", "10.0.0.1", False),
    ("Null", "${aws:SecureTransport}", "a", False),
]


@pytest.mark.parametrize(("operator", "values", "found", "expected"), EXAMPLES)
def test_an_operator_by_example(operator: str, values: Any, found: Any, *, expected: bool) -> None:
    test = compile_conditions(parse_conditions({operator: {"X:Key": values}}, "$"))

    assert test is not None
    assert test(context_of({} if found is None else {"x:kEY": found})) is expected


@pytest.mark.parametrize(("operator", "value", "found", "expected"), WITH_VARIABLES)
def test_a_variable_by_example(operator: str, value: str, found: str, *, expected: bool) -> None:
    known = {"aws:username": "alice", "aws:PrincipalTag/Team": "x*", "aws:SecureTransport": True, "x:number": 7}
    test = compile_conditions(parse_conditions({operator: {"x:key": value}}, "$"))

    assert test is not None
    assert test(context_of({**known, "x:address": "10.0.0.1", "x:key": found})) is expected


def test_a_block_is_read_into_one_condition_for_each_key() -> None:
    block = {
        "ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", "a*", "b"]},
        "numericlessthan": {"s3:max-keys": 10, "x:f": 0.5},
        "Bool": {"aws:SecureTransport": False},
        "Unheard": {},
    }

    assert parse_conditions(block, "$") == (
        Condition(Operator.STRING_LIKE, "aws:tagkeys", ("a*", "b"), Quantifier.ANY, if_exists=True),
        Condition(Operator.NUMERIC_LESS_THAN, "s3:max-keys", ("10",)),
        Condition(Operator.NUMERIC_LESS_THAN, "x:f", ("0.5",)),
        Condition(Operator.BOOL, "aws:securetransport", ("false",)),
    )


@pytest.mark.parametrize("quantifier", [None, *Quantifier])
@pytest.mark.parametrize("operator", Operator)
def test_every_operator_is_read_in_any_case(operator: Operator, quantifier: Quantifier | None) -> None:
    name = f"{quantifier}:{operator}" if quantifier else operator.value
    for spelled in (name, name.lower(), name.upper()):
        assert read_operator(spelled, "$") == (operator, quantifier, False)
        if operator is not Operator.NULL:
            assert read_operator(f"{spelled}IFEXISTS", "$") == (operator, quantifier, True)


@pytest.mark.parametrize("block", [None, {}, {"StringEquals": {}}])
def test_given_no_test_then_there_is_nothing_to_compile(block: Any) -> None:
    assert parse_conditions(block, "$") == ()
    assert compile_conditions(()) is None


@pytest.mark.parametrize(
    ("block", "code", "path"),
    [
        ([], "condition", "$.Condition"),
        ({"StringEquals": ["a"]}, "condition", "$.Condition.StringEquals"),
        ({"StringIs": {"a": "b"}}, "condition_operator", "$.Condition.StringIs"),
        ({"NullIfExists": {"a": "true"}}, "condition_operator", "$.Condition.NullIfExists"),
        (
            {"\N{LATIN SMALL LETTER LONG S}tringEquals": {"a": "b"}},
            "condition_operator",
            "$.Condition.\N{LATIN SMALL LETTER LONG S}tringEquals",
        ),
        (
            {"ForAllValue\N{LATIN SMALL LETTER LONG S}:Bool": {"a": "b"}},
            "condition_operator",
            "$.Condition.ForAllValue\N{LATIN SMALL LETTER LONG S}:Bool",
        ),
        ({"ForSomeValues:StringEquals": {"a": "b"}}, "condition_operator", "$.Condition.ForSomeValues:StringEquals"),
        ({"StringEquals": {"a": {"b": "c"}}}, "condition_value", "$.Condition.StringEquals.a"),
        ({"StringEquals": {"a": [None]}}, "condition_value", "$.Condition.StringEquals.a"),
    ],
)
def test_given_what_iam_refuses_then_place_and_rule_are_named(block: Any, code: str, path: str) -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        parse_conditions(block, "$.Condition")

    assert (caught.value.code, caught.value.path) == (code, path)
