"""How far the sweep of each account came, on DynamoDB: the item `SWEEP` in the partition `ACCOUNT#<account id>`."""

from shared.aws.dynamodb import ABSENT, Table
from shared.model.sweep import SweepProgress

_KEYS = frozenset({"pk", "sk", "write_version"})


class SweepTable:
    """Reads and writes the progress of sweeps; of two writers who read the same one wins."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, account_id: str) -> SweepProgress | None:
        """The current or last sweep of an account, or None where there never was one."""
        item = self._table.get(f"ACCOUNT#{account_id}", "SWEEP")
        if item is None:
            return None
        content = {name: value for name, value in item.items() if name not in _KEYS}
        return SweepProgress.model_validate({**content, "version": item["write_version"]})

    def put(self, progress: SweepProgress) -> SweepProgress:
        """Store what follows on what was read; returns it as stored. Raises ConflictError when somebody was first."""
        self._table.put(
            {
                "pk": f"ACCOUNT#{progress.account_id}",
                "sk": "SWEEP",
                "write_version": progress.version + 1,
                **progress.model_dump(mode="json", exclude={"version"}),
            },
            condition=f"{ABSENT} OR write_version = :previous",
            values={":previous": progress.version},
        )
        return progress.model_copy(update={"version": progress.version + 1})
