"""Standard input and output that say in one line, whatever the command does with them, that they are closed or full."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.errors import DependencyError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CLOSED = "it is closed"


@contextmanager
def checked_streams() -> Iterator[None]:
    """Put checked streams in the place of standard input and output, and write all that was put out on the way out.

    Raises DependencyError where output is closed, before anything is done, and where the system does not take it.
    A reader who is gone is no error: the command ends quietly. Closed input is an OSError to who reads it.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 as long as the process lives
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_ClosedInput()))
    if sys.stdout is None:
        raise _refused(CLOSED)
    given = sys.stdout
    raw = _Output(given.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), given.encoding, given.errors, line_buffering=bool(given.line_buffering)
    )
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        sys.exit(1)


class _Output(io.FileIO):
    """A file that tells once that it takes no more, and what is written after that is lost."""

    lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write some bytes; raises BrokenPipeError where nobody reads them, else DependencyError."""
        if self.lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self.lost = True
            raise
        except OSError as error:
            self.lost = True
            raise _refused(error.strerror) from None


class _ClosedInput(io.RawIOBase):
    """Input that is asked for and not there: to read nothing instead would pass for an empty file."""

    def readable(self) -> bool:
        """Whoever asks is told by reading."""
        return True

    def readinto(self, _: object, /) -> int:
        """Raise the OSError of a closed file."""
        raise OSError(errno.EBADF, CLOSED)


def _refused(reason: str | None) -> DependencyError:
    return DependencyError(f"cannot write to standard output: {reason or 'no reason given'}")
