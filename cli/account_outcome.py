"""How a command that looked at a whole account ends: complaints on standard error, and an exit code."""

import sys
from collections.abc import Mapping
from typing import Any

import typer

from cli.answers import FINDING, UNREADABLE, printable


def leave(answer: Mapping[str, Any], *, finding: bool) -> None:
    """Tell the answer's warnings and errors, a line each; who can't be read outweighs a finding in the exit code."""
    for message in [*answer["warnings"], *(error["error"] for error in answer["errors"])]:
        sys.stderr.write(f"leastwise: {printable(message)}\n")
    if answer["errors"]:
        raise typer.Exit(UNREADABLE)
    if finding:
        raise typer.Exit(FINDING)
