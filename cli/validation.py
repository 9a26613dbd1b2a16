"""`leastwise policy validate`: everything that is wrong with a document, for machines and for people."""

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from cli.answers import Answers, printable
from cli.inputs import Entry
from shared.iam.catalogue import Catalogue
from shared.iam.grammar.findings import RULES, Code, Severity
from shared.iam.validate import PolicyKind, recognise, validate

COLOURS: Mapping[str, str] = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.SUGGESTION: "cyan"}

WIDTH = 120  # of a table that goes into a file or a pipe


class Judge:
    """Judges one text after another as a policy of `kind`, or of the kind that each document looks like."""

    def __init__(self, answers: Answers, kind: PolicyKind | None, catalogue: Catalogue) -> None:
        self._answers = answers
        self._kind = kind
        self._catalogue = catalogue

    def __call__(self, entry: Entry, text: str) -> dict[str, Any]:
        """`{"kind", "assumed", "findings": [{"code", "severity", "path", "message", "advice"}]}` of one document."""
        kind = self._kind or recognise(text)
        findings = validate(text, kind, self._catalogue)
        self._answers.finding |= any(finding.severity is Severity.ERROR for finding in findings)
        for finding in findings:
            if finding.code is Code.NOT_JSON:
                self._answers.complain(entry, finding.message)
        found = [finding._asdict() | {"advice": RULES[finding.code].advice} for finding in findings]
        return {"kind": kind, "assumed": self._kind is None, "findings": found}


def show_findings(entry: Entry, answer: Mapping[str, Any]) -> None:
    """A table of the findings on one document, and in a line what they come to."""
    from rich.console import Console  # noqa: PLC0415 takes longer to load than all else here
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    findings = answer["findings"]
    if findings:
        table = Table("", "code", "where", "what", box=None, pad_edge=False)
        for column in table.columns:
            column.overflow = "fold"
        for found in findings:
            told = Text(printable(found["message"])).append(f"\n{found['advice']}", style="dim")
            severity = Text(found["severity"], style=COLOURS[found["severity"]])
            table.add_row(severity, found["code"], Text(printable(found["path"])), told)
        console.print(table)
    counts = Counter(found["severity"] for found in findings)
    named = [f"{counts[level]} {level}{'s' * (counts[level] > 1)}" for level in Severity if counts[level]]
    told_counts = ", ".join(named) or "nothing found"
    kind = f"{answer['kind']} policy{', by its looks' if answer['assumed'] else ''}"
    console.print(Text(f"{printable(entry.place)} ({kind}): {told_counts}"), soft_wrap=True)
