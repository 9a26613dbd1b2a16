"""What the offline commands read: whole files or JSON lines, from a path or standard input (`-`).

Whatever cannot be read comes out as an InputError in its place, so that answers still pair up with inputs.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, NamedTuple

from shared.errors import InputError

STANDARD_INPUT = "-"


class Entry(NamedTuple):
    """One input: where it stands, for messages, and its text, or why there is none."""

    place: str
    text: str | InputError


def read_entries(names: Iterable[str], *, lines: bool) -> Iterator[Entry]:
    """Each file as one entry, or with `lines` each line of each file, one at a time."""
    for name in names:
        try:
            yield from _lines(name) if lines else _whole(name)
        except OSError as error:
            yield Entry(shown(name), InputError(f"cannot be read: {error.strerror or error}"))


def shown(name: str) -> str:
    """How messages name a file."""
    return "standard input" if name == STANDARD_INPUT else name


def _open(name: str) -> AbstractContextManager[IO[bytes]]:
    if name == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    if "\0" in name:
        raise OSError(os.strerror(2))
    return Path(name).open("rb")


def _whole(name: str) -> Iterator[Entry]:
    with _open(name) as file:
        yield Entry(shown(name), _decoded(file.read()))


def _lines(name: str) -> Iterator[Entry]:
    """Lines without their ends; blank ones count, so that answers pair up with lines, except at the end of a file."""
    blank: list[Entry] = []
    with _open(name) as file:
        for number, line in enumerate(file, start=1):
            entry = Entry(f"{shown(name)}, line {number}", _decoded(line))
            if isinstance(entry.text, str) and not entry.text.strip():
                blank.append(entry)
                continue
            yield from blank
            blank.clear()
            yield entry


def _decoded(raw: bytes) -> str | InputError:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return InputError(f"not UTF-8: {error.reason} at byte {error.start + 1}")
