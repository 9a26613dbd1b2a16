"""The adapter that changes IAM, against moto: every step for users and roles, idempotent, and within its duties.

moto knows no boundaries of users and deletes policies that are attached: there IAM's answers are given here.
"""

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from shared.aws import clients
from shared.aws.iam import IamReader, NamedIdentity
from shared.aws.iam_changes import PLAN_TAG, IamChanges
from shared.errors import DeniedError, DependencyError, InputError, NotFoundError, SafetyError
from shared.model.call_outcome import CallOutcome
from shared.model.identity import IdentityDetail, IdentityRef, IdentityType
from shared.model.plan import PlannedPolicy, Step, StepKind
from tests.builders import ACCOUNT, NOW
from tests.conftest import Stack

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

PLAN = "0123456789abcdef"
OURS = f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{PLAN}"
THEIRS = f"arn:aws:iam::{ACCOUNT}:policy/theirs"
DOCUMENT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}],
}
ALICE = IdentityRef(account_id=ACCOUNT, identity_id="AIDAEXAMPLE0001", arn=f"arn:aws:iam::{ACCOUNT}:user/team/alice")
WORKER = IdentityRef(account_id=ACCOUNT, identity_id="AROAEXAMPLE0001", arn=f"arn:aws:iam::{ACCOUNT}:role/team/worker")
USER, ROLE = IdentityType.USER, IdentityType.ROLE


@pytest.fixture
def iam(aws: Stack) -> "IAMClient":
    client = clients.iam()
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
    client.create_user(UserName="alice", Path="/team/")
    client.create_role(RoleName="worker", Path="/team/", AssumeRolePolicyDocument=json.dumps(trust))
    client.create_group(GroupName="devs")
    client.create_policy(PolicyName="theirs", PolicyDocument=json.dumps(DOCUMENT))
    return client


@pytest.fixture
def offline(fresh_clients: None, monkeypatch: pytest.MonkeyPatch) -> "IAMClient":
    """A client that reaches nothing: a test says what IAM answers."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return clients.iam()


def answering(iam: "IAMClient", code: str = "", *, calls: str = "*") -> list[tuple[str, dict[str, Any]]]:
    """Answer calls with an error, or with nothing; returns the list to which they are added as they come."""
    made: list[tuple[str, dict[str, Any]]] = []

    def answer(model: Any, params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        made.append((model.name, params["body"]))
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "as IAM says"}}, model.name)
        return SimpleNamespace(status_code=200), {}

    handler: Any = answer
    iam.meta.events.register(f"before-call.iam.{calls}", handler)
    return made


def identity(iam: "IAMClient", kind: IdentityType) -> IdentityRef:
    return IamReader(iam).reference(NamedIdentity(kind, "alice" if kind is USER else "worker"))


def detail(iam: "IAMClient", kind: IdentityType) -> IdentityDetail:
    return IamReader(iam).identity(NamedIdentity(kind, "alice" if kind is USER else "worker"), now=NOW)


def step(kind: StepKind, target: str, document: dict[str, Any] | None = None) -> Step:
    policy = PlannedPolicy(name=target.rsplit("/", 1)[-1], document=document) if document else None
    return Step(kind=kind, target=target, policy=policy)


def perform(iam: "IAMClient", who: IdentityType, *steps: Step, may_give_back: bool = False) -> list[CallOutcome]:
    changes, ref = IamChanges(iam, may_give_back=may_give_back), identity(iam, who)
    return [changes.perform(ref, one, plan_id=PLAN) for one in steps]


def held(iam: "IAMClient", who: IdentityType) -> tuple[list[str], str | None]:
    found = detail(iam, who)
    return sorted(
        policy.source.name for policy in found.policies
    ), found.boundary.source.arn if found.boundary else None


CREATE = step(StepKind.CREATE_POLICY, OURS, DOCUMENT)
DELETE = step(StepKind.DELETE_POLICY, OURS)
TWICE = [CallOutcome.DONE, CallOutcome.DONE]


@pytest.mark.parametrize("who", [USER, ROLE])
def test_our_policy_is_created_attached_detached_and_deleted_each_as_often_as_one_likes(
    iam: "IAMClient", who: IdentityType
) -> None:
    attach, detach = step(StepKind.ATTACH_POLICY, OURS), step(StepKind.DETACH_POLICY, OURS)

    assert perform(iam, who, CREATE, CREATE) == TWICE
    assert {tag["Key"]: tag["Value"] for tag in iam.get_policy(PolicyArn=OURS)["Policy"]["Tags"]} == {PLAN_TAG: PLAN}
    assert perform(iam, who, attach, attach) == TWICE
    assert held(iam, who) == ([PLAN], None)
    assert perform(iam, who, detach, detach) == TWICE
    assert perform(iam, who, DELETE, DELETE) == TWICE
    assert held(iam, who) == ([], None)


def test_our_boundary_is_set_and_removed_as_often_as_one_likes(iam: "IAMClient") -> None:
    put, delete = step(StepKind.PUT_BOUNDARY, OURS), step(StepKind.DELETE_BOUNDARY, OURS)

    assert perform(iam, ROLE, CREATE, put, put) == [CallOutcome.DONE] * 3
    assert held(iam, ROLE) == ([], OURS)
    assert perform(iam, ROLE, delete, delete) == TWICE
    assert held(iam, ROLE) == ([], None)


def test_a_users_boundary_is_set_and_removed_by_the_calls_for_users(offline: "IAMClient") -> None:
    made = answering(offline)
    changes = IamChanges(offline)

    for kind in (StepKind.PUT_BOUNDARY, StepKind.DELETE_BOUNDARY):
        assert changes.perform(ALICE, step(kind, OURS), plan_id=PLAN) is CallOutcome.DONE

    assert [(name, body["UserName"], body.get("PermissionsBoundary")) for name, body in made] == [
        ("PutUserPermissionsBoundary", "alice", OURS),
        ("DeleteUserPermissionsBoundary", "alice", None),
    ]


def test_a_policy_that_somebody_else_uses_is_in_use(iam: "IAMClient") -> None:
    perform(iam, USER, CREATE)
    made = answering(iam, "DeleteConflict", calls="DeletePolicy")

    assert perform(iam, USER, DELETE) == [CallOutcome.IN_USE]
    assert len(made) == 1


@pytest.mark.parametrize("who", [USER, ROLE])
def test_policies_of_others_are_taken_off_by_one_and_given_back_by_the_other(
    iam: "IAMClient", who: IdentityType
) -> None:
    give = [step(StepKind.ATTACH_POLICY, THEIRS), step(StepKind.PUT_INLINE, "own", DOCUMENT)]
    take = [step(StepKind.DETACH_POLICY, THEIRS), step(StepKind.DELETE_INLINE, "own")]

    assert perform(iam, who, *give, *give, may_give_back=True) == TWICE * 2
    assert held(iam, who) == (["own", "theirs"], None)
    assert perform(iam, who, *take, *take) == TWICE * 2
    assert held(iam, who) == ([], None)


def test_a_user_leaves_a_group_and_is_added_again(iam: "IAMClient") -> None:
    add, leave = step(StepKind.ADD_TO_GROUP, "devs"), step(StepKind.REMOVE_FROM_GROUP, "devs")

    assert perform(iam, USER, add, add, may_give_back=True) == TWICE
    assert detail(iam, USER).groups == ("devs",)
    assert perform(iam, USER, leave, leave) == TWICE
    assert detail(iam, USER).groups == ()


@pytest.mark.parametrize(
    ("refused", "may_give_back"),
    [
        (step(StepKind.CREATE_POLICY, THEIRS, DOCUMENT), False),
        (step(StepKind.CREATE_POLICY, THEIRS, DOCUMENT), True),
        (step(StepKind.CREATE_POLICY, f"arn:aws:iam::999999999999:policy/leastwise/{PLAN}", DOCUMENT), False),
        (step(StepKind.DELETE_POLICY, THEIRS), True),
        (step(StepKind.PUT_BOUNDARY, THEIRS), True),
        (step(StepKind.DELETE_BOUNDARY, THEIRS), True),
        (step(StepKind.ATTACH_POLICY, THEIRS), False),
        (step(StepKind.PUT_INLINE, "own", DOCUMENT), False),
        (step(StepKind.PUT_INLINE, OURS, DOCUMENT), False),
        (step(StepKind.ADD_TO_GROUP, "devs"), False),
        (step(StepKind.DETACH_POLICY, THEIRS), True),
        (step(StepKind.DELETE_INLINE, "own"), True),
        (step(StepKind.REMOVE_FROM_GROUP, "devs"), True),
        (step(StepKind.CREATE_POLICY, OURS), False),
        (step(StepKind.PUT_INLINE, "own"), True),
    ],
)
def test_what_is_not_ones_duty_is_refused_before_iam_is_called(
    offline: "IAMClient", refused: Step, *, may_give_back: bool
) -> None:
    made = answering(offline)

    with pytest.raises(SafetyError):
        IamChanges(offline, may_give_back=may_give_back).perform(ALICE, refused, plan_id=PLAN)

    assert made == []


@pytest.mark.parametrize(
    ("kind", "may_give_back"), [(StepKind.ADD_TO_GROUP, True), (StepKind.REMOVE_FROM_GROUP, False)]
)
def test_a_role_is_in_no_group(iam: "IAMClient", kind: StepKind, *, may_give_back: bool) -> None:
    with pytest.raises(SafetyError, match="in no group"):
        perform(iam, ROLE, step(kind, "devs"), may_give_back=may_give_back)


@pytest.mark.parametrize(
    "missing",
    [step(StepKind.ATTACH_POLICY, OURS), step(StepKind.ATTACH_POLICY, THEIRS), step(StepKind.ADD_TO_GROUP, "devs")],
)
def test_what_does_not_show_can_not_be_given(iam: "IAMClient", missing: Step) -> None:
    iam.delete_policy(PolicyArn=THEIRS)
    iam.delete_group(GroupName="devs")
    with pytest.raises(NotFoundError):
        perform(iam, USER, missing, may_give_back=True)


def test_a_policy_with_another_document_is_not_ours_to_use(iam: "IAMClient") -> None:
    perform(iam, USER, CREATE)
    other = DOCUMENT | {"Statement": [DOCUMENT["Statement"][0] | {"Action": ["s3:PutObject"]}]}
    with pytest.raises(SafetyError, match="another document"):
        perform(iam, USER, step(StepKind.CREATE_POLICY, OURS, other))


def test_versions_that_others_gave_our_policy_go_with_it(iam: "IAMClient") -> None:
    """IAM refuses to delete a policy with several versions; moto does not, so that refusal is added here.

    Source: IAM API reference, DeletePolicy: "you must delete all the policy's versions" first.
    """
    perform(iam, USER, CREATE)
    for default in (False, True, False):
        iam.create_policy_version(PolicyArn=OURS, PolicyDocument=json.dumps(DOCUMENT), SetAsDefault=default)

    def refuse(params: dict[str, Any], **_: object) -> None:
        if len(iam.list_policy_versions(PolicyArn=OURS)["Versions"]) > 1:
            raise ClientError({"Error": {"Code": "DeleteConflict", "Message": "versions"}}, "DeletePolicy")

    iam.meta.events.register("provide-client-params.iam.DeletePolicy", refuse)

    assert perform(iam, USER, DELETE) == [CallOutcome.DONE]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn=OURS)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("LimitExceeded", CallOutcome.OVER_QUOTA),
        ("UnmodifiableEntity", CallOutcome.UNMODIFIABLE),
        ("AccessDenied", DeniedError),
        ("MalformedPolicyDocument", InputError),
        ("Throttling", DependencyError),
        ("ServiceFailure", DependencyError),
        ("ConcurrentModification", DependencyError),
        ("EntityTemporarilyUnmodifiable", DependencyError),
        ("NoSuchEntity", NotFoundError),
    ],
)
@pytest.mark.parametrize("kind", [StepKind.CREATE_POLICY, StepKind.PUT_BOUNDARY, StepKind.ATTACH_POLICY])
def test_what_iam_answers_is_told_apart(
    offline: "IAMClient", kind: StepKind, code: str, expected: CallOutcome | type[Exception]
) -> None:
    answering(offline, code)
    changes = IamChanges(offline)
    if isinstance(expected, CallOutcome):
        assert changes.perform(ALICE, step(kind, OURS, DOCUMENT), plan_id=PLAN) is expected
    else:
        with pytest.raises(expected, match=code):
            changes.perform(ALICE, step(kind, OURS, DOCUMENT), plan_id=PLAN)


def test_no_step_ever_makes_a_new_version_of_a_policy(offline: "IAMClient") -> None:
    made = answering(offline)
    for who in (ALICE, WORKER):
        for kind in StepKind:
            for may_give_back in (False, True):
                target = "own" if "inline" in kind else "devs" if "group" in kind else OURS
                try:
                    IamChanges(offline, may_give_back=may_give_back).perform(
                        who, step(kind, target, DOCUMENT), plan_id=PLAN
                    )
                except SafetyError:
                    continue
    names = {name for name, _ in made}
    assert len(names) == 2 + 2 * 6 + 2
    assert not {"CreatePolicyVersion", "SetDefaultPolicyVersion"} & names
