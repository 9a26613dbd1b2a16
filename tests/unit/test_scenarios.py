"""Scenarios written from the AWS documentation alone, without a look at the engine: each comes out as documented."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.iam.evaluate import evaluate
from shared.iam.evaluation.cases import parse_case

SCENARIOS = Path(__file__).parents[1] / "scenarios"


def _scenarios() -> Iterator[Any]:
    for file in sorted(SCENARIOS.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8"))["cases"]:
            yield pytest.param(case, id=f"{file.stem}:{case['name']}")


@pytest.mark.parametrize("case", list(_scenarios()))
def test_a_scenario_comes_out_as_documented(case: dict[str, Any]) -> None:
    request, policies = parse_case(case)

    decision = evaluate(request, policies)

    assert decision.outcome == case["expected"], (case["why"], decision.as_json())
    assert decision.reasons
