"""The outbox, the topic and the audit table in memory, all of which can fail or crash at every call."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from services.auditor.telling.edge import Desk, Round
from services.auditor.telling.news import notification_of
from services.auditor.telling.place import Place
from shared.errors import DependencyError, InputError
from shared.events import RemediationFailed, RemediationSkipped
from shared.model.notification import KeptNotification, Notification
from shared.model.plan import ReasonCode
from tests.builders import ANA, NOW, PLAN

News: TypeAlias = RemediationFailed | RemediationSkipped

PLACE = Place("leastwise", "eu-west-1")
BURST = 5
MUCH_TIME = timedelta(minutes=15)


class CrashError(Exception):
    """The function is gone: it ran out of time or memory."""


class World:
    """The outbox, the topic and the audit table in memory. `faults` says what happens at each call of the topic."""

    def __init__(self) -> None:
        self.now = NOW
        self.crash_after: int | None = None  # calls from now
        self.faults: list[str] = []
        self.recorded: list[str] = []
        self.kept: set[str] = set()
        self.outbox: dict[str, KeptNotification] = {}
        self.windows: dict[str, int] = {}
        self.turn: tuple[str, datetime] | None = None
        self.sent: list[Notification] = []
        self.told: dict[str, int] = {}  # how often SNS took each event's message
        self.uncertain: set[str] = set()  # SNS has it, and the outbox doesn't know
        self.told_twice: set[str] = set()  # without such a reason

    def _step(self) -> None:
        if self.crash_after is not None:
            self.crash_after -= 1
            if self.crash_after < 0:
                raise CrashError

    def clock(self) -> datetime:
        """The time of the world."""
        return self.now

    def keep(self, kept: KeptNotification) -> bool:
        """As the outbox does."""
        self._step()
        if kept.event_id in self.kept:
            return False
        self.kept.add(kept.event_id)
        self.outbox[kept.event_id] = kept
        return True

    def waiting(self, *, limit: int) -> Iterator[KeptNotification]:
        """As the outbox does."""
        self._step()
        return iter(sorted(self.outbox.values(), key=lambda one: (one.kept_at, one.event_id))[:limit])

    def forget(self, sent: Sequence[KeptNotification]) -> None:
        """As the outbox does."""
        self._step()
        for kept in sent:
            self.outbox.pop(kept.event_id, None)
            self.uncertain.discard(kept.event_id)

    def count(self, window: str, *, now: datetime) -> int:
        """As the outbox does."""
        self._step()
        self.windows[window] = self.windows.get(window, 0) + 1
        return self.windows[window]

    def take_turn(self, holder: str, *, now: datetime, until: datetime) -> bool:
        """As the outbox does."""
        self._step()
        if self.turn and self.turn[1] > now and self.turn[0] != holder:
            return False
        self.turn = (holder, until)
        return True

    def end_turn(self, holder: str) -> None:
        """As the outbox does."""
        self._step()
        if self.turn and self.turn[0] == holder:
            self.turn = None

    def publish(self, notification: Notification) -> None:
        """The topic, which fails or has the function crash as `faults` says."""
        self._step()
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "before":
            raise DependencyError("Publish: Throttling")
        if fault == "refused":
            raise InputError("Publish: InvalidParameter")
        if fault == "crash before":
            self.crash_after = 0
            self._step()
        self._accept(notification)
        if fault == "after":
            raise DependencyError("Publish: ReadTimeoutError")
        if fault == "crash after":
            self.crash_after = 0
            self._step()

    def _accept(self, notification: Notification) -> None:
        self.sent.append(notification)
        for event_id in events_of(notification):
            self.told[event_id] = self.told.get(event_id, 0) + 1
            if self.told[event_id] > 1 and event_id not in self.uncertain:
                self.told_twice.add(event_id)
            self.uncertain.add(event_id)

    def deliver(self, *events: News, pause: int = 0) -> bool:
        """One invocation of the auditor, that hangs for `pause` seconds half way: whether it came to its end."""
        desk = Desk(self, self.publish, PLACE, burst=BURST)
        deadline = self.now + MUCH_TIME
        try:
            for event in events:
                self._step()
                if event.event_id not in self.recorded:
                    self.recorded.append(event.event_id)
                if notification := notification_of(event, PLACE):
                    desk.keep(event.event_id, notification, now=self.now)
            if pause:
                crash_after, self.crash_after = self.crash_after, None
                self.now += timedelta(seconds=pause)
                self.run_schedule("meanwhile")
                self.crash_after = crash_after
            desk.send(clock=self.clock, deadline=deadline)
        except CrashError:
            return False
        finally:
            self.crash_after = None
        return True

    def run_schedule(self, holder: str = "a") -> None:
        """One invocation of the function that sends what waits."""
        try:
            Round(self, self.publish, PLACE, holder=holder).send(now=self.now)
        except CrashError:
            pass
        finally:
            self.crash_after = None


def events_of(notification: Notification) -> list[str]:
    """Ids of the events that a message tells."""
    data: dict[str, Any] = notification.data
    if "digest" in data:
        assert data["digest"]["left_out"] == 0
        return [message["event_id"] for message in data["digest"]["messages"]]
    return [data["event"]["event_id"]]


def news(number: int, *, critical: bool = False) -> News:
    """An event that people are told of."""
    if critical:
        return RemediationFailed.about(
            ANA, "f", number, occurred_at=NOW, **PLAN, code=ReasonCode.DRIFT, message=f"no {number}"
        )
    return RemediationSkipped.about(
        ANA, "s", number, occurred_at=NOW, code=ReasonCode.REJECTED, message=f"no {number}", plan_id="plan-1"
    )
