"""Writes the generated tables into the documentation; a test fails where they have drifted from the code.

    python -m infra.docs.generate          rewrite what has drifted
    python -m infra.docs.generate --check  only name what has drifted; exit code 1 if anything has

A document holds a table between `<!-- generated: NAME -->` and `<!-- end of NAME -->`, each on a line of its own.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.build.licences import load_facts, pins
from infra.build.template import ROOT, load_template
from infra.docs import alarms, judged_account, licences, scores, tables

BLOCKS: Mapping[str, Callable[[], Sequence[str]]] = {
    "account": judged_account.account,
    "alarms": lambda: alarms.alarms(load_template(ROOT / "infra" / "sam" / "monitoring.yaml")),
    "bands": scores.bands,
    "calibration": scores.calibration,
    "classes": scores.classes,
    "commands": tables.commands,
    "events": tables.events,
    "example": scores.example,
    "functions": lambda: tables.functions(load_template()),
    "licences": lambda: licences.licences(load_facts(), pins()),
    "parameters": lambda: tables.parameters(load_template()),
    "reaches": scores.reaches,
    "settings": lambda: tables.settings(load_template()),
}
BLOCK = re.compile(r"^<!-- generated: (?P<name>[a-z]+) -->\n.*?^<!-- end of (?P=name) -->$", re.MULTILINE | re.DOTALL)
FOLDERS = ("benchmarks", "docs", "infra", "services", "shared")


class UnknownBlockError(Exception):
    """A document asks for a table that nobody generates."""


def documents(root: Path = ROOT) -> list[Path]:
    """Every Markdown document of the project that is written for people, in a stable order."""
    found = [*root.glob("*.md"), *(path for folder in FOLDERS for path in (root / folder).rglob("*.md"))]
    return sorted(path for path in found if path.name != "SOURCE.md")


def regenerate(text: str) -> str:
    """The document with every generated table as the code has it now. Raises UnknownBlockError."""
    return BLOCK.sub(_filled, text)


def drifted(root: Path = ROOT) -> dict[Path, str]:
    """Documents that do not say what the code says, with the text that they should have."""
    wanted = {path: regenerate(path.read_text(encoding="utf-8")) for path in documents(root)}
    return {path: text for path, text in wanted.items() if text != path.read_text(encoding="utf-8")}


def _filled(match: re.Match[str]) -> str:
    name = match["name"]
    if name not in BLOCKS:
        raise UnknownBlockError(f"there is no table {name!r}; there are {', '.join(BLOCKS)}")
    return "\n".join([f"<!-- generated: {name} -->", "", *BLOCKS[name](), "", f"<!-- end of {name} -->"])


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Rewrite or check; the exit code is 1 where a check found drift."""
    parser = argparse.ArgumentParser(prog="infra.docs.generate", description="Write the tables of the documentation.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail where something has drifted")
    options = parser.parse_args(arguments)
    stale = drifted(root)
    for path, text in stale.items():
        if not options.check:
            path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(root)} {'has drifted' if options.check else 'written'}\n")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
