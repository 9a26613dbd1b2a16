"""One report opened in Chromium, as a reader would: how long until it can be used, and how long it takes to answer."""

import os
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from cli.reporting.model import Report
from cli.reporting.render import render

ARGUMENTS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
# Each gives milliseconds, layout included, since that is what a reader waits for.
USABLE = "performance.getEntriesByName('usable')[0].startTime"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
SETTLED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
SORT = "document.querySelector('[data-sort=unused] button').click()"
SEARCH = "const box = document.getElementById('search'); box.value = 'arn e'; box.dispatchEvent(new Event('input'))"
EXPAND = "document.querySelector('tbody > .row:not([hidden]) .opener').click()"


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening in a fresh browser; times in milliseconds."""

    usable: float
    painted: float
    sorted: float
    searched: float
    expanded: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A report of one size: what it weighs, what writing it takes, and all openings."""

    identities: int
    size: int  # bytes
    compressed: int  # bytes
    render_s: float  # of the processor
    openings: Sequence[Opening]


def chromium() -> str:
    """Path of the browser: LEASTWISE_CHROMIUM, or the one that is installed. Raises FileNotFoundError without one."""
    found = os.environ.get("LEASTWISE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise FileNotFoundError("no Chromium: install one, or name it in LEASTWISE_CHROMIUM")
    return found


def measure(report: Report, folder: Path, rounds: int) -> Measured:
    """Write the report once and open it `rounds` times, after one opening that isn't counted."""
    started = time.process_time()
    page = render(report)
    render_s = time.process_time() - started
    path = folder / f"{len(report.identities)}.html"
    path.write_text(page, encoding="utf-8")
    openings = [_open(path) for _ in range(rounds + 1)][1:]
    data = page.encode()
    return Measured(len(report.identities), len(data), len(zlib.compress(data)), render_s, openings)


@contextmanager
def browser() -> Iterator[Browser]:
    """A fresh Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS.split())
        yield started
        started.close()


def version() -> str:
    """The browser's version."""
    with browser() as started:
        return started.version


def _open(path: Path) -> Opening:
    with browser() as started:
        page = started.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        page.evaluate(SETTLED)
        usable, painted = page.evaluate(USABLE), page.evaluate(PAINTED)
        return Opening(
            usable=usable,
            painted=painted,
            sorted=_timed(page, SORT),
            searched=_timed(page, SEARCH),
            expanded=_timed(page, EXPAND),
        )


def _timed(page: Page, act: str) -> float:
    """Milliseconds of a reader's act."""
    start, end = "const start = performance.now()", "document.body.offsetHeight; return performance.now() - start"
    return float(page.evaluate(f"() => {{ {start}; {act}; {end}; }}"))
