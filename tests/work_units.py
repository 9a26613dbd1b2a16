"""What runs in one process, where there are several: tests that share what is dear to make.

pytest-xdist's own groups are not used: with pytest 9.2 it takes no notice of them and says nothing
(https://github.com/pytest-dev/pytest-xdist/issues/1386), so that everything shared was made once in each process.
"""

from xdist.scheduler import LoadScopeScheduling

SHARED = ("tests/e2e/", "tests/browser/")  # folders of which each shares one thing: the deployed system, the browser


def work_unit(nodeid: str) -> str:
    """The unit that a test belongs to: its folder where that shares something, else its file.

    >>> work_unit("tests/e2e/test_demo.py::test_it[a::b]"), work_unit("tests/unit/test_paths.py::test_it[a::b]")
    ('tests/e2e/', 'tests/unit/test_paths.py')
    """
    file = nodeid.partition("::")[0]
    return next((folder for folder in SHARED if file.startswith(folder)), file)


class WorkUnits(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist tells no types
    """Hands out unit after unit, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return work_unit(nodeid)
