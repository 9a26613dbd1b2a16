"""The judgements of `leastwise doctor` on what is recorded, and what of that comes in."""

import json
import shlex
from datetime import timedelta
from typing import Any

import pytest

from cli.checkups import event_rules, log_files, recorder, trails
from cli.checkups.finding import Level
from shared.model.account_setup import BucketEvents, ConfigRuleSetup, EventRule, RecorderSetup, TrailSetup
from shared.model.recording import Recording, recording_of
from shared.model.usage import TRAIL_FEED, Coverage
from tests.unit.test_cli_doctor import ACCOUNT, FAIL, NOW, OK, REGION, TOPIC, UNKNOWN, WARN, WHERE, levels, only

TODAY = NOW.date()


def recorded(**selector: Any) -> Recording:
    return recording_of({"EventSelectors": [selector]})


ALL = recorded(ReadWriteType="All")
TRAIL = TrailSetup(
    arn=f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all",
    home_region=REGION,
    bucket="logs",
    is_multi_region=True,
    has_global_events=True,
    is_validated=True,
    is_logging=True,
    recording=ALL,
)
STOPPED = TRAIL._replace(is_logging=False)
UNREAD = TRAIL._replace(is_logging=False, recording=Recording(), unread="GetTrailStatus: AccessDenied")
FINE = dict.fromkeys((check.id for check in trails.CHECKS), OK)
TRAILS: list[tuple[list[TrailSetup], dict[str, Level]]] = [
    ([TRAIL], FINE),
    ([STOPPED, TRAIL], FINE),
    ([UNREAD, TRAIL], FINE),
    ([], {"trail.logging": FAIL}),
    ([STOPPED], {"trail.logging": FAIL}),
    ([UNREAD], {"trail.logging": UNKNOWN}),
    ([STOPPED, UNREAD], {"trail.logging": UNKNOWN}),
    ([TRAIL._replace(recording=recorded(ReadWriteType="WriteOnly"))], FINE | {"trail.management-events": FAIL}),
    ([TRAIL._replace(recording=recorded(ReadWriteType="ReadOnly"))], FINE | {"trail.management-events": FAIL}),
    ([TRAIL._replace(recording=Recording())], FINE | {"trail.management-events": FAIL}),
    ([TRAIL._replace(recording=Recording(), unread="denied")], FINE | {"trail.management-events": UNKNOWN}),
    (
        [TRAIL._replace(recording=recorded(ExcludeManagementEventSources=["kms.amazonaws.com"]))],
        FINE | {"trail.management-events": WARN},
    ),
    (  # two halves make a whole
        [
            TRAIL._replace(recording=recorded(ReadWriteType="WriteOnly")),
            TRAIL._replace(recording=recorded(ReadWriteType="ReadOnly")),
        ],
        FINE,
    ),
    (  # what a stopped one would record is not recorded
        [TRAIL._replace(recording=recorded(ReadWriteType="WriteOnly")), STOPPED],
        FINE | {"trail.management-events": FAIL},
    ),
    ([TRAIL._replace(has_global_events=False)], FINE | {"trail.global-services": FAIL}),
    ([TRAIL._replace(has_global_events=False), UNREAD], FINE | {"trail.global-services": UNKNOWN}),
    ([TRAIL._replace(is_multi_region=False)], FINE | {"trail.regions": WARN}),
    ([TRAIL._replace(is_validated=False)], FINE | {"trail.validation": WARN}),
    ([TRAIL._replace(delivery_error="AccessDenied")], FINE | {"trail.delivery": WARN}),
]


@pytest.mark.parametrize(("setups", "expected"), TRAILS)
def test_trails_are_judged_together(setups: list[TrailSetup], expected: dict[str, Level]) -> None:
    assert levels(trails.judge_trails(setups, WHERE)) == expected


def test_a_trail_is_mended_in_its_home_region() -> None:
    [finding] = trails.judge_trails([STOPPED._replace(home_region="eu-west-1")], WHERE)
    assert shlex.split(finding.commands[0])[-4:] == ["--region", "eu-west-1", "--profile", "audit"]
    assert STOPPED.arn in finding.commands[0]
    writes = TRAIL._replace(home_region="eu-west-1", recording=recorded(ReadWriteType="WriteOnly"))
    [finding] = [one for one in trails.judge_trails([writes], WHERE) if one.level is FAIL]
    show, put = map(shlex.split, finding.commands)
    assert show[:3] == ["aws", "cloudtrail", "get-event-selectors"]
    assert put[put.index("--region") + 1] == "eu-west-1"
    selectors = json.loads(put[put.index("--event-selectors") + 1])
    assert recording_of({"EventSelectors": selectors}).management_gaps == ()
    assert finding.found == "all: no reads"


QUEUES = {output: f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{output}" for output in event_rules.RULES.values()}


def rules(**changed: EventRule) -> dict[str, EventRule]:
    found = {
        logical: EventRule(logical, event_rules.WITH_READS, {WHERE.arn("sqs", output): WHERE.arn("sqs", "dead")})
        for logical, output in event_rules.RULES.items()
    }
    return found | changed


def usage_rule(state: str = event_rules.WITH_READS, **targets: str) -> dict[str, EventRule]:
    targets = targets or {"UsageQueueUrl": WHERE.arn("sqs", "dead")}
    arns = {WHERE.arn("sqs", name): dead for name, dead in targets.items()}
    return rules(ManagementEventsRule=EventRule("m", state, arns))


RULES: list[tuple[dict[str, EventRule], tuple[Level, Level]]] = [
    (rules(), (OK, OK)),
    (usage_rule(), (OK, OK)),
    (usage_rule("ENABLED"), (FAIL, OK)),
    (usage_rule("DISABLED"), (FAIL, OK)),
    (usage_rule(other="x"), (OK, FAIL)),
    (usage_rule(UsageQueueUrl=""), (OK, WARN)),
]


@pytest.mark.parametrize(("found", "expected"), RULES)
def test_rules_take_reads_and_fill_our_queues(found: dict[str, EventRule], expected: tuple[Level, Level]) -> None:
    judged = levels(event_rules.judge_rules(found, QUEUES, WHERE))
    assert (judged["events.rules"], judged["events.targets"]) == expected


def test_a_rule_is_mended_without_losing_its_pattern() -> None:
    finding = next(iter(event_rules.judge_rules(usage_rule("ENABLED"), QUEUES, WHERE)))
    [command] = finding.commands
    assert command.startswith("aws events put-rule --name m --state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    assert '--event-pattern "$(aws events describe-rule --name m --query EventPattern' in command
    assert finding.found == "m is ENABLED"


def days(*ago: int, reads: bool = True, feed: str = "eventbridge") -> Coverage:
    return Coverage.of((TODAY - timedelta(days=one) for one in ago), regions=[REGION], feeds=[feed], reads=reads)


COVERAGES: list[tuple[Coverage, dict[str, Level]]] = [
    (days(0, 1, 2), {"events.arrived": OK, "events.reads": OK}),
    (days(1), {"events.arrived": OK, "events.reads": OK}),
    (days(2), {"events.arrived": FAIL}),
    (Coverage(), {"events.arrived": FAIL}),
    (days(0, reads=False), {"events.arrived": OK, "events.reads": FAIL}),
    (days(0, reads=False).join(days(1)), {"events.arrived": OK, "events.reads": OK}),
    (days(0, 1, reads=False).join(days(2)), {"events.arrived": OK, "events.reads": FAIL}),
]


@pytest.mark.parametrize(("coverage", "expected"), COVERAGES)
def test_calls_and_reads_must_have_come_lately(coverage: Coverage, expected: dict[str, Level]) -> None:
    assert levels(event_rules.judge_coverage(coverage, TODAY)) == expected


RECORDER = RecorderSetup(
    name="default",
    is_recording=True,
    status="Success",
    error="",
    frequencies=dict.fromkeys(recorder.TYPES, "CONTINUOUS"),
    has_channel=True,
    channel_error="",
)
RECORDING = dict.fromkeys((check.id for check in recorder.RECORDER_CHECKS), OK)
NO_ROLES = {"AWS::IAM::User": "CONTINUOUS"}
DAILY = {**RECORDER.frequencies, "AWS::IAM::Role": "DAILY"}
RECORDERS: list[tuple[RecorderSetup | None, dict[str, Level]]] = [
    (RECORDER, RECORDING),
    (RECORDER._replace(status="Pending"), RECORDING),
    (None, {"config.recorder": FAIL}),
    (RECORDER._replace(is_recording=False), RECORDING | {"config.recorder": FAIL}),
    (RECORDER._replace(status="Failure", error="AccessDenied"), RECORDING | {"config.recorder": FAIL}),
    (
        RECORDER._replace(frequencies=NO_ROLES),
        {"config.recorder": OK, "config.iam-types": FAIL, "config.channel": OK},
    ),
    (RECORDER._replace(frequencies=DAILY), RECORDING | {"config.frequency": WARN}),
    (RECORDER._replace(has_channel=False), RECORDING | {"config.channel": FAIL}),
    (RECORDER._replace(channel_error="NoSuchBucket"), RECORDING | {"config.channel": WARN}),
]


@pytest.mark.parametrize(("setup", "expected"), RECORDERS)
def test_the_recorder_must_record_users_and_roles(setup: RecorderSetup | None, expected: dict[str, Level]) -> None:
    assert levels(recorder.judge_recorder(setup, WHERE, is_required=True)) == expected
    softened = {check: WARN if level is FAIL else level for check, level in expected.items()}
    found = list(recorder.judge_recorder(setup, WHERE, is_required=False))
    assert levels(found) == softened
    for finding in found:
        assert ("EnableConfig=false" in finding.advice) == (expected[finding.check.id] is FAIL)


EARLIER, LATER = NOW - timedelta(hours=3), NOW - timedelta(hours=2)
CONFIG_RULES: list[tuple[ConfigRuleSetup, Level]] = [
    (ConfigRuleSetup("ACTIVE", LATER, None, ""), OK),
    (ConfigRuleSetup("EVALUATING", LATER, EARLIER, "x"), OK),
    (ConfigRuleSetup("ACTIVE", EARLIER, LATER, "x"), FAIL),
    (ConfigRuleSetup("ACTIVE", None, LATER, "x"), FAIL),
    (ConfigRuleSetup("DELETING", LATER, None, ""), FAIL),
    (ConfigRuleSetup("ACTIVE", None, None, ""), WARN),
    (ConfigRuleSetup("ACTIVE", NOW - timedelta(days=3), None, ""), WARN),
]


@pytest.mark.parametrize(("setup", "expected"), CONFIG_RULES)
def test_the_rule_must_have_been_evaluated(setup: ConfigRuleSetup, expected: Level) -> None:
    assert only(recorder.judge_rule(setup, "rule", WHERE, now=NOW)).level is expected


S3_DATA = recording_of(
    {
        "AdvancedEventSelectors": [
            {
                "FieldSelectors": [
                    {"Field": "eventCategory", "Equals": ["Data"]},
                    {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
                ]
            }
        ]
    }
)


@pytest.mark.parametrize(
    ("setups", "expected"),
    [
        ([TRAIL], WARN),
        ([TRAIL._replace(recording=S3_DATA)], OK),
        ([STOPPED._replace(recording=S3_DATA)], WARN),
        ([UNREAD], UNKNOWN),
    ],
)
def test_data_events_are_those_that_a_running_trail_records(setups: list[TrailSetup], expected: Level) -> None:
    assert only(log_files.judge_data_events(setups)).level is expected


KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
READS_LOGS = {"TrailLogBucketName": "logs"}
WITH_KEY = TRAIL._replace(key=KEY)
LOGS: list[tuple[list[TrailSetup], dict[str, str], dict[str, Level]]] = [
    ([TRAIL], {}, {"logs.read": WARN}),
    ([TRAIL], READS_LOGS, {"logs.read": OK, "logs.trail": OK, "logs.key": OK}),
    ([TRAIL], {"TrailLogBucketName": "other"}, {"logs.read": OK, "logs.trail": FAIL}),
    (
        [TRAIL],
        {"TrailLogBucketName": "other", "TrailLogBucketAccountId": "210987654321"},
        {"logs.read": OK, "logs.trail": WARN},
    ),
    ([TRAIL._replace(is_multi_region=False)], READS_LOGS, {"logs.read": OK, "logs.trail": FAIL}),
    ([STOPPED], READS_LOGS, {"logs.read": OK, "logs.trail": FAIL, "logs.key": OK}),
    ([TRAIL._replace(delivery_error="x")], READS_LOGS, {"logs.read": OK, "logs.trail": FAIL, "logs.key": OK}),
    ([UNREAD], READS_LOGS, {"logs.read": OK, "logs.trail": UNKNOWN, "logs.key": OK}),
    ([WITH_KEY], READS_LOGS, {"logs.read": OK, "logs.trail": OK, "logs.key": FAIL}),
    (
        [WITH_KEY],
        READS_LOGS | {"TrailLogKmsKeyArn": KEY},
        {"logs.read": OK, "logs.trail": OK, "logs.key": OK},
    ),
    (
        [WITH_KEY],
        READS_LOGS | {"TrailLogKmsKeyArn": f"{KEY}2"},
        {"logs.read": OK, "logs.trail": OK, "logs.key": FAIL},
    ),
]


@pytest.mark.parametrize(("setups", "parameters", "expected"), LOGS)
def test_log_files_come_from_a_trail_of_all_regions_and_can_be_decrypted(
    setups: list[TrailSetup], parameters: dict[str, str], expected: dict[str, Level]
) -> None:
    assert levels(log_files.judge_log_files(setups, parameters, needs_deployment=False)) == expected


QUEUE = WHERE.arn("sqs", "logs")
EVENTS: list[tuple[BucketEvents, dict[str, str], Level]] = [
    (BucketEvents(frozenset({QUEUE}), frozenset(), event_bridge=False), {}, OK),
    (BucketEvents(frozenset(), frozenset(), event_bridge=True), {}, OK),
    (BucketEvents(frozenset(), frozenset({TOPIC}), event_bridge=False), {"TrailLogTopicArn": TOPIC}, OK),
    (BucketEvents(frozenset(), frozenset({TOPIC}), event_bridge=False), {}, FAIL),
    (BucketEvents(frozenset({"other"}), frozenset(), event_bridge=False), {}, FAIL),
]


@pytest.mark.parametrize(("told", "parameters", "expected"), EVENTS)
def test_the_bucket_tells_of_new_files(told: BucketEvents, parameters: dict[str, str], expected: Level) -> None:
    finding = only(log_files.judge_bucket_events(told, "logs", parameters, QUEUE, WHERE))
    assert finding.level is expected
    if expected is FAIL:
        words = shlex.split(finding.commands[1])
        given = json.loads(words[words.index("--notification-configuration") + 1])
        assert given == {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]}


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        (days(1, feed=TRAIL_FEED), OK),
        (days(2, feed=TRAIL_FEED).join(days(0)), FAIL),
        (days(0), FAIL),
        (Coverage(), FAIL),
    ],
)
def test_log_files_must_have_come_lately(coverage: Coverage, expected: Level) -> None:
    assert only(log_files.judge_arrivals(coverage, TODAY)).level is expected
