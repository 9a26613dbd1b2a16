"""The import of each Lambda handler in a fresh interpreter: how long it takes, and whose code takes it."""

import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.scores.runs import OWN_PYTHON
from benchmarks.startup import ROOT, environment
from infra.build.template import functions_of, handler_of, load_template

# As Lambda and the template set them. Without LAMBDA_TASK_ROOT the X-Ray SDK takes the process for a server, and makes
# clients that no function makes.
VARIABLES = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "LAMBDA_TASK_ROOT": str(ROOT),
    "POWERTOOLS_METRICS_NAMESPACE": "leastwise",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
}
LINE = re.compile(r"^import time:\s+(?P<own>\d+) \|\s+\d+ \| *(?P<module>\S+)$", re.MULTILINE)
TIMED = """
from time import perf_counter, process_time
a, b = perf_counter(), process_time()
import {module}
print(perf_counter() - a, process_time() - b)
"""
OURS = frozenset({"services", "shared"})
TOLD = 5


@dataclass(slots=True)
class ColdStart:
    """Seconds of one module's import over the rounds, by the clock and of the processor; milliseconds by whose code."""

    module: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    owners: list[tuple[str, float]] = field(default_factory=list)
    problem: str | None = None

    @property
    def median_ms(self) -> float:
        """Median over the rounds, by the clock."""
        return 1000 * statistics.median(self.seconds)


def handler_modules() -> list[str]:
    """Modules that the template's functions enter, each once."""
    template = load_template()
    return sorted({handler_of(template, name)[0] for name in functions_of(template)})


def run_cold_starts(rounds: int) -> list[ColdStart]:
    """Every handler module's import, in turn, after one round that writes the bytecode and isn't counted."""
    found = [ColdStart(module) for module in handler_modules()]
    for number in range(rounds + 1):
        sys.stderr.write("handlers: " + (f"round {number} of {rounds}\n" if number else "warm-up\n"))
        for one in (one for one in found if one.problem is None):
            _import(one, counted=number > 0)
    for one in (one for one in found if one.problem is None):
        one.owners = _owners_of_turns(one.module, rounds)
    return found


def _import(one: ColdStart, *, counted: bool) -> None:
    done = _python("-c", TIMED.format(module=one.module))
    if done.returncode:
        one.problem = (done.stderr.strip().splitlines() or ["no message"])[-1].replace(f"{ROOT}/", "")
    elif counted:
        seconds, processor = map(float, done.stdout.split())
        one.seconds.append(seconds)
        one.processor.append(processor)


def _owners_of_turns(module: str, rounds: int) -> list[tuple[str, float]]:
    """Medians over the rounds, the most first."""
    turns = [dict(owners(_python("-X", "importtime", "-c", f"import {module}").stderr)) for _ in range(rounds)]
    names = {name for turn in turns for name in turn}
    medians = {name: statistics.median(turn.get(name, 0.0) for turn in turns) for name in names}
    return sorted(medians.items(), key=lambda item: (-item[1], item[0]))[:TOLD]


def owners(report: str) -> Iterator[tuple[str, float]]:
    """What `-X importtime` reports, summed up by distribution: (name, milliseconds of its own modules)."""
    spent: Counter[str] = Counter()
    for line in LINE.finditer(report):
        spent[owner_of(line["module"])] += int(line["own"])
    yield from ((name, microseconds / 1000) for name, microseconds in spent.items())


def owner_of(module: str) -> str:
    """Whose a module is: ours, Python's own, or a package's top name."""
    top = module.partition(".")[0]
    if top in OURS:
        return "leastwise"
    return "Python's library" if top.lstrip("_") in _STANDARD or top in _STANDARD else top.lstrip("_")


_STANDARD = frozenset(sys.stdlib_module_names) | {"site", "sitecustomize"}


def _python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    variables: Mapping[str, str] = {**environment(), **VARIABLES}
    command = [str(OWN_PYTHON), *arguments]
    return subprocess.run(  # noqa: S603 our own interpreter and modules
        command, capture_output=True, text=True, check=False, env=dict(variables), cwd=ROOT
    )
