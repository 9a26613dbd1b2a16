"""`leastwise status` on a stack: its tables, queues, alarms, parameter and bucket, and what may not be read."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from cli.main import app
from shared.aws import clients
from shared.aws.anchor_bucket import AnchorBucket
from shared.aws.journal import Journal
from shared.aws.outbox import Outbox
from shared.aws.score_trend import ScoreTrend
from shared.aws.sweep_table import SweepTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import CallerError, InputError
from shared.model.anchor import NO_ANCHOR, Anchor
from shared.model.notification import KeptNotification, Notification, Severity
from shared.model.plan import PlanStatus
from shared.model.sweep import SweepProgress
from shared.model.trend import Reading
from shared.model.usage import Coverage
from tests.builders import ACCOUNT, DEPLOYER
from tests.conftest import REGION, Stack
from tests.integration.stack_stand_in import Stacks
from tests.integration.test_cli_plans import planned, recorded

NOW = datetime.now(UTC).replace(microsecond=0)
PARAMETERS = {
    "WindowDays": "90",
    "Threshold": "60",
    "SweepSchedule": "rate(6 hours)",
    "AnchorSchedule": "rate(1 hour)",
    "MinObservedDays": "30",
}

MESSAGE = Notification(
    subject="A plan waits", text="It waits.", data={}, attributes={}, severity=Severity.INFO, label="plan waiting"
)


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack, with every output that `status` reads."""
    found = Stacks()
    found.deploy(aws, **PARAMETERS)
    sqs = clients.sqs()
    outputs = {
        "ModeParameterName": aws.mode_parameter,
        "AuditTableName": aws.audit_table,
        "NotificationsTableName": aws.notifications_table,
        "AuditAnchorBucketName": aws.anchor_bucket,
        "EvaluatorQueueUrl": aws.evaluator_queue_url,
        "EvaluatorDeadLetterQueueUrl": sqs.create_queue(QueueName="leastwise-evaluator-dead-letters")["QueueUrl"],
    }
    described = {each["OutputKey"]: each["OutputValue"] for each in found["leastwise"]["Outputs"]} | outputs
    found["leastwise"]["Outputs"] = [{"OutputKey": key, "OutputValue": value} for key, value in described.items()]
    monkeypatch.setattr(BaseClient, "_make_api_call", found.caller())
    return found


@pytest.fixture
def fine(aws: Stack) -> None:
    """Everything has run as it should."""
    scores = aws.table(aws.scores_table)
    SweepTable(scores).put(SweepProgress(account_id=ACCOUNT, started_at=NOW, finished_at=NOW, identities=2))
    for ago, pci in ((8, 60.0), (0, 40.0)):
        ScoreTrend(scores).add(ACCOUNT, Reading(at=NOW - timedelta(days=ago), pci=pci, granted=9, unused=4))
    seen = Coverage.of(
        [(NOW - timedelta(days=ago)).date() for ago in range(40)], regions=[REGION], feeds=["eventbridge"]
    )
    UsageLedger(aws.table(aws.usage_table)).merge_coverage(ACCOUNT, seen)
    AnchorBucket(clients.s3(), aws.anchor_bucket).write(anchor_of(1))


def anchor_of(number: int) -> Anchor:
    return Anchor(
        account_id=ACCOUNT,
        number=number,
        anchored_at=NOW,
        previous_digest=NO_ANCHOR,
        complete=True,
        chains=0,
        entries=0,
        heads={},
    )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["status", "--region", REGION, *arguments])


def told(exit_code: int) -> dict[str, list[Mapping[str, Any]]]:
    """Parts by name."""
    result = run("--json")
    assert result.exit_code == exit_code, result.exception or result.output
    answer = json.loads(result.stdout)
    names = dict.fromkeys(part["name"] for part in answer["parts"])
    return {name: [part for part in answer["parts"] if part["name"] == name] for name in names}


def test_a_stack_that_is_fine_needs_nobody(fine: None) -> None:
    parts = told(0)
    assert {part["level"] for some in parts.values() for part in some} == {"ok"}
    assert parts["mode"][0]["values"]["mode"] == "observe"
    assert parts["account"][0]["values"] | {"at": ""} == {
        "pci": 40.0,
        "band": "medium",
        "change_7_days": -20.0,
        "at": "",
    }
    assert parts["coverage"][0]["values"]["observed_days"] == 40
    assert list(parts["queues"][0]["values"]) == ["evaluator"]
    assert parts["dead letters"][0]["values"] == {"leastwise-evaluator-dead-letters": 0}
    assert parts["audit trail"][0]["values"] == {
        "anchor": 1,
        "newer_entries": 0,
        "faults": 0,
        "anchored_at": NOW.isoformat().replace("+00:00", "Z"),
    }
    assert run().stdout.splitlines()[0] == f"leastwise in account {ACCOUNT}, {REGION}: Everything is fine."


def test_a_stack_that_was_just_made_says_what_is_to_come() -> None:
    parts = told(1)
    levels = {name: [part["level"] for part in some] for name, some in parts.items()}
    assert levels["account"] == levels["sweep"] == levels["audit trail"] == ["warn"]
    assert levels["coverage"] == ["bad"]
    assert levels["plans"] == levels["queues"] == levels["alarms"] == levels["notifications"] == ["ok"]


def test_what_went_wrong_is_told(fine: None, aws: Stack, stacks: Stacks) -> None:
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stacks["leastwise"]["Outputs"]}
    clients.sqs().send_message(QueueUrl=outputs["EvaluatorDeadLetterQueueUrl"], MessageBody="{}")
    clients.ssm().put_parameter(Name=aws.mode_parameter, Value="off", Type="String", Overwrite=True)
    ring("leastwise/usage-errors", "Read the log.")
    ring("other-Alarm", "Not ours.")
    journal = Journal(aws.table(aws.journal_table))
    journal.save(recorded(planned("1" * 16), PlanStatus.QUARANTINED))
    journal.save(recorded(planned("2" * 16, DEPLOYER), PlanStatus.APPLYING))
    AnchorBucket(clients.s3(), aws.anchor_bucket).write(anchor_of(2))
    clients.s3().put_object(Bucket=aws.anchor_bucket, Key=f"anchors/{ACCOUNT}/000000000002.json", Body=b"{}")
    outbox = Outbox(clients.dynamodb(), aws.notifications_table)
    outbox.keep(KeptNotification(event_id="e1", kept_at=NOW - timedelta(hours=1), notification=MESSAGE))
    parts = told(1)
    assert parts["mode"][0]["values"]["kill_switch"] is True
    assert parts["dead letters"][0]["values"] == {"leastwise-evaluator-dead-letters": 1}
    assert [(part["values"]["alarm"], part["advice"]) for part in parts["alarms"]] == [
        ("leastwise/usage-errors", "Read the log.")
    ]
    assert [part["level"] for part in parts["plans"]] == ["ok", "bad", "warn"]
    assert (parts["plans"][0]["values"]["quarantined"], parts["plans"][0]["values"]["interrupted"]) == (1, 1)
    assert (parts["audit trail"][0]["level"], parts["audit trail"][0]["values"]["faults"]) == ("bad", 1)
    assert (parts["notifications"][0]["level"], parts["notifications"][0]["values"]["waiting"]) == ("warn", 1)


def ring(name: str, advice: str) -> None:
    cloudwatch = boto3.client("cloudwatch", region_name=REGION)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription=advice,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")


DENIED = {
    "GetParameter": ("mode", "ssm:GetParameter"),
    "GetQueueAttributes": ("queues", "sqs:GetQueueAttributes"),
    "DescribeAlarms": ("alarms", "cloudwatch:DescribeAlarms"),
    "ListObjectVersions": ("audit trail", "s3:ListBucketVersions"),
}


@pytest.mark.parametrize("operation", DENIED)
def test_a_part_that_may_not_be_read_says_so_and_hides_no_other(
    operation: str, fine: None, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, action = DENIED[operation]

    def refused(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == operation:
            message = f"User: arn:aws:iam::{ACCOUNT}:user/eve is not authorized to perform: {action} on resource: *"
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, operation_name)
        return stacks.answer(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", refused)
    parts = told(3)
    assert parts[name][0]["text"] == f"not readable: needs {action}"
    assert [part["level"] for some in parts.values() for part in some].count("unknown") == 1


def test_a_stack_of_before_says_which_output_it_lacks(fine: None, stacks: Stacks) -> None:
    outputs = stacks["leastwise"]["Outputs"]
    outputs[:] = [each for each in outputs if each["OutputKey"] != "AuditAnchorBucketName"]
    assert "AuditAnchorBucketName" in told(3)["audit trail"][0]["text"]


def test_a_mode_that_is_none_is_told(fine: None, aws: Stack) -> None:
    clients.ssm().put_parameter(Name=aws.mode_parameter, Value="nonsense", Type="String", Overwrite=True)
    assert "is not one of" in told(3)["mode"][0]["text"]


def test_without_credentials_nothing_is_told_but_that(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    def expired(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        if operation_name == "GetItem":
            raise ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, operation_name)
        return stacks.answer(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", expired)
    result = run()
    assert isinstance(result.exception, CallerError)
    assert result.stdout == ""


def test_a_stack_that_is_not_there_is_named_with_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(client: BaseClient, operation_name: str, _: dict[str, Any]) -> Any:
        message = "Stack with id nope does not exist"
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation_name)

    monkeypatch.setattr(BaseClient, "_make_api_call", absent)
    error = run("--stack-name", "nope").exception
    assert isinstance(error, InputError)
    assert str(error).startswith(f"there is no stack nope in {REGION}, account of the credentials: name the stack with")


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_is_gone_or_not_made_yet_is_none(status: str, stacks: Stacks) -> None:
    stacks["leastwise"]["StackStatus"] = status
    error = run().exception
    assert isinstance(error, InputError)
    assert "there is no stack leastwise in use" in str(error)
