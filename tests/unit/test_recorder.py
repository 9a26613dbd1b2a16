"""The recorder without AWS: a chain that takes no entry, a record that is late, an invocation that runs out of time."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from services.auditor.edge import RESERVE, Recorder
from services.auditor.settings import AuditSettings
from services.auditor.telling.edge import Desk
from shared.aws import clients
from shared.aws.audit_table import Appended, AuditTable
from shared.aws.ssm import ParameterVersion
from shared.errors import ConflictError, DependencyError, InputError, NotFoundError
from shared.observability import metrics
from tests.builders import ACCOUNT, NOW, domain_body, envelope, sqs_event
from tests.unit.telling_world import BURST, PLACE, World, news

SETTINGS = AuditSettings(
    account_id=ACCOUNT,
    stack_name="leastwise",
    notifications_table="outbox",
    topic_arn=f"arn:aws:sns:eu-west-1:{ACCOUNT}:leastwise",
    audit_table="audit",
    mode_parameter="/leastwise/mode",
    safeguards_parameter="/leastwise/safeguards",
    notification_burst=BURST,
)
TIME = timedelta(seconds=30)
CALL = Path(__file__).parents[1] / "events" / "hints" / "put-parameter.json"


class Trail:
    """An audit table that takes entries, or fails in one way; each takes its time."""

    def __init__(self, world: World, error: Exception | None = None, *, seconds: int = 0) -> None:
        self.world = world
        self.error = error
        self.seconds = seconds
        self.recorded: list[str] = []

    def append(self, event_id: str, _chain: str, _build: Callable[..., Any]) -> Appended:
        """As the audit table does."""
        self.world.now += timedelta(seconds=self.seconds)
        if self.error:
            raise self.error
        self.recorded.append(event_id)
        return Appended.NEW


@pytest.fixture(autouse=True)
def nothing_counted_for_others() -> Iterator[None]:
    """What is counted outside of a handler would be written out by the next one."""
    yield
    metrics.clear_metrics()


def recorder(world: World, trail: Trail) -> Recorder:
    desk = Desk(world, world.publish, PLACE, burst=BURST)
    audit = cast("AuditTable", trail)
    return Recorder(SETTINGS, audit, desk, world.clock, deadline=world.now + TIME)


def setting(mode: str, version: int) -> ParameterVersion:
    return ParameterVersion(mode, version, NOW)


@pytest.mark.parametrize(
    ("newest", "made", "told_as"),
    [
        (setting("off", 7), setting("off", 7), "Kill switch: remediation is off, set by user/bert-jan"),
        (setting("auto", 8), setting("off", 7), "Mode set to off, and is auto now: by user/bert-jan"),
        (setting("auto", 6), setting("off", 7), "Kill switch: remediation is off, set by user/bert-jan"),
        (setting("auto", 99), None, "Mode is auto after a change by user/bert-jan"),
        (None, None, "Mode is none after a change by user/bert-jan"),
    ],
    ids=["in force", "set again", "read too early", "version gone", "parameter gone"],
)
def test_what_a_call_set_is_read_from_the_version_that_it_made(
    monkeypatch: pytest.MonkeyPatch, newest: ParameterVersion | None, made: ParameterVersion | None, told_as: str
) -> None:
    def read(_client: object, parameter: str, version: int | None) -> ParameterVersion:
        assert (parameter, version) in {("/leastwise/mode", None), ("/leastwise/mode", 7)}
        found = made if version else newest
        if found is None:
            raise NotFoundError("GetParameter: ParameterVersionNotFound")
        return found

    monkeypatch.setattr("services.auditor.edge.read_version", read)
    monkeypatch.setattr(clients, "ssm", lambda: None)
    detail = json.loads(CALL.read_text()) | {"eventTime": NOW.isoformat(), "responseElements": {"version": 7}}
    detail["requestParameters"]["name"] = "/leastwise/mode"
    body = envelope(detail, detail_type="AWS API Call via CloudTrail", source="aws.ssm") | {"region": "eu-west-1"}
    world = World()
    ours = recorder(world, Trail(world))
    ours.record(SQSRecord(sqs_event(json.dumps(body))["Records"][0]))
    ours.tell()
    assert [one.subject for one in world.sent] == [told_as]


def messages(*numbers: int) -> list[SQSRecord]:
    batch = sqs_event(*(domain_body(news(number)) for number in numbers))
    return [SQSRecord(record) for record in batch["Records"]]


def test_a_chain_that_takes_no_entry_silences_nobody() -> None:
    world = World()
    ours = recorder(world, Trail(world, ConflictError("audit chain: other writers won")))
    (message,) = messages(1)
    with pytest.raises(ConflictError):
        ours.record(message)
    ours.tell()
    assert [one.label for one in world.sent] == ["rejected"]


@pytest.mark.parametrize("error", [DependencyError("PutItem: Throttling"), InputError("PutItem: ValidationException")])
def test_what_fails_otherwise_is_not_told_before_it_is_recorded(error: Exception) -> None:
    world = World()
    ours = recorder(world, Trail(world, error))
    (message,) = messages(1)
    with pytest.raises(type(error)):
        ours.record(message)
    ours.tell()
    assert (world.sent, world.outbox) == ([], {})


def test_when_a_slow_table_leaves_no_time_the_rest_of_the_batch_comes_again() -> None:
    world = World()
    trail = Trail(world, seconds=9)
    ours = recorder(world, trail)
    for message in messages(1, 2, 3):
        ours.record_in_time(message)
    for message in messages(4, 5):
        with pytest.raises(DependencyError, match="comes again"):
            ours.record_in_time(message)
    assert trail.recorded == [news(number).event_id for number in (1, 2, 3)]
    ours.tell()
    assert world.sent == [], "what can't be sent in time waits in the outbox"
    assert len(world.outbox) == 3


@pytest.mark.parametrize(("left", "recorded"), [(RESERVE, 1), (RESERVE - timedelta(milliseconds=1), 0)])
def test_a_message_is_begun_while_the_reserve_is_left(left: timedelta, recorded: int) -> None:
    world = World()
    trail = Trail(world)
    ours = recorder(world, trail)
    world.now += TIME - left
    (message,) = messages(1)
    if recorded:
        ours.record_in_time(message)
    else:
        with pytest.raises(DependencyError):
            ours.record_in_time(message)
    assert len(trail.recorded) == recorded
