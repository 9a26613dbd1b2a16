"""What every test may use: no network for units, dummy credentials, the stack on moto, a Lambda context, the log."""

import base64
import functools
import io
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_socket
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient
from botocore.loaders import JSONFileLoader, Loader
from moto import mock_aws
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType

from infra.build.template import ROOT, load_template
from shared.aws import clients
from shared.aws.account_surroundings import memory
from shared.aws.dynamodb import Table
from tests.builders import ACCOUNT, envelope
from tests.work_units import WorkUnits

REGION = "us-east-1"
UNIT = Path(__file__).parent / "unit"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "leastwise",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
MAKE_API_CALL: Callable[..., Any] = vars(BaseClient)["_make_api_call"]  # the one place that all calls pass
CLIENTS = ("accessanalyzer", "cloudtrail", "config", "dynamodb", "events", "iam", "kms", "s3", "sns", "sqs", "ssm")


# Before anything is imported that reads it, as other conftest files do: no test can reach a real account.
for _name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
    os.environ.pop(_name, None)
os.environ.update(ENVIRONMENT)


def pytest_configure(config: pytest.Config) -> None:
    """Know the warnings that are none."""
    # powertools' way to say that an invocation had nothing to count
    config.addinivalue_line("filterwarnings", "ignore:No application metrics to publish:UserWarning")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WorkUnits:
    """Keep what shares something in one process."""
    return WorkUnits(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: the end-to-end tests, which run in one, wait half of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True, scope="session")
def models_read_once() -> Iterator[None]:
    """AWS's API models are found and parsed once for all tests: most of what a new client took, of which each has."""
    load_file, list_services = JSONFileLoader.load_file, Loader.list_available_services

    @functools.cache
    def load_once(path: str) -> Any:
        return load_file(JSONFileLoader(), path)

    @functools.cache
    def list_once(type_name: str) -> list[str]:
        return list_services(Loader(), type_name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _loader, file_path: load_once(file_path))
        patch.setattr(Loader, "list_available_services", lambda _loader, type_name: list_once(type_name))
        yield


@pytest.fixture(autouse=True, scope="session")
def items_answered_as_stored() -> Iterator[None]:
    """DynamoDB's values are answered as moto stores them: it looked for each of their ten types under many names."""
    write = vars(BaseJSONSerializer)["_serialize_type_structure"]

    def write_stored(self: BaseJSONSerializer, serialized: dict[str, Any], value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue":
            serialized[key] = _stored(value)
        else:
            write(self, serialized, value, shape, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseJSONSerializer, "_serialize_type_structure", write_stored)
        yield


def _stored(value: Any) -> Any:
    if isinstance(value, DynamoType):
        return {value.type: _stored(value.value)}
    if isinstance(value, dict):
        return {name: _stored(inner) for name, inner in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [_stored(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def closed_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Unit tests have no network."""
    if not request.path.is_relative_to(UNIT):
        yield
        return
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture
def fresh_clients() -> Iterator[None]:
    """Forget the clients that warm functions keep, before and after."""
    _forget_clients()
    yield
    _forget_clients()


def _forget_clients() -> None:
    for name in CLIENTS:
        getattr(clients, name).cache_clear()


class FakeContext(LambdaContext):
    """What the Lambda runtime says of an invocation."""

    def __init__(self) -> None:
        self._function_name = "function"
        self._function_version = "$LATEST"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"
        self._aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Plenty."""
        return 30_000


@pytest.fixture
def context() -> LambdaContext:
    """A Lambda context."""
    return FakeContext()


class LogLines:
    """What was logged since the test began, as CloudWatch Logs would get it."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        """Everything, as written."""
        return self._stream.getvalue()

    def entries(self, message: str) -> list[dict[str, Any]]:
        """The structured entries with this message."""
        lines = map(json.loads, self.text.splitlines())
        return [line for line in lines if line["message"] == message]


@pytest.fixture
def log() -> Iterator[LogLines]:
    """The services' log."""
    from shared.observability import logger  # noqa: PLC0415 after the environment above, which it reads

    handler = logger.registered_handler
    assert hasattr(handler, "setStream")
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield LogLines(stream)
    handler.setStream(before)


@dataclass(frozen=True)
class Stack:
    """The stack's resources on moto, with the keys and indexes of the real templates; events and messages by queue."""

    usage_table: str
    scores_table: str
    journal_table: str
    audit_table: str
    notifications_table: str
    anchor_bucket: str
    event_bus: str
    evaluator_queue_url: str
    topic_arn: str
    topic_queue_url: str  # is subscribed to the topic
    mode_parameter: str
    safeguards_parameter: str
    _put: list[dict[str, Any]]  # entries of PutEvents, in order

    def table(self, name: str) -> Table:
        """One of the tables, as the adapters see it."""
        return Table(clients.dynamodb(), name)

    def published(self) -> list[dict[str, Any]]:
        """Events put on the bus since the last look, as rules deliver them."""
        entries, self._put[:] = list(self._put), []
        return [
            envelope(json.loads(entry["Detail"]), detail_type=entry["DetailType"], source=entry["Source"])
            for entry in entries
            if entry["EventBusName"] == self.event_bus
        ]

    def told(self, event_type: str) -> list[dict[str, Any]]:
        """Details of the events of one type put on the bus since the last look."""
        return [event["detail"] for event in self.published() if event["detail-type"] == event_type]

    def notified(self) -> list[dict[str, Any]]:
        """Notifications sent since the last look, as SNS delivers them to a queue."""
        return [json.loads(body) for body in self.take(self.topic_queue_url)]

    def take(self, queue_url: str) -> list[str]:
        """Bodies of all messages of a queue, which is empty after it."""
        sqs, bodies = clients.sqs(), []
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def delayed(self) -> int:
        """How many messages wait in the evaluator's queue for their time."""
        answer = clients.sqs().get_queue_attributes(QueueUrl=self.evaluator_queue_url, AttributeNames=["All"])
        return int(answer["Attributes"]["ApproximateNumberOfMessagesDelayed"])


@pytest.fixture
def aws(fresh_clients: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack on moto, and the settings of every handler that point to it."""
    memory.cache_clear()
    monkeypatch.setattr("moto.iam.models.random_resource_id", _user_id)
    with mock_aws():
        stack = _build_stack()
        for name, value in _settings(stack).items():
            monkeypatch.setenv(f"LEASTWISE_{name}", value)
        yield stack


def _user_id(size: int = 20) -> str:
    """An id as IAM gives it to users, which moto's have no likeness to."""
    return "AIDA" + uuid.uuid4().hex.upper()[: size - 4]


def _settings(stack: Stack) -> dict[str, str]:
    return {
        "ACCOUNT_ID": ACCOUNT,
        "STACK_NAME": "leastwise",
        "USAGE_TABLE": stack.usage_table,
        "SCORES_TABLE": stack.scores_table,
        "JOURNAL_TABLE": stack.journal_table,
        "AUDIT_TABLE": stack.audit_table,
        "NOTIFICATIONS_TABLE": stack.notifications_table,
        "ANCHOR_BUCKET": stack.anchor_bucket,
        "NOTIFICATION_BURST": "5",
        "SIGNING_KEY_ID": "",
        "EVENT_BUS": stack.event_bus,
        "EVALUATOR_QUEUE_URL": stack.evaluator_queue_url,
        "TOPIC_ARN": stack.topic_arn,
        "MODE_PARAMETER": stack.mode_parameter,
        "SAFEGUARDS_PARAMETER": stack.safeguards_parameter,
        "CONFIG_RULE_NAME": "leastwise-pci",
        "RETENTION_DAYS": "400",
        "WINDOW_DAYS": "90",
        "INVENTORY_SOURCE": "none",
        "PROVIDER": "native",
        "PROVIDER_SECRET_ARN": "",
        "SWEEP_SCHEDULE": "rate(6 hours)",
        "THRESHOLD": "60",
        "SCORE_MAX_AGE_HOURS": "48",
        "REEVALUATION_DELAY_SECONDS": "60",
        "TRAIL_LOG_ACCOUNTS": "own",
        "TRAIL_LOG_BUCKET": "trail",
        "TRAIL_LOG_BUCKET_ACCOUNT_ID": ACCOUNT,
    }


@functools.cache
def _tables() -> dict[str, dict[str, Any]]:
    """What the tables of the template are made with, by name."""
    resources = load_template(ROOT / "infra" / "sam" / "data.yaml")["Resources"]
    names = ("UsageTable", "ScoresTable", "JournalTable", "AuditTable", "NotificationsTable")
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    found = {name: resources[name]["Properties"] for name in names}
    return {name: {key: own[key] for key in keys if key in own} for name, own in found.items()}


def _build_stack() -> Stack:
    for name, properties in _tables().items():
        clients.dynamodb().create_table(TableName=name, **properties)
    clients.events().create_event_bus(Name="leastwise")
    put: list[dict[str, Any]] = []
    # moto needs an optional package to deliver to a rule's targets, so what is put is noted on its way
    clients.events().meta.events.register("provide-client-params.events.PutEvents", partial(_note_entries, put))
    topic_arn, topic_queue = clients.sns().create_topic(Name="security")["TopicArn"], _queue("security")
    clients.sns().subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=_queue_arn(topic_queue))
    clients.ssm().put_parameter(Name="/leastwise/mode", Value="observe", Type="String")
    clients.s3().create_bucket(Bucket="anchors", ObjectLockEnabledForBucket=True)  # which makes it versioned, too
    return Stack(
        usage_table="UsageTable",
        scores_table="ScoresTable",
        journal_table="JournalTable",
        audit_table="AuditTable",
        notifications_table="NotificationsTable",
        anchor_bucket="anchors",
        event_bus="leastwise",
        evaluator_queue_url=_queue("evaluator"),
        topic_arn=topic_arn,
        topic_queue_url=topic_queue,
        mode_parameter="/leastwise/mode",
        safeguards_parameter="/leastwise/safeguards",
        _put=put,
    )


def _note_entries(put: list[dict[str, Any]], params: dict[str, Any], **_: Any) -> None:
    put.extend(params["Entries"])


def _queue(name: str) -> str:
    return clients.sqs().create_queue(QueueName=name)["QueueUrl"]


def _queue_arn(url: str) -> str:
    return clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def atomic_calls(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """One AWS call at a time, as the services themselves order them: moto does not lock, and threads would tear it."""
    lock = threading.Lock()

    def locked(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        with lock:
            return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", locked)


def in_threads(*calls: Callable[[], object]) -> None:
    """Run the calls at the same time; raises what any of them raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(run, call) for call in calls]:
            future.result()
