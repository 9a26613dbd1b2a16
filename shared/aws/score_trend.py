"""How scores developed, on DynamoDB: a point a day for each identity and for the account.

| pk | sk | holds |
|---|---|---|
| `TREND#<account id>#<identity id>` | day, as `2026-03-01` | the TrendPoint of an identity |
| `TREND#<account id>#ACCOUNT` | day | the TrendPoint of the account |

`expires_at` is the table's time to live: the retention after the point's day.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from shared.aws.dynamodb import ABSENT, Table
from shared.errors import ConflictError
from shared.model.trend import Reading, TrendPoint

MAX_ATTEMPTS = 8  # of one writer at one point
_KEYS = frozenset({"pk", "sk", "write_version", "expires_at"})


class ScoreTrend:
    """Reads and writes trends; adding a reading twice, or late, changes nothing that it shouldn't."""

    def __init__(self, table: Table, *, retention_days: int = 400) -> None:
        self._table = table
        self._retention = timedelta(days=retention_days)

    def add(self, account_id: str, reading: Reading, *, identity_id: str | None = None) -> None:
        """Join a reading into its day; of the account where no identity is named.

        Raises ConflictError when other writers keep coming first.
        """
        pk, added = _partition(account_id, identity_id), TrendPoint.of(reading)
        for _ in range(MAX_ATTEMPTS):
            item = self._table.get(pk, added.day.isoformat())
            version = int(item["write_version"]) if item else 0
            stored = _point(item) if item else None
            point = stored.joined(added) if stored else added
            if point == stored:
                return
            try:
                self._put(pk, point, version)
            except ConflictError:
                continue
            return
        raise ConflictError(f"{pk} {added.day}: other writers won {MAX_ATTEMPTS} times")

    def points(
        self, account_id: str, *, since: date, until: date, identity_id: str | None = None
    ) -> Iterator[TrendPoint]:
        """Points of the days from `since` to `until`, both included, in order; of the account if none is named."""
        for item in self._table.query(_partition(account_id, identity_id), sk_from=since.isoformat()):
            if item["sk"] > until.isoformat():
                return
            yield _point(item)

    def _put(self, pk: str, point: TrendPoint, version: int) -> None:
        end = datetime.combine(point.day, time.min, tzinfo=UTC) + timedelta(days=1) + self._retention
        self._table.put(
            {
                "pk": pk,
                "sk": point.day.isoformat(),
                "write_version": version + 1,
                "expires_at": int(end.timestamp()),
                **point.model_dump(mode="json"),
            },
            condition=f"{ABSENT} OR write_version = :previous",
            values={":previous": version},
        )


def _partition(account_id: str, identity_id: str | None) -> str:
    return f"TREND#{account_id}#{identity_id or 'ACCOUNT'}"


def _point(item: dict[str, object]) -> TrendPoint:
    return TrendPoint.model_validate({name: value for name, value in item.items() if name not in _KEYS})
