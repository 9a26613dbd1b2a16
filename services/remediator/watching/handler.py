"""The entrances to giving back: hints of refused calls and our own RestorationDue, and a person's wish."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.settings import RemediationSettings
from services.remediator.watching.edge import Restoration
from services.remediator.watching.hints import hint_of
from services.remediator.watching.requests import parse_give_back
from services.remediator.wiring.edge import Wiring
from shared.envelope import parse_envelope
from shared.errors import SettingsError
from shared.events import RestorationDue
from shared.observability import logger, metrics, process_messages, tracer


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_restorations(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Look at each identity that was refused something, once a batch; go on with what is to be taken back."""
    settings = _settings()
    wiring = Wiring.of(settings, context)
    looked: set[str] = set()

    def act(record: SQSRecord) -> None:
        envelope = parse_envelope(record.body, account_id=settings.account_id)
        hint = hint_of(envelope)
        if isinstance(hint, RestorationDue):
            Restoration(wiring, cause=hint.event_id).due(hint)
            return
        metrics.add_metric("HintsHeard", MetricUnit.Count, 1)
        if hint is None or hint in looked:
            metrics.add_metric("HintsIgnored", MetricUnit.Count, 1)
            return
        Restoration(wiring, cause=envelope.id).denied(hint)
        looked.add(hint)  # only now: where the look fails, every message that asks for it comes again

    return process_messages(event, context, act)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_request(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Roll one plan back, or restore some of its actions, because a person asked; answers with the outcome."""
    settings = _settings()
    request = parse_give_back(event)
    restoration = Restoration(Wiring.of(settings, context), cause=context.aws_request_id)
    if request.action == "rollback":
        outcome = restoration.roll_back(request.plan_id, by=request.by)
    else:
        outcome = restoration.restore(request.plan_id, request.actions, by=request.by)
    logger.info("request done", **outcome._asdict())
    return outcome._asdict()


def _settings() -> RemediationSettings:
    """The settings of a function that may give back: another one would hand everything over to itself, for ever."""
    settings = RemediationSettings.load()
    if not settings.may_restore:
        raise SettingsError("LEASTWISE_MAY_RESTORE must be true for a function that gives back")
    return settings
