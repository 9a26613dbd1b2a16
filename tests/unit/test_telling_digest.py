"""Many messages in one: all counted, the most urgent first, within SNS's limits, and let through by any filter."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auditor.telling.digest import MAX_LISTED, MAX_OF_A_KIND, digest_of
from services.auditor.telling.news import notification_of
from services.auditor.telling.place import Place
from shared.model.identity import IdentityRef
from shared.model.notification import MAX_MESSAGE_BYTES, MAX_SUBJECT, KeptNotification, Severity
from tests.builders import ACCOUNT, NOW, every_event

PLACE = Place("lw-prod", "eu-west-1", "/lw-prod/mode", "/lw-prod/safeguards")
NEWS = {event.type_name(): event for event in every_event() if notification_of(event, PLACE)}

NAMES = st.text(st.characters(exclude_characters="/\n", exclude_categories=["Cs"]), min_size=1, max_size=40)
SEVERITIES = st.sampled_from(Severity)


def kept(name: str, number: int = 0, *, user: str = "ana", severity: Severity | None = None) -> KeptNotification:
    ref = IdentityRef(
        account_id=ACCOUNT, identity_id=f"AIDAEXAMPLE{number:06}", arn=f"arn:aws:iam::{ACCOUNT}:user/{user}"
    )
    event = NEWS[name]
    changed = event.model_copy(update={"identity": ref, "event_id": f"{name}-{number}"})
    notification = notification_of(changed, PLACE)
    assert notification
    if severity:
        notification = notification.model_copy(update={"severity": severity})
    return KeptNotification(
        event_id=changed.event_id, kept_at=NOW + timedelta(seconds=number), notification=notification
    )


def test_a_digest_groups_by_kind_and_says_what_to_do_for_each() -> None:
    waiting, applied = (kept("PlanProposed", n) for n in range(7)), (kept("PolicyApplied", n) for n in range(3))
    digest = digest_of([*waiting, *applied], PLACE)
    assert digest.subject == "7 waiting for approval, 3 right-sized (10 messages)"
    first = "- Waiting for approval: take 212 unused permissions from user ana"
    assert f"\nWaiting for approval (7):\n{first}\n" in digest.text
    assert "    leastwise plan show plan-1 --stack-name lw-prod --region eu-west-1\n" in digest.text
    assert digest.text.index("Waiting for approval (7)") < digest.text.index("Right-sized (3)")
    assert "2026-03-01 12:00 UTC to 2026-03-01 12:00 UTC" in digest.text


def test_the_most_urgent_kind_comes_first_and_gives_the_digest_its_severity() -> None:
    digest = digest_of([*(kept("PlanProposed", n) for n in range(9)), kept("RemediationFailed", 1)], PLACE)
    assert digest.subject == "1 needs a person, 9 waiting for approval (10 messages)"
    assert digest.severity is Severity.CRITICAL
    assert digest.attributes["severity"] == "critical"


def test_a_filter_on_any_type_in_it_lets_a_digest_through() -> None:
    digest = digest_of([kept("PlanProposed"), kept("PolicyApplied"), kept("AlarmChanged")], PLACE)
    assert digest.attributes["type"] == ("AlarmChanged", "PlanProposed", "PolicyApplied")
    assert digest.attributes["account"] == ACCOUNT
    assert digest.attributes["identity_type"] == ("user",)
    assert "identity_type" not in digest_of([kept("AlarmChanged")], PLACE).attributes


def test_values_that_sns_would_refuse_are_in_no_digest() -> None:
    good = kept("PolicyApplied")
    bad: dict[str, str | tuple[str, ...]] = {"type": ("", "x" * 300_000), "account": "\x00", "identity_type": ""}
    forged = good.model_copy(update={"notification": good.notification.model_copy(update={"attributes": bad})})
    assert digest_of([good, forged], PLACE).attributes == digest_of([good], PLACE).attributes
    assert set(digest_of([forged], PLACE).attributes) == {"severity"}


def test_what_is_not_named_is_counted_and_found_by_a_query() -> None:
    digest = digest_of([kept("PlanProposed", n) for n in range(MAX_OF_A_KIND + 5)], PLACE)
    assert digest.text.count("- Waiting for approval") == MAX_OF_A_KIND
    query = "leastwise audit query --type PlanProposed --since 2026-03-01T11:00:00Z"
    assert f"  and 5 more:\n    {query} --stack-name lw-prod --region eu-west-1\n" in digest.text


def test_a_thousand_messages_are_one_that_fits_into_sns() -> None:
    many = [kept(name, n, user="u" * 64) for n in range(100) for name in sorted(NEWS)]
    digest = digest_of(many, PLACE)
    assert len(digest.message_structure().encode()) <= MAX_MESSAGE_BYTES
    assert digest.text.count("\n- ") == MAX_LISTED
    machine = json.loads(json.loads(digest.message_structure())["default"])["digest"]
    assert machine["count"] == len(many) == len(machine["messages"]) + machine["left_out"]
    assert machine["left_out"] > 0


def test_a_digest_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="nothing"):
        digest_of([], PLACE)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(kept, st.sampled_from(sorted(NEWS)), st.integers(0, 10_000), user=NAMES, severity=SEVERITIES),
        min_size=1,
        max_size=40,
        unique_by=lambda one: one.event_id,
    ),
)
def test_every_message_is_told_whatever_the_order_it_came_in(messages: list[KeptNotification]) -> None:
    digest = digest_of(messages, PLACE)
    assert digest.text == digest_of(sorted(messages, key=lambda one: one.event_id), PLACE).text
    machine = digest.data["digest"]
    assert {one["event_id"] for one in machine["messages"]} == {one.event_id for one in messages}
    assert digest.severity is Severity.highest(one.notification.severity for one in messages)
    assert len(digest.subject) <= MAX_SUBJECT
    assert digest.subject.isascii()
    assert all(line.isprintable() for line in digest.text.splitlines())
    assert len(digest.message_structure().encode()) <= MAX_MESSAGE_BYTES
