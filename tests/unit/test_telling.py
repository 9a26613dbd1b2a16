"""Telling people, whatever fails and in whatever order: nothing is lost, and nothing is told twice without a crash."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.auditor.telling.brief import MAX_LISTED, in_brief
from services.auditor.telling.edge import MAX_FAILURES, MAX_READ, MAX_SINGLE, PATIENCE, Desk
from services.auditor.telling.news import notification_of
from services.auditor.telling.window import CRITICAL_BURST, WINDOW, window_of
from shared.errors import DependencyError
from shared.model.notification import MAX_MESSAGE_BYTES, KeptNotification, Severity
from shared.observability import metrics
from tests.builders import NOW
from tests.unit.telling_world import BURST, MUCH_TIME, PLACE, News, World, news

FAULTS = st.sampled_from(["none", "none", "before", "after", "refused", "crash before", "crash after"])


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


def test_a_run_that_was_killed_goes_on_with_its_own_turn_when_lambda_tries_again() -> None:
    world = World()
    world.faults = ["before", "crash before"]
    world.deliver(news(1))
    world.now += PATIENCE
    world.run_schedule("request-1")
    assert world.sent == []
    world.run_schedule("request-1")
    assert len(world.sent) == 1


def test_a_message_is_not_sent_by_its_keeper_when_others_may() -> None:
    world = World()
    desk = Desk(world, world.publish, PLACE, burst=BURST)
    notification = notification_of(news(1), PLACE)
    assert notification
    desk.keep("event", notification, now=NOW)
    world.now += PATIENCE
    desk.send(clock=world.clock, deadline=world.now + MUCH_TIME)
    assert world.sent == []


@pytest.mark.parametrize(("seconds", "sent"), [(15, 1), (14, 0)])
def test_nothing_is_sent_that_could_last_longer_than_its_keeper_lives(seconds: int, sent: int) -> None:
    world = World()
    desk = Desk(world, world.publish, PLACE, burst=BURST)
    notification = notification_of(news(1), PLACE)
    assert notification
    desk.keep("event", notification, now=NOW)
    desk.send(clock=world.clock, deadline=NOW + timedelta(seconds=seconds))
    assert (len(world.sent), len(world.outbox)) == (sent, 1 - sent)


def test_a_message_that_sns_refuses_is_told_in_brief_at_once_and_waits_no_longer() -> None:
    world = World()
    world.faults = ["refused"]
    world.deliver(news(1), news(2))
    brief, whole = world.sent
    show = f"leastwise audit show {news(1).event_id} --stack-name leastwise --region eu-west-1"
    assert brief.subject == f"Event {news(1).event_id} could not be told in full"
    assert f"\n  {show}\n" in brief.text
    assert brief.command == show
    assert brief.attributes == {"severity": "info", "type": ("RemediationSkipped",)}
    assert whole.label == "rejected"
    assert world.outbox == {}


def test_messages_that_sns_refuses_are_no_failures_of_the_topic() -> None:
    world = World()
    world.faults = ["before"]
    world.deliver(*(news(number, critical=True) for number in range(9)))
    world.faults = ["refused", "none"] * 5
    world.now += PATIENCE
    world.run_schedule()
    assert sorted(one.label for one in world.sent) == ["needs a person"] * 4 + ["told in brief"] * 5
    assert world.outbox == {}


def test_a_topic_that_refuses_whatever_it_gets_keeps_everything_waiting() -> None:
    world = World()
    world.faults = ["refused"] * 100
    world.deliver(*(news(number, critical=True) for number in range(9)))
    world.now += PATIENCE
    world.run_schedule()
    assert len(world.outbox) == 9
    assert len(world.faults) == 100 - 2 - 2 * MAX_FAILURES


def test_a_digest_that_sns_refuses_is_told_in_brief() -> None:
    world = World()
    world.faults = ["before"]
    world.deliver(*map(news, range(MAX_SINGLE + 1)))
    world.faults = ["refused"]
    world.now += PATIENCE
    world.run_schedule()
    (brief,) = world.sent
    assert brief.subject == "4 events, not told in full"
    assert all(f"audit show {news(number).event_id} " in brief.text for number in range(MAX_SINGLE + 1))
    assert world.outbox == {}


def test_a_message_that_cannot_be_read_is_told_by_its_event_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.faults = ["before"]
    world.deliver(news(1))
    (kept,) = world.outbox.values()
    world.outbox[kept.event_id] = kept.model_copy(update={"is_readable": False})
    world.now += PATIENCE
    world.run_schedule()
    (brief,) = world.sent
    assert f"leastwise audit show {kept.event_id} --stack-name leastwise --region eu-west-1" in brief.text
    metrics.flush_metrics()
    assert '"NotificationsUnreadable":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize("number", [1, 2, MAX_LISTED + 5, MAX_READ])
def test_whatever_an_event_is_called_what_is_told_in_brief_fits_into_sns(number: int) -> None:
    bad = "\u202e\x1b[2J'; rm -rf ~" + "é" * 2_000
    attributes: dict[str, str | tuple[str, ...]] = {"type": ("", "\x00", "PolicyApplied"), "account": ""}
    notification = notification_of(news(1), PLACE)
    assert notification
    kept = KeptNotification(
        event_id=bad, kept_at=NOW, notification=notification.model_copy(update={"attributes": attributes})
    )
    brief = in_brief([kept] * number, PLACE)
    assert brief.subject.isascii()
    assert all(line.isprintable() for line in brief.text.splitlines())
    assert len(brief.message_structure().encode()) <= MAX_MESSAGE_BYTES
    assert brief.attributes == {"severity": "info", "type": ("PolicyApplied",)}
    assert (f"and {number - MAX_LISTED} more" in brief.text) == (number > MAX_LISTED)


def test_nothing_in_brief_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="nothing"):
        in_brief([], PLACE)


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
