"""Broken builds are caught, each by the invariant that it breaks: a suite that never finds anything proves nothing."""

import pytest

from tests.fake_aws.wire import Call
from tests.faults.kinds import KINDS, Kind
from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.runs import Laboratory
from tests.faults.shapes import SHAPES


def strikes(mutant: Mutant, calls: list[Call]) -> list[tuple[int, Kind]]:
    """Where runs of the mutant strike; nowhere where the run without a fault shows it."""
    kinds = [KINDS[name] for name in mutant.kinds]
    return [(at, kind) for at, call in enumerate(calls) if mutant.at(call) for kind in kinds if kind.applies(call)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_broken_build_is_caught(laboratory: Laboratory, mutant: Mutant) -> None:
    shape = SHAPES[mutant.shape]
    _, right = laboratory.trace(shape, mutant.strategy, mutant.program)
    assert right.violations == []

    with mutant.broken():
        calls, wrong = laboratory.trace(shape, mutant.strategy, mutant.program)
        caught = {violation.invariant for violation in wrong.violations}
        for at, kind in strikes(mutant, calls):
            run = laboratory.run(shape, mutant.strategy, mutant.program, kind, at)
            caught |= {violation.invariant for violation in run.violations}
            if mutant.invariant in caught:
                break

    assert mutant.invariant in caught
