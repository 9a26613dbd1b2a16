"""The notice before a change, on moto: it runs from its telling, and neither it nor what comes of it lasts for ever."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.remediator.reconciling.handler import handle_schedule
from shared.aws import clients
from shared.aws.eventbridge import Publisher
from shared.errors import DependencyError
from shared.events import DomainEvent
from shared.model.plan import PlanStatus, ReasonCode
from tests.integration.remediator_house import House

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The role in an account where changes are announced 72 hours before. It is noon: days begin twelve hours later."""
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.mode("auto")
    noon = house.now().replace(hour=12, minute=0, second=0, microsecond=0)
    pass_time(house, noon + DAY - house.now())
    return house


def pass_time(house: House, by: timedelta) -> None:
    """Let time pass; the trail and the scorer go on."""
    house.ahead += by
    house.use("iam:GetUser", "lambda:ListFunctions", at=house.now())
    house.score(age=-house.ahead)


def run_hourly(house: House, hours: int) -> list[dict[str, Any]]:
    """Run the reconciler so often, and deliver what it asks for; gives all events that were told."""
    told: list[dict[str, Any]] = []
    for _ in range(hours):
        house.ahead += HOUR
        handle_schedule({}, house.context)
        events = house.stack.published()
        for event in events:
            if event["detail-type"] == "PlanDue":
                assert house.deliver(json.dumps(event)) == []
        told += [*events, *house.stack.published()]
    return told


def skips(events: list[dict[str, Any]], code: str) -> dict[str, str]:
    """Skips with this code, by id, and the day of each: the same id is the same message to people."""
    found = (one["detail"] for one in events if one["detail-type"] == "RemediationSkipped")
    return {detail["event_id"]: detail["occurred_at"][:10] for detail in found if detail["code"] == code}


def test_a_notice_does_not_run_before_anybody_was_told(noticed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Publisher.publish

    def refused(self: Publisher, *events: DomainEvent) -> None:
        if any(event.type_name() == "PlanProposed" for event in events):
            raise DependencyError("PutEvents")
        publish(self, *events)

    with monkeypatch.context() as down:
        down.setattr(Publisher, "publish", refused)
        assert noticed.verdict() == ["m0"]
    pass_time(noticed, 73 * HOUR)

    noticed.verdict()

    assert (noticed.boundary, noticed.told()) == (None, ["PlanProposed"])
    pass_time(noticed, 73 * HOUR)
    noticed.verdict()
    assert noticed.boundary


def test_a_notice_is_given_anew_after_a_long_time_in_which_nothing_could_happen(noticed: House) -> None:
    noticed.verdict()
    noticed.mode("off")
    pass_time(noticed, 5 * DAY)
    noticed.mode("auto")
    noticed.told()

    noticed.verdict()

    assert (noticed.changes, noticed.told()) == ([], ["PlanProposed"])


@pytest.mark.parametrize("why", ["compliant", "exempt", "held", "gone"])
def test_a_plan_of_which_nothing_can_come_any_more_ends_and_is_told_of_once_a_day(noticed: House, why: str) -> None:
    noticed.verdict()
    pass_time(noticed, 71 * HOUR)
    if why == "compliant":
        noticed.score(5.0, age=-noticed.ahead)
    elif why == "exempt":
        noticed.tag(exempt="true")
    elif why == "gone":
        noticed.score(age=-noticed.ahead, present=False)
    else:
        start, end = (noticed.now() + timedelta(days=day) for day in (-1, 9))
        noticed.safeguards(holds=[{"start": start.isoformat(), "end": end.isoformat(), "reason": "year end"}])
    noticed.told()

    events = run_hourly(noticed, 30)

    days = list(skips(events, why).values())
    assert len(days) == len(set(days)) > 1
    assert noticed.changes == []
    if why != "held":
        assert noticed.record().status is PlanStatus.SKIPPED
        assert len(skips(events, ReasonCode.EXPIRED)) == 1


def test_a_patch_is_not_announced_as_if_it_were_applied(noticed: House) -> None:
    clients.iam().tag_role(RoleName=noticed.role.name, Tags=[{"Key": "ManagedBy", "Value": "terraform"}])
    noticed.safeguards(managed_as_code=[{"tag": "ManagedBy"}])
    noticed.verdict()
    (told,) = noticed.stack.told("PlanProposed")
    assert (told["strategy"], told["applies_from"]) == ("patch", None)
    assert "PlanDue" not in {event["detail-type"] for event in run_hourly(noticed, 3)}
    noticed.ahead += 4 * DAY
    assert "PlanDue" not in {event["detail-type"] for event in run_hourly(noticed, 3)}
    assert noticed.record().status is PlanStatus.SKIPPED
