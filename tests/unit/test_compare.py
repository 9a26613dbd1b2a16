"""The comparison never calls new access none, and shows what it calls new: held to brute force over small universes.

As many pairs as the environment's `COMPARE_PAIRS` says are compared (5,000 by default) from the seed `COMPARE_FIRST`;
`COMPARE_PAIRS=100000 pytest tests/unit/test_compare.py -k brute` is the long run.
"""

import functools
import json
import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError, PolicyDocumentError
from shared.iam.compare import Comparison, compare
from shared.iam.evaluate import Outcome, Policies, evaluate
from shared.iam.policy import parse_document
from shared.knowledge import load_catalogue
from tests.unit import compare_oracle
from tests.unit.compare_cases import ADVERSARIAL, CASES, KEYS, NEW, NO_NEW, REALISTIC, S3, UNPROVEN, Body, at, when
from tests.unit.compare_oracle import WORLDS, Universe, World, narrowed, random_documents
from tests.unit.iam_oracle import SMALL, allowed, contexts, document, documents, requests

BODIES = st.lists(documents(), min_size=1, max_size=2)
PAIRS = int(os.environ.get("COMPARE_PAIRS", "5000"))
FIRST = int(os.environ.get("COMPARE_FIRST", "0"))
BLOCKS = 10


@functools.cache
def universe(world: int, *, across: bool) -> Universe:
    return Universe(WORLDS[world], across=across)


def pair(seed: int) -> tuple[World, list[Body], list[Body]]:
    """A pair of sets of documents; the new one is more often than not the old one with a change or two."""
    chance = random.Random(seed)  # noqa: S311 the same pairs every time
    world = WORLDS[seed % len(WORLDS)]
    old = random_documents(world, chance)
    return world, old, narrowed(old, world, chance) if chance.random() < 0.6 else random_documents(world, chance)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_brute_force_agrees(block: int) -> None:
    for seed in range(FIRST + block * PAIRS // BLOCKS, FIRST + (block + 1) * PAIRS // BLOCKS):
        world, old, new = pair(seed)
        comparison = compare(old, new, SMALL)
        place = WORLDS.index(world)
        found, found_within = (universe(place, across=across).new(old, new) for across in (True, False))
        if comparison.verdict is NO_NEW:
            assert not found, seed
            assert not found_within, seed
        elif comparison.verdict is NEW:
            example = comparison.counterexample
            assert example is not None
            asked = (example.action, example.resource, example.context)
            assert compare_oracle.allows(new, *asked), seed
            assert not compare_oracle.allows(old, *asked), seed
        elif place < len(WORLDS) - 1:  # what depends on variables may be left open
            assert not found, seed


@settings(deadline=None, max_examples=200)
@given(BODIES, BODIES)
def test_every_verdict_holds_for_every_request(old: list[Body], new: list[Body]) -> None:
    comparison = compare(old, new, SMALL)

    if comparison.verdict is NO_NEW:
        for action, resource in requests():
            for held in contexts():
                assert allowed(new, action, resource, held) <= allowed(old, action, resource, held)
    if comparison.verdict is NEW:
        assert shown(comparison, old, new)
    assert (comparison.counterexample is not None) == (comparison.verdict is NEW)


def shown(comparison: Comparison, old: Sequence[Body], new: Sequence[Body]) -> bool:
    """Whether the counterexample of identity policies is allowed now and was not before."""
    assert comparison.counterexample is not None
    request = comparison.counterexample.request()
    before, after = (
        evaluate(request, Policies(identity=tuple(map(parse_document, side)))).outcome for side in (old, new)
    )
    return after is Outcome.ALLOW and before is not Outcome.ALLOW


@settings(deadline=None, max_examples=100)
@given(BODIES)
def test_a_set_of_policies_grants_nothing_beyond_itself(bodies: list[Body]) -> None:
    assert compare(bodies, bodies, SMALL).verdict is NO_NEW
    assert compare([document({"Action": "*"})], bodies, SMALL).verdict is NO_NEW
    assert compare(bodies, [document({"Effect": "Deny", "Action": "*"})], SMALL).verdict is NO_NEW


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    old, new, verdict = ([document(*CASES[name][0])], [document(*CASES[name][1])], CASES[name][2])
    comparison = compare(old, new, SMALL)

    assert comparison.verdict is verdict, comparison.reason
    if verdict is NEW:
        assert shown(comparison, old, new)


def test_a_wildcard_is_not_covered_by_the_actions_that_are_known_today() -> None:
    literals = document({"Action": [SMALL.name(key) for key in SMALL.of_service("s3")]})

    assert compare([literals], [document(S3)], SMALL).verdict is NEW


def test_a_new_document_version_does_not_turn_text_into_a_variable() -> None:
    body = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/${aws:username}"}
    old = {**document(body), "Version": "2008-10-17"}

    assert compare([old], [document(body)], SMALL).verdict is not NO_NEW


def test_a_role_to_be_assumed_is_shown_beside_a_trust_policy() -> None:
    comparison = compare([document(S3)], [document({"Action": "sts:AssumeRole", "Resource": "*"})], SMALL)

    assert comparison.verdict is NEW


def test_reasons_name_the_statement_and_what_was_open() -> None:
    old, new = document(at("arn:aws:s3:::a")), document(at("arn:aws:s3:::b", Sid="Wide"))
    found = compare([old], [new], SMALL)
    (wide,), (narrow,), _ = CASES["tests of different kinds"]
    left_open = compare([document(wide)], [document(narrow)], SMALL)

    assert found.reason == (
        "statement 1 of the new policies (Wide) allows s3:DeleteObject on arn:aws:s3:::b, unlike the old policies"
    )
    assert "aws:sourceip" in left_open.reason
    assert compare([old], [], SMALL) == (NO_NEW, compare([old], [old], SMALL).reason, None)


def test_a_counterexample_is_plain_json() -> None:
    old, new = (document(when("StringEquals", KEYS, value)) for value in "ba")
    comparison = compare([old], [new], SMALL)

    assert comparison.counterexample is not None
    assert json.loads(json.dumps(comparison.counterexample.as_json())) == comparison.counterexample.as_json()
    assert comparison.counterexample.as_json()["context"] == {"aws:tagkeys": "a"}


def test_bad_documents_are_refused() -> None:
    with pytest.raises(PolicyDocumentError):
        compare([{"Statement": {"Effect": "Allow"}}], [document(S3)], SMALL)
    with pytest.raises(InputError):
        compare([document(S3)], [document({**S3, "Principal": "*"})], SMALL)


@pytest.mark.parametrize("name", REALISTIC)
def test_realistic_pairs_are_decided(name: str) -> None:
    old, new, verdict = REALISTIC[name]
    comparison = compare([old], [new], load_catalogue())

    assert comparison.verdict is verdict, comparison.reason
    if verdict is NEW:
        assert shown(comparison, [old], [new])


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_worst_documents_are_given_up_on_in_time(name: str) -> None:
    old, new = ADVERSARIAL[name]
    comparison = compare([document(*old)], [document(*new)], load_catalogue())

    assert comparison.verdict is not NO_NEW
    assert compare([document(*new)], [document(*new)], load_catalogue()).verdict is NO_NEW


def test_too_few_steps_prove_nothing() -> None:
    old, new, _ = REALISTIC["1 a bucket's star to five actions on three prefixes: nothing new"]
    comparison = compare([old], [new], load_catalogue(), max_steps=5)

    assert comparison == (UNPROVEN, "not decided within 5 steps", None)
