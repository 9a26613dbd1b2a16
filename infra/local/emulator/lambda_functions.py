"""Lambda functions act as their execution role, and get batches of the size and at the pace their event source asks."""

import functools
import time
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, sqs

from infra.local.emulator.caller import open_role_session

LOG_WAIT_SECONDS = 0.01
MAX_BATCH_BYTES = 6_000_000
FIFO_BATCH_SIZE = 10
# What a record of a batch has beside its message's body, in JSON.
_RECORD_BYTES = 700


def install() -> None:
    """Replace three functions of ministack that no table leads to.

    `execution_credentials` gives functions the account's own credentials unless permissions are enforced: every call
    would then be seen as the root user's. `_receive_messages_for_esm` never takes more than ten messages and knows no
    batching window. `_drain_stderr_bounded` waits 50 ms for the first line of a log after each invocation, most of
    the time that a warm invocation takes.
    """
    lambda_runtime.execution_credentials = execution_credentials
    sqs._receive_messages_for_esm = receive_batch
    worker = lambda_runtime.Worker
    worker._drain_stderr_bounded = functools.partialmethod(
        worker._drain_stderr_bounded, first_line_wait=LOG_WAIT_SECONDS
    )


def execution_credentials(configuration: dict[str, Any]) -> dict[str, str]:
    """The environment variables with a session of the function's role."""
    account_id, _region = lambda_runtime._account_region_from_function_config(configuration)
    session = open_role_session(configuration.get("Role", ""), configuration["FunctionName"][:64], account_id)
    return {name.upper(): value for name, value in session.items()}


def receive_batch(queue_url: str, batch_size: int) -> list[dict[str, Any]]:
    """Take the next batch for an event source mapping, or nothing while its batching window is still open."""
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        size = min(batch_size, FIFO_BATCH_SIZE) if queue.get("is_fifo") else _fitting(queue, batch_size)
        if size == 0 or not _is_due(queue, batch_size, _batching_window(queue)):
            return []
        visibility_timeout = int(queue["attributes"].get("VisibilityTimeout", "30"))
        batch: list[dict[str, Any]] = sqs._collect_msgs(queue, size, visibility_timeout)
        return batch


def _batching_window(queue: dict[str, Any]) -> float:
    arn = queue["attributes"].get("QueueArn")
    windows = [
        mapping.get("MaximumBatchingWindowInSeconds") or 0
        for mapping in lambda_svc._esms.values()
        if mapping.get("EventSourceArn") == arn
    ]
    return float(min(windows, default=0))


def _visible(queue: dict[str, Any]) -> list[dict[str, Any]]:
    now = time.time()
    return [message for message in queue["messages"] if message["visible_at"] <= now]


def _fitting(queue: dict[str, Any], batch_size: int) -> int:
    """How many of the next messages fit into an invocation's payload, at most `batch_size`."""
    count = total = 0
    for message in _visible(queue)[:batch_size]:
        total += len(message["body"]) + _RECORD_BYTES
        if count and total > MAX_BATCH_BYTES:
            break
        count += 1
    return count


def _is_due(queue: dict[str, Any], batch_size: int, window_seconds: float) -> bool:
    """Whether a batch is full or its first message has waited for the whole window."""
    visible = _visible(queue)
    if not window_seconds or len(visible) >= batch_size:
        return True
    oldest = min((message["visible_at"] for message in visible), default=time.time())
    return bool(oldest + window_seconds <= time.time())
