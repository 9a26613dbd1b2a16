"""A deployed stack with an audit trail on moto, as the audit commands find it."""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.main import app, main
from services.auditor.core import chain_of, entry_of
from shared.aws.audit_table import AuditTable
from shared.events import AccountScored, DomainEvent, IdentityEvaluated, PlanProposed, event_id_of
from shared.model.audit import AuditEntry
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, Mode
from shared.model.score import Band
from shared.model.stored_entry import Head
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, PLAN, scored
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks

BUCKET = "anchors"  # as the stack on moto calls it
OPTIONS = ("--stack-name", "leastwise", "--region", REGION)
ANAS, DEPLOYERS, OWN = (f"{ACCOUNT}/{owner}" for owner in (ANA.identity_id, DEPLOYER.identity_id, "account"))


def minutes(number: int) -> datetime:
    """So long after the trail began."""
    return NOW + timedelta(minutes=number)


def judged(identity: IdentityRef, verdict: Compliance, number: int, annotation: str = "PCI 70 of 100") -> DomainEvent:
    """A verdict."""
    told = {"compliance": verdict, "pci": 70.5, "threshold": 60.0, "annotation": annotation}
    return IdentityEvaluated.about(identity, number, occurred_at=minutes(number), **told)


def planned(identity: IdentityRef, number: int, plan_id: str) -> DomainEvent:
    """A plan that waits for a person."""
    told = {"removes": 212, "keeps": 18, "pci_before": 87.25, "pci_after": 12.5, "mode": Mode.APPROVE}
    plan = {**PLAN, "plan_id": plan_id, "expires_at": minutes(600)}
    return PlanProposed.about(identity, plan_id, occurred_at=minutes(number), **told, **plan)


def swept(number: int) -> DomainEvent:
    """The account's score."""
    return AccountScored(
        event_id=event_id_of("AccountScored", number),
        occurred_at=minutes(number),
        account_id=ACCOUNT,
        pci=61.0,
        identities=2,
        excluded=0,
        by_band={Band.LOW: 1, Band.HIGH: 1},
        sweep_found=0,
    )


STORY: tuple[DomainEvent, ...] = (
    scored(87.25, version=1),
    judged(ANA, Compliance.NON_COMPLIANT, 1),
    planned(ANA, 1, "plan-1"),  # at the same time as the verdict
    swept(2),
    judged(DEPLOYER, Compliance.COMPLIANT, 3),
    planned(DEPLOYER, 4, "plan-2"),
    judged(DEPLOYER, Compliance.NON_COMPLIANT, 5),
    judged(ANA, Compliance.COMPLIANT, 6),
    swept(7),
)


def record(aws: Stack, *events: DomainEvent) -> None:
    """Append events to the trail, as the auditor does."""
    audit = AuditTable(aws.table(aws.audit_table))
    for event in events:
        audit.append(event.event_id, chain_of(event), partial(_entry, event))


def _entry(event: DomainEvent, head: Head | None) -> AuditEntry:
    return entry_of(event, head, now=event.occurred_at)


def deployed(aws: Stack, monkeypatch: pytest.MonkeyPatch, **parameters: str) -> Stacks:
    """The stack, with what the audit commands read of it."""
    found = Stacks()
    found.deploy(aws, **{"WindowDays": "90", "Threshold": "60", **parameters})
    describe(found, AuditTableName=aws.audit_table, AuditAnchorBucketName=aws.anchor_bucket)
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    return found


def describe(stacks: Stacks, **outputs: str) -> None:
    """Add outputs to the stack, or take those with an empty value away."""
    stack = stacks["leastwise"]
    kept = [each for each in stack["Outputs"] if each["OutputKey"] not in outputs]
    stack["Outputs"] = kept + [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items() if value]


def run(*arguments: str) -> Result:
    """Run a command of `leastwise audit`."""
    return CliRunner().invoke(app, ["audit", *arguments, *OPTIONS])


def told(*arguments: str, code: int = 0) -> Any:
    """What a command answers as JSON."""
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.exception or result.output
    return json.loads(result.stdout)


def ended(
    arguments: Iterable[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit code and complaint of the whole command, as the shell sees them."""
    monkeypatch.setattr(sys, "argv", ["leastwise", "audit", *arguments])
    with pytest.raises(SystemExit) as ending:
        main()
    code = ending.value.code
    assert isinstance(code, int)
    return code, capfd.readouterr().err


def failing(operation: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have AWS refuse one operation from now on."""
    before: Callable[..., Any] = vars(BaseClient)["_make_api_call"]

    def call(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == operation:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation_name)
        return before(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
