"""The answer of `leastwise propose` for people: each plan, who has none and why, and what plans rest on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.plan_body import show_plan
from cli.proposing import OTHERWISE, Proposal
from cli.terminal import console, shown
from shared.model.finding import Standing
from shared.model.plan import Compliance, Strategy

WIDE = 90  # columns from which on there is room to say how much is kept
FEW = 3  # plans that are shown one by one
ROWS_SHOWN = 200  # more than that nobody reads
NAMES_SHOWN = 4
MARK = "!"  # before the PCI of who would still not comply
NOT_ENOUGH = "still not compliant afterwards: the deployed system would refuse it (irreducible)."

Json = Mapping[str, Any]


def show_proposals(answer: Json, proposals: Sequence[Proposal], *, diff: bool) -> None:
    """Print few plans in full, and of many a row each; with `diff` what each changes in policy documents."""
    out = console()
    by_id = {proposal.plan.plan_id: proposal for proposal in proposals}
    ordered = [by_id[plan["plan_id"]] for plan in answer["plans"]]
    if len(ordered) <= FEW or diff:
        for proposal in ordered:
            _show_one(out, proposal, diff=diff or len(ordered) == 1)
    else:
        _show_rows(out, answer["plans"])
        for line in _about_rows(ordered):
            out.print(shown(line), soft_wrap=True)
    if answer["skipped"]:
        out.print(_skipped(answer["skipped"]))
    for line in _basis(answer):
        out.print(shown(line), soft_wrap=True)


def _show_one(out: Console, proposal: Proposal, *, diff: bool) -> None:
    detail = proposal.detail
    told = [_kept_because(proposal)]
    if not proposal.enough:
        told += [NOT_ENOUGH.capitalize(), *_more([proposal])]
    show_plan(out, proposal.plan, detail.policies, detail.boundary, diff=diff, told=told)
    if proposal.tool:
        out.print(shown(f"--out writes it as text for {proposal.tool}."), soft_wrap=True)
    out.print()


def _kept_because(proposal: Proposal) -> str:
    """Why it keeps what it keeps, in numbers."""
    told = {
        Standing.USED: "used",
        Standing.POSSIBLE: "possibly used",
        Standing.UNOBSERVABLE: "of which nobody can know",
        OTHERWISE: "kept for another reason (by an option, with what was used, or with its service)",
    }
    counts = ((proposal.kept_because[name], text) for name, text in told.items())
    return "Of those kept: " + ", ".join(f"{count:,} {text}" for count, text in counts if count)


def _show_rows(out: Console, plans: Sequence[Json]) -> None:
    wide = out.width >= WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("PCI", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("identity", overflow="fold", min_width=16)
    table.add_column("removes", justify="right", no_wrap=True)
    if wide:
        table.add_column("keeps", justify="right", no_wrap=True)
    table.add_column("strategy", no_wrap=True)
    table.add_column("plan", no_wrap=True)
    for plan in plans[:ROWS_SHOWN]:
        mark, style = ("", "green") if _is_enough(plan) else (f"{MARK} ", "yellow")
        after = Text(f"{mark}{plan['pci_after']:.1f}", style=style)
        table.add_row(
            Text(f"{plan['pci_before']:.1f}"),
            after,
            shown(plan["identity"].split(":", 5)[5]),
            Text(f"{len(plan['removes']):,}"),
            *([Text(f"{len(plan['keeps']):,}")] if wide else []),
            Text(plan["strategy"]),
            Text(plan["plan_id"]),
        )
    out.print(table)
    if (left_out := len(plans) - ROWS_SHOWN) > 0:
        out.print(shown(f"{left_out:,} more plans are left out: --json tells of all."), soft_wrap=True)


def _about_rows(proposals: Sequence[Proposal]) -> Iterator[str]:
    if not_enough := [one for one in proposals if not one.enough]:
        yield f"{MARK} {NOT_ENOUGH}"
        yield from _more(not_enough)
    yield "--identity shows one plan in full, --diff all, --out writes their policies to files."


def _more(proposals: Iterable[Proposal]) -> Iterator[str]:
    """What was not tried, for plans that are not enough."""
    plans = [one.plan for one in proposals]
    options = {
        "--last-accessed (what IAM last saw)": not all(plan.coverage.last_accessed for plan in plans),
        "--strategy replace": any(plan.strategy is Strategy.BOUNDARY for plan in plans),
    }
    if untried := [option for option, is_untried in options.items() if is_untried]:
        yield f"More may go with {' or '.join(untried)}."


def _is_enough(plan: Json) -> bool:
    return bool(plan["compliance_after"] == Compliance.COMPLIANT)


def _skipped(skipped: Iterable[Json]) -> Table:
    """Why there is no plan, by reason, with some who it is so of, the highest PCI first."""
    by_reason: dict[str, list[Json]] = {}
    for one in skipped:
        by_reason.setdefault(one["reason"], []).append(one)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("no plan", justify="right", no_wrap=True)
    table.add_column("because", overflow="fold", min_width=20)
    table.add_column("who", overflow="fold")
    for reason, ones in by_reason.items():
        message = ones[0]["message"].replace(ones[0]["identity"], "it")
        because = message if len(ones) == 1 else reason.replace("_", " ")
        names = [f"{one['identity'].split(':', 5)[5]} ({one['pci']:.0f})" for one in ones[:NAMES_SHOWN]]
        more = [f"and {len(ones) - NAMES_SHOWN:,} more"] if len(ones) > NAMES_SHOWN else []
        table.add_row(Text(f"{len(ones):,}"), shown(because), shown(*names, *more))
    return table


def _basis(answer: Json) -> Iterator[str]:
    """What every plan rests on, in a few lines."""
    moment = datetime.fromisoformat(answer["as_of"])
    yield f"As of {moment:%Y-%m-%d %H:%M:%S} UTC, by what was used in the {answer['window_days']} days before."
    days = sorted({plan["coverage"]["observed_days"] for plan in answer["plans"]})
    if days:
        least = f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"
        yield f"Days with records: {least} of {answer['window_days']}."
    yield "Nothing was changed. A plan takes away what nobody used, never what can't be known."
