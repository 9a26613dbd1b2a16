"""I9: what the remediator changes comes back as events, and leads to no further change, whichever brake holds."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.remediator.handler import handle_verdicts
from services.remediator.watching.handler import handle_request
from services.scorer.handler import handle_score_requests
from shared.aws import clients
from shared.events import EVENT_TYPES, ROUTES, IdentityEvaluated, IdentityScored, Service
from shared.model.plan import Compliance
from tests.builders import ACCOUNT, cloudtrail_body, domain_body, failed, sqs_event
from tests.integration.remediator_house import GOOD, House

OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/leastwise/leastwise-RemediateRole-1"
THRESHOLD = 60.0
MAX_ROUNDS = 10
NEWS = cloudtrail_body({"eventName": "CreateInstanceProfile", "requestParameters": {"instanceProfileName": "p"}})


def record_of(call: str, parameters: Mapping[str, Any]) -> str:
    """The event that CloudTrail makes of a call by the remediator's own role."""
    issuer = {"type": "Role", "principalId": "AROAOWNROLE00000001", "arn": OWN_ROLE, "accountId": ACCOUNT}
    who = {"type": "AssumedRole", "accountId": ACCOUNT, "sessionContext": {"sessionIssuer": issuer}}
    named = {name[0].lower() + name[1:]: value for name, value in parameters.items()}
    return cloudtrail_body({"eventName": call, "requestParameters": named, "userIdentity": who})


@pytest.fixture
def records(house: House) -> list[str]:
    """What CloudTrail tells of the remediator's changes, as they are made."""
    seen: list[str] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        if not model.name.startswith(("Get", "List", "Generate")):
            seen.append(record_of(model.name, params))

    clients.iam().meta.events.register("provide-client-params.iam.*", note)
    return seen


def verdict_on(scored: dict[str, Any], *, always: bool) -> str:
    """The evaluator's verdict on a score; `always` finds everybody non-compliant."""
    event = IdentityScored.model_validate(scored)
    compliance = Compliance.NON_COMPLIANT if always else Compliance.of(event.pci, THRESHOLD, None)
    told = IdentityEvaluated.about(
        event.identity,
        event.event_id,
        occurred_at=event.occurred_at,
        compliance=compliance,
        pci=event.pci,
        threshold=THRESHOLD,
        annotation="",
    )
    return domain_body(told)


def rounds(house: House, records: list[str], *, always: bool) -> int:
    """Deliver what CloudTrail and the services tell to whoever listens, until all is quiet; how many rounds it took."""
    for number in range(MAX_ROUNDS):
        published = house.stack.published()
        to_scorer, to_remediator = [*records], []
        records.clear()
        for event in published:
            listeners = ROUTES[EVENT_TYPES[event["detail-type"]]].consumers
            if Service.SCORER in listeners:
                to_scorer.append(json.dumps(event))
            if Service.EVALUATOR in listeners:
                to_remediator.append(verdict_on(event["detail"], always=always))
        if not to_scorer and not to_remediator:
            return number
        assert failed(handle_score_requests(sqs_event(*to_scorer, NEWS), house.context)) == []
        assert failed(handle_verdicts(sqs_event(*to_remediator, GOOD), house.context)) == []
    return MAX_ROUNDS


@pytest.fixture(params=[True, False], ids=["all brakes", "without the first brake"])
def brakes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the scorer's brake, and as if it had failed."""
    if not request.param:
        monkeypatch.setattr("services.scorer.changes.OWN_ROLES", "role/of-nobody/")


@pytest.mark.parametrize("always", [False, True], ids=["real verdicts", "always non-compliant"])
def test_after_a_change_of_ours_all_comes_to_rest_without_another_one(
    house: House, records: list[str], brakes: None, *, always: bool
) -> None:
    house.mode("auto")
    house.verdict()
    assert house.boundary
    made = list(house.changes)
    assert len(records) == len(made) == 2

    assert rounds(house, records, always=always) < MAX_ROUNDS

    assert house.changes == made


@pytest.mark.parametrize("always", [False, True], ids=["real verdicts", "always non-compliant"])
def test_after_a_rollback_of_ours_all_comes_to_rest_and_it_stays_rolled_back(
    house: House, records: list[str], brakes: None, monkeypatch: pytest.MonkeyPatch, *, always: bool
) -> None:
    plan_id = house.applied_plan()
    records.clear()
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    handle_request({"action": "rollback", "plan_id": plan_id}, house.context)
    made = list(house.changes)
    assert house.boundary is None

    assert rounds(house, records, always=always) < MAX_ROUNDS

    assert (house.changes, house.boundary) == (made, None)


def test_the_first_brake_spares_the_scorer_every_look(house: House, records: list[str]) -> None:
    house.mode("auto")
    house.verdict()
    house.calls.clear()
    assert failed(handle_score_requests(sqs_event(*records, NEWS), house.context)) == []
    assert house.calls == []
