"""`leastwise uninstall` on moto: the real functions give back, and the stack goes only once nothing of ours is left."""

import json
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.leaving import removal
from cli.main import app
from services.remediator.watching.handler import handle_request
from shared.aws import clients
from shared.aws.mode_setting import set_mode
from shared.errors import DeniedError, DependencyError, InputError, SafetyError
from shared.model.plan import Mode, PlanStatus
from tests.conftest import REGION
from tests.integration.remediator_house import POLICY, House
from tests.integration.stack_stand_in import Stacks

OPTIONS = ("--stack-name", "leastwise", "--region", REGION)


class LeavingStack(Stacks):
    """A stack that can be deleted; `made` are all calls but reads, `refused` the operations that AWS refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []
        self.refused: set[str] = set()
        self.ends: list[str] = ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]  # its states once it is being deleted

    def answer(self, client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        """Answer a call as AWS would."""
        if operation_name in self.refused:
            error = {"Error": {"Code": "AccessDenied", "Message": f"not authorized to perform: x:{operation_name}"}}
            raise ClientError(error, operation_name)  # type: ignore[arg-type]
        if not operation_name.startswith(("Describe", "Get", "List", "Query")):
            self.made.append(operation_name)
        stack = self["leastwise"]
        if operation_name == "DeleteStack":
            assert api_params == {"StackName": stack["StackId"]}
            stack["StackStatus"] = self.ends[0]
            return {}
        if operation_name == "DescribeStacks" and api_params["StackName"] == stack["StackId"]:
            stack["StackStatus"] = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
            return {"Stacks": [stack]}
        return super().answer(client, operation_name, api_params)


@pytest.fixture
def stack(house: House, monkeypatch: pytest.MonkeyPatch) -> LeavingStack:
    """The deployed stack around the role `deployer`, whose functions give back; nobody waits."""
    house.applied_plan()
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    monkeypatch.setattr(removal, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(removal, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(removal, "POLL_SECONDS", 0.0)
    found = LeavingStack()
    found.deploy(house.stack, WindowDays="90", Threshold="60")
    stack = found["leastwise"]
    outputs = {"ModeParameterName": house.stack.mode_parameter, "AuditTableName": house.stack.audit_table}
    stack["Outputs"] += [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    stack["StackStatus"] = "UPDATE_COMPLETE"
    found.functions["gives"] = lambda payload: dict(handle_request(payload, house.context))
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    return found


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["uninstall", *arguments, *OPTIONS], input=typed)


def mode(house: House) -> str:
    return str(clients.ssm().get_parameter(Name=house.stack.mode_parameter)["Parameter"].get("Value"))


def somebodys_policy(name: str) -> str:
    iam = clients.iam()
    created = iam.create_policy(PolicyName=name, Path="/leastwise/", PolicyDocument=json.dumps(POLICY))
    return created["Policy"]["Arn"]


def is_gone(stack: LeavingStack) -> bool:
    return "DeleteStack" in stack.made


def test_without_apply_it_only_tells(house: House, stack: LeavingStack) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "give back" in result.stdout
    assert house.role.arn in result.stdout
    answer = json.loads(run("--json").stdout)
    assert answer["ready"] is True
    [step] = answer["steps"]
    assert (step["do"], step["arn"], step["plan_id"]) == ("give back", house.role.arn, house.plan_id())
    assert {"what": "table of the audit trail", "name": house.stack.audit_table} in answer["stays"]
    assert stack.made == []
    assert mode(house) == "auto"


def test_it_gives_back_what_was_taken_and_then_the_stack_goes(house: House, stack: LeavingStack) -> None:
    result = run("--apply", typed="leastwise\n")
    assert result.exit_code == 0, result.output
    assert house.boundary is None
    assert house.own_policies() == []
    assert house.record().status is PlanStatus.ROLLED_BACK
    inline = clients.iam().list_role_policies(RoleName="deployer")["PolicyNames"]
    assert inline == ["own"]
    assert mode(house) == "off"
    assert is_gone(stack)
    order = [stack.made.index(call) for call in ("PutParameter", "Invoke", "DeletePolicy", "DeleteStack")]
    assert order == sorted(order)
    assert "stack leastwise: deleted" in result.stdout


def test_a_plan_with_replaced_policies_is_given_back_too(
    house: House, stack: LeavingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.take_back(house.plan_id())
    monkeypatch.setenv("LEASTWISE_STRATEGY", "replace")
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "false")
    house.ask("remediate", resource_id=house.role.identity_id)
    assert clients.iam().list_role_policies(RoleName="deployer")["PolicyNames"] == []
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    assert run("--apply", "--yes").exit_code == 0
    assert clients.iam().list_role_policies(RoleName="deployer")["PolicyNames"] == ["own"]
    assert clients.iam().list_attached_role_policies(RoleName="deployer")["AttachedPolicies"] == []
    assert house.own_policies() == []
    assert is_gone(stack)


@pytest.mark.parametrize("typed", ["yes\n", ""])
def test_only_the_stacks_name_is_a_yes(house: House, stack: LeavingStack, typed: str) -> None:
    assert run("--apply", typed=typed).exit_code == 1
    assert stack.made == []
    assert house.boundary


@pytest.mark.parametrize(
    "operation", ["ListPolicies", "GetAccountAuthorizationDetails", "DescribeStacks", "PutParameter"]
)
def test_what_cannot_be_read_or_set_stops_it_before_anything_changed(
    house: House, stack: LeavingStack, operation: str
) -> None:
    stack.refused.add(operation)
    result = run("--apply", "--yes")
    assert isinstance(result.exception, DeniedError)
    assert stack.made == []
    assert house.boundary


def test_a_policy_that_no_plan_of_this_stack_made_stops_it_until_a_person_keeps_it(
    house: House, stack: LeavingStack
) -> None:
    arn = somebodys_policy("f" * 16)
    stack.made.clear()
    result = run("--apply", "--yes")
    assert result.exit_code == 1
    assert "no plan of this stack made it" in result.stdout
    assert stack.made == []
    assert run("--apply", "--yes", "--keep", arn).exit_code == 0
    assert house.own_policies() == [arn]
    assert house.boundary is None
    assert is_gone(stack)


def test_a_policy_that_somebody_else_was_given_stops_it(house: House, stack: LeavingStack) -> None:
    [arn] = house.own_policies()
    clients.iam().create_user(UserName="eve")
    clients.iam().attach_user_policy(UserName="eve", PolicyArn=arn)
    stack.made.clear()
    result = run("--apply", "--yes")
    assert result.exit_code == 1
    assert "somebody gave it to" in result.stdout
    assert stack.made == []


def test_a_kept_identity_stays_narrowed(house: House, stack: LeavingStack) -> None:
    assert run("--apply", "--yes", "--keep", house.role.arn).exit_code == 0
    assert house.boundary
    assert len(house.own_policies()) == 1
    assert "Invoke" not in stack.made
    assert is_gone(stack)


@pytest.mark.parametrize(
    "arguments",
    [("--keep", "deployer"), ("--keep", "arn:aws:iam::123456789012:role/nobody"), ("--json", "--apply")],
)
def test_what_it_does_not_understand_changes_nothing(
    house: House, stack: LeavingStack, arguments: tuple[str, ...]
) -> None:
    assert run(*arguments).exit_code == 2
    assert stack.made == []


def test_what_cannot_be_given_back_keeps_the_stack(house: House, stack: LeavingStack) -> None:
    stack.functions["gives"] = lambda _: {"outcome": "SKIPPED", "plan_id": "", "reason": "protected", "detail": "no"}
    result = run("--apply", "--yes")
    assert isinstance(result.exception, SafetyError)
    assert house.role.arn in str(result.exception)
    assert "SKIPPED: no" in str(result.exception)
    assert not is_gone(stack)
    assert house.boundary
    assert mode(house) == "observe", "undoing by hand has to work"


def test_a_function_that_fails_once_is_asked_again(house: House, stack: LeavingStack) -> None:
    gives, failures = stack.functions["gives"], iter([True])

    def fail_once(payload: dict[str, Any]) -> Any:
        if next(failures, False):
            return {"outcome": "SKIPPED", "plan_id": "", "reason": "locked", "detail": "another delivery is at it"}
        return gives(payload)

    stack.functions["gives"] = fail_once
    assert run("--apply", "--yes").exit_code == 0
    assert house.boundary is None


@pytest.mark.parametrize("call", ["Invoke", "DeleteStack"])
def test_one_that_was_interrupted_goes_on_when_it_is_started_again(
    house: House, stack: LeavingStack, call: str
) -> None:
    stack.refused.add(call)
    first = run("--apply", "--yes")
    assert isinstance(first.exception, SafetyError | DeniedError)
    assert not is_gone(stack)
    stack.refused.clear()
    assert run("--apply", "--yes").exit_code == 0
    assert house.boundary is None
    assert is_gone(stack)


def test_a_change_that_comes_in_between_keeps_the_stack(
    house: House, stack: LeavingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change() -> None:
        house.mode("auto")
        monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "false")
        house.ask("remediate", resource_id=house.role.identity_id)
        house.mode("off")

    def then(client: Any, parameter: str, mode: Mode) -> None:
        set_mode(client, parameter, mode)
        if mode is Mode.OFF:
            change()

    monkeypatch.setattr(removal, "set_mode", then)
    result = run("--apply", "--yes")
    assert house.boundary
    assert isinstance(result.exception, SafetyError)
    assert not is_gone(stack)


def test_a_deletion_that_fails_is_told_and_can_be_tried_again(house: House, stack: LeavingStack) -> None:
    stack.ends = ["DELETE_IN_PROGRESS", "DELETE_FAILED"]
    first = run("--apply", "--yes")
    assert "DELETE_FAILED" in str(first.exception)
    stack.ends = ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    stack.made.clear()
    assert run("--apply", "--yes").exit_code == 0
    assert stack.made == ["PutParameter", "DeleteStack"], "its functions may be gone"


def test_a_deletion_that_failed_makes_no_mode_anew_and_gives_nothing_up(house: House, stack: LeavingStack) -> None:
    clients.ssm().delete_parameter(Name=house.stack.mode_parameter)
    stack.made.clear()
    stack["leastwise"]["StackStatus"] = "DELETE_FAILED"
    result = run("--apply", "--yes")
    assert isinstance(result.exception, SafetyError)
    assert "not given back" in str(result.exception)
    assert stack.made == []


@pytest.mark.parametrize("apply", [("--apply",), ()])
def test_a_deletion_that_somebody_began_is_waited_for_and_what_it_leaves_is_told(
    house: House, stack: LeavingStack, apply: tuple[str, ...]
) -> None:
    stack["leastwise"]["StackStatus"] = "DELETE_IN_PROGRESS"
    result = run(*apply)
    assert isinstance(result.exception, SafetyError)
    assert house.own_policies()[0] in str(result.exception)
    assert stack.made == []
    assert (stack["leastwise"]["StackStatus"] == "DELETE_COMPLETE") is bool(apply)


def test_a_deletion_that_begins_while_the_question_is_asked_is_no_success(
    house: House, stack: LeavingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(_: str) -> None:
        stack["leastwise"]["StackStatus"] = "DELETE_IN_PROGRESS"

    monkeypatch.setattr("cli.uninstall._confirm", begin)
    result = run("--apply")
    assert isinstance(result.exception, DependencyError)
    assert "start this again" in str(result.exception)
    assert house.boundary


def test_what_would_stop_the_deletion_is_found_before_anything_is_given_back(house: House, stack: LeavingStack) -> None:
    stack["leastwise"]["EnableTerminationProtection"] = True
    result = run("--apply", "--yes")
    assert isinstance(result.exception, InputError)
    assert stack.made == []


def test_a_kill_switch_is_not_lifted_unasked(house: House, stack: LeavingStack) -> None:
    house.mode("off")
    stack.made.clear()
    result = run("--apply", "--yes")
    assert isinstance(result.exception, SafetyError)
    assert "kill switch" in str(result.exception)
    assert stack.made == []


def test_whoever_was_stripped_after_a_plan_gets_nothing_back_without_a_word(
    house: House, stack: LeavingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.take_back(house.plan_id())
    monkeypatch.setenv("LEASTWISE_STRATEGY", "replace")
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "false")
    house.ask("remediate", resource_id=house.role.identity_id)
    for attached in clients.iam().list_attached_role_policies(RoleName="deployer")["AttachedPolicies"]:
        clients.iam().detach_role_policy(RoleName="deployer", PolicyArn=attached["PolicyArn"])
    stack.made.clear()
    result = run("--apply", "--yes")
    assert result.exit_code == 1
    assert "somebody took off" in " ".join(result.stdout.split())
    assert stack.made == []
