"""The remediator's entrances: verdicts from the queue, and requests of a person by the SSM document or the command."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.core import parse_request
from services.remediator.edge import Remediation
from services.remediator.settings import RemediationSettings
from services.remediator.verdicts import verdict_of
from shared.envelope import parse_envelope
from shared.model.plan import Compliance
from shared.observability import logger, metrics, process_messages, tracer


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_verdicts(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Plan for each identity that is non-compliant, and in mode `auto` right-size it; finish what is half done."""
    settings = RemediationSettings.load()

    def act(record: SQSRecord) -> None:
        envelope = parse_envelope(record.body, account_id=settings.account_id)
        verdict = verdict_of(envelope)
        metrics.add_metric("VerdictsHeard", MetricUnit.Count, 1)
        if verdict is None:
            return
        remediation = Remediation(settings, context, cause=verdict.cause)
        if verdict.compliance is Compliance.NON_COMPLIANT:
            remediation.remediate(verdict.identity_id, trigger=verdict.trigger, asked_by_person=False)
        else:
            remediation.finish(verdict.identity_id)

    return process_messages(event, context, act)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_request(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Remediate one identity, approve one plan or roll it back because a person asked; answers with the outcome."""
    settings = RemediationSettings.load()
    request = parse_request(event)
    remediation = Remediation(settings, context, cause=context.aws_request_id)
    if request.plan_id and request.action == "rollback":
        outcome = remediation.roll_back(request.plan_id)
    elif request.plan_id:
        outcome = remediation.approve(request.plan_id, trigger=request.trigger)
    else:
        outcome = remediation.remediate(request.resource_id or "", trigger=request.trigger, asked_by_person=True)
    logger.info("request done", **outcome._asdict())
    return outcome._asdict()
