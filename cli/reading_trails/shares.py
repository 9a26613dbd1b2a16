"""Reads all files of a command, in one process or in several that share them, with the same result."""

import os
from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence
from contextlib import ExitStack
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from cli.garbage import rare_garbage
from cli.inputs import STANDARD_INPUT
from cli.reading_trails.event_ids import EventIds, count_duplicates
from cli.reading_trails.files import TrailFile
from cli.reading_trails.progress import Show, reading_bar
from cli.reading_trails.reading import Reading, Sum, Unread, Window
from services.scorer.usage.folded import Folded
from shared.iam.operations import OperationMap

TICK_SECONDS = 0.1


class Totals(NamedTuple):
    """Everything that was read: `records` counts all records, `outside` those not of the time that is asked about.

    `later` is when the first record after that time is of, by account.
    """

    folded: Folded
    records: int
    duplicates: int
    outside: int
    unread: Unread
    later: Mapping[str, datetime]


class Meter:
    """How many bytes, files and records a process has read."""

    def __init__(self, numbers: MutableSequence[int] | memoryview) -> None:
        self.numbers = numbers

    def advance(self, read_bytes: int, records: int) -> None:
        """Count a batch."""
        self.numbers[0] += read_bytes
        self.numbers[2] += records

    def finish_file(self) -> None:
        """Count a file."""
        self.numbers[1] += 1


def read_all(files: Sequence[TrailFile], jobs: int, operations: OperationMap, window: Window) -> Totals:
    """Add up the records of all files in up to `jobs` processes, in one where the system can't fork.

    Raises InputError for a file that can't be read, DependencyError for a process that ended too early.
    """
    jobs = max(1, min(jobs, len(files))) if hasattr(os, "fork") else 1
    with ExitStack() as stack:
        stack.enter_context(rare_garbage())
        shares = [Reading(operations, window, stack.enter_context(EventIds())) for _ in range(jobs)]
        show = stack.enter_context(reading_bar(sum(file.size for file in files), len(files)))
        if jobs == 1:
            meter = Meter([0, 0, 0])
            _read_each(files, shares[0], meter, lambda: show(*meter.numbers))
        else:
            _read_shared(files, shares, show)
        total = shares[0]
        duplicates = count_duplicates([share.ids for share in shares])
        return Totals(total.tally.folded(), total.records, duplicates, total.outside, total.unread, total.later)


def _read_shared(files: Sequence[TrailFile], shares: Sequence[Reading], show: Show) -> None:
    """Read the files, each share of them in a process, and leave all but the ids in the first share.

    That is this process's own, and standard input is, too: a forked one has none.
    """
    from cli.reading_trails.jobs import Jobs, Queue, shared_numbers  # noqa: PLC0415 a single process needs none of it

    own = [file for file in files if file.path == STANDARD_INPUT]
    shared = [file for file in files if file.path != STANDARD_INPUT]
    queue = Queue([file.size for file in shared], len(shares))
    meters = [Meter(shared_numbers(3)) for _ in shares]

    def read_share(number: int, tick: Callable[[], object]) -> None:
        _read_each((shared[place] for place in queue.taken_by(number)), shares[number], meters[number], tick)

    def work(number: int) -> Sum:
        read_share(number, lambda: None)
        return shares[number].summed()

    for share in shares[1:]:
        share.ids.open()
    with Jobs(work, range(1, len(shares))) as jobs:

        def tick() -> None:
            jobs.check()
            show(*map(sum, zip(*(meter.numbers for meter in meters), strict=True)))

        _read_each(own, shares[0], meters[0], tick)
        read_share(0, tick)
        while jobs.check(TICK_SECONDS):
            tick()
        tick()
        for number, sum_ in jobs.results().items():
            shares[0].join(sum_)
            shares[number].ids.places = sum_.id_places


def _read_each(files: Iterable[TrailFile], reading: Reading, meter: Meter, tick: Callable[[], object]) -> None:
    """Read files one after the other; `tick` is called about every TICK_SECONDS."""
    last = monotonic()

    def advance(read_bytes: int, records: int) -> None:
        nonlocal last
        meter.advance(read_bytes, records)
        if (now := monotonic()) - last >= TICK_SECONDS:
            last = now
            tick()

    for file in files:
        reading.read(file, advance)
        meter.finish_file()
