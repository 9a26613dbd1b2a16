"""The feeds wired to AWS: what one invocation read is folded once, and joined into the ledger at its end."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from services.scorer.feeds.future import AHEAD, dated
from services.scorer.feeds.notifications import NewObject, new_objects
from services.scorer.feeds.selection import LeftOut, why_left_out
from services.scorer.settings import TrailLogSettings, UsageSettings
from services.scorer.trail.reader import read_batches
from services.scorer.trail.record import Record
from services.scorer.usage.evidence import SkipReason
from services.scorer.usage.tally import Tally
from shared.aws import clients
from shared.aws.dynamodb import Table
from shared.aws.known_entries import KnownEntries
from shared.aws.s3 import LogBucket
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DependencyError, InputError, LeastwiseError
from shared.observability import logger, metrics
from shared.reference import load_operations

RESERVED_SECONDS = 60.0  # of an invocation, for the ledger: some 10,000 new entries; a retry goes on from there
MAX_TOLD = 5  # failures that one message's error names
MAX_LOGGED = 20  # unreadable parts of one invocation that are logged one by one; all are counted


@functools.cache
def known_entries() -> KnownEntries:
    """What this process knows to be stored in its one usage table: kept from one invocation to the next."""
    return KnownEntries()


class UsageFeed:
    """Folds the records of one invocation; usage of others than `only_account` is left out (None: nobody's is)."""

    def __init__(self, settings: UsageSettings, *, feed: str, only_account: str | None, now: datetime) -> None:
        self.only_account = only_account
        self._tally = Tally(load_operations(), feed=feed)
        self._now = now
        self._ledger = UsageLedger(
            Table(clients.dynamodb(), settings.usage_table),
            retention_days=settings.retention_days,
            known=known_entries(),
        )

    def add(self, records: Sequence[Record]) -> int:
        """Fold records; gives how many were left out because they claim to come from the future."""
        happened, ahead = dated(records, self._now)
        self._tally.add(happened)
        return ahead

    def record(self) -> None:
        """Join what was folded into the ledger; a failure is the whole invocation's, and merging again is harmless.

        Raises InputError for what can't be stored or joined, after everything else is, but for the coverage of the
        accounts that it concerns.
        """
        folded = self._tally.folded()
        usages = {key: usage for key, usage in folded.usages.items() if self._counts(key.account_id)}
        coverage = {account_id: seen for account_id, seen in folded.coverage.items() if self._counts(account_id)}
        recorded = self._ledger.record(usages, coverage)
        metrics.add_metric("LedgerWrites", MetricUnit.Count, recorded.written)
        metrics.add_metric("RecordsRead", MetricUnit.Count, folded.records)
        if malformed := folded.skipped.get(SkipReason.MALFORMED):
            metrics.add_metric("UnreadableRecords", MetricUnit.Count, malformed)
        logger.info(
            "usage recorded",
            records=folded.records,
            identities=len(usages),
            writes=recorded.written,
            skipped=folded.skipped,
            callers=folded.callers,
        )
        recorded.raise_problems()

    def _counts(self, account_id: str) -> bool:
        return self.only_account in {None, account_id}


class TrailLogReader:
    """Reads the log files that messages tell of into a feed; `seconds_left` is the invocation's time."""

    def __init__(self, settings: TrailLogSettings, feed: UsageFeed, seconds_left: Callable[[], float]) -> None:
        self._settings = settings
        self._feed = feed
        self._seconds_left = seconds_left
        self._bucket = LogBucket(
            clients.s3(), settings.trail_log_bucket, owner_account_id=settings.trail_log_bucket_account_id
        )
        self._left_out: Counter[LeftOut] = Counter()
        self._read = self._bytes = self._unreadable = self._noted = 0

    def read_message(self, message: SQSRecord) -> None:
        """Read every log file that one message tells of.

        Raises, once all that can be read are, what kept one of them from being read: InputError for another bucket or a
        malformed message, DependencyError for a file that is gone, refused or not finished in time.
        """
        failures: list[LeastwiseError] = []
        for one in self._told(message.body):
            try:
                self._read_object(one)
            except LeastwiseError as error:
                failures.append(error)
        if failures:
            raise type(failures[0])("; ".join(map(str, failures[:MAX_TOLD])))

    def report(self) -> None:
        """Count, and say once, what was read, left out and unreadable."""
        metrics.add_metric("TrailLogsRead", MetricUnit.Count, self._read)
        metrics.add_metric("TrailLogBytes", MetricUnit.Bytes, self._bytes)
        metrics.add_metric("UnreadableRecords", MetricUnit.Count, self._unreadable)
        for reason, count in self._left_out.items():
            metrics.add_metric(f"TrailLogsLeftOut{reason.metric}", MetricUnit.Count, count)
        logger.info(
            "log files read",
            files=self._read,
            bytes=self._bytes,
            unreadable=self._unreadable,
            left_out=self._left_out,
        )

    def _told(self, body: str) -> list[NewObject]:
        told = new_objects(body)
        for one in told:
            if one.bucket != self._settings.trail_log_bucket:
                raise InputError(f"object in bucket {one.bucket[:63]!r}, expected {self._settings.trail_log_bucket}")
        return told

    def _read_object(self, one: NewObject) -> None:
        reason = why_left_out(one, only_account=self._feed.only_account)
        if reason:
            self._left_out[reason] += 1
            logger.info("log file left out", key=one.key, reason=reason)
            return
        self._check_time(one, bytes_read=0)
        with self._bucket.open(one.key, one.version_id) as stream:
            for batch in read_batches(stream, one.key):
                if ahead := self._feed.add(batch.records):
                    self._note_unreadable(one, AHEAD, position=None, count=ahead)
                for part in batch.unreadable:
                    self._note_unreadable(one, part.reason, position=part.position)
                self._check_time(one, bytes_read=stream.position)
            self._bytes += stream.size
        self._read += 1

    def _check_time(self, one: NewObject, *, bytes_read: int) -> None:
        """Stop before the runtime does: what was read until here is recorded, and the message comes back."""
        if self._seconds_left() < RESERVED_SECONDS:
            raise DependencyError(
                f"s3://{one.bucket}/{one.key}: not finished within the function's time, {bytes_read} bytes of it read; "
                "a file that is too large for a whole invocation can be read by leastwise backfill"
            )

    def _note_unreadable(self, one: NewObject, reason: str, *, position: int | None, count: int = 1) -> None:
        self._unreadable += count
        if self._noted < MAX_LOGGED:
            self._noted += 1
            logger.warning("unreadable part of a log file", key=one.key, position=position, reason=reason, count=count)
