"""Leaving: the last test of the deployed system, since it is gone afterwards. pytest runs files by their names."""

import json

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.leaving import removal
from cli.main import app
from infra.local.demonstration.system import System
from shared.model.plan import PlanStatus
from tests.e2e.test_deployed_job import (
    as_before,
    call,
    create_user,
    make_administrator,
    plan_of,
    put_call,
    usage_of,
)
from tests.e2e.test_deployed_job import until as wait_until

pytestmark = pytest.mark.e2e


def test_whoever_leaves_gets_everything_back_and_the_stack_is_gone(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a user whose policies were replaced; the use is known before anything is there to be judged by it
    ref = create_user(system)
    put_call(system, call(ref, "ec2", "DescribeInstances"))
    wait_until(lambda: "ec2:describeinstances" in usage_of(system, ref).entries, what="the use is in the ledger")
    statement = {"Effect": "Allow", "Action": ["ec2:DescribeInstances", "kms:ListKeys"], "Resource": "*"}
    own = {"Version": "2012-10-17", "Statement": [statement]}
    iam = system.local.client("iam")
    iam.put_user_policy(UserName=ref.name, PolicyName="own", PolicyDocument=json.dumps(own))
    before = make_administrator(system, ref)
    wait_until(lambda: system.journal.current(ref), what="a plan")
    wait_until(lambda: plan_of(system, ref).status is PlanStatus.APPLIED, what="it is applied")
    system.settle()
    record = plan_of(system, ref)
    assert not as_before(system, ref, before)

    # when the system is removed
    for name in ("SETTLE_SECONDS", "PAUSE_SECONDS", "POLL_SECONDS"):
        monkeypatch.setattr(removal, name, 1.0)
    for name, value in system.local.environment().items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["uninstall", "--apply", "--yes"])
    assert result.exit_code == 0, (result.output, result.exception)

    # then nothing of ours is left, and the user is as before (the local AWS doesn't know what a stack retains)
    assert as_before(system, ref, before)
    assert f"{ref.arn}: plan {record.plan.plan_id}: ROLLED_BACK" in result.output
    assert iam.list_policies(Scope="Local", PathPrefix="/leastwise/")["Policies"] == []
    with pytest.raises(ClientError, match="does not exist"):
        system.local.client("cloudformation").describe_stacks(StackName="leastwise")
