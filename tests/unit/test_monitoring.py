"""Holds the alarms and the dashboard to what the template deploys and to the metrics that the code emits."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer

from cli.main import app
from infra.build.template import ROOT, load_template, resources_of
from infra.docs.tables import walk
from services.auditor.hints import MAX_TEXT
from shared.events import Service
from shared.model.plan import PlanStatus
from shared.model.score import Band
from tests.unit.rendered_roles import REGION, STACK
from tests.unit.test_template import DEAD_LETTER_QUEUES, FUNCTIONS, QUEUES, RESOURCES, TEMPLATE, WORK_QUEUES

Resource = dict[str, Any]

MONITORING = load_template(ROOT / "infra" / "sam" / "monitoring.yaml")
DASHBOARD = load_template(ROOT / "infra" / "sam" / "dashboard.yaml")
ALARMS: dict[str, Resource] = {
    name: body["Properties"] for name, body in resources_of(MONITORING, "AWS::CloudWatch::Alarm").items()
}
# What the auditor can't tell, because it is what failed: these go to the topic directly.
OF_THE_AUDITOR = {
    "AuditDeadLetterQueueAlarm",
    "AuditFunctionErrorsAlarm",
    "AuditFunctionThrottlesAlarm",
    "AuditQueueAgeAlarm",
    "NotificationsFailedAlarm",
    "NotificationsOverdueAlarm",
    "NotifyDeadLetterQueueAlarm",
    "NotifyFunctionErrorsAlarm",
    "NotifyFunctionThrottlesAlarm",
    "NotifyOverdueAlarm",
    "RuleDeadLetterQueueAlarm",
    "TopicDeadLetterQueueAlarm",
}
# Every text tells somebody who was woken up what to do.
ADVICE = re.compile(
    r"\b(ask|attach|check|find|give|invoke|look|make|mend|put|raise|read|reserve|roll|run|see|set|start)\b",
    re.IGNORECASE,
)
# Metrics whose names the code puts together.
COMPOSED = {
    Service.SCORER: {f"{band.capitalize()}Identities" for band in Band},
    Service.REMEDIATOR: {f"Remediation{status.title().replace('_', '')}" for status in PlanStatus},
}
WATCHED = (
    *((queue, "QueueName", "ApproximateNumberOfMessagesVisible") for queue in DEAD_LETTER_QUEUES),
    *((queue, "QueueName", "ApproximateAgeOfOldestMessage") for queue in WORK_QUEUES),
    *((name, "FunctionName", metric) for name in sorted(FUNCTIONS) for metric in ("Errors", "Throttles")),
)
# Alarms on what should come by itself and does not: no data is the alarm.
OVERDUE = {
    "SweepOverdueAlarm": ("AccountPci", "SweepSchedule"),
    "AnchorOverdueAlarm": ("AnchorsWritten", "AnchorSchedule"),
}
LONGEST_PARAMETER_SCHEDULE_HOURS = 24
# What follows the system's own name in a sentence about it.
NOT_COMMANDS = {"leaves", "so", "took"}


@cache
def emitted(service: str) -> frozenset[str]:
    """Names of the metrics that a service's code spells out: any text beside `add_metric` or in a table of counts."""
    texts: set[str] = set()
    for path in (ROOT / "services" / service).rglob("*.py"):
        if "metrics" in (source := path.read_text(encoding="utf-8")):
            texts |= {node.value for node in _constants(source) if isinstance(node.value, str)}
    return frozenset(text for text in texts if re.fullmatch(r"[A-Z][A-Za-z]+", text)) | COMPOSED.get(
        Service(service), set()
    )


def _constants(source: str) -> Iterator[ast.Constant]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))


def watching(parameter: str, dimension: str, metric: str) -> dict[str, Resource]:
    return {
        name: alarm
        for name, alarm in ALARMS.items()
        if alarm["MetricName"] == metric and alarm["Dimensions"] == [{"Name": dimension, "Value": {"Ref": parameter}}]
    }


# ---- alarms


@pytest.mark.parametrize(("watched", "dimension", "metric"), WATCHED)
def test_given_a_queue_or_function_when_something_is_wrong_with_it_then_exactly_one_alarm_goes_off(
    watched: str, dimension: str, metric: str
) -> None:
    parameter = f"{watched}Name"
    passed = RESOURCES["Monitoring"]["Properties"]["Parameters"][parameter]
    assert watched in json.dumps(passed)
    ((name, alarm),) = watching(parameter, dimension, metric).items()
    assert name.startswith(watched)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    if metric != "ApproximateAgeOfOldestMessage":
        assert alarm["Threshold"] == 0


@pytest.mark.parametrize("queue", WORK_QUEUES)
def test_given_a_message_that_failed_once_when_it_waits_for_its_retry_then_its_age_is_no_alarm(queue: str) -> None:
    (alarm,) = watching(f"{queue}Name", "QueueName", "ApproximateAgeOfOldestMessage").values()
    properties = QUEUES[queue]["Properties"]
    delay = properties.get("DelaySeconds", 0)
    longest_delay = TEMPLATE["Parameters"][delay["Ref"]]["MaxValue"] if isinstance(delay, dict) else delay
    assert longest_delay + properties["VisibilityTimeout"] < alarm["Threshold"]
    assert alarm["Threshold"] <= 4 * 3600, "a retention of four days leaves time to act"


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_given_an_alarm_when_somebody_reads_it_at_night_then_it_says_what_to_do(name: str) -> None:
    text = ALARMS[name]["AlarmDescription"]
    assert 80 < len(text) <= MAX_TEXT
    assert ADVICE.search(text), text


def test_given_the_alarms_when_they_go_off_then_a_rule_finds_each_by_the_beginning_of_its_name() -> None:
    names = [alarm["AlarmName"]["Fn::Sub"] for alarm in ALARMS.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\$\{StackName\}/[a-z-]+", name) for name in names)
    assert RESOURCES["Monitoring"]["Properties"]["Parameters"]["StackName"] == {"Ref": "AWS::StackName"}
    pattern = RESOURCES["AlarmsRule"]["Properties"]["EventPattern"]
    assert pattern["detail"] == {"alarmName": [{"prefix": {"Fn::Sub": "${AWS::StackName}/"}}]}


def test_given_an_alarm_when_it_goes_off_then_only_what_concerns_the_auditor_goes_round_it() -> None:
    direct = {name for name, alarm in ALARMS.items() if alarm.get("AlarmActions") == [{"Ref": "TopicArn"}]}
    assert direct == OF_THE_AUDITOR
    assert not [alarm for alarm in ALARMS.values() if {"OKActions", "InsufficientDataActions"} & set(alarm)]
    assert {name for name, alarm in ALARMS.items() if "AlarmActions" in alarm} == direct


@pytest.mark.parametrize("name", sorted(name for name, alarm in ALARMS.items() if alarm["Namespace"] == "leastwise"))
def test_given_an_alarm_on_our_own_metric_when_it_watches_then_that_service_emits_it(name: str) -> None:
    ((dimension, service),) = [(one["Name"], one["Value"]) for one in ALARMS[name]["Dimensions"]]
    assert dimension == "service"
    assert ALARMS[name]["MetricName"] in emitted(service)


def test_given_metrics_that_nobody_emits_when_they_are_looked_for_then_they_are_not_found() -> None:
    assert "AccountPci" in emitted("scorer")
    assert "AccountPci" not in emitted("auditor")
    assert "MadeUp" not in emitted("scorer")


@pytest.mark.parametrize("name", sorted(OVERDUE))
def test_given_nothing_comes_when_it_is_overdue_then_the_missing_data_is_the_alarm(name: str) -> None:
    alarm, (metric, schedule) = ALARMS[name], OVERDUE[name]
    assert (alarm["MetricName"], alarm["ComparisonOperator"]) == (metric, "LessThanThreshold")
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "breaching")
    hours = alarm["Period"] * alarm["EvaluationPeriods"] / 3600
    assert hours > LONGEST_PARAMETER_SCHEDULE_HOURS, "a daily schedule is allowed, and must be no alarm"
    assert "at least once a day" in TEMPLATE["Parameters"][schedule]["ConstraintDescription"]


def test_given_alarms_over_long_times_when_they_are_made_then_cloudwatch_takes_them() -> None:
    """Seven days where a period is an hour or longer, else one (CloudWatch API, PutMetricAlarm)."""
    for name, alarm in ALARMS.items():
        limit = 604_800 if alarm["Period"] >= 3_600 else 86_400
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= limit, name
        assert alarm["Period"] % 60 == 0, name


def test_given_no_threshold_for_the_account_when_it_is_deployed_then_its_alarm_is_left_out() -> None:
    body = MONITORING["Resources"]["AccountPciHighAlarm"]
    assert body["Properties"]["Threshold"] == {"Ref": "AccountPciAlarm"}
    condition = MONITORING["Conditions"][body["Condition"]]
    assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AccountPciAlarm"}, "0"]}]}
    assert TEMPLATE["Parameters"]["AccountPciAlarm"]["MinValue"] == 0
    assert Band.of(TEMPLATE["Parameters"]["AccountPciAlarm"]["Default"]) is Band.HIGH
    assert Band.of(TEMPLATE["Parameters"]["AccountPciAlarm"]["Default"] - 1) is not Band.HIGH


# ---- the dashboard


def widgets() -> list[Resource]:
    """The dashboard as CloudWatch gets it."""
    text: str = DASHBOARD["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    parsed: Resource = json.loads(text.replace("${StackName}", STACK).replace("${AWS::Region}", REGION))
    assert "${" not in json.dumps(parsed)
    found: list[Resource] = parsed["widgets"]
    return found


def shown_metrics() -> set[tuple[str, str, str, str]]:
    """Namespace, metric, and the one dimension of every line on the dashboard."""
    found = set()
    for widget in widgets():
        for metric in widget["properties"].get("metrics", []):
            namespace, name, dimension, value = (part for part in metric if isinstance(part, str))
            found.add((namespace, name, dimension, value))
    return found


def physical_names(kind: str, attribute: str) -> set[str]:
    bodies = resources_of(TEMPLATE, kind).values()
    return {body["Properties"][attribute]["Fn::Sub"].replace("${AWS::StackName}", STACK) for body in bodies}


def test_given_the_dashboard_when_it_shows_a_metric_then_something_emits_it() -> None:
    known = {
        "FunctionName": physical_names("AWS::Serverless::Function", "FunctionName"),
        "QueueName": physical_names("AWS::SQS::Queue", "QueueName"),
    }
    shown = shown_metrics()
    for namespace, name, dimension, value in shown:
        if namespace == "leastwise":
            assert dimension == "service"
            assert name in emitted(value), name
        else:
            assert namespace == {"FunctionName": "AWS/Lambda", "QueueName": "AWS/SQS"}[dimension]
            assert value in known[dimension], value
    for dimension, names in known.items():
        assert {value for _, _, one, value in shown if one == dimension} == names, "each is shown"


def test_given_the_alarms_on_our_own_metrics_when_one_goes_off_then_most_can_be_seen_on_the_dashboard() -> None:
    alarmed = {alarm["MetricName"] for alarm in ALARMS.values() if alarm["Namespace"] == "leastwise"}
    rare = {
        "EvaluationsFailed",
        "InventoryUnread",
        "OutcomesUntold",
        "ProviderFailed",
        "ReconcileFailures",
        "ScoresNotFresh",
        "SnapshotsUnread",
    }
    assert alarmed - {name for _, name, _, _ in shown_metrics()} == rare


def test_given_the_dashboard_when_it_is_laid_out_then_nothing_overlaps_and_every_line_is_in_our_region() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
        assert widget["type"] == "text" or widget["properties"]["region"] == REGION
        assert widget["type"] == "text" or widget["properties"]["title"]


def test_given_the_words_on_the_dashboard_when_they_name_commands_then_they_exist() -> None:
    (words,) = [widget["properties"]["markdown"] for widget in widgets() if widget["type"] == "text"]
    named = set(re.findall(r"`leastwise ((?:[a-z]+ ?)+)", words))
    assert len(named) >= 4
    assert {name.strip() for name in named} <= commands()
    mode = RESOURCES["ModeParameter"]["Properties"]["Name"]["Fn::Sub"].replace("${AWS::StackName}", STACK)
    assert f"--name {mode} --value off" in words


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_given_the_text_of_an_alarm_when_it_names_a_command_then_that_exists(name: str) -> None:
    for first, second in re.findall(r"leastwise ([a-z]+)(?: ([a-z]+))?", ALARMS[name]["AlarmDescription"]):
        assert first in NOT_COMMANDS or commands() & {first, f"{first} {second}"}, (first, second)


@cache
def commands() -> frozenset[str]:
    return frozenset(" ".join(path) for path, _ in walk(typer.main.get_command(app)))
