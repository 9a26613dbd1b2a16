"""The evaluator's queue: scores as they come, the end of a sweep, our own delayed message; and without AWS Config."""

import json
from datetime import timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient

from infra.build.template import ROOT, environment_of, load_template
from services.evaluator.core import MAX_BUSY, REEVALUATE
from services.evaluator.edge import BUSY_DELAY
from services.evaluator.handler import handle_config_rule, handle_scores
from shared.aws.score_table import ScoreTable
from shared.errors import DependencyError
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
from tests.integration.config_stand_in import Config, at, install, put_score

SWEPT = next(domain_body(event) for event in every_event() if event.type_name() == "AccountScored")
CANARY = "AKIACANARYCANARY0000"
BOB = ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00002", "arn": f"{ANA.arn}2"})
EVE = ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00003", "arn": f"{ANA.arn}3"})


@pytest.fixture
def config(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Config:
    at(monkeypatch, NOW)
    return install(monkeypatch)


@pytest.fixture
def scores(aws: Stack) -> ScoreTable:
    return ScoreTable(aws.table(aws.scores_table))


def delivery(body: str, message_id: str) -> dict[str, Any]:
    event = sqs_event(body)
    event["Records"][0]["messageId"] = message_id
    return event


def fail_to_send(*_: object, **__: object) -> None:
    raise DependencyError("SendMessage: no answer")


def die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt  # nothing below may catch it, as nothing catches the end of a function's time


def told(aws: Stack) -> list[tuple[str, bool]]:
    return [(one["compliance"], one["repeated"]) for one in aws.told("IdentityEvaluated")]


# ---- scores as they come


def test_a_score_that_crosses_is_told_once_and_has_config_look_after_the_delay(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87.25)
    body = domain_body(scored(87.25))
    for _ in range(2):
        assert failed(handle_scores(sqs_event(body, body), context)) == []
    [event] = aws.told("IdentityEvaluated")
    assert (event["compliance"], event["pci"], event["repeated"]) == ("NON_COMPLIANT", 87.25, False)
    assert (aws.delayed(), config.started) == (1, [])
    assert scores.verdict(ANA) is not None


def test_the_truth_is_the_table_and_not_the_event(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 10)
    handle_scores(sqs_event(domain_body(scored(99))), context)
    assert told(aws) == [("COMPLIANT", False)]


@pytest.mark.parametrize("case", ["never scored", "too old", "gone"])
def test_an_event_about_someone_without_a_fresh_score_does_nothing(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, case: str
) -> None:
    if case == "too old":
        put_score(scores, 87, scored_at=NOW - timedelta(hours=48, seconds=1))
    if case == "gone":
        scores.put(StoredScore(a_score(), present=False))
    assert failed(handle_scores(sqs_event(domain_body(scored(99))), context)) == []
    assert (aws.published(), aws.delayed(), scores.verdict(ANA)) == ([], 0, None)


def test_a_score_around_the_threshold_does_not_flap(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for pci in (60.0, 59.0, 60.5, 58.5, 57.0, 59.5):
        put_score(scores, pci)
        handle_scores(sqs_event(domain_body(scored(pci))), context)
    assert told(aws) == [("NON_COMPLIANT", False), ("COMPLIANT", False)]


def test_a_verdict_that_stands_is_stored_anew_where_it_says_something_else(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for pci in (87.0, 95.0):
        put_score(scores, pci)
        handle_scores(sqs_event(domain_body(scored(pci))), context)
    verdict = scores.verdict(ANA)
    assert verdict is not None
    assert (verdict.pci, len(told(aws)), aws.delayed()) == (95.0, 1, 1)


# ---- having AWS Config look


def test_crossings_within_the_delay_share_one_look_and_a_later_one_asks_again(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for name, pci in {"a": 90, "b": 10, "c": 90}.items():
        put_score(scores, pci)
        handle_scores(delivery(domain_body(scored(pci)), name), context)
    assert aws.delayed() == 1
    handle_scores(delivery(REEVALUATE, "d"), context)
    assert config.started == ["leastwise-pci"]
    put_score(scores, 10)
    handle_scores(delivery(domain_body(scored(10)), "e"), context)
    assert aws.delayed() == 2


def test_a_busy_rule_is_asked_again_later_until_it_is_free(
    config: Config, aws: Stack, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    config.errors = ["LimitExceededException", "LimitExceededException"]
    for waiting in (1, 2):
        assert failed(handle_scores(sqs_event(REEVALUATE), context)) == []
        assert (aws.delayed(), config.started) == (waiting, [])
    handle_scores(sqs_event(REEVALUATE), context)
    assert (aws.delayed(), config.started) == (2, ["leastwise-pci"])
    assert capsys.readouterr().out.count('"ReevaluationsPutOff":[1.0]') == 2
    assert timedelta(minutes=1) < BUSY_DELAY, "AWS Config takes one request a minute"


def test_a_crossing_while_the_rule_is_busy_needs_no_second_message(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    config.errors = ["LimitExceededException"]
    handle_scores(delivery(REEVALUATE, "a"), context)
    put_score(scores, 90)
    handle_scores(delivery(domain_body(scored(90)), "b"), context)
    assert aws.delayed() == 1


def test_a_rule_that_stays_busy_is_asked_less_often_than_lambda_allows_and_is_then_left_to_the_queue(
    config: Config, aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("services.evaluator.edge.send_delayed", lambda *args, **_: sent.append(args[2]))
    config.errors = ["LimitExceededException"] * 100
    body = REEVALUATE
    for number in range(MAX_BUSY):
        handle_scores(delivery(body, str(number)), context)
        body = sent[-1]
    assert len(set(sent)) == len(sent) == MAX_BUSY, "each message counts one more"
    assert MAX_BUSY + 2 < 16, "the crossing and its message start the function as well"
    for _ in range(2):
        with pytest.raises(Exception, match="too busy 11 times"):
            handle_scores(delivery(body, "last"), context)
    assert len(sent) == MAX_BUSY
    config.errors = []
    assert failed(handle_scores(delivery(body, "last"), context)) == []
    assert config.started == ["leastwise-pci"]


def test_a_request_that_fails_goes_back_to_the_queue(config: Config, aws: Stack, context: LambdaContext) -> None:
    config.errors = ["NoSuchConfigRuleException"]
    with pytest.raises(Exception, match="NoSuchConfigRuleException"):
        handle_scores(sqs_event(REEVALUATE), context)
    assert aws.delayed() == 0


def test_a_look_whose_message_was_never_sent_is_asked_for_by_the_next_delivery(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_score(scores, 87)
    body = domain_body(scored(87))
    with monkeypatch.context() as patch:
        patch.setattr("services.evaluator.edge.send_delayed", fail_to_send)
        with pytest.raises(Exception, match="SendMessage: no answer"):
            handle_scores(sqs_event(body), context)
    assert (aws.delayed(), scores.verdict(ANA)) == (0, None)
    assert failed(handle_scores(sqs_event(body), context)) == []
    assert aws.delayed() == 1
    assert len({one["event_id"] for one in aws.told("IdentityEvaluated")}) == 1


def test_a_crossing_does_not_rely_on_a_claim_whose_message_could_not_be_sent(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_score(scores, 87)
    with monkeypatch.context() as patch:
        patch.setattr("services.evaluator.edge.send_delayed", fail_to_send)
        with pytest.raises(Exception, match="SendMessage: no answer"):
            handle_scores(delivery(domain_body(scored(87)), "a"), context)
    handle_scores(delivery(domain_body(scored(87)), "b"), context)
    assert aws.delayed() == 1


def test_a_crossing_relies_only_briefly_on_the_claim_of_a_function_that_died(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_REEVALUATION_DELAY_SECONDS", "900")
    put_score(scores, 87)
    with monkeypatch.context() as patch:
        patch.setattr("services.evaluator.edge.send_delayed", die)
        with pytest.raises(KeyboardInterrupt):
            handle_scores(delivery(domain_body(scored(87)), "a"), context)
    for name, after, looks in (("b", timedelta(seconds=900), 0), ("c", timedelta(seconds=900 + 151), 1)):
        at(monkeypatch, NOW + after)
        put_score(scores, 87 if name == "b" else 10)
        handle_scores(delivery(domain_body(scored(87)), name), context)
        assert aws.delayed() == looks


# ---- the end of a sweep


def test_after_a_sweep_standing_refusals_of_who_is_still_there_are_told_again(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for who, compliance in {
        ANA: Compliance.NON_COMPLIANT,
        BOB: Compliance.COMPLIANT,
        EVE: Compliance.NON_COMPLIANT,
    }.items():
        scores.put(StoredScore(a_score(10 if who is BOB else 87.25, identity=who), present=who is not EVE))
        scores.put_verdict(a_verdict(compliance, identity=who))
    handle_scores(sqs_event(SWEPT), context)
    assert [(one["identity"]["arn"], one["repeated"]) for one in aws.told("IdentityEvaluated")] == [(ANA.arn, True)]


def test_a_score_whose_event_got_lost_is_judged_after_the_sweep(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87)
    put_score(scores, 10, identity=BOB)
    handle_scores(sqs_event(SWEPT), context)
    assert told(aws) == [("NON_COMPLIANT", False), ("COMPLIANT", False)]
    assert (aws.delayed(), scores.verdict(BOB) is not None) == (1, True)


@pytest.mark.parametrize(
    ("threshold", "expected", "looks"), [("70", ("COMPLIANT", False), 1), ("50", ("NON_COMPLIANT", True), 0)]
)
def test_a_changed_threshold_is_applied_after_the_sweep_and_aws_config_looks_where_that_changed_a_verdict(
    config: Config,
    aws: Stack,
    scores: ScoreTable,
    context: LambdaContext,
    *,
    monkeypatch: pytest.MonkeyPatch,
    threshold: str,
    expected: tuple[str, bool],
    looks: int,
) -> None:
    put_score(scores, 65)
    scores.put_verdict(a_verdict(pci=65))
    monkeypatch.setenv("LEASTWISE_THRESHOLD", threshold)
    handle_scores(sqs_event(SWEPT), context)
    assert (told(aws), aws.delayed()) == ([expected], looks)
    verdict = scores.verdict(ANA)
    assert verdict is not None
    assert verdict.threshold == float(threshold)


def test_a_sweep_that_finds_nothing_new_writes_nothing(
    config: Config, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_score(scores, 10)
    handle_scores(sqs_event(SWEPT), context)
    before = scores.verdict(ANA)
    at(monkeypatch, NOW + timedelta(hours=6))
    put_score(scores, 10, scored_at=NOW + timedelta(hours=6))
    handle_scores(sqs_event(SWEPT), context)
    assert scores.verdict(ANA) == before


def test_the_account_is_counted_by_compliance_after_a_sweep(
    config: Config, scores: ScoreTable, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    put_score(scores, 87)
    put_score(scores, 10, identity=BOB)
    put_score(scores, 99, identity=EVE, exempt="break glass")
    handle_scores(sqs_event(SWEPT), context)
    [counted] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "NonCompliantIdentities" in line]
    names = ("CompliantIdentities", "NonCompliantIdentities", "NotApplicableIdentities")
    assert [counted[name] for name in names] == [[1.0]] * 3


# ---- without AWS Config


def test_where_config_is_off_verdicts_are_told_and_nobody_is_asked_to_look(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        assert self.meta.service_model.service_name != "config", "AWS Config is off"
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    variables = environment_of(load_template(ROOT / "template.yaml"), "EvaluateFunction")
    condition, _, otherwise = variables["LEASTWISE_CONFIG_RULE_NAME"]["Fn::If"]
    assert condition == "ConfigEnabled"
    monkeypatch.setenv("LEASTWISE_CONFIG_RULE_NAME", otherwise)
    put_score(scores, 87)
    late = REEVALUATE  # from before it was switched off
    assert failed(handle_scores(sqs_event(domain_body(scored(87)), SWEPT, late), context)) == []
    assert told(aws) == [("NON_COMPLIANT", False), ("NON_COMPLIANT", True)]
    assert (aws.delayed(), aws.take(aws.evaluator_queue_url)) == (0, [])


def test_where_config_is_off_the_verdict_on_a_deleted_identity_is_taken_back_after_the_sweep(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_CONFIG_RULE_NAME", "")
    scores.put(StoredScore(a_score(87), present=False))
    scores.put_verdict(a_verdict())
    scores.put_verdict(a_verdict(identity=BOB))  # nobody knows that Bob is gone
    for _ in range(2):
        assert failed(handle_scores(sqs_event(SWEPT), context)) == []
    assert told(aws) == [("NOT_APPLICABLE", False)]
    taken_back, other = scores.verdict(ANA), scores.verdict(BOB)
    assert taken_back is not None
    assert other is not None
    assert (taken_back.compliance, taken_back.annotation) == (Compliance.NOT_APPLICABLE, "Deleted")
    assert other.compliance is Compliance.NON_COMPLIANT


def test_where_config_is_on_it_hears_of_a_deleted_identity_by_its_schedule_before_the_verdict_is_taken_back(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    scores.put(StoredScore(a_score(87), present=False))
    scores.put_verdict(a_verdict())
    handle_scores(sqs_event(SWEPT), context)
    assert told(aws) == []
    schedule = {
        "invokingEvent": json.dumps({"messageType": "ScheduledNotification"}),
        "resultToken": "token",
        "accountId": ACCOUNT,
    }
    handle_config_rule(schedule, context)
    assert [one["ComplianceType"] for one in config.evaluations] == ["NOT_APPLICABLE"]
    assert told(aws) == [("NOT_APPLICABLE", False)]


# ---- bad messages


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
