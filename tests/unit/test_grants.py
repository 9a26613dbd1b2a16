"""What an identity holds, held to a naive evaluation of every sample request."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import PolicyDocumentError
from shared.iam.actions import admits
from shared.iam.conditions.model import parse_conditions
from shared.iam.grants import Grant, Grants, effective_grants
from shared.iam.policy import Effect, Statement, parse_document
from shared.iam.scopes import Scope
from shared.model.identity import IdentityRef
from tests.unit.iam_oracle import (
    CONDITIONS,
    REQUEST_ACTIONS,
    SMALL,
    allowed,
    contexts,
    document,
    documents,
    identity,
    reaches,
    requests,
)

MFA = CONDITIONS[0]
Body = dict[str, Any]


def granted(*bodies: Body, boundary: Body | None = None) -> set[str]:
    return set(effective_grants(identity(*bodies, boundary=boundary), SMALL).by_action)


def one_grant(grants: Grants, action: str) -> Grant:
    (grant,) = grants.by_action[action]
    return grant


LEVELS = st.one_of(st.none(), st.lists(st.lists(documents(), max_size=2), max_size=3))
HELD_BY = {parse_conditions(block, "$")[0]: block for block in CONDITIONS}


def covers(grant: Grant, action: str, resource: str, held: Sequence[Any]) -> bool:
    """What a grant says of itself: its scopes, its conditions, and no Deny that applies."""
    scope = Scope(grant.resources, grant.not_resources)
    return (
        all(reaches(one, resource) for one in (scope, *grant.within))
        and all(HELD_BY[condition] in held for condition in grant.conditions)
        and not any(applies(deny, action, resource, held) for deny in grant.unless)
    )


def applies(deny: Statement, action: str, resource: str, held: Sequence[Any]) -> bool:
    return (
        admits(deny, action)
        and reaches(Scope(deny.resources, deny.not_resources), resource)
        and all(HELD_BY[condition] in held for condition in deny.conditions)
    )


@settings(deadline=None, max_examples=300)
@given(st.lists(documents(), min_size=1, max_size=3), st.one_of(st.none(), documents()), LEVELS)
def test_a_request_is_allowed_exactly_where_a_grant_covers_it(
    bodies: list[Body], boundary: Body | None, levels: list[list[Body]] | None
) -> None:
    detail = identity(*bodies, boundary=boundary)
    grants = effective_grants(detail, SMALL, levels, others=frozenset(REQUEST_ACTIONS))
    layers = [bodies, *([] if boundary is None else [[boundary]]), *(levels or [])]

    for action, resource in requests():
        for held in contexts():
            expected = all(allowed(layer, action, resource, held) for layer in layers)
            covering = [one for one in grants.by_action.get(action, ()) if covers(one, action, resource, held)]
            assert bool(covering) == expected, (action, resource, held)


@settings(deadline=None, max_examples=100)
@given(st.lists(documents(), min_size=1, max_size=3), st.one_of(st.none(), documents()))
def test_the_views_of_the_grants_agree(bodies: list[Body], boundary: Body | None) -> None:
    grants = effective_grants(identity(*bodies, boundary=boundary), SMALL)

    assert list(grants.by_action) == sorted(grants.actions.keys(SMALL))
    assert sum(part.actions.size for part in grants.classes) == grants.actions.size
    for grant in grants.grants:
        keys = grant.actions.keys(SMALL)
        assert keys
        assert all(grant in grants.by_action[key] for key in keys)
    assert sum(map(len, grants.by_action.values())) == sum(grant.actions.size for grant in grants.grants)


@settings(deadline=None, max_examples=100)
@given(st.lists(documents(), min_size=1, max_size=2), st.one_of(st.none(), documents()))
def test_every_grant_knows_the_statement_that_it_comes_from(bodies: list[Body], boundary: Body | None) -> None:
    detail = identity(*bodies, boundary=boundary)
    documents_by_source = {policy.source: policy.document for policy in detail.policies}

    for grant in effective_grants(detail, SMALL).grants:
        (statement,) = parse_document({"Statement": documents_by_source[grant.source]["Statement"][grant.statement]})
        assert statement.effect is Effect.ALLOW
        assert all(admits(statement, key) for key in grant.actions.keys(SMALL))


@settings(deadline=None, max_examples=150)
@given(documents(conditions=False))
def test_what_is_always_denied_is_not_granted(body: Body) -> None:
    grants = effective_grants(identity(body), SMALL)
    denied_everywhere = [one for one in body["Statement"] if one["Effect"] == "Deny" and "*" in one.get("Resource", [])]

    for action in grants.by_action:
        deny_only = {"Statement": denied_everywhere}
        allow_all = document({"Action": "*"})
        assert allowed([allow_all, deny_only], action, "arn:aws:s3:::a", ()), action


def test_not_action_grants_the_rest() -> None:
    assert granted(document({"NotAction": ["s3:*", "iam:*"]})) == {"sqs:sendmessage"}


def test_an_unconditional_deny_of_everything_removes() -> None:
    deny = {"Effect": "Deny", "Action": "iam:*"}

    assert granted(document({"Action": ["iam:*", "sqs:*"]}, deny)) == {"sqs:sendmessage"}
    assert granted(document({"Action": ["iam:*", "sqs:*"]}), document(deny)) == {"sqs:sendmessage"}


def test_two_denies_never_grant_again() -> None:
    body = document({"Action": "*"}, {"Effect": "Deny", "NotAction": "s3:*"}, {"Effect": "Deny", "NotAction": "iam:*"})

    assert granted(body) == set()


def test_a_conditional_deny_takes_nothing_away_for_sure() -> None:
    deny = {"Effect": "Deny", "Action": "*", "Condition": MFA}

    assert granted(document({"Action": "iam:PassRole"}, deny)) == {"iam:passrole"}


def test_a_limited_deny_limits_exactly_what_it_covers() -> None:
    allow = {"Action": "s3:GetObject", "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/x"]}
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
    grants = effective_grants(identity(document(allow, deny)), SMALL)

    assert one_grant(grants, "s3:getobject").resources == ("arn:aws:s3:::a/*",)
    assert granted(document({"Action": "s3:GetObject"}, deny)) == {"s3:getobject"}
    spare = {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/*"}
    grants = effective_grants(identity(document(allow, spare)), SMALL)
    assert one_grant(grants, "s3:getobject").resources == ("arn:aws:s3:::b/x",)


def test_a_boundary_intersects_actions_and_resources() -> None:
    body = document({"Action": ["s3:GetObject", "iam:*"], "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::c"]})
    boundary = document({"Action": "s3:*", "Resource": "arn:aws:s3:::a/x", "Condition": MFA})
    grants = effective_grants(identity(body, boundary=boundary), SMALL)

    assert set(grants.by_action) == {"s3:getobject"}
    grant = one_grant(grants, "s3:getobject")
    assert grant.resources == ("arn:aws:s3:::a/x",)
    assert grant.conditional
    assert grant.source.name == "p0"


def test_a_boundary_that_denies_takes_away() -> None:
    boundary = document({"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"})

    assert granted(document({"Action": ["iam:PassRole", "s3:GetObject"]}), boundary=boundary) == {"s3:getobject"}


def test_an_empty_boundary_statement_list_leaves_only_what_it_allows() -> None:
    assert granted(document({"Action": "*"}), boundary=document({"Effect": "Deny", "Action": "s3:*"})) == set()


def test_unknown_actions_are_kept_and_unknown_wildcards_reported() -> None:
    grants = effective_grants(identity(document({"Action": ["new:Thing", "new:*", "s3:GetObject"]})), SMALL)

    assert set(grants.by_action) == {"new:thing", "s3:getobject"}
    assert grants.unknown_patterns == ("new:*",)
    denied = document({"Action": "new:*"}, {"Effect": "Deny", "Action": "new:*"})
    assert effective_grants(identity(denied), SMALL).unknown_patterns == ()
    outside = effective_grants(identity(document({"Action": "new:*"}), boundary=document({"Action": "s3:*"})), SMALL)
    assert outside.unknown_patterns == ()


def test_what_only_limits_never_adds_an_action() -> None:
    everything, naming = document({"Action": "*"}), document({"Action": ["new:Thing", "s3:GetObject"]})
    maybe = document({"Effect": "Deny", "Action": "new:Thing", "Condition": MFA})

    assert granted(everything, maybe) == SMALL.keys
    assert granted(everything, boundary=naming) == {"s3:getobject"}
    asked = effective_grants(identity(everything, boundary=naming), SMALL, others=frozenset({"new:thing", "new:x"}))
    assert set(asked.by_action) == {"s3:getobject", "new:thing"}


def test_every_level_of_an_organization_must_allow() -> None:
    body = document({"Action": ["s3:GetObject", "s3:PutObject", "iam:*"]})
    full, no_iam = document({"Action": "*"}), document({"Action": "*"}, {"Effect": "Deny", "Action": "iam:*"})
    only_reads = document({"Action": "s3:Get*", "Resource": "arn:aws:s3:::a/*"})

    def held(*levels: list[Body]) -> set[str]:
        return set(effective_grants(identity(body), SMALL, levels).by_action)

    assert held() == held([full], [full]) == granted(body)
    assert held([full], [no_iam]) == {"s3:getobject", "s3:putobject"}
    assert held([full], [only_reads, no_iam]) == {"s3:getobject", "s3:putobject"}
    assert held([full], [only_reads]) == {"s3:getobject"}
    assert held([full], []) == set()


def test_an_organization_does_not_limit_a_service_linked_role() -> None:
    detail = identity(document({"Action": "s3:GetObject"}))
    role = IdentityRef(
        account_id="111122223333",
        identity_id="AROAEXAMPLE0001",
        arn="arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
    )
    plain = role.model_copy(update={"arn": "arn:aws:iam::111122223333:role/AWSServiceRoleForX"})

    assert effective_grants(detail.model_copy(update={"ref": role}), SMALL, [[]]).by_action
    assert not effective_grants(detail.model_copy(update={"ref": plain}), SMALL, [[]]).by_action


def test_a_deny_that_may_apply_stays_with_the_grant() -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*/x"}
    body = document({"Action": ["s3:GetObject", "iam:GetRole"], "Resource": "arn:aws:s3:::a/*"}, deny)
    (grant,) = effective_grants(identity(body), SMALL).grants

    assert [one.resources for one in grant.unless] == [("arn:aws:s3:::*/x",)]
    assert not grant.conditional


def test_what_cannot_be_written_as_one_list_of_patterns_must_lie_within_both() -> None:
    body, boundary = (document({"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{one}"}) for one in ("a*", "*z"))
    (grant,) = effective_grants(identity(body, boundary=boundary), SMALL).grants

    assert grant.resources == ("arn:aws:s3:::a*",)
    assert grant.within == (Scope(("arn:aws:s3:::a*",)), Scope(("arn:aws:s3:::*z",)))


def test_a_policy_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(PolicyDocumentError):
        effective_grants(identity(document({"Action": "s3:*"}), {"Statement": [{"Effect": "Deny"}]}), SMALL)
    with pytest.raises(PolicyDocumentError, match="JSON"):
        effective_grants(identity({"Statement": {1, 2}}), SMALL)


def test_a_limit_apart_from_an_earlier_one_leaves_nothing() -> None:
    # neither level alone takes the grant away, and where its pattern meets the first can't be written as one pattern
    buckets = "arn:aws:s3:::*"
    first = [document({"Action": "s3:GetObject", "Resource": buckets})]
    second = [document({"Action": "s3:GetObject", "NotResource": buckets})]
    for resource in ("arn:aws:*:*:111122223333:*", "*"):
        held = identity(document({"Action": "s3:GetObject", "Resource": resource}))
        assert not effective_grants(held, SMALL, [first, second]).grants


def test_limits_are_met_pattern_by_pattern_however_they_are_split() -> None:
    held = identity(
        document({"Action": "iam:GetRole", "Resource": "arn:aws:iam::111122223333:user/team/${aws:username}"})
    )
    first = [document({"Action": "*", "NotResource": "*/admin*"})]
    patterns = ["*/admin*", "arn:aws:s3:::*"]
    together = [document({"Action": "*", "Resource": patterns})]
    split = [document(*({"Action": "*", "Resource": pattern} for pattern in patterns))]
    answers = [effective_grants(held, SMALL, [first, second]).actions for second in (together, split)]
    assert answers[0] == answers[1]


def test_grants_are_met_pattern_by_pattern_however_they_are_split() -> None:
    alice, oneself = (f"arn:aws:iam::111122223333:user/team/{one}" for one in ("alice", "${aws:username}"))
    levels = [
        [document({"Action": "iam:GetRole", "Resource": oneself})],
        [document({"Action": "iam:*", "NotResource": alice})],
    ]
    for resources in ([alice], ["arn:aws:s3:::*", alice]):
        held = identity(document({"Action": "iam:GetRole", "Resource": resources}))
        assert not effective_grants(held, SMALL, levels).grants
