"""The laboratory that all fault tests share."""

from collections.abc import Iterator

import pytest

from tests.faults.runs import Laboratory
from tests.faults.stack import plugged


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    """Worlds to copy, with leastwise plugged into them."""
    with plugged() as plug:
        yield Laboratory(plug)
