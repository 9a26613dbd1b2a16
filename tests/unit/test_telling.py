"""Telling people, whatever fails and in whatever order: nothing is lost, and nothing is told twice without a crash."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.auditor.telling.edge import MAX_SINGLE, PATIENCE, Desk
from services.auditor.telling.news import notification_of
from services.auditor.telling.window import CRITICAL_BURST, WINDOW, window_of
from shared.errors import DependencyError
from shared.model.notification import Severity
from shared.observability import metrics
from tests.builders import NOW
from tests.unit.telling_world import BURST, PLACE, News, World, news

FAULTS = st.sampled_from(["none", "none", "before", "after", "crash before", "crash after"])


@pytest.fixture(autouse=True)
def nothing_counted_for_others() -> Iterator[None]:
    """What is counted outside of a handler would be written out by the next one."""
    yield
    metrics.clear_metrics()


def test_one_message_is_sent_at_once_and_not_again() -> None:
    world = World()
    assert world.deliver(news(1))
    assert world.deliver(news(1))
    world.now += timedelta(minutes=10)
    world.run_schedule()
    assert [one.label for one in world.sent] == ["rejected"]
    assert world.outbox == {}


def test_what_is_over_the_burst_waits_for_a_digest() -> None:
    world = World()
    world.deliver(*map(news, range(BURST + MAX_SINGLE + 1)))
    assert len(world.sent) == BURST
    world.now += timedelta(seconds=30)
    world.run_schedule()
    assert len(world.sent) == BURST, "whoever kept it has a minute"
    world.now += PATIENCE
    world.run_schedule()
    assert [one.label for one in world.sent[BURST:]] == ["digest"]
    assert set(world.told.values()) == {1}


def test_a_few_that_wait_are_told_one_by_one() -> None:
    world = World()
    world.deliver(*map(news, range(BURST + MAX_SINGLE)))
    world.now += PATIENCE
    world.run_schedule()
    assert [one.label for one in world.sent] == ["rejected"] * (BURST + MAX_SINGLE)


def test_the_next_window_has_a_burst_of_its_own() -> None:
    world = World()
    world.deliver(*map(news, range(BURST + 1)))
    world.now += WINDOW
    world.deliver(news(99))
    assert len(world.sent) == BURST + 1


def test_critical_messages_do_not_wait_for_others_until_there_are_too_many() -> None:
    world = World()
    others = [news(number) for number in range(BURST + 2)]
    critical = [news(number, critical=True) for number in range(CRITICAL_BURST + 2)]
    world.deliver(*others, *critical)
    labels = [one.label for one in world.sent]
    assert labels == ["needs a person"] * CRITICAL_BURST + ["rejected"] * BURST
    assert len(world.outbox) == 4


def test_critical_messages_that_wait_are_told_alone_and_first() -> None:
    world = World()
    world.faults = ["before"]
    world.deliver(*map(news, range(BURST + 6)), news(1, critical=True))
    assert world.sent == []
    world.now += PATIENCE
    world.run_schedule()
    assert [one.label for one in world.sent] == ["needs a person", "digest"]


def test_too_many_critical_messages_that_wait_are_a_digest_as_well() -> None:
    world = World()
    world.faults = ["before"]
    world.deliver(*(news(number, critical=True) for number in range(CRITICAL_BURST + MAX_SINGLE + 1)))
    world.now += PATIENCE
    world.run_schedule()
    assert [one.label for one in world.sent] == ["needs a person"] * CRITICAL_BURST + ["digest"]
    assert set(world.told.values()) == {1}


def test_a_topic_that_fails_is_tried_once_by_a_batch_and_thrice_by_a_run() -> None:
    world = World()
    world.faults = ["before"] * 100
    assert world.deliver(*map(news, range(3)), *(news(number, critical=True) for number in range(9)))
    assert len(world.faults) == 99
    world.now += PATIENCE
    world.run_schedule()
    assert len(world.faults) == 96
    assert len(world.outbox) == 12


def test_only_one_sends_what_waits_and_a_turn_that_nobody_ended_passes() -> None:
    world = World()
    world.faults = ["before", "crash before"]
    world.deliver(news(1))
    world.now += PATIENCE
    world.run_schedule("a")
    world.run_schedule("b")
    assert world.sent == []
    world.now += timedelta(minutes=5)
    world.run_schedule("b")
    assert len(world.sent) == 1


def test_a_message_is_not_sent_by_its_keeper_when_others_may() -> None:
    world = World()
    desk = Desk(world, world.publish, burst=BURST)
    notification = notification_of(news(1), PLACE)
    assert notification
    desk.keep("event", notification, now=NOW)
    world.now += PATIENCE
    desk.send(clock=world.clock)
    assert world.sent == []


def test_what_cannot_be_kept_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def refuse(_: object) -> bool:
        raise DependencyError("TransactWriteItems: Throttling")

    monkeypatch.setattr(world, "keep", refuse)
    with pytest.raises(DependencyError):
        world.deliver(news(1))
    assert world.recorded == [news(1).event_id]


@settings(deadline=None)
@given(st.datetimes(), st.datetimes())
def test_windows_are_five_minutes_and_critical_messages_have_their_own(one: datetime, other: datetime) -> None:
    first, second = one.replace(tzinfo=NOW.tzinfo), other.replace(tzinfo=NOW.tzinfo)
    if window_of(first, Severity.INFO) == window_of(second, Severity.WARNING):
        assert abs(first - second) < WINDOW
    else:
        assert abs(first - second) > timedelta(0)
    assert window_of(first, Severity.INFO) != window_of(first, Severity.CRITICAL)


class Telling(RuleBasedStateMachine):
    """Deliveries in any order and number, a topic that fails before or after it took a message, crashes anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.queue: dict[str, News] = {}
        self.seen: dict[str, News] = {}

    @rule(
        numbers=st.lists(st.integers(0, 30), min_size=1, max_size=10),
        critical=st.booleans(),
        faults=st.lists(FAULTS, max_size=10),
        crash_after=st.none() | st.integers(0, 30),
        pause=st.sampled_from([0, 0, 20, 40, 90]),
    )
    def deliver(
        self, numbers: list[int], faults: list[str], crash_after: int | None, pause: int, *, critical: bool
    ) -> None:
        """A batch of the auditor."""
        events = [news(number, critical=critical) for number in numbers]
        self.seen.update((event.event_id, event) for event in events)
        self.world.faults, self.world.crash_after = faults, crash_after
        if not self.world.deliver(*events, pause=pause):
            self.queue.update((event.event_id, event) for event in events)

    @rule(faults=st.lists(FAULTS, max_size=5), crash_after=st.none() | st.integers(0, 30), holder=st.sampled_from("ab"))
    def run_schedule(self, faults: list[str], crash_after: int | None, holder: str) -> None:
        """A run of the schedule."""
        self.world.faults, self.world.crash_after = faults, crash_after
        self.world.run_schedule(holder)

    @rule(minutes=st.integers(1, 12))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.world.now += timedelta(minutes=minutes)

    @invariant()
    def nothing_is_told_twice_without_a_reason(self) -> None:
        """But where the function crashed, or did not hear from SNS, in between."""
        assert self.world.told_twice == set()

    @invariant()
    def what_was_kept_is_recorded_and_waits_or_was_told(self) -> None:
        """At every moment."""
        assert self.world.kept <= set(self.world.recorded)
        assert self.world.kept <= set(self.world.outbox) | set(self.world.told)

    def teardown(self) -> None:
        """When all is well again, everything is told."""
        world = self.world
        world.faults = []
        world.deliver(*self.queue.values())
        for _ in range(3):
            world.now += timedelta(minutes=5)
            world.run_schedule()
        assert set(world.recorded) == set(self.seen) == set(world.told)
        assert world.outbox == {}
        assert world.told_twice == set()


TestTelling = Telling.TestCase
TestTelling.settings = settings(deadline=None, max_examples=60, stateful_step_count=15)
