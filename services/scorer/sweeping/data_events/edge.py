"""What the trails record of data events, noted once a sweep: only what they all record can be known to be unused."""

from datetime import datetime, time

from aws_lambda_powertools.metrics import MetricUnit

from services.scorer.settings import SweepSettings
from shared.aws import clients
from shared.aws.cloudtrail import TrailReader
from shared.aws.dynamodb import Table
from shared.aws.usage_ledger import UsageLedger
from shared.errors import LeastwiseError
from shared.iam.data_events import recorded_prefixes
from shared.knowledge import load_data_event_types
from shared.model.usage import TRAIL_FEED, Coverage
from shared.observability import logger, metrics


def note_data_events(settings: SweepSettings, now: datetime) -> None:
    """Note for today which services' data events are all recorded and come in by the log files of the trail's bucket.

    Only on a day on which log files came: a bucket that tells nobody of them brings no data events. Where trails
    can't be read nothing is noted, so that what their data events would show counts as not to be known.
    """
    if not settings.trail_log_bucket:
        return
    midnight = datetime.combine(now, time.min, tzinfo=now.tzinfo)
    try:
        recording = TrailReader(clients.cloudtrail).recording(settings.trail_log_bucket, since=midnight)
    except LeastwiseError as error:
        metrics.add_metric("TrailsUnread", MetricUnit.Count, 1)
        logger.warning("trails could not be read, so no data events count as recorded", error=str(error))
        return
    ledger = UsageLedger(Table(clients.dynamodb(), settings.usage_table))
    prefixes = recorded_prefixes(recording.data_event_types, load_data_event_types())
    today = now.date()
    seen = ledger.read_coverage(settings.account_id, since=midnight).seen.get(today)
    brought = seen is not None and TRAIL_FEED in seen.feeds
    if prefixes and brought:
        ledger.merge_coverage(settings.account_id, Coverage.of([today], data_events=prefixes, reads=False))
    logger.info("trails read", data_events=sorted(prefixes), noted=brought, missing=recording.management_gaps)
