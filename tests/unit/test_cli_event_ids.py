"""Duplicate records are counted exactly, whether their ids are in memory or put away, in one share or in several."""

import errno
import os
from array import array
from collections.abc import Sequence
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.reading_trails import event_ids
from cli.reading_trails.event_ids import EventIds, count_duplicates
from shared.errors import DependencyError

FEW_IDS = st.integers(0, 40).map("id-{}".format)
ANY_TEXT = st.text(st.characters(), max_size=5)  # lone surrogates, newlines and NUL among them
IDS = st.lists(st.none() | FEW_IDS | ANY_TEXT, max_size=60)


def duplicates(shares: Sequence[Sequence[Sequence[str | None]]]) -> int:
    """Count over shares of batches of ids."""
    with ExitStack() as stack:
        counted = [stack.enter_context(EventIds()) for _ in shares]
        for ids, batches in zip(counted, shares, strict=True):
            for batch in batches:
                ids.add(batch)
        return count_duplicates(counted)


@pytest.mark.parametrize("held", [1, 3, 1000])
@pytest.mark.parametrize("counted", [1, 4, 1000])
@given(shares=st.lists(st.lists(IDS, max_size=3), max_size=3))
@settings(deadline=None)
def test_given_any_ids_when_counted_in_any_shares_and_pieces_then_all_but_the_first_of_each_are_duplicates(
    held: int, counted: int, shares: list[list[list[str | None]]]
) -> None:
    ids = [one for batches in shares for batch in batches for one in batch if one]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_ids, "HELD", held)
        patch.setattr(event_ids, "COUNTED", counted)
        assert duplicates(shares) == len(ids) - len(set(ids))


def test_given_more_ids_than_are_held_when_counted_then_memory_holds_only_the_newest() -> None:
    with EventIds() as ids:
        for number in range(0, 5 * event_ids.HELD, 1000):
            ids.add([f"{one % 30_000}" for one in range(number, number + 1000)])
        assert ids.in_memory is None
        assert count_duplicates([ids]) == 5 * event_ids.HELD - 30_000


def test_given_a_forked_process_when_it_puts_its_ids_away_then_they_are_counted_here() -> None:
    with EventIds() as here, EventIds() as there:
        here.add(["a", "b"])
        file = there.open()
        there.places = places_of_child(there, ["b", "c", "c"])
        assert os.fstat(file.fileno()).st_size == there.places[-1] > 0
        assert count_duplicates([here, there]) == 2


def places_of_child(ids: EventIds, added: Sequence[str]) -> "array[int]":
    """Where a forked process put ids away."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        ids.add(added)
        ids.put_away()
        os.write(write_end, ids.places.tobytes())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        places = array("Q", pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    return places


def test_given_a_full_disk_when_ids_are_put_away_then_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    ids = EventIds()
    ids.add(["a"])
    with pytest.raises(DependencyError, match="No space left"):
        ids.put_away()


def test_given_no_directory_for_temporary_files_when_a_file_is_wanted_then_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere(**_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.TemporaryFile", nowhere)
    with pytest.raises(DependencyError, match="in a temporary file: No usable temporary directory found"):
        EventIds().open()


def test_given_a_disk_that_fails_when_ids_are_counted_then_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with EventIds() as ids:
        ids.add(["a"])
        ids.put_away()
        monkeypatch.setattr("os.pread", fail)
        with pytest.raises(DependencyError, match="Input/output error"):
            count_duplicates([ids])
