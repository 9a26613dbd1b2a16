"""`python -m benchmarks.usage`: from trail logs to the ledger, beside its peer, written to docs/benchmarks-usage.md."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.startup import ROOT
from benchmarks.usage.page import Results, render
from benchmarks.usage.runs import as_command, as_handler, in_process, run_in_turn
from benchmarks.usage.trail_logs import write_logs

PEER_EVENTS = 10_000  # what a peer that keeps every record can take
EVENTS = 200_000
MORE_EVENTS = 1_000_000  # to see whether memory grows
EVENTS_PER_FILE = 500
HANDLER_EVENTS = 100_000
QUICK = 20  # of a smoke run: a part of the events


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the page; exit code 1 where a contender did not start."""
    parser = argparse.ArgumentParser(prog="benchmarks.usage", description="Time usage beside its peer.")
    parser.add_argument("--quick", action="store_true", help="a smoke run on few events, printed instead of written")
    options = parser.parse_args(arguments)
    part, rounds = (QUICK, 1) if options.quick else (1, 5)
    with tempfile.TemporaryDirectory() as scratch:
        few, many, more = (
            _logs(Path(scratch, str(events)), events // part) for events in (PEER_EVENTS, EVENTS, MORE_EVENTS)
        )
        results = Results(
            events={"peer": PEER_EVENTS // part, "many": EVENTS // part, "more": MORE_EVENTS // part},
            events_per_file=EVENTS_PER_FILE,
            rounds=rounds,
            peer=run_in_turn({name: in_process(name, few) for name in ("leastwise", "trailscraper")}, rounds),
            stages=run_in_turn({name: in_process(name, many) for name in _STAGES}, rounds),
            command=run_in_turn({f"--jobs {jobs}": as_command(many, jobs) for jobs in (1, 2)}, rounds),
            shared=run_in_turn({name: in_process(name, many) for name in _SHARED}, rounds),
            shared_more=run_in_turn({name: in_process(name, more) for name in _SHARED}, min(rounds, 3)),
            handler=run_in_turn({"batches of 100": as_handler(HANDLER_EVENTS // part)}, min(rounds, 3)),
            more=run_in_turn({"--jobs 1": as_command(more, 1)}, 1),
        )
    page = render(results)
    if options.quick:
        sys.stdout.write(page)
    else:
        (ROOT / "docs" / "benchmarks-usage.md").write_text(page, encoding="utf-8")
    return 1 if any(record.problem for record in results.records()) else 0


_STAGES = ("leastwise", "leastwise, reading alone", "isal + msgspec, decoding alone", "gzip + json, decoding alone")
_SHARED = ("leastwise, 1 process", "leastwise, 2 processes")


def _logs(folder: Path, events: int) -> Path:
    sys.stderr.write(f"usage: writing {events:,} events\n")
    write_logs(folder, events, EVENTS_PER_FILE)
    return folder


if __name__ == "__main__":
    sys.exit(main())
