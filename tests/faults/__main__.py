"""Make the runs and print what came of them: `python -m tests.faults [--all] [--write]`."""

import argparse
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.matrix import Figures, cells, run_cell
from tests.faults.runs import Laboratory
from tests.faults.stack import plugged

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BETWEEN = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def main() -> int:
    """Make the runs; 1 where an invariant was violated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every run there is, instead of those of the tests")
    parser.add_argument("--write", action="store_true", help=f"write the figures into {PAGE.name}")
    options = parser.parse_args()
    names = [str(cell) for cell in cells()]
    total = Figures()
    rows = []
    with ProcessPoolExecutor() as pool:
        for name, figures in zip(names, pool.map(_run, names, [options.all] * len(names)), strict=True):
            print(f"{name}: {figures}", file=sys.stderr)  # noqa: T201 a command speaks
            total.add(figures)
            rows.append(f"| {name} | {figures.runs:,} | {figures.checks.total():,} | {len(figures.violations)} |")
    print(f"{total}\n", *total.violations[:50], sep="\n")  # noqa: T201 a command speaks
    if options.write:
        heads = ("| runs of | runs | checks | violations |", "|---|---:|---:|---:|")
        table = [*heads, *rows]
        text = "\n".join([f"{total}.", "", *table, ""])
        page = BETWEEN.sub(lambda match: f"{match[1]}{text}{match[2]}", PAGE.read_text(encoding="utf-8"))
        PAGE.write_text(page, encoding="utf-8")
    return 1 if total.violations else 0


def _run(name: str, every: bool) -> Figures:  # noqa: FBT001 the pool hands over positions
    (cell,) = [cell for cell in cells() if str(cell) == name]
    with plugged() as plug:
        return run_cell(Laboratory(plug), cell, every=every)


if __name__ == "__main__":
    sys.exit(main())
