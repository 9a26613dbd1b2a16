"""Which identities an event may have changed: IAM calls, AWS Config items, and our own events."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.scorer.changes import Changed, changes_of
from shared.envelope import Envelope
from shared.errors import InputError
from shared.events import DomainEvent, IdentityEvent
from shared.model.identity import IdentityType
from tests.builders import ACCOUNT, ANA, OTHER_ACCOUNT, envelope, every_event

ITEMS = Path(__file__).parents[1] / "events" / "config"
USER, ROLE = IdentityType.USER, IdentityType.ROLE
OWN = f"arn:aws:iam::{ACCOUNT}:policy/own"


def event(detail: dict[str, Any], detail_type: str = "AWS API Call via CloudTrail") -> Envelope:
    return Envelope.model_validate(envelope(detail, detail_type=detail_type))


def call(name: str = "X", **parameters: Any) -> Envelope:
    return event({"eventName": name, "requestParameters": parameters})


def item(kind: str, difference: Any) -> Envelope:
    about = {"resourceType": f"AWS::IAM::{kind}", "ARN": OWN, "resourceName": "own"}
    return event({"configurationItem": about, "configurationItemDiff": difference}, "Config Configuration Item Change")


def update(*properties: str) -> dict[str, Any]:
    changed = {name: {"previousValue": 2, "updatedValue": 3, "changeType": "UPDATE"} for name in properties}
    return {"changedProperties": changed, "changeType": "UPDATE"}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"userName": "ana", "policyArn": OWN}, Changed(named=(USER, "ana"))),
        ({"userName": "ana", "groupName": "devs"}, Changed(named=(USER, "ana"))),
        ({"userName": "ana", "newUserName": "anna"}, Changed(named=(USER, "anna"))),
        ({"userName": "ana", "newPath": "/x/"}, Changed(named=(USER, "ana"))),
        ({"roleName": "deployer", "policyName": "p"}, Changed(named=(ROLE, "deployer"))),
        ({"groupName": "devs", "policyArn": OWN}, Changed(group="devs")),
        ({"groupName": "devs", "newGroupName": "developers"}, Changed(group="developers")),
        ({"policyArn": OWN, "setAsDefault": True}, Changed(policy_arn=OWN)),
        ({"policyArn": "arn:aws:iam::aws:policy/X"}, Changed(policy_arn="arn:aws:iam::aws:policy/X")),
    ],
)
def test_a_call_of_iam_names_who_may_hold_other_permissions(parameters: dict[str, Any], expected: Changed) -> None:
    assert changes_of(call(**parameters)) == (expected,)


@pytest.mark.parametrize(
    "parameters",
    [None, {}, {"instanceProfileName": "p"}, {"userName": None}, {"userName": ["ana"]}],
    ids=str,
)
def test_a_call_that_touches_nobodys_permissions_names_nobody(parameters: Any) -> None:
    assert changes_of(event({"eventName": "X", "requestParameters": parameters})) == ()


def by_role(arn: Any, **changes: Any) -> dict[str, Any]:
    """A change of ana's permissions by a session of a role."""
    who = {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"type": "Role", "arn": arn}}} | changes
    return {"eventName": "X", "requestParameters": {"userName": "ana"}, "userIdentity": who}


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov"])
def test_a_change_by_a_role_of_this_stack_is_told_by_our_own_events_alone(partition: str) -> None:
    own = f"arn:{partition}:iam::{ACCOUNT}:role/leastwise/leastwise-RemediateRole-1"
    assert changes_of(event(by_role(own))) == ()


@pytest.mark.parametrize(
    "detail",
    [
        by_role(f"arn:aws:iam::{OTHER_ACCOUNT}:role/leastwise/leastwise-RemediateRole-1"),
        by_role(f"arn:aws:iam::{ACCOUNT}:role/leastwise-RemediateRole-1"),
        by_role(f"arn:aws:iam::{ACCOUNT}:role/team/leastwise/x"),
        by_role(f"arn:aws:iam::{ACCOUNT}:user/leastwise/x"),
        by_role("role/leastwise/x"),
        by_role(["canary"]),
        by_role(f"arn:aws:iam::{ACCOUNT}:role/leastwise/x", type="IAMUser"),
        by_role("x", sessionContext={"sessionIssuer": "canary"}),
        by_role("x", sessionContext=None),
    ],
    ids=str,
)
def test_a_change_by_anybody_else_is_looked_at(detail: dict[str, Any]) -> None:
    assert changes_of(event(detail)) == (Changed(named=(USER, "ana")),)


def test_a_policy_of_another_account_is_nobodys_here() -> None:
    assert changes_of(call(policyArn=f"arn:aws:iam::{OTHER_ACCOUNT}:policy/theirs")) == ()
    assert changes_of(call(policyArn="nonsense")) == ()


@pytest.mark.parametrize(
    ("name", "set_as_default", "counts"),
    [
        ("CreatePolicyVersion", True, True),
        ("CreatePolicyVersion", False, False),
        ("CreatePolicyVersion", None, False),
        ("SetDefaultPolicyVersion", None, True),
        ("DeletePolicy", None, True),
        ("DeletePolicyVersion", None, False),
        ("TagPolicy", None, False),
        ("UntagPolicy", None, False),
        ("UpdatePolicyInAWayOfTheFuture", None, True),
    ],
)
def test_of_calls_on_a_policy_those_count_that_may_alter_the_document_in_force(
    name: str, *, set_as_default: bool | None, counts: bool
) -> None:
    changes = changes_of(call(name, policyArn=OWN, setAsDefault=set_as_default))
    assert changes == ((Changed(policy_arn=OWN),) if counts else ())


def test_a_service_linked_role_has_its_name_in_the_answer() -> None:
    detail = {
        "eventName": "CreateServiceLinkedRole",
        "requestParameters": {"aWSServiceName": "lex.amazonaws.com"},
        "responseElements": {"role": {"roleName": "AWSServiceRoleForLexBots", "path": "/aws-service-role/"}},
    }
    assert changes_of(event(detail)) == (Changed(named=(ROLE, "AWSServiceRoleForLexBots")),)


@pytest.mark.parametrize("answer", [None, "canary", {}, {"role": None}, {"role": {"roleName": 7}}], ids=str)
def test_an_answer_without_a_role_names_nobody(answer: Any) -> None:
    parameters = {"aWSServiceName": "lex.amazonaws.com"}
    assert changes_of(event({"requestParameters": parameters, "responseElements": answer})) == ()


@pytest.mark.parametrize("parameters", ["canary", ["canary"], 7], ids=str)
def test_parameters_of_another_form_are_refused(parameters: Any) -> None:
    with pytest.raises(InputError, match="requestParameters is not an object"):
        changes_of(event({"requestParameters": parameters}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("item-user.json", Changed(named=(USER, "johndoe"))),
        ("item-role.json", Changed(named=(ROLE, "config-role-ezcrc2"))),
        ("item-group.json", None),
        ("item-policy.json", None),
    ],
)
def test_a_real_configuration_item_names_who_changed(name: str, expected: Changed | None) -> None:
    real = json.loads((ITEMS / name).read_text(encoding="utf-8"))
    arn = real.get("ARN") or real.get("arn")
    if expected is None:
        is_group = real["resourceType"] == "AWS::IAM::Group"
        expected = Changed(group=real["resourceName"]) if is_group else Changed(policy_arn=arn)
    assert changes_of(event({"configurationItem": real}, "Config Configuration Item Change")) == (expected,)


@pytest.mark.parametrize("kind", ["Group", "Policy"])
@pytest.mark.parametrize(
    "properties",
    [
        ("Relationships.0", "Configuration.AttachmentCount"),
        ("Relationships.0", "Relationships.1"),
        ("Configuration.attachmentCount",),
        ("Configuration.permissionsBoundaryUsageCount",),
    ],
    ids=",".join,
)
def test_an_item_that_tells_only_who_has_it_concerns_none_of_the_others(kind: str, properties: tuple[str, ...]) -> None:
    assert changes_of(item(kind, update(*properties))) == ()


@pytest.mark.parametrize("kind", ["Group", "Policy"])
@pytest.mark.parametrize(
    "difference",
    [
        None,
        "canary",
        {},
        {"changeType": "UPDATE"},
        {"changeType": "UPDATE", "changedProperties": None},
        update(),
        update("Relationships.0", "Configuration.DefaultVersionId"),
        update("Configuration.attachmentCount", "Configuration.attachedManagedPolicies.0"),
        update("Configuration.groupPolicyList.0"),
        update("Relationships.0") | {"changeType": "DELETE"},
        update("Relationships.0") | {"changeType": "CREATE"},
    ],
    ids=str,
)
def test_an_item_that_may_tell_more_concerns_everybody(kind: str, difference: Any) -> None:
    expected = Changed(group="own") if kind == "Group" else Changed(policy_arn=OWN)
    assert changes_of(item(kind, difference)) == (expected,)


@pytest.mark.parametrize("kind", ["User", "Role"])
def test_an_identity_is_looked_at_whatever_its_item_tells(kind: str) -> None:
    named = USER if kind == "User" else ROLE
    assert changes_of(item(kind, update("Relationships.0"))) == (Changed(named=(named, "own")),)


@pytest.mark.parametrize(
    ("detail", "complaint"),
    [
        ({}, "configurationItem is missing"),
        ({"configurationItem": "canary"}, "configurationItem is missing or not an object"),
        ({"configurationItem": {"resourceType": "AWS::IAM::User", "ARN": "a", "resourceName": 7}}, "resourceName"),
        ({"configurationItem": {"resourceType": "AWS::IAM::User", "resourceName": "a"}}, "has no ARN"),
        (
            {"configurationItem": {"resourceType": "AWS::S3::Bucket", "resourceName": "b", "ARN": "a"}},
            "'AWS::S3::Bucket' is not ours",
        ),
    ],
)
def test_an_item_that_does_not_say_who_changed_is_refused(detail: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        changes_of(event(detail, "Config Configuration Item Change"))


@pytest.mark.parametrize("told", every_event(), ids=lambda told: told.type_name())
def test_our_own_events_name_their_identity_and_those_of_the_account_name_none(told: DomainEvent) -> None:
    arrived = event(told.model_dump(mode="json"), told.type_name())
    if not isinstance(told, IdentityEvent):
        with pytest.raises(InputError, match=f"{told.type_name()} names no identity"):
            changes_of(arrived)
    else:
        assert changes_of(arrived) == (Changed(ref=ANA),)


def test_an_event_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="unknown event type"):
        changes_of(event({}, "Scheduled Event"))
