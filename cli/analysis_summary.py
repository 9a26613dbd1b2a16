"""The answer of `leastwise analyze` for people: the account, who is over, what lowers most, and what to do next."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.reporting.priorities import decimals_of
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
        out.print(_first(answer["account"]["pci"], answer["first"][:FIRST]))
    for line in (*_left(answer), *_next(answer)):
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


def _first(account_pci: float, steps: list[Json]) -> Table:
    """The plans that lower the account most, each on top of those before it."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("what lowers the account most", overflow="fold", min_width=16)
    for name in ("removes", "PCI", "after", "account after"):
        table.add_column(name, justify="right", no_wrap=True)
    decimals = decimals_of(account_pci, [step["account_after"] for step in steps])
    for step in steps:
        numbers = (f"{step[name]:.1f}" for name in ("pci_before", "pci_after"))
        after = f"{step['account_after']:.{decimals}f}"
        add_row(table, step["identity"].split(":", 5)[5], step["removes"], *numbers, after)
    return table


def _left(answer: Json) -> Iterator[str]:
    """The worst of those whom no plan helps, each with the reason."""
    number, worst = answer["without_plan"], answer["left"][:FIRST]
    if not number:
        return
    told = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in answer["no_plan"].items())
    needs = "has no plan and needs" if number == 1 else "have no plan and need"
    yield f"{number:,} over the threshold {needs} a person{f' ({told})' if told else ''}:"
    for one in worst:
        yield f"  {one['identity'].split(':', 5)[5]}, PCI {one['pci']:.1f}: {one['why']}"
    if number > len(worst):
        yield f"  and {number - len(worst):,} more: the report says why of each"


def _next(answer: Json) -> Iterator[str]:
    files = answer["files"]
    yield f"Open {files['report']} in a browser: every identity with its score, its plan as a diff, and why."
    if files["policies"]:
        yield f"Policies to review and apply are in {files['policies']}; {files['plans']} says what was proven of them."
    yield f"The figures are in {files['scores']}. Nothing was changed."
