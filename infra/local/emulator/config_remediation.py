"""Remediation of AWS Config: Automation executions for resources that a rule finds non-compliant."""

import logging
from dataclasses import dataclass
from typing import Any

from infra.local.emulator.clock import epoch_now
from infra.local.emulator.config_evaluations import ConfigEvaluations, Subject
from infra.local.emulator.config_rules import ConfigRules
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import JsonOperation, add_json_operations
from infra.local.emulator.ssm_automation import SsmAutomation

Configuration = dict[str, Any]

DEFAULT_ATTEMPTS, DEFAULT_RETRY_SECONDS = 5, 60
_STATES = {"InProgress": "IN_PROGRESS", "Waiting": "IN_PROGRESS", "Success": "SUCCEEDED", "Failed": "FAILED"}

logger = logging.getLogger("leastwise.local.config")


@dataclass
class Attempt:
    """The latest execution for a resource, and how many there were since `first_at`."""

    execution_id: str
    invoked_at: float
    first_at: float
    count: int = 1


class ConfigRemediation:
    """Remediation configurations by rule, and what they started by resource."""

    def __init__(self, rules: ConfigRules, evaluations: ConfigEvaluations, automation: SsmAutomation) -> None:
        self._rules = rules
        self._automation = automation
        self._configurations: dict[str, Configuration] = {}
        self._attempts: dict[Subject, Attempt] = {}
        evaluations.on_evaluation.append(self._remediate_automatically)

    def install(self) -> None:
        """Add the operations to ministack's `config`, which has none of them."""
        operations: dict[str, JsonOperation] = {
            "PutRemediationConfigurations": self.put,
            "DescribeRemediationConfigurations": self._describe,
            "DeleteRemediationConfiguration": self.delete,
            "StartRemediationExecution": self._start_execution,
            "DescribeRemediationExecutionStatus": self._describe_status,
        }
        add_json_operations("config", operations)

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer PutRemediationConfigurations."""
        for configuration in request["RemediationConfigurations"]:
            rule = self._rules.get(configuration["ConfigRuleName"])
            if configuration.get("TargetType") != "SSM_DOCUMENT":
                raise AwsError("InvalidParameterValueException", "TargetType must be SSM_DOCUMENT")
            defaults = {"MaximumAutomaticAttempts": DEFAULT_ATTEMPTS} if configuration.get("Automatic") else {}
            self._configurations[rule["ConfigRuleName"]] = defaults | configuration
        return {"FailedBatches": []}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DeleteRemediationConfiguration."""
        del self._configurations[self._get(request["ConfigRuleName"])["ConfigRuleName"]]
        return {}

    def _get(self, rule: str) -> Configuration:
        if rule not in self._configurations:
            message = f"No RemediationConfiguration for rule {rule} exists."
            raise AwsError("NoSuchRemediationConfigurationException", message)
        return self._configurations[rule]

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        known = [
            {**self._configurations[name], "Arn": f"{self._rules.get(name)['ConfigRuleArn']}/remediation-configuration"}
            for name in request["ConfigRuleNames"]
            if name in self._configurations
        ]
        return {"RemediationConfigurations": known}

    def _start_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        configuration = self._get(request["ConfigRuleName"])
        failed, reasons = [], []
        for key in request["ResourceKeys"]:
            try:
                self._start(configuration, Subject(request["ConfigRuleName"], key["resourceType"], key["resourceId"]))
            except AwsError as error:
                failed.append(key)
                reasons.append(error.message)
        return {"FailedItems": failed, **({"FailureMessage": "; ".join(reasons)} if reasons else {})}

    def _start(self, configuration: Configuration, subject: Subject) -> None:
        parameters = {
            name: [subject.resource_id] if "ResourceValue" in value else value["StaticValue"]["Values"]
            for name, value in (configuration.get("Parameters") or {}).items()
        }
        execution_id = self._automation.start(configuration["TargetId"], parameters)
        before = self._attempts.get(subject)
        attempt = Attempt(execution_id, epoch_now(), epoch_now())
        if before and epoch_now() - before.first_at <= configuration.get("RetryAttemptSeconds", DEFAULT_RETRY_SECONDS):
            attempt.first_at, attempt.count = before.first_at, before.count + 1
        self._attempts[subject] = attempt

    def _remediate_automatically(self, subject: Subject, compliance: str) -> None:
        configuration = self._configurations.get(subject.rule)
        if compliance != "NON_COMPLIANT" or not configuration or not configuration.get("Automatic"):
            return
        attempt = self._attempts.get(subject)
        if attempt:
            window = configuration.get("RetryAttemptSeconds", DEFAULT_RETRY_SECONDS)
            recent = epoch_now() - attempt.first_at <= window
            status = self._automation.get(attempt.execution_id)["AutomationExecutionStatus"]
            running = _STATES[status] == "IN_PROGRESS"
            if running or (recent and attempt.count >= configuration["MaximumAutomaticAttempts"]):
                return
        try:
            self._start(configuration, subject)
        except AwsError as error:
            logger.warning("remediation of %s by rule %s can't start: %s", subject.resource_id, subject.rule, error)

    def _describe_status(self, request: dict[str, Any]) -> dict[str, Any]:
        rule = self._get(request["ConfigRuleName"])["ConfigRuleName"]
        wanted = [(key["resourceType"], key["resourceId"]) for key in request.get("ResourceKeys") or []]
        statuses = [
            self._status(subject, attempt)
            for subject, attempt in self._attempts.items()
            if subject.rule == rule and (not wanted or (subject.resource_type, subject.resource_id) in wanted)
        ]
        return {"RemediationExecutionStatuses": statuses}

    def _status(self, subject: Subject, attempt: Attempt) -> dict[str, Any]:
        execution = self._automation.get(attempt.execution_id)
        steps = [
            {
                "Name": step["StepName"],
                "State": {"InProgress": "PENDING", "Success": "SUCCEEDED"}.get(step["StepStatus"], "FAILED"),
                "StartTime": step["ExecutionStartTime"],
                "StopTime": step.get("ExecutionEndTime", step["ExecutionStartTime"]),
                **({"ErrorMessage": step["FailureMessage"]} if "FailureMessage" in step else {}),
            }
            for step in execution["StepExecutions"]
        ]
        return {
            "ResourceKey": {"resourceType": subject.resource_type, "resourceId": subject.resource_id},
            "State": _STATES[execution["AutomationExecutionStatus"]],
            "StepDetails": steps,
            "InvocationTime": attempt.invoked_at,
            "LastUpdatedTime": execution.get("ExecutionEndTime", attempt.invoked_at),
        }
