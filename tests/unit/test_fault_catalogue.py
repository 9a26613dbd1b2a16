"""docs/faults.md lists every fault of the catalogue, and every test that it names exists."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (F\d+) \|(.*)\|$", PAGE, re.MULTILINE))
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@functools.cache
def functions_in(path: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_fault_is_listed_once_and_in_order() -> None:
    assert re.findall(r"^\| (F\d+) \|", PAGE, re.MULTILINE) == [f"F{number}" for number in range(1, 73)]


def test_every_fault_names_a_test_or_says_why_there_is_none() -> None:
    without = [fault for fault, row in ROWS.items() if "`tests/" not in row and not re.search(r"no test yet: \w+", row)]

    assert without == []


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: str(value).rsplit("/", 1)[-1])
def test_every_named_test_exists(path: str, name: str) -> None:
    assert name in functions_in(path)


def test_every_invariant_is_named() -> None:
    assert re.findall(r"^\| (I\d+) [A-Z-]+ \|", PAGE, re.MULTILINE) == [f"I{number}" for number in range(1, 15)]


def test_the_figures_show_no_violation() -> None:
    told = re.search(r"<!-- figures -->\n([\d,]+) runs, .* ([\d,]+) violations,", PAGE)

    assert told
    assert int(told[1].replace(",", "")) >= 5_000
    assert told[2] == "0"
