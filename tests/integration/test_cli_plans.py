"""`leastwise plans` and `leastwise plan`: the journal of a deployed stack read, and its functions asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.main import app
from services.remediator.core import parse_request
from services.remediator.watching.requests import parse_give_back
from shared.aws import clients
from shared.aws.journal import Journal
from shared.errors import InputError, NotFoundError
from shared.model.identity import IdentityRef, Policy
from shared.model.plan import (
    Plan,
    PlannedPolicy,
    PlanRecord,
    PlanStatus,
    Proofs,
    Reason,
    ReasonCode,
    Snapshot,
    Step,
    StepKind,
    Strategy,
)
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicyKind, PolicySource
from tests.builders import ACCOUNT, ANA, DEPLOYER
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST, SECOND = "1" * 16, "2" * 16
WIDE: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:*", "s3:Get*"], "Resource": "*"}],
}
NARROW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:ListUsers", "s3:GetObject"], "Resource": "*"}],
}
HELD = Policy(source=PolicySource(PolicyKind.INLINE, "own"), document=WIDE)
OPTIONS = ("--stack-name", "leastwise", "--region", REGION)


def planned(plan_id: str, identity: IdentityRef = ANA, **changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "plan_id": plan_id,
        "identity": identity,
        "strategy": Strategy.BOUNDARY,
        "fingerprint": "f",
        "policies": (PlannedPolicy(name=plan_id, document=NARROW),),
        "removes": ("iam:CreateUser", "s3:GetBucketPolicy"),
        "keeps": ("iam:ListUsers", "s3:GetObject"),
        "proofs": Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=2),
        "pci_before": 87.25,
        "pci_after": 12.5,
        "coverage": CoverageSummary(window_days=90, observed_days=60),
        "created_at": NOW - timedelta(hours=3),
        "expires_at": NOW + timedelta(hours=21),
    }
    return Plan(**(fields | changes))


def recorded(plan: Plan, status: PlanStatus = PlanStatus.PROPOSED, **changes: Any) -> PlanRecord:
    snapshot = Snapshot(identity=plan.identity, taken_at=NOW, fingerprint="f", policies=(HELD,))
    fields: dict[str, Any] = {
        "plan": plan,
        "snapshot": snapshot,
        "status": status,
        "trigger": "compliance",
        "updated_at": NOW - timedelta(hours=2),
    }
    return PlanRecord(**(fields | changes))


APPLIED = recorded(
    planned(SECOND, DEPLOYER),
    PlanStatus.APPLIED,
    approved_by="arn:aws:iam::123456789012:user/eve",
    applied_at=NOW - timedelta(hours=1),
    soak_until=NOW + timedelta(days=14),
    updated_at=NOW - timedelta(hours=1),
)


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack."""
    found = Stacks()
    found.deploy(aws, WindowDays="90", Threshold="60")
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    return found


@pytest.fixture
def journal(aws: Stack) -> Journal:
    """Its journal, with a plan that waits and one that was applied."""
    found = Journal(aws.table(aws.journal_table))
    found.save(recorded(planned(FIRST)))
    found.save(APPLIED)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, *OPTIONS])


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception or result.output
    return json.loads(result.stdout)


def ids(*arguments: str) -> list[str]:
    return [plan["plan_id"] for plan in told("plans", *arguments)["plans"]]


def test_plans_are_listed_newest_first_and_by_state_identity_and_time(journal: Journal) -> None:
    assert ids() == [SECOND, FIRST]
    assert ids("--status", "proposed") == [FIRST]
    assert ids("--status", "applied", "--status", "rolled-back") == [SECOND]
    assert ids("--status", "QUARANTINED") == []
    assert ids("--identity", ANA.identity_id) == [FIRST]
    assert ids("--limit", "1") == [SECOND]
    assert ids("--since", (NOW - timedelta(minutes=90)).isoformat()) == [SECOND]


def test_a_plan_is_listed_with_its_state(journal: Journal) -> None:
    [plan] = told("plans", "--status", "APPLIED")["plans"]
    assert (plan["identity"], plan["status"], plan["strategy"]) == (DEPLOYER.arn, "APPLIED", "boundary")
    assert (plan["removes_count"], plan["keeps_count"], plan["approved_by"]) == (2, 2, APPLIED.approved_by)
    assert plan["soak_until"] == (NOW + timedelta(days=14)).isoformat().replace("+00:00", "Z")
    assert (plan["noticed_at"], plan["reason"]) == (None, None)


def test_plans_of_somebody_by_name_are_those_of_who_has_it_now(journal: Journal) -> None:
    user = clients.iam().create_user(UserName="zoe")["User"]
    zoe = IdentityRef(account_id=ACCOUNT, identity_id=user["UserId"], arn=user["Arn"])
    journal.save(recorded(planned("3" * 16, zoe)))
    assert ids("--identity", "zoe") == ids("--identity", "user/zoe") == ids("--identity", zoe.arn) == ["3" * 16]
    assert isinstance(run("plans", "--identity", "zo").exception, InputError)


def test_a_state_that_there_is_not_is_a_usage_error() -> None:
    assert run("plans", "--status", "done").exit_code == 2


def test_people_see_plans_as_rows(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run("plans").stdout.splitlines()
    assert [line.split()[0] for line in lines if "role/" in line or "user/" in line] == [SECOND, FIRST]
    assert any("approved by arn:aws:iam::123456789012:user/eve" in line for line in lines)
    monkeypatch.setattr("cli.terminal.PIPED_WIDTH", 80)
    assert all(len(line) <= 80 for line in run("plans").stdout.splitlines())
    assert run("plans", "--status", "skipped").stdout == "No plans.\n"


def test_a_plan_is_shown_with_state_proofs_calls_and_diff(journal: Journal) -> None:
    shown = run("plan", "show", FIRST).stdout
    assert f"Plan {FIRST}, strategy boundary" in shown
    assert "Proven: nothing new is granted; all 2 recorded uses stay allowed" in shown
    assert '-        "iam:*"' in shown
    assert '+        "iam:ListUsers"' in shown
    assert "State: PROPOSED since" in shown
    assert "put boundary" in shown
    assert "to come" in shown
    assert f"leastwise plan approve {FIRST} --stack-name leastwise --region {REGION}" in shown
    applied = run("plan", "show", SECOND).stdout
    assert "Approved by arn:aws:iam::123456789012:user/eve" in applied
    assert "watched until" in applied
    assert f"leastwise plan rollback {SECOND} --stack-name leastwise --region {REGION}" in applied


def test_the_calls_of_a_plan_are_those_of_the_journal(journal: Journal) -> None:
    step = Step(kind=StepKind.PUT_BOUNDARY, target=f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{SECOND}")
    token = journal.claim(DEPLOYER, "owner", now=NOW, lease=timedelta(minutes=5))
    journal.intend(APPLIED.plan, 1, step, token=token, now=NOW)
    answer = told("plan", "show", SECOND)
    [made] = answer["steps"]
    assert (made["number"], made["kind"], made["target"], made["outcome"]) == (1, "put_boundary", step.target, "")
    assert answer["steps_to_come"] == []
    assert "not known: it was begun" in run("plan", "show", SECOND).stdout
    waiting = told("plan", "show", FIRST)
    assert [one["kind"] for one in waiting["steps_to_come"]] == ["create_policy", "put_boundary"]
    assert waiting["policies"] == [{"name": FIRST, "document": NARROW}]
    assert (waiting["status"], waiting["proofs"]["no_new_access"], waiting["drift"]) == ("PROPOSED", True, [])


def test_a_plan_is_shown_as_policies_and_as_code(journal: Journal) -> None:
    assert json.loads(run("plan", "show", FIRST, "--policy").stdout) == NARROW
    patch = planned(
        "4" * 16,
        strategy=Strategy.PATCH,
        policies=(PlannedPolicy(name="own", document=NARROW, source=HELD.source),),
    )
    journal.save(recorded(patch))
    assert "iam:ListUsers" in run("plan", "show", "4" * 16, "--terraform").stdout
    assert "iam:ListUsers" in run("plan", "show", "4" * 16, "--cloudformation").stdout
    assert run("plan", "show", "4" * 16, "--terraform", "--json").exit_code == 2
    assert isinstance(run("plan", "show", FIRST, "--terraform").exception, InputError)  # it is no patch


def test_what_the_journal_holds_cannot_command_the_terminal(journal: Journal) -> None:
    reason = Reason(code=ReasonCode.REGRET, message="a\x1b[31m\u202e")
    failed = recorded(planned("5" * 16), PlanStatus.QUARANTINED, reason=reason, drift=("b\x9b2J",), approved_by="c\x07")
    journal.save(failed)
    for arguments in (["plans"], ["plan", "show", "5" * 16]):
        shown = run(*arguments).stdout
        assert not {"\x1b", "\u202e", "\x9b", "\x07"} & set(shown)
        assert r"a\x1b[31m" in shown


def test_a_plan_that_there_is_not_is_an_error() -> None:
    error = run("plan", "show", "f" * 16).exception
    assert isinstance(error, InputError)
    assert "leastwise plans" in str(error)
    assert run("plan", "show", "../etc").exit_code == 2


def test_a_stack_that_does_not_tell_its_journal_is_named(stacks: Stacks) -> None:
    outputs = stacks["leastwise"]["Outputs"]
    outputs[:] = [output for output in outputs if output["OutputKey"] != "JournalTableName"]
    error = run("plans").exception
    assert isinstance(error, NotFoundError)
    assert "JournalTableName" in str(error)


def answering(outcome: str, reason: str = "") -> dict[str, str]:
    return {"outcome": outcome, "plan_id": FIRST, "reason": reason, "detail": "told"}


ASKED: list[tuple[tuple[str, ...], str, dict[str, Any], dict[str, str]]] = [
    (("plan", "approve", FIRST), "takes", {"action": "approve", "plan_id": FIRST}, answering("APPLIED")),
    (("plan", "apply", FIRST), "takes", {"action": "apply", "plan_id": FIRST}, answering("APPLIED")),
    (("plan", "reject", FIRST), "takes", {"action": "reject", "plan_id": FIRST}, answering("SKIPPED", "rejected")),
    (("plan", "rollback", FIRST), "gives", {"action": "rollback", "plan_id": FIRST}, answering("ROLLED_BACK")),
    (
        ("plan", "restore", FIRST, "--action", "iam:CreateUser", "--action", "s3:GetObject"),
        "gives",
        {"action": "restore", "plan_id": FIRST, "actions": ["iam:CreateUser", "s3:GetObject"]},
        answering("APPLIED"),
    ),
    (
        ("plan", "propose", ANA.identity_id),
        "takes",
        {"action": "propose", "resource_id": ANA.identity_id},
        answering("PROPOSED"),
    ),
]


@pytest.mark.parametrize(("arguments", "function", "payload", "answer"), ASKED)
def test_a_person_asks_the_function_that_may_do_it_and_is_named(
    arguments: tuple[str, ...], function: str, payload: dict[str, Any], answer: dict[str, str], stacks: Stacks
) -> None:
    asked: list[dict[str, Any]] = []

    def note(request: dict[str, Any]) -> dict[str, str]:
        asked.append(request)
        return answer

    stacks.functions = {function: note}
    result = run(*arguments)
    [request] = asked
    assert request == {**payload, "trigger": "command", "by": request["by"]}
    assert request["by"].startswith("arn:aws:")
    (parse_request if function == "takes" else parse_give_back)(request)  # the function takes it
    assert (result.exit_code, result.stdout) == (0, f"Plan {FIRST}: {answer['outcome']}: told\n")
    assert told(*arguments) == answer


@pytest.mark.parametrize("arguments", [arguments for arguments, *_ in ASKED])
def test_another_outcome_is_a_finding(arguments: tuple[str, ...], stacks: Stacks) -> None:
    stacks.functions = {name: lambda _: answering("SKIPPED", "kill_switch") for name in ("takes", "gives")}
    result = run(*arguments)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1


def test_without_sts_the_computers_user_is_named(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def refused(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == "GetCallerIdentity":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation_name)
        return stacks.answer(client, operation_name, api_params)

    def note(request: dict[str, Any]) -> dict[str, str]:
        asked.append(request)
        return answering("APPLIED")

    stacks.functions = {"takes": note}
    monkeypatch.setenv("USER", "eve\x1b")
    monkeypatch.setattr(BaseClient, "_make_api_call", refused)
    assert run("plan", "approve", FIRST).exit_code == 0
    assert asked[0]["by"] == "eve"


def test_an_action_that_is_none_is_a_usage_error() -> None:
    assert run("plan", "restore", FIRST, "--action", "s3:*").exit_code == 2
    assert run("plan", "restore", FIRST).exit_code == 2
