"""Runs contenders in turn, A B C A B C …, each in a fresh process, and measures time and peak memory from outside."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.startup import ROOT, environment

OWN_PYTHON = ROOT / ".venv" / "bin" / "python"
PEER_PYTHON = ROOT / ".venv-bench-usage" / "bin" / "python"
COMMAND = ROOT / ".venv" / "bin" / "leastwise"
PEERS = frozenset({"trailscraper"})


class Turn(NamedTuple):
    """One process: its whole time, its processor's time and its peak memory, children included, and what it printed."""

    wall_s: float
    processor_s: float
    peak_mib: float
    answer: Mapping[str, Any]


@dataclass(slots=True)
class Record:
    """A contender's turns, or why it could not run."""

    turns: list[Turn] = field(default_factory=list)
    problem: str | None = None


def in_process(contender: str, folder: Path) -> list[str]:
    """The command line of a contender's worker."""
    python = PEER_PYTHON if contender in PEERS else OWN_PYTHON
    return [str(python), "-m", "benchmarks.usage.worker", contender, str(folder)]


def as_command(folder: Path, jobs: int) -> list[str]:
    """The command line of `leastwise usage`, as a user types it."""
    return [str(COMMAND), "usage", "--cloudtrail", str(folder), "--jobs", str(jobs), "--json"]


def as_handler(events: int) -> list[str]:
    """The command line that plays events to the deployed function's handler."""
    return [str(OWN_PYTHON), "-m", "benchmarks.usage.handler", str(events)]


def run_in_turn(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Record]:
    """Every command's turns, after one round that warms the disk's cache and isn't counted."""
    records = {name: Record() for name in commands}
    for number in range(rounds + 1):
        sys.stderr.write(f"usage: round {number} of {rounds}\n" if number else "usage: warm-up\n")
        for name, record in records.items():
            if record.problem is None:
                _take_turn(commands[name], record, counted=number > 0)
    return records


def _take_turn(command: Sequence[str], record: Record, *, counted: bool) -> None:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 our own modules
            command, stdout=output, stderr=errors, env=environment(), cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            lines = errors.read().decode(errors="replace").strip().splitlines()
            record.problem = (lines or ["no message"])[-1].replace(f"{ROOT}/", "")
        elif counted:
            answer = json.loads(output.read())
            processor = usage.ru_utime + usage.ru_stime
            record.turns.append(Turn(wall, processor, usage.ru_maxrss / 1024, _told(answer)))


def _told(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is kept of an answer: the command's own holds every identity."""
    if "identities" not in answer:
        return answer
    entries = sum(len(identity["actions"]) for identity in answer["identities"])
    counted = {"identities": len(answer["identities"]), "ledger entries": entries}
    return {"records": answer["records"], "counted": counted}
