"""The audit table: append only, one chain per identity and one for the account.

| pk | sk | holds |
|---|---|---|
| `CHAIN#<chain>` | `<sequence, 12 digits>` | one AuditEntry, with the keys `sort_time`, `type_key`, `compliance_key` |
| `CHAINS#<account id>` | `<owner>` | that the chain `<account id>/<owner>` exists, so that all chains can be listed |
| `EVENT#<event id>` | `RECORDED` | where this event's entry is, so that recording it again does nothing |

A marker is believed only where the entry that it names records this event: whoever writes one for an event to come, or
tells of something else under its id, keeps nothing out of the trail.

Indexes, each a Query and never a Scan: `by_account` (changes of an account between two times), `by_type` (events of one
type, `<account id>#<event type>`; entries since version 2), `by_plan` (one plan's story), `by_compliance` (`<account
id>#<compliance>`). The role can put and read, never update or delete.

Whoever reads names times: `since` counts itself, `until` doesn't. Pages of 100 items are asked for as they are needed.
In place of an entry that was edited or forged readers get one of type NOT_AS_RECORDED that says no more than that.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from shared.aws.dynamodb import Item, Table, sortable
from shared.errors import ConflictError
from shared.model.audit import NOT_AS_RECORDED, AuditEntry, shown_entry
from shared.model.plan import Compliance
from shared.model.stored_entry import LAST, Head, StoredEntry, place_of

MAX_ATTEMPTS = 10  # of appending to a chain that others append to as well
PAGE_ITEMS = 100
REGISTERED_SINCE = 2  # the version of entries whose writer lists each new chain
CLOCK_MARGIN = timedelta(days=1)  # how much later than it was recorded an event may say it occurred


class Appended(StrEnum):
    """What became of an event that was to be recorded."""

    NEW = "new"
    REPEATED = "repeated"  # it was recorded before
    CONTESTED = "contested"  # its id stands for another event, or for none: it is not recorded under this id


class AuditTable:
    """Appends to and reads the audit trail."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def append(self, event_id: str, chain: str, build: Callable[[Head | None], AuditEntry]) -> Appended:
        """Append the entry that `build` makes of the chain's head (None for an empty chain), once per event id.

        Entry, marker and, for a new chain, its place in the list of chains are written together or not at all. Raises
        ConflictError when other writers kept winning, or somebody put what is no entry at the chain's last place.
        """
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 jitter, not a secret
            newest = self._newest(chain)
            entry = build(newest.head if newest else None)
            if entry.sequence > LAST:
                raise ConflictError(f"audit chain {chain}: no place is left behind what somebody put at its end")
            marker = {"pk": f"EVENT#{event_id}", "sk": "RECORDED", "chain": chain, "sequence": entry.sequence}
            try:
                self._table.put_all_new([_item_of(entry), marker], also=_registration(chain, newest))
            except ConflictError:
                if found := self._table.get(f"EVENT#{event_id}", "RECORDED"):
                    recorded = self._marked(found)
                    return Appended.REPEATED if recorded and entry.records_as(recorded) else Appended.CONTESTED
                continue
            return Appended.NEW
        raise ConflictError(f"audit chain {chain}: other writers won {MAX_ATTEMPTS} times")

    def chains(self, account_id: str) -> Iterator[str]:
        """Names of the account's chains, in order.

        One to which only a version before the list of chains wrote is missing until its next entry.
        """
        for item in self._table.query(f"CHAINS#{account_id}", page_size=PAGE_ITEMS):
            yield f"{account_id}/{item['sk']}"

    def raw_chain(self, chain: str, *, from_sequence: int = 1) -> Iterator[StoredEntry]:
        """Entries of one chain as they are stored, oldest first, in pages of 1 MB: what verification needs."""
        first = place_of(from_sequence) if from_sequence > 1 else None
        return map(StoredEntry, self._table.query(f"CHAIN#{chain}", sk_from=first))

    def raw_account(self, account_id: str) -> Iterator[StoredEntry]:
        """Whatever queries show of an account, as it is stored, in pages of 1 MB: entries, and what was put among them.

        It is read from an index, which may lag behind the table by a moment.
        """
        return map(StoredEntry, self._table.query(account_id, index=("by_account", "account_id", "sort_time")))

    def head(self, chain: str) -> AuditEntry | None:
        """Newest entry of a chain."""
        newest = self._newest(chain)
        return shown_entry(newest) if newest else None

    def at(self, chain: str, sequence: int) -> AuditEntry | None:
        """The entry at one place of a chain."""
        item = self._table.get(f"CHAIN#{chain}", place_of(sequence))
        return shown_entry(StoredEntry(item)) if item else None

    def of_event(self, event_id: str) -> AuditEntry | None:
        """The entry that records an event."""
        marker = self._table.get(f"EVENT#{event_id}", "RECORDED")
        stored = self._marked(marker) if marker else None
        return shown_entry(stored) if stored else None

    def chain(
        self,
        chain: str,
        *,
        from_sequence: int = 1,
        until_sequence: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditEntry]:
        """Entries of one chain in the order in which they were recorded; both places are inclusive."""
        if until_sequence is not None and until_sequence < from_sequence:
            return iter(())
        items = self._table.query(
            f"CHAIN#{chain}",
            sk_from=place_of(from_sequence) if from_sequence > 1 else None,
            sk_until=place_of(until_sequence) if until_sequence is not None else None,
            newest_first=newest_first,
            page_size=PAGE_ITEMS,
        )
        return _shown(items)

    def of_identity(
        self,
        account_id: str,
        identity_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        from_sequence: int = 1,
        until_sequence: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditEntry]:
        """The history of an identity in the order in which it was recorded; `account` is the account's own.

        Both places in the chain are inclusive: they let a reader go on where it stopped.
        """
        entries = self.chain(
            f"{account_id}/{identity_id}",
            from_sequence=from_sequence,
            until_sequence=until_sequence,
            newest_first=newest_first,
        )
        for entry in entries:
            proper = entry.event_type != NOT_AS_RECORDED
            if newest_first and since is not None and proper and entry.recorded_at < since - CLOCK_MARGIN:
                return  # what was recorded even earlier had not occurred later
            if (since is None or since <= entry.occurred_at) and (until is None or entry.occurred_at < until):
                yield entry

    def of_account(
        self,
        account_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditEntry]:
        """Entries of one account in the order of their time."""
        return self._by("by_account", "account_id", account_id, since, until, newest_first=newest_first)

    def of_type(
        self,
        account_id: str,
        event_type: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> Iterator[AuditEntry]:
        """Entries of one type of event in an account, in the order of their time; none of version 1."""
        return self._by("by_type", "type_key", f"{account_id}#{event_type}", since, until, newest_first=newest_first)

    def of_plan(self, plan_id: str) -> Iterator[AuditEntry]:
        """The story of one plan, oldest first."""
        return self._by("by_plan", "plan_id", plan_id, None, None, newest_first=False)

    def of_compliance(
        self,
        account_id: str,
        compliance: Compliance,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = True,
    ) -> Iterator[AuditEntry]:
        """Verdicts of one kind in an account, newest first unless asked otherwise."""
        key = f"{account_id}#{compliance}"
        return self._by("by_compliance", "compliance_key", key, since, until, newest_first=newest_first)

    def _newest(self, chain: str) -> StoredEntry | None:
        """The chain's end: the newest entry that stands right behind another, or first.

        What somebody put behind it, under another key or further off, does not end the chain.
        """
        newest = self._table.query(f"CHAIN#{chain}", sk_until=place_of(LAST), newest_first=True, page_size=2)
        above: StoredEntry | None = None
        for stored in map(StoredEntry, newest):
            if above and above.head.sequence == stored.head.sequence + 1:
                return above
            if stored.head.sequence:
                above = stored
        return above if above and above.head.sequence == 1 else None

    def _marked(self, marker: Item) -> StoredEntry | None:
        """The entry that a marker names, if it is there."""
        chain, sequence = marker.get("chain"), marker.get("sequence")
        if not isinstance(chain, str) or not isinstance(sequence, int) or not 0 < sequence <= LAST:
            return None
        item = self._table.get(f"CHAIN#{chain}", place_of(sequence))
        return StoredEntry(item) if item else None

    def _by(
        self,
        index: str,
        attribute: str,
        key: str,
        since: datetime | None,
        until: datetime | None,
        *,
        newest_first: bool,
    ) -> Iterator[AuditEntry]:
        if since is not None and until is not None and until <= since:
            return iter(())
        items = self._table.query(
            key,
            index=(index, attribute, "sort_time"),
            sk_from=sortable(since) if since else None,
            sk_until=sortable(until) if until else None,  # less than any key of this time, which goes on behind it
            newest_first=newest_first,
            page_size=PAGE_ITEMS,
        )
        return _shown(items)


def _registration(chain: str, newest: StoredEntry | None) -> list[Item]:
    """The chain's place in the list of chains, where its last writer may not have noted it."""
    version = newest.attributes.get("schema_version") if newest else None
    if isinstance(version, int) and version >= REGISTERED_SINCE:
        return []
    account_id, owner = chain.split("/", 1)
    return [{"pk": f"CHAINS#{account_id}", "sk": owner, "chain": chain}]


def _item_of(entry: AuditEntry) -> Item:
    return dict(StoredEntry.of(entry.fields()).attributes)


def _shown(items: Iterable[Item]) -> Iterator[AuditEntry]:
    """Entries for whoever reads: one that is none aborts no query."""
    return (entry for item in items if (entry := shown_entry(StoredEntry(item))))
