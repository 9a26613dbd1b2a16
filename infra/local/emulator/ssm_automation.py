"""Systems Manager Automation: executions of runbooks, step by step in a thread of their own."""

import contextvars
import threading
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, new_uuid

from infra.local.emulator.clock import epoch_now
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import JsonOperation, add_json_operations
from infra.local.emulator.runbook_approvals import Approvals
from infra.local.emulator.runbook_runs import Execution, RunbookRun
from infra.local.emulator.runbook_values import parameter_values
from infra.local.emulator.ssm_documents import SsmDocuments


class SsmAutomation:
    """The executions of this AWS and the operations on them."""

    def __init__(self, documents: SsmDocuments) -> None:
        self._documents = documents
        self._executions: dict[str, Execution] = {}
        self._approvals = Approvals()

    def install(self) -> None:
        """Add the operations to ministack's `ssm`."""
        operations: dict[str, JsonOperation] = {
            "StartAutomationExecution": self._start_execution,
            "SendAutomationSignal": self._send_signal,
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
        runbook = RunbookRun(execution, values, self._approvals)
        thread = threading.Thread(target=run, args=(runbook.run, content), name="automation", daemon=True)
        thread.start()
        return execution_id

    def _start_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"AutomationExecutionId": self.start(request["DocumentName"], request.get("Parameters") or {})}

    def _send_signal(self, request: dict[str, Any]) -> dict[str, Any]:
        self._approvals.decide(
            self.get(request["AutomationExecutionId"])["AutomationExecutionId"], request["SignalType"]
        )
        return {}

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
