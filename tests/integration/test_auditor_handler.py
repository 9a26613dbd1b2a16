"""The auditor's entrance: each event one entry and at most one notification, whatever else is in the batch."""

import json

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.chain import verify_chain
from services.auditor.handler import handle_events
from shared.aws.audit_table import AuditTable
from shared.errors import DependencyError, SettingsError
from shared.events import IdentityEvaluated, IdentityEvent
from tests.builders import ACCOUNT, ANA, OTHER_ACCOUNT, domain_body, every_event, failed, scored, sqs_event
from tests.conftest import LogLines, Stack

CHAIN = f"{ACCOUNT}/{ANA.identity_id}"
CANARY = "AKIACANARYCANARY0000"
EVENTS = every_event()
BODIES = [domain_body(event) for event in EVENTS]
OF_ANA = sum(isinstance(event, IdentityEvent) for event in EVENTS)
(VERDICT,) = (domain_body(event) for event in EVENTS if isinstance(event, IdentityEvaluated))
NEWS = {"IdentityEvaluated", "PlanProposed", "PolicyApplied", "PolicyRolledBack", "RemediationFailed"}
NEWS |= {"AccessRegretted", "AccessRestored", "ExemptionExpired"}


def audit_of(aws: Stack) -> AuditTable:
    return AuditTable(aws.table(aws.audit_table))


def test_every_event_becomes_an_entry_and_what_matters_a_notification(aws: Stack, context: LambdaContext) -> None:
    assert failed(handle_events(sqs_event(*BODIES), context)) == []
    assert verify_chain(audit_of(aws).chain(CHAIN)).verified == OF_ANA
    notified = aws.notified()
    assert {one["MessageAttributes"]["type"]["Value"] for one in notified} == NEWS
    assert all(one["Subject"] and json.loads(one["Message"])["event"]["event_id"] for one in notified)


def test_events_that_come_again_do_nothing_again(aws: Stack, context: LambdaContext) -> None:
    handle_events(sqs_event(*BODIES, *BODIES), context)
    handle_events(sqs_event(*BODIES), context)
    assert len(list(audit_of(aws).chain(CHAIN))) == OF_ANA
    assert len(aws.notified()) == len(NEWS)


def test_a_malformed_message_fails_alone_and_its_content_is_not_logged(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    bad = ["{" + CANARY, domain_body(scored(), account=OTHER_ACCOUNT), BODIES[1].replace("87.25", f'"{CANARY}"')]
    response = handle_events(sqs_event(bad[0], BODIES[0], bad[1], VERDICT, bad[2]), context)
    assert failed(response) == ["m0", "m2", "m4"]
    assert len(list(audit_of(aws).chain(CHAIN))) == 2
    reasons = {line["message_id"]: line["reason"] for line in log.entries("message failed")}
    assert "Invalid JSON" in reasons["m0"]
    assert OTHER_ACCOUNT in reasons["m2"]
    assert "pci: Input should be a valid number" in reasons["m4"]
    assert all(line["retry_can_help"] is False for line in log.entries("message failed"))
    assert CANARY not in log.text


def test_a_topic_that_fails_delays_the_notification_and_loses_no_entry(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    def refuse(*_: object) -> None:
        raise DependencyError("Publish: Throttling")

    with monkeypatch.context() as patch:
        patch.setattr("services.auditor.handler.send_notification", refuse)
        assert failed(handle_events(sqs_event(BODIES[0], VERDICT), context)) == ["m1"]
    assert len(list(audit_of(aws).chain(CHAIN))) == 2
    assert [line["retry_can_help"] for line in log.entries("message failed")] == [True]
    assert failed(handle_events(sqs_event(BODIES[0], VERDICT), context)) == []
    assert len(list(audit_of(aws).chain(CHAIN))) == 2
    assert len(aws.notified()) == 1


def test_a_setting_that_is_missing_is_named_and_nothing_is_lost(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEASTWISE_AUDIT_TABLE")
    with pytest.raises(Exception, match=f"{SettingsError.__name__}: LEASTWISE_AUDIT_TABLE: Field required"):
        handle_events(sqs_event(BODIES[0]), context)
