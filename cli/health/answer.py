"""The health of the deployed system as JSON, and for people. Pure but for `show`."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.answers import printable
from cli.health.facts import Facts
from cli.health.lines import FINDINGS, Level, Line, worst
from cli.terminal import console, shown

MARKS = {
    Level.OK: ("ok", "green"),
    Level.UNKNOWN: ("?", "magenta"),
    Level.WARN: ("!", "yellow"),
    Level.BAD: ("!!", "bold red"),
}
HEADINGS = {
    Level.OK: "Everything is fine.",
    Level.UNKNOWN: "Nothing is known to be wrong, but not everything could be read.",
    Level.WARN: "Somebody should look at it.",
    Level.BAD: "Somebody has to mend it.",
}


def value_of(facts: Facts, lines: Sequence[Line]) -> dict[str, Any]:
    """The answer for machines; the names of parts and of their values stay as they are."""
    return {
        "stack_name": facts.stack_name,
        "account_id": facts.account_id,
        "region": facts.region,
        "at": facts.now.isoformat().replace("+00:00", "Z"),
        "level": worst(tuple(lines)).value,
        "parts": [
            {
                "name": line.name,
                "level": line.level.value,
                "text": printable(line.text),
                "advice": printable(line.advice) or None,
                "values": dict(line.values),
            }
            for line in lines
        ],
    }


def show(facts: Facts, lines: Sequence[Line]) -> None:
    """Print a row for each part, and under it what to do where it isn't fine."""
    out = console()
    level = worst(tuple(lines))
    place = f"{facts.stack_name} in account {facts.account_id}, {facts.region}: "
    out.print(shown(place).append(HEADINGS[level], style=MARKS[level][1]), soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(no_wrap=True, justify="right", min_width=2)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for line in lines:
        mark, style = MARKS[line.level]
        told = shown(line.text)
        if line.advice:
            told.append("\n").append(
                shown(f"-> {line.advice}"),
            )
        table.add_row(Text(mark, style=style), Text(line.name if line.name != before else ""), told)
        before = line.name
    out.print(table)


def exit_code(lines: Sequence[Line]) -> int:
    """1 where something needs a person, else 3 where something could not be read."""
    levels = {line.level for line in lines}
    return 1 if levels & FINDINGS else 3 if Level.UNKNOWN in levels else 0
