"""The end of the demonstration in the terminal: a table of identities, before and after."""

from rich.console import Console
from rich.table import Table

from infra.local.demonstration.findings import Findings

NUMERIC = ("before", "after", "granted")


def print_summary(console: Console, findings: Findings, *, seconds: float) -> None:
    """Print the table and how many checks held."""
    table = Table(title="Privilege Creep Index before and after", title_justify="left")
    for column in ("identity", "job", "before", "after", "granted", "outcome"):
        table.add_column(column, justify="right" if column in NUMERIC else "left", no_wrap=column != "job")
    for one in findings.identities:
        granted = f"{one.before.granted:,} → {one.after.granted:,}"
        table.add_row(one.name, one.job, f"{one.before.pci:.0f}", f"{one.after.pci:.0f}", granted, one.outcome)
    table.add_section()
    account = (f"{findings.account_before:.0f}", f"{findings.account_after:.0f}")
    table.add_row("account", "root mean square, before the rollback", *account, "", "")
    console.print(table)
    colour = "green" if findings.held == len(findings.checks) else "red"
    console.print(f"[bold {colour}]{findings.held} of {len(findings.checks)} checks held[/] in {seconds:.0f} s")
