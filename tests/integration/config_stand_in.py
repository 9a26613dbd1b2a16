"""AWS Config as far as the evaluator calls it, since moto has no custom rules; and what else its tests set."""

from datetime import datetime
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shared.aws.score_table import ScoreTable
from shared.model.score import StoredScore
from tests.builders import ACCOUNT, ANA, a_score
from tests.conftest import MAKE_API_CALL


class Config:
    """Takes evaluations and requests to evaluate; shows each resource's latest evaluation by its ordering time.

    The first evaluation of each of the first `refusals` batches is refused; `errors` are the codes that the next calls
    fail with, of which None stands for a call that succeeds.
    """

    def __init__(self) -> None:
        self.evaluations: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.test_runs: list[bool] = []
        self.started: list[str] = []
        self.refusals = 0
        self.errors: list[str | None] = []
        self._shown: dict[str, tuple[datetime, str]] = {}

    def shown(self) -> dict[str, str]:
        """Resource id -> compliance; NOT_APPLICABLE is not shown."""
        return {name: kind for name, (_, kind) in self._shown.items() if kind != "NOT_APPLICABLE"}

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a call as AWS Config does."""
        code = self.errors.pop(0) if self.errors else None
        if operation == "StartConfigRulesEvaluation":
            if code:
                raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
            self.started += params["ConfigRuleNames"]
            return {}
        assert operation == "PutEvaluations"
        entries = params["Evaluations"]
        self.batches.append(len(entries))
        self.test_runs.append(params.get("TestMode", False))
        assert len(entries) <= 100
        assert len({(one["ComplianceResourceType"], one["ComplianceResourceId"]) for one in entries}) == len(entries)
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        refused = entries[:1] if len(self.batches) <= self.refusals else []
        self._take(entries[len(refused) :])
        return {"FailedEvaluations": refused}

    def _take(self, entries: list[dict[str, Any]]) -> None:
        self.evaluations += entries
        for entry in entries:
            name, new = entry["ComplianceResourceId"], (entry["OrderingTimestamp"], entry["ComplianceType"])
            if name not in self._shown or self._shown[name][0] <= new[0]:
                self._shown[name] = new


def install(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Have every client of AWS Config call a new stand-in."""
    stand_in = Config()

    def call(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if self.meta.service_model.service_name == "config":
            return stand_in.answer(operation_name, api_params)
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr("shared.aws.config.time.sleep", lambda _: None)
    return stand_in


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """Let the evaluator's handlers run at this time."""
    monkeypatch.setattr("services.evaluator.handler.utc_now", lambda: now)


def put_score(scores: ScoreTable, pci: float, **changes: Any) -> None:
    """Store the successor of an identity's score."""
    identity = changes.get("identity", ANA)
    before = scores.get(ACCOUNT, identity.identity_id)
    scores.put(StoredScore(a_score(pci, **changes), version=before.version if before else 0))
