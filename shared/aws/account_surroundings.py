"""What is known of the account around an identity, as the last sweep stored it: its inventory and its principals."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from shared.aws.account_snapshots import AccountSnapshots
from shared.errors import InputError
from shared.model.inventory import Inventory
from shared.model.principals import Principals
from shared.pci.score import UNKNOWN, Surroundings
from shared.reference import load_operations

T = TypeVar("T")
INVENTORY, PRINCIPALS = "inventory", "principals"
Versions = tuple[int | None, ...]


class Found(NamedTuple):
    """What a look for a snapshot found: `at` is None where none was ever stored."""

    name: str
    at: datetime | None
    readable: bool

    @property
    def is_of_another_version(self) -> bool:
        """Whether something is stored that this version of leastwise can't read."""
        return self.at is not None and not self.readable


class StoredSurroundings:
    """Reads what is stored of one account, whatever its age; what never was, or is of another version, is unknown.

    Tells `note` of every look. Without `has_inventory` a stored inventory is left alone. Every read raises
    DependencyError where the table can't be read, since a score without what is stored would be another one.
    """

    def __init__(
        self, snapshots: AccountSnapshots, account_id: str, *, has_inventory: bool, note: Callable[[Found], None]
    ) -> None:
        self._snapshots = snapshots
        self._account_id = account_id
        self._has_inventory = has_inventory
        self._note = note

    def inventory(self) -> Inventory | None:
        """The account's resources."""
        return self._read(INVENTORY, Inventory.from_json) if self._has_inventory else None

    def principals(self, *, since: datetime | None = None) -> Principals | None:
        """The account's users, groups and roles; with `since` only if they are of that time or later."""
        return self._read(PRINCIPALS, Principals.from_json, since=since)

    def read(self) -> Surroundings:
        """All of it."""
        return surroundings_of(self.inventory(), self.principals())

    def remembered(self) -> Surroundings:
        """All of it, read again only where something else is stored by now: for the one account of a warm function."""
        names = (INVENTORY, PRINCIPALS) if self._has_inventory else (PRINCIPALS,)
        versions = tuple(self._snapshots.version(self._account_id, name) for name in names)
        return memory().of(versions, self.read)

    def _read(self, name: str, parse: Callable[[bytes], T], *, since: datetime | None = None) -> T | None:
        snapshot = self._snapshots.get(self._account_id, name)
        if snapshot is None:
            self._note(Found(name, None, readable=False))
            return None
        if since is not None and snapshot.at < since:
            return None
        try:
            content = parse(snapshot.content)
        except (InputError, ValidationError):
            content = None
        self._note(Found(name, snapshot.at, readable=content is not None))
        return content


class Memory:
    """What this process last read from its one table, for one account; not for several threads."""

    def __init__(self) -> None:
        self._surroundings = UNKNOWN
        self._versions: Versions | None = None

    def of(self, versions: Versions, read: Callable[[], Surroundings]) -> Surroundings:
        """What was read when these versions were in force, else what `read` gives."""
        if self._versions != versions:
            self._surroundings, self._versions = read(), versions
        return self._surroundings


@functools.cache
def memory() -> Memory:
    """What this process knows, kept from one invocation to the next."""
    return Memory()


def surroundings_of(inventory: Inventory | None, principals: Principals | None) -> Surroundings:
    """What is known of the account, with the table of which resources an action is about."""
    return Surroundings(inventory=inventory, templates=load_operations(), principals=principals)
