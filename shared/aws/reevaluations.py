"""Whether a re-evaluation of the AWS Config rule is already on its way, so that many crossings share one.

Item of the scores table: `ACCOUNT#<account id>`, `REEVALUATION`.
"""

from datetime import datetime, timedelta

from shared.aws.dynamodb import ABSENT, Table, sortable
from shared.errors import ConflictError


class Reevaluations:
    """The claims to ask for the re-evaluation of an account, of which one is open at a time."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, account_id: str, owner: str, *, now: datetime, void_after: timedelta) -> bool:
        """Whether `owner` is the one to ask; whoever finds somebody else's open claim has nothing to do.

        The owner finds its own claim when it comes again after a failure, perhaps one between claim and request: it
        has to ask again. A claim older than `void_after` is nobody's: its owner gave up.
        """
        claim = {"open_claim": True, "claimed_by": owner, "claimed_at": sortable(now)}
        try:
            self._table.put(
                {"pk": f"ACCOUNT#{account_id}", "sk": "REEVALUATION", **claim},
                condition=f"{ABSENT} OR open_claim = :no OR claimed_by = :owner OR claimed_at < :void",
                values={":no": False, ":owner": owner, ":void": sortable(now - void_after)},
            )
        except ConflictError:
            return False
        return True

    def close(self, account_id: str, *, now: datetime) -> None:
        """Close the claim; call it before the re-evaluation starts, so that a later crossing asks again."""
        self._table.put(
            {"pk": f"ACCOUNT#{account_id}", "sk": "REEVALUATION", "open_claim": False, "claimed_at": sortable(now)}
        )
