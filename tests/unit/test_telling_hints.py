"""What AWS tells on the default bus: only what is about this stack counts, and only in the documented form."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auditor.hints import ControlHint, Ignored, Watched, hints_of, is_hint
from shared.envelope import Envelope
from shared.errors import InputError
from shared.events import AlarmChanged, ControlChanged
from shared.model.plan import Mode
from tests.builders import ACCOUNT, envelope

EVENTS = Path(__file__).parents[1] / "events" / "hints"
WATCHED = Watched("leastwise", "us-east-1", "/leastwise/mode", "/leastwise/safeguards")
BERT = "arn:aws:iam::123837392027:user/bert-jan"


def record(name: str, **changes: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return read | changes


def alarm(**changes: Any) -> Envelope:
    event = record("alarm-state-change.json")
    event["detail"] |= changes
    return Envelope.model_validate(event)


def call(detail: dict[str, Any], *, source: str = "aws.ssm") -> Envelope:
    kind = "AWS API Call via CloudTrail"
    return Envelope.model_validate(envelope(detail, detail_type=kind, source=source))


def put(parameter: str = "/leastwise/mode", **changes: Any) -> Envelope:
    detail = record("put-parameter.json", **changes)
    detail["requestParameters"]["name"] = parameter
    return call(detail)


def only(of: Envelope) -> AlarmChanged | ControlHint | Ignored:
    (hint,) = hints_of(of, WATCHED)
    return hint


def test_an_alarm_of_the_stack_is_told_with_its_advice() -> None:
    told = only(alarm())
    assert isinstance(told, AlarmChanged)
    assert (told.state, told.previous, told.account_id) == ("ALARM", "OK", ACCOUNT)
    assert told.advice.endswith("Set the mode to observe.")
    assert told.reason.startswith("Threshold Crossed: 1 out of the last 1 datapoints [3.0")
    assert told.occurred_at == datetime(2026, 3, 1, 12, 0, 40, 989_000, tzinfo=UTC)


def test_the_same_change_of_an_alarm_is_the_same_event_and_another_one_is_not() -> None:
    later = {"value": "ALARM", "reason": "", "timestamp": "2026-03-01T13:00:00.000+0000"}
    over = later | {"value": "OK"}
    told = [only(alarm()), only(alarm()), only(alarm(state=later)), only(alarm(state=over))]
    ids = [one.event_id for one in told if isinstance(one, AlarmChanged)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_an_alarm_that_never_had_a_state_or_has_no_description_is_read() -> None:
    event = record("alarm-state-change.json")
    del event["detail"]["previousState"], event["detail"]["configuration"]
    told = only(Envelope.model_validate(event))
    assert isinstance(told, AlarmChanged)
    assert (told.previous, told.advice) == ("INSUFFICIENT_DATA", "")


@pytest.mark.parametrize(
    "name", ["leastwise", "leastwise-prod/audit-errors", "leastwise-x", "x-leastwise/y", "Leastwise/x", "/"]
)
def test_alarms_of_others_are_ignored(name: str) -> None:
    assert only(alarm(alarmName=name)) == Ignored("the alarm is none of this stack")


@pytest.mark.parametrize(
    ("parameter", "control"),
    [
        ("/leastwise/mode", "mode"),
        ("/leastwise/safeguards", "safeguards"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/leastwise/mode", "mode"),
    ],
)
def test_a_call_that_sets_one_of_the_two_parameters_is_told_with_who_made_it(parameter: str, control: str) -> None:
    told = only(put(parameter))
    assert isinstance(told, ControlHint)
    assert (told.control, told.by) == (control, BERT)
    event = told.event(ACCOUNT)
    assert (event.by, event.account_id) == (BERT, ACCOUNT)
    assert event.occurred_at == datetime(2023, 7, 10, 11, 58, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "then", "mode", "set_to"),
    [
        ("off", "off", Mode.OFF, Mode.OFF),
        ("auto", "off", Mode.AUTO, Mode.OFF),
        ("offf", "offf", None, "none"),
        ("", "", None, "none"),
        (None, None, None, None),
        ("auto", None, Mode.AUTO, None),
        (None, "auto", None, Mode.AUTO),
    ],
)
def test_what_a_call_set_and_what_is_in_force_are_told_apart(
    now: str | None, then: str | None, mode: Mode | None, set_to: Mode | str | None
) -> None:
    told = only(put())
    assert isinstance(told, ControlHint)
    event = told.event(ACCOUNT, now=now, then=then)
    assert (event.mode, event.set_to) == (mode, set_to)
    assert ControlChanged.model_validate_json(event.model_dump_json()) == event


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ({"version": 17, "tier": "Standard"}, 17),
        (None, None),
        ({}, None),
        ({"version": 0}, None),
        ({"version": True}, None),
        ({"version": "17"}, None),
        ({"version": 10**30}, None),
        ([17], None),
    ],
)
def test_the_version_that_a_call_made_is_read_where_the_record_has_one(answer: Any, version: int | None) -> None:
    told = only(put(responseElements=answer))
    assert isinstance(told, ControlHint)
    assert told.version == version


@pytest.mark.parametrize(
    ("version", "seconds", "made"), [(1, 0, True), (1, 60, True), (1, -60, True), (2, 0, False), (1, 61, False)]
)
def test_a_version_of_another_time_is_not_the_calls(version: int, seconds: int, *, made: bool) -> None:
    told = only(put())
    assert isinstance(told, ControlHint)
    assert told.made(version, told.at + timedelta(seconds=seconds)) is made


def test_a_call_that_is_told_again_is_the_same_event() -> None:
    first, again = only(put()), only(put(awsRegion="us-east-1"))
    other = only(put(eventID="another"))
    assert isinstance(first, ControlHint)
    assert isinstance(again, ControlHint)
    assert isinstance(other, ControlHint)
    assert first.event(ACCOUNT, now="off").event_id == again.event(ACCOUNT, then="off").event_id
    assert first.event(ACCOUNT).event_id != other.event(ACCOUNT).event_id


def test_deleting_a_parameter_is_told() -> None:
    detail = record("delete-parameter.json", requestParameters={"name": "/leastwise/safeguards"})
    told = only(call(detail))
    assert isinstance(told, ControlHint)
    assert told.control == "safeguards"
    event = told.event(ACCOUNT)
    assert (event.mode, event.set_to) == (None, None)


@pytest.mark.parametrize("name", ["DeleteParameter", "DeleteParameters"])
def test_deleting_the_mode_is_told_as_that_whatever_it_is_now(name: str) -> None:
    asked = {"name": "/leastwise/mode", "names": ["/leastwise/mode"]}
    answer = {"version": 3}
    told = only(call(record("delete-parameter.json", eventName=name, requestParameters=asked, responseElements=answer)))
    assert isinstance(told, ControlHint)
    assert told.version is None
    event = told.event(ACCOUNT, now="auto")
    assert (event.mode, event.set_to) == (Mode.AUTO, "deleted")


def test_one_call_that_deletes_both_parameters_is_told_as_two_events() -> None:
    names = ["/other", "/leastwise/safeguards", "/leastwise/mode"]
    detail = record("delete-parameter.json", eventName="DeleteParameters", requestParameters={"names": names})
    told = [hint for hint in hints_of(call(detail), WATCHED) if isinstance(hint, ControlHint)]
    assert [hint.control for hint in told] == ["mode", "safeguards"]
    assert len({hint.event(ACCOUNT).event_id for hint in told}) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"errorCode": "AccessDeniedException"}, "the call failed, and changed nothing"),
        ({"eventName": "GetParameter"}, "the call changes no parameter"),
        ({"eventName": "LabelParameterVersion"}, "the call changes no parameter"),
        ({"eventSource": "secretsmanager.amazonaws.com"}, "the call changes no parameter"),
    ],
)
def test_calls_that_change_nothing_are_ignored_with_the_reason(changes: dict[str, Any], why: str) -> None:
    assert only(put(**changes)) == Ignored(why)


@pytest.mark.parametrize(
    "parameter", ["/leastwise/mode2", "/leastwise", "/other/leastwise/mode", "/LEASTWISE/mode", ""]
)
def test_other_parameters_are_ignored(parameter: str) -> None:
    assert only(put(parameter)) == Ignored("the call changes another parameter")


def test_a_call_without_parameters_is_ignored() -> None:
    detail = record("put-parameter.json", requestParameters=None, errorCode=None)
    assert only(call(detail)) == Ignored("the call changes another parameter")


def test_another_region_and_other_services_are_ignored() -> None:
    assert hints_of(alarm().model_copy(update={"region": "eu-west-1"}), WATCHED) == (
        Ignored("it comes from another region"),
    )
    assert only(put().model_copy(update={"source": "aws.cloudwatch"})) == Ignored(
        "it is neither of an alarm nor of a call"
    )


@pytest.mark.parametrize(
    ("identity", "by"),
    [
        ({"type": "Root", "arn": "arn:aws:iam::123456789012:root"}, "arn:aws:iam::123456789012:root"),
        ({"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}, "cloudformation.amazonaws.com"),
        ({"type": "AWSAccount"}, "AWSAccount"),
    ],
)
def test_who_made_a_call_is_named_as_well_as_the_record_can(identity: dict[str, str], by: str) -> None:
    told = only(put(userIdentity=identity))
    assert isinstance(told, ControlHint)
    assert told.by == by


CANARY = "AKIACANARYCANARY0000"


@pytest.mark.parametrize(
    "bad",
    [
        alarm(state={"value": CANARY, "reason": "", "timestamp": "2026-03-01T12:00:00Z"}),
        alarm(state={"value": "ALARM", "reason": "", "timestamp": "2026-03-01T12:00:00"}),
        alarm(state=None),
        alarm(alarmName=""),
        alarm(alarmName=["leastwise-x"]),
        put(eventTime="soon"),
        put(eventID=""),
        put(userIdentity=CANARY),
        put(userIdentity={}),
        put(eventName=None),
    ],
)
def test_what_is_not_of_the_documented_form_is_refused_without_its_values(bad: Envelope) -> None:
    with pytest.raises(InputError) as refused:
        hints_of(bad, WATCHED)
    assert CANARY not in str(refused.value)


def test_our_own_events_are_no_hints() -> None:
    assert not is_hint(Envelope.model_validate(envelope({}, detail_type="IdentityScored", source="leastwise.scorer")))
    assert is_hint(alarm())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*record("put-parameter.json"), *record("alarm-state-change.json")["detail"]])


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=4), st.sampled_from([put, alarm]))
def test_whatever_a_field_holds_it_is_a_hint_ignored_or_refused(changes: dict[str, Any], of: Any) -> None:
    template = of()
    changed = template.model_copy(update={"detail": template.detail | changes})
    try:
        hints = hints_of(changed, WATCHED)
    except InputError:
        return
    assert hints
