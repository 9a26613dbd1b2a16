"""The audit table: append only, one chain per identity.

| pk | sk | holds |
|---|---|---|
| `CHAIN#<chain>` | `<sequence, 12 digits>` | one AuditEntry, with the index keys `compliance_key` and `sort_time` |
| `EVENT#<event id>` | `RECORDED` | where this event's entry is, so that recording it again does nothing |
| `EVENT#<event id>` | `NOTIFIED` | that the security team was told |

Indexes, each a Query and never a Scan: `by_account` (changes of an account between two times), `by_plan` (one plan's
story), `by_compliance` (`<account id>#<compliance>`, newest first). The role can put and read, never update or delete.
"""

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError
from shared.model.audit import AuditEntry
from shared.model.plan import Compliance

MAX_ATTEMPTS = 10  # of appending to a chain that others append to as well
KEYS = frozenset({"pk", "sk", "sort_time", "compliance_key"})


class AuditTable:
    """Appends to and reads the audit trail."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def append(self, event_id: str, chain: str, build: Callable[[AuditEntry | None], AuditEntry]) -> bool:
        """Append the entry that `build` makes of the chain's head (None for an empty chain), once per event id.

        Returns False when the event was recorded before. Raises ConflictError when other writers kept winning.
        """
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 jitter, not a secret
            if self._table.get(f"EVENT#{event_id}", "RECORDED"):
                return False
            entry = build(self.head(chain))
            marker = {"pk": f"EVENT#{event_id}", "sk": "RECORDED", "chain": chain, "sequence": entry.sequence}
            try:
                self._table.put_all_new([_entry_item(entry), marker])
            except ConflictError:
                continue
            return True
        raise ConflictError(f"audit chain {chain}: other writers won {MAX_ATTEMPTS} times")

    def head(self, chain: str) -> AuditEntry | None:
        """Newest entry of a chain."""
        newest = self._table.query(f"CHAIN#{chain}", newest_first=True, limit=1)
        return next(map(_entry_of, newest), None)

    def chain(self, chain: str) -> Iterator[AuditEntry]:
        """Entries of one chain, oldest first, all pages."""
        return map(_entry_of, self._table.query(f"CHAIN#{chain}"))

    def of_account(self, account_id: str, *, since: datetime) -> Iterator[AuditEntry]:
        """Entries of one account from `since` on, oldest first."""
        index = ("by_account", "account_id", "sort_time")
        return map(_entry_of, self._table.query(account_id, index=index, sk_from=sortable(since)))

    def of_plan(self, plan_id: str) -> Iterator[AuditEntry]:
        """The story of one plan, oldest first."""
        return map(_entry_of, self._table.query(plan_id, index=("by_plan", "plan_id", "sort_time")))

    def of_compliance(self, account_id: str, compliance: Compliance) -> Iterator[AuditEntry]:
        """Verdicts of one kind in an account, newest first."""
        key, index = f"{account_id}#{compliance}", ("by_compliance", "compliance_key", "sort_time")
        return map(_entry_of, self._table.query(key, index=index, newest_first=True))

    def was_notified(self, event_id: str) -> bool:
        """Whether the security team was told of this event."""
        return self._table.get(f"EVENT#{event_id}", "NOTIFIED") is not None

    def note_notified(self, event_id: str, *, now: datetime) -> None:
        """Remember that the security team was told; saying it twice is fine."""
        item = {"pk": f"EVENT#{event_id}", "sk": "NOTIFIED", "notified_at": sortable(now)}
        try:
            self._table.put(item, condition=ABSENT)
        except ConflictError:
            return


def _entry_item(entry: AuditEntry) -> Item:
    fields = entry.model_dump(mode="json", exclude_none=True)
    item = {
        "pk": f"CHAIN#{entry.chain}",
        "sk": f"{entry.sequence:012d}",
        "sort_time": f"{sortable(entry.occurred_at)}#{entry.event_id}",
        **fields,
    }
    if entry.compliance:
        item["compliance_key"] = f"{entry.account_id}#{entry.compliance}"
    return item


def _entry_of(item: Item) -> AuditEntry:
    return AuditEntry.model_validate({name: value for name, value in item.items() if name not in KEYS})
