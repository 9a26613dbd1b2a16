"""The page of a run, docs/benchmarks-report.md: the text in template.md, filled with the figures of one run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import figure
from benchmarks.machine import this_machine
from benchmarks.report_page.runs import Measured

TEMPLATE = Path(__file__).with_name("template.md")
USABLE_S = 2.0
MEBIBYTE = 2**20


def render_page(measured: Sequence[Measured], *, rounds: int, browser: str) -> str:
    """The whole document, Markdown; the aim is that of the greatest report."""
    machine = this_machine(())
    largest = max(measured, key=lambda one: one.identities)
    usable = figure([opening.usable for opening in largest.openings])
    return TEMPLATE.read_text(encoding="utf-8").format(
        processor=machine.processor,
        cores=machine.cores,
        system=machine.system,
        python=machine.python,
        browser=browser,
        rounds=rounds,
        most=f"{largest.identities:,}",
        usable_s=USABLE_S,
        usable=f"{usable.median:,.0f}",
        met="yes" if usable.median <= USABLE_S * 1000 else "**no**",
        openings="\n".join(_openings(measured)),
        answers="\n".join(_answers(measured)),
    )


def _openings(measured: Sequence[Measured]) -> Iterator[str]:
    for one in measured:
        sizes = (f"{size / MEBIBYTE:.2f} MiB" for size in (one.size, one.compressed))
        times = (_told([getattr(each, name) for each in one.openings]) for name in ("usable", "painted"))
        yield _row(f"{one.identities:,}", *sizes, f"{one.render_s:.2f}", *times)


def _answers(measured: Sequence[Measured]) -> Iterator[str]:
    for one in measured:
        names = ("sorted", "searched", "expanded")
        yield _row(f"{one.identities:,}", *(_told([getattr(each, name) for each in one.openings]) for name in names))


def _told(values: Sequence[float]) -> str:
    found = figure(values)
    return f"{found.median:,.0f} ({found.least:,.0f}-{found.most:,.0f})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
