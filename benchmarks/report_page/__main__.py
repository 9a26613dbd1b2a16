"""`python -m benchmarks.report_page`: what report.html weighs and how fast it opens: docs/benchmarks-report.md."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report_page.page import render_page
from benchmarks.report_page.runs import measure, version
from benchmarks.startup import ROOT
from tests.unit.report_samples import sample_report

SIZES = (14, 200, 2_000)
ACTIONS = 60  # that a plan keeps beyond the first few: each is a line of a diff and of a document
ROUNDS = 7
SMOKE = "**A smoke run on a tenth of everything: no figures to quote.**"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.report_page", description="Time the report in Chromium.")
    parser.add_argument("--quick", action="store_true", help="a smoke run on few identities, printed, not written")
    options = parser.parse_args(arguments)
    sizes, rounds = ([max(1, size // 10) for size in SIZES], 1) if options.quick else (SIZES, ROUNDS)
    with tempfile.TemporaryDirectory() as scratch:
        measured = [measure(sample_report(size, actions=ACTIONS), Path(scratch), rounds) for size in sizes]
    page = render_page(measured, rounds=rounds, browser=version())
    if options.quick:
        sys.stdout.write(page.replace("\n\n", f"\n\n{SMOKE}\n\n", 1))
    else:
        (ROOT / "docs" / "benchmarks-report.md").write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
