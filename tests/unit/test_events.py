"""Our own events: named by what they tell, versioned, readable by a neighbour of another version, of one account."""

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from shared.events import (
    EVENT_TYPES,
    ROUTES,
    AlarmChanged,
    AuditTrailBroken,
    ControlChanged,
    DomainEvent,
    IdentityEvent,
    IdentityScored,
    PlanDue,
    RestorationDue,
    ScoreRequested,
    Service,
    SweepPaused,
    event_id_of,
)
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, every_event, scored


def ids(event: DomainEvent) -> str:
    return event.type_name()


@pytest.mark.parametrize("event", every_event(), ids=ids)
def test_an_event_survives_the_way_over_the_bus(event: DomainEvent) -> None:
    assert EVENT_TYPES[event.type_name()].model_validate_json(event.model_dump_json()) == event


def test_every_type_of_event_has_a_route_and_an_example_here() -> None:
    assert {type(event) for event in every_event()} == set(ROUTES) == set(EVENT_TYPES.values())


def test_the_auditor_listens_to_everything_and_nobody_listens_to_themselves_but_for_own_work() -> None:
    # parts of their own work that are handed to further invocations, which do not hand the same part on again
    own_work = {
        ScoreRequested: {Service.SCORER},
        SweepPaused: {Service.SCORER},
        PlanDue: {Service.REMEDIATOR},
        RestorationDue: {Service.REMEDIATOR},
        AlarmChanged: {Service.AUDITOR},
        ControlChanged: {Service.AUDITOR},
        AuditTrailBroken: {Service.AUDITOR},
    }
    for event, route in ROUTES.items():
        assert Service.AUDITOR in route.consumers
        assert route.producers
        assert route.producers & route.consumers == own_work.get(event, set())


def test_telling_the_same_twice_is_the_same_event() -> None:
    assert scored(version=7).event_id == scored(version=7).event_id


def test_what_differs_in_type_identity_or_key_is_another_event() -> None:
    request = ScoreRequested.about(ANA, 1, occurred_at=NOW, reason="x")
    of_another = ScoreRequested.about(DEPLOYER, 1, occurred_at=NOW, reason="x")
    assert len({scored(version=1).event_id, scored(version=2).event_id, request.event_id, of_another.event_id}) == 4


def test_the_id_does_not_change_with_what_is_told_in_passing() -> None:
    later = ScoreRequested.about(ANA, 1, occurred_at=NOW + timedelta(days=1), reason="y")
    assert later.event_id == ScoreRequested.about(ANA, 1, occurred_at=NOW, reason="x").event_id


def test_ids_stay_what_they_were_in_earlier_releases() -> None:
    assert event_id_of("IdentityScored", ACCOUNT, "AIDAEXAMPLEUSER00001", 1) == "3167f723-4762-50ba-a726-2c27f46953bd"


def test_an_event_about_an_identity_is_of_its_account() -> None:
    assert scored().account_id == ANA.account_id


def test_fields_that_a_later_version_added_are_ignored() -> None:
    newer = json.loads(scored().model_dump_json()) | {"confidence": 0.9}
    assert IdentityScored.model_validate(newer) == scored()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"event_id": ""},
        {"event_id": "x" * 65},
        {"account_id": "12345"},
        {"account_id": "12345678901x"},
        {"occurred_at": "2026-03-01T12:00:00"},
        {"identity": {"account_id": ACCOUNT, "identity_id": "ANPAEXAMPLE", "arn": ANA.arn}},
        {"identity": {"account_id": ACCOUNT, "identity_id": ANA.identity_id, "arn": "arn:aws:s3:::bucket"}},
        {"pci": "high"},
        {"band": "extreme"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IdentityScored.model_validate(json.loads(scored().model_dump_json()) | change)


def test_events_about_identities_are_all_but_those_of_the_account() -> None:
    names = {event.type_name() for event in every_event() if not isinstance(event, IdentityEvent)}
    assert names == {"AccountScored", "SweepPaused", "AlarmChanged", "ControlChanged", "AuditTrailBroken"}
