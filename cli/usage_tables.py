"""The answer of `leastwise usage` for people: tables, and a summary of what was read and what was not."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.terminal import add_row, console, shown

GAPS_SHOWN = 5
IDENTITIES_SHOWN = 200  # more than that nobody reads, and rich needs a minute for 100,000

Json = Mapping[str, Any]


def show_usage(answer: Json, *, in_full: bool) -> None:
    """Print a row for each identity, or all actions of each, and a summary of what was read.

    Of very many identities those with the most actions have rows, in the order of the answer.
    """
    out = console()
    identities = answer["identities"]
    if in_full:
        for identity in identities:
            out.print(_actions(identity))
    else:
        out.print(_identities(_with_most_actions(identities)))
        if (left_out := len(identities) - IDENTITIES_SHOWN) > 0:
            told = f"{left_out:,} more identities, none with more actions, are left out"
            out.print(shown(f"{told}: --json tells of all, --identity of one."), soft_wrap=True)
    for line in _summary(answer):
        out.print(shown(line), soft_wrap=True)


def _with_most_actions(identities: Sequence[Json]) -> list[Json]:
    places = heapq.nlargest(
        IDENTITIES_SHOWN, range(len(identities)), key=lambda place: len(identities[place]["actions"])
    )
    return [identities[place] for place in sorted(places)]


def _identities(identities: Iterable[Json]) -> Table:
    table = _table(
        ["identity", "observed", "possible", "denied", "first seen", "last seen", "days"], numbers=(1, 2, 3, 6)
    )
    for identity in identities:
        actions = identity["actions"].values()
        kinds = Counter(action["evidence"] for action in actions)
        observed = kinds["observed"] + kinds["inferred"]
        denied = sum(action["denied"] is not None for action in actions)
        first = min(action["first_seen"] for action in actions)
        last = max(action["last_seen"] for action in actions)
        add_row(table, _name(identity), observed, kinds["possible"], denied, first, last, _days(first, last))
    return table


def _actions(identity: Json) -> Table:
    table = _table(["action", "evidence", "first seen", "last seen", "denied", "regions", "resources"])
    table.title, table.title_justify = shown(_name(identity)), "left"
    for name, action in identity["actions"].items():
        denied = action["denied"]["last_seen"] if action["denied"] else "never"
        resources = "any" if action["resources"] is None else tuple(action["resources"]) or "none"
        regions = ", ".join(action["regions"])
        add_row(table, name, action["evidence"], action["first_seen"], action["last_seen"], denied, regions, resources)
    return table


def _summary(answer: Json) -> Iterator[str]:
    read, ignored = answer["files"]["read"], answer["files"]["ignored"]
    yield f"{answer['records']:,} records in {read:,} files, {answer['duplicates']:,} of them duplicates."
    yield f"Skipped: {_counts(answer['skipped'])}."
    if ignored:
        yield f"Files left alone: {_counts(ignored)}."
    for account_id, seen in answer["coverage"].items():
        yield f"Account {account_id}: {_span(seen)}; {', '.join(seen['regions'])}."


def _span(seen: Mapping[str, Any]) -> str:
    if seen["days"] == 1:
        return f"one day, {seen['first_day']}"
    return f"{seen['days']:,} days from {seen['first_day']} to {seen['last_day']}, {_gaps(seen['gaps'])}"


def _gaps(gaps: list[list[str]]) -> str:
    if not gaps:
        return "no gaps"
    told = ", ".join(first if first == last else f"{first} to {last}" for first, last in gaps[:GAPS_SHOWN])
    return f"nothing on {told}{f' and {len(gaps) - GAPS_SHOWN:,} more times' if len(gaps) > GAPS_SHOWN else ''}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in counts.items()) or "none"


def _name(identity: Json) -> str:
    return identity["arn"] or f"{identity['id']} of {identity['account']}"


def _days(first: str, last: str) -> int:
    """Days from the first to the last, both counted."""
    return (datetime.fromisoformat(last).date() - datetime.fromisoformat(first).date()).days + 1


def _table(columns: Iterable[str], *, numbers: Iterable[int] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place in numbers else "left", overflow="fold")
    return table
