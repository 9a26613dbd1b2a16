"""One contender's turn at one task, in a process of its own.

    python -m benchmarks.worker TASK CONTENDER INPUTS RESULT

A fresh process for each turn: nobody is slowed by the memory of another, and the first pass really is a first one.
Reference cycles are collected before each pass and not looked for during it (as `timeit` does), for all alike.
"""

import gc
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.tasks import TASKS, Pass


def turn(task: str, contender: str, inputs: Path) -> dict[str, Any]:
    """Get ready, one first pass, steady passes within a budget: seconds of every lap, counts of the first answers."""
    given = json.loads(inputs.read_text(encoding="utf-8"))
    ready = TASKS[task](contender, given)
    wall, processor = time.perf_counter(), time.process_time()
    first, answers = _quietly(ready.one_pass, 0)
    counted = ready.count(answers)
    del answers
    steady: list[list[float]] = []
    while len(steady) < given["passes"] and sum(map(sum, steady)) + sum(first) < given["budget_s"]:
        laps, _ = _quietly(ready.one_pass, len(steady) + 1)
        steady.append(laps)
    share = (time.process_time() - processor) / (time.perf_counter() - wall)
    return {"core_share": share, "ready": ready.seconds, "first": first, "steady": steady, "counted": counted}


def _quietly(one_pass: Pass, number: int) -> tuple[list[float], Any]:
    gc.collect()
    gc.disable()
    try:
        return one_pass(number)
    finally:
        gc.enable()


def main() -> None:
    """Run a turn; the result goes to a file, since peers write to the standard output as they like."""
    task, contender, inputs, result = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    Path(result).write_text(json.dumps(turn(task, contender, Path(inputs))), encoding="utf-8")


if __name__ == "__main__":
    main()
