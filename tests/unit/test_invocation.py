"""What AWS Config sends to the rule, in the shapes that it really has (tests/events/SOURCE.md)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.invocation import DELETED, SCHEDULED, parse_invocation
from shared.errors import InputError
from tests.builders import ACCOUNT, NOW

EVENTS = Path(__file__).parents[1] / "events" / "config"
ITEM = {
    "resourceType": "AWS::IAM::User",
    "resourceId": "AIDAEXAMPLEUSER00001",
    "ARN": f"arn:aws:iam::{ACCOUNT}:user/ana",
    "configurationItemStatus": "OK",
    "configurationItemCaptureTime": "2026-03-01T11:59:00.123Z",
}
CHANGE = "ConfigurationItemChangeNotification"


def sample(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    return content


def invocation(invoking: Any = None, **changes: Any) -> dict[str, Any]:
    """An invocation; a change to None removes the field."""
    content = {"messageType": CHANGE, "configurationItem": ITEM} if invoking is None else invoking
    fields = {"invokingEvent": json.dumps(content), "resultToken": "token", "accountId": ACCOUNT} | changes
    return {name: value for name, value in fields.items() if value is not None}


def test_a_real_item_change_is_read() -> None:
    parsed = parse_invocation(sample("rule-item-changed.json"), now=NOW)
    assert parsed.item is not None
    assert (parsed.item.resource_type, parsed.item.resource_id) == ("AWS::EC2::SecurityGroup", "sg-e2fb6999")
    assert (parsed.account_id, parsed.left_scope) == ("123456789012", False)
    assert parsed.ordering_time == datetime(2017, 12, 1, 7, 44, 13, 110_000, tzinfo=UTC), "a later look replaces it"


def test_a_real_oversized_item_is_read_by_its_summary() -> None:
    parsed = parse_invocation(sample("rule-oversized.json"), now=NOW)
    assert parsed.item is not None
    assert (parsed.item.resource_id, parsed.item.status) == ("i-00000000", "OK")
    assert parsed.item.arn == "arn:aws:ec2:us-west-2:123456789012:instance/i-00000000"
    assert parsed.result_token == "myResultToken"  # noqa: S105 of the sample


def test_a_real_schedule_names_no_item_and_orders_by_its_own_time() -> None:
    parsed = parse_invocation(sample("rule-scheduled.json"), now=NOW)
    assert parsed.item is None
    assert parsed.ordering_time == datetime(2023, 4, 27, 13, 26, 17, 741_000, tzinfo=UTC)


def test_a_message_type_that_config_does_not_have_is_refused_and_not_taken_for_the_schedule() -> None:
    with pytest.raises(InputError, match="a ScheduledNxotification without a configuration item"):
        parse_invocation(sample("rule-scheduled-misspelt.json"), now=NOW)


@pytest.mark.parametrize("name", ["item-user.json", "item-role.json"])
def test_a_real_iam_item_is_read_whether_it_writes_arn_in_capitals_or_not(name: str) -> None:
    item = sample(name)
    parsed = parse_invocation(invocation({"messageType": CHANGE, "configurationItem": item}), now=NOW).item
    assert parsed is not None
    assert parsed.arn == item.get("ARN", item.get("arn"))
    assert parsed.arn is not None
    assert (parsed.resource_id, parsed.resource_type) == (item["resourceId"], item["resourceType"])


def test_an_oversized_item_may_come_with_an_empty_item_beside_the_summary() -> None:
    kind = "OversizedConfigurationItemChangeNotification"
    content = {"messageType": kind, "configurationItem": None, "configurationItemSummary": ITEM}
    parsed = parse_invocation(invocation(content), now=NOW)
    assert parsed.item is not None
    assert parsed.ordering_time == NOW


@pytest.mark.parametrize("status", sorted(DELETED))
def test_a_deleted_item_left_the_scope(status: str) -> None:
    content = {"messageType": CHANGE, "configurationItem": ITEM | {"configurationItemStatus": status}}
    assert parse_invocation(invocation(content), now=NOW).left_scope


@pytest.mark.parametrize(("flag", "left"), [(True, True), (False, False), (None, False), ("false", False)])
def test_config_may_say_itself_that_an_item_left_the_scope(*, flag: bool | str | None, left: bool) -> None:
    assert parse_invocation(invocation(eventLeftScope=flag), now=NOW).left_scope is left


@pytest.mark.parametrize(
    ("status", "flag", "why"),
    [
        ("ResourceDeleted", True, "Deleted"),
        ("ResourceDeletedNotRecorded", False, "Deleted"),
        ("ResourceNotRecorded", False, "Not recorded by AWS Config"),
        ("OK", True, "Out of the rule's scope"),
    ],
)
def test_an_item_that_left_says_why(status: str, *, flag: bool, why: str) -> None:
    content = {"messageType": CHANGE, "configurationItem": ITEM | {"configurationItemStatus": status}}
    assert parse_invocation(invocation(content, eventLeftScope=flag), now=NOW).absence == why


@pytest.mark.parametrize("status", ["OK", "ResourceDiscovered"])
def test_an_item_that_is_there_did_not_leave(status: str) -> None:
    content = {"messageType": CHANGE, "configurationItem": ITEM | {"configurationItemStatus": status}}
    parsed = parse_invocation(invocation(content), now=NOW)
    assert (parsed.left_scope, parsed.ordering_time) == (False, NOW)


def test_a_schedule_without_a_time_orders_by_now() -> None:
    assert parse_invocation(invocation({"messageType": "ScheduledNotification"}), now=NOW).ordering_time == NOW


def test_a_time_to_come_does_not_outrank_the_answers_until_then() -> None:
    content = {"messageType": SCHEDULED, "notificationCreationTime": "2036-03-01T12:00:00Z"}
    assert parse_invocation(invocation(content), now=NOW).ordering_time == NOW


def test_an_answer_is_ordered_by_the_question_and_not_by_the_age_of_the_item() -> None:
    asked = "2026-03-01T11:59:30Z"
    old = ITEM | {"configurationItemCaptureTime": "2020-01-01T00:00:00Z"}
    content = {"messageType": CHANGE, "configurationItem": old, "notificationCreationTime": asked}
    assert parse_invocation(invocation(content), now=NOW).ordering_time == datetime.fromisoformat(asked)


def test_the_schedule_names_no_item_even_where_one_comes_with_it() -> None:
    assert parse_invocation(invocation({"messageType": SCHEDULED, "configurationItem": ITEM}), now=NOW).item is None


WRONG = [
    (invocation(invokingEvent=None), "lacks 'invokingEvent'"),
    (invocation(resultToken=None), "lacks 'resultToken'"),
    (invocation(accountId=None), "lacks 'accountId'"),
    ({}, "lacks 'invokingEvent'"),
    (invocation(accountId=7), "account_id: Input should be a valid string"),
    (invocation(invokingEvent="canary"), "invokingEvent is not JSON: JSONDecodeError"),
    (invocation(invokingEvent=["canary"]), "invokingEvent is not JSON: TypeError"),
    (invocation(invokingEvent='{"a":' * 100_000), "invokingEvent is not JSON: RecursionError"),
    (invocation([]), "Input should be"),
    (invocation({"configurationItem": ITEM}), "messageType: Field required"),
    (invocation({"messageType": CHANGE}), f"a {CHANGE} without a configuration item"),
    (invocation({"messageType": CHANGE, "configurationItem": {}}), "resourceType: Field required"),
    (invocation({"messageType": CHANGE, "configurationItem": ITEM | {"resourceId": ""}}), "resourceId: String should"),
    (
        invocation({"messageType": CHANGE, "configurationItem": ITEM | {"resourceType": "canary\n"}}),
        "resourceType: String should match",
    ),
    (
        invocation({"messageType": SCHEDULED, "notificationCreationTime": "canary"}),
        "notificationCreationTime: Input should be a valid datetime",
    ),
    (invocation({"messageType": "canary!", "configurationItem": ITEM}), "messageType: String should match"),
    (
        invocation({"messageType": "ConfigurationItemChangedNotification", "configurationItem": ITEM}),
        "a ConfigurationItemChangedNotification is no message that starts a rule",
    ),
    (invocation(resultToken=""), "result_token: String should have at least 1 character"),
    (invocation(eventLeftScope="canary"), "out_of_scope: Input should be a valid boolean"),
]


@pytest.mark.parametrize(("event", "complaint"), WRONG)
def test_what_is_missing_or_wrong_is_named_and_never_shown(event: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        parse_invocation(event, now=NOW)
    assert "canary" not in str(caught.value)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*invocation(), "eventLeftScope"]), st.none() | st.text() | st.integers()))
def test_anything_else_is_refused_as_input(changes: dict[str, Any]) -> None:
    event = {"invokingEvent": "{}"} | changes
    with pytest.raises(InputError):
        parse_invocation(event, now=NOW)
