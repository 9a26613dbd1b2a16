"""The evaluator against a naive second one, the laws that every decision keeps, and what the reasons say."""

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import InputError, PolicyDocumentError
from shared.iam import evaluate as engine
from shared.iam.evaluate import MESSAGES, Code, Decision, Outcome, Policies, compile_policies, evaluate
from shared.iam.evaluation.cases import parse_case
from shared.iam.policy import parse_document
from shared.iam.request import Request
from tests.unit import evaluate_oracle
from tests.unit.evaluate_cases import (
    HOME,
    LEVELS,
    LISTS,
    OTHER,
    WITH_PRINCIPALS,
    made_policies,
    made_request,
    made_statement,
)

ALICE = f"arn:aws:iam::{HOME}:user/alice"
APP = f"arn:aws:sts::{HOME}:assumed-role/app/one"
OBJECT = "arn:aws:s3:::bucket/a"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
FOR_ALL = EVERYTHING | {"Principal": "*"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(
    principal: str = ALICE,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    context: dict[str, Any] | None = None,
    **fields: Any,
) -> Decision:
    request = {"principal": principal, "action": action, "resource": resource, "context": context or {}}
    return evaluate(*parse_case({"request": request, **fields}))


def codes(decision: Decision) -> list[str]:
    return [reason.code.value for reason in decision.reasons]


CHANCES = st.integers(min_value=0, max_value=2**64).map(Random)


@settings(deadline=None, max_examples=800)
@given(CHANCES)
def test_the_engine_decides_as_the_naive_evaluator_does(chance: Random) -> None:
    case = made_policies(chance)
    evaluator = compile_policies(Policies.parse(case))
    for _ in range(8):
        whole = {"request": made_request(chance), **case}

        decision = evaluator.evaluate(parse_case(whole).request)

        assert decision.outcome == evaluate_oracle.decide(whole), (whole, decision.as_json())


@settings(deadline=None, max_examples=60)
@given(CHANCES)
def test_what_was_asked_before_changes_nothing(chance: Random) -> None:
    parsed = Policies.parse(made_policies(chance))
    asked = [parse_case({"request": made_request(chance)}).request for _ in range(20)]
    evaluator = compile_policies(parsed)

    answers = [evaluator.evaluate(request) for request in (*asked, *reversed(asked))]

    assert answers == [evaluate(request, parsed) for request in (*asked, *reversed(asked))]


@settings(deadline=None, max_examples=400)
@given(CHANCES)
def test_one_more_deny_never_lets_more_through(chance: Random) -> None:
    before, after = _before_and_after(chance, "Deny")

    assert after is before or after is Outcome.EXPLICIT_DENY


@settings(deadline=None, max_examples=400)
@given(CHANCES)
def test_one_more_allow_beside_others_never_takes_anything(chance: Random) -> None:
    before, after = _before_and_after(chance, "Allow")

    assert after is before or after is Outcome.ALLOW


def _before_and_after(chance: Random, effect: str) -> tuple[Outcome, Outcome]:
    """The outcome with and without one more statement, beside another of its effect."""
    case, request = made_policies(chance), made_request(chance)
    before = evaluate(*parse_case({"request": request, **case})).outcome
    more = copy.deepcopy(case)
    places = [
        (field, found)
        for field, found in _documents(more)
        if any(statement["Effect"] == effect for statement in found["Statement"])
    ]
    assume(places)
    field, found = chance.choice(places)
    found["Statement"].append(made_statement(chance, named=field in WITH_PRINCIPALS) | {"Effect": effect})
    return before, evaluate(*parse_case({"request": request, **more})).outcome


@settings(deadline=None, max_examples=250)
@given(CHANCES)
def test_reasons_name_exactly_the_statements_that_deny(chance: Random) -> None:
    made = ((made_policies(chance), made_request(chance)) for _ in range(30))
    case, request = next((one for one in made if _outcome(one[1], one[0]) == "EXPLICIT_DENY"), ({}, {}))
    assume(case)
    decision = evaluate(*parse_case({"request": request, **case}))

    alone = [
        with_one_deny
        for with_one_deny in _with_single_denies(case)
        if _outcome(request, with_one_deny) == "EXPLICIT_DENY"
    ]

    assert len(decision.reasons) == len(set(decision.reasons)) == len(alone)
    assert all(reason.code is Code.DENY for reason in decision.reasons)


def _outcome(request: dict[str, Any], case: dict[str, Any]) -> str:
    return evaluate(*parse_case({"request": request, **case})).outcome


def _with_single_denies(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each Deny statement the case in which all other Deny statements speak of nothing."""
    denies = [
        statement
        for _field, found in _documents(case)
        for statement in found["Statement"]
        if statement["Effect"] == "Deny"
    ]
    for kept in range(len(denies)):
        single = copy.deepcopy(case)
        others = [
            statement
            for _field, found in _documents(single)
            for statement in found["Statement"]
            if statement["Effect"] == "Deny"
        ]
        for other in others[:kept] + others[kept + 1 :]:
            other.pop("NotAction", None)
            other["Action"] = "none:Nothing"
        yield single


def _documents(case: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field in LISTS:
        yield from ((field, found) for found in case.get(field, []))
    for field in LEVELS:
        yield from ((field, found) for level in case.get(field, []) for found in level)
    if "resource_policy" in case:
        yield "resource_policy", case["resource_policy"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, ["no_identity_allow"], id="nothing"),
        pytest.param({"identity_policies": [document(EVERYTHING)]}, ["identity_allow"], id="identity"),
        pytest.param(
            {"identity_policies": [document(EVERYTHING)], "permissions_boundaries": []},
            ["no_boundary_allow"],
            id="empty-boundary",
        ),
        pytest.param(
            {"identity_policies": [document(EVERYTHING)], "session_policies": []},
            ["identity_allow"],
            id="empty-session",
        ),
        pytest.param(
            {"identity_policies": [document(EVERYTHING)], "service_control_policies": []},
            ["identity_allow"],
            id="no-level",
        ),
        pytest.param(
            {"identity_policies": [document(EVERYTHING)], "service_control_policies": [[document(EVERYTHING)], []]},
            ["no_scp_allow"],
            id="empty-level",
        ),
        pytest.param(
            {"identity_policies": [document(EVERYTHING)], "resource_control_policies": [[], []]},
            ["identity_allow"],
            id="levels-with-the-managed-rcp-alone",
        ),
        pytest.param(
            {"identity_policies": [document(EVERYTHING)], "endpoint_policies": []},
            ["identity_allow"],
            id="endpoint-with-its-default-policy",
        ),
        pytest.param(
            {
                "identity_policies": [document(EVERYTHING)],
                "permissions_boundaries": [document(EVERYTHING)],
                "session_policies": [document(EVERYTHING)],
                "service_control_policies": [[document(EVERYTHING)], [document(EVERYTHING)]],
                "resource_control_policies": [[document(FOR_ALL)]],
                "endpoint_policies": [document(FOR_ALL)],
            },
            [
                "rcp_allow",
                "scp_allow",
                "scp_allow",
                "endpoint_allow",
                "identity_allow",
                "boundary_allow",
                "session_allow",
            ],
            id="every-kind-allows",
        ),
        pytest.param({"resource_policy": document(FOR_ALL)}, ["resource_allow"], id="resource-policy-alone"),
        pytest.param(
            {"resource_policy": document(FOR_ALL | {"Principal": {"AWS": HOME}})},
            ["no_resource_allow", "no_identity_allow"],
            id="neither-of-two-ways",
        ),
    ],
)
def test_reasons_tell_what_allowed_or_what_was_missing(fields: dict[str, Any], expected: list[str]) -> None:
    assert codes(decide(**fields)) == expected


def test_a_reason_says_where_its_statement_stands() -> None:
    deny = {"Sid": "NoReads", "Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}
    levels = [[document(EVERYTHING)], [document(EVERYTHING), document(EVERYTHING, deny)]]

    decision = decide(identity_policies=[document(EVERYTHING)], service_control_policies=levels)

    assert decision.as_json() == {
        "decision": "EXPLICIT_DENY",
        "reasons": [
            {
                "code": "explicit_deny",
                "policy_type": "service_control",
                "policy": 1,
                "level": 1,
                "statement": 1,
                "sid": "NoReads",
                "message": MESSAGES[Code.DENY],
            }
        ],
    }


def test_every_code_has_a_message() -> None:
    assert set(MESSAGES) == set(Code)


RARELY = [
    # principal, action, resource, policies, outcome
    pytest.param(
        ALICE,
        "s3:GetObject",
        OBJECT,
        {
            "identity_policies": [document(EVERYTHING)],
            "permissions_boundaries": [document(EVERYTHING)],
            "resource_policy": document(
                {"Effect": "Deny", "NotPrincipal": {"AWS": ALICE}, "Action": "*", "Resource": "*"}
            ),
        },
        "EXPLICIT_DENY",
        id="deny-with-not-principal-never-spares-who-has-a-boundary",
    ),
    pytest.param(
        APP,
        "s3:GetObject",
        OBJECT,
        {
            "identity_policies": [document(EVERYTHING)],
            "resource_policy": document(
                {
                    "Effect": "Deny",
                    "NotPrincipal": {"AWS": [f"arn:aws:iam::{HOME}:role/app", HOME]},
                    "Action": "*",
                    "Resource": "*",
                }
            ),
        },
        "EXPLICIT_DENY",
        id="deny-with-not-principal-spares-a-session-by-its-own-arn-only",
    ),
    pytest.param(
        f"arn:aws:iam::{HOME}:root",
        "s3:GetObject",
        OBJECT,
        {
            "resource_policy": document(
                {"Effect": "Deny", "NotPrincipal": {"AWS": HOME}, "Action": "*", "Resource": "*"}
            )
        },
        "ALLOW",
        id="deny-with-not-principal-spares-the-root-user-by-its-account",
    ),
    pytest.param(
        ALICE,
        "iam:GetPolicy",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        {"identity_policies": [document(EVERYTHING)]},
        "ALLOW",
        id="what-belongs-to-aws-is-of-no-other-account",
    ),
    pytest.param(HOME, "s3:GetObject", OBJECT, {}, "ALLOW", id="an-account-id-is-its-root-user"),
    pytest.param(
        ALICE,
        "kms:RetireGrant",
        f"arn:aws:kms:eu-west-1:{HOME}:key/1",
        {
            "resource_policy": document(FOR_ALL),
            "resource_control_policies": [[document(FOR_ALL | {"Effect": "Deny", "Action": "kms:*"})]],
        },
        "ALLOW",
        id="rcps-have-no-say-in-retiring-grants",
    ),
    pytest.param(
        "app.amazonaws.com",
        "sts:AssumeRole",
        f"arn:aws:iam::{HOME}:role/aws-service-role/app.amazonaws.com/AWSServiceRoleForApp",
        {
            "resource_policy": document(
                {"Effect": "Allow", "Principal": {"Service": "app.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ),
            "resource_control_policies": [[document(FOR_ALL | {"Effect": "Deny", "Action": "sts:*"})]],
        },
        "ALLOW",
        id="rcps-dont-keep-services-from-their-linked-roles",
    ),
    pytest.param(
        f"arn:aws:sts::{HOME}:federated-user/alice",
        "s3:GetObject",
        OBJECT,
        {
            "session_policies": [document(EVERYTHING)],
            "resource_policy": document(FOR_ALL | {"Principal": {"AWS": f"arn:aws:iam::{HOME}:user/alice"}}),
        },
        "IMPLICIT_DENY",
        id="a-federated-session-of-a-users-name-need-not-be-that-users",
    ),
    pytest.param(
        f"arn:aws:sts::{HOME}:federated-user/alice",
        "s3:GetObject",
        OBJECT,
        {"identity_policies": [document(EVERYTHING)], "session_policies": []},
        "IMPLICIT_DENY",
        id="a-federated-user-without-session-policies-holds-nothing",
    ),
    pytest.param(
        f"arn:aws-us-gov:iam::{HOME}:user/alice",
        "s3:GetObject",
        OBJECT,
        {"resource_policy": document(FOR_ALL | {"Principal": {"AWS": ALICE}})},
        "IMPLICIT_DENY",
        id="the-partition-is-part-of-a-name",
    ),
    pytest.param(
        f"arn:aws-us-gov:iam::{HOME}:user/alice",
        "s3:GetObject",
        OBJECT,
        {
            "identity_policies": [document(EVERYTHING)],
            "resource_policy": document(
                FOR_ALL | {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"}}
            ),
        },
        "ALLOW",
        id="the-partition-is-part-of-an-account",
    ),
]


@pytest.mark.parametrize(("principal", "action", "resource", "fields", "outcome"), RARELY)
def test_what_the_guides_say_in_passing(
    principal: str, action: str, resource: str, fields: dict[str, Any], outcome: str
) -> None:
    assert decide(principal, action, resource, **fields).outcome == outcome


@pytest.mark.parametrize(
    ("principal", "key", "value"),
    [
        (ALICE, "aws:PrincipalArn", ALICE),
        (ALICE, "aws:username", "alice"),
        (ALICE, "aws:PrincipalType", "User"),
        (ALICE, "aws:ResourceAccount", HOME),
        (ALICE, "aws:PrincipalIsAWSService", "false"),
        (APP, "aws:PrincipalArn", f"arn:aws:iam::{HOME}:role/app"),
        (APP, "aws:PrincipalType", "AssumedRole"),
        (f"arn:aws:iam::{HOME}:root", "aws:PrincipalType", "Account"),
        (f"arn:aws:iam::{HOME}:root", "aws:userid", HOME),
        (f"arn:aws:sts::{HOME}:federated-user/alice", "aws:userid", f"{HOME}:alice"),
        ("*", "aws:PrincipalAccount", "anonymous"),
        ("*", "aws:PrincipalType", "Anonymous"),
        ("app.amazonaws.com", "aws:PrincipalServiceName", "app.amazonaws.com"),
        ("app.amazonaws.com", "aws:PrincipalIsAWSService", "true"),
    ],
)
def test_iam_knows_keys_that_nobody_gives(principal: str, key: str, value: str) -> None:
    policy = document(FOR_ALL | {"Effect": "Deny", "Condition": {"StringEquals": {key: value}}})

    assert decide(principal, resource_policy=policy).outcome is Outcome.EXPLICIT_DENY
    assert decide(principal, context={key: "given"}, resource_policy=policy).outcome is not Outcome.EXPLICIT_DENY


@pytest.mark.parametrize(
    ("principal", "key"),
    [
        ("*", "aws:PrincipalArn"),
        ("*", "aws:PrincipalIsAWSService"),
        (APP, "aws:username"),
        (f"arn:aws:iam::{HOME}:root", "aws:username"),
        (ALICE, "aws:PrincipalServiceName"),
        (f"arn:aws:iam::{HOME}:saml-provider/corp", "aws:PrincipalAccount"),
    ],
)
def test_a_key_that_a_caller_has_not_is_absent(principal: str, key: str) -> None:
    policy = document(FOR_ALL | {"Effect": "Deny", "Condition": {"Null": {key: "true"}}})

    assert decide(principal, resource_policy=policy).outcome is Outcome.EXPLICIT_DENY


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            {"identity_policies": [document(EVERYTHING, {"Effect": "Allow", "Resource": "*"})]},
            "identity_policies[0].Statement[1]: ",
        ),
        ({"service_control_policies": [document(EVERYTHING)]}, "service_control_policies[0]: "),
        ({"resource_policy": [document(FOR_ALL)]}, "resource_policy: "),
        ({"resource_policy": document(EVERYTHING)}, "resource_policy.Statement[0]: "),
        ({"session_policies": [document(FOR_ALL)]}, "session_policies[0].Statement[0]: "),
        ({"identity_policy": document(EVERYTHING)}, "identity_policy: unknown"),
        ({"scps": [[document(EVERYTHING)]]}, "scps: unknown"),
        ({"resource_account": HOME}, "resource_account: belongs into request"),
        (
            {"request": {"principal": ALICE, "action": "s3:Get", "resource": "*", "resource_account": "1-2"}},
            "request.resource_account: ",
        ),
        ({"request": {"principal": ALICE, "action": "s3:GetObject"}}, "request.resource: "),
        (
            {"request": {"principal": ALICE, "action": "s3:GetObject", "resource": "*", "kontext": {}}},
            "request.kontext: ",
        ),
        (
            {"request": {"principal": ALICE, "action": "s3:GetObject", "resource": "*", "context": {"a": {}}}},
            "request.context",
        ),
        ({"request": {"principal": "alice", "action": "s3:GetObject", "resource": "*"}}, "principal 'alice': "),
        (
            {"request": {"principal": f"arn:aws:iam::{HOME}:group/a", "action": "s3:GetObject", "resource": "*"}},
            "principal ",
        ),
        (
            {"request": {"principal": f"arn:aws:sts::{HOME}:assumed-role/a", "action": "s3:Get", "resource": "*"}},
            "principal ",
        ),
        ({"request": {"principal": ALICE, "action": "GetObject", "resource": "*"}}, "action 'GetObject': "),
        ({"request": "s3:GetObject"}, "request: "),
    ],
)
def test_a_bad_case_is_refused_with_its_place(case: dict[str, Any], message: str) -> None:
    whole = {"request": {"principal": ALICE, "action": "s3:GetObject", "resource": OBJECT}, **case}

    with pytest.raises(InputError) as caught:
        evaluate(*parse_case(whole))

    assert str(caught.value).startswith(message)


def test_a_bad_document_keeps_its_code() -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        Policies.parse({"permissions_boundaries": [document(EVERYTHING | {"Effect": "Permit"})]})

    assert (caught.value.code, caught.value.path) == ("effect", "permissions_boundaries[0].Statement[0].Effect")


@pytest.mark.parametrize(("effect", "outcome"), [("Allow", "IMPLICIT_DENY"), ("Deny", "EXPLICIT_DENY")])
def test_a_resource_policy_that_names_nobody_gives_nothing_and_spares_nobody(effect: str, outcome: str) -> None:
    unnamed = Policies(resource=parse_document(document(EVERYTHING | {"Effect": effect})))

    assert evaluate(Request(ALICE, "s3:GetObject", OBJECT), unnamed).outcome == outcome


def test_plans_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PLANS_KEPT", 3)
    evaluator = compile_policies(Policies.parse({"identity_policies": [document(EVERYTHING | {"Action": "s3:*9"})]}))
    asked = [
        parse_case({"request": {"principal": ALICE, "action": f"s3:A{n}", "resource": OTHER}}).request
        for n in range(20)
    ]

    allowed = [n for n, request in enumerate(asked) if evaluator.evaluate(request).outcome is Outcome.ALLOW]

    assert allowed == [9, 19]
