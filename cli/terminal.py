"""How tables for people are printed: as wide as the terminal, and with text from elsewhere as it stands."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.answers import printable

PIPED_WIDTH = 200  # columns where there is no terminal to ask


def console() -> Console:
    """Standard output, for tables."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def shown(*lines: str) -> Text:
    """Lines as they stand: neither the terminal nor rich finds commands in them, nor more lines."""
    return Text("\n".join(map(printable, lines)))


def add_row(table: Table, *cells: str | int | tuple[str, ...]) -> None:
    """Add a row; a cell of several lines is a tuple."""
    lines = ((f"{cell:,}",) if isinstance(cell, int) else (cell,) if isinstance(cell, str) else cell for cell in cells)
    table.add_row(*(shown(*cell) for cell in lines))
