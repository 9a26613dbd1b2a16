"""What sweeps stored of an account: read as it is, told where it isn't there or isn't readable, and never made up."""

from datetime import timedelta

import pytest

from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.account_surroundings import INVENTORY, PRINCIPALS, Found, StoredSurroundings
from shared.aws.dynamodb import Table
from shared.errors import DependencyError
from shared.model.inventory import Inventory
from shared.model.principals import Principal, Principals
from shared.pci.score import Surroundings
from shared.reference import load_operations
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT
from tests.conftest import Stack

RESOURCES = Inventory(ACCOUNT, ("arn:aws:s3:::one",), NOW)
PEOPLE = Principals(account_id=ACCOUNT, users=(Principal(arn=f"arn:aws:iam::{ACCOUNT}:user/ana"),))
HOUR = timedelta(hours=1)


class Account:
    """One account's snapshots, and every look at them."""

    def __init__(self, table: Table) -> None:
        self.snapshots = AccountSnapshots(table)
        self.looks: list[Found] = []

    def stored(self, *, has_inventory: bool = True) -> StoredSurroundings:
        """What is stored of it."""
        return StoredSurroundings(self.snapshots, ACCOUNT, has_inventory=has_inventory, note=self.looks.append)


@pytest.fixture
def account(aws: Stack) -> Account:
    found = Account(aws.table(aws.scores_table))
    found.snapshots.put(OTHER_ACCOUNT, PRINCIPALS, PEOPLE.to_json(), at=NOW)
    return found


def test_what_sweeps_stored_is_read(account: Account) -> None:
    account.snapshots.put(ACCOUNT, INVENTORY, RESOURCES.to_json(), at=NOW)
    account.snapshots.put(ACCOUNT, PRINCIPALS, PEOPLE.to_json(), at=NOW + HOUR)

    found = account.stored().read()

    assert (found.inventory, found.principals) == (RESOURCES, PEOPLE)
    assert found.templates is not None
    assert account.looks == [Found(INVENTORY, NOW, readable=True), Found(PRINCIPALS, NOW + HOUR, readable=True)]


def test_what_no_sweep_stored_is_unknown(account: Account) -> None:
    assert account.stored().read() == Surroundings(templates=load_operations())
    assert account.looks == [Found(INVENTORY, None, readable=False), Found(PRINCIPALS, None, readable=False)]
    assert not any(look.is_of_another_version for look in account.looks)


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b"\xff", b'{"of": "the future"}'])
def test_what_is_of_another_version_is_unknown_and_told(account: Account, content: bytes) -> None:
    for name in (INVENTORY, PRINCIPALS):
        account.snapshots.put(ACCOUNT, name, content, at=NOW)
    assert account.stored().read() == Surroundings(templates=load_operations())
    assert [look.is_of_another_version for look in account.looks] == [True, True]


def test_where_there_is_to_be_no_inventory_a_stored_one_is_left_alone(account: Account) -> None:
    account.snapshots.put(ACCOUNT, INVENTORY, RESOURCES.to_json(), at=NOW)
    assert account.stored(has_inventory=False).read() == Surroundings(templates=load_operations())
    assert [look.name for look in account.looks] == [PRINCIPALS]


def test_principals_of_before_a_time_are_none(account: Account) -> None:
    account.snapshots.put(ACCOUNT, PRINCIPALS, PEOPLE.to_json(), at=NOW)
    stored = account.stored()
    assert stored.principals(since=NOW) == PEOPLE
    assert stored.principals(since=NOW + timedelta(microseconds=1)) is None


def test_what_cannot_be_read_is_an_error_and_is_not_remembered(aws: Stack, account: Account) -> None:
    account.snapshots.put(ACCOUNT, PRINCIPALS, PEOPLE.to_json(), at=NOW)
    with pytest.raises(DependencyError):
        Account(aws.table("no-such-table")).stored().remembered()
    assert account.stored().remembered().principals == PEOPLE


def test_what_was_read_is_remembered_until_something_else_is_stored(account: Account) -> None:
    account.snapshots.put(ACCOUNT, PRINCIPALS, PEOPLE.to_json(), at=NOW)
    first = account.stored().remembered()
    assert account.stored().remembered() is first
    assert len(account.looks) == 2

    account.snapshots.put(ACCOUNT, INVENTORY, RESOURCES.to_json(), at=NOW)
    second = account.stored().remembered()
    assert (second.inventory, second.principals) == (RESOURCES, PEOPLE)

    account.snapshots.put(ACCOUNT, INVENTORY, RESOURCES.to_json(), at=NOW + HOUR)
    assert account.stored().remembered() is not second
    assert len(account.looks) == 6
