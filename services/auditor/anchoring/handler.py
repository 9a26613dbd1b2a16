"""The entrance of anchoring: what the trail's chains end with, written by a schedule where nobody can change it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.auditor.anchoring.edge import Anchoring
from services.auditor.settings import AnchorSettings
from shared.observability import logger, metrics, tracer, utc_now


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_schedule(_: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Verify what was recorded since the last anchor, tell of what is wrong, and write the next anchor."""
    settings = AnchorSettings.load()
    return Anchoring(settings, utc_now(), lambda: context.get_remaining_time_in_millis() / 1_000).run()
