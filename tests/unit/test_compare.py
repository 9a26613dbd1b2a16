"""The comparison is sound: whatever it says holds for every sample request, under every combination of conditions."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.compare import compare
from shared.model.plan import ProofVerdict
from tests.unit.iam_oracle import CONDITIONS, SMALL, allowed, contexts, document, documents, requests

NO_NEW, NEW, UNPROVEN = ProofVerdict.NO_NEW_ACCESS, ProofVerdict.NEW_ACCESS, ProofVerdict.NOT_PROVEN
MFA, REGION = CONDITIONS
BODIES = st.lists(documents(), min_size=1, max_size=2)


@settings(deadline=None, max_examples=400)
@given(BODIES, BODIES)
def test_every_verdict_holds_for_every_request(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    comparison = compare(old, new, SMALL)

    if comparison.verdict is NO_NEW:
        for action, resource in requests():
            for held in contexts():
                assert allowed(new, action, resource, held) <= allowed(old, action, resource, held)
    if comparison.verdict is NEW:
        assert comparison.counterexample is not None
        for held in contexts():
            assert allowed(new, *comparison.counterexample, held)
            assert not allowed(old, *comparison.counterexample, held)
    assert (comparison.counterexample is not None) == (comparison.verdict is NEW)


@settings(deadline=None, max_examples=100)
@given(BODIES)
def test_a_set_of_policies_grants_nothing_beyond_itself(bodies: list[dict[str, Any]]) -> None:
    assert compare(bodies, bodies, SMALL).verdict is NO_NEW
    assert compare([document({"Action": "*"})], bodies, SMALL).verdict is NO_NEW


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([{"Action": "s3:*"}], [{"Action": "s3:Get*"}], NO_NEW),
        ([{"Action": "s3:Get*"}], [{"Action": "s3:*"}], NEW),
        ([{"Action": "s3:GetObject"}], [{"Action": "S3:getobject"}], NO_NEW),
        ([{"Action": "s3:*", "Resource": "arn:aws:s3:::a/*"}], [{"Action": "s3:GetObject"}], NEW),
        (
            [{"Action": "s3:*", "Resource": "arn:aws:s3:::a*"}],
            [{"Action": "s3:*", "Resource": "arn:aws:s3:::a/*"}],
            NO_NEW,
        ),
        ([{"NotAction": "iam:*"}], [{"Action": "s3:*"}], NO_NEW),
        ([{"NotAction": "iam:*"}], [{"Action": "iam:PassRole"}], NEW),
        ([{"NotAction": "iam:*"}], [{"NotAction": ["iam:*", "s3:*"]}], NO_NEW),
        ([{"NotAction": ["iam:*", "s3:*"]}], [{"NotAction": "iam:*"}], NEW),
        ([{"Action": "s3:*", "Condition": MFA}], [{"Action": "s3:*"}], UNPROVEN),
        ([{"Action": "s3:*", "Condition": MFA}], [{"Action": "s3:Get*", "Condition": MFA}], NO_NEW),
        ([{"Action": "s3:*"}], [{"Action": "s3:Get*", "Condition": MFA}], NO_NEW),
        ([{"Action": "s3:*", "Condition": MFA}], [{"Action": "s3:*", "Condition": REGION}], UNPROVEN),
        ([{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"}], [{"Action": "*"}], NEW),
        ([{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"}], [{"Action": "s3:*"}], NO_NEW),
        ([{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*", "Condition": MFA}], [{"Action": "*"}], UNPROVEN),
        (
            [{"Action": "*"}, {"Effect": "Deny", "Action": "iam:*", "Condition": MFA}],
            [{"Action": "*"}, {"Effect": "Deny", "Action": "*"}],
            NO_NEW,
        ),
        ([{"Action": "s3:GetObject"}, {"Action": "s3:Put*"}], [{"Action": ["s3:GetObject", "s3:Put*"]}], NO_NEW),
        ([{"Action": "new:*"}], [{"Action": "new:Thing"}], NO_NEW),
        ([{"Action": "new:Thing"}], [{"Action": "new:*"}], NEW),
        ([{"Action": "s3:*", "NotResource": "arn:aws:s3:::a"}], [{"Action": "s3:*"}], NEW),
    ],
)
def test_cases(old: list[dict[str, Any]], new: list[dict[str, Any]], verdict: ProofVerdict) -> None:
    assert compare([document(*old)], [document(*new)], SMALL).verdict is verdict


def test_a_wildcard_is_not_covered_by_the_actions_that_are_known_today() -> None:
    literals = document({"Action": [SMALL.name(key) for key in SMALL.of_service("s3")]})

    assert compare([literals], [document({"Action": "s3:*"})], SMALL).verdict is NEW


def test_a_wildcard_within_one_segment_is_not_trusted_beyond_it() -> None:
    old = document({"Action": "iam:PassRole", "Resource": "arn:aws:iam::*:role/x"})
    new = document({"Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/y:role/x"})

    assert compare([old], [new], SMALL).verdict is not NO_NEW


def test_a_variable_is_covered_by_a_wildcard_but_not_by_a_guess() -> None:
    own = document({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/${aws:username}/*"})
    home = document({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/*"})
    alice = document({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/alice/*"})

    assert compare([home], [own], SMALL).verdict is NO_NEW
    assert compare([own], [own], SMALL).verdict is NO_NEW
    assert compare([own], [alice], SMALL).verdict is UNPROVEN
    assert compare([alice], [own], SMALL).verdict is UNPROVEN


def test_a_new_document_version_does_not_turn_text_into_a_variable() -> None:
    body = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/${aws:username}"}
    old = {**document(body), "Version": "2008-10-17"}

    assert compare([old], [document(body)], SMALL).verdict is not NO_NEW
