"""Putting evaluations into AWS Config and asking it to evaluate: batches, refusals, throttling, a busy rule."""

import io
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from shared.aws import clients
from shared.aws.config import MAX_ATTEMPTS, ConfigRules, Evaluation, EvaluationsLostError, asking_once
from shared.errors import DependencyError
from shared.model.plan import Compliance
from tests.builders import NOW
from tests.conftest import Stack
from tests.integration.config_stand_in import Config, install

RULE = "leastwise-privilege-creep"


@pytest.fixture
def config(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Config:
    return install(monkeypatch)


@pytest.fixture
def rules(config: Config) -> ConfigRules:
    return ConfigRules(clients.config())


def evaluations(count: int) -> list[Evaluation]:
    return [
        Evaluation("AWS::IAM::User", f"AIDA{number:04d}", Compliance.COMPLIANT, "fine", NOW) for number in range(count)
    ]


def ids(put: Iterable[dict[str, str]]) -> list[str]:
    return [one["ComplianceResourceId"] for one in put]


@pytest.mark.parametrize(
    ("count", "batches"), [(0, [0]), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_evaluations_are_put_in_batches_and_none_is_an_answer_too(
    config: Config, rules: ConfigRules, count: int, batches: list[int]
) -> None:
    rules.put_evaluations(evaluations(count), "token")
    assert config.batches == batches
    assert ids(config.evaluations) == [one.resource_id for one in evaluations(count)]
    assert not any(config.test_runs)


def test_of_several_on_one_resource_the_latest_is_put(config: Config, rules: ConfigRules) -> None:
    [early] = evaluations(1)
    late = early._replace(annotation="late", ordering_time=NOW + timedelta(seconds=1))
    role = early._replace(resource_type="AWS::IAM::Role")
    rules.put_evaluations([late, early, role], "token")
    assert sorted((one["ComplianceResourceType"], one["Annotation"]) for one in config.evaluations) == [
        ("AWS::IAM::Role", "fine"),
        ("AWS::IAM::User", "late"),
    ]


def test_refused_evaluations_alone_are_put_again(config: Config, rules: ConfigRules) -> None:
    config.refusals = MAX_ATTEMPTS - 1
    rules.put_evaluations(evaluations(3), "token")
    assert config.batches == [3, *[1] * (MAX_ATTEMPTS - 1)]
    assert sorted(ids(config.evaluations)) == ["AIDA0000", "AIDA0001", "AIDA0002"]


def test_what_stays_refused_stops_no_other_batch_and_is_named_in_the_end(config: Config, rules: ConfigRules) -> None:
    config.refusals = MAX_ATTEMPTS
    with pytest.raises(
        EvaluationsLostError, match="refused 1 evaluations, among them AIDA0000: refused in 5"
    ) as caught:
        rules.put_evaluations(evaluations(150), "token")
    assert caught.value.count == 1
    assert len(config.evaluations) == 149
    assert "fine" not in str(caught.value)


@pytest.mark.parametrize("failures", [1, MAX_ATTEMPTS - 1])
def test_a_throttled_call_is_made_again(config: Config, rules: ConfigRules, failures: int) -> None:
    config.errors = ["ThrottlingException"] * failures
    rules.put_evaluations(evaluations(2), "token")
    assert (config.batches, len(config.evaluations)) == ([2] * (failures + 1), 2)


@pytest.mark.parametrize(
    ("code", "attempts"),
    [
        ("ThrottlingException", MAX_ATTEMPTS),
        ("InternalFailure", MAX_ATTEMPTS),
        ("InvalidResultTokenException", 1),
        ("InvalidParameterValueException", 1),
        ("NoSuchConfigRuleException", 1),
        ("ValidationException", 1),
        ("AccessDeniedException", 1),
    ],
)
def test_a_batch_that_fails_for_good_stops_no_other_and_is_not_tried_where_that_cannot_help(
    config: Config, rules: ConfigRules, code: str, attempts: int
) -> None:
    config.errors = [None, *[code] * attempts, None]
    with pytest.raises(DependencyError, match=f"refused 100 evaluations, among them AIDA0100, .*{code}"):
        rules.put_evaluations(evaluations(250), "token")
    assert config.batches == [100, *[100] * attempts, 50]
    assert len(config.evaluations) == 150


def test_a_test_run_says_so(config: Config, rules: ConfigRules) -> None:
    rules.put_evaluations(evaluations(1), "TESTMODE")
    assert config.test_runs == [True]


def test_an_idle_rule_is_evaluated(config: Config, rules: ConfigRules) -> None:
    assert rules.start_evaluation(RULE)
    assert config.started == [RULE]


@pytest.mark.parametrize("code", ["LimitExceededException", "ResourceInUseException", "ThrottlingException"])
def test_a_busy_rule_is_an_answer_and_no_error(config: Config, rules: ConfigRules, code: str) -> None:
    config.errors = [code]
    assert not rules.start_evaluation(RULE)
    assert config.started == []


@pytest.mark.parametrize("code", ["NoSuchConfigRuleException", "AccessDeniedException", "InternalFailure"])
def test_any_other_refusal_to_evaluate_is_an_error(config: Config, rules: ConfigRules, code: str) -> None:
    config.errors = [code]
    with pytest.raises(DependencyError, match=f"StartConfigRulesEvaluation {RULE}: {code}"):
        rules.start_evaluation(RULE)


class Refusal(io.BytesIO):
    """Body of an answer as botocore reads it from the wire."""

    def stream(self, **_: object) -> Iterable[bytes]:
        """All of it at once."""
        return [self.read()]


def test_a_busy_rule_is_asked_once_and_not_again_and_again_by_the_client(fresh_clients: None) -> None:
    client, sent = asking_once(clients.config()), []

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        sent.append(request.url)
        body = json.dumps({"__type": "LimitExceededException", "message": "an evaluation is in progress"})
        return AWSResponse(request.url, 400, HTTPHeaders(), Refusal(body.encode()))

    client.meta.events.register_first("before-send.config-service", cast("Callable[..., None]", refuse))
    assert not ConfigRules(client).start_evaluation(RULE)
    assert len(sent) == 1, "botocore takes LimitExceeded for throttling and would wait for up to half a minute"
