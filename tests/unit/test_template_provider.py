"""Who may read an outside provider's secret: the functions that ask it, that one secret, and only if it is chosen."""

from collections.abc import Mapping
from functools import cache

import pytest

from infra.build.template import TEMPLATE, load_template
from shared.iam.evaluate import Evaluator, Policies, compile_policies
from shared.iam.evaluation.decisions import Outcome
from shared.iam.request import Request, context_of
from tests.unit.rendered_roles import ACCOUNT, REGION, Stack

DECLARED = load_template(TEMPLATE)
RESOURCES = DECLARED["Resources"]
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:cloudknox-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
OTHER_KEY = KEY.replace("1111", "9999")
WITH_KEY = {"Provider": "cloudknox", "ProviderSecretArn": SECRET, "ProviderSecretKeyArn": KEY}
ASKING = ("RemediateRole", "RemediationRequestRole", "ScoreRole", "SweepRole")
ROLES = sorted(
    name
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::IAM::Role" and "lambda.amazonaws.com" in str(one["Properties"]["AssumeRolePolicyDocument"])
)
BY_SECRETS = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com", "kms:EncryptionContext:SecretARN": SECRET}
READ = "secretsmanager:GetSecretValue"
# A key's own policy mostly leaves the decision to IAM; without one nobody may use it.
KEY_POLICY = {
    "resource_policy": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
}
NO_CONTEXT: Mapping[str, str] = {}


def allows(
    parameters: Mapping[str, str], role: str, action: str, resource: str, context: Mapping[str, str] = NO_CONTEXT
) -> bool:
    """Whether a role may do that in a stack with these parameters, within its boundary."""
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/function"
    asked = Request(caller, action, resource, ACCOUNT, context_of(context))
    engine = evaluator(tuple(sorted(parameters.items())), role, of_key=action.startswith("kms:"))
    return engine.evaluate(asked).outcome is Outcome.ALLOW


@cache
def evaluator(parameters: tuple[tuple[str, str], ...], role: str, *, of_key: bool) -> Evaluator:
    found = stack_with(parameters).role(role)
    case = {"identity_policies": list(found.policies.values())}
    boundary = {"permissions_boundaries": list(found.boundary.values())} if found.boundary else {}
    return compile_policies(Policies.parse(case | boundary | (KEY_POLICY if of_key else {})))


@cache
def stack_with(parameters: tuple[tuple[str, str], ...]) -> Stack:
    return Stack(**dict(parameters))


@pytest.mark.parametrize("role", ROLES)
def test_the_functions_that_ask_the_provider_may_read_its_secret_and_no_other_function_may(role: str) -> None:
    stack = WITH_KEY
    assert allows(stack, role, READ, SECRET) is (role in ASKING)
    assert allows(stack, role, "kms:Decrypt", KEY, BY_SECRETS) is (role in ASKING)


def test_every_role_that_asks_is_looked_at() -> None:
    assert set(ASKING) < set(ROLES)


@pytest.mark.parametrize("role", ASKING)
@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        (READ, SECRET.replace("cloudknox", "other"), {}),
        (READ, f"{SECRET}x", {}),
        ("secretsmanager:PutSecretValue", SECRET, {}),
        ("secretsmanager:DescribeSecret", SECRET, {}),
        ("secretsmanager:ListSecrets", "*", {}),
        ("kms:Decrypt", KEY, {}),
        ("kms:Decrypt", OTHER_KEY, BY_SECRETS),
        ("kms:Decrypt", KEY, BY_SECRETS | {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
        ("kms:Decrypt", KEY, BY_SECRETS | {"kms:EncryptionContext:SecretARN": f"{SECRET}x"}),
    ],
)
def test_they_may_nothing_else_with_secrets(role: str, action: str, resource: str, context: dict[str, str]) -> None:
    assert not allows(WITH_KEY, role, action, resource, context)


@pytest.mark.parametrize("role", ASKING)
@pytest.mark.parametrize(
    "parameters",
    [{}, {"ProviderSecretArn": SECRET, "ProviderSecretKeyArn": KEY}, WITH_KEY | {"Provider": "native"}],
)
def test_where_scores_are_our_own_nobody_reads_a_secret(role: str, parameters: dict[str, str]) -> None:
    stack = parameters
    assert not allows(stack, role, READ, SECRET)
    assert not allows(stack, role, "kms:Decrypt", KEY, BY_SECRETS)


def test_without_a_key_of_its_own_the_secret_is_read_and_no_key_used() -> None:
    stack = WITH_KEY | {"ProviderSecretKeyArn": ""}
    assert allows(stack, "ScoreRole", READ, SECRET)
    assert not allows(stack, "ScoreRole", "kms:Decrypt", KEY, BY_SECRETS)


def test_an_outside_provider_without_a_secret_is_not_deployed() -> None:
    (rule,) = DECLARED["Rules"].values()
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Provider"}, "native"]}]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ProviderSecretArn"}, ""]}]}
