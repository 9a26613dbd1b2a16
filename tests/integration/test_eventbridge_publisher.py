"""Publishing on the bus: all events or an error, refused ones again, at most ten a call."""

from typing import Any, cast

import pytest
from types_boto3_events import EventBridgeClient

from shared.aws import clients
from shared.aws.eventbridge import MAX_ATTEMPTS, MAX_ENTRIES, Publisher
from shared.errors import DependencyError, NotFoundError
from shared.events import Service
from tests.builders import every_event, scored
from tests.conftest import Stack


class FussyBus:
    """A bus that refuses the first `refusals` tries of the event of score version `fussy_about`."""

    def __init__(self, *, refusals: int, fussy_about: str = '"score_version":2') -> None:
        self.calls: list[list[str]] = []
        self._refusals = refusals
        self._fussy_about = fussy_about

    def put_events(self, **request: Any) -> dict[str, Any]:
        """Answer as EventBridge does."""
        details = [entry["Detail"] for entry in request["Entries"]]
        self.calls.append(details)
        refused = [self._fussy_about in detail and len(self.calls) <= self._refusals for detail in details]
        entries = [{"ErrorCode": "InternalFailure"} if no else {"EventId": "e"} for no in refused]
        return {"FailedEntryCount": sum(refused), "Entries": entries}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.aws.eventbridge.time.sleep", lambda seconds: None)


def publisher_on(bus: FussyBus) -> Publisher:
    return Publisher(cast("EventBridgeClient", bus), "leastwise", Service.SCORER)


def test_every_type_of_event_arrives_with_its_type_and_the_services_source(aws: Stack) -> None:
    Publisher(clients.events(), aws.event_bus, Service.SCORER).publish(*every_event())
    arrived = aws.published()
    assert {(one["detail-type"], one["source"]) for one in arrived} == {
        (event.type_name(), "leastwise.scorer") for event in every_event()
    }
    by_type = {one["detail-type"]: one["detail"] for one in arrived}
    for event in every_event():
        assert type(event).model_validate(by_type[event.type_name()]) == event


def test_nothing_to_tell_is_no_call() -> None:
    bus = FussyBus(refusals=0)
    publisher_on(bus).publish()
    assert bus.calls == []


def test_many_events_are_put_in_calls_of_at_most_ten() -> None:
    bus = FussyBus(refusals=0)
    publisher_on(bus).publish(*(scored(version=number) for number in range(1, 26)))
    assert [len(call) for call in bus.calls] == [MAX_ENTRIES, MAX_ENTRIES, 5]


def test_only_the_refused_event_is_put_again() -> None:
    bus = FussyBus(refusals=2)
    publisher_on(bus).publish(*(scored(version=number) for number in (1, 2, 3)))
    assert [len(call) for call in bus.calls] == [3, 1, 1]
    assert '"score_version":2' in bus.calls[2][0]


def test_an_event_that_stays_refused_is_an_error_that_says_why() -> None:
    bus = FussyBus(refusals=99)
    with pytest.raises(DependencyError, match=r"1 events were refused: InternalFailure"):
        publisher_on(bus).publish(*(scored(version=number) for number in (1, 2, 3)))
    assert len(bus.calls) == MAX_ATTEMPTS


def test_a_bus_that_is_not_there_is_an_error(aws: Stack) -> None:
    with pytest.raises(NotFoundError):
        Publisher(clients.events(), "nowhere", Service.SCORER).publish(scored())
