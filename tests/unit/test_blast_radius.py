"""The remediator's roles as the template renders them, asked what they may do: the most that a mistake can cost.

Whether each statement matters is tested as well: with any one of them left out, some answer differs.
"""

import itertools
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from infra.build.template import ROOT
from shared.iam.evaluate import Evaluator, Policies, compile_policies
from shared.iam.evaluation.decisions import Outcome
from shared.iam.request import Request, context_of
from tests.unit.blast_radius_probes import COLUMNS, DATA_KEY, GIVES, GUARD, RECONCILES, ROWS, TAKES, Column
from tests.unit.rendered_roles import ACCOUNT, Document, Role, Stack

ANSWERS = {Outcome.ALLOW: "+", Outcome.IMPLICIT_DENY: ".", Outcome.EXPLICIT_DENY: "x"}
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/{{}}/function"
DUTIES = {"takes away": TAKES, "gives back": GIVES, "reconciles": RECONCILES}
MAX_POLICY_CHARACTERS = 6_144
MAX_ATTACHED_POLICIES = 10


class Probe(NamedTuple):
    """One question to one role, and the answer that is right."""

    column: Column
    role: str
    action: str
    resource: str
    context: Mapping[str, Any]
    expected: str


PROBES = tuple(
    Probe(column, role, action, resource, context, expected)
    for action, resource, context, answers in ROWS
    for column, expected in zip(COLUMNS, answers.replace(" ", ""), strict=True)
    for role in column.roles
)


@cache
def stack(strategy: str) -> Stack:
    return Stack(
        Strategy=strategy, GuardPolicyArns=f"{GUARD},arn:aws:iam::aws:policy/Other", AccessAnalyzerChecks="true"
    )


@cache
def key_policy() -> Document:
    return Stack(ROOT / "infra" / "sam" / "data.yaml").resource_policy("DataKey")


def evaluator(role: Role, column: Column, resource: str = "") -> Evaluator:
    extra = [EVERYTHING] if column.overreach else []
    case: dict[str, Any] = {
        "identity_policies": [*role.policies.values(), *extra],
        "permissions_boundaries": list(role.boundary.values()),
    }
    if resource == DATA_KEY:  # without its own policy, nobody may use a key
        case["resource_policy"] = key_policy()
    return compile_policies(Policies.parse(case))


def answer(engine: Evaluator, probe: Probe) -> str:
    request = Request(CALLER.format(probe.role), probe.action, probe.resource, ACCOUNT, context_of(probe.context))
    return ANSWERS[engine.evaluate(request).outcome]


def wrong(roles: Mapping[tuple[str, Column], Role]) -> list[str]:
    """Every probe of these roles that isn't answered as it should be."""
    engines = {
        (*key, of_key): evaluator(role, key[1], DATA_KEY if of_key else "")
        for key, role in roles.items()
        for of_key in (False, True)
    }
    return [
        f"{probe.role}, {probe.column.strategy}, {probe.action} on {probe.resource} with {dict(probe.context)}: {got}"
        for probe in PROBES
        if (engine := engines.get((probe.role, probe.column, probe.resource == DATA_KEY)))
        and (got := answer(engine, probe)) != probe.expected
    ]


def rendered() -> dict[tuple[str, Column], Role]:
    return {(role, column): stack(column.strategy).role(role) for column in COLUMNS for role in column.roles}


def without(document: Document, number: int) -> Document:
    return document | {"Statement": [one for index, one in enumerate(document["Statement"]) if index != number]}


def statements() -> list[tuple[str, int, str]]:
    """Every statement that decides for one of these roles: policy, position and, for a person, its Sid."""
    found = {
        (name, number, statement.get("Sid", f"{statement['Action']}"))
        for role in rendered().values()
        for name, document in (role.policies | role.boundary).items()
        for number, statement in enumerate(document["Statement"])
        if "Sid" in statement
    }
    return sorted(found)


def test_the_remediators_roles_can_do_what_they_need_and_no_more() -> None:
    assert len(ROWS) >= 150
    assert wrong(rendered()) == []


@pytest.mark.parametrize(("policy", "number", "sid"), statements(), ids=str)
def test_given_a_statement_is_left_out_when_roles_are_probed_then_some_answer_is_wrong(
    policy: str, number: int, sid: str
) -> None:
    def mutated(documents: dict[str, Document]) -> dict[str, Document]:
        return {name: without(one, number) if name == policy else one for name, one in documents.items()}

    broken = {
        key: Role(mutated(role.policies), mutated(role.boundary))
        for key, role in rendered().items()
        if policy in role.policies | role.boundary
    }
    assert broken, sid
    assert wrong(broken), f"no probe notices that {sid} of {policy} is gone"


def test_given_every_deny_of_these_roles_when_statements_are_left_out_then_none_is_passed_over() -> None:
    denies = {
        (name, number)
        for role in rendered().values()
        for name, document in (role.policies | role.boundary).items()
        for number, statement in enumerate(document["Statement"])
        if statement["Effect"] == "Deny"
    }
    assert denies
    assert denies <= {(policy, number) for policy, number, _ in statements()}


def test_given_no_access_analyzer_when_roles_are_rendered_then_none_may_ask_it() -> None:
    for role in itertools.chain(*DUTIES.values()):
        held = set().union(*(allowed(document) for document in Stack().role(role).policies.values()))
        assert not [action for action in held if action.startswith("access-analyzer:")]


def test_given_no_permissions_boundary_when_a_role_is_given_everything_then_probes_notice() -> None:
    unlimited = {key: Role(role.policies, {}) for key, role in rendered().items() if key[1].overreach}
    boundless = {key: Role(role.policies, {"none": EVERYTHING}) for key, role in unlimited.items()}
    assert wrong(boundless)


@pytest.mark.parametrize("strategy", ["boundary", "replace"])
def test_given_the_cap_when_roles_are_summed_up_then_it_allows_what_they_do_and_nothing_else(strategy: str) -> None:
    granted, capped = set(), set()
    for role in itertools.chain(*DUTIES.values()):
        policies, boundary = stack(strategy).role(role)
        (cap,) = boundary.values()
        capped |= allowed(cap)
        granted |= set().union(*(allowed(document) for document in policies.values()))
    assert granted == capped


def test_given_both_duties_when_strategies_replace_then_no_role_takes_what_others_hold_and_gives_it() -> None:
    taking = {"iam:DeleteRolePolicy", "iam:DeleteUserPolicy", "iam:RemoveUserFromGroup"}
    giving = {"iam:PutRolePolicy", "iam:PutUserPolicy", "iam:AddUserToGroup"}
    for duty, roles in DUTIES.items():
        for role in roles:
            held = set().union(*(allowed(document) for document in stack("replace").role(role).policies.values()))
            assert held & (taking | giving) == {"takes away": taking, "gives back": giving}.get(duty, set())
            assert not any(
                {"ReplacePolicy", "PutBackPolicy"} & set(stack("boundary").role(one).policies) for one in roles
            )


def test_given_the_longest_names_when_policies_are_rendered_then_iam_accepts_their_sizes_and_their_number() -> None:
    longest = Stack(
        Strategy="replace", AccessAnalyzerChecks="true", GuardPolicyArns=",".join([f"{GUARD}-{'x' * 60}"] * 10)
    )
    for role in itertools.chain(*DUTIES.values()):
        policies, boundary = longest.role(role)
        assert len(policies) - 1 <= MAX_ATTACHED_POLICIES  # one is the role's own
        for document in (policies | boundary).values():
            text = json.dumps(document, separators=(",", ":"))
            partitions = text.count("arn:aws:") * len("-us-gov")
            generated = (text.count(":table/") + text.count(":event-bus/")) * 100  # names that CloudFormation makes up
            assert len(text) + partitions + generated <= MAX_POLICY_CHARACTERS


def allowed(document: Document) -> set[str]:
    """Actions that a document's Allows name."""
    named = [one["Action"] for one in document["Statement"] if one["Effect"] == "Allow"]
    return {action for actions in named for action in ([actions] if isinstance(actions, str) else actions)}
