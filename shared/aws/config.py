"""AWS Config: putting evaluations, and asking for a re-evaluation of our rule."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from shared.aws.clients import aws_errors
from shared.errors import DependencyError
from shared.model.plan import Compliance

if TYPE_CHECKING:
    from types_boto3_config import ConfigServiceClient
    from types_boto3_config.type_defs import EvaluationTypeDef, EvaluationUnionTypeDef

MAX_EVALUATIONS = 100  # per PutEvaluations (API limit)
MAX_ATTEMPTS = 3


class Evaluation(NamedTuple):
    """What AWS Config is told of one resource; `annotation` has 1 to 256 characters."""

    resource_type: str
    resource_id: str
    compliance: Compliance
    annotation: str
    ordering_time: datetime


class ConfigRules:
    """Our custom rule in AWS Config."""

    def __init__(self, client: "ConfigServiceClient") -> None:
        self._client = client

    def put_evaluations(self, evaluations: Sequence[Evaluation], result_token: str) -> None:
        """Put all evaluations, in batches of 100 (one empty one where there are none); refused ones are tried again.

        Raises DependencyError with the refused resource ids when some stay refused.
        """
        for start in range(0, max(1, len(evaluations)), MAX_EVALUATIONS):
            batch: list[EvaluationUnionTypeDef] = [_entry(one) for one in evaluations[start : start + MAX_EVALUATIONS]]
            for _ in range(MAX_ATTEMPTS):
                with aws_errors("PutEvaluations"):
                    answer = self._client.put_evaluations(Evaluations=batch, ResultToken=result_token)
                batch = list(answer.get("FailedEvaluations", []))
                if not batch:
                    break
            if batch:
                refused = ", ".join(str(entry["ComplianceResourceId"]) for entry in batch[:10])
                raise DependencyError(f"AWS Config refused {len(batch)} evaluations, among them {refused}")

    def start_evaluation(self, rule_name: str) -> None:
        """Ask Config to evaluate the rule now; raises DependencyError when it is still busy with the last request."""
        with aws_errors(f"StartConfigRulesEvaluation {rule_name}"):
            self._client.start_config_rules_evaluation(ConfigRuleNames=[rule_name])


def _entry(evaluation: Evaluation) -> "EvaluationTypeDef":
    return {
        "ComplianceResourceType": evaluation.resource_type,
        "ComplianceResourceId": evaluation.resource_id,
        "ComplianceType": evaluation.compliance.value,
        "Annotation": evaluation.annotation,
        "OrderingTimestamp": evaluation.ordering_time,
    }
