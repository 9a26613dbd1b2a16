"""The scorer's entrances: CloudTrail events into the ledger, requests for a score, and the sweep."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.scorer.changes import changes_of
from services.scorer.cloudtrail import CloudTrailRecord, parse_record
from services.scorer.edge import Scorer
from services.scorer.settings import ScoreSettings, UsageSettings
from services.scorer.usage import fold
from shared.aws import clients
from shared.aws.dynamodb import Table
from shared.aws.usage_ledger import UsageLedger
from shared.envelope import parse_envelope
from shared.observability import explained, logger, metrics, process_messages, tracer, utc_now
from shared.reference import load_operations

FEED = "eventbridge"


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_cloudtrail_events(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Fold a batch of CloudTrail events into the ledger; a malformed one goes back alone, the rest is recorded.

    A failure of the ledger fails the whole batch: merging again is harmless.
    """
    settings = UsageSettings.load()
    processor = BatchProcessor(event_type=EventType.SQS)

    def record_of(message: SQSRecord) -> CloudTrailRecord:
        return parse_record(parse_envelope(message.body, account_id=settings.account_id).detail)

    with processor(records=event["Records"], handler=explained(record_of), lambda_context=context):
        outcomes = processor.process()
    folded = fold([result for status, result, _ in outcomes if status == "success"], load_operations(), feed=FEED)
    ledger = UsageLedger(Table(clients.dynamodb(), settings.usage_table), retention_days=settings.retention_days)
    own = {key.identity_id: usage for key, usage in folded.usages.items() if key.account_id == settings.account_id}
    written = ledger.merge(own)
    if settings.account_id in folded.coverage:
        ledger.merge_coverage(settings.account_id, folded.coverage[settings.account_id])
    metrics.add_metric("LedgerWrites", MetricUnit.Count, written)
    logger.info("usage recorded", events=len(outcomes), identities=len(own), writes=written, skipped=folded.skipped)
    return processor.response()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_score_requests(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Score whoever an IAM change, a Config item change or a request names; publish each score that changed."""
    return process_messages(event, context, score_message)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_sweep(event: dict[str, Any], context: LambdaContext) -> dict[str, float | int]:  # noqa: ARG001 Lambda's shape
    """Score every identity of the account afresh, find what events missed, and score the account."""
    scorer = Scorer(ScoreSettings.load(), utc_now())
    return scorer.sweep()


def score_message(record: SQSRecord) -> None:
    """Score every identity that one message concerns."""
    settings = ScoreSettings.load()
    scorer = Scorer(settings, utc_now())
    envelope = parse_envelope(record.body, account_id=settings.account_id)
    for changed in changes_of(envelope):
        for detail in scorer.affected(changed):
            scorer.score(detail)
