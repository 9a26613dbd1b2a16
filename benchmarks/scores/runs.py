"""Runs pieces of work in turn, A B C A B C …, each in a fresh process."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.startup import ROOT, environment

OWN_PYTHON = ROOT / ".venv" / "bin" / "python"
PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PEERS = frozenset({"cloudsplaining"})


class Turn(NamedTuple):
    """One process's answer, as `worker` describes it."""

    ready: float
    seconds: float
    processor: float
    peak_mib: float
    counted: Mapping[str, float]
    laps: Sequence[float]
    parts: Mapping[str, float]


@dataclass(slots=True)
class Record:
    """The turns of a piece of work, or why it could not run."""

    turns: list[Turn] = field(default_factory=list)
    problem: str | None = None


def work(task: str, folder: Path) -> list[str]:
    """The command line of one task's worker."""
    python = PEER_PYTHON if task in PEERS else OWN_PYTHON
    return [str(python), "-m", "benchmarks.scores.worker", task, str(folder)]


def make_inputs(folder: Path, identities: int, resources: int = 0) -> Path:
    """Have the inputs of an account written into a folder that doesn't exist yet."""
    command = [str(OWN_PYTHON), "-m", "benchmarks.scores.inputs", str(folder), str(identities), str(resources)]
    subprocess.run(command, check=True, env=environment(), cwd=ROOT)  # noqa: S603 our own module
    return folder


def run_in_turn(what: str, commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Record]:
    """Every command's turns, after one round that warms the disk's cache and isn't counted."""
    records = {name: Record() for name in commands}
    for number in range(rounds + 1):
        sys.stderr.write(f"{what}: " + (f"round {number} of {rounds}\n" if number else "warm-up\n"))
        for name, record in records.items():
            if record.problem is None:
                _take_turn(commands[name], record, counted=number > 0)
    return records


def _take_turn(command: Sequence[str], record: Record, *, counted: bool) -> None:
    done = subprocess.run(  # noqa: S603 our own modules
        command, capture_output=True, text=True, check=False, env=environment(), cwd=ROOT
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        record.problem = (lines or ["no message"])[-1].replace(f"{ROOT}/", "")
    elif counted:
        # The peer prints notes of its own before.
        record.turns.append(Turn(**json.loads(done.stdout.splitlines()[-1])))
