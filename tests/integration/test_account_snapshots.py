"""Snapshots of accounts on DynamoDB: whole or not at all, whoever writes at the same time and wherever one dies."""

import os
import random
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from shared.aws.account_snapshots import MAX_PIECE, SLOTS, AccountSnapshots, Snapshot
from shared.aws.dynamodb import Item, Table
from shared.errors import DependencyError, InputError
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT
from tests.conftest import Stack, in_threads

LATER = NOW + timedelta(hours=1)
PK = f"ACCOUNT#{ACCOUNT}"


class CrashError(Exception):
    """The process dies."""


class DyingTable(Table):
    """A table whose writer dies instead of a write, counted from 0."""

    writes_left = 0

    def put(self, item: Mapping[str, Any], **conditions: Any) -> None:
        """Write, until it dies."""
        if self.writes_left == 0:
            raise CrashError
        self.writes_left -= 1
        super().put(item, **conditions)


@pytest.fixture
def table(aws: Stack) -> Table:
    return aws.table(aws.scores_table)


@pytest.fixture
def snapshots(table: Table) -> AccountSnapshots:
    return AccountSnapshots(table)


def noise(pieces: int, seed: int = 0) -> bytes:
    """Content that fills so many pieces, since it can't be compressed."""
    return random.Random(seed).randbytes((pieces - 1) * MAX_PIECE + 1000)  # noqa: S311 no secret


def pieces_of(table: Table, name: str) -> list[Item]:
    return [item for item in table.query(PK, sk_prefix=f"SNAPSHOT#{name}#") if "piece" in item]


@pytest.mark.parametrize("content", [b"", b"[]", b"x" * 5_000_000, noise(3)])
def test_what_was_put_is_got(snapshots: AccountSnapshots, content: bytes) -> None:
    assert snapshots.get(ACCOUNT, "inventory") is None
    snapshots.put(ACCOUNT, "inventory", content, at=NOW)
    assert snapshots.get(ACCOUNT, "inventory") == Snapshot(content, NOW)
    assert snapshots.get(ACCOUNT, "principals") is None
    assert snapshots.get(OTHER_ACCOUNT, "inventory") is None


def test_no_item_is_larger_than_dynamodb_takes(snapshots: AccountSnapshots, table: Table) -> None:
    snapshots.put(ACCOUNT, "inventory", noise(4), at=NOW)
    sizes = [len(bytes(item["piece"])) for item in pieces_of(table, "inventory")]
    assert len(sizes) == 4
    assert max(sizes) < 400_000


def test_a_later_time_wins_whatever_comes_first(snapshots: AccountSnapshots) -> None:
    snapshots.put(ACCOUNT, "inventory", b"new", at=LATER)
    snapshots.put(ACCOUNT, "inventory", b"old", at=NOW)
    assert snapshots.get(ACCOUNT, "inventory") == Snapshot(b"new", LATER)
    snapshots.put(ACCOUNT, "inventory", b"again", at=LATER)
    assert snapshots.get(ACCOUNT, "inventory") == Snapshot(b"again", LATER)


def test_what_is_stored_does_not_grow_without_end(snapshots: AccountSnapshots, table: Table) -> None:
    for number in range(3 * SLOTS):
        content = noise(1 + number % 3, seed=number)
        snapshots.put(ACCOUNT, "inventory", content, at=NOW + timedelta(hours=number))
        assert snapshots.get(ACCOUNT, "inventory") == Snapshot(content, NOW + timedelta(hours=number))
    assert len(pieces_of(table, "inventory")) <= 3 * SLOTS


@pytest.mark.parametrize("writes", range(5))
def test_a_writer_that_dies_leaves_the_old_version_in_force(
    aws: Stack, snapshots: AccountSnapshots, writes: int
) -> None:
    snapshots.put(ACCOUNT, "inventory", b"old", at=NOW)
    dying = AccountSnapshots(_dying(aws, writes))
    with pytest.raises(CrashError):
        dying.put(ACCOUNT, "inventory", noise(3), at=LATER)  # a claim, three pieces, the pointer
    assert snapshots.get(ACCOUNT, "inventory") == Snapshot(b"old", NOW)
    snapshots.put(ACCOUNT, "inventory", b"new", at=LATER)
    assert snapshots.get(ACCOUNT, "inventory") == Snapshot(b"new", LATER)


def test_many_writers_that_die_never_touch_the_version_in_force(aws: Stack, snapshots: AccountSnapshots) -> None:
    snapshots.put(ACCOUNT, "inventory", noise(2), at=NOW)
    for number in range(3 * SLOTS):
        with pytest.raises(CrashError):
            AccountSnapshots(_dying(aws, 3)).put(ACCOUNT, "inventory", noise(2, seed=number), at=LATER)
        assert snapshots.get(ACCOUNT, "inventory") == Snapshot(noise(2), NOW)


def test_concurrent_writers_and_readers_see_whole_versions(snapshots: AccountSnapshots) -> None:
    contents = {noise(2, seed=number): NOW + timedelta(seconds=number) for number in range(6)}
    first, *others = contents.items()
    snapshots.put(ACCOUNT, "inventory", first[0], at=first[1])

    def read() -> None:
        for _ in range(10):
            found = snapshots.get(ACCOUNT, "inventory")
            assert found is not None
            assert contents[found.content] == found.at

    writers = [partial(snapshots.put, ACCOUNT, "inventory", content, at=at) for content, at in others]
    in_threads(*writers, read, read)
    last = others[-1]
    assert snapshots.get(ACCOUNT, "inventory") == Snapshot(last[0], last[1])


@pytest.mark.parametrize("damage", ["missing", "foreign", "changed", "swapped"])
def test_what_does_not_fit_together_is_an_error_and_never_nothing(
    snapshots: AccountSnapshots, table: Table, damage: str
) -> None:
    snapshots.put(ACCOUNT, "inventory", noise(3), at=NOW)
    first, second, *_ = pieces_of(table, "inventory")
    if damage == "missing":
        pointer = table.get(PK, "SNAPSHOT#inventory")
        assert pointer is not None
        table.put(pointer | {"slot": 7})
    elif damage == "foreign":
        table.put(first | {"snapshot_version": 99})
    elif damage == "changed":
        table.put(first | {"piece": os.urandom(1000)})
    else:
        table.put(first | {"piece": second["piece"]})
    with pytest.raises(DependencyError, match="fit together"):
        snapshots.get(ACCOUNT, "inventory")


def test_content_that_is_too_large_is_refused(snapshots: AccountSnapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.aws.account_snapshots.MAX_PIECES", 1)
    with pytest.raises(InputError, match="more than can be kept"):
        snapshots.put(ACCOUNT, "inventory", noise(2), at=NOW)
    assert snapshots.get(ACCOUNT, "inventory") is None


@pytest.mark.parametrize("name", ["", "Inventory", "a#b", "x" * 33])
def test_a_name_is_one_plain_word(snapshots: AccountSnapshots, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        snapshots.get(ACCOUNT, name)


def _dying(aws: Stack, writes: int) -> DyingTable:
    from shared.aws import clients  # noqa: PLC0415 after pytest_configure, whose environment it reads

    table = DyingTable(clients.dynamodb(), aws.scores_table)
    table.writes_left = writes
    return table
