"""The CloudFormation resource types that ministack refuses: Config rules, their remediation, and SSM documents."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import config
from ministack.services.cloudformation import provisioners

from infra.local.emulator.config_remediation import ConfigRemediation
from infra.local.emulator.config_rules import ConfigRules
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import Result, run_on_loop
from infra.local.emulator.ssm_documents import SsmDocuments

Properties = dict[str, Any]
Created = tuple[str, dict[str, Any]]


class CloudFormationTypes:
    """Provisions the added types through the services' own operations."""

    def __init__(self, rules: ConfigRules, remediation: ConfigRemediation, documents: SsmDocuments) -> None:
        self._rules = rules
        self._remediation = remediation
        self._documents = documents

    def install(self) -> None:
        """Add the types to ministack's table of provisioners."""
        handlers = provisioners._RESOURCE_HANDLERS
        handlers["AWS::Config::ConfigRule"] = {
            "create": self._create_rule,
            "update": lambda physical_id, _old, new, _stack: self._put_rule(physical_id, new),
            "delete": lambda physical_id, _properties: _delete(self._rules.delete_rule, ConfigRuleName=physical_id),
        }
        handlers["AWS::Config::RemediationConfiguration"] = {
            "create": lambda _logical_id, properties, _stack: self._put_remediation(properties),
            "update": lambda _physical_id, _old, new, _stack: self._put_remediation(new),
            "delete": lambda physical_id, _properties: _delete(self._remediation.delete, ConfigRuleName=physical_id),
        }
        handlers["AWS::SSM::Document"] = {
            "create": self._create_document,
            "update": self._update_document,
            "delete": lambda physical_id, _properties: _delete(self._documents.delete, Name=physical_id),
        }

    def _create_rule(self, logical_id: str, properties: Properties, stack: str) -> Created:
        return self._put_rule(properties.get("ConfigRuleName") or _physical_name(stack, logical_id), properties)

    def _put_rule(self, name: str, properties: Properties) -> Created:
        rule = _typed({**properties, "ConfigRuleName": name})
        if isinstance(rule.get("InputParameters"), dict):
            rule["InputParameters"] = json.dumps(rule["InputParameters"])
        _provision(lambda: self._rules.put_rule({"ConfigRule": rule}))
        stored = config._config_rules[name]
        attributes = {"Arn": stored["ConfigRuleArn"], "ConfigRuleId": stored["ConfigRuleId"]}
        return name, attributes | {"Compliance.Type": "INSUFFICIENT_DATA"}

    def _put_remediation(self, properties: Properties) -> Created:
        configuration = _typed(properties)
        _provision(lambda: self._remediation.put({"RemediationConfigurations": [configuration]}))
        return properties["ConfigRuleName"], {}

    def _create_document(self, logical_id: str, properties: Properties, stack: str) -> Created:
        name = properties.get("Name") or _physical_name(stack, logical_id)
        _provision(lambda: self._documents.create({**properties, "Name": name, "Content": _content(properties)}))
        return name, {}

    def _update_document(self, physical_id: str, old: Properties, new: Properties, _stack: str) -> Created:
        if _content(old) != _content(new):
            _provision(lambda: self._replace_default_version(physical_id, _content(new)))
        return physical_id, {}

    def _replace_default_version(self, name: str, content: str) -> None:
        self._documents.update({"Name": name, "Content": content})
        document = self._documents.get(name)
        document.default_version = len(document.contents)


def _provision(action: Callable[[], Result]) -> Result:
    """Run an operation; its refusal becomes the reason that the stack's event shows."""
    try:
        return run_on_loop(action)
    except AwsError as error:
        raise ValueError(str(error)) from error


def _delete(operation: Callable[[dict[str, Any]], Any], **request: str) -> None:
    """Delete what a stack made; what is gone already counts as deleted, as in CloudFormation."""
    try:
        run_on_loop(lambda: operation(request))
    except AwsError as error:
        if not (error.code.startswith("NoSuch") or error.code == "InvalidDocument"):
            raise ValueError(str(error)) from error


def _physical_name(stack: str, logical_id: str) -> str:
    name: str = provisioners._physical_name(stack, logical_id, max_len=64)
    return name


def _content(properties: Properties) -> str:
    content = properties["Content"]
    return content if isinstance(content, str) else json.dumps(content)


def _typed(value: Any) -> Any:
    """Booleans and numbers where a template's parameters left texts, as CloudFormation's own schema makes of them."""
    if isinstance(value, dict):
        return {
            name: member == "true"
            if name == "Automatic" and isinstance(member, str)
            else int(member)
            if name in ("MaximumAutomaticAttempts", "RetryAttemptSeconds")
            else _typed(member)
            for name, member in value.items()
        }
    return value
