"""Backfill from S3: a day after the other, its log files read by several threads at once, in bounded memory."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import NamedTuple, TypeAlias

from cli.backfilling.ledger import LedgerWriter
from cli.backfilling.outcome import Outcome
from cli.backfilling.progress import Progress
from services.scorer.feeds.future import AHEAD, dated
from services.scorer.trail.objects import ObjectKind, parse_log_key
from services.scorer.trail.reader import Batch, read_batches
from services.scorer.usage.folded import Folded
from services.scorer.usage.tally import Tally
from shared.aws.s3 import LogBucket, LogKey
from shared.errors import LeastwiseError

FOLDERS_AT_ONCE = 64  # whose keys of one day are held in memory
GIVE_UP_SECONDS = 0.2  # how often a thread that waits to hand over looks whether anybody still wants it


class Failure(NamedTuple):
    """Why an object could not be read, wholly or from some byte on."""

    reason: str


Reading: TypeAlias = tuple[LogKey, Batch | Failure]


class ObjectsBackfill:
    """Reads the folders (each ends where `yyyy/mm/dd/` begins) of a bucket into the ledger."""

    def __init__(
        self,
        bucket: LogBucket,
        folders: Sequence[str],
        *,
        new_tally: Callable[[], Tally],
        threads: int,
        now: datetime,
    ) -> None:
        self._bucket = bucket
        self._folders = folders
        self._new_tally = new_tally
        self._threads = threads
        self._now = now

    def run(self, days: Iterator[date], writer: LedgerWriter, outcome: Outcome, progress: Progress) -> None:
        """Read every day and write it. Days are independent: a run that was stopped can go on with the next one.

        Of a day with an object that could not be read, uses are written and no coverage.
        """
        for day in days:
            failed = len(outcome.failed)
            folded = self._folded(day, outcome, progress)
            writer.write(folded if len(outcome.failed) == failed else replace(folded, coverage={}))
            if not outcome.problems:
                outcome.finished = day
            progress.day_done(day, outcome)

    def _folded(self, day: date, outcome: Outcome, progress: Progress) -> Folded:
        tally = self._new_tally()
        for key, reading in self._readings(day, outcome):
            if isinstance(reading, Failure):
                outcome.note_failed(key.key, reading.reason)
                continue
            happened, ahead = dated(reading.records, self._now)
            if ahead:
                outcome.note_unreadable(key.key, None, AHEAD, count=ahead)
            tally.add(happened)
            progress.working(day, len(reading.records))
            for bad in reading.unreadable:
                outcome.note_unreadable(key.key, bad.position, bad.reason)
        return tally.folded()

    def _readings(self, day: date, outcome: Outcome) -> Iterator[Reading]:
        for keys in self._keys_of(day):
            wanted = []
            for key in keys:
                if (kind := parse_log_key(key.key).kind) is not ObjectKind.LOG:
                    outcome.skipped[f"{kind}_file"] += 1
                    continue
                wanted.append(key)
                outcome.objects += 1
                outcome.bytes += key.size
            yield from read_objects(self._bucket, wanted, threads=self._threads)

    def _keys_of(self, day: date) -> Iterator[list[LogKey]]:
        """Keys of one day: as many at a time as some folders have."""
        folders = iter(self._folders)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="list") as pool:
            while some := list(islice(folders, FOLDERS_AT_ONCE)):
                listed = pool.map(lambda folder: list(self._bucket.log_keys(folder, since=day, until=day)), some)
                yield [key for keys in listed for key in keys]


def read_objects(bucket: LogBucket, keys: Sequence[LogKey], *, threads: int) -> Iterator[Reading]:
    """Read objects at the same time; their batches come in no order, each object's own in theirs.

    At most a few batches wait: a thread that can't hand over stops reading. An object that fails is a Failure, after
    the batches that came before. Once the iterator is closed, by an error or Ctrl-C, the threads end.
    """
    waiting: queue.SimpleQueue[LogKey] = queue.SimpleQueue()
    for key in keys:
        waiting.put(key)
    read: queue.Queue[Reading | None] = queue.Queue(threads)
    unwanted = threading.Event()
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        workers = [pool.submit(_work, bucket, waiting, read, unwanted) for _ in range(min(threads, len(keys)))]
        try:
            for _ in workers:
                yield from iter(read.get, None)
        finally:
            unwanted.set()
        for worker in workers:
            worker.result()


def _work(
    bucket: LogBucket,
    waiting: "queue.SimpleQueue[LogKey]",
    read: "queue.Queue[Reading | None]",
    unwanted: threading.Event,
) -> None:
    """Read one object after the other until none is left; None says that this thread is done."""
    try:
        while True:
            key = waiting.get_nowait()
            for reading in _readings_of(bucket, key):
                if not _hand_over((key, reading), read, unwanted):
                    return
    except queue.Empty:
        return
    finally:
        _hand_over(None, read, unwanted)


def _readings_of(bucket: LogBucket, key: LogKey) -> Iterator[Batch | Failure]:
    try:
        with bucket.open(key.key) as stream:
            yield from read_batches(stream, key.key)
    except LeastwiseError as error:
        yield Failure(str(error))


def _hand_over(reading: Reading | None, read: "queue.Queue[Reading | None]", unwanted: threading.Event) -> bool:
    """Wait until there is room; False where nobody wants readings any more."""
    while not unwanted.is_set():
        try:
            read.put(reading, timeout=GIVE_UP_SECONDS)
        except queue.Full:
            continue
        return True
    return False
