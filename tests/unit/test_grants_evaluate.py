"""The grants of an identity say what the evaluation of each request says, with conditions and policy variables."""

import itertools
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.actions import admits
from shared.iam.conditions.matching import compile_conditions
from shared.iam.evaluate import Outcome, Policies, compile_policies
from shared.iam.grants import Grant, effective_grants
from shared.iam.patterns.arns import compile_resources
from shared.iam.policy import Statement
from shared.iam.request import Context, Request, context_of
from shared.iam.scopes import Scope
from tests.unit.iam_oracle import ACTION_PATTERNS, REF, SMALL, identity, one_or_more

Body = dict[str, Any]

ACTIONS = (
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:PutObject",
    "iam:PassRole",
    "sqs:SendMessage",
    "new:Thing",
    "s3:x",
)
RESOURCE_PATTERNS = (
    "*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::*/x",
    "arn:aws:s3:::?/x",
    "arn:aws:s3*",
    "arn:*:s3:::a/x",
    "arn:aws:s3:*:a/x",
    "arn:aws:s3:::${aws:username}/*",
    "arn:aws:s3:::${aws:username}/x",
    "arn:aws:s3:::${aws:PrincipalTag/team, 'a'}/*",
    "arn:aws:s3:::${aws:PrincipalTag/team}/*",
    "arn:aws:iam::111122223333:role/*",
)
RESOURCES = ("*", "arn:aws:s3:::a/x", "arn:aws:s3:::a/b/x", "arn:aws:s3:::b/x", "arn:aws:iam::111122223333:role/r")
CONDITIONS: tuple[Mapping[str, Any], ...] = (
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}, "StringLike": {"aws:PrincipalTag/team": "?"}},
)
CONTEXTS = [
    context_of(
        {"aws:username": name}
        | ({} if mfa is None else {"aws:MultiFactorAuthPresent": mfa})
        | ({} if region is None else {"aws:RequestedRegion": region})
        | ({} if team is None else {"aws:PrincipalTag/team": team})
    )
    for name, mfa, region, team in itertools.product(
        ("a", "b"), (None, "true", "false"), (None, "eu-west-1", "eu-west-2"), (None, "b", "long")
    )
]
SAMPLED = list(itertools.product(ACTIONS, RESOURCES, CONTEXTS))


@st.composite
def statements(draw: st.DrawFn) -> Body:
    """Statements whose resources only overlap, or depend on the caller, more often than in practice."""
    condition = draw(st.sampled_from((None, None, None, *CONDITIONS)))
    return {
        "Effect": draw(st.sampled_from(("Allow", "Allow", "Deny"))),
        draw(st.sampled_from(("Action", "Action", "NotAction"))): draw(one_or_more(ACTION_PATTERNS)),
        draw(st.sampled_from(("Resource", "Resource", "NotResource"))): draw(one_or_more(RESOURCE_PATTERNS)),
    } | ({"Condition": condition} if condition else {})


DOCUMENTS = st.lists(statements(), min_size=1, max_size=3).map(
    lambda found: {"Version": "2012-10-17", "Statement": found}
)
BODIES = st.lists(DOCUMENTS, min_size=1, max_size=2)
LEVELS = st.one_of(st.none(), st.lists(st.lists(DOCUMENTS, max_size=2), max_size=2))


def applies(statement: Statement, request: Request) -> bool:
    return (
        admits(statement, request.action.lower())
        and reaches(Scope(statement.resources, statement.not_resources), request)
        and holds(statement.conditions, request.context)
    )


def reaches(scope: Scope, request: Request) -> bool:
    patterns = scope.resources or scope.not_resources
    return compile_resources(patterns).test(request.resource, request.context) is bool(scope.resources)


def holds(conditions: Any, context: Context) -> bool:
    test = compile_conditions(conditions)
    return test is None or test(context)


def covers(grant: Grant, request: Request) -> bool:
    return (
        all(reaches(scope, request) for scope in (Scope(grant.resources, grant.not_resources), *grant.within))
        and holds(grant.conditions, request.context)
        and not any(applies(deny, request) for deny in grant.unless)
    )


@settings(deadline=None, max_examples=150)
@given(BODIES, st.one_of(st.none(), DOCUMENTS), LEVELS, st.lists(st.sampled_from(SAMPLED), min_size=40, max_size=40))
def test_evaluate_allows_exactly_what_a_grant_covers(
    bodies: list[Body], boundary: Body | None, levels: list[list[Body]] | None, sampled: list[tuple[str, str, Context]]
) -> None:
    case = {
        "identity_policies": bodies,
        "permissions_boundaries": None if boundary is None else [boundary],
        "service_control_policies": levels,
    }
    evaluator = compile_policies(Policies.parse({field: found for field, found in case.items() if found is not None}))
    others = frozenset(action.lower() for action in ACTIONS)
    grants = effective_grants(identity(*bodies, boundary=boundary), SMALL, levels, others)

    for action, resource, context in sampled:
        request = Request(REF.arn, action, resource, context=context)
        covered = any(covers(grant, request) for grant in grants.by_action.get(action.lower(), ()))
        assert covered is (evaluator.evaluate(request).outcome is Outcome.ALLOW), request
