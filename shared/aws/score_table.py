"""Current scores and verdicts on DynamoDB (their history is in the audit table).

Items and access patterns, all in the partition `ACCOUNT#<account id>`:

| sk | holds | written by |
|---|---|---|
| `SCORE#<identity id>` | the current Score and what was published of it | scorer |
| `VERDICT#<identity id>` | the current Verdict | evaluator |
| `REEVALUATION` | whether a re-evaluation of the AWS Config rule is already on its way | evaluator |
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from shared.aws.dynamodb import ABSENT, Item, Table, sortable
from shared.errors import ConflictError
from shared.model.identity import IdentityRef
from shared.model.plan import Verdict
from shared.model.score import Score, StoredScore

SCORE_ATTRIBUTES = frozenset({"pk", "sk", "write_version", "present", "announced", "announcements"})
VERDICT_ATTRIBUTES = frozenset({"pk", "sk", "sort_time"})


class ScoreTable:
    """Reads and writes the current scores and verdicts of accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, account_id: str, identity_id: str) -> StoredScore | None:
        """Score of one identity, or None where it was never scored."""
        item = self._table.get(_account(account_id), f"SCORE#{identity_id}")
        return None if item is None else _stored(item)

    def scores(self, account_id: str) -> Iterator[StoredScore]:
        """Score of every identity of the account that still exists, all pages."""
        stored = map(_stored, self._table.query(_account(account_id), sk_prefix="SCORE#"))
        return (score for score in stored if score.present)

    def put(self, stored: StoredScore) -> StoredScore:
        """Store the successor of what was read; returns it as stored.

        Raises ConflictError when another writer was first.
        """
        identity = stored.score.identity
        self._table.put(
            {
                "pk": _account(identity.account_id),
                "sk": f"SCORE#{identity.identity_id}",
                "write_version": stored.version + 1,
                "present": stored.present,
                "announced": stored.announced,
                "announcements": stored.announcements,
                **stored.score.model_dump(mode="json"),
            },
            condition=f"{ABSENT} OR write_version = :previous",
            values={":previous": stored.version},
        )
        return replace(stored, version=stored.version + 1)

    def verdict(self, identity: IdentityRef) -> Verdict | None:
        """Current verdict on one identity, or None."""
        item = self._table.get(_account(identity.account_id), f"VERDICT#{identity.identity_id}")
        return None if item is None else _verdict(item)

    def verdicts(self, account_id: str) -> Iterator[Verdict]:
        """Current verdict on every identity of the account, all pages."""
        return map(_verdict, self._table.query(_account(account_id), sk_prefix="VERDICT#"))

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

    def claim_reevaluation(self, account_id: str, *, now: datetime, delay: timedelta) -> bool:
        """Whether the caller is the one to ask for the re-evaluation that is due after `delay`.

        Many crossings within the delay share one: whoever finds an open claim has nothing to do. A claim that nobody
        closed is void after ten delays and a minute, so that a lost message cannot stop re-evaluations for good.
        """
        void = now - 10 * delay - timedelta(minutes=1)
        try:
            self._table.put(
                {"pk": _account(account_id), "sk": "REEVALUATION", "open_claim": True, "claimed_at": sortable(now)},
                condition=f"{ABSENT} OR open_claim = :no OR claimed_at < :void",
                values={":no": False, ":void": sortable(void)},
            )
        except ConflictError:
            return False
        return True

    def close_reevaluation(self, account_id: str, *, now: datetime) -> None:
        """Close the claim; call it before the re-evaluation starts, so that a later crossing asks again."""
        self._table.put(
            {"pk": _account(account_id), "sk": "REEVALUATION", "open_claim": False, "claimed_at": sortable(now)}
        )


def _account(account_id: str) -> str:
    return f"ACCOUNT#{account_id}"


def _stored(item: Item) -> StoredScore:
    content = {name: value for name, value in item.items() if name not in SCORE_ATTRIBUTES}
    return StoredScore(
        Score.model_validate(content),
        int(item["write_version"]),
        item["announced"],
        int(item["announcements"]),
        bool(item["present"]),
    )


def _verdict(item: Item) -> Verdict:
    return Verdict.model_validate({name: value for name, value in item.items() if name not in VERDICT_ATTRIBUTES})
