"""How the tests are shared out among processes."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.work_units import WorkUnits, work_unit

PLACES = [
    ("tests/e2e/test_demo.py::test_it[2]", "tests/e2e/"),
    ("tests/e2e/test_backfill.py::test_it", "tests/e2e/"),
    ("tests/browser/test_report_page.py::test_it", "tests/browser/"),
    ("tests/faults/test_oracle.py::test_it[a::b]", "tests/faults/test_oracle.py"),
    ("tests/unit/test_paths.py::test_it[tests/e2e/]", "tests/unit/test_paths.py"),
]
TESTS = [f"tests/{file}::test_{number}" for file in ("e2e/a.py", "e2e/b.py", "unit/c.py") for number in range(3)]


@pytest.mark.parametrize(("nodeid", "unit"), PLACES)
def test_what_shares_something_is_one_unit_and_else_a_file_is(nodeid: str, unit: str) -> None:
    assert work_unit(nodeid) == unit


class Worker:
    """A process that is given tests, as pytest-xdist knows it."""

    shutting_down = False
    gateway = SimpleNamespace(id="process")

    def __init__(self) -> None:
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        """Take on tests, by their places in the collection."""
        self.given += indices

    def shutdown(self) -> None:
        """End after the tests that it has."""
        self.shutting_down = True


def test_two_processes_never_share_a_unit(pytestconfig: pytest.Config) -> None:
    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(
        getvalue=lambda name: ["popen", "popen"], option=option, rootpath=pytestconfig.rootpath
    )
    scheduler = pytestconfig.hook.pytest_xdist_make_scheduler(config=config, log=None)
    workers: list[Any] = [Worker(), Worker()]
    for worker in workers:
        scheduler.add_node(worker)
    for worker in workers:
        scheduler.add_node_collection(worker, TESTS)
    scheduler.schedule()
    assert isinstance(scheduler, WorkUnits)
    assert [worker.given for worker in workers] == [[0, 1, 2, 3, 4, 5], [6, 7, 8]]
