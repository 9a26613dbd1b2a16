"""Escalation paths: what completes them, with the account's principals known and unknown."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.iam.grants import effective_grants
from shared.model.identity import IdentityDetail
from shared.model.principals import Principals
from shared.pci.escalation.paths import completed_paths
from shared.pci.known_paths import EXISTING_PASSROLE
from tests.unit.account_fakes import (
    CATALOGUE,
    IAM,
    POWER,
    RISK,
    account,
    completed,
    managed,
    of_group,
    role,
    trusting,
    user,
)
from tests.unit.iam_oracle import document

ROOT = f"{IAM}root"
LAMBDA, EC2 = "lambda.amazonaws.com", "ec2.amazonaws.com"
READING = document({"Action": "s3:GetObject"})
OWN_POLICY = managed("own", READING)
INSTANCE = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
BY_TAG = {"StringEquals": {"aws:ResourceTag/team": "a"}}
PASS = ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")

ADMIN_OF_LAMBDA = role("lambda-admin", POWER, trust=trusting(LAMBDA))
READER_OF_LAMBDA = role("app/reader", READING, trust=trusting(LAMBDA))
ADMIN_OF_EC2 = role("ec2-admin", POWER, trust=trusting(EC2))
ADMIN_ON_INSTANCES = role("instance-admin", POWER, trust=trusting(EC2), instance_profile=True)
OPEN_ADMIN = role("open-admin", POWER, trust=trusting(aws=[ROOT]))
OPEN_READER = role("open-reader", trust=trusting(aws=[ROOT]), policies=[managed("reader", READING)])
FOR_BOB = role("for-bob", POWER, trust=trusting(aws=[f"{IAM}user/bob"]))
CLOSED_ADMIN = role("closed-admin", POWER)
ROOT_USER = user("chief", POWER)
PLAIN_USER = user("plain", READING)
ADMINS = user("member", groups=["admins"], policies=[of_group("admins", POWER)])
READERS = user("other", groups=["readers"], policies=[of_group("readers", READING)])
GROUPS = ("admins", "team/readers")

EVERYONE = (
    ADMIN_OF_LAMBDA,
    READER_OF_LAMBDA,
    ADMIN_OF_EC2,
    ADMIN_ON_INSTANCES,
    OPEN_ADMIN,
    OPEN_READER,
    FOR_BOB,
    CLOSED_ADMIN,
    ROOT_USER,
    PLAIN_USER,
    ADMINS,
    READERS,
)
WHOLE = account(*EVERYONE, groups=GROUPS)


def test_every_path_that_counts_is_named_and_can_be_completed() -> None:
    me = user("al", POWER, policies=[OWN_POLICY])

    found = completed_paths(me, effective_grants(me, CATALOGUE), RISK)

    for_roles = {"iam-005", "iam-009"}
    countable = (path for path in RISK.paths if path.category != EXISTING_PASSROLE and path.id not in for_roles)
    assert [one.path for one in found] == sorted(countable, key=lambda path: path.id)
    assert len(found) == 46
    assert all(one.path.name.count(" + ") == len(one.path.required) - 1 for one in found)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": "iam:AttachUserPolicy"}, {"iam-008"}),
        ({"Action": "iam:AttachUserPolicy", "Resource": f"{IAM}user/al"}, {"iam-008"}),
        ({"Action": "iam:AttachUserPolicy", "Resource": f"{IAM}user/${{aws:username}}"}, {"iam-008"}),
        ({"Action": "iam:AttachUserPolicy", "Resource": f"{IAM}user/bob"}, set()),
        ({"Action": "iam:PutUserPolicy", "Resource": "arn:aws:iam::999999999999:user/*"}, set()),
        ({"Action": ["iam:PutRolePolicy", "iam:AttachRolePolicy"]}, set()),  # it is none
        ({"Action": "iam:CreatePolicyVersion"}, set()),  # has none of its own
        ({"Action": "iam:PutGroupPolicy", "Resource": f"{IAM}group/one"}, {"iam-011"}),
        ({"Action": "iam:AddUserToGroup", "Resource": f"{IAM}group/one"}, {"iam-013"}),
        ({"Action": ["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"]}, set()),  # a stack there is
        ({"Action": "IAM:createaccesskey"}, {"iam-002"}),
        ({"Action": "iam:CreateAccessKey", "Resource": f"{IAM}user/*"}, {"iam-002"}),
        ({"Action": "iam:CreateAccessKey", "NotResource": f"{IAM}user/one"}, {"iam-002"}),
        ({"Action": "iam:CreateAccessKey", "Resource": f"{IAM}user/one"}, set()),
        ({"Action": "iam:CreateAccessKey", "Resource": f"{IAM}user/${{aws:username}}"}, set()),
        ({"Action": "iam:CreateAccessKey", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, set()),
        ({"Action": list(PASS)}, {"lambda-001"}),
        ({"Action": list(PASS), "Resource": f"{IAM}role/one"}, set()),
        ({"Action": list(PASS), "Condition": {"StringEquals": {"iam:PassedToService": LAMBDA}}}, set()),
        ({"Action": list(PASS[1:])}, set()),
        ({"Action": ["lambda:UpdateFunctionCode", "lambda:InvokeFunction"]}, set()),  # a workload that runs
    ],
)
def test_prerequisites_nobody_told_are_taken_as_given(statement: Mapping[str, Any], expected: set[str]) -> None:
    assert completed(user("al", document(statement))).keys() == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": "iam:PutRolePolicy", "Resource": f"{IAM}role/me"}, {"iam-005"}),
        ({"Action": "iam:PutRolePolicy", "Resource": f"{IAM}role/other"}, set()),
        ({"Action": ["iam:PutUserPolicy", "iam:AddUserToGroup", "iam:PutGroupPolicy"]}, set()),
        ({"Action": "iam:CreatePolicyVersion", "Resource": f"{IAM}policy/own"}, {"iam-001"}),
        ({"Action": "iam:CreatePolicyVersion", "Resource": f"{IAM}policy/other"}, set()),
    ],
)
def test_what_an_identity_is_counts_though_nobody_told_of_others(
    statement: Mapping[str, Any], expected: set[str]
) -> None:
    assert completed(role("me", document(statement), policies=[OWN_POLICY])).keys() == expected


def granted(*actions: str, on: str = "*", **more: Any) -> dict[str, Any]:
    return {"Action": list(actions), "Resource": on, **more}


OF_USER: Sequence[tuple[str, list[dict[str, Any]], dict[str, str]]] = [
    ("pass any role", [granted(*PASS)], {"lambda-001": "role/lambda-admin"}),
    ("pass the powerful role by its name", [granted(*PASS, on=f"{IAM}role/lambda-admin"), granted(*PASS[1:])],
     {"lambda-001": "role/lambda-admin"}),
    ("create the function by a given name", [granted(PASS[0]), granted(*PASS[1:], on="arn:aws:lambda:*:*:function:f")],
     {"lambda-001": "role/lambda-admin"}),
    ("pass a role without power", [granted(*PASS[1:]), granted(PASS[0], on=f"{IAM}role/app/*")], {}),
    ("pass a powerful role that trusts another service", [granted(*PASS[1:]), granted(PASS[0], on=f"{IAM}role/ec2*")],
     {}),
    ("pass only roles that trust the service, which is a Deny away",
     [granted(*PASS), granted(PASS[0], on=f"{IAM}role/lambda-*", Effect="Deny")], {}),
    ("a Deny under a condition takes nothing away",
     [granted(*PASS), granted(PASS[0], Effect="Deny", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})],
     {"lambda-001": "role/lambda-admin"}),
    ("pass every role but the powerful one",
     [granted(*PASS[1:]), {"Action": PASS[0], "NotResource": f"{IAM}role/lambda-admin"}], {}),
    ("pass to the service of the path",
     [granted(*PASS[1:]), granted(PASS[0], Condition={"StringEquals": {"iam:PassedToService": LAMBDA}})],
     {"lambda-001": "role/lambda-admin"}),
    ("pass to any service but by a pattern",
     [granted(*PASS[1:]), granted(PASS[0], Condition={"StringLike": {"iam:PassedToService": "lambda.*"}})],
     {"lambda-001": "role/lambda-admin"}),
    ("pass to another service",
     [granted(*PASS[1:]), granted(PASS[0], Condition={"StringEquals": {"iam:PassedToService": EC2}})], {}),
    ("pass not to the service",
     [granted(*PASS[1:]), granted(PASS[0], Condition={"StringNotEquals": {"iam:PassedToService": LAMBDA}})], {}),
    ("pass to the service on a further condition",
     [granted(*PASS[1:]), granted(PASS[0], Condition={"StringEquals": {"iam:PassedToService": LAMBDA},
                                                      "Bool": {"aws:SecureTransport": "true"}})], {}),
    ("pass to the service, which is denied",
     [granted(*PASS), granted(PASS[0], Effect="Deny", Condition={"StringEquals": {"iam:PassedToService": LAMBDA}})],
     {}),
    ("pass to the service, which is denied of another role",
     [granted(*PASS), granted(PASS[0], on=f"{IAM}role/ec2*", Effect="Deny",
                              Condition={"StringEquals": {"iam:PassedToService": LAMBDA}})],
     {"lambda-001": "role/lambda-admin"}),
    ("pass to the service, though another one is denied",
     [granted(*PASS), granted(PASS[0], Effect="Deny", Condition={"StringEquals": {"iam:PassedToService": EC2}})],
     {"lambda-001": "role/lambda-admin"}),
    ("pass to the service, which is denied on a further condition",
     [granted(*PASS), granted(PASS[0], Effect="Deny", Condition={"StringEquals": {"iam:PassedToService": LAMBDA},
                                                                 "Bool": {"aws:SecureTransport": "false"}})],
     {"lambda-001": "role/lambda-admin"}),
    ("an instance takes a role by its profile", [granted("iam:PassRole", "ec2:RunInstances")],
     {"ec2-001": "role/instance-admin"}),
    ("and no other", [granted("iam:PassRole", "ec2:RunInstances", on=f"{IAM}role/ec2-admin"),
                      granted("ec2:RunInstances")], {}),
    ("no role trusts the service", [granted("iam:PassRole", "glue:CreateDevEndpoint")], {}),
    ("the stack's role isn't passed, but must be possible",
     [granted("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet")], {}),

    ("take over functions, which may run with the powerful role", [granted("lambda:UpdateFunctionCode")],
     {"lambda-003": "role/lambda-admin"}),
    ("take over functions of a name", [granted("lambda:UpdateFunctionCode", on="arn:aws:lambda:*:*:function:app-*")],
     {"lambda-003": "role/lambda-admin"}),
    ("take over all functions but one",
     [granted("lambda:UpdateFunctionCode"), granted("lambda:UpdateFunctionCode", on=FUNCTION, Effect="Deny")],
     {"lambda-003": "role/lambda-admin"}),
    ("take over one function, of which nobody knows the role", [granted("lambda:UpdateFunctionCode", on=FUNCTION)], {}),
    ("call functions, but change only one",
     [granted("lambda:InvokeFunction"), granted("lambda:UpdateFunctionCode", on=FUNCTION)], {}),
    ("take over functions on a condition", [granted("lambda:UpdateFunctionCode", Condition=BY_TAG)], {}),
    ("run commands on instances, which have roles by their profiles", [granted("ssm:SendCommand")],
     {"ssm-002": "role/instance-admin"}),
    ("run commands on one instance, by any document",
     [granted("ssm:SendCommand", on=INSTANCE), granted("ssm:SendCommand", on="arn:aws:ssm:*:*:document/*")], {}),
    ("run documents on no instance", [granted("ssm:SendCommand", on="arn:aws:ssm:*:*:document/*")], {}),
    ("run one document on the instances of a region",
     [{"Action": "ssm:SendCommand", "Resource": ["arn:aws:ec2:eu-west-1:111122223333:instance/*",
                                                 "arn:aws:ssm:*:*:document/AWS-RunShellScript"]}],
     {"ssm-002": "role/instance-admin"}),
    ("run commands on whatever is no instance",
     [{"Action": "ssm:SendCommand", "NotResource": "arn:aws:ec2:*:*:instance/*"}], {}),
    ("run commands, but on no instance",
     [granted("ssm:SendCommand"), granted("ssm:*", on="arn:aws:ec2:*:*:instance/*", Effect="Deny")], {}),
    ("take over one function in whatever region, account or version",
     [granted("lambda:UpdateFunctionCode", on="arn:aws:lambda:*:*:function:f"),
      granted("lambda:UpdateFunctionCode", on=f"{FUNCTION}:*")], {}),
    ("take over functions of a name that a tag says",
     [granted("lambda:UpdateFunctionCode", on="arn:aws:lambda:*:*:function:${aws:PrincipalTag/team}-*")],
     {"lambda-003": "role/lambda-admin"}),
    ("take over all of a service", [granted("lambda:UpdateFunctionCode", on="arn:aws:lambda:*")],
     {"lambda-003": "role/lambda-admin"}),
    ("take over stacks, with whose service no role shares its power", [granted("cloudformation:UpdateStack")], {}),

    ("assume a role that trusts the account", [granted("sts:AssumeRole")], {"sts-001": "role/open-admin"}),
    ("assume a role that trusts somebody else", [granted("sts:AssumeRole", on=f"{IAM}role/for-bob")], {}),
    ("assume a role without power", [granted("sts:AssumeRole", on=f"{IAM}role/open-reader")], {}),
    ("give a role power that can be assumed", [granted("sts:AssumeRole", "iam:PutRolePolicy", on=f"{IAM}role/*reader")],
     {"iam-017": "role/open-reader"}),
    ("give one role power, assume the other",
     [granted("sts:AssumeRole", on=f"{IAM}role/open-reader"), granted("iam:PutRolePolicy", on=f"{IAM}role/app/*")], {}),
    ("change a policy of a role that can be assumed",
     [granted("sts:AssumeRole", on=f"{IAM}role/*reader"), granted("iam:CreatePolicyVersion", on=f"{IAM}policy/reader")],
     {"iam-016": "role/open-reader"}),
    ("change a policy that no such role has",
     [granted("sts:AssumeRole", on=f"{IAM}role/open-reader"), granted("iam:CreatePolicyVersion", on=f"{IAM}policy/x")],
     {}),
    ("rewrite the trust of a powerful role", [granted("iam:UpdateAssumeRolePolicy", on=f"{IAM}role/c*")],
     {"iam-012": "role/closed-admin"}),
    ("rewrite the trust of a role without power", [granted("iam:UpdateAssumeRolePolicy", on=f"{IAM}role/app/*")], {}),

    ("keys of a powerful user", [granted("iam:CreateAccessKey")], {"iam-002": "user/chief"}),
    ("keys of one powerful user", [granted("iam:CreateAccessKey", on=f"{IAM}user/chief")], {"iam-002": "user/chief"}),
    ("keys of a user without power", [granted("iam:CreateAccessKey", on=f"{IAM}user/plain")], {}),
    ("keys of its own", [granted("iam:CreateAccessKey", on=f"{IAM}user/${{aws:username}}")], {}),
    ("keys of whoever a tag says", [granted("iam:CreateAccessKey", on=f"{IAM}user/${{aws:PrincipalTag/a}}")],
     {"iam-002": "user/chief"}),
    ("keys of whoever isn't as a tag says",
     [{"Action": "iam:CreateAccessKey", "NotResource": [f"{IAM}user/m*", f"{IAM}user/${{aws:PrincipalTag/a}}"]}],
     {"iam-002": "user/chief"}),
    ("keys, unless of whoever a tag says",
     [granted("iam:CreateAccessKey", on=f"{IAM}user/c*"),
      granted("iam:CreateAccessKey", on=f"{IAM}user/${{aws:PrincipalTag/a}}", Effect="Deny")],
     {"iam-002": "user/chief"}),
    ("keys, though another action on the user is denied",
     [granted("iam:CreateAccessKey", "iam:PutUserPolicy", on=f"{IAM}user/c*"),
      granted("iam:PutUserPolicy", on=f"{IAM}user/chief", Effect="Deny")],
     {"iam-002": "user/chief"}),
    ("give another user power and take its keys",
     [granted("iam:CreateAccessKey", "iam:PutUserPolicy", on=f"{IAM}user/plain")], {"iam-018": "user/plain"}),

    ("attach to itself", [granted("iam:AttachUserPolicy")], {"iam-008": "user/al"}),
    ("attach to itself by its name", [granted("iam:AttachUserPolicy", on=f"{IAM}user/${{aws:UserName}}")],
     {"iam-008": "user/al"}),
    ("attach to another", [granted("iam:AttachUserPolicy", on=f"{IAM}user/plain")], {}),
    ("attach to a role", [granted("iam:AttachRolePolicy")], {}),
    ("change its own policy", [granted("iam:CreatePolicyVersion")], {"iam-001": "policy/own"}),
    ("change another policy", [granted("iam:CreatePolicyVersion", on=f"{IAM}policy/x")], {}),
    ("change its group", [granted("iam:PutGroupPolicy")], {"iam-011": "group/team/readers"}),
    ("change another group", [granted("iam:PutGroupPolicy", on=f"{IAM}group/admins")], {}),
    ("join a powerful group", [granted("iam:AddUserToGroup")], {"iam-013": "group/admins"}),
    ("join a group without power", [granted("iam:AddUserToGroup", on=f"{IAM}group/team/*")], {}),
    ("join a group and change it", [granted("iam:AddUserToGroup", "iam:PutGroupPolicy", on=f"{IAM}group/admins")],
     {"iam-011": "group/admins", "iam-013": "group/admins"}),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "expected"), [case[1:] for case in OF_USER], ids=[case[0] for case in OF_USER])
def test_what_a_user_completes(statements: list[dict[str, Any]], expected: dict[str, str]) -> None:
    me = user("al", document(*statements), groups=["readers"], policies=[OWN_POLICY])

    assert completed(me, account(me, *EVERYONE, groups=GROUPS)) == expected
    assert completed(me, WHOLE) == expected, "nor does it matter whether the listing has the identity yet"


def test_a_boundary_limits_what_is_reached() -> None:
    passing = user("al", document(granted(*PASS[1:]), granted(PASS[0], on=f"{IAM}role/lambda-*")))

    for limit, expected in (("*admin", {"lambda-001": "role/lambda-admin"}), ("*reader", {})):
        boundary = managed("boundary", document(granted(*PASS[1:]), granted(PASS[0], on=f"{IAM}role/{limit}")))
        assert completed(passing.model_copy(update={"boundary": boundary}), WHOLE) == expected


INSTANCE_PATHS = {"ec2-002", "ec2-004", "ec2instanceconnect-003", "ssm-001", "ssm-002"}


def test_every_workload_is_taken_over_by_its_service_s_role() -> None:
    taken = {path.id: path.needs.services for path in RISK.paths if path.category == EXISTING_PASSROLE}
    me = user("al", *(document(granted(*path.required)) for path in RISK.paths if path.id in taken))
    services = sorted({service for found in taken.values() for service in found})

    for service in services:
        for in_profile, lacking in ((True, set[str]()), (False, INSTANCE_PATHS)):
            admin = role("admin", POWER, trust=trusting(service), instance_profile=in_profile)
            reader = role("a-reader", READING, trust=trusting(service), instance_profile=True)
            expected = {name for name, found in taken.items() if service in found} - lacking
            assert completed(me, account(admin, reader)) == dict.fromkeys(expected, "role/admin")
    assert completed(me, account(*EVERYONE[4:])) == {}, "these services have no role with power"


def test_a_role_that_takes_over_its_own_workload_gains_nothing() -> None:
    me = role("me", document(granted("iam:PutRolePolicy", "lambda:UpdateFunctionCode")), trust=trusting(LAMBDA))

    assert "lambda-003" not in completed(me, account(me))
    assert completed(me, account(me, ADMIN_OF_LAMBDA))["lambda-003"] == "role/lambda-admin"


@pytest.mark.parametrize(
    ("stack", "expected"),
    [("*", {"cloudformation-005": "role/deployer"}), ("s-*", {"cloudformation-005": "role/deployer"}), ("s/*", {})],
)
def test_a_stack_that_was_given_a_role_is_found_only_among_many(stack: str, expected: dict[str, str]) -> None:
    deployer = role("deployer", POWER, trust=trusting("cloudformation.amazonaws.com"))
    actions = ("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet")
    changing = user(
        "al", document(granted(*actions, on=f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{stack}"))
    )

    assert completed(changing, account(deployer)) == expected


def test_a_stack_set_gives_no_power_by_a_role_without_any() -> None:
    passing = user("al", document(granted("iam:PassRole", "cloudformation:*StackSet", "cloudformation:*Instances")))
    trust = trusting("cloudformation.amazonaws.com")

    assert completed(passing, account(role("reader", READING, trust=trust))) == {}
    found = completed(passing, account(role("admin", POWER, trust=trust)))
    assert found == dict.fromkeys(["cloudformation-003", "cloudformation-004"], "role/admin")


def test_the_example_is_privileged_if_it_can_be() -> None:
    taking = user("al", document(granted("iam:CreateAccessKey", "iam:PutUserPolicy", on=f"{IAM}user/?")))

    assert completed(taking, account(user("a"), user("z", POWER)))["iam-018"] == "user/z"
    assert completed(taking, account(user("b"), user("a"))) == {"iam-018": "user/a"}


def test_a_role_whose_trust_nobody_read_may_trust_any_service() -> None:
    unread = role("unread", POWER).model_copy(update={"trust": None})

    assert completed(user("al", document(granted(*PASS))), account(unread)) == {"lambda-001": "role/unread"}


def test_a_member_gains_nothing_by_joining_its_group() -> None:
    joining = document(granted("iam:AddUserToGroup"))
    member = user("al", joining, groups=["admins"], policies=[of_group("admins", POWER)])

    found = completed(member, account(member, groups=["admins"]))
    assert "iam-013" not in found
    assert found["iam-011"] == "group/admins"


def test_a_group_that_is_not_listed_yet_is_still_a_group() -> None:
    member = user("al", document(granted("iam:PutGroupPolicy", on=f"{IAM}group/new")), groups=["new"])

    assert completed(member, account()) == {"iam-011": "group/new"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (granted("iam:PutRolePolicy"), {"iam-005": "role/me"}),
        (granted("iam:AttachRolePolicy", on=f"{IAM}role/${{aws:username}}"), {}),
        (granted("iam:AttachUserPolicy"), {}),
        (granted("iam:AddUserToGroup"), {}),
        (granted("sts:AssumeRole"), {"sts-001": "role/open-admin"}),
        (granted("sts:AssumeRole", on=f"{IAM}role/me"), {}),
    ],
)
def test_what_a_role_completes(statement: dict[str, Any], expected: dict[str, str]) -> None:
    me = role("me", document(statement), trust=trusting(aws=[ROOT]))

    assert completed(me, account(me, *EVERYONE, groups=GROUPS)) == expected


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        (trusting(aws=[f"{IAM}user/al"]), True),
        (trusting(aws=["111122223333"]), True),
        ({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:*"}}, True),
        (None, True),  # nobody read it
        (trusting(aws=["444455556666"]), False),
        (trusting(aws=[ROOT], Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), False),
    ],
)
def test_a_role_is_assumed_by_whom_it_trusts(trust: dict[str, Any] | None, expected: bool) -> None:  # noqa: FBT001
    target = role("target", POWER).model_copy(update={"trust": trust})

    found = completed(user("al", document(granted("sts:AssumeRole"))), account(target))

    assert found == ({"sts-001": "role/target"} if expected else {})


def test_a_role_is_trusted_by_its_sessions() -> None:
    target = role("target", POWER, trust=trusting(aws=["arn:aws:sts::111122223333:assumed-role/me/session"]))

    for name, expected in (("me", {"sts-001": "role/target"}), ("other", {})):
        assert completed(role(name, document(granted("sts:AssumeRole"))), account(target)) == expected


def test_in_an_empty_account_only_the_identity_itself_is_left() -> None:
    me = user("al", POWER, policies=[OWN_POLICY])

    assert completed(me, account(me)) == {"iam-001": "policy/own", "iam-007": "user/al", "iam-008": "user/al"}


def test_a_group_without_members_counts_as_powerful() -> None:
    me = user("al", document(granted("iam:AddUserToGroup")))

    assert completed(me, account(me, groups=["empty"])) == {"iam-013": "group/empty"}


NAMES = st.lists(
    st.sampled_from([ROOT, "*", f"{IAM}user/al", f"{IAM}user/bob", "444455556666"]), min_size=1, max_size=2
)


@settings(deadline=None)
@given(NAMES, NAMES, st.sampled_from(["Principal", "NotPrincipal"]))
def test_a_deny_in_a_trust_policy_never_adds_trust(allowed: list[str], denied: list[str], element: str) -> None:
    allow = trusting(aws=allowed)["Statement"][0]
    deny = {"Effect": "Deny", element: {"AWS": denied}, "Action": "sts:AssumeRole"}
    taken = document(granted("sts:AssumeRole"))
    open_to, limited = (
        {name for name in ("al", "bob") if completed(user(name, taken), account(role("r", POWER, trust=body)))}
        for body in ({"Statement": [allow]}, {"Statement": [allow, deny]})
    )

    assert limited <= open_to
    if element == "Principal" and {"*", ROOT} & set(denied):
        assert limited == set()


# Laws

ACTIONS = (
    "iam:PassRole", "lambda:*", "ec2:RunInstances", "sts:AssumeRole", "iam:CreateAccessKey", "iam:PutUserPolicy",
    "iam:PutRolePolicy", "iam:*Group*", "iam:UpdateAssumeRolePolicy", "iam:CreatePolicyVersion", "iam:Attach*", "iam:*",
    "lambda:UpdateFunctionCode", "ssm:SendCommand",
)  # fmt: skip
PATTERNS = (
    "*", f"{IAM}role/*", f"{IAM}role/*-admin", f"{IAM}user/*", f"{IAM}group/*", f"{IAM}policy/*", "arn:aws:iam::*:r*",
    f"{IAM}us?r/al",
)  # fmt: skip
NAMED = (f"{IAM}role/lambda-admin", f"{IAM}role/open-reader", f"{IAM}user/${{aws:username}}", f"{IAM}user/chief")
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringEquals": {"iam:PassedToService": LAMBDA}},
)


def lists(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


@st.composite
def statements(
    draw: st.DrawFn, effect: str = "Allow", *, patterns: Sequence[str] = (*PATTERNS, *NAMED), conditions: bool = True
) -> dict[str, Any]:
    condition = draw(st.sampled_from((None, None, *CONDITIONS))) if conditions else None
    element = draw(st.sampled_from(("Resource", "Resource", "NotResource")))
    return {"Effect": effect, "Action": draw(lists(ACTIONS)), element: draw(lists(patterns))} | (
        {"Condition": condition} if condition else {}
    )


ALLOWS = st.lists(statements(), min_size=1, max_size=3)
LISTINGS = st.sampled_from([None, WHOLE, account(OPEN_ADMIN, PLAIN_USER), account(ADMIN_OF_LAMBDA, groups=GROUPS)])


def me(*statements: Mapping[str, Any], boundary: Mapping[str, Any] | None = None) -> IdentityDetail:
    found = user("al", document(*statements), groups=["readers"], policies=[OWN_POLICY])
    return found.model_copy(update={"boundary": managed("boundary", boundary)}) if boundary else found


@settings(deadline=None)
@given(ALLOWS, statements(), LISTINGS)
def test_granting_more_never_removes_a_path(
    held: list[dict[str, Any]], more: dict[str, Any], listing: Principals | None
) -> None:
    assert completed(me(*held), listing).keys() <= completed(me(*held, more), listing).keys()


@settings(deadline=None)
@given(ALLOWS, statements("Deny"), LISTINGS)
def test_a_deny_never_adds_a_path(held: list[dict[str, Any]], deny: dict[str, Any], listing: Principals | None) -> None:
    assert completed(me(*held, deny), listing).keys() <= completed(me(*held), listing).keys()


@settings(deadline=None)
@given(ALLOWS, ALLOWS, LISTINGS)
def test_a_boundary_never_adds_a_path(
    held: list[dict[str, Any]], limits: list[dict[str, Any]], listing: Principals | None
) -> None:
    bounded = me(*held, boundary=document(*limits))

    assert completed(bounded, listing).keys() <= completed(me(*held), listing).keys()


@settings(deadline=None)
@given(st.lists(statements(patterns=PATTERNS, conditions=False), min_size=1, max_size=3))
def test_what_is_granted_broadly_completes_no_path_that_would_not_count_were_nothing_known(
    held: list[dict[str, Any]],
) -> None:
    by_workloads = {path.id for path in RISK.paths if path.category == EXISTING_PASSROLE}  # count only if known

    assert completed(me(*held), WHOLE).keys() - by_workloads <= completed(me(*held)).keys()
    assert not completed(me(*held)).keys() & by_workloads


@settings(deadline=None)
@given(ALLOWS, LISTINGS, st.randoms(use_true_random=False))
def test_order_case_and_splitting_make_no_difference(
    held: list[dict[str, Any]], listing: Principals | None, random: Any
) -> None:
    split = [{**one, "Action": [action.upper()]} for one in held for action in one["Action"]]
    random.shuffle(split)

    assert completed(me(*split), listing) == completed(me(*held), listing)


@settings(deadline=None)
@given(ALLOWS, st.lists(st.sampled_from(EVERYONE), unique_by=lambda one: one.ref.arn), st.sampled_from(EVERYONE))
def test_a_further_principal_never_removes_a_path(
    held: list[dict[str, Any]], there: list[IdentityDetail], another: IdentityDetail
) -> None:
    before, after = account(*there, groups=GROUPS), account(*there, another, groups=GROUPS)
    emptied = {one.arn for one in before.groups if one.privileged is None}
    known = {one.arn for one in after.groups if one.privileged is False}

    if not emptied & known:  # to learn that a group has no power can remove one
        assert completed(me(*held), before).keys() <= completed(me(*held), after).keys()
