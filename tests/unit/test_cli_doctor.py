"""The judgements of `leastwise doctor`: what each fact means, as a level, and what fixes it."""

import re
import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.checkups import caller, event_rules, log_files, permissions, quotas, recorder, safekeeping, stack, trails
from cli.checkups.finding import Check, Finding, Level, Where, examine, worst_first
from cli.checkups.permissions import Need
from infra.build.template import load_template
from shared.aws.iam_quotas import IamQuotas
from shared.errors import CallerError, DeniedError, SettingsError
from shared.model.account_setup import (
    AlarmState,
    BucketLock,
    Concurrency,
    Permission,
    Subscribers,
)
from shared.model.plan import Mode

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "us-east-1"
WHERE = Where("aws", ACCOUNT, REGION, "audit")
FAIL, UNKNOWN, WARN, OK = Level.FAIL, Level.UNKNOWN, Level.WARN, Level.OK
TOPIC = WHERE.arn("sns", "security")
MODULES = (caller, event_rules, log_files, permissions, quotas, recorder, safekeeping, stack, trails)
CHECKS = {check.id: check for module in MODULES for check in vars(module).values() if isinstance(check, Check)}


def levels(findings: Iterable[Finding]) -> dict[str, Level]:
    """Level by the id of the check; no check answers twice."""
    found = list(findings)
    assert len({finding.check.id for finding in found}) == len(found)
    return {finding.check.id: finding.level for finding in found}


def only(findings: Iterable[Finding]) -> Finding:
    [finding] = findings
    return finding


def test_every_check_has_an_id_of_its_own() -> None:
    checks = {check for module in MODULES for check in vars(module).values() if isinstance(check, Check)}
    assert len(checks) == len(CHECKS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*", check_id) for check_id in CHECKS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_points_to_a_section_that_there_is(check: Check) -> None:
    path, _, anchor = check.see.partition("#")
    text = (ROOT / path).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert not anchor or anchor in anchors
    assert check.why.endswith(".")


def test_what_is_asked_of_the_stack_is_in_the_template() -> None:
    template = load_template(ROOT / "template.yaml")
    resources, outputs = template["Resources"], template["Outputs"]
    assert {resources[rule]["Properties"]["State"] for rule in event_rules.RULES} == {event_rules.WITH_READS}
    named = {need.resource.partition("/")[0] for need in permissions.DEPLOYED} - {permissions.ANYTHING}
    asked = {"ConfigRuleName", "SafeguardsParameterName", "TopicArn", "TrailLogQueueArn"}
    assert {*named, *event_rules.RULES.values(), *asked} <= set(outputs)
    parameters = {"EnableConfig", "InventorySource", "TrailLogBucketName", "TrailLogKmsKeyArn", "TrailLogTopicArn"}
    assert parameters <= set(template["Parameters"])


def test_the_commands_that_need_permissions_are_there() -> None:
    from cli.main import app  # noqa: PLC0415 this test alone needs all commands

    known = {" ".join(path) for path in _commands(get_command(app), ())}
    assert {need.command for need in permissions.DEPLOYED} <= known


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, each in getattr(command, "commands", {}).items():
        yield (*path, name)
        yield from _commands(each, (*path, name))


def test_a_command_is_a_line_for_a_shell_with_region_and_profile() -> None:
    line = WHERE.aws("sqs", "purge", "a b; rm -rf $HOME")
    assert shlex.split(line) == ["aws", "sqs", "purge", "a b; rm -rf $HOME", "--region", REGION, "--profile", "audit"]
    assert "--profile" not in WHERE._replace(profile=None).aws("sts", "get-caller-identity")


def test_what_could_not_be_asked_is_unknown_and_never_fine() -> None:
    def refused() -> None:
        raise DeniedError("DescribeTrails: AccessDenied: no")

    found = examine(trails.CHECKS, refused, lambda _: [])
    assert {finding.level for finding in found} == {UNKNOWN}
    assert [finding.check for finding in found] == list(trails.CHECKS)
    assert all("DescribeTrails: AccessDenied" in finding.found for finding in found)


def test_without_credentials_nothing_is_judged() -> None:
    def refused() -> None:
        raise CallerError("expired")

    with pytest.raises(CallerError):
        examine(trails.CHECKS, refused, lambda _: [])


def test_the_worst_comes_first_and_equal_ones_stay_in_order() -> None:
    one, two = trails.LOGGING, trails.GLOBAL
    given = [one.ok("a"), two.warn("b", ""), one.unknown("c"), two.fail("d", ""), one.fail("e", ""), two.ok("f")]
    assert [finding.found for finding in worst_first(given)] == ["d", "e", "c", "b", "a", "f"]


CALLERS: list[tuple[str, str, str, dict[str, Level]]] = [
    ("aws", "us-east-1", "user/ana", {"caller.identity": OK, "caller.region": OK}),
    ("aws", "eu-central-1", "user/ana", {"caller.identity": OK, "caller.region": FAIL}),
    ("aws", "us-east-1", "root", {"caller.identity": WARN, "caller.region": OK}),
    ("aws-cn", "cn-north-1", "user/ana", {"caller.identity": OK, "caller.region": OK}),
    ("aws-cn", "cn-northwest-1", "user/ana", {"caller.identity": OK, "caller.region": FAIL}),
    ("aws-us-gov", "us-gov-west-1", "user/ana", {"caller.identity": OK, "caller.region": OK}),
    ("aws-us-gov", "us-gov-east-1", "user/ana", {"caller.identity": OK, "caller.region": FAIL}),
    ("aws-iso", "us-iso-east-1", "user/ana", {"caller.identity": OK, "caller.region": UNKNOWN}),
]


@pytest.mark.parametrize(("partition", "region", "who", "expected"), CALLERS)
def test_the_region_must_hold_the_events_of_iam(
    partition: str, region: str, who: str, expected: dict[str, Level]
) -> None:
    where = Where(partition, ACCOUNT, region)
    found = caller.judge_caller(f"arn:{partition}:iam::{ACCOUNT}:{who}", where, is_deployed=True)
    assert levels(found) == expected


@pytest.mark.parametrize(("used", "expected"), [(1199, OK), (1200, WARN), (1499, WARN), (1500, FAIL), (1501, FAIL)])
def test_there_must_be_room_for_policies(used: int, expected: Level) -> None:
    found = levels(quotas.judge_policies(IamQuotas(1500, used, 10, 10, 6144), WHERE))
    assert found == {"quotas.policies": expected, "quotas.attached": OK}


@pytest.mark.parametrize(
    ("concurrency", "expected"),
    [
        (Concurrency(1000, 1000, 0), OK),
        (Concurrency(1000, 1000, 799), OK),
        (Concurrency(1000, 1000, 800), WARN),
        (Concurrency(1000, 1000, 1000), FAIL),
        (Concurrency(10, 10, 1), WARN),
        (Concurrency(1000, 99, 1), WARN),
        (Concurrency(0, 0, 0), FAIL),
    ],
)
def test_lambda_must_have_room(concurrency: Concurrency, expected: Level) -> None:
    assert only(quotas.judge_concurrency(concurrency, WHERE)).level is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_COMPLETE", OK),
        ("UPDATE_COMPLETE", OK),
        ("UPDATE_IN_PROGRESS", WARN),
        ("UPDATE_ROLLBACK_COMPLETE", WARN),
        ("ROLLBACK_COMPLETE", FAIL),
        ("UPDATE_ROLLBACK_FAILED", FAIL),
        ("DELETE_FAILED", FAIL),
        ("", FAIL),
    ],
)
def test_the_stack_must_be_whole(status: str, expected: Level) -> None:
    assert only(stack.judge_state(status, "leastwise", WHERE)).level is expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(Mode.OBSERVE, OK), (Mode.APPROVE, OK), (Mode.AUTO, OK), (Mode.OFF, WARN), (SettingsError("no mode"), FAIL)],
)
def test_the_mode_must_be_one(mode: Mode | SettingsError, expected: Level) -> None:
    assert only(stack.judge_mode(mode, "/leastwise/mode", WHERE)).level is expected


@pytest.mark.parametrize(
    ("text", "expected", "told"),
    [
        ("{}", OK, "none are set"),
        ('{"always_keep": ["s3:*"]}', OK, "1 actions always kept"),
        ("", FAIL, "can't be read"),
        ('{"exempt": ["hunter2"]}', FAIL, "exempt"),
    ],
)
def test_safeguards_must_be_readable_and_are_not_repeated(text: str, expected: Level, told: str) -> None:
    finding = only(stack.judge_safeguards(text, "/leastwise/safeguards", WHERE))
    assert finding.level is expected
    assert told in finding.found
    assert "hunter2" not in finding.found


def test_messages_in_dead_letter_queues_are_sent_back_by_a_command() -> None:
    def arn(name: str) -> str:
        return WHERE.arn("sqs", name)

    finding = only(stack.judge_queues({"AQueueUrl": 0, "BQueueUrl": 2, "CQueueUrl": 1}, arn, WHERE))
    assert (finding.level, finding.found) == (FAIL, "BQueue: 2, CQueue: 1")
    assert [shlex.split(command)[4] for command in finding.commands] == [arn("BQueueUrl"), arn("CQueueUrl")]
    assert only(stack.judge_queues({"AQueueUrl": 0}, arn, WHERE)).level is OK


def alarm(state: str, days_ago: int = 0, *, is_active: bool = True) -> AlarmState:
    return AlarmState(f"leastwise-{state}", state, NOW - timedelta(days=days_ago), "Do this.", is_active)


ALARMS: list[tuple[list[AlarmState], Level]] = [
    ([alarm("OK")], OK),
    ([alarm("OK"), alarm("ALARM")], FAIL),
    ([alarm("INSUFFICIENT_DATA", 1)], OK),
    ([alarm("INSUFFICIENT_DATA", 3)], WARN),
    ([alarm("OK", is_active=False)], WARN),
    ([], WARN),
]


@pytest.mark.parametrize(("alarms", "expected"), ALARMS)
def test_alarms_are_quiet_and_armed(alarms: list[AlarmState], expected: Level) -> None:
    finding = only(stack.judge_alarms(alarms, now=NOW, where=WHERE))
    assert finding.level is expected
    assert ("Do this." in finding.advice) == (expected is FAIL)


@pytest.mark.parametrize(
    ("subscribers", "expected"),
    [
        (Subscribers(1, ()), OK),
        (Subscribers(1, ("email",)), WARN),
        (Subscribers(0, ("email",)), FAIL),
        (Subscribers(0, ()), FAIL),
    ],
)
def test_somebody_must_be_told(subscribers: Subscribers, expected: Level) -> None:
    assert only(safekeeping.judge_subscribers(subscribers, TOPIC, WHERE)).level is expected


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (BucketLock(is_versioned=True, is_locked=True, mode="GOVERNANCE", days=400), OK),
        (BucketLock(is_versioned=True, is_locked=True, mode="", days=0), FAIL),
        (BucketLock(is_versioned=True, is_locked=False, mode="", days=0), FAIL),
        (BucketLock(is_versioned=False, is_locked=True, mode="COMPLIANCE", days=1), FAIL),
    ],
)
def test_anchors_must_be_locked(lock: BucketLock, expected: Level) -> None:
    assert only(safekeeping.judge_lock(lock, "anchors")).level is expected


NEEDS = (Need("one", "T", ("s:A", "s:B")), Need("two", "*", ("s:C",)), Need("three", "gone", ("s:D",)))
RESOURCES = {"T": "arn:t", "*": "*"}


def permitted(*, a: bool | None = True, b: bool | None = True, c: bool | None = True) -> list[Permission]:
    return [Permission("s:a", "arn:t", a), Permission("s:B", "arn:t", b), Permission("s:C", "*", c)]


PERMITTED: list[tuple[list[Permission], Level, str]] = [
    (permitted(), OK, "one, two"),
    (permitted(b=False), WARN, "one lacks s:B"),
    (permitted(a=False, c=False), WARN, "one lacks s:A; two lacks s:C"),
    (permitted(c=None), UNKNOWN, "depends on a request's conditions: two"),
    (permitted()[:2], UNKNOWN, "two"),  # no answer is no permission
]


@pytest.mark.parametrize(("permissions_", "expected", "told"), PERMITTED)
def test_a_command_that_lacks_a_permission_is_named(permissions_: list[Permission], expected: Level, told: str) -> None:
    finding = only(permissions.judge_permissions(NEEDS, RESOURCES, permissions_))
    assert finding.level is expected
    assert told in finding.found
    assert "three" not in finding.found


def test_needs_are_asked_once_a_resource() -> None:
    needs = (*NEEDS, Need("four", "T", ("s:B", "s:E")))
    assert permissions.asked_of(needs, RESOURCES) == {"arn:t": ("s:A", "s:B", "s:E"), "*": ("s:C",)}


def test_resources_are_named_by_the_stacks_outputs() -> None:
    outputs = {
        "AuditTableName": "audit",
        "SweepFunctionArn": WHERE.arn("lambda", "function:sweep"),
        "UsageQueueUrl": "https://sqs.us-east-1.amazonaws.com/1/usage",
        "ModeParameterName": "/leastwise/mode",
        "AuditAnchorBucketName": "anchors",
        "EventBusName": "bus",
    }
    found = permissions.resources_of(outputs, WHERE)
    assert found["AuditTableName"] == f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/audit"
    assert found["AuditTableName/index"].startswith(f"{found['AuditTableName']}/index/")
    assert found["SweepFunctionArn"] == outputs["SweepFunctionArn"]
    assert found["UsageQueueUrl"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:usage"
    assert found["ModeParameterName"] == f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/leastwise/mode"
    assert found["AuditAnchorBucketName"] == "arn:aws:s3:::anchors"
    assert "EventBusName" not in found
