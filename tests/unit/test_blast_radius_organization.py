"""The recommended service control policy: what it refuses, to whom, and that the stack does its work under it."""

import json
from typing import Any, NamedTuple

import pytest

from infra.build.template import ROOT
from shared.iam.evaluate import Evaluator, Policies, compile_policies
from shared.iam.evaluation.decisions import Outcome
from shared.iam.request import Request, context_of
from tests.unit.blast_radius_probes import IAM, USER
from tests.unit.rendered_roles import ACCOUNT, REGION, Document
from tests.unit.test_blast_radius import EVERYTHING, allowed, without
from tests.unit.test_blast_radius_paths import roles, stack

POLICY: Document = json.loads((ROOT / "infra" / "organization" / "leastwise-scp.json").read_text(encoding="utf-8"))
MAX_CHARACTERS = 5_120
# Who asks, all of them holding AdministratorAccess: an administrator, the role that deploys, a break-glass role, ours.
CALLERS = (f"{IAM}role/admins/ops", f"{IAM}role/leastwise-deployment", f"{IAM}role/breakglass/admin",
           f"{IAM}role/leastwise/leastwise-RemediateRole-1A2B")  # fmt: skip
TRUSTING = ("kms:", "sts:")  # actions that a policy on their resource must allow as well
HERE = f"{REGION}:{ACCOUNT}:"


class Probe(NamedTuple):
    """A call, and for each of `CALLERS` whether it is allowed (`+`) or refused (`x`)."""

    action: str
    resource: str
    answers: str


OUR_ROLE = f"{IAM}role/leastwise/leastwise-ScoreRole-1A2B"
OWN_POLICY = f"{IAM}policy/leastwise/0123456789abcdef"
STACK_POLICY = f"{IAM}policy/leastwise-RemediatorCap-1A2B"
TABLE = f"arn:aws:dynamodb:{HERE}table/leastwise-Data-1-JournalTable-2"
FUNCTION = f"arn:aws:lambda:{HERE}function:leastwise-remediate"
BUCKET = "arn:aws:s3:::leastwise-data-1-anchorbucket-2"

PROBES = (
    Probe("iam:PutRolePolicy", OUR_ROLE, "x++x"),
    Probe("iam:AttachRolePolicy", OUR_ROLE, "x++x"),
    Probe("iam:UpdateAssumeRolePolicy", OUR_ROLE, "x++x"),
    Probe("iam:DeleteRolePermissionsBoundary", OUR_ROLE, "x++x"),
    Probe("iam:PassRole", OUR_ROLE, "x++x"),
    Probe("iam:CreatePolicyVersion", STACK_POLICY, "x++x"),
    Probe("iam:SetDefaultPolicyVersion", STACK_POLICY, "x++x"),
    Probe("iam:GetRole", OUR_ROLE, "++++"),
    Probe("iam:CreatePolicy", OWN_POLICY, "x+++"),
    Probe("iam:DeletePolicy", OWN_POLICY, "x+++"),
    Probe("iam:CreatePolicyVersion", OWN_POLICY, "x++x"),
    Probe("iam:CreatePolicy", f"{IAM}policy/team/deploy", "++++"),
    Probe("iam:DeleteUserPermissionsBoundary", USER, "++++"),
    Probe("lambda:UpdateFunctionCode", FUNCTION, "x++x"),
    Probe("lambda:AddPermission", FUNCTION, "x++x"),
    Probe("lambda:InvokeFunction", FUNCTION, "++++"),
    Probe("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}function:payroll", "+++x"),
    Probe("cloudformation:UpdateStack", f"arn:aws:cloudformation:{HERE}stack/leastwise/0a", "x++x"),
    Probe("dynamodb:PutItem", TABLE, "x+++"),
    Probe("dynamodb:PartiQLUpdate", TABLE, "x++x"),
    Probe("dynamodb:Query", TABLE, "++++"),
    Probe("dynamodb:DeleteTable", TABLE, "x++x"),
    Probe("dynamodb:PutResourcePolicy", TABLE, "x++x"),
    Probe("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}table/orders", "++++"),
    Probe("s3:PutBucketPolicy", BUCKET, "x+++"),
    Probe("s3:DeleteObjectVersion", f"{BUCKET}/anchors/1", "x++x"),
    Probe("events:DisableRule", f"arn:aws:events:{HERE}rule/leastwise-SweepRule-1", "x++x"),
    Probe("sqs:PurgeQueue", f"arn:aws:sqs:{HERE}leastwise-RemediationQueue-1", "x+++"),
    Probe("ssm:PutParameter", f"arn:aws:ssm:{HERE}parameter/leastwise/mode", "+++x"),
    Probe("ec2:RunInstances", "*", "+++x"),
    Probe("sts:AssumeRole", f"{IAM}role/app", "+++x"),
    Probe("iam:CreateAccessKey", USER, "+++x"),
    Probe("iam:CreateUser", USER, "+++x"),
    Probe("iam:PassRole", f"{IAM}role/app", "+++x"),
    Probe("iam:AttachGroupPolicy", f"{IAM}group/devs", "+++x"),
    Probe("kms:ScheduleKeyDeletion", f"arn:aws:kms:{HERE}key/1", "+++x"),
    Probe("iam:PutUserPermissionsBoundary", USER, "++++"),
    Probe("iam:PutUserPermissionsBoundary", f"{IAM}user/breakglass/eve", "+++x"),
    Probe("iam:PutRolePermissionsBoundary", f"{IAM}role/leastwise-deployment", "+++x"),
    Probe("iam:AddUserToGroup", f"{IAM}group/breakglass/admins", "+++x"),
)  # fmt: skip


def under(policy: Document, *, trusting: bool = False) -> Evaluator:
    """An administrator under a service control policy; `trusting`: of a role or key, which leaves itself to IAM."""
    case: dict[str, Any] = {
        "identity_policies": [EVERYTHING],
        "service_control_policies": [[EVERYTHING, policy]],
    }
    if trusting:
        leave = {"Effect": "Allow", "Principal": {"AWS": f"{IAM}root"}, "Action": "*", "Resource": "*"}
        case["resource_policy"] = {"Version": "2012-10-17", "Statement": [leave]}
    return compile_policies(Policies.parse(case))


def outcome(engine: Evaluator, caller: str, action: str, resource: str) -> Outcome:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{caller.rpartition('/')[2]}/session"
    known = context_of({"aws:PrincipalArn": caller})
    return engine.evaluate(Request(session, action, resource, ACCOUNT, known)).outcome


def wrong(policy: Document) -> list[str]:
    engines = {trusting: under(policy, trusting=trusting) for trusting in (False, True)}
    expected = {"+": Outcome.ALLOW, "x": Outcome.EXPLICIT_DENY}
    return [
        f"{caller}: {probe.action} on {probe.resource} is {got}"
        for probe in PROBES
        for caller, answer in zip(CALLERS, probe.answers, strict=True)
        if (got := outcome(engines[probe.action.startswith(TRUSTING)], caller, probe.action, probe.resource))
        is not expected[answer]
    ]


def test_it_refuses_what_it_should_and_nothing_else() -> None:
    assert wrong(POLICY) == []


@pytest.mark.parametrize("number", range(len(POLICY["Statement"])), ids=[one["Sid"] for one in POLICY["Statement"]])
def test_given_a_statement_is_left_out_then_some_answer_is_wrong(number: int) -> None:
    assert wrong(without(POLICY, number))


def test_it_is_short_enough_and_in_the_language_of_every_organization() -> None:
    """AWS Organizations, quotas and SCP syntax: 5,120 characters, and wildcards where actions end."""
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= MAX_CHARACTERS
    for statement in POLICY["Statement"]:
        assert statement["Effect"] == "Deny"
        for action in statement.get("Action", statement.get("NotAction")):
            assert "*" not in action.removesuffix("*")
            assert "?" not in action


@pytest.mark.parametrize(("strategy", "role"), roles())
def test_given_the_roles_of_the_stack_when_it_is_attached_then_they_can_still_do_their_work(
    strategy: str, role: str
) -> None:
    engine = under(POLICY)
    policies, _ = stack(strategy).role(role)
    actions = sorted(set().union(*(allowed(document) for document in policies.values())))
    assert actions
    caller = f"{IAM}role/leastwise/leastwise-{role}-1A2B"
    for action in actions:
        resource = OWN_POLICY if action.startswith("iam:") and action.endswith(("Policy", "Version")) else "*"
        assert outcome(engine, caller, action, resource) is Outcome.ALLOW, action
