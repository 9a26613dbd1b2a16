"""Writes what a run measures on into a folder: authorization details, usage and an inventory.

    python -m benchmarks.scores.inputs FOLDER IDENTITIES RESOURCES

A process of its own, since the memory that it takes would count as the peak of every process that its parent starts.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.scores.accounts import Account, inventory, used_actions

NOW = datetime(2026, 7, 1, tzinfo=UTC)
WINDOW_DAYS = 90
DETAILS, USAGE, INVENTORY = "details.json", "usage.json", "inventory.json"


def write_inputs(folder: Path, identities: int, resources: int) -> None:
    """Write an account of so many identities, and an inventory of so many resources."""
    folder.mkdir(parents=True)
    details = Account(identities).authorization_details()
    users, roles = details["UserDetailList"], details["RoleDetailList"]
    _write(folder / DETAILS, details)
    _write(folder / USAGE, used_actions([*(user["UserId"] for user in users), *(role["RoleId"] for role in roles)]))
    _write(folder / INVENTORY, inventory(resources))


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    write_inputs(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
