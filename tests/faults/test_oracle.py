"""The oracle, which knows little and shares nothing, agrees with the policy engine in every state that runs reach."""

import json

import pytest

from shared.iam.evaluate import Outcome, Policies, compile_policies
from shared.iam.request import Request
from tests.fake_aws.iam_state import Entity, IamState
from tests.faults.matrix import Cell, cells
from tests.faults.oracle import Probe, documents_of, effective
from tests.faults.runs import RESTORE, TAKE_BACK, Laboratory


@pytest.mark.parametrize("cell", [cell for cell in cells() if cell.program in {TAKE_BACK, RESTORE}], ids=str)
def test_the_oracle_and_the_engine_agree(laboratory: Laboratory, cell: Cell) -> None:
    _, run = laboratory.trace(cell.shape, cell.strategy, cell.program)
    key = (cell.shape.kind, cell.shape.identity)

    states = [state for _, state in run.world.people.account.past]
    assert len(states) > 2
    for state in states:
        entity = state.entities[key]
        probes = cell.shape.probes[:40]
        assert effective(state, entity, probes) == by_the_engine(state, entity, probes)


def by_the_engine(state: IamState, entity: Entity, probes: tuple[Probe, ...]) -> frozenset[Probe]:
    """The probes that the policy engine lets pass."""
    case = {"identity_policies": [json.loads(text) for text in documents_of(state, entity)]}
    if entity.boundary:
        case["permissions_boundaries"] = [json.loads(state.policies[entity.boundary].document)]
    engine = compile_policies(Policies.parse(case))
    allowed = set()
    for probe in probes:
        request = Request(entity.arn, probe.action, probe.resource, None, {"aws:requestedregion": (probe.region,)})
        if engine.evaluate(request).outcome is Outcome.ALLOW:
            allowed.add(probe)
    return frozenset(allowed)
