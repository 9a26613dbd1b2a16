"""Policy documents are read as IAM reads them, or refused with the place and the reason."""

import json
import urllib.parse
from typing import Any

import pytest

from shared.errors import PolicyDocumentError
from shared.iam.policy import Effect, canonical_condition, parse_document

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def test_given_a_string_where_a_list_may_be_then_it_is_a_list_of_one() -> None:
    (statement,) = parse_document({"Statement": STATEMENT})

    assert statement.effect is Effect.ALLOW
    assert statement.actions == ("s3:GetObject",)
    assert statement.resources == ("*",)
    assert not statement.conditional


@pytest.mark.parametrize("encode", [json.dumps, lambda body: urllib.parse.quote(json.dumps(body))])
def test_given_text_then_it_is_decoded(encode: Any) -> None:
    body = {"Version": "2012-10-17", "Statement": [STATEMENT, {**STATEMENT, "Effect": "Deny", "Sid": "D"}]}

    assert parse_document(encode(body)) == parse_document(body)
    assert [statement.place for statement in parse_document(body)] == [0, 1]


def test_given_element_names_in_another_case_then_they_are_read() -> None:
    (statement,) = parse_document({"statement": {"effect": "Allow", "action": "a:B", "resource": "*"}})

    assert statement.actions == ("a:B",)


def test_given_percent_signs_in_plain_json_then_nothing_is_decoded_twice() -> None:
    (statement,) = parse_document(json.dumps({"Statement": {**STATEMENT, "Resource": "arn:aws:s3:::a%2Ab"}}))

    assert statement.resources == ("arn:aws:s3:::a%2Ab",)


def test_given_a_version_without_variables_then_a_variable_is_plain_text() -> None:
    resource = "arn:aws:s3:::home/${aws:username}"
    (old,) = parse_document({"Version": "2008-10-17", "Statement": {**STATEMENT, "Resource": resource}})
    (new,) = parse_document({"Version": "2012-10-17", "Statement": {**STATEMENT, "Resource": resource}})

    assert old.resources == ("arn:aws:s3:::home/${$}{aws:username}",)
    assert new.resources == (resource,)


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ("not json", "not_json", "$"),
        ("[]", "not_json", "$"),
        ({"Version": "2012-10-17"}, "missing_statement", "$"),
        ({"Statement": []}, "missing_statement", "$.Statement"),
        ({"Statement": "x"}, "not_an_object", "$.Statement[0]"),
        ({"Statement": {**STATEMENT, "Effect": "Maybe"}}, "effect", "$.Statement[0].Effect"),
        ({"Statement": {**STATEMENT, "NotAction": "s3:*"}}, "actions", "$.Statement[0]"),
        ({"Statement": {**STATEMENT, "Action": ["a:B", "s3:${x}"]}}, "actions", "$.Statement[0]"),
        ({"Statement": {"Effect": "Allow", "Resource": "*"}}, "actions", "$.Statement[0]"),
        ({"Statement": {"Effect": "Allow", "Action": "s3:*"}}, "resources", "$.Statement[0]"),
        ({"Statement": {**STATEMENT, "NotResource": "*"}}, "resources", "$.Statement[0]"),
        ({"Statement": {**STATEMENT, "Action": []}}, "action", "$.Statement[0].Action"),
        ({"Statement": {**STATEMENT, "Action": [1]}}, "action", "$.Statement[0].Action"),
        ({"Statement": {**STATEMENT, "Acton": "x"}}, "unknown_element", "$.Statement[0].Acton"),
        ({"Statement": {**STATEMENT, "Condition": ["x"]}}, "condition", "$.Statement[0].Condition"),
        ({"Statement": {**STATEMENT, "Sid": 1}}, "sid", "$.Statement[0].Sid"),
        ({"Statement": {**STATEMENT, "Condition": None}}, "condition", "$.Statement[0].Condition"),
        ({"Statement": {**STATEMENT, "Effect": "allow"}}, "effect", "$.Statement[0].Effect"),
        ({"Statement": {**STATEMENT, "Effect": ["Allow"]}}, "effect", "$.Statement[0].Effect"),
        ({"Statement": {**STATEMENT, "Resource": [None]}}, "resource", "$.Statement[0].Resource"),
        ({"Statement": {**STATEMENT, "NotPrincipal": {"AWS": []}}}, "principal", "$.Statement[0].NotPrincipal.AWS"),
        ({"Statement": {**STATEMENT, "Principal": "*", "NotPrincipal": "*"}}, "principal", "$.Statement[0]"),
        ({"Statement": STATEMENT, "statement": STATEMENT}, "duplicate_key", "$.statement"),
        ({"Version": "2012-10-18", "Statement": STATEMENT}, "version", "$.Version"),
        ({"Version": None, "Statement": STATEMENT}, "version", "$.Version"),
        ({"Version": ["2012-10-17"], "Statement": STATEMENT}, "version", "$.Version"),
        ('{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', "duplicate_key", "$"),
        ('{"Statement": NaN}', "not_json", "$"),
        ('{"Statement": ' + "9" * 5000 + "}", "not_json", "$"),
        ('{"Statement": ' + "[" * 100_000, "not_json", "$"),
        ("", "not_json", "$"),
    ],
)
def test_given_what_iam_refuses_then_the_error_says_where_and_why(body: Any, code: str, path: str) -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        parse_document(body)

    expected = "not_an_object" if body == "[]" else code
    assert (caught.value.code, caught.value.path) in {(code, path), (expected, path)}


def test_given_a_version_without_variables_then_condition_values_are_plain_text_too() -> None:
    condition = {"StringLike": {"aws:x": ["${aws:userid}", "a"]}, "Bool": {"aws:y": True}}
    (statement,) = parse_document({"Statement": {**STATEMENT, "Condition": condition}})

    assert statement.condition == {"StringLike": {"aws:x": ["${$}{aws:userid}", "a"]}, "Bool": {"aws:y": True}}
    assert [test.values for test in statement.conditions] == [("${$}{aws:userid}", "a"), ("true",)]


def test_given_broken_json_then_the_error_says_in_which_line() -> None:
    with pytest.raises(PolicyDocumentError, match="line 2, column 3"):
        parse_document('{"Statement":\n  ]')


def test_given_a_null_in_a_list_then_it_names_nothing() -> None:
    (statement,) = parse_document({"Statement": {**STATEMENT, "Resource": ["*", None], "Action": [None, "a:b"]}})

    assert (statement.actions, statement.resources) == (("a:b",), ("*",))


def test_conditions_that_mean_the_same_by_form_are_equal() -> None:
    one = {"StringEquals": {"aws:RequestedRegion": ["b", "a"]}, "Bool": {"aws:SecureTransport": True}}
    same = {"bool": {"AWS:securetransport": ["true"]}, "stringequals": {"aws:requestedregion": ["a", "b"]}}
    other = {"StringEquals": {"aws:RequestedRegion": ["b", "A"]}, "Bool": {"aws:SecureTransport": True}}

    assert canonical_condition(one) == canonical_condition(same)
    assert canonical_condition(one) != canonical_condition(other)
    assert canonical_condition(None) != canonical_condition(one)


def test_given_a_key_twice_in_another_case_then_neither_value_is_lost() -> None:
    twice = {"StringEquals": {"aws:x": "a"}, "stringequals": {"aws:x": "b"}}

    assert canonical_condition(twice) != canonical_condition({"StringEquals": {"aws:x": "b"}})


def test_a_rendered_statement_reads_back_as_itself() -> None:
    raw = {"Sid": "S", **STATEMENT, "Action": ["a:B", "a:C"], "Condition": {"Bool": {"k": "true"}}}
    (statement,) = parse_document({"Version": "2012-10-17", "Statement": raw})

    assert statement.render(with_sid=True) == raw
