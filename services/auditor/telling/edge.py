"""Telling people: what is kept is told, sooner alone or later in a digest, and told once."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit

from services.auditor.telling.brief import in_brief
from services.auditor.telling.digest import digest_of
from services.auditor.telling.place import Place
from services.auditor.telling.ports import OutboxPort, SenderPort
from services.auditor.telling.window import CRITICAL_BURST, limit_of, window_of
from shared.errors import InputError, LeastwiseError
from shared.model.notification import KeptNotification, Notification, Severity
from shared.observability import logger, metrics

PATIENCE = timedelta(minutes=1)  # as long whoever kept a message has it for itself: longer than its function runs
TURN = timedelta(minutes=4)  # longer than the function that sends what waits runs, shorter than its schedule
OVERDUE = timedelta(hours=24)
MAX_SINGLE = 3  # waiting messages that are told one by one; more become a digest
MAX_READ = 1_000  # waiting messages that one run takes
MAX_FAILURES = 3  # of one run: then the topic is left in peace until the next
SENDING = timedelta(seconds=15)  # as long SNS may take for one message before it is given up


class Desk:
    """Keeps the messages of one invocation, and sends those at once that may be."""

    def __init__(self, outbox: OutboxPort, send: SenderPort, place: Place, *, burst: int) -> None:
        self._outbox = outbox
        self._send = send
        self._place = place
        self._burst = burst
        self._new: list[KeptNotification] = []

    def keep(self, event_id: str, notification: Notification, *, now: datetime) -> None:
        """Keep a message until it is told; one that was kept before is left to whoever kept it.

        Raises DependencyError where it can't be kept: the event then comes again.
        """
        kept = KeptNotification(event_id=event_id, kept_at=now, notification=notification)
        if self._outbox.keep(kept):
            self._new.append(kept)

    def send(self, *, clock: Callable[[], datetime], deadline: datetime) -> None:
        """Send what was kept and is among the first of its window; never raises, since the rest is sent later.

        Nothing is begun that could last beyond the `deadline`: what was recorded would count as not done.
        """
        new, self._new = self._new, []
        for kept in sorted(new, key=lambda one: one.notification.severity is not Severity.CRITICAL):
            now = clock()
            if now - kept.kept_at >= PATIENCE / 2 or deadline - now < SENDING:
                return  # too near to the time from which others may send it, or to the end
            try:
                if self._may_go(kept, now):
                    deliver(self._send, kept.notification, [kept], self._place)
                    self._outbox.forget([kept])
                    note_sent(kept)
            except LeastwiseError as error:
                note_failed(error)
                return

    def _may_go(self, kept: KeptNotification, now: datetime) -> bool:
        severity = kept.notification.severity
        return self._outbox.count(window_of(now, severity), now=now) <= limit_of(severity, self._burst)


class Round:
    """Sends what waits in the outbox, one run of the schedule at a time."""

    def __init__(self, outbox: OutboxPort, send: SenderPort, place: Place, *, holder: str) -> None:
        self._outbox = outbox
        self._send = send
        self._place = place
        self._holder = holder
        self._failures = 0

    def send(self, *, now: datetime) -> None:
        """Tell what has waited longer than a minute: critical messages and a few others alone, more as a digest."""
        if not self._outbox.take_turn(self._holder, now=now, until=now + TURN):
            logger.info("somebody else sends what waits")
            return
        try:
            self._send_waiting(now)
        finally:
            self._outbox.end_turn(self._holder)

    def _send_waiting(self, now: datetime) -> None:
        found = self._outbox.waiting(limit=MAX_READ)
        waiting = [self._readable(kept) for kept in found if now - kept.kept_at >= PATIENCE]
        overdue = sum(now - kept.kept_at >= OVERDUE for kept in waiting)
        metrics.add_metric("NotificationsWaiting", MetricUnit.Count, len(waiting))
        metrics.add_metric("NotificationsOverdue", MetricUnit.Count, overdue)
        critical = [kept for kept in waiting if kept.notification.severity is Severity.CRITICAL][:CRITICAL_BURST]
        alone = {kept.event_id for kept in critical}
        rest = [kept for kept in waiting if kept.event_id not in alone]
        singly = critical + (rest if len(rest) <= MAX_SINGLE else [])
        for kept in singly:
            self._tell(kept.notification, [kept])
        if len(rest) > MAX_SINGLE:
            self._tell(digest_of(rest, self._place), rest)

    def _readable(self, kept: KeptNotification) -> KeptNotification:
        """A message as it can be told: in brief where the outbox has what can't be read."""
        if kept.is_readable:
            return kept
        metrics.add_metric("NotificationsUnreadable", MetricUnit.Count, 1)
        logger.warning("message of the outbox can't be read", event_id=kept.event_id)
        return kept.model_copy(update={"notification": in_brief([kept], self._place)})

    def _tell(self, notification: Notification, kept: Sequence[KeptNotification]) -> None:
        if self._failures >= MAX_FAILURES:
            return
        try:
            deliver(self._send, notification, kept, self._place)
        except LeastwiseError as error:
            self._failures += 1
            note_failed(error)
            return
        self._outbox.forget(kept)
        for one in kept:
            note_sent(one)


def deliver(send: SenderPort, notification: Notification, kept: Sequence[KeptNotification], place: Place) -> None:
    """Hand SNS the message that tells some events; where it will never take that, one that only names them.

    So a message that SNS refuses waits no longer and counts as no failure of the topic. Raises LeastwiseError where SNS
    takes neither.
    """
    try:
        send(notification)
    except InputError as error:
        metrics.add_metric("NotificationsRefused", MetricUnit.Count, len(kept))
        for one in kept:
            logger.warning("SNS refuses the message", event_id=one.event_id, reason=str(error))
        send(in_brief(kept, place))


def note_sent(kept: KeptNotification) -> None:
    """Count and log a message that SNS has."""
    metrics.add_metric("NotificationsSent", MetricUnit.Count, 1)
    logger.info("notified", kind=kept.notification.label, event_id=kept.event_id)


def note_failed(error: LeastwiseError) -> None:
    """Count and log a message that stays in the outbox."""
    metrics.add_metric("NotificationsFailed", MetricUnit.Count, 1)
    logger.warning("not notified", error=type(error).__name__, reason=str(error))
