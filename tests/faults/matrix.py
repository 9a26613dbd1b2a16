"""Every run there is, and the part of them that the tests make: shapes x strategies x programs x calls x kinds.

The whole takes a while (`python -m tests.faults --all`). The tests take, of the plainest shape, every run whose fault
falls on a call that writes; and of all others every 41st, spread over calls and kinds. Which ones these are does not
change from day to day.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fake_aws.wire import Call
from tests.faults.kinds import ALL_KINDS, CRASHES, Kind
from tests.faults.runs import APPLY, CRASH_AND_TAKE_BACK, PROGRAMS, RESTORE, TAKE_BACK, Laboratory, Program
from tests.faults.shapes import ALL_SHAPES, Shape

STRATEGIES = ("boundary", "replace")
SPARSE = 41  # of the runs outside the core every n-th is made; a prime, so that it falls on each kind and each call


class Cell(NamedTuple):
    """One shape under one strategy in one program."""

    strategy: str
    shape: Shape
    program: Program

    def __str__(self) -> str:
        """For people, and for pytest."""
        return f"{self.strategy}-{self.shape.name}-{self.program.name}"


@dataclass
class Figures:
    """What was done and found."""

    runs: int = 0
    struck: int = 0
    calls: int = 0
    seconds: float = 0.0
    checks: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    races: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        """Sum up."""
        self.runs += other.runs
        self.struck += other.struck
        self.calls += other.calls
        self.seconds += other.seconds
        self.checks += other.checks
        self.kinds += other.kinds
        self.races += other.races
        self.violations += other.violations

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.runs:,} runs, {self.struck:,} faults met, {self.calls:,} calls, {self.checks.total():,} checks, "
            f"{sum(self.races.values()):,} unseen moments, {len(self.violations):,} violations, "
            f"{self.seconds:.0f} CPU seconds"
        )


def cells() -> Iterator[Cell]:
    """All of them; what is refused has nothing to take back."""
    for strategy in STRATEGIES:
        for shape in ALL_SHAPES:
            for program in PROGRAMS.values():
                if program in {RESTORE, CRASH_AND_TAKE_BACK} and shape.has_former:
                    continue  # what is wanted back there, the plan before may have taken
                if program is APPLY or strategy in shape.strategies:
                    yield Cell(strategy, shape, program)


def faults(cell: Cell, calls: list[Call], *, every: bool) -> Iterator[tuple[int, Kind]]:
    """The calls and kinds to be run: all of them, or those that the tests make."""
    for at, call in enumerate(calls):
        for place, kind in enumerate(ALL_KINDS):
            if not kind.applies(call) or (cell.program is CRASH_AND_TAKE_BACK and kind.name not in CRASHES):
                continue
            core = cell.shape.name == "inline" and (call.changes_iam or call.operation == "put_item")
            if every or core or (at * 7 + place) % (SPARSE * cell.shape.sparse) == 0:
                yield at, kind


def run_cell(laboratory: Laboratory, cell: Cell, *, every: bool = False) -> Figures:
    """Make a cell's runs."""
    started, figures = time.process_time(), Figures()
    calls, honest = laboratory.trace(cell.shape, cell.strategy, cell.program)
    figures.violations += [f"{cell} without a fault: {one}" for one in honest.violations]
    if cell.program is TAKE_BACK and not calls:
        figures.violations.append(f"{cell}: there was nothing to take back")
    for at, kind in faults(cell, calls, every=every):
        run = laboratory.run(cell.shape, cell.strategy, cell.program, kind, at)
        figures.runs += 1
        figures.struck += bool(run.struck)
        figures.calls += len(run.world.cloud.wire.calls)
        figures.checks += run.watcher.checks
        figures.kinds[kind.name] += 1
        figures.races.update(run.watcher.races)
        where = f"{cell} {kind.name} at call {at} ({calls[at].operation})"
        figures.violations += [f"{where}: {one}" for one in run.violations]
    figures.seconds = time.process_time() - started
    return figures
