"""Work in forked processes: every result or one clear error, and never a process left behind."""

import errno
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.reading_trails.jobs import Jobs, Queue, shared_numbers
from shared.errors import DependencyError, InputError

LONG = 60.0  # seconds that no test waits for


def gone(process: int) -> bool:
    """Whether a process ended and was waited for."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def fail(number: int) -> int:
    raise InputError(f"job {number} cannot read its file")


def leave(number: int) -> int:
    os._exit(7)


def be_killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_given_jobs_when_they_end_then_each_gives_its_own_result() -> None:
    with Jobs(lambda number: (number * 10, os.getpid()), [1, 2, 5]) as jobs:
        while jobs.check(0.1):
            pass
        results = jobs.results()
    assert {number: result[0] for number, result in results.items()} == {1: 10, 2: 20, 5: 50}
    processes = {process for _, process in results.values()}
    assert len(processes) == 3
    assert os.getpid() not in processes
    assert all(map(gone, processes))


@pytest.mark.parametrize(
    ("work", "error", "told"),
    [
        (fail, InputError, "job 1 cannot read its file"),
        (leave, DependencyError, "ended before its work was done, with exit code 7"),
        (be_killed, DependencyError, r"killed by signal 9 \(SIGKILL\)"),
    ],
)
def test_given_a_process_that_fails_when_the_others_would_go_on_then_all_are_stopped(
    work: Callable[[int], int], error: type[Exception], told: str
) -> None:
    processes = shared_numbers(2)

    def one_fails(number: int) -> int:
        processes[number] = os.getpid()
        if number == 1:
            return work(number)
        time.sleep(LONG)
        return number

    def wait() -> None:
        with Jobs(one_fails, [0, 1]) as jobs:
            while jobs.check(0.1):
                pass

    started = time.monotonic()
    with pytest.raises(error, match=told):
        wait()
    assert time.monotonic() - started < LONG / 2
    assert all(map(gone, processes))


def test_given_ctrl_c_when_processes_run_then_they_end_with_the_command() -> None:
    processes = shared_numbers(2)

    def work(number: int) -> None:
        processes[number] = os.getpid()
        time.sleep(LONG)

    def interrupt() -> None:
        with Jobs(work, [0, 1]) as jobs:
            while jobs.check(0.01):
                if all(processes):
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert all(map(gone, processes))


def answer_when_the_parent_is_gone(number: int) -> bytes:
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.01)
    return bytes(1_000_000)  # more than a pipe holds


def test_given_a_parent_that_is_killed_when_its_jobs_have_results_then_none_waits_for_somebody_to_read_them() -> None:
    processes = shared_numbers(2)

    def work(number: int) -> bytes:
        processes[number] = os.getpid()
        return answer_when_the_parent_is_gone(number)

    alive, held_by_all = os.pipe()  # at its end when everybody who was forked is gone
    parent = os.fork()
    if parent == 0:
        with Jobs(work, [0, 1]) as jobs:
            while jobs.check(0.1):
                pass
        os._exit(0)
    os.close(held_by_all)
    try:
        while not all(processes):
            time.sleep(0.01)
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        assert select.select([alive], [], [], LONG / 4)[0]
    finally:
        os.close(alive)
        for process in filter(None, processes):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def test_given_a_lock_whose_holder_was_killed_when_the_maker_is_gone_then_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue([1] * 500, 2)
    pieces = queue.taken_by(0)
    next(pieces)
    monkeypatch.setattr(queue, "_lock", LockOfTheDead(monkeypatch))
    assert list(pieces) == []


class LockOfTheDead:
    """Never to be had; while somebody waits for it, the process that made the queue ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def acquire(self, *, timeout: float) -> bool:
        """Not within any time."""
        assert timeout < LONG
        self._monkeypatch.setattr(os, "getpid", lambda: -2)
        self._monkeypatch.setattr(os, "getppid", lambda: 1)
        return False


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("part", ["multiprocessing.synchronize.SemLock", "mmap.mmap"])
def test_given_a_system_without_locks_or_shared_memory_when_a_queue_is_made_then_that_is_said(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{part}.__init__" if part.endswith("SemLock") else part, refuse)
    with pytest.raises(DependencyError, match="cannot share work among processes: Permission denied"):
        Queue([1], 2)


def test_given_a_system_without_room_for_processes_when_started_then_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(DependencyError, match="cannot start another process: Resource temporarily"), Jobs(fail, [1]):
        pass


def test_given_a_queue_when_processes_take_from_it_then_every_piece_is_given_out_once() -> None:
    queue = Queue([1] * 500, 3)
    with Jobs(lambda taker: list(queue.taken_by(taker)), range(3)) as jobs:
        while jobs.check(0.1):
            pass
        taken = [piece for pieces in jobs.results().values() for piece in pieces]
    assert sorted(taken) == list(range(500))


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 5), st.data())
@settings(deadline=None)
def test_given_takers_of_any_speed_when_they_take_pieces_then_every_one_is_given_out_once(
    sizes: list[int], takers: int, data: st.DataObject
) -> None:
    queue = Queue(sizes, takers)
    waiting = {taker: queue.taken_by(taker) for taker in range(takers)}
    taken = []
    while waiting:
        taker = data.draw(st.sampled_from(sorted(waiting)))
        piece = next(waiting[taker], None)
        if piece is None:
            del waiting[taker]
        else:
            taken.append(piece)
    assert sorted(taken) == list(range(len(sizes)))


@pytest.mark.parametrize(
    ("sizes", "takers", "shares"),
    [
        ([1, 1, 1, 1], 2, [[0, 1], [2, 3]]),
        ([1, 1, 1, 100], 2, [[0, 1, 2], [3]]),
        ([100, 1, 1, 1], 2, [[0], [1, 2, 3]]),
        ([0, 0, 0], 2, [[0, 1, 2], []]),
        ([7], 3, [[], [0], []]),
        ([], 2, [[], []]),
    ],
)
def test_given_sizes_when_pieces_are_shared_then_neighbours_stay_together_and_shares_are_even(
    sizes: list[int], takers: int, shares: list[list[int]]
) -> None:
    queue = Queue(sizes, takers)
    asked = [queue.taken_by(taker) for taker in range(takers)]
    assert [[next(pieces) for _ in share] for pieces, share in zip(asked, shares, strict=True)] == shares


def test_given_a_queue_whose_maker_is_gone_when_asked_then_it_gives_out_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue([1] * 500, 2)
    monkeypatch.setattr(os, "getpid", lambda: -2)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert list(queue.taken_by(0)) == []
