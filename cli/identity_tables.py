"""The identities of the deployed system for people, as wide as the terminal is, and as CSV."""

import csv
import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from cli.auditing.entry_output import cell_of
from cli.identity_listing import Row, answer_of
from cli.plan_tables import STYLES as PLAN_STYLES
from cli.score_tables import STYLES as BAND_STYLES
from cli.score_tables import WORDS
from cli.terminal import console, shown

WIDE = 110  # columns from which on all numbers of permissions have room
COUNTS = ("granted", "used", "unused", "unobservable")
COLUMNS = (
    *("arn", "id", "type", "pci", "band", "compliance"),
    *COUNTS,
    *("observed_days", "scored_at", "plan_id", "plan_status", "exempt", "problem"),
)


def show_identities(rows: Sequence[Row], found: int) -> None:
    """Print a row for each identity, and how many more there are."""
    out = console()
    if not rows:
        out.print("No identities.")
        return
    wide = out.width >= WIDE
    counts = COUNTS if wide else ("unused",)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("PCI", justify="right", no_wrap=True)
    if wide:
        table.add_column("band", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("identity", overflow="fold", min_width=16)
    for name in counts:
        table.add_column("unknown" if name == "unobservable" else name, justify="right", no_wrap=True)
    table.add_column("plan", no_wrap=True)
    if wide:
        table.add_column("scored", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row, counts, wide=wide))
    out.print(table)
    if left_out := found - len(rows):
        out.print(shown(f"{left_out:,} more are left out: a higher --limit tells of them, too."), soft_wrap=True)


def put_csv(rows: Sequence[Row]) -> None:
    """Write a row for each identity below a row of names; no cell begins as a spreadsheet's formula would."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    values = answer_of(rows, len(rows))["identities"]
    writer.writerow(COLUMNS)
    for value in values:
        writer.writerow([cell_of(value[name]) for name in COLUMNS])


def _cells(row: Row, counts: Sequence[str], *, wide: bool) -> list[Text]:
    score, plan = row.score, row.plan
    mark = Text(plan.status.value, style=PLAN_STYLES.get(plan.status, "")) if plan else Text("")
    band = Text(score.band.value, style=BAND_STYLES[score.band]) if score else Text("")
    verdict = (
        Text("unscored", style="bold red") if score is None else Text(WORDS[row.compliance] if row.compliance else "")
    )
    called = shown(row.called)
    if row.problem:
        called.append("\n").append(shown(f"not scored by the last sweep: {row.problem}"))
    return [
        Text(f"{score.pci:.1f}", style=BAND_STYLES[score.band]) if score else Text("?"),
        *([band] if wide else ()),
        verdict,
        called,
        *(Text(f"{getattr(score, name):,}" if score else "?") for name in counts),
        mark,
        *([Text(f"{score.scored_at:%Y-%m-%d %H:%M}" if score else "")] if wide else ()),
    ]
