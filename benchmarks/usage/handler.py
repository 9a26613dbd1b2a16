"""The deployed way of events: the real handler on SQS batches of 100, with the ledger's table in memory.

    python -m benchmarks.usage.handler EVENTS

Prints `{"seconds", "ready", "records", "counted"}` as `worker` does. In the time: batch processing, decoding, folding,
joining with what is stored, logging. Not in it: the calls to DynamoDB, and what the Lambda runtime does before.
"""

import io
import json
import os
import sys
import time
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.utilities.typing import LambdaContext

from benchmarks.ledger_writes import CountingTable
from benchmarks.usage.trail_logs import ACCOUNTS, START, World

BATCH = 100
REGION = "us-east-1"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "LEASTWISE_ACCOUNT_ID": ACCOUNTS[0],
    "LEASTWISE_RETENTION_DAYS": "400",
    "LEASTWISE_USAGE_TABLE": "usage",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "leastwise",
    "POWERTOOLS_SERVICE_NAME": "scorer",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


class Context(LambdaContext):
    """What the Lambda runtime says of an invocation."""

    def __init__(self) -> None:
        self._function_name = "usage"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNTS[0]}:function:usage"
        self._aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"


def batches(events: int) -> list[dict[str, Any]]:
    """SQS events as Lambda gives them: each message is EventBridge's envelope around a record, all of one day."""
    world = World(seed=11)
    found = []
    for first in range(0, events, BATCH):
        moment = START + timedelta(seconds=86_000 * first // events)
        records = world.records(ACCOUNTS[0], REGION, moment, BATCH)
        found.append({"Records": [_message(record) for record in records]})
    return found


def _message(record: dict[str, Any]) -> dict[str, Any]:
    envelope = {
        "version": "0",
        "id": record["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": record,
    }
    return {"messageId": record["eventID"], "body": json.dumps(envelope), "eventSource": "aws:sqs", "attributes": {}}


def main() -> None:
    """Play the events and print the figures."""
    began = time.perf_counter()
    os.environ.update(ENVIRONMENT)
    from services.scorer.handler import handle_cloudtrail_events  # noqa: PLC0415 it reads the environment

    table, given = CountingTable(), batches(int(sys.argv[1]))
    # Powertools writes its metrics to the standard output, as Lambda wants them.
    with patch("services.scorer.feeds.edge.Table", lambda *_: table), redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        for batch in given:
            table.begin_round()
            failed = handle_cloudtrail_events(batch, Context())["batchItemFailures"]
            if failed:
                raise SystemExit(f"{len(failed)} messages failed")
        ended = time.perf_counter()
    counted = {"ledger writes": table.counts.writes, "items read": table.counts.items_read}
    answer = {"ready": started - began, "seconds": ended - started, "records": len(given) * BATCH, "counted": counted}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
