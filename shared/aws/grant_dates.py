"""Since when identities have had their policies, on DynamoDB.

Items of the scores table, in the partition `GRANTS#<account id>` with the unique id as their sort key. Read for a whole
account by one Query, or for one identity by one GetItem; written only where a look found a change.
"""

import logging

from pydantic import ValidationError

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError
from shared.model.grant_dates import SeenGrants
from shared.model.identity import IdentityDetail, IdentityRef

_KEYS = frozenset({"pk", "sk", "sort_time"})
logger = logging.getLogger(__name__)


class GrantDates:
    """Reads and notes grant dates; an item that can't be read counts as none, so that its grants count as young."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, account_id: str, identity_id: str) -> SeenGrants | None:
        """What was noted of one identity, or None where nothing was."""
        item = self._table.get(_partition(account_id), identity_id)
        return None if item is None else _seen(item)

    def read_all(self, account_id: str) -> dict[str, SeenGrants]:
        """What was noted of every identity of an account, by unique id."""
        items = self._table.query(_partition(account_id))
        read = ((item["sk"], _seen(item)) for item in items)
        return {identity_id: seen for identity_id, seen in read if seen is not None}

    def note(self, detail: IdentityDetail, before: SeenGrants | None) -> SeenGrants:
        """Note the policies that `detail` holds after what was noted `before`; returns what is known by now.

        No call where nothing changed. Where somebody else noted a change meanwhile, theirs stands, and the next look
        notes what it lacks: what is not noted counts as given just now.
        """
        seen = SeenGrants.noted(before, detail)
        if seen is before:
            return seen
        try:
            self._put(detail.ref, seen, before)
        except ConflictError:
            logger.info("somebody else noted the grants of %s", detail.ref.identity_id)
            return self.read(detail.ref.account_id, detail.ref.identity_id) or seen
        return seen

    def _put(self, ref: IdentityRef, seen: SeenGrants, before: SeenGrants | None) -> None:
        item = {
            "pk": _partition(ref.account_id),
            "sk": ref.identity_id,
            "sort_time": sortable(seen.seen_at),
            **seen.model_dump(mode="json"),
        }
        if before is not None:
            self._table.put(item, condition="sort_time = :before", values={":before": sortable(before.seen_at)})
            return
        # An unreadable item is replaced like none; one of a later look is not.
        replaceable = f"{ABSENT} OR attribute_not_exists(sort_time) OR sort_time < :now"
        self._table.put(item, condition=replaceable, values={":now": item["sort_time"]})


def _seen(item: Item) -> SeenGrants | None:
    content = {name: value for name, value in item.items() if name not in _KEYS}
    try:
        return SeenGrants.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        logger.warning("unreadable grant dates %s: %s: %s", item["sk"], first["loc"][:1], first["type"])
        return None


def _partition(account_id: str) -> str:
    return f"GRANTS#{account_id}"
