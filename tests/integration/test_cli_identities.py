"""`leastwise identities` on a stack: stored scores, verdicts, plans, and whom the last sweep could not score."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from typer.testing import CliRunner, Result

from cli.main import app
from shared.aws.journal import Journal
from shared.aws.score_table import ScoreTable
from shared.aws.sweep_table import SweepTable
from shared.model.plan import Compliance, PlanStatus
from shared.model.score import StoredScore
from shared.model.sweep import SweepProgress
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, a_score, a_verdict
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks
from tests.integration.test_cli_plans import planned, recorded


@pytest.fixture(autouse=True)
def scores(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> ScoreTable:
    """A deployed stack with a user and a role that have scores, and one that is gone."""
    stacks = Stacks()
    stacks.deploy(aws, WindowDays="90", Threshold="60")
    monkeypatch.setattr(BaseClient, "_make_api_call", stacks.caller())
    table = ScoreTable(aws.table(aws.scores_table))
    gone = DEPLOYER.model_copy(update={"identity_id": "AROAGONE000000000001"})
    table.put(StoredScore(a_score(61)))
    table.put(StoredScore(a_score(59, identity=DEPLOYER)))
    table.put(StoredScore(a_score(99, identity=gone), present=False, retired_at=NOW))
    table.put_verdict(a_verdict(Compliance.COMPLIANT))  # by hysteresis: the score alone would say otherwise
    return table


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["identities", "--region", REGION, *arguments])


def told(*arguments: str) -> list[dict[str, Any]]:
    result = run("--json", *arguments)
    assert result.exit_code == 0, result.exception or result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["identities"]
    return found


def test_everybody_who_is_there_is_told_with_the_verdict_in_force() -> None:
    assert [(one["arn"], one["compliance"]) for one in told()] == [(ANA.arn, "COMPLIANT"), (DEPLOYER.arn, "COMPLIANT")]
    assert [one["arn"] for one in told("--type", "role")] == [DEPLOYER.arn]
    assert told("--compliance", "non-compliant") == []
    result = json.loads(run("--json", "--limit", "1").stdout)
    assert (result["found"], len(result["identities"])) == (2, 1)


def test_the_latest_plan_that_says_something_is_told(aws: Stack) -> None:
    journal = Journal(aws.table(aws.journal_table))
    journal.save(recorded(planned("1" * 16), PlanStatus.APPLIED, updated_at=NOW - timedelta(days=2)))
    journal.save(recorded(planned("2" * 16), PlanStatus.PROPOSED, updated_at=NOW - timedelta(days=1)))
    journal.save(recorded(planned("3" * 16), PlanStatus.SKIPPED, updated_at=NOW))
    assert [(one["plan_id"], one["plan_status"]) for one in told()] == [("2" * 16, "PROPOSED"), (None, None)]


def test_whom_the_sweep_could_not_score_is_marked(aws: Stack) -> None:
    failed = {"AIDALOST000000000001": "DeniedError", ANA.identity_id: "ConflictError"}
    sweep = SweepProgress(account_id=ACCOUNT, started_at=NOW, finished_at=NOW, failed=failed)
    SweepTable(aws.table(aws.scores_table)).put(sweep)
    assert [(one["id"], one["pci"], one["problem"]) for one in told()] == [
        (ANA.identity_id, 61, "ConflictError"),
        (DEPLOYER.identity_id, 59, None),
        ("AIDALOST000000000001", None, "DeniedError"),
    ]
    assert "unscored" in run().stdout


def test_a_plan_that_cannot_be_read_hides_nobody(aws: Stack) -> None:
    aws.table(aws.journal_table).put(
        {
            "pk": f"PLAN#{'4' * 16}",
            "sk": "PLAN",
            "plan_status": f"{ACCOUNT}#APPLIED",
            "updated_at": "2026-03-01T12:00:00.000000Z",
            "record": b"nonsense",
        }
    )
    for command in ("identities", "plans"):
        result = CliRunner().invoke(app, [command, "--region", REGION, "--json"])
        assert result.exit_code == 2
        assert result.stderr == f"leastwise: PLAN#{'4' * 16} can't be read: error\n"
    assert len(json.loads(run("--json").stdout)["identities"]) == 2


def test_only_one_form_can_be_asked_for() -> None:
    assert run("--json", "--csv").exit_code == 2
    assert run("--csv").stdout.startswith("arn,id,type,pci,")
