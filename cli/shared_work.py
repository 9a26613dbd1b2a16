"""The same work for each of many items, in this process or in several that share them, with the same result."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from cli.progress import progress
from cli.reading_trails.jobs import Jobs, Queue, shared_numbers

TICK_SECONDS = 0.1
WORTH_A_PROCESS = 8  # items

T = TypeVar("T")
R = TypeVar("R")


def work_on_all(items: Sequence[T], work: Callable[[T], R], *, jobs: int, what: str, many: int) -> list[R]:
    """What `work` makes of each item, in their order; `what` names it in the bar that shows where there are `many`.

    Up to `jobs` processes share the items, one where the system can't fork. Raises what `work` raises, and
    DependencyError for a process that ended too early.
    """
    jobs = min(jobs, len(items) // WORTH_A_PROCESS) if hasattr(os, "fork") else 1
    if jobs <= 1:
        return [work(item) for item in progress(items, what, many=many)]
    queue, done = Queue([1] * len(items), jobs), shared_numbers(jobs)

    def share(number: int) -> list[tuple[int, R]]:
        made = []
        for place in queue.taken_by(number):
            made.append((place, work(items[place])))
            done[number] += 1
        return made

    with Jobs(share, range(jobs)) as running:
        for count, _ in enumerate(progress(items, what, many=many), 1):  # begins a thread, so only once all are forked
            while sum(done) < count and running.check(TICK_SECONDS):
                pass
        while running.check(TICK_SECONDS):
            pass
        found = dict(pair for made in running.results().values() for pair in made)
    return [found[place] for place in range(len(items))]
