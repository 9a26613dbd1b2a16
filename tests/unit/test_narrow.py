"""A JEP policy keeps exactly what it should, says nothing new, and is the same for the same inputs."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.iam.compare import compare
from shared.iam.narrow import narrow
from shared.iam.policy import parse_document
from shared.iam.sizes import policy_size
from shared.model.proof import ProofVerdict
from tests.unit.iam_oracle import (
    CONDITIONS,
    SMALL,
    allowed,
    contexts,
    document,
    documents,
    policy,
    requests,
)

KEEPS = st.frozensets(st.sampled_from((*sorted(SMALL.keys), "new:other", "s3:getfuture")))


def narrowed(body: dict[str, Any], *keep: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = narrow([policy(body)], frozenset(keep), SMALL)["Statement"]
    return statements


@settings(deadline=None, max_examples=100)
@given(st.lists(documents(), min_size=1, max_size=2), KEEPS)
def test_a_narrowed_policy_allows_the_kept_actions_and_nothing_else(bodies: list[dict[str, Any]], keep: Any) -> None:
    try:
        result = narrow([policy(body) for body in bodies], keep, SMALL)
    except InputError:
        assume(False)  # noqa: FBT003 Hypothesis' own signature

    allows = [one for body in bodies for one in body["Statement"] if one["Effect"] == "Allow"]
    literals = {pattern.lower() for one in allows for pattern in one.get("Action", [])}
    for action, resource in requests():
        for held in contexts():
            before, after = (allowed(found, action, resource, held) for found in (bodies, [result]))
            assert after <= before
            if action in keep:
                assert after == before, (action, resource)
            elif action in SMALL:
                assert not after, (action, resource)
            elif action in literals:
                assert after == before, "unknown is not unused"


@settings(deadline=None, max_examples=100)
@given(st.lists(documents(), min_size=1, max_size=2), KEEPS)
def test_no_new_access_is_proven_of_every_narrowed_policy(bodies: list[dict[str, Any]], keep: Any) -> None:
    try:
        result = narrow([policy(body) for body in bodies], keep, SMALL)
    except InputError:
        assume(False)  # noqa: FBT003 Hypothesis' own signature

    assert compare(bodies, [result], SMALL).verdict is ProofVerdict.NO_NEW_ACCESS
    assert parse_document(result)


@settings(deadline=None, max_examples=60)
@given(st.lists(documents(), min_size=2, max_size=3), KEEPS, st.randoms())
def test_the_order_of_inputs_does_not_matter(bodies: list[dict[str, Any]], keep: Any, order: Any) -> None:
    shuffled = [{**body, "Statement": order.sample(body["Statement"], len(body["Statement"]))} for body in bodies]
    order.shuffle(shuffled)
    one, other = (
        narrow([policy(body) for body in found], keep, SMALL, deny_everything_if_empty=True)
        for found in (bodies, shuffled)
    )

    assert json.dumps(one) == json.dumps(other)


def test_wildcards_are_written_only_where_they_admit_nothing_else() -> None:
    everything = document({"Action": "s3:*"})

    assert narrowed(everything, "s3:getobject", "s3:getobjecttagging")[0]["Action"] == "s3:Get*"
    assert narrowed(everything, "s3:getobject", "s3:listbucket")[0]["Action"] == ["s3:GetObject", "s3:ListBucket"]
    assert narrowed(everything, *SMALL.of_service("s3"))[0]["Action"] == "s3:*"


def test_a_wildcard_never_reaches_beyond_the_old_patterns() -> None:
    body = document({"Action": ["s3:GetObject", "s3:GetObjectTagging", "s3:PutObject"]})

    assert narrowed(body, "s3:getobject", "s3:getobjecttagging")[0]["Action"] == ["s3:GetObject", "s3:GetObjectTagging"]


def test_wildcards_are_cut_between_words_only_where_that_fits() -> None:
    body, keep = document({"Action": "s3:*"}), frozenset({"s3:getobject", "s3:getobjecttagging"})
    readable = narrow([policy(body)], keep, SMALL)
    small = narrow([policy(body)], keep, SMALL, limit=policy_size(readable) - 1)

    assert readable["Statement"][0]["Action"] == "s3:Get*"
    assert small["Statement"][0]["Action"] == "s3:G*"


def test_not_action_becomes_a_list() -> None:
    body = document({"NotAction": "iam:*"})

    assert narrowed(body, "s3:putobject", "iam:passrole") == [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    ]


def test_an_action_used_before_the_catalogue_knows_it_is_kept() -> None:
    assert narrowed(document({"Action": "s3:*"}), "s3:GetFuture")[0]["Action"] == "s3:getfuture"


def test_an_unknown_service_is_kept_verbatim() -> None:
    assert narrowed(document({"Action": ["new:*", "newer:Do", "s3:*"]}), "s3:listbucket")[0]["Action"] == [
        "new:*",
        "newer:Do",
        "s3:ListBucket",
    ]


def test_resources_and_conditions_stay_and_equal_scopes_are_merged() -> None:
    scope = {"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::a"], "Condition": CONDITIONS[0]}
    body = document({"Action": "s3:GetObject", **scope}, {"Action": "s3:Put*", **scope})

    assert narrowed(body, "s3:getobject", "s3:putobject", "iam:passrole") == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::b"],
            "Condition": CONDITIONS[0],
        }
    ]


def test_denies_are_kept_once_with_unique_sids() -> None:
    deny = {"Effect": "Deny", "Action": ["s3:b", "s3:a"], "Resource": "arn:aws:s3:::x", "Sid": "Same"}
    body = document({"Action": "s3:*"}, deny, {**deny, "Sid": "Other"}, {**deny, "Action": "s3:c"})
    denies = narrowed(body, "s3:getobject")[1:]

    assert [one["Action"] for one in denies] == ["s3:c", ["s3:b", "s3:a"]]
    assert [one.get("Sid") for one in denies] == ["Same", "Other"]


def test_nothing_to_keep_is_an_error_and_never_a_lock_out() -> None:
    with pytest.raises(InputError, match="nothing left to allow"):
        narrowed(document({"Action": "s3:*"}), "iam:passrole")

    asked = narrow([policy(document({"Action": "s3:*"}))], frozenset(), SMALL, deny_everything_if_empty=True)
    assert asked["Statement"] == [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
