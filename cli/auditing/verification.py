"""Verifying the deployed system's audit trail with the caller's own permissions, and what that says and can't say."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from cli.auditing.whom import UNIQUE_ID, whom
from services.auditor.verifying import TrailReport, gaps_of, verify_trail
from shared.aws.anchor_bucket import AnchorBucket
from shared.aws.deployed_account import DeployedAccount, StackFacts
from shared.aws.kms import AnchorKey
from shared.errors import InputError, NotFoundError
from shared.model.anchor import FaultKind, StoredAnchor
from shared.model.stored_entry import StoredEntry

RATE = re.compile(r"rate\((\d{1,5}) (minute|hour|day)s?\)")
UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
MISSED_RUNS = 3  # of the schedule, after which the newest anchor is too old
LEAST_PATIENCE = timedelta(hours=1)
DAILY = timedelta(days=1, hours=6)  # for a schedule whose interval isn't plain to see
MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)

Step = Callable[[int, str], None]  # is told what was read: a count, and of what


class Verification(NamedTuple):
    """What was found. `findings` are faults that no entry and no anchor has by itself, in words.

    `first_anchored_at` is the time of the first anchor, `recorded_from` that of the oldest entry.
    `unchecked_signatures` says that anchors are signed by a key that the stack doesn't name (any more). `gaps` are the
    times between two anchors that are longer than the schedule explains.
    """

    account_id: str
    report: TrailReport
    findings: tuple[str, ...]
    first_anchored_at: datetime | None
    recorded_from: datetime | None
    unchecked_signatures: bool = False
    gaps: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return self.report.whole and not self.findings


def verify(account: DeployedAccount, who: str | None, *, now: datetime, step: Step) -> Verification:
    """Verify the whole trail, or one identity's chain, against all anchors.

    Raises DependencyError where entries or anchors can't be read: then nothing is verified.
    """
    facts = account.stack
    # of an id nothing needs to be known: who removed a chain may have removed all else
    identity_id = who if who is None or UNIQUE_ID.fullmatch(who) else whom(who, account).identity_id
    only = f"{facts.account_id}/{identity_id}" if identity_id else None
    watched = Watched(account, step)
    key_id = facts.outputs.get("AnchorSigningKeyId")
    patience = patience_with(facts.parameters.get("AnchorSchedule", ""))
    report = verify_trail(
        watched.chain,
        watched.anchors(),
        watched.registry(),
        shown=() if only else watched.shown(),
        only={only} if only else None,
        signed=AnchorKey(account.client("kms"), key_id).verify if key_id else None,
    )
    if only and watched.has_nothing_of(only, report):
        raise InputError(f"nothing is recorded of {who}, and no anchor says otherwise")
    return Verification(
        facts.account_id,
        report,
        tuple(_findings(facts, report, watched, patience, now)),
        watched.first_anchored_at,
        watched.recorded_from,
        unchecked_signatures=watched.has_signatures and not key_id,
        gaps=tuple(gaps_of(report.anchor_times, patience)),
    )


def _findings(
    facts: StackFacts, report: TrailReport, watched: "Watched", patience: timedelta, now: datetime
) -> Iterator[str]:
    if overdue := overdue_anchor(report.anchored_at, watched.recorded_from, patience=patience, now=now):
        yield overdue
    if facts.outputs.get("AnchorSigningKeyId") and report.anchored_at and not watched.has_signatures:
        yield "the stack signs anchors, but none has a signature: right only until the first run that signs"


class Watched:
    """Reads the trail, and notes on the way when it began, whom it names, and whether anchors carry signatures."""

    def __init__(self, account: DeployedAccount, step: Step) -> None:
        self._account = account
        self._step = step
        self.first_anchored_at: datetime | None = None
        self.recorded_from: datetime | None = None
        self.has_signatures = False
        self._named: set[str] = set()

    def anchors(self) -> Iterator[StoredAnchor]:
        """All anchors in order. Raises NotFoundError where the stack doesn't say where they are."""
        facts = self._account.stack
        bucket = facts.outputs.get("AuditAnchorBucketName")
        if not bucket:
            raise NotFoundError(
                f"stack {self._account.stack_name} has no output AuditAnchorBucketName: is it up to date?"
            )
        adapter = AnchorBucket(self._account.client("s3"), bucket, owner_account_id=facts.account_id)
        for stored in adapter.anchors(facts.account_id):
            self._step(1, "anchors")
            if self.first_anchored_at is None:
                self.first_anchored_at = moment_in(stored.content or {}, "anchored_at")
            self._note(stored.content or {})
            yield stored

    def shown(self) -> Iterator[StoredEntry]:
        """Whatever queries of the account show."""
        for entry in self._account.audit.raw_account(self._account.stack.account_id):
            self._step(1, "entries by time")
            yield entry

    def registry(self) -> Iterator[str]:
        """The names of all chains."""
        for chain in self._account.audit.chains(self._account.stack.account_id):
            self._named.add(chain)
            yield chain

    def chain(self, chain: str) -> Iterable[StoredEntry]:
        """The entries of one chain."""
        for entry in self._account.audit.raw_chain(chain):
            self._step(1, "entries")
            if entry.head.sequence == 1 and (moment := moment_in(entry.attributes, "recorded_at")):
                self.recorded_from = min(moment, self.recorded_from or moment)
            yield entry

    def has_nothing_of(self, chain: str, report: TrailReport) -> bool:
        """Whether a chain was never there, as far as list and anchors know, and nothing else is wrong."""
        missed = all((fault.chain, fault.kind) == (chain, FaultKind.REMOVED) for fault in report.faults)
        return not report.entries and missed and chain not in self._named

    def _note(self, content: Mapping[str, Any]) -> None:
        self.has_signatures = self.has_signatures or "signature" in content
        heads = content.get("heads")
        self._named.update(heads if isinstance(heads, Mapping) else ())


def moment_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    """A time in what is stored; None where it can't be read, which the verification itself tells."""
    try:
        return MOMENT.validate_python(fields.get(name)).astimezone(UTC)
    except (ValidationError, OverflowError):
        return None


def patience_with(schedule: str) -> timedelta:
    """How old the newest anchor may be; any other schedule than a plain rate has to come once a day at least."""
    found = RATE.fullmatch(schedule)
    return max(MISSED_RUNS * int(found[1]) * UNITS[found[2]], LEAST_PATIENCE) if found else DAILY


def overdue_anchor(
    anchored_at: datetime | None, recorded_from: datetime | None, *, patience: timedelta, now: datetime
) -> str | None:
    """What is wrong where anchors stopped, or never came: nobody can tell a failed schedule from removed anchors."""
    since = anchored_at or recorded_from
    if since is None or now - since <= patience:
        return None
    if anchored_at is None:
        return f"no anchor covers the trail, which began {told(since)}: anchors were never written, or were removed"
    return f"the newest anchor is of {told(since)}: anchors stopped, or newer ones were removed"


def told(moment: datetime) -> str:
    """A time for people."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
