"""What the checks found, for people: what is wrong first, each with why it matters and how to fix it."""

import textwrap
from collections import Counter

from rich.text import Text

from cli.checkups.examination import Examination
from cli.checkups.finding import Finding, Level
from cli.terminal import console, shown

STYLES = {Level.FAIL: "bold red", Level.UNKNOWN: "magenta", Level.WARN: "yellow", Level.OK: "green"}
COUNTED = {Level.FAIL: "failed", Level.UNKNOWN: "could not be asked", Level.WARN: "warnings", Level.OK: "fine"}
INDENT = " " * 9
WIDEST = 110  # columns: longer lines are hard to read


def show_examination(examination: Examination) -> None:
    """Print the findings; commands stand in lines of their own, whole, so that they can be copied."""
    out = console()
    where = examination.where
    stack = f", stack {examination.stack_name}" if examination.stack_name else ", before deployment"
    out.print(shown(f"Account {where.account_id}, region {where.region}{stack}"), style="bold", soft_wrap=True)
    counts = Counter(finding.level for finding in examination.findings)
    told = ", ".join(f"{counts[level]} {words}" for level, words in COUNTED.items() if counts[level])
    out.print(f"{len(examination.findings)} checks: {told}.")
    width = min(out.width, WIDEST)
    before = None
    for finding in examination.findings:
        if (finding.level, before) != (Level.OK, Level.OK):
            out.print()
        before = finding.level
        for line in _lines(finding, width):
            out.print(line, soft_wrap=True)


def _lines(finding: Finding, width: int) -> list[Text]:
    """One line for what is fine, a paragraph for everything else."""
    label = Text(f"{finding.level.value.upper():<9}", style=STYLES[finding.level])
    if finding.level is Level.OK:
        return [Text.assemble(label, shown(f"{finding.check.title}: {finding.found}"))]
    first = Text.assemble(label, Text(finding.check.title, style="bold"), f"  ({finding.check.id})")
    words = [finding.found, finding.check.why, f"Fix: {finding.advice}"]
    wrapped = [line for text in words for line in _wrapped(text, width)]
    commands = [Text.assemble(INDENT, "  ", shown(command)) for command in finding.commands]
    return [first, *wrapped, *commands, Text.assemble(INDENT, Text(f"See {finding.check.see}", style="dim"))]


def _wrapped(text: str, width: int) -> list[Text]:
    """A paragraph below its heading; control characters are spelled out before it is broken into lines."""
    return [
        Text(line)
        for line in textwrap.wrap(
            shown(text).plain,
            width,
            initial_indent=INDENT,
            subsequent_indent=INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
