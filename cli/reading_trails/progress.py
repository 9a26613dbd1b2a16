"""A progress bar on standard error, where that is a terminal, and nothing where it is not."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeAlias

Show: TypeAlias = Callable[[int, int, int], None]
"""Told how many bytes, files and records were read by now."""


@contextmanager
def reading_bar(total_bytes: int, total_files: int) -> Iterator[Show]:
    """A bar by bytes read, with files, records and their rate; it is gone when the work is done, none without files."""
    if not total_files or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console  # noqa: PLC0415 only a terminal needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    # Without a thread of its own: it is drawn between two batches of records.
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=total_bytes or None)
        started = monotonic()

        def show(read_bytes: int, files: int, records: int) -> None:
            rate = records / max(monotonic() - started, 0.001)
            told = f"{files:,} of {total_files:,} files, {records:,} records, {rate:,.0f} a second"
            progress.update(task, completed=read_bytes, description=told, refresh=True)

        yield show
