"""The entrance of the schedule: what waits in the outbox is told."""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.settings import NotifySettings
from services.auditor.telling.edge import Round
from services.auditor.telling.place import Place
from shared.aws import clients
from shared.aws.outbox import Outbox
from shared.aws.sns import send_notification
from shared.observability import logger, metrics, tracer, utc_now


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_outbox(_event: dict[str, Any], context: LambdaContext) -> None:
    """Send what waits longer than a minute: a few messages alone, many as a digest."""
    settings = NotifySettings.load()
    outbox = Outbox(clients.dynamodb(), settings.notifications_table)
    send = partial(send_notification, clients.sns(), settings.topic_arn)
    place = Place.of_topic(settings.topic_arn, settings.stack_name)
    Round(outbox, send, place, holder=context.aws_request_id).send(now=utc_now())
