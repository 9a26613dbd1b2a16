"""Custom Lambda rules of AWS Config: when they're invoked and with which event."""

import contextvars
import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_account_id, new_uuid
from ministack.services import config, lambda_svc

from infra.local.emulator import configuration_items, local_clients
from infra.local.emulator.clock import epoch_now, utc_now_millisecond_text
from infra.local.emulator.configuration_items import Resource
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import JsonOperation, add_json_operations, failed

Rule = dict[str, Any]

CHANGE = "ConfigurationItemChangeNotification"
SCHEDULED = "ScheduledNotification"
EXECUTION_ROLE = "arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
SERVICE_PRINCIPAL = "config.amazonaws.com"

logger = logging.getLogger("leastwise.local.config")


class ConfigRules:
    """Invokes rules and knows which result tokens it gave out.

    Rules run one after the other on a thread of their own; on AWS they run at the same time.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._evaluations: dict[str, dict[str, Any]] = {}
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="config-rules")
        self.on_delete: list[Callable[[str], None]] = []

    def install(self) -> None:
        """Add the operations to ministack's `config`, which only stores rules."""
        operations: dict[str, JsonOperation] = {
            "PutConfigRule": self.put_rule,
            "DeleteConfigRule": self.delete_rule,
            "StartConfigRulesEvaluation": self._start_evaluation,
            "DescribeConfigRuleEvaluationStatus": self._describe_status,
        }
        add_json_operations("config", operations)

    def get(self, name: str) -> Rule:
        """A rule by its name. Raises AwsError when there is none."""
        rule: Rule | None = config._config_rules.get(name)
        if rule is None:
            raise AwsError("NoSuchConfigRuleException", f"The ConfigRule '{name}' provided in the request is invalid.")
        return rule

    def rule_of_token(self, token: str) -> str:
        """The name of the rule that was invoked with a result token. Raises AwsError for any other token."""
        if token not in self._tokens:
            raise AwsError("InvalidResultTokenException", "The specified ResultToken is not valid.")
        return self._tokens[token]

    def put_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer PutConfigRule, and evaluate the rule at once, as Config does for a new or changed rule."""
        rule = request["ConfigRule"]
        if (rule.get("Source") or {}).get("Owner") == "CUSTOM_LAMBDA":
            _check_function(rule["Source"]["SourceIdentifier"])
        response = config._put_config_rule(request)
        if failed(response):
            answer = json.loads(response[2])
            raise AwsError(answer["__type"], answer["message"], response[0])
        self.evaluate(rule["ConfigRuleName"])
        return {}

    def delete_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DeleteConfigRule."""
        name = self.get(request["ConfigRuleName"])["ConfigRuleName"]
        config._config_rules.pop(name)
        self._tokens = {token: rule for token, rule in self._tokens.items() if rule != name}
        for forget in self.on_delete:
            forget(name)
        return {}

    def evaluate(self, name: str) -> None:
        """Invoke a rule for everything in its scope, in the background."""
        rule = self.get(name)
        if CHANGE in _message_types(rule):
            self.notify(rule, [(resource, "OK") for resource in configuration_items.all_resources()])
        if SCHEDULED in _message_types(rule):
            self._submit(rule, {"messageType": SCHEDULED, "awsAccountId": get_account_id()}, deleted=False)

    def notify_all(self, changes: Iterable[tuple[Resource, str]]) -> None:
        """Tell every rule that follows changes about changed resources and their status."""
        for rule in list(config._config_rules.values()):
            if CHANGE in _message_types(rule):
                self.notify(rule, changes)

    def notify(self, rule: Rule, changes: Iterable[tuple[Resource, str]]) -> None:
        """Invoke a rule for each changed resource in its scope."""
        for resource, status in changes:
            if _in_scope(rule, resource):
                item = configuration_items.configuration_item(resource, status)
                invoking = {"configurationItem": item, "configurationItemDiff": None, "messageType": CHANGE}
                self._submit(rule, invoking, deleted=status == "ResourceDeleted")

    def _submit(self, rule: Rule, invoking_event: dict[str, Any], *, deleted: bool) -> None:
        token = new_uuid().replace("-", "") * 4
        self._tokens[token] = rule["ConfigRuleName"]
        now = utc_now_millisecond_text()
        event = {
            "version": "1.0",
            "invokingEvent": json.dumps({**invoking_event, "notificationCreationTime": now, "recordVersion": "1.3"}),
            "ruleParameters": _rule_parameters(rule),
            "resultToken": token,
            "eventLeftScope": deleted,
            "executionRoleArn": EXECUTION_ROLE.format(account=get_account_id()),
            "configRuleArn": rule["ConfigRuleArn"],
            "configRuleName": rule["ConfigRuleName"],
            "configRuleId": rule["ConfigRuleId"],
            "accountId": get_account_id(),
        }
        self._worker.submit(contextvars.copy_context().run, self._invoke, rule, event)

    def _invoke(self, rule: Rule, event: dict[str, Any]) -> None:
        status = self._evaluations.setdefault(rule["ConfigRuleName"], {"FirstActivatedTime": epoch_now()})
        status["LastSuccessfulInvocationTime"] = epoch_now()
        try:
            answer = local_clients.account_client("lambda").invoke(
                FunctionName=rule["Source"]["SourceIdentifier"], Payload=json.dumps(event).encode()
            )
            error = answer["Payload"].read().decode() if answer.get("FunctionError") else None
        except (BotoCoreError, ClientError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        if error:
            logger.error("rule %s failed: %s", rule["ConfigRuleName"], error[:500])
            status |= {"LastErrorCode": "400", "LastErrorMessage": error[:1000]}
            status["LastFailedEvaluationTime"] = epoch_now()
        else:
            status["LastSuccessfulEvaluationTime"] = epoch_now()

    def _start_evaluation(self, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("ConfigRuleNames") or []
        for rule in [self.get(name) for name in names]:
            self.evaluate(rule["ConfigRuleName"])
        return {}

    def _describe_status(self, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("ConfigRuleNames") or list(config._config_rules)
        statuses = []
        for rule in [self.get(name) for name in names]:
            seen = self._evaluations.get(rule["ConfigRuleName"], {})
            identity = {name: rule[name] for name in ("ConfigRuleName", "ConfigRuleArn", "ConfigRuleId")}
            statuses.append({**identity, **seen, "FirstEvaluationStarted": bool(seen)})
        return {"ConfigRulesEvaluationStatus": statuses}


def _message_types(rule: Rule) -> set[str]:
    details = (rule.get("Source") or {}).get("SourceDetails") or []
    return {detail.get("MessageType", "") for detail in details}


def _in_scope(rule: Rule, resource: Resource) -> bool:
    scope = rule.get("Scope") or {}
    types, tag_key, tag_value = scope.get("ComplianceResourceTypes"), scope.get("TagKey"), scope.get("TagValue")
    if types and resource.resource_type not in types:
        return False
    if scope.get("ComplianceResourceId") not in (None, resource.resource_id):
        return False
    tags = dict(resource.tags)
    return not tag_key or (tag_key in tags and tag_value in (None, tags[tag_key]))


def _rule_parameters(rule: Rule) -> str:
    parameters = rule.get("InputParameters") or {}
    return parameters if isinstance(parameters, str) else json.dumps(parameters)


def _check_function(arn: str) -> None:
    """Refuse a rule whose function Config may not invoke, as PutConfigRule does."""
    function = lambda_svc._get_func_record_for_ref(arn)[0]
    statements = ((function or {}).get("policy") or {}).get("Statement") or []
    if not any(SERVICE_PRINCIPAL in json.dumps(statement.get("Principal")) for statement in statements):
        message = (
            f"The AWS Lambda function {arn} cannot be invoked. Check the specified function ARN and its permissions."
        )
        raise AwsError("InsufficientPermissionsException", message)
