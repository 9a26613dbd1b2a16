"""Current scores and verdicts on DynamoDB (their history is in the audit table).

Items and access patterns, all in the partition `ACCOUNT#<account id>`:

| sk | holds | written by |
|---|---|---|
| `SCORE#<identity id>` | the current Score and what was published of it | scorer |
| `VERDICT#<identity id>` | the current Verdict | evaluator |
| `NAME#<user or role>#<name>` | which identity was last seen under a name | scorer |

The scorer keeps more in the same table: sweep_table.py, account_snapshots.py, grant_dates.py and score_trend.py.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError
from shared.model.identity import IdentityRef, IdentityType
from shared.model.plan import Verdict
from shared.model.score import Score, StoredScore

SCORE_ATTRIBUTES = frozenset({"pk", "sk", "write_version", "present", "retired_at", "announced", "announcements"})
VERDICT_ATTRIBUTES = frozenset({"pk", "sk", "sort_time"})
logger = logging.getLogger(__name__)


class ScoreTable:
    """Reads and writes the current scores and verdicts of accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, account_id: str, identity_id: str) -> StoredScore | None:
        """Score of one identity, or None where it was never scored or this version can't read it, which is logged."""
        item = self._table.get(_account(account_id), f"SCORE#{identity_id}")
        return None if item is None else _stored(item)

    def scores(self, account_id: str) -> Iterator[StoredScore]:
        """Score of every identity of the account that still exists, all pages, but those that can't be read."""
        for item in self._table.query(_account(account_id), sk_prefix="SCORE#"):
            if item["present"] and (stored := _stored(item)):
                yield stored

    def put(self, stored: StoredScore) -> StoredScore:
        """Store the successor of what was read; returns it as stored.

        A score that can't be read is replaced like none, but what was announced of it counts on. Raises ConflictError
        when another writer was first.
        """
        try:
            return self._put(stored)
        except ConflictError:
            identity = stored.score.identity
            item = self._table.get(_account(identity.account_id), f"SCORE#{identity.identity_id}")
            if stored.version or item is None or _stored(item):
                raise
            return self._put(replace(stored, **_counts(item)))

    def _put(self, stored: StoredScore) -> StoredScore:
        identity = stored.score.identity
        self._table.put(
            {
                "pk": _account(identity.account_id),
                "sk": f"SCORE#{identity.identity_id}",
                "write_version": stored.version + 1,
                "present": stored.present,
                "retired_at": stored.retired_at and sortable(stored.retired_at),
                "announced": stored.announced,
                "announcements": stored.announcements,
                **stored.score.model_dump(mode="json"),
            },
            condition=f"{ABSENT} OR write_version = :previous",
            values={":previous": stored.version},
        )
        return replace(stored, version=stored.version + 1)

    def verdict(self, identity: IdentityRef) -> Verdict | None:
        """Current verdict on one identity, or None where there is none, or this version can't read it."""
        item = self._table.get(_account(identity.account_id), f"VERDICT#{identity.identity_id}")
        return None if item is None else _verdict(item)

    def verdicts(self, account_id: str) -> Iterator[Verdict]:
        """Current verdict on every identity of the account, all pages, but those that can't be read."""
        items = self._table.query(_account(account_id), sk_prefix="VERDICT#")
        return (verdict for verdict in map(_verdict, items) if verdict)

    def put_verdict(self, verdict: Verdict) -> None:
        """Store the current verdict; a verdict that was judged earlier never replaces a later one (ConflictError)."""
        identity = verdict.identity
        self._table.put(
            {
                "pk": _account(identity.account_id),
                "sk": f"VERDICT#{identity.identity_id}",
                "sort_time": sortable(verdict.judged_at),
                **verdict.model_dump(mode="json"),
            },
            condition=f"{ABSENT} OR sort_time <= :sort_time",
            values={":sort_time": sortable(verdict.judged_at)},
        )

    def holder(self, account_id: str, identity_type: IdentityType, name: str) -> IdentityRef | None:
        """The identity that was last seen under a name, or None where none was; it may be gone by now."""
        item = self._table.get(_account(account_id), _name(identity_type, name))
        if item is None:
            return None
        return IdentityRef(account_id=account_id, identity_id=item["identity_id"], arn=item["arn"])

    def put_holder(self, identity: IdentityRef, *, seen_at: datetime) -> None:
        """Note who has a name. Raises ConflictError when somebody was seen under it later."""
        self._table.put(
            {
                "pk": _account(identity.account_id),
                "sk": _name(identity.type, identity.name),
                "identity_id": identity.identity_id,
                "arn": identity.arn,
                "sort_time": sortable(seen_at),
            },
            condition=f"{ABSENT} OR sort_time <= :sort_time",
            values={":sort_time": sortable(seen_at)},
        )


def _account(account_id: str) -> str:
    return f"ACCOUNT#{account_id}"


def _name(identity_type: IdentityType, name: str) -> str:
    return f"NAME#{identity_type}#{name}"


def _stored(item: Item) -> StoredScore | None:
    """The score of an item; None, and a warning, where this version can't read it: the next look makes a new one."""
    content = {name: value for name, value in item.items() if name not in SCORE_ATTRIBUTES}
    try:
        score = Score.model_validate(content)
    except ValidationError as error:
        _warn("score", item, error)
        return None
    retired_at = datetime.fromisoformat(item["retired_at"]) if item.get("retired_at") else None
    return StoredScore(score, present=bool(item["present"]), retired_at=retired_at, **_counts(item))


def _counts(item: Item) -> dict[str, Any]:
    """What an item holds beside the score itself, and keeps whatever the score says."""
    return {
        "version": int(item["write_version"]),
        "announced": item["announced"],
        "announcements": int(item["announcements"]),
    }


def _verdict(item: Item) -> Verdict | None:
    """The verdict of an item; None, and a warning, where this version can't read it: the next one takes its place."""
    content = {name: value for name, value in item.items() if name not in VERDICT_ATTRIBUTES}
    try:
        return Verdict.model_validate(content)
    except ValidationError as error:
        _warn("verdict", item, error)
        return None


def _warn(what: str, item: Item, error: ValidationError) -> None:
    first = error.errors(include_input=False)[0]
    logger.warning("unreadable %s %s: %s: %s", what, item["sk"], ".".join(map(str, first["loc"])), first["type"])
