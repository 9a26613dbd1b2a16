"""The auditor's entrance: every event of the bus becomes one audit entry, and a notification where people care."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.core import chain_of, entry_of
from services.auditor.notifications import notification_of
from services.auditor.settings import AuditSettings
from shared.aws import clients
from shared.aws.audit_table import AuditTable
from shared.aws.dynamodb import Table
from shared.aws.sns import send_notification
from shared.envelope import parse_domain_event, parse_envelope
from shared.observability import logger, metrics, process_messages, tracer, utc_now


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_events(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Append one entry for each event; tell the security team of those that matter."""
    return process_messages(event, context, record_event)


def record_event(record: SQSRecord) -> None:
    """Append first, then notify: a topic that fails can delay a notification, never lose an entry.

    Both are remembered by event id, so that another delivery does neither again.
    """
    settings, now = AuditSettings.load(), utc_now()
    audit = AuditTable(Table(clients.dynamodb(), settings.audit_table))
    event = parse_domain_event(parse_envelope(record.body, account_id=settings.account_id))
    appended = audit.append(event.event_id, chain_of(event), lambda head: entry_of(event, head, now=now))
    metrics.add_metric("EntriesAppended", MetricUnit.Count, int(appended))
    notification = notification_of(event, stack_name=settings.stack_name)
    if notification is None or audit.was_notified(event.event_id):
        return
    send_notification(clients.sns(), settings.topic_arn, notification)
    audit.note_notified(event.event_id, now=now)
    logger.info("notified", event_type=event.type_name(), event_id=event.event_id)
