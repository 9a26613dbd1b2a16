"""From event to audit entry: its chain, its place, one sentence for people, the whole event for machines."""

import json
from datetime import timedelta

import pytest

from services.auditor.chain import verify_chain
from services.auditor.core import MAX_EVENT_BYTES, MAX_SUMMARY, chain_of, entry_of
from services.auditor.summaries import summary_of
from shared.events import (
    EVENT_TYPES,
    AccessRestored,
    ControlChanged,
    DomainEvent,
    IdentityEvaluated,
    IdentityEvent,
    RemediationFailed,
    ScoreRequested,
)
from shared.model.audit import ENTRY_SCHEMA
from shared.model.digests import digest_of
from shared.model.plan import Mode
from shared.model.stored_entry import StoredEntry
from tests.builders import ACCOUNT, ANA, NOW, every_event, scored

LATER = NOW + timedelta(minutes=5)
SUMMARIES = {
    "ScoreRequested": "A score of ana was requested: somebody asked",
    "IdentityScored": "ana has PCI 87 (high), was 60: 212 of 230 permissions unused",
    "AccountScored": "The account has PCI 61 over 14 identities",
    "SweepPaused": "The sweep of the account paused after 300 identities, and goes on",
    "IdentityEvaluated": "ana is NON_COMPLIANT: PCI 87 (high): 212 of 230 permissions unused",
    "PlanProposed": "Plan plan-1 would take 212 permissions from ana: PCI 87 to 12",
    "PolicyApplied": "Plan plan-1 took 212 permissions from ana: PCI 87 to 12",
    "PolicyRolledBack": "Plan plan-1 of ana was rolled back: asked for",
    "RemediationSkipped": "Nothing was changed for ana: it is protected",
    "RemediationFailed": "Plan plan-1 of ana needs a person: IAM refused",
    "PlanDue": "Plan plan-1 of ana is due: its notice is over",
    "RestorationDue": "Plan plan-1 of ana may have to be given back: IAM refused",
    "AccessRegretted": "ana was refused s3:GetObject after plan plan-1 took away s3:GetObject, kms:Decrypt",
    "AccessRestored": "ana may use s3:GetObject, kms:Decrypt again, 3 minutes after a refusal",
    "AlarmChanged": "The alarm leastwise/usage-dead-letters is ALARM, was OK: "
    "Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).",
    "ControlChanged": f"arn:aws:sts::{ACCOUNT}:assumed-role/on-call/bob set the mode to off",
    "AuditTrailBroken": "The audit trail does not verify: entry 17 was edited",
    "ExemptionExpired": "The exemption of ana by team-data ended on 2026-02-28: year end",
}


@pytest.mark.parametrize("event", every_event(), ids=lambda event: event.type_name())
def test_every_event_is_one_sentence_for_people(event: DomainEvent) -> None:
    assert summary_of(event) == SUMMARIES[event.type_name()]


@pytest.mark.parametrize(
    ("set_to", "mode", "said"),
    [
        (Mode.OFF, Mode.AUTO, "set the mode to off: it is auto now"),
        ("none", None, "set the mode to what is none: it is none, which counts as off now"),
        ("deleted", None, "deleted the mode: it is none, which counts as off now"),
        (None, Mode.AUTO, "changed the mode, what to is not known: it is auto now"),
    ],
)
def test_nobody_is_said_to_have_set_what_another_one_did(
    set_to: Mode | str | None, mode: Mode | None, said: str
) -> None:
    event = next(event for event in every_event() if isinstance(event, ControlChanged))
    assert summary_of(event.model_copy(update={"set_to": set_to, "mode": mode})).endswith(f"/bob {said}")


def test_a_first_score_and_a_repeated_verdict_say_so() -> None:
    assert "was" not in summary_of(scored())
    evaluated = next(event for event in every_event() if isinstance(event, IdentityEvaluated))
    assert "ana is still NON_COMPLIANT" in summary_of(evaluated.model_copy(update={"repeated": True}))


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 seconds"), (119, "119 seconds"), (7200, "2 hours"), (864_000, "10 days")]
)
def test_how_long_a_restoration_took_is_told_in_a_unit_that_people_use(seconds: float, expected: str) -> None:
    restored = next(event for event in every_event() if isinstance(event, AccessRestored))
    event = restored.model_copy(update={"seconds_to_restore": seconds, "actions": tuple("abcdefg")})
    assert summary_of(event) == f"ana may use a, b, c, d, e and 2 more again, {expected} after a refusal"


@pytest.mark.parametrize("event", every_event(), ids=lambda event: event.type_name())
def test_an_entry_holds_the_whole_event_and_what_it_is_found_by(event: DomainEvent) -> None:
    entry = entry_of(event, None, now=LATER)
    assert EVENT_TYPES[entry.event_type].model_validate(entry.event) == event
    assert (entry.event_id, entry.account_id) == (event.event_id, ACCOUNT)
    assert (entry.occurred_at, entry.recorded_at) == (NOW, LATER)
    of_identity = isinstance(event, IdentityEvent)
    assert (entry.identity_id, entry.identity_arn) == ((ANA.identity_id, ANA.arn) if of_identity else (None, None))
    assert entry.plan_id == ("plan-1" if hasattr(event, "plan_id") and event.plan_id else None)
    assert (entry.identity_name, entry.identity_type) == (("ana", "user") if of_identity else (None, None))
    assert entry.pci == getattr(event, "pci", None)
    assert (entry.event_left_out, entry.event_sha256) == ((), None)
    assert entry.compliance == ("NON_COMPLIANT" if isinstance(event, IdentityEvaluated) else None)


def test_an_identity_has_a_chain_of_its_own_and_the_account_another() -> None:
    chains = {event.type_name(): chain_of(event) for event in every_event()}
    of_account = {chains.pop(event.type_name()) for event in every_event() if not isinstance(event, IdentityEvent)}
    assert of_account == {f"{ACCOUNT}/account"}
    assert set(chains.values()) == {f"{ACCOUNT}/{ANA.identity_id}"}


def test_entries_follow_each_other_in_a_chain_that_verifies() -> None:
    first = entry_of(scored(version=1), None, now=NOW)
    second = entry_of(scored(version=2), first.head, now=LATER)
    assert (first.sequence, second.sequence) == (1, 2)
    assert second.previous_hash == first.entry_hash
    assert verify_chain(StoredEntry.of(entry.fields()) for entry in (first, second)).verified == 2


def test_an_item_says_nothing_of_what_does_not_apply() -> None:
    fields = entry_of(scored(), None, now=LATER).fields()
    assert not {"plan_id", "compliance", "event_left_out", "event_sha256"} & fields.keys()
    assert fields["schema_version"] == ENTRY_SCHEMA == 2


HUGE: list[DomainEvent] = [
    scored(top=tuple(f"s3:{number:070d}" for number in range(3_000))),
    ScoreRequested.about(ANA, "k", occurred_at=NOW, reason="é" * 120_000),
    RemediationFailed.about(
        ANA, "k", occurred_at=NOW, plan_id="p" * 64, strategy="boundary", code="drift", message="m" * 70_000
    ),
]


@pytest.mark.parametrize("event", HUGE, ids=["list", "text", "message"])
def test_an_event_that_is_too_large_for_an_item_is_recorded_with_the_digest_of_the_whole(event: DomainEvent) -> None:
    whole = event.model_dump(mode="json", exclude_none=True)
    entry = entry_of(event, None, now=NOW)
    assert len(json.dumps(entry.fields(), ensure_ascii=False).encode()) < MAX_EVENT_BYTES + 10_000
    assert entry.event_left_out
    assert entry.event_sha256 == digest_of(whole)
    assert entry.event == {name: value for name, value in whole.items() if name not in entry.event_left_out}
    assert {"event_id", "occurred_at", "account_id"} <= entry.event.keys()
    assert verify_chain([StoredEntry.of(entry.fields())]).whole
    assert max(len(entry.summary), len(entry.plan_id or ""), len(entry.identity_name or "")) <= MAX_SUMMARY


def test_numbers_that_the_table_has_no_place_for_are_recorded_as_text() -> None:
    entry = entry_of(scored(previous_pci=0.0).model_copy(update={"previous_pci": float("inf")}), None, now=NOW)
    assert entry.event["previous_pci"] in {"inf", "Infinity"}
    assert entry_of(scored().model_copy(update={"pci": float("nan")}), None, now=NOW).pci is None
