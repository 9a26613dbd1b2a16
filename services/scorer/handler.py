"""The scorer's entrances: CloudTrail's two feeds into the ledger, requests for a score, and the sweep."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.scorer.changes import changes_of
from services.scorer.edge import Scorer
from services.scorer.feeds.edge import TrailLogReader, UsageFeed
from services.scorer.feeds.envelopes import record_in
from services.scorer.settings import ScoreSettings, SweepSettings, TrailLogSettings, UsageSettings
from services.scorer.sweeping.edge import Sweep
from services.scorer.sweeping.trigger import paused_at
from services.scorer.trail.record import Record
from shared.envelope import parse_envelope
from shared.observability import explained, logger, metrics, process_messages, tracer, utc_now


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_cloudtrail_events(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Fold a batch of CloudTrail events into the ledger; a malformed one goes back alone, the rest is recorded.

    A failure of the ledger fails the whole batch: merging again is harmless.
    """
    settings, now = UsageSettings.load(), utc_now()
    feed = UsageFeed(settings, feed="eventbridge", only_account=settings.account_id, now=now)
    processor = BatchProcessor(event_type=EventType.SQS)

    def record_of(message: SQSRecord) -> Record:
        return record_in(message.body, account_id=settings.account_id, now=now)

    with processor(records=event["Records"], handler=explained(record_of), lambda_context=context):
        outcomes = processor.process()
    feed.add([result for status, result, _ in outcomes if status == "success"])
    feed.record()
    return processor.response()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_trail_logs(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Fold the log files that a batch of notifications tells of into the ledger; what can't be read goes back alone.

    What was read of a file that then failed is recorded too: it is true, and reading it again changes nothing.
    """
    settings = TrailLogSettings.load()
    feed = UsageFeed(settings, feed="trail", only_account=settings.only_account, now=utc_now())
    reader = TrailLogReader(settings, feed, lambda: context.get_remaining_time_in_millis() / 1_000)
    processor = BatchProcessor(event_type=EventType.SQS)
    with processor(records=event["Records"], handler=explained(reader.read_message), lambda_context=context):
        processor.process()
        reader.report()
        feed.record()
    return processor.response()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_score_requests(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Score whoever an IAM change, a Config item change or a request names; publish each score that changed."""
    settings = ScoreSettings.load()
    scorer = Scorer(settings, utc_now(), lambda: context.get_remaining_time_in_millis() / 1_000)

    def score_message(record: SQSRecord) -> None:
        envelope = parse_envelope(record.body, account_id=settings.account_id)
        for changed in changes_of(envelope):
            scorer.rescore(changed, cause=envelope.id)

    return process_messages(event, context, score_message)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@tracer.capture_lambda_handler(capture_response=False)
def handle_sweep(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Score every identity of the account afresh, find what events missed, and score the account."""
    settings = SweepSettings.load()
    sweep = Sweep(
        settings,
        utc_now(),
        lambda: context.get_remaining_time_in_millis() / 1_000,
        request_id=context.aws_request_id,
    )
    return sweep.run(paused_at(event, account_id=settings.account_id))
