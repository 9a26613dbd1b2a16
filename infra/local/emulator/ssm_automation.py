"""Systems Manager Automation: executions of runbooks, step by step in a thread of their own."""

import contextvars
import json
import threading
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import iam

from infra.local.emulator.clock import epoch_now, utc_now_text
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import JsonOperation, add_json_operations
from infra.local.emulator.runbook_actions import run_action
from infra.local.emulator.runbook_values import RunbookError, parameter_values, resolve, select
from infra.local.emulator.ssm_documents import SsmDocuments

Execution = dict[str, Any]

_STEP_KEYS = {"name", "action", "description", "inputs", "outputs", "onFailure", "isEnd", "nextStep", "isCritical"}
_STEP_KEYS |= {"timeoutSeconds", "maxAttempts"}


class SsmAutomation:
    """The executions of this AWS and the operations on them."""

    def __init__(self, documents: SsmDocuments) -> None:
        self._documents = documents
        self._executions: dict[str, Execution] = {}

    def install(self) -> None:
        """Add the operations to ministack's `ssm`."""
        operations: dict[str, JsonOperation] = {
            "StartAutomationExecution": self._start_execution,
            "GetAutomationExecution": lambda request: {
                "AutomationExecution": self.get(request["AutomationExecutionId"])
            },
            "DescribeAutomationExecutions": self._describe_executions,
            "DescribeAutomationStepExecutions": lambda request: {
                "StepExecutions": self.get(request["AutomationExecutionId"])["StepExecutions"]
            },
        }
        add_json_operations("ssm", operations)

    def get(self, execution_id: str) -> Execution:
        """An execution in the API's shape. Raises AwsError when there is none."""
        if execution_id not in self._executions:
            raise AwsError("AutomationExecutionNotFoundException", f"Execution {execution_id} does not exist.")
        return self._executions[execution_id]

    def start(self, document_name: str, given: Mapping[str, list[str]]) -> str:
        """Start an execution and return its id; it runs on in the background."""
        document = self._documents.get(document_name, "AutomationDefinitionNotFoundException")
        content = document.parsed()
        values = parameter_values(content.get("parameters") or {}, given)
        execution_id = str(new_uuid())
        execution: Execution = {
            "AutomationExecutionId": execution_id,
            "DocumentName": document.name,
            "DocumentVersion": str(document.default_version),
            "AutomationExecutionStatus": "InProgress",
            "ExecutionStartTime": epoch_now(),
            "Parameters": {name: list(value) for name, value in given.items()},
            "Outputs": {},
            "StepExecutions": [],
            "Mode": "Auto",
            "ExecutedBy": f"arn:aws:iam::{get_account_id()}:root",
        }
        self._executions[execution_id] = execution
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(_run, execution, content, values), name="automation", daemon=True)
        thread.start()
        return execution_id

    def _start_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"AutomationExecutionId": self.start(request["DocumentName"], request.get("Parameters") or {})}

    def _describe_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = {item["Key"]: set(item["Values"]) for item in request.get("Filters") or []}
        names = {
            "ExecutionId": "AutomationExecutionId",
            "DocumentNamePrefix": "DocumentName",
            "ExecutionStatus": "AutomationExecutionStatus",
        }
        if unknown := set(wanted) - set(names):
            raise AwsError("InvalidFilterKey", f"The local AWS does not filter by {sorted(unknown)}.")

        def matches(execution: Execution) -> bool:
            return all(
                any(execution[names[key]].startswith(value) for value in values) for key, values in wanted.items()
            )

        listed = [execution for execution in self._executions.values() if matches(execution)]
        return {"AutomationExecutionMetadataList": [_metadata(execution) for execution in reversed(listed)]}


def _metadata(execution: Execution) -> dict[str, Any]:
    return {name: value for name, value in execution.items() if name not in ("StepExecutions", "Parameters")}


def _run(execution: Execution, content: dict[str, Any], values: dict[str, Any]) -> None:
    status, failure = "Success", None
    known = {**_global_values(execution["AutomationExecutionId"]), **values}
    try:
        for name, value in (content.get("variables") or {}).items():
            known[f"variable:{name}"] = resolve(value.get("default"), known)
        role_arn = _assumed_role(content, known)
        execution["AssumeRole"] = role_arn or ""
        _run_steps(execution, content["mainSteps"], known, role_arn)
        for output in content.get("outputs") or []:
            execution["Outputs"][output] = [_text(resolve("{{ %s }}" % output, known))]  # noqa: UP031 (braces)
    except RunbookError as error:
        status, failure = "Failed", str(error)
    if failure:
        execution["FailureMessage"] = failure
    execution["ExecutionEndTime"] = epoch_now()
    execution["AutomationExecutionStatus"] = status


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


def _run_steps(execution: Execution, steps: list[dict[str, Any]], known: dict[str, Any], role_arn: str | None) -> None:
    by_name = {step["name"]: index for index, step in enumerate(steps)}
    position = 0
    while position < len(steps):
        step = steps[position]
        failure = _run_step(execution, step, known, role_arn)
        on_failure = step.get("onFailure", "Abort")
        if failure and on_failure != "Continue":
            raise RunbookError(f"Step fails when it is {step['name']}: {failure}")
        if step.get("isEnd"):
            return
        target = step.get("nextStep")
        if target is not None and target not in by_name:
            raise RunbookError(f"there is no step {target}")
        position = position + 1 if target is None else by_name[target]


def _run_step(execution: Execution, step: dict[str, Any], known: dict[str, Any], role_arn: str | None) -> str | None:
    """Run one step, note it in the execution, and return why it failed, or None."""
    record: dict[str, Any] = {
        "StepExecutionId": new_uuid(),
        "StepName": step["name"],
        "Action": step["action"],
        "OnFailure": step.get("onFailure", "Abort"),
        "ExecutionStartTime": epoch_now(),
        "StepStatus": "InProgress",
        "Outputs": {},
    }
    execution["StepExecutions"].append(record)
    failure = None
    try:
        _check_step(step)
        inputs = resolve(step.get("inputs") or {}, known)
        record["Inputs"] = {name: _text(value) for name, value in inputs.items()}
        outputs = run_action(step["action"], inputs, role_arn)
        outputs |= {item["Name"]: select(item["Selector"], outputs) for item in step.get("outputs") or []}
        known.update({f"{step['name']}.{name}": value for name, value in outputs.items()})
        record["Outputs"] = {name: [_text(value)] for name, value in outputs.items()}
    except RunbookError as error:
        failure = str(error)
        record["FailureMessage"] = failure
    record["ExecutionEndTime"] = epoch_now()
    record["StepStatus"] = "Failed" if failure else "Success"
    return failure


def _check_step(step: dict[str, Any]) -> None:
    """Raise RunbookError for a step that asks for what is not carried out here, such as a precondition."""
    if unsupported := set(step) - _STEP_KEYS:
        raise RunbookError(f"the step keys {sorted(unsupported)} are not supported by the local AWS")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
