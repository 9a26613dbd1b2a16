"""The remediator's entrances: verdicts from the queue, and requests of a person by the SSM document or the command."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.core import Action, Request, parse_request
from services.remediator.edge import Remediation
from services.remediator.settings import RemediationSettings
from services.remediator.verdicts import verdict_of
from services.remediator.wiring.edge import Wiring
from services.remediator.working.edge import Outcome
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
            metrics.add_metric("VerdictsIgnored", MetricUnit.Count, 1)
            return
        remediation = Remediation(Wiring.of(settings, context), cause=verdict.cause)
        if verdict.compliance is Compliance.NON_COMPLIANT:
            remediation.remediate(verdict.identity_id, trigger=verdict.trigger, asked_by_person=False)
        else:
            remediation.finish(verdict.identity_id, look=verdict.look)

    return process_messages(event, context, act)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_request(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Do what a person asks for one identity or one plan; answers with the outcome."""
    settings = RemediationSettings.load()
    request = parse_request(event)
    outcome = act_on(request, Remediation(Wiring.of(settings, context), cause=context.aws_request_id))
    logger.info("request done", **outcome._asdict())
    return outcome._asdict()


def act_on(request: Request, remediation: Remediation) -> Outcome:
    """Hand a request to the gates that its action goes through."""
    who, plan_id, trigger = request.resource_id or "", request.plan_id or "", request.trigger
    match request.action:
        case Action.PROPOSE:
            return remediation.remediate(who, trigger=trigger, asked_by_person=True, propose_only=True, by=request.by)
        case Action.REMEDIATE:
            return remediation.remediate(who, trigger=trigger, asked_by_person=True, by=request.by)
        case Action.APPROVE:
            return remediation.approve(plan_id, trigger=trigger, by=request.by)
        case Action.APPLY:
            return remediation.apply(plan_id, trigger=trigger, by=request.by)
        case Action.REJECT:
            return remediation.reject(plan_id, by=request.by)
