"""Work that this process shares with others that it forks: what was loaded before is there in each of them.

A process that ends before its work is done ends the whole, so that nothing is ever missing from the results unnoticed.
"""

import mmap
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import accumulate
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Generic, TypeVar

from shared.errors import DependencyError, LeastwiseError

WORD = 8  # bytes of a number in shared memory
LOCK_SECONDS = 1.0  # between two looks at whether it makes sense to wait for a lock any longer

T = TypeVar("T")


def shared_numbers(count: int) -> memoryview:
    """Numbers from 0 up to 2⁶⁴ - 1, all 0, that this process and those that it forks see alike."""
    with _refusals():
        return memoryview(mmap.mmap(-1, count * WORD)).cast("Q")


@contextmanager
def _refusals() -> Iterator[None]:
    """Say as a DependencyError that the system has nothing to share work with."""
    try:
        yield
    except ImportError as error:  # Python was built where there are no locks
        raise DependencyError(f"cannot share work among processes: {error}") from None
    except OSError as error:
        raise DependencyError(f"cannot share work among processes: {error.strerror or error}") from None


class Queue:
    """Pieces of work, each given out once: to each taker a range of them, in order and of about the same total size.

    Neighbours mostly belong together, so that results of different takers have little in common and are joined quickly.
    Who is done with a range helps with the one that has most left, from its end.
    """

    def __init__(self, sizes: Sequence[int], takers: int) -> None:
        self._takers = takers
        self._first, self._end = shared_numbers(takers), shared_numbers(takers)
        with _refusals():
            self._lock = multiprocessing.get_context("fork").Lock()
        self._owner = os.getpid()
        total = sum(sizes) or 1
        middles = [end - size / 2 for end, size in zip(accumulate(sizes), sizes, strict=True)]
        takers_of = [min(int(takers * middle / total), takers - 1) for middle in middles]
        for taker in range(takers):
            self._first[taker] = sum(one < taker for one in takers_of)
            self._end[taker] = self._first[taker] + takers_of.count(taker)

    def taken_by(self, taker: int) -> Iterator[int]:
        """The pieces that fall to a taker; no more once the process that made the queue is gone."""
        while self._owner in {os.getpid(), os.getppid()}:
            # Who is killed may hold the lock for ever; so nobody waits for it without looking up.
            if not self._lock.acquire(timeout=LOCK_SECONDS):
                continue
            try:
                piece = self._take(taker)
            finally:
                self._lock.release()
            if piece is None:
                return
            yield piece

    def _take(self, taker: int) -> int | None:
        if self._first[taker] < self._end[taker]:
            self._first[taker] += 1
            return self._first[taker] - 1
        busiest = max(range(self._takers), key=lambda one: self._end[one] - self._first[one])
        if self._first[busiest] == self._end[busiest]:
            return None
        self._end[busiest] -= 1
        return self._end[busiest]


class Jobs(AbstractContextManager["Jobs[T]"], Generic[T]):
    """Processes that each do `work(number)` for one of the numbers; they are stopped on the way out."""

    def __init__(self, work: Callable[[int], T], numbers: Sequence[int]) -> None:
        self._work = work
        self._numbers = numbers
        self._running: dict[Connection, tuple[int, ForkProcess]] = {}
        self._results: dict[int, T] = {}

    def __enter__(self) -> "Jobs[T]":
        try:
            for number in self._numbers:
                self._start(number)
        except OSError as error:
            self.stop()
            raise DependencyError(f"cannot start another process: {error.strerror or error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self, wait_seconds: float = 0) -> bool:
        """Take in what was finished; say whether anything is still being worked on.

        Raises the LeastwiseError that ended one of the processes, or DependencyError where one ended without a result.
        """
        ended = wait(list(self._running), wait_seconds)
        for connection in [one for one in self._running if one in ended]:
            self._receive(connection)
        return bool(self._running)

    def results(self) -> dict[int, T]:
        """The results so far, by number."""
        return dict(self._results)

    def stop(self) -> None:
        """End every process at once; they have nothing to clean up."""
        for _, process in self._running.values():
            process.kill()
        for connection, (_, process) in self._running.items():
            process.join()
            connection.close()
        self._running.clear()

    def _start(self, number: int) -> None:
        context = multiprocessing.get_context("fork")
        reader, writer = context.Pipe(duplex=False)
        ends = [reader, *self._running]
        process = context.Process(target=_run, args=(self._work, number, writer, ends), daemon=True)
        process.start()
        # Closed before the next one is forked: only the process itself holds the end by which it is known to live.
        writer.close()
        self._running[reader] = (number, process)

    def _receive(self, connection: Connection) -> None:
        number, process = self._running[connection]
        try:
            result: T | LeastwiseError = connection.recv()
        except EOFError:
            process.join()
            raise DependencyError(f"a process ended before its work was done, {_how(process.exitcode or 0)}") from None
        del self._running[connection]
        process.join()
        connection.close()
        if isinstance(result, LeastwiseError):
            raise result
        self._results[number] = result


def _how(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by signal {-exit_code} ({signal.Signals(-exit_code).name})"
    return f"with exit code {exit_code}"


def _run(work: Callable[[int], T], number: int, results: Connection, ends: Sequence[Connection]) -> None:
    """The whole life of a process; Ctrl-C reaches it, too, but it is the parent that ends it.

    The `ends` from which the parent reads are closed here: writing the result fails then where the parent is gone.
    """
    for end in ends:
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        result: T | LeastwiseError = work(number)
    except LeastwiseError as error:
        result = error
    with suppress(BrokenPipeError):  # the parent is gone, and nobody wants the result
        results.send(result)
    results.close()
