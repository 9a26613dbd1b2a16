"""What a share of the trail files adds up to, read by one process."""

import heapq
from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from cli.reading_trails.event_ids import EventIds
from cli.reading_trails.files import OnProgress, TrailFile, read_trail
from services.scorer.trail.reader import Unreadable
from services.scorer.trail.record import Record
from services.scorer.usage.tally import Tally
from shared.iam.operations import OperationMap

FEED = "files"
TOLD = 100  # unreadable places that are told one by one


class Window(NamedTuple):
    """The time that is asked about: from `since` on and before `until`, None for any."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)


class UnreadPlace(NamedTuple):
    """Where in which file something could not be read, and why."""

    file: str
    position: int
    reason: str


class Unread:
    """How many places could not be read, and the first TOLD of them in the order of files and positions."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[UnreadPlace] = []

    def add(self, file: str, places: list[Unreadable]) -> None:
        """Note the places of a batch."""
        self.count += len(places)
        self._keep(UnreadPlace(file, place.position, place.reason) for place in places)

    def join(self, other: "Unread") -> None:
        """Note what another process noted."""
        self.count += other.count
        self._keep(other.first)

    def _keep(self, places: Iterable[UnreadPlace]) -> None:
        self.first = heapq.nsmallest(TOLD, [*self.first, *places])


class Sum(NamedTuple):
    """What a process sends back: all that it read, and where in the file of its ids these lie."""

    tally: Tally
    unread: Unread
    records: int
    outside: int
    later: dict[str, datetime]
    id_places: "array[int]"


class Reading:
    """Records of some files, added up: what they tell, and how many of what kind there were."""

    def __init__(self, operations: OperationMap, window: Window, ids: EventIds) -> None:
        self._window = window
        self.tally = Tally(operations, feed=FEED)
        self.ids = ids
        self.unread = Unread()
        self.records = 0
        self.outside = 0
        self.later: dict[str, datetime] = {}  # the first time after the window, by account

    def read(self, trail: TrailFile, on_progress: OnProgress) -> None:
        """Add a file; raises InputError where the system can't read it."""
        for batch in read_trail(trail, on_progress):
            records = batch.records
            self.records += len(records)
            self.ids.add([record.event_id for record in records])
            if batch.unreadable:
                self.unread.add(trail.name, batch.unreadable)
            if any(self._window):
                records = [record for record in records if self._window.holds(record.event_time)]
                self.outside += len(batch.records) - len(records)
                if len(records) < len(batch.records):
                    self._note_later(batch.records)
            self.tally.add(records)

    def summed(self) -> Sum:
        """What is sent to the process that adds everything up; the ids stay in their file."""
        self.ids.put_away()
        return Sum(self.tally, self.unread, self.records, self.outside, self.later, self.ids.places)

    def join(self, sum_: Sum) -> None:
        """Add what another process read, but for its ids, which are counted together at the end."""
        self.tally.join(sum_.tally)
        self.unread.join(sum_.unread)
        self.records += sum_.records
        self.outside += sum_.outside
        for account_id, first in sum_.later.items():
            self._note_first(account_id, first)

    def _note_later(self, records: Iterable[Record]) -> None:
        """Note whose records there are after the window: without them "no record" would be said of these accounts."""
        until = self._window.until
        for record in records:
            if until is not None and record.event_time >= until:
                who = record.user_identity
                account_id = record.recipient_account_id or (who.account_id if who else None)
                if account_id:
                    self._note_first(account_id, record.event_time)

    def _note_first(self, account_id: str, at: datetime) -> None:
        self.later[account_id] = min(self.later.get(account_id, at), at)
