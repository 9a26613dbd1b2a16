"""One fault of each kind at the calls of each program, for each shape and strategy: no invariant breaks.

`pytest tests/faults -s` prints the figures of each cell; `python -m tests.faults` those of all, and the table in
docs/faults.md.
"""

import json
import sys

import pytest

from tests.faults.matrix import Cell, cells, run_cell
from tests.faults.people import facets_of
from tests.faults.runs import APPLY, TAKE_BACK, Laboratory


@pytest.mark.parametrize("cell", list(cells()), ids=str)
def test_no_single_fault_breaks_an_invariant(laboratory: Laboratory, cell: Cell) -> None:
    figures = run_cell(laboratory, cell)

    print(f"\n{cell}: {figures}", file=sys.__stdout__)
    assert figures.violations == []
    assert figures.runs > 0


@pytest.mark.parametrize("cell", [cell for cell in cells() if cell.program is APPLY], ids=str)
def test_without_a_fault_a_plan_is_applied_where_it_should_be(laboratory: Laboratory, cell: Cell) -> None:
    calls, run = laboratory.trace(cell.shape, cell.strategy, cell.program)

    applied = any(call.changes_iam for call in calls)
    assert applied is (cell.strategy in cell.shape.strategies)
    assert run.violations == []


@pytest.mark.parametrize("cell", [cell for cell in cells() if cell.program is TAKE_BACK], ids=str)
def test_without_a_fault_what_is_taken_back_is_as_it_was(laboratory: Laboratory, cell: Cell) -> None:
    _, run = laboratory.trace(cell.shape, cell.strategy, cell.program)

    account, shadow = run.world.people.account.state, run.world.people.shadow.state
    assert {key: facets_of(one) for key, one in account.entities.items()} == {
        key: facets_of(one) for key, one in shadow.entities.items()
    }
    assert {arn: json.loads(one.document) for arn, one in account.policies.items()} == {
        arn: json.loads(one.document) for arn, one in shadow.policies.items()
    }
