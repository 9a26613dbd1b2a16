"""What Access Analyzer is asked about a plan, on moto: the plan is held to what it may grant at most."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shared.aws import clients
from shared.aws.access_analyzer import Analyzer, AnalyzerAnswer, NewAccess
from tests.integration.remediator_house import House

GUARD = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:ListFunctions", "Resource": "*"},
    ],
}
Documents = Sequence[Mapping[str, Any]]


@pytest.mark.parametrize(("strategy", "effects"), [("boundary", {"Allow"}), ("replace", {"Allow", "Deny"})])
def test_a_boundary_is_held_to_the_allows_alone_since_the_denies_stay_in_force_beside_it(
    house: House, monkeypatch: pytest.MonkeyPatch, strategy: str, effects: set[str]
) -> None:
    asked: list[Documents] = []

    def check(_self: Analyzer, old: Documents, _new: Documents) -> AnalyzerAnswer:
        asked.append(old)
        return AnalyzerAnswer((), NewAccess.PASS)

    monkeypatch.setattr(Analyzer, "check", check)
    monkeypatch.setenv("LEASTWISE_ACCESS_ANALYZER", "true")
    monkeypatch.setenv("LEASTWISE_STRATEGY", strategy)
    clients.iam().put_role_policy(RoleName=house.role.name, PolicyName="guard", PolicyDocument=json.dumps(GUARD))

    assert house.verdict() == []

    ((*documents,),) = asked
    assert {statement["Effect"] for document in documents for statement in document["Statement"]} == effects
