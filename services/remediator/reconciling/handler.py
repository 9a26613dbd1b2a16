"""The reconciler's entrance: a schedule."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.reconciling.edge import Reconciler
from services.remediator.settings import RemediationSettings
from services.remediator.wiring.edge import Wiring
from shared.observability import logger, metrics, tracer


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_schedule(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Ask for what was left undone, and collect policies that nothing stands on; answers with how much there was."""
    return Reconciler(Wiring.of(RemediationSettings.load(), context)).run()
