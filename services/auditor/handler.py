"""The auditor's entrance: every event of the bus becomes one audit entry, and a notification where people care."""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.edge import Recorder
from services.auditor.settings import AuditSettings
from shared.observability import logger, metrics, process_messages, tracer, utc_now


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_events(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Append one entry for each event; tell the security team of those that matter.

    Everything is recorded and kept before anything is sent: a topic that fails or hangs costs no entry. Messages for
    which a slow table leaves no time go back.
    """
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    recorder = Recorder.of(AuditSettings.load(), clock=utc_now, remaining=remaining)
    answer = process_messages(event, context, recorder.record_in_time)
    recorder.tell()
    return answer
