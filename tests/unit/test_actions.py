"""Sets of actions: their algebra, what a statement speaks of, and what a document allows."""

import fnmatch
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.actions import ActionSet, action_set, admits, expand_document, unknown_wildcards
from shared.iam.policy import parse_document
from tests.unit.iam_oracle import REQUEST_ACTIONS, SMALL, allowed, document, documents, statements

UNIVERSE = frozenset(REQUEST_ACTIONS)
SETS = st.frozensets(st.sampled_from(REQUEST_ACTIONS)).map(
    lambda keys: ActionSet(SMALL.mask_of_keys(keys), keys - SMALL.keys)
)


def held(found: ActionSet) -> set[str]:
    return set(found.keys(SMALL))


@settings(deadline=None)
@given(SETS, SETS)
def test_sets_of_actions_are_sets(one: ActionSet, other: ActionSet) -> None:
    assert held(one | other) == held(one) | held(other)
    assert held(one & other) == held(one) & held(other)
    assert held(one - other) == held(one) - held(other)
    assert one.size == len(held(one))
    assert bool(one) is bool(held(one))
    assert [name.lower() for name in one.names(SMALL)] == one.keys(SMALL)


@settings(deadline=None, max_examples=150)
@given(statements())
def test_a_statement_speaks_of_what_its_patterns_admit(body: dict[str, Any]) -> None:
    (statement,) = parse_document({"Version": "2012-10-17", "Statement": [body]})
    patterns = [pattern.lower() for pattern in body.get("Action") or body["NotAction"]]
    expected = {
        key for key in UNIVERSE if any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns) is ("Action" in body)
    }

    assert held(action_set(statement, SMALL, UNIVERSE)) == expected
    assert {key for key in UNIVERSE if admits(statement, key)} == expected


@settings(deadline=None, max_examples=150)
@given(documents(conditions=False))
def test_an_expanded_document_holds_what_is_allowed_somewhere_unless_denied_everywhere(body: dict[str, Any]) -> None:
    denies = [one for one in body["Statement"] if one["Effect"] == "Deny" and "*" in one.get("Resource", ())]
    allows = [one for one in body["Statement"] if one["Effect"] == "Allow"]
    everywhere = {"Resource": ["*"], "NotResource": None}
    spread = [{key: value for key, value in {**one, **everywhere}.items() if value} for one in (*allows, *denies)]
    named = {pattern.lower() for one in spread for pattern in (one.get("Action") or one["NotAction"])}

    for key in SMALL.keys | (named & UNIVERSE):
        expected = allowed([{"Statement": spread}], key, "arn:aws:s3:::a", ())
        assert (key in held(expand_document(parse_document(body), SMALL))) is expected, key


DENY = {"Effect": "Deny", "Action": "s3:Put*"}
TRUST = {"Action": ["sts:AssumeRole", "s3:PutObject"], "Principal": "*"}


@pytest.mark.parametrize(
    ("deny", "takes_away"),
    [
        (DENY, True),
        (DENY | {"Resource": ["arn:aws:s3:::a", "**"]}, True),
        (DENY | {"Principal": "*"}, True),
        (DENY | {"Principal": {"AWS": ["111122223333", "*"]}}, True),
        (DENY | {"Resource": "arn:aws:s3:::*"}, False),
        (DENY | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        (DENY | {"Condition": {}}, True),
        (DENY | {"NotResource": "arn:aws:s3:::a"}, False),
        (DENY | {"Principal": {"AWS": "111122223333"}}, False),
        (DENY | {"NotPrincipal": {"AWS": "*"}}, False),
    ],
)
def test_only_a_deny_of_everything_for_everyone_takes_away(deny: dict[str, Any], takes_away: bool) -> None:  # noqa: FBT001 a column of the table
    found = expand_document(parse_document(document(TRUST, deny)), SMALL)

    assert held(found) == {"sts:assumerole"} | (set() if takes_away else {"s3:putobject"})


def test_unknown_actions_are_kept_and_unknown_wildcards_named() -> None:
    parsed = parse_document(document({"Action": ["new:Thing", "new:*", "s3:G*"]}))

    assert expand_document(parsed, SMALL).names(SMALL) == ["s3:GetObject", "s3:GetObjectTagging", "new:thing"]
    assert unknown_wildcards(parsed[0], SMALL) == ("new:*",)


def test_an_unknown_action_counts_wherever_the_document_names_it() -> None:
    deny = DENY | {"Action": ["new:Thing", "odd:Thing"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    parsed = parse_document(document({"Action": ["new:*", "s3:GetObject"]}, deny))

    assert expand_document(parsed, SMALL).names(SMALL) == ["s3:GetObject", "new:thing"]
