"""`python -m benchmarks.scores`: authorization details to scores, beside the peer: docs/benchmarks-scores.md."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scores.cold_start import run_cold_starts
from benchmarks.scores.page import BY_INVENTORY, BY_PATTERN, OURS, PEER, Results, render
from benchmarks.scores.runs import make_inputs, run_in_turn, work
from benchmarks.startup import ROOT

IDENTITIES = 1_000
GROWTH = (250, 500, 1_000, 2_000)
REACH_IDENTITIES, RESOURCES = 500, 100_000
SINGLE = {
    "an application's role": "ordinary",
    "an application's role, the first of a batch": "ordinary-first",
    "an administrator": "administrator",
    "an administrator, the first of a batch": "administrator-first",
}
ROUNDS = 5
QUICK = 10  # of a smoke run: a part of everything
SMOKE = "**A smoke run on a tenth of everything: no figures to quote.**"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the page; exit code 1 where anything could not be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.scores", description="Time scores beside the peer.")
    parser.add_argument("--quick", action="store_true", help="a smoke run on few identities, printed, not written")
    options = parser.parse_args(arguments)
    part, rounds = (QUICK, 1) if options.quick else (1, ROUNDS)
    with tempfile.TemporaryDirectory() as scratch:
        results = _run(Path(scratch), part, rounds)
    page = render(results)
    if options.quick:
        sys.stdout.write(page.replace("\n\n", f"\n\n{SMOKE}\n\n", 1))
    else:
        (ROOT / "docs" / "benchmarks-scores.md").write_text(page, encoding="utf-8")
    return 1 if results.problems() else 0


def _run(scratch: Path, part: int, rounds: int) -> Results:
    sizes = [size // part for size in GROWTH]
    accounts = {size: make_inputs(scratch / str(size), size) for size in sizes}
    whole = accounts[IDENTITIES // part]
    reach_identities, resources = REACH_IDENTITIES // part, RESOURCES // part
    reach = make_inputs(scratch / "reach", reach_identities, resources)
    growth = run_in_turn("growth", {str(size): work("all", folder) for size, folder in accounts.items()}, rounds)
    return Results(
        identities=IDENTITIES // part,
        reach_identities=reach_identities,
        resources=resources,
        rounds=rounds,
        whole=run_in_turn("an account", {OURS: work("all", whole), PEER: work("cloudsplaining", whole)}, rounds),
        growth={int(size): record for size, record in growth.items()},
        single=run_in_turn("one identity", {kind: work(task, whole) for kind, task in SINGLE.items()}, rounds),
        reach=run_in_turn("reach", {BY_PATTERN: work("all", reach), BY_INVENTORY: work("inventory", reach)}, rounds),
        imports=run_cold_starts(rounds),
    )


if __name__ == "__main__":
    sys.exit(main())
