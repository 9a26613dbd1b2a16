"""`python -m benchmarks`: our engine and its peers side by side in one run, written to docs/benchmarks.md."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.inputs import CONTENDERS, FULL, QUICK, make_inputs
from benchmarks.machine import this_machine
from benchmarks.managed import managed_policies
from benchmarks.report import Results, render
from benchmarks.rounds import run_starts, run_task
from benchmarks.startup import ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the report; exit code 1 where a contender did not start."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Time the policy engine beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a smoke run on few inputs, printed instead of written")
    parser.add_argument("--output", type=Path, help="where the report goes (default: docs/benchmarks.md)")
    options = parser.parse_args(arguments)
    inputs = make_inputs(managed_policies(), QUICK if options.quick else FULL)
    results = Results(
        tasks={task: run_task(task, inputs, _say) for task in CONTENDERS},
        starts=run_starts(inputs, _say),
    )
    report = render(results, inputs, this_machine())
    if options.quick and options.output is None:
        sys.stdout.write(report)
    else:
        (options.output or ROOT / "docs" / "benchmarks.md").write_text(report, encoding="utf-8")
    problems = [record.problem for records in results.tasks.values() for record in records.values()]
    problems += [record.problem for record in results.starts.values()]
    return 1 if any(problems) else 0


def _say(progress: str) -> None:
    sys.stderr.write(f"{progress}\n")


if __name__ == "__main__":
    sys.exit(main())
