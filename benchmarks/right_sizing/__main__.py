"""`python -m benchmarks.right_sizing`: how good plans are (docs/right-sizing.md) and how long they take.

Both pages are written by the run; `--only` writes one of them, `--quick` prints smoke runs instead.
"""

import argparse
import sys
from collections.abc import Sequence

from benchmarks.right_sizing import quality, speed
from benchmarks.startup import ROOT

ROUNDS = 5
QUALITY, SPEED = "quality", "speed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for and write the pages; exit code 1 where a contender did not run."""
    parser = argparse.ArgumentParser(prog="benchmarks.right_sizing", description="Right-sizing: quality and speed.")
    parser.add_argument("--only", choices=(QUALITY, SPEED), help="one of the two")
    parser.add_argument("--quick", action="store_true", help="a smoke run, printed instead of written")
    options = parser.parse_args(arguments)
    failed = False
    if options.only != SPEED:
        parts = quality.PARTS[:1] if options.quick else quality.PARTS
        _write("right-sizing.md", quality.render(quality.run(parts)), quick=options.quick)
    if options.only != QUALITY:
        rounds = 1 if options.quick else ROUNDS
        records = speed.run(rounds)
        failed = bool(speed.problems(records))
        _write("benchmarks-right-sizing.md", speed.render(records, rounds), quick=options.quick)
    return 1 if failed else 0


def _write(name: str, page: str, *, quick: bool) -> None:
    if quick:
        sys.stdout.write(page)
    else:
        (ROOT / "docs" / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
