"""From event to audit entry: its chain, its place, one sentence for people, the whole event for machines."""

from datetime import timedelta

import pytest

from services.auditor.chain import verify_chain
from services.auditor.core import chain_of, entry_of, summary_of
from shared.events import EVENT_TYPES, AccessRestored, DomainEvent, IdentityEvaluated, IdentityEvent
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
    "ExemptionExpired": "The exemption of ana by team-data ended on 2026-02-28: year end",
}


@pytest.mark.parametrize("event", every_event(), ids=lambda event: event.type_name())
def test_every_event_is_one_sentence_for_people(event: DomainEvent) -> None:
    assert summary_of(event) == SUMMARIES[event.type_name()]


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
    assert entry.compliance == ("NON_COMPLIANT" if isinstance(event, IdentityEvaluated) else None)


def test_an_identity_has_a_chain_of_its_own_and_the_account_another() -> None:
    chains = {event.type_name(): chain_of(event) for event in every_event()}
    assert {chains.pop("AccountScored"), chains.pop("SweepPaused")} == {f"{ACCOUNT}/account"}
    assert set(chains.values()) == {f"{ACCOUNT}/{ANA.identity_id}"}


def test_entries_follow_each_other_in_a_chain_that_verifies() -> None:
    first = entry_of(scored(version=1), None, now=NOW)
    second = entry_of(scored(version=2), first, now=LATER)
    assert (first.sequence, second.sequence) == (1, 2)
    assert second.previous_hash == first.entry_hash
    assert verify_chain([first, second]).verified == 2
