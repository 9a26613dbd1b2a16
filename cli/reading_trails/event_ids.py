"""How many records came more than once: exact, in bounded memory, and alike for any number of processes."""

import marshal
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO

from shared.errors import DependencyError

HELD = 20_000  # ids in memory until they are put away: few enough for a processor's cache
BUCKETS = 64  # a power of two: ids are spread over them by the low bits of their hash
COUNTED = 200_000  # ids in memory while they are counted: about 30 MB


class EventIds(AbstractContextManager["EventIds"]):
    """The event ids of a share of the records, of which only the newest are in memory.

    The others lie in a file without a name, which is gone when nobody has it open any more. Processes that
    forked from one give a text the same hash, so that their buckets can be counted together.
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._file: IO[bytes] | None = None
        self.places = array("Q", [0])  # where the pieces in the file end: BUCKETS of them each time, one for a bucket

    def add(self, ids: Iterable[str | None]) -> None:
        """Note the ids of some records; a record without one is never a duplicate."""
        self._held.extend(filter(None, ids))
        if len(self._held) >= HELD:
            self.put_away()

    def open(self) -> IO[bytes]:
        """The file; once it is open, a process that is forked writes to the same.

        Raises DependencyError where it can't be made, as all do that write and read it.
        """
        if self._file is None:
            with _refusals():
                self._file = tempfile.TemporaryFile(prefix="leastwise-")  # noqa: SIM115 it lives as long as its owner
        return self._file

    def put_away(self) -> None:
        """Write the ids that are in memory to the file; raises DependencyError where there is no room for them."""
        buckets: list[list[str]] = [[] for _ in range(BUCKETS)]
        put = [bucket.append for bucket in buckets]
        for event_id in self._held:
            put[hash(event_id) & (BUCKETS - 1)](event_id)
        self._held.clear()
        with _refusals():
            for bucket in buckets:
                piece = marshal.dumps(bucket)
                self.open().write(piece)
                self.places.append(self.places[-1] + len(piece))
            self.open().flush()

    @property
    def in_memory(self) -> Sequence[str] | None:
        """Every id, or None where some have been put away."""
        return self._held if len(self.places) == 1 else None

    def of_bucket(self, bucket: int) -> Iterator[list[str]]:
        """The ids of a bucket that were put away, piece by piece."""
        file = self.open().fileno()
        for place in range(bucket, len(self.places) - 1, BUCKETS):
            start, end = self.places[place : place + 2]
            with _refusals():
                piece = os.pread(file, end - start, start)
            yield marshal.loads(piece)  # noqa: S302 only this program has written to it

    def __enter__(self) -> "EventIds":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written is not wanted any more
                self._file.close()


@contextmanager
def _refusals() -> Iterator[None]:
    """Say as a DependencyError what the system refuses."""
    try:
        yield
    except OSError as error:
        raise DependencyError(f"cannot keep event ids in a temporary file: {error.strerror or error}") from None


def count_duplicates(shares: Sequence[EventIds]) -> int:
    """Count the records whose id an earlier record of any share had; the shares must come from forks of one process."""
    in_memory = [share.in_memory for share in shares]
    if all(held is not None for held in in_memory):
        ids = [event_id for held in in_memory for event_id in held or ()]
        return len(ids) - len(set(ids))
    for share in shares:
        share.put_away()
    return sum(_repeated(shares, bucket, BUCKETS - 1, bucket) for bucket in range(BUCKETS))


def _repeated(shares: Sequence[EventIds], bucket: int, mask: int, low_bits: int) -> int:
    """Count repeated ids of a bucket whose hash has these low bits; too many for memory are counted half by half."""
    seen: set[str] = set()
    count = 0
    for share in shares:
        for piece in share.of_bucket(bucket):
            ids = piece if mask == BUCKETS - 1 else [one for one in piece if hash(one) & mask == low_bits]
            seen.update(ids)
            count += len(ids)
            if len(seen) > COUNTED:
                del seen, piece, ids
                wider, high_bit = 2 * mask + 1, mask + 1
                halves = (low_bits, low_bits | high_bit)
                return sum(_repeated(shares, bucket, wider, half) for half in halves)
    return count - len(seen)
