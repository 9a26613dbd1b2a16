"""Runs the contenders in turn, A B C A B C …, each turn in a fresh process, so that a drift of the machine hits all."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders.load import STARTS
from benchmarks.inputs import CONTENDERS, SLOW, Inputs
from benchmarks.startup import ROOT, environment, timed, traced

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Turn:
    """One process: seconds to get ready, seconds of each lap of the first pass and of later ones, counts of answers.

    `core_share` is the part of the time that the process really ran: what is missing from 1, others had.
    """

    core_share: float
    ready: float
    first: Sequence[float]
    steady: Sequence[Sequence[float]]
    counted: Mapping[str, Any]


@dataclass(slots=True)
class Record:
    """A contender's counted turns at a task, or why it could not start."""

    turns: list[Turn] = field(default_factory=list)
    problem: str | None = None


@dataclass(slots=True)
class StartRecord:
    """A contender's starts: seconds of import and of load; bytes kept in all, kept by the load, and the load's peak."""

    seconds: list[tuple[float, float]] = field(default_factory=list)
    memory: tuple[float, float, float] | None = None
    problem: str | None = None


def run_task(task: str, inputs: Inputs, say: Say) -> dict[str, Record]:
    """Every contender's turns at one task, after one round that isn't counted."""
    records = {contender: Record() for contender in CONTENDERS[task]}
    with tempfile.TemporaryDirectory() as folder:
        files = {contender: Path(folder, f"inputs-{place}.json") for place, contender in enumerate(records)}
        for contender, file in files.items():
            file.write_text(json.dumps(inputs.for_turn(task, contender)), encoding="utf-8")
        for number in range(inputs.extent.rounds + 1):
            say(f"{task}: " + (f"round {number} of {inputs.extent.rounds}" if number else "warm-up"))
            for contender, record in records.items():
                if record.problem is None and (number == 1 or contender not in SLOW[task]):
                    _take_turn(task, contender, files[contender], record, counted=number > 0)
    return records


def _take_turn(task: str, contender: str, inputs: Path, record: Record, *, counted: bool) -> None:
    result = inputs.with_suffix(".result")
    command = [sys.executable, "-m", "benchmarks.worker", task, contender, str(inputs), str(result)]
    done = subprocess.run(  # noqa: S603 our own module
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, env=environment(), cwd=ROOT
    )
    if done.returncode:
        record.problem = _last_line(done.stderr)
    elif counted:
        record.turns.append(Turn(**json.loads(result.read_text(encoding="utf-8"))))


def run_starts(inputs: Inputs, say: Say) -> dict[str, StartRecord]:
    """Every contender's import and load, after one round that isn't counted."""
    records = {contender: StartRecord() for contender in STARTS}
    for number in range(inputs.extent.starts + 1):
        say("import and load: " + (f"round {number} of {inputs.extent.starts}" if number else "warm-up"))
        for contender, record in records.items():
            if record.problem is None:
                _start(contender, record, counted=number > 0)
    return records


def _start(contender: str, record: StartRecord, *, counted: bool) -> None:
    try:
        if not counted:
            record.memory = traced(STARTS[contender])
        else:
            record.seconds.append(timed(STARTS[contender]))
    except subprocess.CalledProcessError as error:
        record.problem = _last_line(error.stderr)


def _last_line(errors: str) -> str:
    """What a process died of, without the place of this checkout."""
    return (errors.strip().splitlines() or ["no message"])[-1].replace(f"{ROOT}/", "")
