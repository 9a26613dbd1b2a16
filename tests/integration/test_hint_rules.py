"""The rules on the default bus let through what the auditor's hints are about, by moto's reading of event patterns."""

from typing import Any

import pytest
from moto.events.models import EventPattern

from services.auditor.hints import ControlHint, Watched, hints_of
from shared.envelope import Envelope
from tests.builders import ACCOUNT, envelope
from tests.unit.rendered_roles import ACCOUNT as RENDERED_ACCOUNT
from tests.unit.rendered_roles import STACK, Stack
from tests.unit.test_telling_hints import record
from tests.unit.test_template import RESOURCES

CALL = "AWS API Call via CloudTrail"
NAMES = ("/leastwise/mode", "leastwise/mode", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/leastwise/safeguards")
WATCHED = Watched(STACK, "us-east-1", "/leastwise/mode", "/leastwise/safeguards")


def matches(rule: str, event: dict[str, Any]) -> bool:
    pattern = Stack().resolve(RESOURCES[rule]["Properties"]["EventPattern"])
    of_account: Any = event | {"account": RENDERED_ACCOUNT}
    return EventPattern(None, pattern).matches_event(of_account)


def call(name: str, parameters: dict[str, Any], **changes: Any) -> dict[str, Any]:
    detail = record("put-parameter.json", eventName=name, requestParameters=parameters, **changes)
    return envelope(detail, detail_type=CALL, source="aws.ssm")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("operation", ["PutParameter", "DeleteParameter"])
def test_given_a_call_that_sets_a_control_when_it_is_logged_then_the_auditor_hears_of_it(
    name: str, operation: str
) -> None:
    assert matches("ControlsRule", call(operation, {"name": name}))


@pytest.mark.parametrize("name", NAMES)
def test_given_a_call_that_deletes_many_when_one_is_a_control_then_the_auditor_hears_of_it(name: str) -> None:
    assert matches("ControlsRule", call("DeleteParameters", {"names": ["/other/one", name]}))
    assert not matches("ControlsRule", call("DeleteParameters", {"names": ["/other/one"]}))


@pytest.mark.parametrize(
    "event",
    [
        call("PutParameter", {"name": "/other/mode"}),
        call("PutParameter", {"name": "/leastwise/mode"}, errorCode="AccessDenied"),
        call("PutParameter", {"name": "/leastwise/mode"}, eventSource="other.amazonaws.com"),
        call("GetParameter", {"name": "/leastwise/mode"}),
        call("LabelParameterVersion", {"name": "/leastwise/mode"}),
        call("PutParameter", {"name": "/leastwise/mode"}) | {"source": "leastwise.command"},
        record("alarm-state-change.json"),
    ],
    ids=["parameter", "refused", "service", "read", "label", "source", "alarm"],
)
def test_given_any_other_call_when_it_is_logged_then_it_costs_the_auditor_nothing(event: dict[str, Any]) -> None:
    assert not matches("ControlsRule", event)


@pytest.mark.parametrize(
    ("name", "ours"), [("leastwise/audit-errors", True), ("leastwise-prod/audit-errors", False), ("x", False)]
)
def test_given_an_alarm_when_it_changes_then_the_auditor_hears_of_those_of_the_stack(name: str, *, ours: bool) -> None:
    event = record("alarm-state-change.json")
    event["detail"]["alarmName"] = name
    assert matches("AlarmsRule", event) is ours


@pytest.mark.parametrize("name", NAMES)
def test_given_what_the_code_takes_for_a_control_when_it_is_called_then_the_rule_is_no_narrower(name: str) -> None:
    event = call("PutParameter", {"name": name})
    (hint,) = hints_of(Envelope.model_validate(event), WATCHED)
    assert isinstance(hint, ControlHint)
    assert matches("ControlsRule", event)
