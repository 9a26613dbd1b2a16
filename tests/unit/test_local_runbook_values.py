"""The `{{ … }}` of Automation runbooks, as the local AWS reads them."""

import pytest

from infra.local.emulator.errors import AwsError
from infra.local.emulator.runbook_branches import next_step
from infra.local.emulator.runbook_values import RunbookError, parameter_values, resolve, select

KNOWN = {"Ids": ["a", "b"], "Rule": "r", "fix.Payload": '{"ok": true}', "global:REGION": "us-east-1"}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("{{ Ids }}", ["a", "b"]),
        ("{{Rule}}", "r"),
        ("rule {{ Rule }} of {{ Ids }}", 'rule r of ["a", "b"]'),
        ({"a": ["{{ global:REGION }}", 1]}, {"a": ["us-east-1", 1]}),
        ("{{ fix.Payload }}", '{"ok": true}'),
    ],
)
def test_references_are_replaced_and_keep_their_type(value: object, resolved: object) -> None:
    assert resolve(value, KNOWN) == resolved


def test_an_unknown_reference_is_an_error_and_not_left_standing() -> None:
    with pytest.raises(RunbookError, match="Nothing"):
        resolve("{{ Nothing }}", KNOWN)


def test_a_selector_finds_a_part_of_an_answer() -> None:
    assert select("$.User.Tags[1]['Key']", {"User": {"Tags": [{}, {"Key": "k"}]}}) == "k"
    with pytest.raises(RunbookError, match="finds nothing"):
        select("$.User.Name", {"User": {}})


def test_parameters_get_defaults_and_are_checked() -> None:
    declared = {"Mode": {"type": "String", "default": "observe", "allowedValues": ["observe", "auto"]}, "Id": {}}
    assert parameter_values(declared, {"Id": ["i"]}) == {"Mode": "observe", "Id": "i"}
    for given in ({}, {"Id": ["i"], "Mode": ["x"]}, {"Id": ["i"], "Other": ["x"]}, {"Id": ["i", "j"]}):
        with pytest.raises(AwsError) as refusal:
            parameter_values(declared, given)
        assert refusal.value.code == "InvalidAutomationExecutionParametersException"


@pytest.mark.parametrize(
    ("test", "value", "holds"),
    [
        ({"StringEquals": "approve"}, "approve", True),
        ({"StringEquals": "approve"}, "APPROVE", False),
        ({"EqualsIgnoreCase": "approve"}, "Approve", True),
        ({"StartsWith": "app"}, "approve", True),
        ({"EndsWith": "app"}, "approve", False),
        ({"Contains": "PROPOSED"}, '{"outcome": "PROPOSED"}', True),
    ],
)
def test_a_branch_goes_where_its_first_choice_that_holds_says(test: dict[str, str], value: str, holds: object) -> None:
    never = {"NextStep": "never", "Variable": value, "StringEquals": "something else"}
    choices = [never, {"NextStep": "yes", "Variable": value, **test}]
    assert next_step({"Choices": choices, "Default": "no"}) == ("yes" if holds else "no")
    assert next_step({"Choices": choices}) == ("yes" if holds else None)


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"Choices": []},
        {"Choices": [{"NextStep": "a", "Variable": "v"}]},
        {"Choices": [{"NextStep": "a", "StringEquals": "v"}]},
        {"Choices": [{"NextStep": "a", "Variable": "1", "NumericEquals": 1}]},
        {"Choices": [{"NextStep": "a", "Not": {"Variable": "v", "StringEquals": "v"}}]},
    ],
)
def test_a_choice_that_is_not_understood_is_an_error_and_never_passed_over(inputs: dict[str, object]) -> None:
    with pytest.raises(RunbookError):
        next_step(inputs)
