"""leastwise on the fake: its settings, its tables, and the one place where its adapters are given fake clients.

Everything above the clients is the code that is deployed: the handlers, the batch loop, the adapters, the saga.
"""

import io
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import SimpleNamespace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from infra.build.template import ROOT, load_template
from services.remediator.deriving.inputs import Evidence, Knowledge, Options
from services.remediator.planning import edge as planning
from services.remediator.watching.giving_back import edge as giving_back
from services.remediator.wiring.edge import Wiring
from shared.aws import dynamodb, eventbridge, last_accessed
from shared.aws.account_surroundings import memory
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, Reason
from shared.observability import logger, metrics
from tests.builders import ACCOUNT
from tests.conftest import ENVIRONMENT
from tests.fake_aws.clock import VirtualClock
from tests.fake_aws.cloud import FakeCloud

TIMEOUT_SECONDS = 300.0
TABLES = ("UsageTable", "ScoresTable", "JournalTable")
MODE, SAFEGUARDS = "/leastwise/mode", "/leastwise/safeguards"
# what a Lambda function finds, and no way to a real account; powertools reads it when it is imported
os.environ.update(ENVIRONMENT)
SETTINGS = {
    "ACCOUNT_ID": ACCOUNT,
    "STACK_NAME": "leastwise",
    "JOURNAL_TABLE": "JournalTable",
    "SCORES_TABLE": "ScoresTable",
    "USAGE_TABLE": "UsageTable",
    "EVENT_BUS": "leastwise",
    "MODE_PARAMETER": MODE,
    "SAFEGUARDS_PARAMETER": SAFEGUARDS,
    "PROVIDER": "native",
    "PROVIDER_SECRET_ARN": "",
    "THRESHOLD": "60",
    "WINDOW_DAYS": "90",
    "MIN_OBSERVED_DAYS": "30",
    "SCORE_MAX_AGE_HOURS": "48",
    "PLAN_TTL_HOURS": "24",
    "DWELL_SECONDS": "10",
    "RESOURCE_SCOPE": "keep",
    "PRESERVE_READS": "false",
    "GRACE_DAYS": "0",
    "NOTICE_HOURS": "0",
    "SOAK_DAYS": "14",
    "ON_REGRET": "alert",
    "MAX_CHANGES_PER_HOUR": "25",
    "MAX_CHANGED_PERCENT": "100",
    "ACCESS_ANALYZER": "false",
    "INVENTORY_SOURCE": "none",
}


class Invocation(LambdaContext):
    """What the Lambda runtime says of one invocation; its time runs on the virtual clock."""

    def __init__(self, clock: VirtualClock, number: int) -> None:
        self._function_name = "function"
        self._function_version = "$LATEST"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:function"
        self._aws_request_id = f"00000000-0000-0000-0000-{number:012d}"
        self._clock = clock
        self.deadline = clock.monotonic() + TIMEOUT_SECONDS

    @property
    def time_left(self) -> float:
        """Seconds."""
        return self.deadline - self._clock.monotonic()

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # powertools makes it static
        """What is left of the timeout."""
        return int(1000 * self.time_left)


def create_tables(cloud: FakeCloud) -> None:
    """The tables with the keys and indexes of the real template, the bus, and the parameters."""
    resources = _data_template()["Resources"]
    for name in TABLES:
        properties = resources[name]["Properties"]
        keys = {key: properties[key] for key in ("KeySchema", "GlobalSecondaryIndexes") if key in properties}
        cloud.dynamodb_backend.create_table(TableName=name, **keys)
    cloud.events_backend.create_event_bus(Name="leastwise")
    cloud.ssm_backend.parameters.update({MODE: "auto", SAFEGUARDS: "{}"})


_TEMPLATE: dict[str, Any] = {}


def _data_template() -> dict[str, Any]:
    if not _TEMPLATE:
        _TEMPLATE.update(load_template(ROOT / "infra" / "sam" / "data.yaml"))
    return _TEMPLATE


class Plug:
    """Which cloud the code under test is plugged into just now."""

    def __init__(self) -> None:
        self.cloud: FakeCloud | None = None
        self.log = io.StringIO()

    def into(self, cloud: FakeCloud) -> None:
        """Plug in a cloud, and start a new log."""
        self.cloud = cloud
        self.log = io.StringIO()
        _log_to(self.log)
        memory.cache_clear()

    def settle(self, cloud: FakeCloud, **settings: str) -> None:
        """Set these settings of the function that is about to run, all others as usual."""
        self.cloud = cloud
        for name, value in settings.items():
            os.environ[f"LEASTWISE_{name}"] = value


@contextmanager
def plugged() -> Iterator[Plug]:
    """Give the adapters fake clients and the virtual clock while this lasts; standard output is quiet meanwhile."""
    plug = Plug()
    before = dict(os.environ)
    undo = [
        (Wiring, "of", vars(Wiring)["of"]),
        (planning, "derive_plan", vars(planning)["derive_plan"]),
        (giving_back, "derive_restoration", vars(giving_back)["derive_restoration"]),
        *((module, "time", vars(module)["time"]) for module in (dynamodb, eventbridge, last_accessed)),
    ]
    stream = vars(logger.registered_handler)["stream"]
    original = Wiring.of

    def of(settings: Any, context: Any, **more: Any) -> Wiring:
        assert plug.cloud is not None
        clock = plug.cloud.clock
        return original(settings, context, **{"clients": plug.cloud, "clock": clock, "sleep": clock.sleep, **more})

    def now() -> VirtualClock:
        assert plug.cloud is not None
        return plug.cloud.clock

    passing = SimpleNamespace(
        sleep=lambda seconds: now().sleep(seconds), monotonic=lambda: now().monotonic(), time=lambda: now().time()
    )
    Wiring.of = of  # type: ignore[method-assign]
    vars(planning)["derive_plan"] = remembered(vars(planning)["derive_plan"])
    vars(giving_back)["derive_restoration"] = remembered(vars(giving_back)["derive_restoration"])
    for module in (dynamodb, eventbridge, last_accessed):
        vars(module)["time"] = passing
    metrics.namespace = "leastwise"
    os.environ.update({f"LEASTWISE_{name}": value for name, value in SETTINGS.items()})
    try:
        with redirect_stdout(io.StringIO()):
            yield plug
    finally:
        for owner, name, value in undo:
            setattr(owner, name, value)
        _log_to(stream)
        os.environ.clear()
        os.environ.update(before)
        memory.cache_clear()


def _log_to(stream: Any) -> None:
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)


_PLANS: dict[str, Any] = {}
CHECKED_EACH = 50


def remembered(derive: Any) -> Any:
    """Derive each plan once in all runs: derivation is pure, and takes most of a run's time.

    Runs differ in the minute at which a plan is made, which only its two dates show; so the day is in the key, and the
    dates are set anew. One in fifty of what is remembered is derived again and compared, dates and all.
    """
    asked = itertools.count(1)

    def derive_once(*given: Any, now: Any, **more: Any) -> Any:
        day, ttl = now.date(), next(one.ttl for one in given if isinstance(one, Options))
        key = repr((derive.__name__, [_of_day(one, day) for one in given], day))
        if key not in _PLANS:
            _PLANS[key] = derive(*given, now=now, **more)
        plan = _PLANS[key]
        if not isinstance(plan, Reason):
            plan = plan.model_copy(update={"created_at": now, "expires_at": now + ttl})
        if next(asked) % CHECKED_EACH == 0:
            assert plan == derive(*given, now=now, **more)
        return plan

    return derive_once


def _of_day(given: Any, day: Any) -> Any:
    """What is derived from, without the minutes of its reading."""
    match given:
        case IdentityDetail():
            return given.model_copy(update={"read_at": day})
        case Evidence(last_accessed=told):
            tried = (told.services, told.actions) if told else ()
            return given.usage, given.peers, sorted(map(str, given.granted_since.items())), tried
        case PlanRecord():
            return given.plan.plan_id, given.snapshot.fingerprint
        case Knowledge():
            return "the knowledge of this process"
        case _:
            return given
