"""The page of a run, docs/benchmarks-usage.md: the text in template.md, filled with the tables of one run."""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import pinned, this_machine
from benchmarks.usage.runs import Record, Turn

TEMPLATE = Path(__file__).with_name("template.md")
LIBRARIES = ("isal", "msgspec")
OURS, PEER, ONE_JOB, TWO_JOBS = "leastwise", "trailscraper", "--jobs 1", "--jobs 2"
EVENTS_A_SECOND = 150_000
SPEED_UP = 1.8
PEAK_MIB = 150


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a run measured; records by contender, numbers of events by part of the run."""

    events: Mapping[str, int]
    events_per_file: int
    rounds: int
    peer: Mapping[str, Record]
    stages: Mapping[str, Record]
    command: Mapping[str, Record]
    shared: Mapping[str, Record]
    shared_more: Mapping[str, Record]
    handler: Mapping[str, Record]
    more: Mapping[str, Record]

    def records(self) -> Iterator[Record]:
        """Every contender's record."""
        for part in (self.peer, self.stages, self.command, self.shared, self.shared_more, self.handler, self.more):
            yield from part.values()


def render(results: Results) -> str:
    """The whole document, Markdown."""
    machine = this_machine(LIBRARIES)
    return TEMPLATE.read_text(encoding="utf-8").format(
        processor=machine.processor,
        cores=machine.cores,
        system=machine.system,
        python=machine.python,
        peer_version=pinned(PEER, TEMPLATE.with_name("requirements.in")),
        events_per_file=results.events_per_file,
        versions=", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        rounds=results.rounds,
        peer_events=f"{results.events['peer']:,}",
        events=f"{results.events['many']:,}",
        more_events=f"{results.events['more']:,}",
        aims="\n".join(_aims(results)),
        peer="\n".join(_table(results.peer, whole=False)),
        stages="\n".join(_table(results.stages, whole=False)),
        shared="\n".join(_table(results.shared, whole=False)),
        shared_more="\n".join(_table(results.shared_more, whole=False)),
        handler="\n".join(_table(results.handler, whole=False)),
        command="\n".join(_table({**results.command, f"{ONE_JOB}, more events": results.more[ONE_JOB]}, whole=True)),
    )


def _aims(results: Results) -> Iterator[str]:
    yield "| aim | measured | met |"
    yield "|---|---|---|"
    for aim, measured, met in _measured_aims(results):
        yield f"| {aim} | {measured} | {'yes' if met else '**no**'} |"


def _measured_aims(results: Results) -> Iterator[tuple[str, str, bool]]:
    ours, peer = results.peer[OURS], results.peer[PEER]
    if ours.turns and peer.turns:
        times = _seconds(peer, whole=False) / _seconds(ours, whole=False)
        yield f"faster than {PEER} on the same files", f"{times:.0f} ×", times > 1
    library, one, two = results.stages[OURS], results.command[ONE_JOB], results.command[TWO_JOBS]
    if library.turns:
        speed = _speed(library, whole=False)
        yield (
            f"files to the ledger's entries, one core: {EVENTS_A_SECOND:,} events/s",
            f"{speed:,.0f}",
            speed >= EVENTS_A_SECOND,
        )
    if one.turns and two.turns:
        speed = _speed(one, whole=True)
        aim = f"the same as a command, with its start and its output: {EVENTS_A_SECOND:,} events/s"
        yield aim, f"{speed:,.0f}", speed >= EVENTS_A_SECOND
    for events, (alone, both) in (
        (results.events["many"], results.shared.values()),
        (results.events["more"], results.shared_more.values()),
    ):
        if alone.turns and both.turns:
            times = _seconds(alone, whole=False) / _seconds(both, whole=False)
            aim = f"two processes at {SPEED_UP} × the speed of one: {events:,} events"
            yield aim, f"{times:.2f} ×", times >= SPEED_UP
    peaks = [turn.peak_mib for record in (one, two, results.more[ONE_JOB]) for turn in record.turns]
    if peaks:
        yield (
            f"peak memory ≤ {PEAK_MIB} MiB whatever the number of events",
            f"{max(peaks):.0f} MiB",
            max(peaks) <= PEAK_MIB,
        )


def _table(records: Mapping[str, Record], *, whole: bool) -> Iterator[str]:
    yield "| | seconds | events/s | processor seconds | peak memory | answer |"
    yield "|---|---|---|---|---|---|"
    for name, record in records.items():
        if record.turns:
            seconds = [_taken(turn, whole=whole) for turn in record.turns]
            spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"
            processor = statistics.median(turn.processor_s for turn in record.turns)
            peak = max(turn.peak_mib for turn in record.turns)
            counted = ", ".join(f"{count:,} {what}" for what, count in record.turns[0].answer["counted"].items())
            speed = _speed(record, whole=whole)
            yield f"| {name} | {spread} | {speed:,.0f} | {processor:.2f} | {peak:.0f} MiB | {counted or '-'} |"
        else:
            yield f"| {name} | did not run: {record.problem} | | | | |"


def _taken(turn: Turn, *, whole: bool) -> float:
    return turn.wall_s if whole else float(turn.answer["seconds"])


def _seconds(record: Record, *, whole: bool) -> float:
    return statistics.median(_taken(turn, whole=whole) for turn in record.turns)


def _speed(record: Record, *, whole: bool) -> float:
    return int(record.turns[0].answer["records"]) / _seconds(record, whole=whole)
