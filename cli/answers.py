"""How the offline commands answer: JSON lines on standard output, complaints on standard error, and an exit code."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import typer

from cli.inputs import Entry
from shared.errors import InputError

FINDING, UNREADABLE = 1, 2
LONGEST = 500  # characters of a complaint: documents may hold values of any length


class Answers:
    """Answers to a row of inputs, one each and in their order; one that cannot be read is answered by `{"error": …}`.

    `finding` is set by a command whose answers hold one; an unreadable input outweighs it in the exit code.
    """

    def __init__(self) -> None:
        self.finding = False
        self._unreadable = False

    def give(
        self,
        entries: Iterable[Entry],
        answer: Callable[[Entry, str], Mapping[str, Any]],
        show: Callable[[Entry, Mapping[str, Any]], None] | None = None,
    ) -> None:
        """Answer each entry: as a line of JSON, or by `show` for people."""
        for entry in entries:
            try:
                if isinstance(entry.text, InputError):
                    raise entry.text
                answered = answer(entry, entry.text)
            except InputError as error:
                self.refuse(entry, error, as_json=show is None)
                continue
            if show is None:
                put_json(answered)
            else:
                show(entry, answered)

    def refuse(self, entry: Entry, error: InputError, *, as_json: bool) -> None:
        """Say what is wrong with an input, on standard error and in its place on standard output."""
        self._unreadable = True
        if as_json:
            put_json({"error": printable(str(error))})
        self.complain(entry, str(error))

    def complain(self, entry: Entry, reason: str) -> None:
        """One line on standard error; the exit code tells that an input could not be read."""
        self._unreadable = True
        told = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]} …"
        sys.stderr.write(f"leastwise: {printable(entry.place)}: {printable(told)}\n")

    def leave(self) -> None:
        """End the command with its exit code."""
        if self._unreadable or self.finding:
            raise typer.Exit(UNREADABLE if self._unreadable else FINDING)


def put_json(answer: Mapping[str, Any]) -> None:
    """Write one answer as a line of JSON."""
    sys.stdout.write(json.dumps(answer) + "\n")


def printable(text: str) -> str:
    """Text that a terminal shows and does not obey: control characters and their like are spelled out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
