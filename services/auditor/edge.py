"""From message to audit entry and to the outbox, in this order."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Self

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from services.auditor.core import chain_of, entry_of, renamed
from services.auditor.hints import ControlHint, Ignored, Watched, hints_of, is_hint
from services.auditor.settings import AuditSettings
from services.auditor.telling.edge import Desk
from services.auditor.telling.news import notification_of
from services.auditor.telling.place import Place
from shared.aws import clients
from shared.aws.audit_table import Appended, AuditTable
from shared.aws.dynamodb import Table
from shared.aws.outbox import Outbox
from shared.aws.sns import send_notification
from shared.aws.ssm import ParameterVersion, read_version
from shared.envelope import Envelope, parse_domain_event, parse_envelope
from shared.errors import ConflictError, DependencyError, NotFoundError
from shared.events import ControlChanged, DomainEvent
from shared.observability import logger, metrics

RESERVE = timedelta(seconds=5)  # a message that is begun later than so long before the end may not be finished


class Recorder:
    """Records the events of one invocation, which is over at `deadline`, and tells people of them afterwards."""

    def __init__(
        self,
        settings: AuditSettings,
        audit: AuditTable,
        desk: Desk,
        clock: Callable[[], datetime],
        *,
        deadline: datetime,
    ) -> None:
        self._settings = settings
        self._audit = audit
        self._desk = desk
        self._clock = clock
        self._deadline = deadline
        self._place = place_of(settings)

    @classmethod
    def of(cls, settings: AuditSettings, clock: Callable[[], datetime], *, remaining: timedelta) -> Self:
        """The recorder of the deployed system, whose invocation has so much time."""
        desk = Desk(
            Outbox(clients.dynamodb(), settings.notifications_table),
            partial(send_notification, clients.sns(), settings.topic_arn),
            place_of(settings),
            burst=settings.notification_burst,
        )
        audit = AuditTable(Table(clients.dynamodb(), settings.audit_table))
        return cls(settings, audit, desk, clock, deadline=clock() + remaining)

    def record_in_time(self, message: SQSRecord) -> None:
        """Record one message, while there is time for it: what was done before is kept, the rest comes again.

        Raises DependencyError where it is too late, and what `record` raises.
        """
        if self._deadline - self._clock() < RESERVE:
            raise DependencyError("the invocation is almost over: the message comes again")
        self.record(message)

    def record(self, message: SQSRecord) -> None:
        """Append the entries of one message first, then keep what people are told; both are remembered by event id.

        Raises InputError for what is no event of ours and no hint of AWS; DependencyError where it must come again.
        """
        envelope = parse_envelope(message.body, account_id=self._settings.account_id)
        for event in self._events_of(envelope):
            try:
                recorded = self._append(event, envelope.source)
            except ConflictError:
                # a chain that takes no entry, perhaps because somebody saw to that: people are told all the same
                self._keep(event)
                raise
            self._keep(recorded)

    def _append(self, event: DomainEvent, source: str) -> DomainEvent:
        """Record an event once; under an id of its own where its id stands for another one. Returns it as recorded."""
        appended = self._append_once(event, source)
        if appended is Appended.CONTESTED:
            logger.warning("event id stands for another event", event_id=event.event_id, event_type=event.type_name())
            metrics.add_metric("EventIdsContested", MetricUnit.Count, 1)
            event = renamed(event)
            appended = self._append_once(event, source)
        metrics.add_metric("EntriesAppended", MetricUnit.Count, int(appended is Appended.NEW))
        return event

    def _append_once(self, event: DomainEvent, source: str) -> Appended:
        entry = partial(entry_of, event, now=self._clock(), source=source)
        return self._audit.append(event.event_id, chain_of(event), entry)

    def _keep(self, event: DomainEvent) -> None:
        if notification := notification_of(event, self._place):
            self._desk.keep(event.event_id, notification, now=self._clock())

    def tell(self) -> None:
        """Send at once what may be and there is time for; the rest waits in the outbox."""
        self._desk.send(clock=self._clock, deadline=self._deadline)

    def _events_of(self, envelope: Envelope) -> Iterator[DomainEvent]:
        if not is_hint(envelope):
            yield parse_domain_event(envelope)
            return
        settings = self._settings
        watched = Watched(
            settings.stack_name, self._place.region, settings.mode_parameter, settings.safeguards_parameter
        )
        for hint in hints_of(envelope, watched):
            if isinstance(hint, Ignored):
                metrics.add_metric("HintsIgnored", MetricUnit.Count, 1)
                logger.info("hint ignored", reason=hint.reason)
            elif isinstance(hint, ControlHint):
                yield self._changed(hint)
            else:
                yield hint

    def _changed(self, hint: ControlHint) -> ControlChanged:
        """What a call set the mode to, and what the mode is by now: CloudTrail may be minutes late."""
        if hint.control != "mode":
            return hint.event(self._settings.account_id)
        now = self._mode()
        then = self._mode(hint.version) if hint.version else None
        if then and not hint.made(then.version, then.made_at):
            then = None
        if now and then and now.version < then.version:
            now = then  # the newest was read from a copy that lagged behind
        return hint.event(self._settings.account_id, now=now and now.value, then=then and then.value)

    def _mode(self, version: int | None = None) -> ParameterVersion | None:
        """A version of the mode's parameter, the newest by default; None where it is gone."""
        try:
            return read_version(clients.ssm(), self._settings.mode_parameter, version)
        except NotFoundError:
            return None


def place_of(settings: AuditSettings) -> Place:
    """Where the reader of a message finds the system."""
    return Place.of_topic(
        settings.topic_arn, settings.stack_name, settings.mode_parameter, settings.safeguards_parameter
    )
