"""The auditor's entrances: each event one entry and at most one message, whatever fails and whatever else comes."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.chain import verify_chain
from services.auditor.handler import handle_events
from services.auditor.telling.handler import handle_outbox
from shared.aws import clients
from shared.aws.audit_table import AuditTable
from shared.aws.outbox import Outbox
from shared.errors import DependencyError, SettingsError
from shared.events import ControlChanged, IdentityEvaluated, IdentityEvent, RemediationFailed
from shared.model.notification import Notification
from shared.model.plan import ReasonCode
from shared.observability import utc_now
from tests.builders import (
    ACCOUNT,
    ANA,
    NOW,
    OTHER_ACCOUNT,
    PLAN,
    domain_body,
    envelope,
    every_event,
    failed,
    scored,
    sqs_event,
)
from tests.conftest import LogLines, Stack

CHAIN = f"{ACCOUNT}/{ANA.identity_id}"
CANARY = "AKIACANARYCANARY0000"
HINTS = Path(__file__).parents[1] / "events" / "hints"
EVENTS = every_event()
BODIES = [domain_body(event) for event in EVENTS]
OF_ANA = sum(isinstance(event, IdentityEvent) for event in EVENTS)
(VERDICT,) = (event for event in EVENTS if isinstance(event, IdentityEvaluated))
NEWS = {"IdentityEvaluated", "PlanProposed", "PolicyApplied", "PolicyRolledBack", "RemediationFailed"}
NEWS |= {"AccessRegretted", "AccessRestored", "ExemptionExpired", "AlarmChanged", "ControlChanged", "AuditTrailBroken"}


def verdict(number: int) -> str:
    """Body of a message that carries news of its own."""
    return domain_body(VERDICT.model_copy(update={"event_id": f"verdict-{number}"}))


def audit_of(aws: Stack) -> AuditTable:
    return AuditTable(aws.table(aws.audit_table))


def entries(aws: Stack, chain: str = CHAIN) -> list[str]:
    return [entry.event_type for entry in audit_of(aws).chain(chain)]


def waiting(aws: Stack) -> int:
    return len(list(Outbox(clients.dynamodb(), aws.notifications_table).waiting(limit=1_000)))


def later(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """Let the schedule start so much later."""
    monkeypatch.setattr("services.auditor.telling.handler.utc_now", lambda: utc_now() + timedelta(minutes=minutes))


def refused(_client: object, _topic: str, _notification: Notification) -> None:
    raise DependencyError("Publish: Throttling")


def types_of(messages: list[dict[str, Any]]) -> list[str]:
    return [message["MessageAttributes"]["type"]["Value"] for message in messages]


def test_every_event_becomes_an_entry_and_what_matters_is_told_in_the_end(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failed(handle_events(sqs_event(*BODIES), context)) == []
    assert verify_chain(audit_of(aws).raw_chain(CHAIN)).verified == OF_ANA
    at_once = aws.notified()
    assert all(one["Subject"] and json.loads(one["Message"])["event"]["event_id"] for one in at_once)
    later(monkeypatch, 2)
    handle_outbox({}, context)
    assert set(types_of(at_once + aws.notified())) == NEWS
    assert waiting(aws) == 0


def test_events_that_come_again_do_nothing_again(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_events(sqs_event(*BODIES, *BODIES), context)
    handle_events(sqs_event(*BODIES), context)
    later(monkeypatch, 2)
    handle_outbox({}, context)
    handle_outbox({}, context)
    handle_events(sqs_event(*BODIES), context)
    handle_outbox({}, context)
    assert len(entries(aws)) == OF_ANA
    assert sorted(types_of(aws.notified())) == sorted(NEWS)


def test_an_event_whose_id_somebody_used_for_another_is_recorded_and_told_all_the_same(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    forged = scored().model_copy(update={"event_id": VERDICT.event_id})
    assert failed(handle_events(sqs_event(domain_body(forged), domain_body(VERDICT)), context)) == []
    assert failed(handle_events(sqs_event(domain_body(VERDICT)), context)) == []
    assert entries(aws) == [forged.type_name(), VERDICT.type_name()]
    recorded = [(entry.event_id, entry.source) for entry in audit_of(aws).chain(CHAIN)]
    assert recorded[0] == (VERDICT.event_id, "leastwise.scorer")
    assert recorded[1][0].startswith(f"{VERDICT.event_id}~")
    assert recorded[1][1] == "leastwise.evaluator"
    assert types_of(aws.notified()) == [VERDICT.type_name()]
    assert len(log.entries("event id stands for another event")) == 2


def test_a_burst_becomes_a_digest(aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> None:
    handle_events(sqs_event(*map(verdict, range(40))), context)
    assert len(aws.notified()) == 5
    later(monkeypatch, 2)
    handle_outbox({}, context)
    (digest,) = aws.notified()
    assert digest["Subject"] == "35 non-compliant (35 messages)"
    assert digest["MessageAttributes"]["type"] == {"Type": "String.Array", "Value": '["IdentityEvaluated"]'}
    told = {one["event_id"] for one in json.loads(digest["Message"])["digest"]["messages"]}
    assert len(told) == 35
    assert waiting(aws) == 0


def test_a_malformed_message_fails_alone_and_its_content_is_not_logged(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    bad = ["{" + CANARY, domain_body(scored(), account=OTHER_ACCOUNT), BODIES[1].replace("87.25", f'"{CANARY}"')]
    response = handle_events(sqs_event(bad[0], BODIES[0], bad[1], domain_body(VERDICT), bad[2]), context)
    assert failed(response) == ["m0", "m2", "m4"]
    assert len(entries(aws)) == 2
    reasons = {line["message_id"]: line["reason"] for line in log.entries("message failed")}
    assert "Invalid JSON" in reasons["m0"]
    assert OTHER_ACCOUNT in reasons["m2"]
    assert "pci: Input should be a valid number" in reasons["m4"]
    assert all(line["retry_can_help"] is False for line in log.entries("message failed"))
    assert CANARY not in log.text


def test_a_topic_that_fails_delays_messages_and_costs_neither_entries_nor_deliveries(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("services.auditor.edge.send_notification", refused)
        patch.setattr("services.auditor.telling.handler.send_notification", refused)
        assert failed(handle_events(sqs_event(BODIES[0], *map(verdict, range(3))), context)) == []
        later(patch, 2)
        handle_outbox({}, context)
    assert len(entries(aws)) == 4
    assert waiting(aws) == 3
    assert log.entries("not notified")[0]["reason"] == "Publish: Throttling"
    later(monkeypatch, 7)
    handle_outbox({}, context)
    assert len(aws.notified()) == 3
    assert waiting(aws) == 0


def test_messages_that_wait_for_a_day_are_counted_as_overdue(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("services.auditor.edge.send_notification", refused)
    monkeypatch.setattr("services.auditor.telling.handler.send_notification", refused)
    handle_events(sqs_event(verdict(1)), context)
    for minutes, overdue in ((5, 0.0), (24 * 60 + 1, 1.0)):
        capsys.readouterr()
        later(monkeypatch, minutes)
        handle_outbox({}, context)
        (line,) = (line for line in capsys.readouterr().out.splitlines() if "NotificationsOverdue" in line)
        assert json.loads(line)["NotificationsOverdue"] == [overdue]
        assert json.loads(line)["NotificationsFailed"] == [1.0]


def test_an_outbox_that_fails_sends_the_event_back_and_the_entry_stays_one(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object) -> bool:
        raise DependencyError("TransactWriteItems: Throttling")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "keep", throttled)
        assert failed(handle_events(sqs_event(BODIES[0], verdict(1)), context)) == ["m1"]
    assert failed(handle_events(sqs_event(verdict(1)), context)) == []
    assert len(entries(aws)) == 2
    assert len(aws.notified()) == 1


def test_everything_is_recorded_before_anything_is_sent(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(_client: object, _topic: str, _notification: Notification) -> None:
        seen.append(len(entries(aws)))

    monkeypatch.setattr("services.auditor.edge.send_notification", look)
    handle_events(sqs_event(*map(verdict, range(4))), context)
    assert seen == [4] * 4


def test_a_critical_message_goes_before_others_and_beside_their_burst(aws: Stack, context: LambdaContext) -> None:
    broken = RemediationFailed.about(ANA, "k", occurred_at=NOW, **PLAN, code=ReasonCode.DRIFT, message="IAM refused")
    handle_events(sqs_event(*map(verdict, range(7)), domain_body(broken)), context)
    assert types_of(aws.notified()) == ["RemediationFailed", *["IdentityEvaluated"] * 5]


def test_a_setting_that_is_missing_is_named_and_nothing_is_lost(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEASTWISE_AUDIT_TABLE")
    with pytest.raises(SettingsError, match="LEASTWISE_AUDIT_TABLE: Field required"):
        handle_events(sqs_event(BODIES[0]), context)


# ---- hints of AWS


def alarm_body() -> str:
    return (HINTS / "alarm-state-change.json").read_text()


def set_mode(aws: Stack, value: str) -> str:
    """Set the mode, and say what CloudTrail logs of that."""
    answer = clients.ssm().put_parameter(Name=aws.mode_parameter, Value=value, Type="String", Overwrite=True)
    version = {"version": answer["Version"], "tier": "Standard"}
    return call_body(eventTime=utc_now().isoformat(), responseElements=version, eventID=f"call-{answer['Version']}")


def call_body(name: str = "put-parameter.json", *, parameter: str = "/leastwise/mode", **changes: Any) -> str:
    detail: dict[str, Any] = json.loads((HINTS / name).read_text()) | changes
    detail["requestParameters"]["name"] = parameter
    return json.dumps(envelope(detail, detail_type="AWS API Call via CloudTrail", source="aws.ssm"))


def told(aws: Stack) -> list[tuple[str, str]]:
    return [(one["Subject"], one["MessageAttributes"]["severity"]["Value"]) for one in aws.notified()]


def test_an_alarm_is_recorded_and_told(aws: Stack, context: LambdaContext) -> None:
    handle_events(sqs_event(alarm_body(), alarm_body()), context)
    assert entries(aws, f"{ACCOUNT}/account") == ["AlarmChanged"]
    assert told(aws) == [("Alarm: usage dead letters", "critical")]


def test_the_kill_switch_is_told_with_the_mode_that_is_in_force(aws: Stack, context: LambdaContext) -> None:
    handle_events(sqs_event(set_mode(aws, "off")), context)
    assert told(aws) == [("Kill switch: remediation is off, set by user/bert-jan", "critical")]
    (entry,) = audit_of(aws).chain(f"{ACCOUNT}/account")
    assert ControlChanged.model_validate(entry.event).mode == "off"


@pytest.mark.parametrize(
    ("value", "told_as"),
    [
        ("approve", ("Mode set to approve, by user/bert-jan", "warning")),
        ("offf", ("Mode unreadable: remediation has stopped, set by user/bert-jan", "critical")),
        (None, ("Mode deleted: remediation has stopped, set by user/bert-jan", "critical")),
    ],
)
def test_whatever_the_mode_is_now_is_told(
    aws: Stack, context: LambdaContext, value: str | None, told_as: tuple[str, str]
) -> None:
    if value is None:
        clients.ssm().delete_parameter(Name=aws.mode_parameter)
        body = call_body("delete-parameter.json")
    else:
        body = set_mode(aws, value)
    handle_events(sqs_event(body), context)
    assert told(aws) == [told_as]


def test_a_call_that_is_told_late_is_told_with_what_it_set_and_who_set_it_again_with_theirs(
    aws: Stack, context: LambdaContext
) -> None:
    bodies = [set_mode(aws, mode) for mode in ("off", "auto")]
    handle_events(sqs_event(*bodies), context)
    assert told(aws) == [
        ("Mode set to off, and is auto now: by user/bert-jan", "critical"),
        ("Mode set to auto, by user/bert-jan", "warning"),
    ]


def test_what_a_call_set_is_not_guessed_where_its_version_is_gone_or_not_named(
    aws: Stack, context: LambdaContext
) -> None:
    late = set_mode(aws, "off")
    clients.ssm().delete_parameter(Name=aws.mode_parameter)
    again = set_mode(aws, "auto")
    unnamed = json.loads(again)
    unnamed["detail"] |= {"responseElements": None, "eventID": "unnamed"}
    of_another_time = json.loads(again)
    of_another_time["detail"] |= {"eventTime": "2026-03-01T12:00:00Z", "eventID": "other"}
    handle_events(sqs_event(late, json.dumps(unnamed), json.dumps(of_another_time)), context)
    assert told(aws) == [("Mode is auto after a change by user/bert-jan", "warning")] * 3


def test_a_mode_that_cannot_be_read_now_is_read_again_later(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = set_mode(aws, "observe")

    def throttled(*_: object) -> str:
        raise DependencyError("GetParameter: Throttling")

    with monkeypatch.context() as patch:
        patch.setattr("services.auditor.edge.read_version", throttled)
        assert failed(handle_events(sqs_event(BODIES[0], body), context)) == ["m1"]
    assert failed(handle_events(sqs_event(body), context)) == []
    assert told(aws) == [("Mode set to observe, by user/bert-jan", "warning")]


def test_changed_safeguards_are_told(aws: Stack, context: LambdaContext) -> None:
    handle_events(sqs_event(call_body("delete-parameter.json", parameter="/leastwise/safeguards")), context)
    assert told(aws) == [("Safeguards changed by user/bert-jan", "warning")]


def test_hints_about_others_are_neither_recorded_nor_told_nor_failed(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    others = [
        call_body(parameter="/other"),
        call_body(errorCode="AccessDenied"),
        alarm_body().replace('"alarmName": "leastwise/', '"alarmName": "leastwise-prod/'),
        alarm_body().replace('"region": "us-east-1"', '"region": "eu-west-1"'),
    ]
    assert failed(handle_events(sqs_event(*others), context)) == []
    assert entries(aws, f"{ACCOUNT}/account") == []
    assert told(aws) == []
    assert len(log.entries("hint ignored")) == 4


def test_forged_and_malformed_hints_fail_alone(aws: Stack, context: LambdaContext, log: LogLines) -> None:
    bad = [
        alarm_body().replace('"account": "123456789012"', f'"account": "{OTHER_ACCOUNT}"'),
        call_body(eventTime=CANARY),
        alarm_body().replace('"value": "ALARM"', f'"value": "{CANARY}"'),
    ]
    assert failed(handle_events(sqs_event(*bad, verdict(1)), context)) == ["m0", "m1", "m2"]
    assert CANARY not in log.text
    assert len(entries(aws)) == 1
