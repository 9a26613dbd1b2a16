"""Which local files a command's PATHs mean, and their records.

A directory stands for every file below it whose name is one of trail files; a file that is named itself is read
whatever its name. A file that several PATHs lead to is read once. What the system can't read is an InputError: it must
never pass for no usage.
"""

import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from cli.inputs import STANDARD_INPUT, shown
from services.scorer.trail.objects import ObjectKind, parse_log_key
from services.scorer.trail.reader import Batch, read_batches
from shared.errors import InputError

ENDINGS = (".json", ".gz", ".jsonl", ".ndjson", ".csv")
OTHER_FILE, OTHER_SERVICE, SIGNATURE = "not_a_trail_file", "log_of_another_service", "signature"
HOLD_RECORDS = frozenset({ObjectKind.LOG, ObjectKind.OTHER})  # digests and Insights events have names of their own

# What CloudTrail Lake puts beside the results of a query (User Guide, "CloudTrail sign file structure").
_LAKE_SIGNATURE = "result_sign.json"

# Where AWS Config, load balancers and others write in the same bucket: `AWSLogs/<account>/<service>/…`.
_IN_LOGS_OF_OTHERS = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{12}/(?!CloudTrail)[^/]+/")

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes of a file, as it is stored, and how many records were read since it was told last."""
FileId: TypeAlias = tuple[int, int]
"""Device and inode: one file, by whatever name."""


class TrailFile(NamedTuple):
    """A file to read: its path (`-` is standard input) and its size in bytes, 0 where that isn't known."""

    path: str
    size: int

    @property
    def name(self) -> str:
        """How messages name it."""
        return shown(self.path)


class Trails(NamedTuple):
    """The files to read, sorted by path, and how many are left alone, by reason."""

    files: tuple[TrailFile, ...]
    ignored: Mapping[str, int]


def find_trails(paths: Iterable[str]) -> Trails:
    """Name the files that the paths mean, the same whatever the order in which and how often they are given.

    Raises InputError for a path that is empty, does not exist or can't be read, and for symbolic links that lead in a
    circle.
    """
    found: dict[FileId, TrailFile] = {}
    ignored: dict[FileId, str] = {}
    for path in sorted(set(paths)):
        if not path:  # an unset variable, most likely; the system takes it for the current directory
            raise InputError("an empty path: name a file or a directory")
        if path == STANDARD_INPUT:
            found[-1, -1] = TrailFile(path, 0)
            continue
        for named, info in _below(path):
            file_id = (info.st_dev, info.st_ino)
            if reason := _reason_to_ignore(named, info, explicit=named == path):
                ignored[file_id] = reason
                continue
            file = TrailFile(named, info.st_size if stat.S_ISREG(info.st_mode) else 0)
            found[file_id] = min(file, found.get(file_id, file))
    for file in found.values():
        _check_readable(file)
    reasons = Counter(reason for file_id, reason in ignored.items() if file_id not in found)
    return Trails(tuple(sorted(found.values())), dict(sorted(reasons.items())))


def read_trails(paths: Iterable[str], *, on_progress: OnProgress | None = None) -> Iterator[tuple[TrailFile, Batch]]:
    """Read every file that the paths mean, one batch of records at a time; raises InputError as find_trails does."""
    for trail in find_trails(paths).files:
        for batch in read_trail(trail, on_progress):
            yield trail, batch


def read_trail(trail: TrailFile, on_progress: OnProgress | None = None) -> Iterator[Batch]:
    """Read one file, one batch of records at a time; raises InputError where the system can't read it."""
    with _refusals(trail.name), _opened(trail) as file:
        source = _Source(file)
        for batch in read_batches(source, trail.name):
            if on_progress is not None:
                on_progress(source.taken(), len(batch.records))
            yield batch
        if on_progress is not None:
            on_progress(source.taken(), 0)


class _Source:
    """An open file that counts what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._read = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        piece = self._file.read(size)
        self._read += len(piece)
        return piece

    def taken(self) -> int:
        """Bytes that were read since this was asked last."""
        read, self._read = self._read, 0
        return read


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Say as an InputError what the system refuses."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None


def _opened(trail: TrailFile) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if trail.path == STANDARD_INPUT else Path(trail.path).open("rb")


def _check_readable(file: TrailFile) -> None:
    """Find out before hours of reading that one of the files can't be read."""
    if file.path != STANDARD_INPUT and not os.access(file.path, os.R_OK):
        raise InputError(f"{file.name}: cannot be read: permission denied")


def _reason_to_ignore(path: str, info: os.stat_result, *, explicit: bool) -> str | None:
    if not explicit and not (stat.S_ISREG(info.st_mode) and _has_ending(path)):
        return OTHER_FILE
    if Path(path).name == _LAKE_SIGNATURE:
        return SIGNATURE
    kind = parse_log_key(path).kind
    if kind not in HOLD_RECORDS:
        return kind.value
    return OTHER_SERVICE if not explicit and _IN_LOGS_OF_OTHERS.search(path) else None


def _below(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """The file of this path, or every file below the directory of this path; symbolic links are followed."""
    seen: set[FileId] = set()
    ahead: list[tuple[str, frozenset[FileId]]] = [(path, frozenset())]
    while ahead:
        place, above = ahead.pop()
        with _refusals(place):
            info = _status(place, explicit=place == path)
            if not stat.S_ISDIR(info.st_mode):
                yield place, info
                continue
            here = (info.st_dev, info.st_ino)
            if here in above:
                raise InputError(f"{place}: a symbolic link leads back to a directory above it")
            if here not in seen:
                seen.add(here)
                inside = above | {here}
                ahead.extend((str(inner), inside) for inner in sorted(Path(place).iterdir(), reverse=True))


def _status(place: str, *, explicit: bool) -> os.stat_result:
    """What a path leads to; a link that leads nowhere matters only by the name of a trail file."""
    try:
        return Path(place).stat()
    except FileNotFoundError:
        if explicit or _has_ending(place):
            raise
        return Path(place).lstat()
    except ValueError as error:  # a path with a NUL
        raise InputError(f"{place}: cannot be read: {error}") from None


def _has_ending(path: str) -> bool:
    return path.lower().endswith(ENDINGS)
