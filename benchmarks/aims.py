"""What the engine aims at, and whether a run met it."""

import statistics
from collections.abc import Iterator, Mapping

from benchmarks.figures import lap_medians, rate, ratio, steady_pass
from benchmarks.inputs import Inputs
from benchmarks.rounds import Record, StartRecord
from benchmarks.tables import MIB, OURS, settled

Tasks = Mapping[str, Mapping[str, Record]]
EXPAND_RATIO = 3
REQUESTS_A_SECOND = 300_000
COMPARE_MEDIAN_MS = 0.3
COMPARE_MOST_MS = 50
IMPORT_MS = 60
LOAD_MS = 25
LOAD_MIB = 20


def table(tasks: Tasks, starts: Mapping[str, StartRecord], inputs: Inputs) -> Iterator[str]:
    """A line an aim: what was measured, and whether that meets it."""
    yield "| aim | measured | met |"
    yield "|---|---|---|"
    for aim, measured, met in (
        *_expand(tasks["expand"]),
        *_evaluate(tasks["evaluate"], inputs),
        *_compare(tasks["compare"], inputs),
        *_starts(starts[OURS]),
    ):
        yield f"| {aim} | {measured} | {'yes' if met else '**no**'} |"


def _expand(records: Mapping[str, Record]) -> Iterator[tuple[str, str, bool]]:
    peer = records["policy_sentry"]
    for name in (name for name in records if name.startswith(OURS)):
        if records[name].problem is None and peer.problem is None:
            times = ratio(peer, records[name])
            yield (
                f"expand at {EXPAND_RATIO} × the speed of policy_sentry: {name}",
                f"{times:.1f} ×",
                times >= EXPAND_RATIO,
            )


def _evaluate(records: Mapping[str, Record], inputs: Inputs) -> Iterator[tuple[str, str, bool]]:
    steady = steady_pass(records[OURS]) if records[OURS].problem is None else None
    if steady is not None:
        speed = rate(inputs.extent.requests, steady).median
        yield f"evaluate {REQUESTS_A_SECOND:,} requests/s once compiled", f"{speed:,.0f}", speed >= REQUESTS_A_SECOND


def _compare(records: Mapping[str, Record], inputs: Inputs) -> Iterator[tuple[str, str, bool]]:
    record = records[OURS]
    if record.problem is not None:
        return
    laps = [1000 * lap for lap in lap_medians(record, first=True)]
    median, most = statistics.median(laps), max(laps)
    yield f"compare: median ≤ {COMPARE_MEDIAN_MS} ms, first pass", f"{median:.3f} ms", median <= COMPARE_MEDIAN_MS
    yield f"compare: no pair over {COMPARE_MOST_MS} ms, first pass", f"{most:.1f} ms", most <= COMPARE_MOST_MS
    right, undecided, wrong = settled(record.turns[0].counted["verdicts"], inputs.pairs)
    score = f"{right} right, {undecided} undecided, {wrong} wrong"
    yield "compare: every verdict right that the pair's construction settles", score, not undecided and not wrong


def _starts(record: StartRecord) -> Iterator[tuple[str, str, bool]]:
    if record.problem is not None or record.memory is None:
        return
    importing = 1000 * statistics.median(seconds for seconds, _ in record.seconds)
    loading = 1000 * statistics.median(seconds for _, seconds in record.seconds)
    kept = record.memory[1] / MIB
    yield f"import ≤ {IMPORT_MS} ms", f"{importing:.1f} ms", importing <= IMPORT_MS
    yield f"load the catalogue in ≤ {LOAD_MS} ms", f"{loading:.1f} ms", loading <= LOAD_MS
    yield f"the loaded catalogue keeps ≤ {LOAD_MIB} MiB", f"{kept:.1f} MiB", kept <= LOAD_MIB
