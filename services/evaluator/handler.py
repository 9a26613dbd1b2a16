"""The evaluator's entrances: AWS Config's invocations of the rule, and scores as they come."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.evaluator.core import times_busy_of
from services.evaluator.edge import Judging, judge_everyone, judge_identity, reevaluate
from services.evaluator.invocation import parse_invocation
from services.evaluator.settings import EvaluateSettings, VerdictSettings
from shared.aws import clients
from shared.aws.config import TEST_TOKEN, ConfigRules, Evaluation, EvaluationsLostError
from shared.envelope import parse_domain_event, parse_envelope
from shared.errors import InputError
from shared.events import AccountScored, IdentityScored
from shared.observability import logger, metrics, process_messages, tracer, utc_now


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_config_rule(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Tell AWS Config the verdict on one resource, or on all of them on schedule; a test run changes nothing."""
    settings, now = VerdictSettings.load(), utc_now()
    invocation = parse_invocation(event, now=now)
    if invocation.account_id != settings.account_id:
        raise InputError(f"invocation of account {invocation.account_id[:12]!r}, expected {settings.account_id}")
    judging = Judging(settings, now, cause=context.aws_request_id, has_config=True)
    answers = judging.answers(invocation)
    evaluations = [Evaluation(*one.statement, invocation.ordering_time) for one in answers if one.statement]
    try:
        ConfigRules(clients.config()).put_evaluations(evaluations, invocation.result_token)
    except EvaluationsLostError as error:
        metrics.add_metric("EvaluationsFailed", MetricUnit.Count, error.count)
        raise
    metrics.add_metric("Evaluations", MetricUnit.Count, len(evaluations))
    if invocation.result_token != TEST_TOKEN:
        judging.conclude(answers)
    return {"evaluations": len(evaluations)}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_scores(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Judge each new score, tell each verdict that changed, and have AWS Config re-evaluate where one crossed."""
    return process_messages(event, context, judge_message)


def judge_message(record: SQSRecord) -> None:
    """Act on one message: a score, the end of a sweep, or our own delayed request for a re-evaluation."""
    settings, now = EvaluateSettings.load(), utc_now()
    judging = Judging(settings, now, cause=record.message_id, has_config=bool(settings.config_rule_name))
    times_busy = times_busy_of(record.body)
    if times_busy is not None:
        reevaluate(judging, settings, times_busy=times_busy)
        return
    event = parse_domain_event(parse_envelope(record.body, account_id=settings.account_id))
    if isinstance(event, IdentityScored):
        judge_identity(judging, event.identity)
    elif isinstance(event, AccountScored):
        judge_everyone(judging, swept_at=event.occurred_at)
    else:
        raise InputError(f"{event.type_name()} is not for the evaluator")
