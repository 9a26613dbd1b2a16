"""Which scores were requested this hour, so that many who miss the same score ask for it once.

Items of the scores table: `ACCOUNT#<account id>`, `REQUEST#<hour>#<identity id>`, gone by themselves a day later.
"""

from datetime import UTC, datetime, timedelta

from shared.aws.dynamodb import Table
from shared.model.identity import IdentityRef

KEPT = timedelta(days=1)


class ScoreRequests:
    """Notes of the requests for scores of an account, by the clock's hour in UTC."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of_this_hour(self, account_id: str, *, now: datetime, limit: int) -> frozenset[str]:
        """Ids of identities whose score was requested in the hour of `now`, at most `limit` of them."""
        items = self._table.query(f"ACCOUNT#{account_id}", sk_prefix=f"REQUEST#{_hour(now)}#", limit=limit)
        return frozenset(item["sk"].rsplit("#", 1)[1] for item in items)

    def note(self, identity: IdentityRef, *, now: datetime) -> None:
        """Note that the score of an identity was requested; noting it twice changes nothing."""
        self._table.put(
            {
                "pk": f"ACCOUNT#{identity.account_id}",
                "sk": f"REQUEST#{_hour(now)}#{identity.identity_id}",
                "expires_at": int((now + KEPT).timestamp()),
            }
        )


def _hour(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m-%dT%H}"
