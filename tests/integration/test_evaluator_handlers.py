"""The evaluator's entrances: AWS Config's invocations, scores as they come, and our own delayed message."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient

from services.evaluator.edge import REEVALUATE
from services.evaluator.handler import handle_config_rule, handle_scores
from shared.aws.score_table import ScoreTable
from shared.errors import DependencyError, InputError, SettingsError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.score import StoredScore
from tests.builders import (
    ACCOUNT,
    ANA,
    NOW,
    OTHER_ACCOUNT,
    a_score,
    a_verdict,
    domain_body,
    every_event,
    failed,
    scored,
    sqs_event,
)
from tests.conftest import MAKE_API_CALL, LogLines, Stack

SWEPT = next(domain_body(event) for event in every_event() if event.type_name() == "AccountScored")
CANARY = "AKIACANARYCANARY0000"


class Config:
    """AWS Config, which moto has no such rules of: takes evaluations, refusing some of them `refusals` times."""

    def __init__(self) -> None:
        self.evaluations: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.started: list[str] = []
        self.refusals = 0

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a call as AWS Config does."""
        if operation == "StartConfigRulesEvaluation":
            self.started += params["ConfigRuleNames"]
            return {}
        assert operation == "PutEvaluations"
        assert params["ResultToken"] == "token"
        entries = params["Evaluations"]
        self.batches.append(len(entries))
        refused = entries[:1] if len(self.batches) <= self.refusals else []
        self.evaluations += entries[len(refused) :]
        return {"FailedEvaluations": refused}


@pytest.fixture
def config(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Config:
    fake = Config()

    def call(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if self.meta.service_model.service_name == "config":
            return fake.answer(operation_name, api_params)
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    at(monkeypatch, NOW)
    return fake


@pytest.fixture
def scores(aws: Stack) -> ScoreTable:
    return ScoreTable(aws.table(aws.scores_table))


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("services.evaluator.handler.utc_now", lambda: now)


def put_score(scores: ScoreTable, pci: float, **changes: Any) -> None:
    identity = changes.get("identity", ANA)
    before = scores.get(ACCOUNT, identity.identity_id)
    scores.put(StoredScore(a_score(pci, **changes), version=before.version if before else 0))


def invocation(
    kind: str = "ConfigurationItemChangeNotification", *, key: str = "configurationItem", **item: Any
) -> dict[str, Any]:
    content: dict[str, Any] = {"messageType": kind, "notificationCreationTime": "2026-03-01T11:00:00Z"}
    if kind != "ScheduledNotification":
        content[key] = {
            "resourceType": "AWS::IAM::User",
            "resourceId": ANA.identity_id,
            "ARN": ANA.arn,
            "configurationItemStatus": "OK",
            "configurationItemCaptureTime": "2026-03-01T11:30:00Z",
        } | item
    return {"invokingEvent": json.dumps(content), "resultToken": "token", "accountId": ACCOUNT}


def test_a_changed_identity_is_judged_by_its_current_score(
    config: Config, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87.25)
    assert handle_config_rule(invocation(), context) == {"evaluations": 1}
    [evaluation] = config.evaluations
    assert evaluation == {
        "ComplianceResourceType": "AWS::IAM::User",
        "ComplianceResourceId": ANA.identity_id,
        "ComplianceType": "NON_COMPLIANT",
        "Annotation": "PCI 87 (high): 212 of 230 permissions unused; top: iam:PutUserPolicy",
        "OrderingTimestamp": datetime.fromisoformat("2026-03-01T11:00:00Z"),
    }


def test_an_oversized_item_is_judged_by_its_summary(config: Config, scores: ScoreTable, context: LambdaContext) -> None:
    put_score(scores, 10)
    kind = "OversizedConfigurationItemChangeNotification"
    handle_config_rule(invocation(kind, key="configurationItemSummary"), context)
    assert [one["ComplianceType"] for one in config.evaluations] == ["COMPLIANT"]


def test_a_deleted_identity_is_not_applicable_even_where_a_score_is_left(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87)
    handle_config_rule(invocation(configurationItemStatus="ResourceDeleted", ARN=None), context)
    assert [one["ComplianceType"] for one in config.evaluations] == ["NOT_APPLICABLE"]
    assert aws.published() == []


@pytest.mark.parametrize("case", ["never scored", "too old", "gone by the last look"])
def test_without_a_fresh_score_there_is_no_verdict_but_a_request_for_one(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, case: str
) -> None:
    if case == "too old":
        put_score(scores, 87, scored_at=NOW - timedelta(hours=48, seconds=1))
    if case == "gone by the last look":
        scores.put(StoredScore(a_score(), present=False))
    assert handle_config_rule(invocation(), context) == {"evaluations": 0}
    handle_config_rule(invocation(), context)
    assert config.batches == [0, 0], "AWS Config wants an answer, if an empty one"
    requests = aws.told("ScoreRequested")
    assert [request["identity"]["arn"] for request in requests] == [ANA.arn] * 2
    assert len({request["event_id"] for request in requests}) == 1, "asking twice within the hour is one request"


def test_on_schedule_everyone_with_a_fresh_score_is_judged_in_batches(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for number in range(103):
        ref = IdentityRef(
            account_id=ACCOUNT, identity_id=f"AIDAEXAMPLE{number:04d}", arn=f"arn:aws:iam::{ACCOUNT}:user/u{number}"
        )
        age = timedelta(days=3) if number == 0 else timedelta(0)
        scores.put(StoredScore(a_score(number % 100, identity=ref, scored_at=NOW - age), present=number != 1))
    assert handle_config_rule(invocation("ScheduledNotification"), context) == {"evaluations": 101}
    assert config.batches == [100, 1]
    assert [request["identity"]["identity_id"] for request in aws.told("ScoreRequested")] == ["AIDAEXAMPLE0000"]


@pytest.mark.parametrize("refusals", [1, 2])
def test_evaluations_that_config_refuses_are_put_again(
    config: Config, scores: ScoreTable, context: LambdaContext, refusals: int
) -> None:
    put_score(scores, 87)
    config.refusals = refusals
    handle_config_rule(invocation(), context)
    assert (len(config.evaluations), config.batches) == (1, [1] * (refusals + 1))


def test_evaluations_that_stay_refused_are_an_error_that_names_them(
    config: Config, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87)
    config.refusals = 3
    with pytest.raises(DependencyError, match=f"refused 1 evaluations, among them {ANA.identity_id}"):
        handle_config_rule(invocation(), context)


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (invocation() | {"accountId": OTHER_ACCOUNT}, f"invocation of account '{OTHER_ACCOUNT}'"),
        (invocation(resourceType="AWS::S3::Bucket"), "sent a AWS::S3::Bucket"),
        (invocation(ARN=None), "has no ARN"),
        (invocation(resourceId="canary"), "no usable resourceId or ARN"),
        (invocation("ConfigurationSnapshotDeliveryCompleted", key="x"), "without a configuration item"),
    ],
)
def test_an_invocation_that_is_not_ours_is_refused_and_judges_nobody(
    config: Config, context: LambdaContext, event: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        handle_config_rule(event, context)
    assert config.batches == []


def test_a_score_that_crosses_is_told_once_and_has_config_look_after_the_delay(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87.25)
    body = domain_body(scored(87.25))
    for _ in range(2):
        assert failed(handle_scores(sqs_event(body, body), context)) == []
    [told] = aws.told("IdentityEvaluated")
    assert (told["compliance"], told["pci"], told["repeated"]) == ("NON_COMPLIANT", 87.25, False)
    assert (aws.delayed(), config.started) == (1, [])
    assert scores.verdict(ANA) is not None


def test_the_truth_is_the_table_and_not_the_event(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 10)
    handle_scores(sqs_event(domain_body(scored(99))), context)
    assert [one["compliance"] for one in aws.told("IdentityEvaluated")] == ["COMPLIANT"]


def test_an_event_about_someone_without_a_score_does_nothing(
    config: Config, aws: Stack, context: LambdaContext
) -> None:
    assert failed(handle_scores(sqs_event(domain_body(scored(99))), context)) == []
    assert (aws.published(), aws.delayed()) == ([], 0)


def test_a_score_around_the_threshold_does_not_flap(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for pci in (60.0, 59.0, 60.5, 58.5, 57.0, 59.5):
        put_score(scores, pci)
        handle_scores(sqs_event(domain_body(scored(pci))), context)
    assert [one["compliance"] for one in aws.told("IdentityEvaluated")] == ["NON_COMPLIANT", "COMPLIANT"]


def test_crossings_within_the_delay_share_one_look_and_a_later_one_asks_again(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for pci in (90, 10, 90):
        put_score(scores, pci)
        handle_scores(sqs_event(domain_body(scored(pci))), context)
    assert aws.delayed() == 1
    handle_scores(sqs_event(REEVALUATE), context)
    assert config.started == ["leastwise-pci"]
    put_score(scores, 10)
    handle_scores(sqs_event(domain_body(scored(10))), context)
    assert aws.delayed() == 2


def test_where_config_is_off_verdicts_are_told_and_nobody_is_asked_to_look(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_CONFIG_RULE_NAME", "")
    put_score(scores, 87)
    handle_scores(sqs_event(domain_body(scored(87))), context)
    assert (len(aws.told("IdentityEvaluated")), aws.delayed()) == (1, 0)


def test_after_a_sweep_standing_refusals_of_who_is_still_there_are_told_again(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    bob = ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00002", "arn": f"{ANA.arn}2"})
    eve = ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00003", "arn": f"{ANA.arn}3"})
    judged = {ANA: Compliance.NON_COMPLIANT, bob: Compliance.COMPLIANT, eve: Compliance.NON_COMPLIANT}
    for who, compliance in judged.items():
        scores.put(StoredScore(a_score(identity=who), present=who is not eve))
        scores.put_verdict(a_verdict(compliance, identity=who))
    handle_scores(sqs_event(SWEPT), context)
    assert [(one["identity"]["arn"], one["repeated"]) for one in aws.told("IdentityEvaluated")] == [(ANA.arn, True)]


def test_a_malformed_message_fails_alone_and_its_content_is_not_logged(
    config: Config, scores: ScoreTable, context: LambdaContext, log: LogLines
) -> None:
    put_score(scores, 87)
    foreign = next(domain_body(event) for event in every_event() if event.type_name() == "PolicyApplied")
    batch = sqs_event(CANARY, domain_body(scored()), foreign, domain_body(scored(), account=OTHER_ACCOUNT))
    assert failed(handle_scores(batch, context)) == ["m0", "m2", "m3"]
    assert scores.verdict(ANA) is not None
    reasons = [line["reason"] for line in log.entries("message failed")]
    assert [reason for reason in reasons if "PolicyApplied is not for the evaluator" in reason]
    assert CANARY not in log.text


def test_a_missing_setting_is_named(config: Config, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEASTWISE_THRESHOLD")
    with pytest.raises(SettingsError, match="LEASTWISE_THRESHOLD: Field required"):
        handle_config_rule(invocation(), context)
