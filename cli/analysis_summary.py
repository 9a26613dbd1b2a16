"""The answer of `leastwise analyze` for people: the account, who is over, what lowers most, and what to do next."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.terminal import add_row, console, shown

FIRST = 5  # plans, and identities without any
STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}

Json = Mapping[str, Any]


def show_analysis(answer: Json) -> None:
    """Print a short summary."""
    out = console()
    for line in _account(answer):
        out.print(shown(line), soft_wrap=True)
    if answer["first"]:
        out.print(_first(answer["first"][:FIRST]))
    for line in _next(answer):
        out.print(shown(line), soft_wrap=True)


def _account(answer: Json) -> Iterator[str]:
    account, moment = answer["account"], datetime.fromisoformat(answer["as_of"])
    name = f"Account {account['id']}" if account["id"] else "All accounts"
    bands = ", ".join(f"{account['bands'][band]:,} {band}" for band in STYLES)
    yield f"{name}: PCI {account['pci']:.1f} over {account['identities']:,} identities ({bands})"
    yield f"As of {moment:%Y-%m-%d %H:%M:%S} UTC, by what was used in the {answer['window_days']} days before."
    over, threshold = answer["over"], f"{answer['threshold']:g}"
    if not over:
        yield f"Nobody has a PCI of {threshold} or more."
        return
    worst = ", ".join(f"{one['arn'].split(':', 5)[5]} ({one['pci']:.0f})" for one in over[:FIRST])
    more = f" and {len(over) - FIRST:,} more" if len(over) > FIRST else ""
    yield f"{len(over):,} with a PCI of {threshold} or more: {worst}{more}"
    plans, enough = answer["plans"], answer["plans_enough"]
    yield f"{plans:,} {'plan' if plans == 1 else 'plans'}, of which {enough:,} would be enough to comply."
    if plans:
        yield f"With all plans the account would have PCI {answer['account_after']:.1f}."
    if reasons := answer["no_plan"]:
        told = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.items())
        yield f"Without a plan: {told}. The report says why of each."


def _first(steps: list[Json]) -> Table:
    """The plans that lower the account most, each on top of those before it."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("what lowers the account most", overflow="fold", min_width=16)
    for name in ("removes", "PCI", "after", "account after"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in steps:
        numbers = (f"{step[name]:.1f}" for name in ("pci_before", "pci_after", "account_after"))
        add_row(table, step["identity"].split(":", 5)[5], step["removes"], *numbers)
    return table


def _next(answer: Json) -> Iterator[str]:
    files = answer["files"]
    yield f"Open {files['report']} in a browser: every identity with its score, its plan as a diff, and why."
    if files["policies"]:
        yield f"Policies to review and apply are in {files['policies']}; {files['plans']} says what was proven of them."
    yield f"The figures are in {files['scores']}. Nothing was changed."
