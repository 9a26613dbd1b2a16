"""AWS Config's invocations of the rule: real events, one resource and all, missing scores, deletions, failures."""

import json
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.evaluator.core import MAX_REQUESTS, REEVALUATE
from services.evaluator.handler import handle_config_rule
from shared.aws.config import MAX_ATTEMPTS
from shared.aws.score_table import ScoreTable
from shared.errors import DependencyError, InputError, SettingsError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.score import StoredScore
from tests.builders import ACCOUNT, ANA, NOW, OTHER_ACCOUNT, a_score, a_verdict
from tests.conftest import Stack
from tests.integration.config_stand_in import Config, at, install, put_score

EVENTS = Path(__file__).parents[1] / "events" / "config"
CHANGE, OVERSIZED = "ConfigurationItemChangeNotification", "OversizedConfigurationItemChangeNotification"
SCHEDULED = "ScheduledNotification"
SSO = IdentityRef(
    account_id=ACCOUNT,
    identity_id="AROAEXAMPLESSO000001",
    arn=f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admins_0123456789abcdef",
)


@pytest.fixture
def config(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Config:
    at(monkeypatch, NOW)
    return install(monkeypatch)


@pytest.fixture
def scores(aws: Stack) -> ScoreTable:
    return ScoreTable(aws.table(aws.scores_table))


def user(number: int) -> IdentityRef:
    return IdentityRef(
        account_id=ACCOUNT, identity_id=f"AIDAEXAMPLE{number:04d}", arn=f"arn:aws:iam::{ACCOUNT}:user/u{number}"
    )


def invocation(kind: str = CHANGE, *, key: str = "configurationItem", **item: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"messageType": kind, "notificationCreationTime": "2026-03-01T11:00:00Z"}
    if kind != SCHEDULED:
        content[key] = {
            "resourceType": "AWS::IAM::User",
            "resourceId": ANA.identity_id,
            "ARN": ANA.arn,
            "configurationItemStatus": "OK",
            "configurationItemCaptureTime": "2026-03-01T11:30:00Z",
        } | item
    return {"invokingEvent": json.dumps(content), "resultToken": "token", "accountId": ACCOUNT}


def real_event(name: str, **invoking: Any) -> dict[str, Any]:
    """An event as AWS Config sent it, for this account, with these fields of the invoking event replaced."""
    event: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    content = json.loads(event["invokingEvent"]) | invoking
    return event | {"invokingEvent": json.dumps(content), "accountId": ACCOUNT}


def real_item(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    own = item["accountId"]
    return {key: value.replace(own, ACCOUNT) if isinstance(value, str) else value for key, value in item.items()}


def compliances(config: Config) -> dict[str, str]:
    return {one["ComplianceResourceId"]: one["ComplianceType"] for one in config.evaluations}


# ---- one resource


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


@pytest.mark.parametrize("name", ["item-user.json", "item-role.json"])
@pytest.mark.parametrize(
    ("envelope", "key"),
    [("rule-item-changed.json", "configurationItem"), ("rule-oversized.json", "configurationItemSummary")],
)
def test_real_events_about_real_items_are_judged(
    config: Config, scores: ScoreTable, *, name: str, envelope: str, key: str, context: LambdaContext
) -> None:
    item = real_item(name)
    arn = item.get("ARN", item.get("arn"))
    put_score(scores, 87, identity=IdentityRef(account_id=ACCOUNT, identity_id=item["resourceId"], arn=arn))
    handle_config_rule(real_event(envelope, **{key: item}), context)
    assert compliances(config) == {item["resourceId"]: "NON_COMPLIANT"}


def test_a_real_schedule_has_everyone_judged(config: Config, scores: ScoreTable, context: LambdaContext) -> None:
    put_score(scores, 60)
    handle_config_rule(real_event("rule-scheduled.json"), context)
    assert compliances(config) == {ANA.identity_id: "NON_COMPLIANT"}


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (partial(real_event, "rule-scheduled-misspelt.json"), "a ScheduledNxotification without a configuration item"),
        (partial(real_event, "rule-item-changed.json"), "sent a AWS::EC2::SecurityGroup"),
        (partial(real_event, "rule-oversized.json"), "sent a AWS::EC2::Instance"),
        (lambda: json.loads((EVENTS / "rule-scheduled.json").read_text()), "invocation of account '012345678901'"),
    ],
)
def test_real_events_that_are_not_for_the_rule_are_refused(
    config: Config, scores: ScoreTable, context: LambdaContext, event: Any, complaint: str
) -> None:
    put_score(scores, 87)
    with pytest.raises(InputError, match=complaint):
        handle_config_rule(event(), context)
    assert config.batches == []


def test_a_summary_without_an_arn_is_judged_by_its_id(
    config: Config, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 10)
    handle_config_rule(invocation(OVERSIZED, key="configurationItemSummary", ARN=None), context)
    assert compliances(config) == {ANA.identity_id: "COMPLIANT"}


@pytest.mark.parametrize(
    ("status", "left", "why"),
    [
        ("ResourceDeleted", False, "Deleted"),
        ("ResourceDeletedNotRecorded", True, "Deleted"),
        ("ResourceNotRecorded", False, "Not recorded by AWS Config"),
        ("OK", True, "Out of the rule's scope"),
    ],
)
def test_who_left_is_not_applicable_even_where_a_score_is_left(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, status: str, *, left: bool, why: str
) -> None:
    put_score(scores, 87)
    event = invocation(configurationItemStatus=status, ARN=None) | {"eventLeftScope": left}
    handle_config_rule(event, context)
    assert [(one["ComplianceType"], one["Annotation"]) for one in config.evaluations] == [("NOT_APPLICABLE", why)]
    assert (aws.published(), scores.verdict(ANA)) == ([], None)


def test_a_score_just_below_the_threshold_keeps_a_standing_refusal(
    config: Config, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 59)
    scores.put_verdict(a_verdict())
    handle_config_rule(invocation(), context)
    [evaluation] = config.evaluations
    assert evaluation["ComplianceType"] == "NON_COMPLIANT"
    assert evaluation["Annotation"].endswith("; compliant again below 58")


# ---- what AWS Config learns first is told, stored and looked at again


def test_a_verdict_that_aws_config_learns_first_is_told_stored_and_looked_at_again(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87.25)
    for _ in range(2):
        handle_config_rule(invocation(), context)
    [told] = aws.told("IdentityEvaluated")
    assert (told["compliance"], told["pci"], told["repeated"]) == ("NON_COMPLIANT", 87.25, False)
    verdict = scores.verdict(ANA)
    assert verdict is not None
    assert verdict.compliance is Compliance.NON_COMPLIANT
    assert aws.delayed() == 1, "an earlier answer with a later time may outrank this one"


def test_a_verdict_that_aws_config_did_not_take_is_neither_told_nor_stored(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    put_score(scores, 87)
    config.errors = ["InternalFailure"] * MAX_ATTEMPTS
    with pytest.raises(DependencyError, match="InternalFailure"):
        handle_config_rule(invocation(), context)
    assert (aws.published(), scores.verdict(ANA)) == ([], None)
    handle_config_rule(invocation(), context)
    assert len(aws.told("IdentityEvaluated")) == 1, "Lambda's own second try makes it good"


def test_a_test_run_changes_nothing(config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext) -> None:
    put_score(scores, 87)
    put_score(scores, 87, identity=user(1), scored_at=NOW - timedelta(days=3))
    event = invocation(SCHEDULED) | {"resultToken": "TESTMODE"}
    assert handle_config_rule(event, context) == {"evaluations": 1}
    assert config.test_runs == [True]
    assert (aws.published(), scores.verdict(ANA), aws.delayed()) == ([], None, 0)


def test_an_answer_to_an_older_question_never_replaces_one_to_a_newer(
    config: Config, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = invocation(), invocation()
    newer["invokingEvent"] = newer["invokingEvent"].replace("11:00:00Z", "11:00:01Z")
    put_score(scores, 87)
    handle_config_rule(newer, context)
    put_score(scores, 10)
    handle_config_rule(older, context)
    assert config.shown() == {ANA.identity_id: "NON_COMPLIANT"}
    at(monkeypatch, NOW + timedelta(minutes=1))
    newest = invocation()
    newest["invokingEvent"] = newest["invokingEvent"].replace("11:00:00Z", "12:01:00Z")
    handle_config_rule(newest, context)
    assert config.shown() == {ANA.identity_id: "COMPLIANT"}, "the look that was asked for makes it good"


# ---- without a fresh score


@pytest.mark.parametrize("case", ["never scored", "too old", "gone by the last look"])
def test_without_a_fresh_score_there_is_no_verdict_but_one_request_an_hour(
    config: Config,
    aws: Stack,
    scores: ScoreTable,
    context: LambdaContext,
    *,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    if case == "too old":
        put_score(scores, 87, scored_at=NOW - timedelta(hours=48, seconds=1))
    if case == "gone by the last look":
        scores.put(StoredScore(a_score(), present=False))
    for _ in range(2):
        assert handle_config_rule(invocation(), context) == {"evaluations": 0}
    assert config.batches == [0, 0], "AWS Config wants an answer, if an empty one"
    assert [request["identity"]["arn"] for request in aws.told("ScoreRequested")] == [ANA.arn]
    at(monkeypatch, NOW + timedelta(hours=1))
    handle_config_rule(invocation(), context)
    assert len(aws.told("ScoreRequested")) == 1


def test_many_missing_scores_are_a_sweeps_work_and_not_thousands_of_requests(
    config: Config,
    aws: Stack,
    scores: ScoreTable,
    context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.evaluator.edge.MAX_REQUESTS", 5)
    assert MAX_REQUESTS < 1000
    for number in range(8):
        put_score(scores, 87, identity=user(number), scored_at=NOW - timedelta(days=3))
    handle_config_rule(invocation(SCHEDULED), context)
    assert len(aws.told("ScoreRequested")) == 5
    handle_config_rule(invocation(SCHEDULED), context)
    handle_config_rule(invocation(), context)
    assert aws.told("ScoreRequested") == []
    assert compliances(config) == {}


def test_an_identity_of_aws_own_is_not_applicable_without_a_score_and_no_score_is_requested(
    config: Config, aws: Stack, context: LambdaContext
) -> None:
    item = {"resourceType": "AWS::IAM::Role", "resourceId": SSO.identity_id, "ARN": SSO.arn}
    handle_config_rule(invocation(**item), context)
    assert compliances(config) == {SSO.identity_id: "NOT_APPLICABLE"}
    assert aws.published() == []


# ---- on schedule


def test_on_schedule_everyone_with_a_fresh_score_is_judged_in_batches(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    for number in range(103):
        age = timedelta(days=3) if number == 0 else timedelta(0)
        score = a_score(number % 100, identity=user(number), scored_at=NOW - age)
        scores.put(StoredScore(score, present=number != 1))
    assert handle_config_rule(invocation(SCHEDULED), context) == {"evaluations": 101}
    assert config.batches == [100, 1]
    assert [request["identity"]["identity_id"] for request in aws.told("ScoreRequested")] == ["AIDAEXAMPLE0000"]


def test_on_schedule_the_table_is_queried_and_not_read_item_by_item(
    config: Config, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        put_score(scores, 87, identity=user(number))
        scores.put_verdict(a_verdict(identity=user(number), pci=87))
    monkeypatch.setattr("shared.aws.dynamodb.Table.get", lambda *_: pytest.fail("one read for each identity"))
    assert handle_config_rule(invocation(SCHEDULED), context) == {"evaluations": 30}


def test_on_schedule_the_exempt_and_the_gone_are_not_applicable(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext
) -> None:
    exempt, gone = user(1), user(2)
    put_score(scores, 87)
    put_score(scores, 87, identity=exempt, exempt="it carries the tag leastwise:exempt")
    scores.put(StoredScore(a_score(identity=gone), present=False))
    scores.put_verdict(a_verdict(identity=gone))
    handle_config_rule(invocation(SCHEDULED), context)
    assert compliances(config) == {
        ANA.identity_id: "NON_COMPLIANT",
        exempt.identity_id: "NOT_APPLICABLE",
        gone.identity_id: "NOT_APPLICABLE",
    }
    told = {one["identity"]["identity_id"]: one["compliance"] for one in aws.told("IdentityEvaluated")}
    assert told == compliances(config)
    config.evaluations.clear()
    handle_config_rule(invocation(SCHEDULED), context)
    assert gone.identity_id not in compliances(config), "once is enough"


# ---- failures


@pytest.mark.parametrize("refusals", [1, 2])
def test_evaluations_that_config_refuses_are_put_again(
    config: Config, scores: ScoreTable, context: LambdaContext, refusals: int
) -> None:
    put_score(scores, 87)
    config.refusals = refusals
    handle_config_rule(invocation(), context)
    assert (len(config.evaluations), config.batches) == (1, [1] * (refusals + 1))


def test_evaluations_that_stay_refused_are_an_error_that_names_and_counts_them(
    config: Config, scores: ScoreTable, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    put_score(scores, 87)
    config.refusals = MAX_ATTEMPTS
    with pytest.raises(DependencyError, match=f"refused 1 evaluations, among them {ANA.identity_id}"):
        handle_config_rule(invocation(), context)
    assert metric(capsys, "EvaluationsFailed") == 1


def test_what_was_told_and_what_was_missed_is_counted(
    config: Config, scores: ScoreTable, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    put_score(scores, 87)
    put_score(scores, 87, identity=user(1), scored_at=NOW - timedelta(days=3))
    handle_config_rule(invocation(SCHEDULED), context)
    lines = capsys.readouterr().out
    assert [metric_in(lines, name) for name in ("Evaluations", "ScoresNotFresh", "VerdictsChanged")] == [1, 1, 1]


def metric(capsys: pytest.CaptureFixture[str], name: str) -> float:
    return metric_in(capsys.readouterr().out, name)


def metric_in(lines: str, name: str) -> float:
    found = [json.loads(line) for line in lines.splitlines() if '"_aws"' in line]
    return sum(sum(one.get(name, [])) for one in found)


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (invocation() | {"accountId": OTHER_ACCOUNT}, f"invocation of account '{OTHER_ACCOUNT}'"),
        (invocation(resourceType="AWS::S3::Bucket"), "sent a AWS::S3::Bucket"),
        (invocation(ARN=None), "has no ARN"),
        (invocation(resourceId="canary"), "no usable resourceId or ARN"),
        (invocation(resourceType="AWS::IAM::Role"), "another kind's id"),
        (invocation("ConfigurationSnapshotDeliveryCompleted", key="x"), "without a configuration item"),
        (invocation("ConfigurationItemDeliveryCompleted"), "no message that starts a rule"),
    ],
)
def test_an_invocation_that_is_not_ours_is_refused_and_judges_nobody(
    config: Config, context: LambdaContext, event: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        handle_config_rule(event, context)
    assert config.batches == []


def test_the_request_for_a_look_is_the_evaluators_own_message(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_REEVALUATION_DELAY_SECONDS", "0")
    put_score(scores, 87)
    handle_config_rule(invocation(), context)
    assert aws.take(aws.evaluator_queue_url) == [REEVALUATE]


def test_a_look_that_was_claimed_by_an_invocation_that_died_is_asked_for_when_lambda_tries_it_again(
    config: Config, aws: Stack, scores: ScoreTable, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt  # nothing below may catch it, as nothing catches the end of a function's time

    put_score(scores, 87)
    with monkeypatch.context() as patch:
        patch.setattr("services.evaluator.edge.send_delayed", die)
        with pytest.raises(KeyboardInterrupt):
            handle_config_rule(invocation(), context)
    assert aws.delayed() == 0
    handle_config_rule(invocation(), context)
    assert aws.delayed() == 1


@pytest.mark.parametrize("name", ["THRESHOLD", "EVALUATOR_QUEUE_URL"])
def test_a_missing_setting_is_named(
    config: Config, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(f"LEASTWISE_{name}")
    with pytest.raises(SettingsError, match=f"LEASTWISE_{name}: Field required"):
        handle_config_rule(invocation(), context)
