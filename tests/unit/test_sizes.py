"""Policies are measured as IAM measures them, and spread over documents without a change of meaning."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.iam.sizes import pack, policy_size
from tests.unit.iam_oracle import allowed, contexts, documents, requests

Body = dict[str, Any]


def test_size_counts_no_white_space_between_tokens() -> None:
    assert policy_size({"Version": "2012-10-17", "Statement": []}) == len('{"Version":"2012-10-17","Statement":[]}')


@settings(deadline=None, max_examples=100)
@given(documents(), st.integers(min_value=120, max_value=500))
def test_packed_documents_fit_and_say_the_same(body: Body, limit: int) -> None:
    try:
        packed = pack(body["Statement"], limit)
    except InputError:
        assume(False)  # noqa: FBT003 Hypothesis' own signature

    assert all(policy_size(one) <= limit for one in packed)
    assert packed == pack(body["Statement"], limit)
    for action, resource in requests():
        for held in contexts():
            assert allowed(packed, action, resource, held) == allowed([body], action, resource, held)


def test_statements_share_a_document_where_they_fit() -> None:
    statements = [{"Sid": name, "Effect": "Allow", "Action": "s3:*", "Resource": "*"} for name in "abc"]
    whole = {"Version": "2012-10-17", "Statement": statements}

    assert pack(statements, policy_size(whole)) == (whole,)
    parts = pack(statements, policy_size(whole) - 1)
    assert [[one["Sid"] for one in part["Statement"]] for part in parts] == [["a", "b"], ["c"]]
    assert pack([], 100) == ()


def test_a_large_statement_is_parted_by_its_actions() -> None:
    actions = [f"s3:Action{number}" for number in range(100)]
    packed = pack([{"Sid": "Large", "Effect": "Allow", "Action": actions, "Resource": "*"}], 500)
    parts = [one for part in packed for one in part["Statement"]]

    assert sorted(action for part in parts for action in part["Action"]) == sorted(actions)
    assert [part["Sid"] for part in parts if "Sid" in part] == ["Large"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "NotAction": ["s3:Get*", "s3:List*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]},
        {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"},
    ],
)
def test_what_can_not_be_parted_is_refused(statement: Body) -> None:
    with pytest.raises(InputError, match="fit into"):
        pack([statement], 90)
