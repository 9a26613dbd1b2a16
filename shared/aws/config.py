"""AWS Config: putting evaluations, and asking for a re-evaluation of our rule.

Limits and errors: https://docs.aws.amazon.com/config/latest/APIReference/API_PutEvaluations.html and
https://docs.aws.amazon.com/config/latest/APIReference/API_StartConfigRulesEvaluation.html
"""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.config import Config

from shared.aws.clients import aws_errors, code_of
from shared.errors import DeniedError, DependencyError, InputError
from shared.model.plan import Compliance

if TYPE_CHECKING:
    from types_boto3_config import ConfigServiceClient
    from types_boto3_config.type_defs import EvaluationTypeDef

MAX_EVALUATIONS = 100  # per PutEvaluations (API limit)
MAX_ATTEMPTS = 5
MAX_NAMED = 10  # resource ids that an error names
TEST_TOKEN = "TESTMODE"  # noqa: S105 what AWS's own rule library takes for a test run
HOPELESS = frozenset({"InvalidParameterValueException", "InvalidResultTokenException", "NoSuchConfigRuleException"})
# The rule is being evaluated, or was within the last minute; or we ask AWS for too much at once.
BUSY = frozenset({"LimitExceededException", "ResourceInUseException", "Throttling", "ThrottlingException"})


class Evaluation(NamedTuple):
    """What AWS Config is told of one resource; `annotation` has 1 to 256 characters."""

    resource_type: str
    resource_id: str
    compliance: Compliance
    annotation: str
    ordering_time: datetime


class EvaluationsLostError(DependencyError):
    """AWS Config did not take `count` evaluations, however often they were put."""

    def __init__(self, message: str, count: int) -> None:
        super().__init__(message)
        self.count = count


class ConfigRules:
    """Our custom rule in AWS Config."""

    def __init__(self, client: "ConfigServiceClient") -> None:
        self._client = client

    def put_evaluations(self, evaluations: Iterable[Evaluation], result_token: str) -> None:
        """Put all evaluations, in batches of 100 (one empty one where there are none); refused ones are tried again.

        Of several on one resource the latest by `ordering_time` is put. A batch that fails stops no other. Raises
        EvaluationsLostError with resource ids in the end, where some stayed refused.
        """
        entries = [_entry(one) for one in _latest(evaluations)]
        lost, causes = [], []
        for start in range(0, max(1, len(entries)), MAX_EVALUATIONS):
            refused, cause = self._put(entries[start : start + MAX_EVALUATIONS], result_token)
            lost += refused
            causes += [cause] if cause else []
        if causes:
            named = ", ".join(str(entry["ComplianceResourceId"]) for entry in lost[:MAX_NAMED])
            reasons = "; ".join(dict.fromkeys(causes))[:500]
            message = f"AWS Config refused {len(lost)} evaluations, among them {named or 'none'}: {reasons}"
            raise EvaluationsLostError(message, len(lost))

    def _put(self, batch: "list[EvaluationTypeDef]", token: str) -> "tuple[list[EvaluationTypeDef], str]":
        """Put one batch; returns what stayed refused, and why (empty where all was taken)."""
        cause = ""
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 jitter, not a secret
            try:
                with aws_errors("PutEvaluations"):
                    answer = self._client.put_evaluations(
                        Evaluations=batch, ResultToken=token, TestMode=token == TEST_TOKEN
                    )
            except (DependencyError, InputError) as error:
                cause = str(error)
                if isinstance(error, DeniedError | InputError) or code_of(error) in HOPELESS:
                    break
                continue
            refused = {_resource(entry) for entry in answer.get("FailedEvaluations", [])}
            batch = [entry for entry in batch if _resource(entry) in refused]
            if not batch:
                return [], ""
            cause = f"refused in {attempt + 1} attempts"
        return batch, cause

    def start_evaluation(self, rule_name: str) -> bool:
        """Ask Config to evaluate the rule now; False where it is still busy, or was asked within the last minute."""
        try:
            with aws_errors(f"StartConfigRulesEvaluation {rule_name}"):
                self._client.start_config_rules_evaluation(ConfigRuleNames=[rule_name])
        except DependencyError as error:
            if code_of(error) in BUSY:
                return False
            raise
        return True


def asking_once(client: "ConfigServiceClient") -> "ConfigServiceClient":
    """A client like this one that doesn't try again by itself.

    botocore takes the LimitExceeded of a busy rule for throttling and would wait half a minute for nothing.
    """
    return boto3.client(
        "config",
        region_name=client.meta.region_name,
        endpoint_url=client.meta.endpoint_url,
        config=client.meta.config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1})),
    )


def _latest(evaluations: Iterable[Evaluation]) -> Sequence[Evaluation]:
    """One evaluation a resource: Config takes each resource once in a call."""
    latest: dict[tuple[str, str], Evaluation] = {}
    for one in evaluations:
        key = (one.resource_type, one.resource_id)
        if key not in latest or one.ordering_time >= latest[key].ordering_time:
            latest[key] = one
    return list(latest.values())


def _entry(evaluation: Evaluation) -> "EvaluationTypeDef":
    return {
        "ComplianceResourceType": evaluation.resource_type,
        "ComplianceResourceId": evaluation.resource_id,
        "ComplianceType": evaluation.compliance.value,
        "Annotation": evaluation.annotation,
        "OrderingTimestamp": evaluation.ordering_time,
    }


def _resource(entry: Mapping[str, object]) -> tuple[object, object]:
    return entry["ComplianceResourceType"], entry["ComplianceResourceId"]
