"""The page of a run, docs/benchmarks-scores.md: the text in template.md, filled with the tables of one run."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import figure, quantile
from benchmarks.machine import pinned, this_machine
from benchmarks.scores.cold_start import ColdStart
from benchmarks.scores.runs import Record
from benchmarks.scores.worker import REPETITIONS

TEMPLATE = Path(__file__).with_name("template.md")
PEERS_PINNED = Path(__file__).parents[1] / "requirements.in"
LIBRARIES = ("pydantic", "boto3", "aws-lambda-powertools")
OURS, PEER = "leastwise", "cloudsplaining"
BY_PATTERN, BY_INVENTORY = "by pattern", "by inventory"

ACCOUNT_S = 2.0
GROWTH = 1.25
SINGLE_MS = 5.0
REACH_S = 5.0
IMPORT_MS = 500


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a run measured: `growth` by number of identities, `single` by kind of identity."""

    identities: int
    reach_identities: int
    resources: int
    rounds: int
    whole: Mapping[str, Record]
    growth: Mapping[int, Record]
    single: Mapping[str, Record]
    reach: Mapping[str, Record]
    imports: Sequence[ColdStart]

    def problems(self) -> list[str]:
        """Why anything could not be measured."""
        records = [*self.whole.values(), *self.growth.values(), *self.single.values(), *self.reach.values()]
        problems = [*(record.problem for record in records), *(one.problem for one in self.imports)]
        return [problem for problem in problems if problem]


def render(results: Results) -> str:
    """The whole document, Markdown."""
    machine = this_machine(LIBRARIES)
    return TEMPLATE.read_text(encoding="utf-8").format(
        processor=machine.processor,
        cores=machine.cores,
        system=machine.system,
        python=machine.python,
        versions=", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        peer_version=pinned(PEER, PEERS_PINNED),
        rounds=results.rounds,
        identities=f"{results.identities:,}",
        reach_identities=f"{results.reach_identities:,}",
        resources=f"{results.resources:,}",
        repetitions=REPETITIONS,
        aims="\n".join(_aims(results)),
        whole="\n".join(_whole(results.whole)),
        parts="\n".join(_parts(results.whole[OURS])),
        growth="\n".join(_growth(results.growth)),
        single="\n".join(_single(results.single)),
        reach="\n".join(_whole(results.reach)),
        imports="\n".join(_imports(results.imports)),
    )


def _aims(results: Results) -> Iterator[str]:
    yield _row("aim", "measured", "met")
    yield "|---|---|---|"
    for aim, measured, met in _measured_aims(results):
        yield _row(aim, measured, "yes" if met else "**no**")


def _measured_aims(results: Results) -> Iterator[tuple[str, str, bool]]:
    ours = results.whole[OURS]
    if ours.turns:
        seconds = _seconds(ours)
        yield (
            f"{results.identities:,} identities in ≤ {ACCOUNT_S:g} s, one core",
            f"{seconds:.2f} s",
            seconds <= ACCOUNT_S,
        )
    sizes = [size for size, record in results.growth.items() if record.turns]
    if len(sizes) > 1:
        few, many = (_seconds(results.growth[size]) / size for size in (min(sizes), max(sizes)))
        aim = f"linear: an identity of {max(sizes):,} costs at most {GROWTH:g} × one of {min(sizes):,}"
        yield aim, f"{many / few:.2f} ×", many / few <= GROWTH
    for kind, record in results.single.items():
        if record.turns:
            median = 1000 * statistics.median(_laps(record))
            yield f"score {kind} again: ≤ {SINGLE_MS:g} ms, median", f"{median:.2f} ms", median <= SINGLE_MS
    reach = results.reach[BY_INVENTORY]
    if reach.turns:
        seconds = _seconds(reach)
        aim = f"{results.resources:,} resources × {results.reach_identities:,} identities in ≤ {REACH_S:g} s"
        yield aim, f"{seconds:.2f} s", seconds <= REACH_S
    for one in results.imports:
        if one.seconds:
            yield f"import `{one.module}` in ≤ {IMPORT_MS} ms", f"{one.median_ms:.0f} ms", one.median_ms <= IMPORT_MS


def _whole(records: Mapping[str, Record]) -> Iterator[str]:
    yield _row("", "seconds", "identities/s", "processor seconds", "ready, s", "peak memory", "answer")
    yield "|" + "---|" * 7
    for name, record in records.items():
        if record.turns:
            first = record.turns[0].counted
            yield _row(
                name,
                _spread([turn.seconds for turn in record.turns]),
                f"{first['identities'] / _seconds(record):,.0f}",
                f"{statistics.median(turn.processor for turn in record.turns):.2f}",
                f"{statistics.median(turn.ready for turn in record.turns):.2f}",
                f"{max(turn.peak_mib for turn in record.turns):.0f} MiB",
                ", ".join(f"{what} {_number(count)}" for what, count in first.items()),
            )
        else:
            yield _row(name, f"did not run: {record.problem}", "", "", "", "", "")


def _parts(record: Record) -> Iterator[str]:
    yield _row("part", "seconds")
    yield "|---|---|"
    if record.turns:
        for name in record.turns[0].parts:
            yield _row(name, _spread([turn.parts[name] for turn in record.turns]))


def _growth(records: Mapping[int, Record]) -> Iterator[str]:
    yield _row("identities", "seconds", "ms an identity", "peak memory")
    yield "|---|---|---|---|"
    for size, record in records.items():
        if record.turns:
            peak = max(turn.peak_mib for turn in record.turns)
            taken = _spread([turn.seconds for turn in record.turns])
            yield _row(f"{size:,}", taken, f"{1000 * _seconds(record) / size:.2f}", f"{peak:.0f} MiB")
        else:
            yield _row(f"{size:,}", f"did not run: {record.problem}", "", "")


def _single(records: Mapping[str, Record]) -> Iterator[str]:
    yield _row("identity", "PCI", "median, ms", "p95, ms", "most, ms")
    yield "|---|---|---|---|---|"
    for kind, record in records.items():
        if record.turns:
            laps = _laps(record)
            spread = [f"{1000 * quantile(laps, share):.2f}" for share in (0.5, 0.95, 1)]
            yield _row(kind, f"{record.turns[0].counted['PCI']:.1f}", *spread)
        else:
            yield _row(kind, f"did not run: {record.problem}", "", "", "")


def _imports(found: Sequence[ColdStart]) -> Iterator[str]:
    yield _row("module", "ms", "processor, ms", "whose code, ms")
    yield "|---|---|---|---|"
    for one in found:
        if one.seconds:
            milliseconds = figure([1000 * seconds for seconds in one.seconds])
            owners = ", ".join(f"{name} {spent:.0f}" for name, spent in one.owners)
            taken = f"{milliseconds.median:.0f} ({milliseconds.least:.0f}-{milliseconds.most:.0f})"
            yield _row(f"`{one.module}`", taken, f"{1000 * statistics.median(one.processor):.0f}", owners)
        else:
            yield _row(f"`{one.module}`", f"did not run: {one.problem}", "", "")


def _laps(record: Record) -> list[float]:
    return [lap for turn in record.turns for lap in turn.laps]


def _seconds(record: Record) -> float:
    return statistics.median(turn.seconds for turn in record.turns)


def _spread(seconds: Sequence[float]) -> str:
    found = figure(seconds)
    return f"{found.median:.2f} ({found.least:.2f}-{found.most:.2f})"


def _number(count: float) -> str:
    return f"{count:,}" if isinstance(count, int) else f"{count:,.1f}"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
