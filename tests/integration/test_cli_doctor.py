"""`leastwise doctor` in an account where all is well, and with one thing after another amiss."""

import json
import shlex
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from typer.testing import CliRunner, Result

from cli.main import app
from shared.aws import clients
from tests.builders import ACCOUNT
from tests.conftest import REGION, Stack
from tests.integration.account_stand_in import LOGS, ROLE, Account, alarm

READING = ("Describe", "Get", "List", "Query", "Simulate")


@pytest.fixture
def account(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account, and the stack in it."""
    found = Account(aws)
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    found.calls.clear()
    return found


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--region", REGION, *options])


def told(*options: str, exit_code: int = 0) -> dict[str, Any]:
    result = run(*options, "--json")
    assert result.exit_code == exit_code, result.output or result.exception
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def levels(answer: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["level"] for check in answer["checks"]}


def check_of(answer: dict[str, Any], check_id: str) -> dict[str, Any]:
    [check] = [check for check in answer["checks"] if check["id"] == check_id]
    return dict(check)


def test_where_all_is_well_every_check_is_fine(account: Account) -> None:
    answer = told()
    assert set(levels(answer).values()) == {"ok"}
    assert len(levels(answer)) == 34  # all there are
    assert (answer["account_id"], answer["region"], answer["stack_name"]) == (ACCOUNT, REGION, "leastwise")
    assert answer["caller"].endswith(f"assumed-role/{ROLE}/ana")
    assert answer["level"] == "ok"


def test_nothing_is_changed(account: Account) -> None:
    run()
    assert {call for call in account.calls if not call.startswith(READING)} == set()
    assert len(set(account.calls)) > 20


def test_before_deployment_the_account_alone_is_checked(account: Account) -> None:
    account.clear()  # there is no stack
    answer = told("--before-deploy")
    found = levels(answer)
    assert answer["stack_name"] is None
    assert {check.split(".")[0] for check in found} == {"caller", "trail", "logs", "config", "quotas", "permissions"}
    assert {check for check, level in found.items() if level != "ok"} == {"logs.read"}
    assert not {"DescribeStacks", "GetParameter", "Query"} & set(account.calls)


def test_a_stack_that_is_not_there_is_a_failure_and_the_account_is_checked_all_the_same(account: Account) -> None:
    answer = told("--stack-name", "other", exit_code=1)
    failed = check_of(answer, "stack.state")
    assert answer["checks"][0] == failed
    assert "there is no stack other" in failed["found"]
    assert "--before-deploy" in failed["advice"]
    assert levels(answer)["trail.logging"] == "ok"
    assert "stack.mode" not in levels(answer)


def stop_trail(account: Account) -> None:
    clients.cloudtrail().stop_logging(Name="all")


def leave_reads_out(account: Account) -> None:
    conditions = [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]}]
    selectors: Any = [{"FieldSelectors": conditions}]
    clients.cloudtrail().put_event_selectors(TrailName="all", AdvancedEventSelectors=selectors)


def enable_rule_only(account: Account) -> None:
    name = "leastwise-ManagementEventsRule"
    clients.events().put_rule(Name=name, EventPattern='{"source": ["aws.iam"]}', State="ENABLED")


def stop_recorder(account: Account) -> None:
    clients.config().stop_configuration_recorder(ConfigurationRecorderName="default")


def fill_queue(account: Account) -> None:
    clients.sqs().send_message(QueueUrl=account.output("UsageDeadLetterQueueUrl"), MessageBody="{}")


def ring(account: Account) -> None:
    account.answers["DescribeAlarms"] = {"MetricAlarms": [alarm("leastwise-x", "ALARM")]}


def forget_lock(account: Account) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="unlocked")
    for output in account["leastwise"]["Outputs"]:
        if output["OutputKey"] == "AuditAnchorBucketName":
            output["OutputValue"] = "unlocked"


def unsubscribe(account: Account) -> None:
    sns = clients.sns()
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


def silence_bucket(account: Account) -> None:
    clients.s3().put_bucket_notification_configuration(Bucket=LOGS, NotificationConfiguration={})


def break_safeguards(account: Account) -> None:
    clients.ssm().put_parameter(Name="/doctor/safeguards", Value="{", Type="String", Overwrite=True)


AMISS: list[tuple[Callable[[Account], None], str]] = [
    (stop_trail, "trail.logging"),
    (leave_reads_out, "trail.management-events"),
    (enable_rule_only, "events.rules"),
    (stop_recorder, "config.recorder"),
    (fill_queue, "stack.dead-letters"),
    (ring, "stack.alarms"),
    (forget_lock, "audit.anchors"),
    (unsubscribe, "notifications.subscribers"),
    (silence_bucket, "logs.notified"),
    (break_safeguards, "stack.safeguards"),
]


@pytest.mark.parametrize(("spoil", "expected"), AMISS)
def test_what_is_amiss_fails_and_comes_first_with_a_way_to_mend_it(
    account: Account, spoil: Callable[[Account], None], expected: str
) -> None:
    spoil(account)
    answer = told(exit_code=1)
    failed = {check["id"] for check in answer["checks"] if check["level"] == "fail"}
    assert expected in failed
    assert failed <= {expected, "logs.trail"}  # which needs the trail, too
    assert answer["checks"][0]["level"] == answer["level"] == "fail"
    finding = check_of(answer, expected)
    assert finding["advice"]
    for command in finding["commands"]:
        assert shlex.split(command)[0] == "aws"
        assert f"--region {REGION}" in command


REFUSED = [
    ("DescribeTrails", "trail.logging", 3),
    ("GetTrailStatus", "trail.logging", 3),
    ("DescribeStackResource", "events.rules", 3),
    ("DescribeRule", "events.rules", 3),
    ("Query", "events.arrived", 3),
    ("GetParameter", "stack.mode", 3),
    ("DescribeStacks", "stack.state", 3),
    ("GetEventSelectors", "trail.management-events", 0),
    ("DescribeConfigurationRecorders", "config.recorder", 0),
    ("DescribeConfigurationRecorderStatus", "config.recorder", 0),
    ("DescribeDeliveryChannelStatus", "config.channel", 0),
    ("DescribeConfigRules", "config.rule", 0),
    ("GetAccountSummary", "quotas.policies", 0),
    ("GetAccountSettings", "quotas.concurrency", 0),
    ("GetQueueAttributes", "stack.dead-letters", 0),
    ("DescribeAlarms", "stack.alarms", 0),
    ("ListSubscriptionsByTopic", "notifications.subscribers", 0),
    ("GetObjectLockConfiguration", "audit.anchors", 0),
    ("GetBucketNotificationConfiguration", "logs.notified", 0),
    ("SimulatePrincipalPolicy", "permissions.commands", 0),
    ("GetRole", "permissions.commands", 0),
]


@pytest.mark.parametrize(("operation", "expected", "exit_code"), REFUSED)
def test_what_may_not_be_asked_is_unknown(account: Account, operation: str, expected: str, exit_code: int) -> None:
    account.refused = {operation}
    answer = told(exit_code=exit_code)
    assert levels(answer)[expected] == answer["level"] == "unknown"
    assert "AccessDenied" in check_of(answer, expected)["found"]
    assert "fail" not in levels(answer).values()


def test_a_failure_outweighs_what_could_not_be_asked(account: Account) -> None:
    account.refused = {"DescribeTrails"}
    ring(account)
    assert [check["level"] for check in told(exit_code=1)["checks"]][:2] == ["fail", "unknown"]


def test_without_any_answer_the_command_ends_with_one_line(account: Account) -> None:
    account.refused = {"GetCallerIdentity"}
    result = run()
    assert result.stdout == ""
    assert "GetCallerIdentity" in str(result.exception)


def test_commands_that_the_caller_may_not_use_are_named(account: Account) -> None:
    account.denied = {"lambda:InvokeFunction"}
    finding = check_of(told(), "permissions.commands")
    assert finding["level"] == "warn"
    assert "sweep lacks lambda:InvokeFunction" in finding["found"]
    assert "audit query" not in finding["found"]


def test_without_aws_config_nobody_asks_it(account: Account) -> None:
    account.parameter("EnableConfig", "false")
    account.parameter("InventorySource", "none")
    outputs = account["leastwise"]["Outputs"]
    outputs[:] = [output for output in outputs if output["OutputKey"] != "ConfigRuleName"]
    assert not [check for check in levels(told()) if check.startswith("config.")]
    assert not [call for call in account.calls if "Config" in call and call.startswith("DescribeConfig")]


def test_people_see_what_is_wrong_first_and_commands_whole(account: Account) -> None:
    stop_trail(account)
    lines = run().stdout.splitlines()
    assert lines[0] == f"Account {ACCOUNT}, region {REGION}, stack leastwise"
    assert lines[1].endswith("fine.")
    assert lines[3].startswith("FAIL     A trail logs in this region  (trail.logging)")
    command = f"aws cloudtrail start-logging --name arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all --region {REGION}"
    assert command in [line.strip() for line in lines]
    assert "See README.md#deploy" in run().stdout


def test_names_from_aws_cannot_command_the_terminal(account: Account) -> None:
    account.answers["DescribeAlarms"] = {"MetricAlarms": [alarm("leastwise-\x1b[31m\u202e", "ALARM")]}
    shown = run().stdout
    assert r"leastwise-\x1b[31m" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
