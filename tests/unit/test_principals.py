"""What an account's identities tell about each other: who trusts whom, who has power, and what patterns reach."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.grants import effective_grants
from shared.iam.patterns import globs
from shared.model.principals import Principal, Principals
from shared.pci.escalation.population import Certainty, Population
from shared.pci.escalation.principals import principals_of
from shared.pci.escalation.trust import UNKNOWN_TRUST, Trust, trust_of
from tests.unit.account_fakes import (
    ACCOUNT,
    CATALOGUE,
    IAM,
    POWER,
    RISK,
    account,
    managed,
    of_group,
    role,
    trusting,
    user,
)
from tests.unit.iam_oracle import document

ROOT, BOB, AL = f"{IAM}root", f"{IAM}user/bob", f"{IAM}user/al"
LAMBDA, EC2 = "lambda.amazonaws.com", "ec2.amazonaws.com"


def said(effect: str, principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more}


def trust(*statements: dict[str, Any]) -> Trust:
    return trust_of({"Version": "2012-10-17", "Statement": list(statements)})


def told(
    services: tuple[str, ...] = (),
    trusted: tuple[str, ...] = (),
    denied: tuple[str, ...] = (),
) -> Trust:
    return Trust(*map(frozenset, (services, trusted, denied)))


MFA = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
OWN_ACCOUNT = {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([said("Allow", {"Service": [LAMBDA, "EC2.amazonaws.com"]})], told((EC2, LAMBDA))),
        ([said("Allow", {"Service": "ec2.amazonaws.com.cn"})], told((EC2,))),
        ([said("Allow", {"Service": "ec2.ap-northeast-1.amazonaws.com"})], told((EC2,))),
        ([said("Allow", {"Service": "tasks.apprunner.amazonaws.com"})], told(("tasks.apprunner.amazonaws.com",))),
        ([said("Allow", {"Service": LAMBDA}, **OWN_ACCOUNT)], told((LAMBDA,))),
        ([said("Allow", {"AWS": [ACCOUNT, BOB]})], told(trusted=(ROOT, BOB))),
        ([said("Allow", {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/jo"})],
         told(trusted=(f"arn:aws:sts::{ACCOUNT}:assumed-role/dev",))),
        ([said("Allow", {"AWS": BOB}, **MFA)], told()),
        ([said("Allow", "*")], told(("*",), ("*",))),
        ([said("Allow", {"Federated": "arn:aws:iam::111122223333:saml-provider/x"})], told()),
        ([said("Allow", {"AWS": BOB}, Action="sts:AssumeRoleWithSAML")], told()),
        ([said("Allow", {"AWS": BOB}, Action="STS:Assume*")], told(trusted=(BOB,))),
        ([said("Deny", {"AWS": BOB}), said("Allow", {"AWS": [BOB, AL]})], told(trusted=(AL,), denied=(BOB,))),
        ([said("Allow", {"AWS": ROOT}), said("Deny", {"AWS": BOB})], told(trusted=(ROOT,), denied=(BOB,))),
        ([said("Allow", {"AWS": ROOT}), said("Deny", {"AWS": BOB}, **MFA)], told(trusted=(ROOT,))),
        ([said("Allow", {"AWS": ROOT, "Service": EC2}), said("Deny", "*")], told()),
        ([said("Allow", {"Service": [EC2, LAMBDA]}), said("Deny", {"Service": EC2})], told((LAMBDA,))),
        ([said("Allow", {"AWS": [ROOT]}), {"Effect": "Deny", "NotPrincipal": {"AWS": BOB}, "Action": "*"}],
         told(trusted=(BOB,))),
        ([said("Allow", {"AWS": AL}), {"Effect": "Deny", "NotPrincipal": {"AWS": BOB}, "Action": "*"}], told()),
        ([said("Allow", {"AWS": "444455556666"}), {"Effect": "Deny", "NotPrincipal": {"AWS": BOB}, "Action": "*"}],
         told()),
    ],
)  # fmt: skip
def test_whom_a_trust_policy_trusts(statements: list[dict[str, Any]], expected: Trust) -> None:
    assert trust(*statements) == expected


@pytest.mark.parametrize("document", [None, {"Statement": []}, {"Statement": [said("Allow", {"Nobody": "x"})]}])
def test_trust_that_cannot_be_read_is_taken_as_given(document: dict[str, Any] | None) -> None:
    assert trust_of(document) == UNKNOWN_TRUST


@pytest.mark.parametrize(
    ("statement", "privileged"),
    [
        ({"Action": "*"}, True),
        ({"NotAction": "s3:*"}, True),
        ({"Action": "iam:PutRolePolicy", "Resource": f"{IAM}role/app-*"}, True),
        ({"Action": "iam:PutRolePolicy", "Resource": f"{IAM}role/other"}, False),
        ({"Action": "iam:PutRolePolicy", "Resource": f"{IAM}role/me"}, True),
        ({"Action": "iam:CreatePolicyVersion", "Resource": f"{IAM}policy/mine"}, True),
        ({"Action": "iam:AddUserToGroup", "Resource": f"{IAM}group/admins"}, False),
        ({"Action": "iam:PassRole", "Condition": {"StringEquals": {"iam:PassedToService": LAMBDA}}}, False),
        ({"Action": "iam:CreateServiceLinkedRole"}, False),
        ({"Action": ["iam:SetDefaultPolicyVersion"]}, True),
        ({"Action": ["iam:UpdateAssumeRolePolicy"]}, True),
        ({"Action": ["iam:CreateLoginProfile"], "Resource": f"{IAM}user/*"}, True),
        ({"Action": ["iam:CreateLoginProfile"], "Resource": f"{IAM}user/one"}, False),
        ({"Action": ["glue:UpdateDevEndpoint", "kms:CreateGrant", "iam:EnableMFADevice"]}, False),
        ({"Action": ["ec2-instance-connect:SendSSHPublicKey", "iam:PassRole", "sts:AssumeRole"]}, False),
        ({"Action": ["s3:*", "ec2:*", "lambda:*"]}, False),
    ],
)
def test_who_is_privileged(statement: dict[str, Any], privileged: bool) -> None:  # noqa: FBT001
    me = role("me", document(statement), policies=[managed("mine", document({"Action": "s3:GetObject"}))])

    assert [found.privileged for found in account(me, groups=["admins"]).roles] == [privileged]


def test_what_is_told_of_each_principal() -> None:
    found = account(
        role(
            "b",
            trust=trusting(LAMBDA, aws=[BOB]),
            policies=[managed("own", POWER), managed("Power", POWER, owner="aws")],
        ),
        role("a", trust=trusting(EC2), instance_profile=True),
        user("z", POWER),
    )

    assert found == Principals(
        account_id=ACCOUNT,
        users=(Principal(arn=f"{IAM}user/z", privileged=True),),
        roles=(
            Principal(arn=f"{IAM}role/a", services=(EC2,), instance_profile=True),
            Principal(
                arn=f"{IAM}role/b",
                privileged=True,
                services=(LAMBDA,),
                trusted=(BOB,),
                policies=(f"{IAM}policy/own",),
            ),
        ),
    )


def test_a_group_has_the_power_that_it_gives_to_any_of_its_members() -> None:
    only_jo = document({"Action": "iam:AttachUserPolicy", "Resource": f"{IAM}user/jo"})
    members = [user(name, groups=["g"], policies=[of_group("g", only_jo)]) for name in ("al", "jo", "zoe")]

    limited = members[1].model_copy(update={"boundary": managed("boundary", document({"Action": "s3:GetObject"}))})
    for details in (members, members[::-1], [limited], [*members, user("x", POWER, groups=["g"])]):
        assert [group.privileged for group in account(*details, groups=["g"]).groups] == [True]
    assert [group.privileged for group in account(members[0], groups=["g"]).groups] == [False]
    assert [group.privileged for group in account(user("x", POWER), groups=["g"]).groups] == [None]


@pytest.mark.parametrize("path", ["aws-service-role/x.amazonaws.com", "aws-reserved/sso.amazonaws.com"])
def test_roles_that_aws_alone_can_change_lead_nowhere(path: str) -> None:
    assert account(role(f"{path}/it", POWER)).roles == ()


def test_other_accounts_are_left_out() -> None:
    me = user("al", POWER)

    found = principals_of(
        "444455556666",
        [(me, effective_grants(me, CATALOGUE))],
        {"g": f"{IAM}group/g", "h": "arn:aws:iam::444455556666:group/h"},
        RISK,
    )

    assert found == Principals(
        account_id="444455556666", groups=(Principal(arn="arn:aws:iam::444455556666:group/h", privileged=None),)
    )


def test_a_listing_can_be_stored() -> None:
    listed = account(
        role("a", POWER, trust=trusting(LAMBDA, aws=[ROOT]), instance_profile=True), user("b"), groups=["empty"]
    )

    assert Principals.from_json(listed.to_json()) == listed
    assert b"denied" not in listed.to_json(), "what is at its default takes no room"


ARNS = [f"{IAM}{kind}/{name}" for kind in ("role", "user") for name in ("a", "ab", "b/a", "b*", "z", "z/é")]
PIECES = st.lists(
    st.sampled_from([*"arn:*?/bz", "arn:aws:", f"{IAM}role/", "*", "user", "${aws:x}", "${*}"]), max_size=6
)


@settings(deadline=None)
@given(PIECES.map("".join))
def test_a_pattern_reaches_what_it_matches(pattern: str) -> None:
    population = Population(ARNS)

    sure = population.chosen(population.reached(pattern, Certainty.SURE))
    possible = population.chosen(population.reached(pattern, Certainty.POSSIBLE))

    assert sure == [arn for arn in sorted(ARNS) if globs.matches(pattern, arn)]
    assert possible == [arn for arn in sorted(ARNS) if globs.might_match(pattern, arn)]


def test_a_mask_names_its_arns_in_order() -> None:
    population = Population(["c", "a", "b", "a"])

    assert population.arns == ("a", "b", "c")
    assert population.first(population.mask(["c", "b", "x"])) == "b"
    assert population.first(0) is None
    assert population.only("x") == 0
