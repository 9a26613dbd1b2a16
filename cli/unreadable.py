"""Stored records that this version can't read: each is told, none stops the others, and the exit code says so."""

import sys

import typer

from cli.answers import UNREADABLE, printable
from shared.errors import InputError

TOLD = 10  # on standard error


class Unreadable:
    """Counts records that could not be read, and tells the first ones."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, error: InputError) -> None:
        """Tell of one, on standard error."""
        self._count += 1
        if self._count <= TOLD:
            sys.stderr.write(f"leastwise: {printable(str(error))}\n")

    def leave(self) -> None:
        """End the command with its exit code, should there have been any."""
        if self._count > TOLD:
            sys.stderr.write(f"leastwise: {self._count - TOLD:,} more records can't be read\n")
        if self._count:
            raise typer.Exit(UNREADABLE)
