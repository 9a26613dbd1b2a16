"""The deployed system with an outside provider: the demonstration's own steps, up to the first change, for one role."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.demonstration.checks import Checks
from infra.local.demonstration.provider import outside_provider
from infra.local.demonstration.records import replay, replayed
from infra.local.demonstration.run import MANAGED_POLICIES, PARAMETERS
from infra.local.demonstration.stage import BY_SSM, Stage
from infra.local.demonstration.steps.changing import remediate_by_ssm
from infra.local.demonstration.steps.observing import create_identities, folded, score, uses
from infra.local.demonstration.steps.outside import compare_scores, look_for_secrets, refuse_bad_answers, teach
from infra.local.demonstration.system import System
from infra.local.deploy import deploy
from infra.local.local_aws import REPOSITORY, LocalAws

pytestmark = pytest.mark.e2e


def record_usage_of_one(stage: Stage) -> None:
    """All records of one role, and one of each day, so that the trail was seen all along: quicker than all of them."""
    ref = stage.refs[BY_SSM]
    everything = replayed(stage.refs, account_id=stage.system.account_id, now=datetime.now(UTC))
    own = [one for one in everything if one["userIdentity"].get("principalId", "").startswith(ref.identity_id)]
    of_each_day = {one["eventTime"][:10]: one for one in everything}
    replay(stage.system.local.client("events"), [*own, *of_each_day.values()])
    stage.checks.hold("every queue was worked off", stage.system.settle())
    stage.used[BY_SSM] = uses(folded(own)[ref.identity_id])


STEPS = (
    create_identities,
    record_usage_of_one,
    teach,
    score,
    compare_scores,
    refuse_bad_answers,
    remediate_by_ssm,
    look_for_secrets,
)


def test_a_provider_scores_and_proposes_and_its_bad_answers_change_nothing(tmp_path: Path) -> None:
    log_file = tmp_path / "emulator.log"
    with (
        LocalAws.start(managed_policies=MANAGED_POLICIES, log_file=log_file, enforce_permissions=True) as local,
        outside_provider(local) as outside,
    ):
        parameters = {**PARAMETERS, "MinObservedDays": "0", **outside.parameters}
        outputs = deploy(local, template=REPOSITORY / "template.yaml", parameters=parameters)
        stage = Stage(System(local, outputs), Console(width=200), Checks(Console(width=200)), outside)

        for step in STEPS:
            step(stage)

    assert [check for check in stage.checks.made if not check.held] == []
    assert {check.claim for check in stage.checks.made} >= {"5xx: nothing changes", "the SSM Automation succeeded"}
