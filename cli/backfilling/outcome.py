"""What a backfill did: counted as it goes, told at the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cli.answers import printable
from services.scorer.usage.folded import Folded
from shared.model.usage import IdentityKey

MAX_LISTED = 100  # of what could not be read


@dataclass(slots=True)
class Outcome:
    """Counts of one run. `writes` is what was written to the ledger, `entries` and `days` what it was told.

    `bytes` are those of the log files as stored, or those that Athena scanned. An object that could not be read, in
    `failed`, or what the ledger could not take, in `not_stored`, makes the run fail; what is `unreadable` within an
    object doesn't. `partial` are the accounts of which regions were left out, so that no day of theirs counts as seen.
    """

    dry_run: bool
    finished: date | None = None
    objects: int = 0
    bytes: int = 0
    records: int = 0
    entries: int = 0
    days: int = 0
    writes: int = 0
    unreadable: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    callers: Counter[str] = field(default_factory=Counter)
    identities: set[IdentityKey] = field(default_factory=set)
    listed: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    not_stored: list[dict[str, str]] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)

    @property
    def problems(self) -> int:
        """How often something went wrong until now."""
        return len(self.failed) + len(self.not_stored)

    def note_folded(self, folded: Folded) -> None:
        """Count what a part of the records came to."""
        self.records += folded.records
        self.skipped.update({str(reason): count for reason, count in folded.skipped.items()})
        self.callers.update({str(kind): count for kind, count in folded.callers.items()})
        self.identities.update(folded.usages)
        self.entries += sum(len(usage.entries) for usage in folded.usages.values())
        self.days += sum(len(coverage.days) for coverage in folded.coverage.values())

    def note_unreadable(self, key: str, position: int | None, reason: str, *, count: int = 1) -> None:
        """Count what could not be read, and list the first of it."""
        self.unreadable += count
        if len(self.listed) < MAX_LISTED:
            self.listed.append({"key": printable(key), "position": position, "reason": printable(reason)})

    def note_failed(self, key: str, reason: str) -> None:
        """Keep every object that could not be read: its key is what the next run needs."""
        self.failed.append({"key": printable(key), "reason": printable(reason)})

    def note_not_stored(self, account_id: str, reason: str) -> None:
        """Keep what the ledger could not take, and whose it is."""
        self.not_stored.append({"account": account_id, "reason": printable(reason)})

    def answer(self, **about: Any) -> Mapping[str, Any]:
        """Everything, as JSON takes it."""
        return {
            **about,
            "dry_run": self.dry_run,
            "last_finished_day": self.finished.isoformat() if self.finished else None,
            "objects": self.objects,
            "bytes": self.bytes,
            "records": self.records,
            "identities": len(self.identities),
            "ledger": {"entries": self.entries, "days": self.days, "writes": self.writes},
            "callers": dict(sorted(self.callers.items())),
            "skipped": dict(sorted(self.skipped.items()))
            | ({"unreadable": self.unreadable} if self.unreadable else {}),
            "unreadable": self.listed,
            "failed": self.failed,
            "not_stored": self.not_stored,
            "without_coverage": self.partial,
        }
