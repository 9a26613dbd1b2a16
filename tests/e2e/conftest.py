"""The real template, built and deployed once on the local AWS with permissions enforced.

With what the demonstration leaves out: policies are replaced, and the SSM document asks approvers.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.demonstration.system import System
from infra.local.deploy import deploy
from infra.local.local_aws import ACCOUNT_ID, REPOSITORY, LocalAws

MANAGED_POLICIES = REPOSITORY / "infra" / "local" / "managed_policies.json"
TRAIL_BUCKET = "trail-of-the-account"
APPROVER = f"arn:aws:iam::{ACCOUNT_ID}:root"
PARAMETERS = {
    "Mode": "auto",
    "Strategy": "replace",
    "RemediationApprovers": APPROVER,
    "MinObservedDays": "0",
    "GracePeriodDays": "0",
    "NoticePeriodHours": "0",
    "MaxChangedPercent": "100",
    "OnRegret": "restore",
    "RefusalDelaySeconds": "3",
    "ReevaluationDelaySeconds": "1",
    "ReadBackDwellSeconds": "0",
    "UsageBatchingWindowSeconds": "1",
    "TrailLogBucketName": TRAIL_BUCKET,
}


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The deployed system; its functions log to `system.local.log_file`."""
    log_file: Path = tmp_path_factory.mktemp("local-aws") / "emulator.log"
    with LocalAws.start(managed_policies=MANAGED_POLICIES, log_file=log_file, enforce_permissions=True) as local:
        outputs = deploy(local, template=REPOSITORY / "template.yaml", parameters=PARAMETERS)
        yield System(local, outputs)
