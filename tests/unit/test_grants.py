"""What an identity holds, held to a naive evaluation of every sample request."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam import scopes
from shared.iam.grants import Grant, Grants, effective_grants
from tests.unit.iam_oracle import (
    CONDITIONS,
    SMALL,
    allowed,
    contexts,
    document,
    documents,
    identity,
    requests,
)

MFA = CONDITIONS[0]


def granted(*bodies: dict[str, Any], boundary: dict[str, Any] | None = None) -> set[str]:
    return set(effective_grants(identity(*bodies, boundary=boundary), SMALL).by_action)


def one_grant(grants: Grants, action: str) -> Grant:
    (grant,) = grants.by_action[action]
    return grant


@settings(deadline=None, max_examples=150)
@given(st.lists(documents(), min_size=1, max_size=2), st.one_of(st.none(), documents()))
def test_nothing_that_is_allowed_is_missing(bodies: list[dict[str, Any]], boundary: dict[str, Any] | None) -> None:
    grants = effective_grants(identity(*bodies, boundary=boundary), SMALL)
    layers = [bodies] if boundary is None else [bodies, [boundary]]

    for action, resource in requests():
        named = action in SMALL or action == "new:thing"
        if named and any(all(allowed(layer, action, resource, held) for layer in layers) for held in contexts()):
            reaching = [grant for grant in _grants_of(grants, action) if scopes.might_reach(grant, resource)]
            assert reaching or _by_unknown_pattern(grants, action), (action, resource)


def _grants_of(grants: Grants, action: str) -> tuple[Grant, ...]:
    return grants.by_action.get(action, ())


def _by_unknown_pattern(grants: Grants, action: str) -> bool:
    # an action outside the catalogue that only a wildcard grants can't be named
    return action not in SMALL and action not in grants.by_action


@settings(deadline=None, max_examples=150)
@given(documents(conditions=False))
def test_what_is_always_denied_is_not_granted(body: dict[str, Any]) -> None:
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
