"""How long plans take: the runs, and docs/benchmarks-right-sizing.md: speed_page.txt, filled with them."""

import json
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import quantile
from benchmarks.machine import pinned, this_machine
from benchmarks.right_sizing.holders import BROAD, EXAMPLE_KIND, holders
from benchmarks.right_sizing.worker import AGAIN, FIRST, PEER, PLANNED, Lap
from benchmarks.scores.runs import OWN_PYTHON, PEER_PYTHON, Record, run_in_turn

TEMPLATE = Path(__file__).with_name("speed_page.txt")
PEERS_PINNED = Path(__file__).parents[1] / "requirements.in"
PEER_PACKAGE = "policy-sentry"
LIBRARIES = ("pydantic", "moto")
MEDIAN_MS, P99_MS = 20.0, 150.0
ALL = "all"


def run(rounds: int) -> dict[str, Record]:
    """Every contender's turns."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "used.json")
        used = [(kind, sorted(entry.action for entry in case.usage.entries.values())) for kind, case in holders()]
        inputs.write_text(json.dumps(used), encoding="utf-8")
        pythons = {FIRST: OWN_PYTHON, AGAIN: OWN_PYTHON, PEER: PEER_PYTHON}
        commands = {
            name: [str(python), "-m", "benchmarks.right_sizing.worker", name, str(inputs)]
            for name, python in pythons.items()
        }
        return run_in_turn("plans", commands, rounds)


def problems(records: Mapping[str, Record]) -> list[str]:
    """Why anything could not be measured."""
    return [record.problem for record in records.values() if record.problem]


def render(records: Mapping[str, Record], rounds: int) -> str:
    """The whole document, Markdown."""
    machine = this_machine(LIBRARIES)
    laps = _laps(records[FIRST])
    return TEMPLATE.read_text(encoding="utf-8").format(
        processor=machine.processor,
        cores=machine.cores,
        system=machine.system,
        python=machine.python,
        versions=", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        peer_version=pinned(PEER_PACKAGE, PEERS_PINNED),
        rounds=rounds,
        example=sum(lap.kind == EXAMPLE_KIND for lap in laps),
        broad=", ".join(BROAD[:-1]) + f" and {BROAD[-1]}",
        ready=f"{statistics.median(turn.ready for turn in records[FIRST].turns):.1f}" if laps else "-",
        aims="\n".join(_aims(laps)),
        first="\n".join(_table(records[FIRST])),
        again="\n".join(_table(records[AGAIN])),
        peer="\n".join(_table(records[PEER])),
        outcomes=", ".join(f"{name} {count}" for name, count in Counter(lap.outcome for lap in laps).most_common()),
    )


def _laps(record: Record) -> dict[Lap, float]:
    """Milliseconds of each holder, the median of the rounds."""
    keys = list(record.turns[0].parts) if record.turns else []
    return {Lap.of(key): 1000 * statistics.median(turn.parts[key] for turn in record.turns) for key in keys}


def _aims(laps: Mapping[Lap, float]) -> Iterator[str]:
    yield "| aim | measured | met |"
    yield "|---|---|---|"
    if not laps:
        return
    planned = [taken for lap, taken in laps.items() if lap.outcome == PLANNED]
    for whose, values in (("over all identities", list(laps.values())), ("over those that get a plan", planned)):
        for name, share, most in (("median", 0.5, MEDIAN_MS), ("p99", 0.99, P99_MS)):
            measured = quantile(values, share)
            met = "yes" if measured <= most else "**no**"
            yield f"| derive and prove a plan, {whose}: {name} ≤ {most:g} ms | {measured:.1f} ms | {met} |"


def _table(record: Record) -> Iterator[str]:
    yield "| identities | number | plans | median, ms | p99, ms | most, ms |"
    yield "|---|---|---|---|---|---|"
    if record.problem:
        yield f"| did not run: {record.problem} | | | | | |"
        return
    laps = _laps(record)
    for kind in (EXAMPLE_KIND, *BROAD, ALL):
        own = {lap: taken for lap, taken in laps.items() if kind in {lap.kind, ALL}}
        yield from _row(kind, own)
    yield from _row("all that get a plan", {lap: taken for lap, taken in laps.items() if lap.outcome == PLANNED})


def _row(name: str, laps: Mapping[Lap, float]) -> Iterator[str]:
    values: Sequence[float] = list(laps.values())
    if not values:
        return
    plans = sum(lap.outcome == PLANNED for lap in laps)
    spread = " | ".join(f"{quantile(values, share):.1f}" for share in (0.5, 0.99, 1))
    yield f"| {name} | {len(values)} | {plans} | {spread} |"
