"""The report of a run, docs/benchmarks.md: the page in template.md, filled with the tables of one run."""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import aims, tables
from benchmarks.inputs import Inputs
from benchmarks.machine import Machine
from benchmarks.rounds import Record, StartRecord

TEMPLATE = Path(__file__).with_name("template.md")


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a run measured: task → contender → its turns, and contender → its starts."""

    tasks: Mapping[str, Mapping[str, Record]]
    starts: Mapping[str, StartRecord]


def render(results: Results, inputs: Inputs, machine: Machine) -> str:
    """The whole document, Markdown."""
    extent, tasks = inputs.extent, results.tasks
    return TEMPLATE.read_text(encoding="utf-8").format(
        processor=machine.processor,
        cores=machine.cores,
        system=machine.system,
        python=machine.python,
        versions=", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        core_share=statistics.median(_core_shares(results)),
        rounds=extent.rounds,
        passes=extent.passes,
        budget_s=extent.budget_s,
        documents=len(inputs.documents),
        requests=extent.requests,
        slow_requests=extent.slow_requests,
        pairs=len(inputs.pairs),
        starts=extent.starts,
        aims="\n".join(aims.table(tasks, results.starts, inputs)),
        expand="\n".join(tables.expand(tasks["expand"], inputs)),
        evaluate="\n".join(tables.evaluate(tasks["evaluate"], inputs)),
        compare="\n".join(tables.compare(tasks["compare"], inputs)),
        named_pairs="\n".join(tables.named_pairs(tasks["compare"], inputs)),
        starts_table="\n".join(tables.starts(results.starts)),
    )


def _core_shares(results: Results) -> Iterator[float]:
    for records in results.tasks.values():
        yield from (turn.core_share for record in records.values() for turn in record.turns)
