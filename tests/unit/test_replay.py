"""Replay: a plan is refused if a recorded use would be lost."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.narrow import narrow
from shared.iam.replay import Use, replay
from tests.unit.iam_oracle import (
    CONDITIONS,
    REQUEST_ACTIONS,
    REQUEST_RESOURCES,
    SMALL,
    allowed,
    contexts,
    document,
    documents,
    policy,
)

MFA = CONDITIONS[0]
USES = st.builds(Use, st.sampled_from(REQUEST_ACTIONS), st.sampled_from(REQUEST_RESOURCES))
BODIES = st.lists(documents(), min_size=1, max_size=2)


@settings(deadline=None, max_examples=200)
@given(BODIES, BODIES, USES)
def test_a_use_that_holds_is_allowed_wherever_it_was(
    old: list[dict[str, Any]], new: list[dict[str, Any]], use: Use
) -> None:
    result = replay([use], old, new, SMALL)

    assert result.replayed + len(result.outside) == 1
    assert use.resource is not None
    for held in contexts():
        if allowed(old, use.action, use.resource, held):
            assert not result.outside
            assert allowed(new, use.action, use.resource, held) or not result.held


@settings(deadline=None, max_examples=100)
@given(BODIES, st.lists(USES, min_size=1, max_size=4))
def test_what_is_kept_replays(bodies: list[dict[str, Any]], uses: list[Use]) -> None:
    keep = frozenset(use.action for use in uses)
    plan = narrow([policy(body) for body in bodies], keep, SMALL, deny_everything_if_empty=True)
    result = replay(uses, bodies, [plan], SMALL)

    assert result.held
    assert result.replayed + len(result.outside) == len(uses)


def test_a_removed_action_is_lost() -> None:
    uses = [Use("s3:GetObject", "arn:aws:s3:::a/x"), Use("s3:PutObject")]
    result = replay(uses, [document({"Action": "s3:*"})], [document({"Action": "s3:Get*"})], SMALL)

    assert not result.held
    assert result.lost == (Use("s3:PutObject"),)
    assert result.replayed == 2


def test_a_use_that_no_policy_explains_is_outside() -> None:
    result = replay([Use("iam:PassRole")], [document({"Action": "s3:*"})], [document({"Action": "s3:*"})], SMALL)

    assert result == (True, 0, (), (Use("iam:PassRole"),))


def test_a_condition_that_was_not_there_loses_the_use() -> None:
    old, new = document({"Action": "s3:*"}), document({"Action": "s3:*", "Condition": MFA})

    assert not replay([Use("s3:GetObject")], [old], [new], SMALL).held
    assert replay([Use("s3:GetObject")], [new], [old], SMALL).held


def test_a_deny_that_was_not_there_loses_the_use() -> None:
    old = document({"Action": "s3:*"})
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::a/*", "Condition": MFA}
    new = document({"Action": "s3:*"}, deny)

    assert not replay([Use("s3:PutObject", "arn:aws:s3:::a/x")], [old], [new], SMALL).held
    assert replay([Use("s3:PutObject", "arn:aws:s3:::b/x")], [old], [new], SMALL).held
    assert replay([Use("s3:PutObject", "arn:aws:s3:::a/x")], [new], [new], SMALL).held


def test_a_use_without_a_resource_needs_every_resource() -> None:
    old = document({"Action": "s3:*", "Resource": "arn:aws:s3:::a*"})
    new = document({"Action": "s3:*", "Resource": "arn:aws:s3:::a/*"})

    assert not replay([Use("s3:ListBucket")], [old], [new], SMALL).held
    assert replay([Use("s3:ListBucket", "arn:aws:s3:::a/x")], [old], [new], SMALL).held
