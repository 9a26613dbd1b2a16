"""The hash chain that proves that nobody edited the audit trail. Pure."""

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from shared.model.audit import NO_PREVIOUS, AuditEntry


class ChainFault(StrEnum):
    """What can be wrong with a chain."""

    EDITED = "edited"  # the entry does not have the hash that it says
    BROKEN = "broken"  # the entry does not continue the one before
    MISSING = "missing"  # a sequence number is skipped or repeated


class ChainReport(NamedTuple):
    """Outcome of a verification: how many entries were good, and the first bad one, if any."""

    verified: int
    fault: ChainFault | None = None
    sequence: int | None = None
    message: str = ""

    @property
    def whole(self) -> bool:
        """Whether no fault was found."""
        return self.fault is None


def seal(entry: AuditEntry) -> AuditEntry:
    """The entry with its own hash filled in."""
    return entry.model_copy(update={"entry_hash": hash_of(entry)})


def hash_of(entry: AuditEntry) -> str:
    """SHA-256 (hex) of every field but the hash itself, as canonical JSON.

    Whole floats are written as integers, since DynamoDB does not tell 60 from 60.0.
    """
    fields = entry.model_dump(mode="json", exclude={"entry_hash"}, exclude_none=True)
    text = json.dumps(_canonical(fields), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def verify_chain(entries: Iterable[AuditEntry]) -> ChainReport:
    """Recompute one chain, oldest entry first, and name the first entry that is edited, out of line or missing."""
    previous, count = NO_PREVIOUS, 0
    for entry in entries:
        place = f"{entry.chain} #{entry.sequence}"
        if entry.sequence != count + 1:
            message = f"{place}: entry {count + 1} is missing"
            return ChainReport(count, ChainFault.MISSING, count + 1, message)
        if entry.entry_hash != hash_of(entry):
            return ChainReport(count, ChainFault.EDITED, entry.sequence, f"{place} was edited")
        if entry.previous_hash != previous:
            return ChainReport(count, ChainFault.BROKEN, entry.sequence, f"{place} does not continue the one before")
        previous, count = entry.entry_hash, count + 1
    return ChainReport(count)


def _canonical(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        # None and absence are the same to the table
        return {name: _canonical(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    return value
