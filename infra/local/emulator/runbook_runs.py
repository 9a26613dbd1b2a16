"""One execution of a runbook, step by step: what it knows, which role it has, what it notes."""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import iam

from infra.local.emulator.clock import epoch_now, utc_now_text
from infra.local.emulator.runbook_actions import Outputs, clients_of, run_action
from infra.local.emulator.runbook_approvals import DEFAULT_TIMEOUT_SECONDS, Approvals
from infra.local.emulator.runbook_branches import next_step
from infra.local.emulator.runbook_values import RunbookError, resolve, select

Execution = dict[str, Any]
Step = dict[str, Any]

_STEP_KEYS = {"name", "action", "description", "inputs", "outputs", "onFailure", "isEnd", "nextStep", "isCritical"}
_STEP_KEYS |= {"timeoutSeconds", "maxAttempts"}


class RunbookRun:
    """An execution under way, in a thread of its own; `execution` is the record that the API shows."""

    def __init__(self, execution: Execution, values: Mapping[str, Any], approvals: Approvals) -> None:
        self._execution = execution
        self._id: str = execution["AutomationExecutionId"]
        self._known = {**_global_values(self._id), **values}
        self._approvals = approvals
        self._role_arn: str | None = None

    def run(self, content: dict[str, Any]) -> None:
        """Run to the end and note how it ended."""
        execution, status = self._execution, "Success"
        try:
            for name, value in (content.get("variables") or {}).items():
                self._known[f"variable:{name}"] = resolve(value.get("default"), self._known)
            self._role_arn = _assumed_role(content, self._known)
            execution["AssumeRole"] = self._role_arn or ""
            self._run_steps(content["mainSteps"])
            for output in content.get("outputs") or []:
                execution["Outputs"][output] = [_text(resolve("{{ %s }}" % output, self._known))]  # noqa: UP031 (braces)
        except RunbookError as error:
            status, execution["FailureMessage"] = "Failed", str(error)
        execution["ExecutionEndTime"] = epoch_now()
        execution["AutomationExecutionStatus"] = status

    def _run_steps(self, steps: list[Step]) -> None:
        by_name = {step["name"]: index for index, step in enumerate(steps)}
        position = 0
        while position < len(steps):
            step = steps[position]
            failure, chosen = self._run_step(step)
            if failure and step.get("onFailure", "Abort") != "Continue":
                raise RunbookError(f"Step fails when it is {step['name']}: {failure}")
            if step.get("isEnd"):
                return
            target = chosen or step.get("nextStep")
            if target is not None and target not in by_name:
                raise RunbookError(f"there is no step {target}")
            position = position + 1 if target is None else by_name[target]

    def _run_step(self, step: Step) -> tuple[str | None, str | None]:
        """Run one step and note it in the execution; returns why it failed, and which step it chose."""
        record: dict[str, Any] = {
            "StepExecutionId": new_uuid(),
            "StepName": step["name"],
            "Action": step["action"],
            "OnFailure": step.get("onFailure", "Abort"),
            "ExecutionStartTime": epoch_now(),
            "StepStatus": "InProgress",
            "Outputs": {},
        }
        self._execution["StepExecutions"].append(record)
        failure = chosen = None
        try:
            _check_step(step)
            inputs = resolve(step.get("inputs") or {}, self._known)
            record["Inputs"] = {name: _text(value) for name, value in inputs.items()}
            outputs, chosen = self._carry_out(step, inputs, record)
            outputs |= {item["Name"]: select(item["Selector"], outputs) for item in step.get("outputs") or []}
            self._known.update({f"{step['name']}.{name}": value for name, value in outputs.items()})
            record["Outputs"] = {name: [_text(value)] for name, value in outputs.items()}
        except RunbookError as error:
            failure = str(error)
            record["FailureMessage"] = failure
        record["ExecutionEndTime"] = epoch_now()
        record["StepStatus"] = "Failed" if failure else "Success"
        return failure, chosen

    def _carry_out(self, step: Step, inputs: dict[str, Any], record: dict[str, Any]) -> tuple[Outputs, str | None]:
        """A step's outputs, and the step that a branch chose."""
        match step["action"]:
            case "aws:branch":
                return {}, next_step(inputs)
            case "aws:approve":
                return self._wait_for_approval(step, inputs, record), None
        return run_action(step["action"], inputs, self._role_arn), None

    def _wait_for_approval(self, step: Step, inputs: dict[str, Any], record: dict[str, Any]) -> Outputs:
        seconds = float(step.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS))
        self._execution["AutomationExecutionStatus"] = record["StepStatus"] = "Waiting"
        try:
            return self._approvals.ask(self._id, inputs, seconds, clients_of(self._role_arn))
        finally:
            self._execution["AutomationExecutionStatus"] = "InProgress"


def _global_values(execution_id: str) -> dict[str, Any]:
    now = utc_now_text()
    return {
        "automation:EXECUTION_ID": execution_id,
        "global:ACCOUNT_ID": get_account_id(),
        "global:REGION": get_region(),
        "global:DATE": now[:10],
        "global:DATE_TIME": now,
    }


def _assumed_role(content: dict[str, Any], known: Mapping[str, Any]) -> str | None:
    """The role that the steps run as; without one they run as the caller, here the account itself."""
    arn = resolve(content.get("assumeRole") or "", known)
    if not arn:
        return None
    role = iam._roles.get(arn.rsplit("/", 1)[-1])
    if role is None or role["Arn"] != arn or "ssm.amazonaws.com" not in (role.get("AssumeRolePolicyDocument") or ""):
        raise RunbookError(f"The defined assume role {arn} is unable to be assumed.")
    return str(arn)


def _check_step(step: Step) -> None:
    """Raise RunbookError for a step that asks for what is not carried out here, such as a precondition."""
    if unsupported := set(step) - _STEP_KEYS:
        raise RunbookError(f"the step keys {sorted(unsupported)} are not supported by the local AWS")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
