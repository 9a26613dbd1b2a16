"""What was last read of a whole account (its inventory, its principals), kept on DynamoDB in pieces.

Items, all in the partition `ACCOUNT#<account id>`:

| sk | holds |
|---|---|
| `SNAPSHOT#<name>` | the pointer: which version is the current one, its length and its SHA-256 |
| `SNAPSHOT#<name>#CLAIM` | the number of the newest version that a writer has begun |
| `SNAPSHOT#<name>#<slot>#<place>` | a piece of a version, with the version's number |

A writer claims a number that nobody else has, writes the pieces of the version into one of eight slots, and only then
points to them: a writer that dies between leaves the old version in force. Slots are used in turn, except for the one
in force, so that nothing needs to be deleted, and two writers share a slot only when one is eight versions late. A
reader accepts what it read only if every piece is of the version that the pointer names, and all have its hash.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError, DependencyError, InputError

MAX_PIECE = 350_000  # bytes; an item may have 400 KB
MAX_PIECES = 100
SLOTS = 8
MAX_TRIES = 8  # of a reader or a writer that somebody else was faster than
_NAME = re.compile(r"[a-z][a-z_]{0,31}")


class Snapshot(NamedTuple):
    """Content as it was put, and the time that it tells of (UTC)."""

    content: bytes
    at: datetime


class _Pointer(NamedTuple):
    """The version in force: compressed length in pieces, and what its content must hash to."""

    version: int
    slot: int
    pieces: int
    sha256: str
    at: datetime


class AccountSnapshots:
    """Stores and reads named snapshots of accounts; a mixed or torn one is never returned."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, account_id: str, name: str, content: bytes, *, at: datetime) -> None:
        """Make `content` the account's snapshot of that name, unless one of a later time is in force already.

        Raises InputError when it is larger than 35 MB compressed, DependencyError when other writers keep coming first.
        """
        pk, sk = _account(account_id), _key(name)
        packed = gzip.compress(content, compresslevel=6, mtime=0)
        pieces = [packed[start : start + MAX_PIECE] for start in range(0, len(packed), MAX_PIECE)]
        if len(pieces) > MAX_PIECES:
            raise InputError(f"snapshot {name}: {len(packed)} bytes compressed are more than can be kept")
        version, slot = self._claim(pk, sk)
        for place, piece in enumerate(pieces):
            self._table.put({"pk": pk, "sk": f"{sk}#{slot}#{place:03d}", "snapshot_version": version, "piece": piece})
        pointer = {
            "pk": pk,
            "sk": sk,
            "snapshot_version": version,
            "slot": slot,
            "pieces": len(pieces),
            "sha256": hashlib.sha256(content).hexdigest(),
            "sort_time": sortable(at),
        }
        newer = "sort_time < :sort_time OR (sort_time = :sort_time AND snapshot_version < :version)"
        try:
            self._table.put(
                pointer, condition=f"{ABSENT} OR {newer}", values={":sort_time": sortable(at), ":version": version}
            )
        except ConflictError:
            return  # a later reading of the account is in force: it is the better one

    def get(self, account_id: str, name: str) -> Snapshot | None:
        """The snapshot in force, or None where none was ever put.

        Raises DependencyError where what is stored does not fit together.
        """
        pk, sk = _account(account_id), _key(name)
        seen: int | None = None
        while (pointer := self._pointer(pk, sk)) is not None:
            content = self._content(pk, sk, pointer)
            if content is not None:
                return Snapshot(content, pointer.at)
            if pointer.version == seen:
                raise DependencyError(f"snapshot {name}: the pieces of version {seen} don't fit together")
            seen = pointer.version  # somebody may have put a new one meanwhile
        return None

    def version(self, account_id: str, name: str) -> int | None:
        """The version in force, or None where none was ever put: the same one has the same content for good."""
        pointer = self._pointer(_account(account_id), _key(name))
        return None if pointer is None else pointer.version

    def _claim(self, pk: str, sk: str) -> tuple[int, int]:
        """A version number that is nobody else's, and a slot that isn't in force."""
        for _ in range(MAX_TRIES):
            claimed = self._table.get(pk, f"{sk}#CLAIM")
            current = self._pointer(pk, sk)
            version = (int(claimed["snapshot_version"]) if claimed else 0) + 1
            if current is not None and version % SLOTS == current.slot:
                version += 1
            try:
                self._table.put(
                    {"pk": pk, "sk": f"{sk}#CLAIM", "snapshot_version": version},
                    condition=f"{ABSENT} OR snapshot_version < :version",
                    values={":version": version},
                )
            except ConflictError:
                continue
            return version, version % SLOTS
        raise DependencyError(f"{sk}: other writers came first {MAX_TRIES} times")

    def _pointer(self, pk: str, sk: str) -> _Pointer | None:
        item = self._table.get(pk, sk)
        if item is None:
            return None
        return _Pointer(
            version=int(item["snapshot_version"]),
            slot=int(item["slot"]),
            pieces=int(item["pieces"]),
            sha256=str(item["sha256"]),
            at=datetime.fromisoformat(item["sort_time"]),
        )

    def _content(self, pk: str, sk: str, pointer: _Pointer) -> bytes | None:
        """What a pointer points to, or None where that is not whole."""
        packed = b"".join(self._pieces(pk, sk, pointer))
        try:
            content = gzip.decompress(packed)
        except (OSError, EOFError, zlib.error):
            return None
        return content if hashlib.sha256(content).hexdigest() == pointer.sha256 else None

    def _pieces(self, pk: str, sk: str, pointer: _Pointer) -> Iterator[bytes]:
        items = self._table.query(pk, sk_prefix=f"{sk}#{pointer.slot}#")
        own = (item for item in items if item["snapshot_version"] == pointer.version)
        return (_bytes(item) for _, item in zip(range(pointer.pieces), own, strict=False))


def _bytes(item: Item) -> bytes:
    return bytes(item["piece"])


def _account(account_id: str) -> str:
    return f"ACCOUNT#{account_id}"


def _key(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"no name of a snapshot: {name!r}")
    return f"SNAPSHOT#{name}"
