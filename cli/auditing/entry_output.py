"""Entries of the audit trail as JSON, as CSV and as a table, written one by one: a page may be of any length."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC
from itertools import islice
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cli.answers import printable
from cli.auditing.pages import Page
from cli.terminal import console, shown
from shared.model.audit import AuditEntry

COLUMNS = (
    "occurred_at",
    "recorded_at",
    "event_type",
    "identity_arn",
    "identity_id",
    "plan_id",
    "compliance",
    "pci",
    "summary",
    "event_id",
    "chain",
    "sequence",
    "entry_hash",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # what spreadsheets take for the beginning of one
ROWS = 500  # of one table; more follow as another one, so that nothing has to hold them all
WIDE, WIDEST = 110, 150  # columns from which on there is room for seconds, and for ids
TYPE_WIDTH, ID_WIDTH, GAP, LEAST, WHO_SHARE = 19, 36, 3, 12, 5


def put_json(page: Page) -> None:
    """Write `{"account_id", "entries", "read", "complete", "next"}`, an entry a line."""
    out = sys.stdout
    out.write(f'{{"account_id": {json.dumps(page.wanted.account_id)}, "entries": [')
    for number, entry in enumerate(page):
        out.write(",\n" if number else "\n")
        out.write(json.dumps(entry.model_dump(mode="json"), sort_keys=True))
    out.write(
        f'],\n"read": {page.read}, "complete": {json.dumps(page.token is None)}, "next": {json.dumps(page.token)}}}\n'
    )


def put_csv(page: Iterable[AuditEntry]) -> None:
    """Write a row for each entry below a row of names; no cell is a formula to a spreadsheet."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in page:
        fields = entry.model_dump(mode="json", include=set(COLUMNS))
        writer.writerow([cell_of(fields[name]) for name in COLUMNS])


def cell_of(value: object) -> object:
    """A value as a cell of CSV; text that a spreadsheet would run gets an apostrophe before it."""
    if not isinstance(value, str):
        return "" if value is None else value
    return f"'{printable(value)}" if value.startswith(FORMULA) else printable(value)


def put_table(page: Iterable[AuditEntry]) -> None:
    """Print time, event, who and what of each entry, for people."""
    entries = iter(page)
    rows = list(islice(entries, ROWS))
    if not rows:
        console().print("No entries.")
    is_first = True
    while rows:
        _print(rows, with_names=is_first)
        rows, is_first = list(islice(entries, ROWS)), False


def _print(entries: Sequence[AuditEntry], *, with_names: bool) -> None:
    out = console()
    shape = Shape.of(out.width)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=with_names, show_edge=False)
    for name, width in shape.columns:
        table.add_column(name, width=width, overflow="fold")
    for entry in entries:
        time = f"{entry.occurred_at.astimezone(UTC):{shape.time_format}}"
        row = [Text(time), shown(entry.event_type), shown(who_of(entry)), shown(entry.summary), shown(entry.event_id)]
        table.add_row(*row[: len(shape.columns)])
    out.print(table)


class Shape(NamedTuple):
    """Columns with their widths, the same for all tables of a page; a wide terminal has room for the entry's id."""

    columns: tuple[tuple[str, int], ...]
    time_format: str

    @classmethod
    def of(cls, width: int) -> "Shape":
        """The shape for a terminal of so many columns."""
        time_format, time_width = ("%Y-%m-%d %H:%M:%S", 19) if width >= WIDE else ("%Y-%m-%d %H:%M", 16)
        ids = (("entry", ID_WIDTH),) if width >= WIDEST else ()
        who_width = max(LEAST, width // WHO_SHARE)
        rest = width - time_width - TYPE_WIDTH - who_width - sum(each + GAP for _, each in ids) - 3 * GAP
        columns = (("time (UTC)", time_width), ("event", TYPE_WIDTH), ("who", who_width), ("what", max(LEAST, rest)))
        return cls((*columns, *ids), time_format)


def who_of(entry: AuditEntry) -> str:
    """Whom an entry is about, as tables call identities."""
    if entry.identity_arn:
        return entry.identity_arn.split(":", 5)[-1]
    return entry.identity_id or "account"
