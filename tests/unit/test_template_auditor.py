"""Holds the auditor's part of the templates: parameters, the bucket of anchors, the key that signs, schedules."""

import re
from typing import Any

import pytest

from services.auditor.edge import RESERVE
from services.auditor.settings import AuditSettings
from services.auditor.telling.edge import PATIENCE, SENDING, TURN
from shared.events import ROUTES, Service
from tests.unit.test_template import DATA, FUNCTIONS, OPTIONAL, RESOURCES, RULES, TEMPLATE, TLS_ONLY

Resource = dict[str, Any]

BUCKET: Resource = DATA["Resources"]["AnchorBucket"]
POLICY: Resource = RESOURCES["AnchorBucketPolicy"]
KEY: Resource = DATA["Resources"]["AnchorSigningKey"]
BUCKET_ARN = {"Fn::GetAtt": ["Data", "Outputs.AuditAnchorBucketArn"]}
TO_THE_NESTED_STACK = ("DeletionProtection", "AnchorRetentionDays", "AnchorLockMode", "SignAnchors")


# ---- the bucket of anchors


def test_given_an_anchor_when_it_is_written_then_it_is_locked_for_as_long_as_the_parameters_say() -> None:
    properties = BUCKET["Properties"]
    assert properties["ObjectLockEnabled"] is True
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    lock = properties["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"
    assert lock["Rule"] == {
        "DefaultRetention": {"Mode": {"Ref": "AnchorLockMode"}, "Days": {"Ref": "AnchorRetentionDays"}}
    }
    assert "LifecycleConfiguration" not in properties, "nothing expires: a chain of anchors with a gap proves less"


def test_given_the_bucket_when_anybody_asks_then_it_is_private_encrypted_and_only_over_tls() -> None:
    properties = BUCKET["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    statements = POLICY["Properties"]["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Deny"}, "who may is said by roles alone"
    tls = next(statement for statement in statements if statement["Condition"] == TLS_ONLY)
    assert (tls["Principal"], tls["Action"]) == ("*", "s3:*")
    assert tls["Resource"] == [BUCKET_ARN, {"Fn::Sub": "${Data.Outputs.AuditAnchorBucketArn}/*"}]
    assert POLICY["Properties"]["Bucket"] == {"Fn::GetAtt": ["Data", "Outputs.AuditAnchorBucketName"]}


@pytest.mark.parametrize("body", [BUCKET, POLICY, KEY], ids=["bucket", "policy", "key"])
def test_given_what_proves_the_trail_when_the_stack_goes_then_it_stays(body: Resource) -> None:
    assert body["DeletionPolicy"] == body["UpdateReplacePolicy"] == "Retain"


def test_given_nobody_chose_when_the_stack_is_deployed_then_anchors_are_locked_for_over_a_year() -> None:
    parameters = TEMPLATE["Parameters"]
    assert parameters["AnchorLockMode"]["Default"] == "GOVERNANCE", "COMPLIANCE can't be taken back"
    assert parameters["AnchorRetentionDays"]["Default"] > 366
    assert parameters["AnchorSchedule"]["Default"] == "rate(1 hour)"
    assert parameters["SignAnchors"]["Default"] == "false"


def test_given_the_nested_stack_when_it_is_deployed_then_it_gets_each_parameter_as_the_root_has_it() -> None:
    passed = RESOURCES["Data"]["Properties"]["Parameters"]
    assert passed == {name: {"Ref": name} for name in TO_THE_NESTED_STACK} | {"StackName": {"Ref": "AWS::StackName"}}
    assert set(DATA["Parameters"]) == set(passed)
    for name in TO_THE_NESTED_STACK:
        root, nested = TEMPLATE["Parameters"][name], DATA["Parameters"][name]
        assert root["Type"] == nested["Type"]
        assert root.get("AllowedValues") == nested.get("AllowedValues")


# ---- the bus


def test_given_the_bus_when_others_put_events_on_it_then_what_the_command_may_send_is_what_is_let_through() -> None:
    """What the policy answers, test_blast_radius_auditor.py tells."""
    open_to_others = {event.type_name() for event, route in ROUTES.items() if Service.COMMAND in route.producers}
    bus = RESOURCES["EventBus"]["Properties"]
    conditions = [statement["Condition"]["ForAnyValue:StringNotEquals"] for statement in bus["Policy"]["Statement"]]
    assert conditions == [{"events:source": Service.COMMAND.source}, {"events:detail-type": "ScoreRequested"}]
    assert open_to_others == {"ScoreRequested"}
    name = bus["Name"]["Ref"]
    assert all(s["Resource"]["Fn::Sub"].endswith(f":event-bus/${{{name}}}") for s in bus["Policy"]["Statement"])


# ---- the key


def test_given_signing_when_it_is_switched_on_then_the_key_can_do_nothing_else_and_is_the_accounts() -> None:
    properties = KEY["Properties"]
    assert KEY["Condition"] == "AnchorsSigned"
    assert (properties["KeySpec"], properties["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    (statement,) = properties["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    assert properties["PendingWindowInDays"] == 30


def test_given_no_signing_when_the_stack_is_deployed_then_nothing_asks_for_the_key() -> None:
    assert "AnchorsSigned" not in OPTIONAL, "what the condition makes is in the nested stack"
    signed = re.compile(r"AnchorSigningKey")
    for section in (RESOURCES, TEMPLATE["Outputs"]):
        for name, body in section.items():
            text = str(_without_condition(body))
            assert not signed.search(text), name


def _without_condition(value: Any) -> Any:
    """What is left of a part of the template where anchors are not signed."""
    if isinstance(value, list):
        return [_without_condition(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("Condition") == "AnchorsSigned":
        return {}
    if value.get("Fn::If", [None])[0] == "AnchorsSigned":
        return _without_condition(value["Fn::If"][2])
    return {name: _without_condition(one) for name, one in value.items()}


# ---- what the auditor reads


def test_given_the_mode_when_it_was_set_then_the_auditor_may_read_what_to_and_nothing_else_of_systems_manager() -> None:
    statements = RESOURCES["AuditRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    (may,) = (statement for statement in statements if "ssm:" in str(statement["Action"]))
    mode = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${ModeParameter}"
    assert may["Action"] == "ssm:GetParameter"
    assert may["Resource"] == [{"Fn::Sub": mode}, {"Fn::Sub": f"{mode}:*"}]


# ---- schedules and times


def test_given_messages_that_wait_when_they_are_sent_then_by_one_run_at_a_time_and_never_while_their_keeper_may() -> (
    None
):
    """Times of services/auditor/telling hold only while the functions are shorter than they say."""
    timeout = FUNCTIONS["AuditFunction"]["Properties"]["Timeout"]
    assert RESERVE.total_seconds() < SENDING.total_seconds() < timeout < PATIENCE.total_seconds()
    assert FUNCTIONS["NotifyFunction"]["Properties"]["Timeout"] < TURN.total_seconds()
    assert RULES["NotifyRule"]["Properties"]["ScheduleExpression"] == "rate(5 minutes)"
    assert TURN.total_seconds() < 5 * 60


def test_given_the_anchors_when_they_are_due_then_by_the_parameter_and_with_all_the_time_that_lambda_gives() -> None:
    assert RULES["AnchorRule"]["Properties"]["ScheduleExpression"] == {"Ref": "AnchorSchedule"}
    assert FUNCTIONS["AnchorFunction"]["Properties"]["Timeout"] == 900


def test_given_the_burst_when_it_is_set_then_within_what_the_function_takes() -> None:
    parameter = TEMPLATE["Parameters"]["NotificationBurst"]
    field = AuditSettings.model_fields["notification_burst"]
    limits = {type(limit).__name__: limit for limit in field.metadata}
    assert (parameter["MinValue"], parameter["MaxValue"]) == (limits["Ge"].ge, limits["Le"].le)
    assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]
