"""Evaluations of AWS Config: PutEvaluations, the compliance it adds up to, and the event of each change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import config

from infra.local.emulator.clock import epoch_from_text, epoch_now, text_from_epoch, utc_now_millisecond_text
from infra.local.emulator.config_rules import ConfigRules
from infra.local.emulator.errors import AwsError
from infra.local.emulator.event_bus import EventBus
from infra.local.emulator.gateway import JsonOperation, add_json_operations

MAX_EVALUATIONS = 100
MAX_ANNOTATION = 256
COMPLIANCE_TYPES = ("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE", "INSUFFICIENT_DATA")
CONTRIBUTOR_CAP = 25
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 10, 100


@dataclass(frozen=True, order=True)
class Subject:
    """What an evaluation is about."""

    rule: str
    resource_type: str
    resource_id: str


@dataclass(frozen=True)
class Evaluation:
    """The current verdict on a subject, times in seconds since 1970."""

    compliance: str
    annotation: str
    ordered_at: float
    recorded_at: float


class ConfigEvaluations:
    """The verdicts of this AWS; `on_evaluation` is told of each one that is put."""

    def __init__(self, rules: ConfigRules, bus: EventBus) -> None:
        self._rules = rules
        self._bus = bus
        self._verdicts: dict[Subject, Evaluation] = {}
        self.on_evaluation: list[Callable[[Subject, str], None]] = []
        rules.on_delete.append(self._forget_rule)

    def install(self) -> None:
        """Add the operations to ministack's `config`, which knows no verdicts."""
        operations: dict[str, JsonOperation] = {
            "PutEvaluations": self.put,
            "GetComplianceDetailsByConfigRule": self._details_by_rule,
            "GetComplianceDetailsByResource": self._details_by_resource,
            "DescribeComplianceByConfigRule": self._compliance_by_rule,
            "DescribeComplianceByResource": self._compliance_by_resource,
        }
        add_json_operations("config", operations)

    def put(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer PutEvaluations: keep each verdict that isn't older than the known one and report the changes."""
        evaluations = request.get("Evaluations") or []
        _check(evaluations)
        if request.get("TestMode"):
            return {"FailedEvaluations": []}
        rule = self._rules.rule_of_token(request.get("ResultToken", ""))
        for evaluation in evaluations:
            subject = Subject(rule, evaluation["ComplianceResourceType"], evaluation["ComplianceResourceId"])
            self._record(subject, evaluation)
        return {"FailedEvaluations": []}

    def _record(self, subject: Subject, evaluation: dict[str, Any]) -> None:
        when = evaluation["OrderingTimestamp"]
        ordered_at = (epoch_from_text(when) or epoch_now()) if isinstance(when, str) else float(when)
        new = Evaluation(evaluation["ComplianceType"], evaluation.get("Annotation", ""), ordered_at, epoch_now())
        old = self._verdicts.get(subject)
        if old and old.ordered_at > new.ordered_at:
            return
        if new.compliance == "NOT_APPLICABLE":
            self._verdicts.pop(subject, None)
        else:
            self._verdicts[subject] = new
        if (old.compliance if old else "NOT_APPLICABLE") != new.compliance:
            self._report_change(subject, old, new)
        for observe in self.on_evaluation:
            observe(subject, new.compliance)

    def _report_change(self, subject: Subject, old: Evaluation | None, new: Evaluation) -> None:
        detail = {
            "resourceId": subject.resource_id,
            "awsRegion": get_region(),
            "awsAccountId": get_account_id(),
            "configRuleName": subject.rule,
            "recordVersion": "1.0",
            "configRuleARN": self._rules.get(subject.rule)["ConfigRuleArn"],
            "messageType": "ComplianceChangeNotification",
            "newEvaluationResult": _event_result(subject, new),
            "oldEvaluationResult": _event_result(subject, old) if old else None,
            "notificationCreationTime": utc_now_millisecond_text(),
            "resourceType": subject.resource_type,
        }
        self._bus.publish("aws.config", "Config Rules Compliance Change", detail)

    def _forget_rule(self, rule: str) -> None:
        self._verdicts = {subject: verdict for subject, verdict in self._verdicts.items() if subject.rule != rule}

    def _details_by_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        rule = self._rules.get(request["ConfigRuleName"])["ConfigRuleName"]
        return self._result_page(request, lambda subject: subject.rule == rule)

    def _details_by_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        resource = (request.get("ResourceType"), request.get("ResourceId"))
        return self._result_page(request, lambda subject: (subject.resource_type, subject.resource_id) == resource)

    def _result_page(self, request: dict[str, Any], wanted: Callable[[Subject], bool]) -> dict[str, Any]:
        types = set(request.get("ComplianceTypes") or COMPLIANCE_TYPES)
        subjects = sorted(
            subject for subject, new in self._verdicts.items() if wanted(subject) and new.compliance in types
        )
        page, token = _page(subjects, request)
        return {"EvaluationResults": [_api_result(subject, self._verdicts[subject]) for subject in page], **token}

    def _compliance_by_rule(self, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("ConfigRuleNames") or sorted(config._config_rules)
        rules = [self._rules.get(name)["ConfigRuleName"] for name in names]
        summaries: list[dict[str, Any]] = [
            {"ConfigRuleName": rule, "Compliance": self._summary(s for s in self._verdicts if s.rule == rule)}
            for rule in rules
        ]
        wanted = set(request.get("ComplianceTypes") or COMPLIANCE_TYPES)
        page, token = _page([s for s in summaries if s["Compliance"]["ComplianceType"] in wanted], request)
        return {"ComplianceByConfigRules": page, **token}

    def _compliance_by_resource(self, request: dict[str, Any]) -> dict[str, Any]:
        resources = sorted({(s.resource_type, s.resource_id) for s in self._verdicts})
        summaries: list[dict[str, Any]] = [
            {
                "ResourceType": kind,
                "ResourceId": identifier,
                "Compliance": self._summary(
                    s for s in self._verdicts if (s.resource_type, s.resource_id) == (kind, identifier)
                ),
            }
            for kind, identifier in resources
            if request.get("ResourceType") in (None, kind) and request.get("ResourceId") in (None, identifier)
        ]
        wanted = set(request.get("ComplianceTypes") or COMPLIANCE_TYPES)
        page, token = _page([s for s in summaries if s["Compliance"]["ComplianceType"] in wanted], request)
        return {"ComplianceByResources": page, **token}

    def _summary(self, subjects: Iterable[Subject]) -> dict[str, Any]:
        types = [self._verdicts[subject].compliance for subject in subjects]
        violations = types.count("NON_COMPLIANT")
        if violations:
            count = {"CappedCount": min(violations, CONTRIBUTOR_CAP), "CapExceeded": violations > CONTRIBUTOR_CAP}
            return {"ComplianceType": "NON_COMPLIANT", "ComplianceContributorCount": count}
        return {"ComplianceType": "COMPLIANT" if "COMPLIANT" in types else "INSUFFICIENT_DATA"}


def _check(evaluations: list[dict[str, Any]]) -> None:
    if len(evaluations) > MAX_EVALUATIONS:
        raise AwsError("ValidationException", f"Evaluations must have at most {MAX_EVALUATIONS} members")
    for evaluation in evaluations:
        if len(evaluation.get("Annotation", "")) > MAX_ANNOTATION:
            raise AwsError("ValidationException", f"Annotation must have at most {MAX_ANNOTATION} characters")
        if evaluation.get("ComplianceType") not in COMPLIANCE_TYPES:
            raise AwsError("ValidationException", f"ComplianceType must be one of {', '.join(COMPLIANCE_TYPES)}")
        if evaluation["ComplianceType"] == "INSUFFICIENT_DATA":
            message = "ComplianceType INSUFFICIENT_DATA is not allowed in PutEvaluations"
            raise AwsError("InvalidParameterValueException", message)


def _page(items: list[Any], request: dict[str, Any]) -> tuple[list[Any], dict[str, str]]:
    size = request.get("Limit") or DEFAULT_PAGE_SIZE
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise AwsError("InvalidParameterValueException", f"Limit must be between 0 and {MAX_PAGE_SIZE}")
    token = str(request.get("NextToken") or "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The specified next token is not valid.")
    end = int(token) + size
    return items[int(token) : end], {"NextToken": str(end)} if end < len(items) else {}


def _qualifier(subject: Subject) -> tuple[str, str, str]:
    return subject.rule, subject.resource_type, subject.resource_id


def _api_result(subject: Subject, verdict: Evaluation) -> dict[str, Any]:
    names = ("ConfigRuleName", "ResourceType", "ResourceId")
    qualifier = dict(zip(names, _qualifier(subject), strict=True))
    return {
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": qualifier,
            "OrderingTimestamp": verdict.ordered_at,
        },
        "ComplianceType": verdict.compliance,
        "ResultRecordedTime": verdict.recorded_at,
        "ConfigRuleInvokedTime": verdict.recorded_at,
        **({"Annotation": verdict.annotation} if verdict.annotation else {}),
    }


def _event_result(subject: Subject, verdict: Evaluation) -> dict[str, Any]:
    names = ("configRuleName", "resourceType", "resourceId")
    return {
        "evaluationResultIdentifier": {
            "evaluationResultQualifier": dict(zip(names, _qualifier(subject), strict=True)),
            "orderingTimestamp": text_from_epoch(verdict.ordered_at),
        },
        "complianceType": verdict.compliance,
        "resultRecordedTime": text_from_epoch(verdict.recorded_at),
        "configRuleInvokedTime": text_from_epoch(verdict.recorded_at),
        **({"annotation": verdict.annotation} if verdict.annotation else {}),
    }
