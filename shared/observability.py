"""Logger, tracer and metrics of a service, and the batch loop that every queue consumer shares."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.errors import InputError, LeastwiseError

T = TypeVar("T")

logger = Logger()
tracer = Tracer(patch_modules=("botocore",))  # calls of AWS; what an outside provider is told stays out of traces
metrics = Metrics()


def utc_now() -> datetime:
    """Now, time zone aware; the one clock that handlers pass to the pure cores."""
    return datetime.now(UTC)


def process_messages(
    event: dict[str, Any], context: LambdaContext, handle: Callable[[SQSRecord], None]
) -> PartialItemFailureResponse:
    """Run `handle` on each message of an SQS batch; a message that fails goes back alone, with its reason logged.

    A message that can never succeed (InputError) reaches the dead-letter queue after the queue's receive count.
    """
    return process_partial_response(
        event=event,
        record_handler=explained(handle),
        processor=BatchProcessor(event_type=EventType.SQS),
        context=context,
    )


def explained(handle: Callable[[SQSRecord], T]) -> Callable[[SQSRecord], T]:
    """Wrap a message handler so that a failure is logged with its reason, and never with the message's content."""

    def run(record: SQSRecord) -> T:
        try:
            return handle(record)
        except LeastwiseError as error:
            logger.warning(
                "message failed",
                message_id=record.message_id,
                receive_count=record.attributes.approximate_receive_count,
                error=type(error).__name__,
                reason=str(error),
                retry_can_help=not isinstance(error, InputError),
            )
            raise

    return run
