"""What integration tests share: the account that the remediator's handlers are tried on."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.wiring.edge import Wiring
from shared.aws import clients
from shared.aws.iam import IamReader
from shared.aws.last_accessed import LastAccessedReader
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityRef
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.observability import metrics
from tests.builders import ACCOUNT
from tests.conftest import Stack
from tests.integration.remediator_house import POLICY, SETTINGS, TRUST, USED, House


@pytest.fixture
def house(aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> House:
    """The role `deployer`, who holds much and uses little, non-compliant; the mode is observe."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"LEASTWISE_{name}", value)
    monkeypatch.setattr(metrics, "namespace", "leastwise")
    never = dict.fromkeys(load_catalogue().services, LastAccess())
    told = LastAccessed(never, {}, datetime.now(UTC))
    monkeypatch.setattr(LastAccessedReader, "read", lambda self, arn: told)
    iam = clients.iam()
    iam.create_role(RoleName="deployer", Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=json.dumps(POLICY))
    found = iam.get_role(RoleName="deployer")["Role"]
    house = House(aws, context, IdentityRef(account_id=ACCOUNT, identity_id=found["RoleId"], arn=found["Arn"]))
    monkeypatch.setattr(Wiring, "of", partial(Wiring.of, clock=house.now, sleep=house.sleep))
    house.safeguards()
    house.use(*USED, at=datetime.now(UTC) - timedelta(seconds=1))
    house.score()
    monkeypatch.setattr(IamReader, "verified", aged(IamReader.verified))
    iam.meta.events.register("before-call.iam.*", lambda model, **_: house.calls.append(model.name))
    return house


def aged(read: Any) -> Any:
    """Read identities as if they were created a year ago, which moto can't pretend."""

    def verified(self: IamReader, ref: IdentityRef, *, now: datetime) -> Any:
        detail = read(self, ref, now=now)
        return detail.model_copy(update={"created_at": now - timedelta(days=365)})

    return verified
