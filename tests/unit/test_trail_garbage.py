"""Reading leaves nothing behind that only a search for garbage finds: whoever reads much searches rarely."""

import gc
import io
from collections.abc import Iterator

import pytest

from services.scorer.trail.reader import read_batches
from tests.unit.trail_texts import FORMATS, record, zipped


@pytest.fixture(scope="module")
def without_garbage_collection() -> Iterator[None]:
    """A search is made where a test asks for it, among what was made since: all else that tests hold takes long."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("without_garbage_collection")
@pytest.mark.parametrize("form", sorted(FORMATS))
def test_what_was_read_of_a_file_is_freed_without_a_search_for_garbage(form: str) -> None:
    content = zipped(FORMATS[form]([record(number) for number in range(20)]).encode())
    gc.collect()
    for _ in read_batches(io.BytesIO(content), "file"):
        pass
    assert gc.collect() == 0


@pytest.mark.usefixtures("without_garbage_collection")
def test_garbage_is_found_where_there_is_some() -> None:
    gc.collect()
    circle: list[object] = []
    circle.append(circle)
    del circle
    assert gc.collect() == 1
