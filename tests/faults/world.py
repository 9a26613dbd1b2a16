"""One run's world: an account of some shape, people, leastwise, and its queues; it can be copied at any moment."""

import copy
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from services.remediator import handler
from services.remediator.reconciling.handler import handle_schedule
from services.remediator.watching import handler as giving_back
from shared.aws.dynamodb import Table
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import LeastwiseError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.resources import ANY_RESOURCE
from shared.model.score import StoredScore
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry
from tests.builders import ACCOUNT, a_score, a_verdict, envelope, sqs_event
from tests.fake_aws.clock import START
from tests.fake_aws.cloud import FakeCloud
from tests.fake_aws.others import FakeQueue
from tests.faults import shapes
from tests.faults.oracle import Probe
from tests.faults.people import Facets, People, prepare
from tests.faults.shapes import Shape
from tests.faults.stack import Invocation, Plug, create_tables


class Crash(BaseException):
    """The function was killed: nothing of it runs any more, not even what should always run."""


class Proposed(NamedTuple):
    """What an identity was when a plan was put on paper; `number` is that call's."""

    number: int
    facets: Facets
    could: frozenset[Probe]


@dataclass
class World:
    """What there is, and who acts in it. `restoring` says which of leastwise's two roles is at work just now."""

    shape: Shape
    strategy: str
    cloud: FakeCloud
    people: People
    identity: IdentityRef
    remediations: FakeQueue
    restorations: FakeQueue
    invocations: int = 0
    restoring: bool = False
    published: int = 0
    raised: list[str] = field(default_factory=list)
    invocation: Invocation | None = None
    proposed: dict[str, Proposed] = field(default_factory=dict)
    plug: Plug | None = None
    begin: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, shape: Shape, strategy: str) -> "World":
        """A world before anything happened."""
        cloud = FakeCloud(account_id=ACCOUNT)
        create_tables(cloud)
        built = shapes.build(shape, cloud.clock)
        prepare(built)
        built.past = built.past[-1:]
        cloud.iam_backend = built
        shadow = copy.copy(built)
        shadow.past = list(built.past)
        entity = built.state.entities[shape.kind, shape.identity]
        identity = IdentityRef(account_id=ACCOUNT, identity_id=entity.unique_id, arn=entity.arn)
        people = People(shape, built, shadow)
        queues = FakeQueue(cloud.clock), FakeQueue(cloud.clock)
        world = cls(shape, strategy, cloud, people, identity, *queues)
        world.use(*shape.used, at=START - timedelta(hours=30))
        if shape.has_former:
            world.use(shapes.FORMERLY_USED, at=START - timedelta(days=80))
            built.services["kms"] = START - timedelta(days=80)
        world.score()
        return world

    def copy(self) -> "World":
        """A world of its own in the same state. What the fake keeps is replaced and never changed, so it is shared."""
        cloud = FakeCloud(account_id=ACCOUNT)
        cloud.clock.now, cloud.clock._slept = self.cloud.clock.now, self.cloud.clock._slept  # noqa: SLF001 a clock of its own
        account, shadow = _copied(self.people.account, cloud), _copied(self.people.shadow, cloud)
        cloud.iam_backend = account
        cloud.dynamodb_backend = copy.copy(self.cloud.dynamodb_backend)
        cloud.dynamodb_backend.tables = {
            name: dict(items) for name, items in self.cloud.dynamodb_backend.tables.items()
        }
        cloud.ssm_backend.parameters = dict(self.cloud.ssm_backend.parameters)
        cloud.events_backend.buses = set(self.cloud.events_backend.buses)
        cloud.events_backend.entries = list(self.cloud.events_backend.entries)
        queues = (self.remediations.copy(cloud.clock), self.restorations.copy(cloud.clock))
        people = People(self.shape, account, shadow, dict(self.people.pinned))
        made = World(self.shape, self.strategy, cloud, people, self.identity, *queues)
        made.invocations, made.published = self.invocations, self.published
        made.proposed = {key: plan._replace(number=-1) for key, plan in self.proposed.items()}
        return made

    # -- what is known of the identity

    def use(self, *actions: str, at: Any) -> None:
        """Note uses in the ledger, and that the trail was seen on each of the last 100 days."""
        table = Table(self.cloud.dynamodb(), "UsageTable")  # type: ignore[arg-type]
        ledger = UsageLedger(table)
        span = {Evidence.OBSERVED: Span(at, at)}
        entries = {name.lower(): UsageEntry(name, span, ANY_RESOURCE) for name in actions}
        identity_id = self.identity.identity_id
        ledger.merge({IdentityKey(ACCOUNT, identity_id): Usage(identity_id, entries)})
        days = [(self.cloud.clock.now - timedelta(days=back)).date() for back in range(100)]
        ledger.merge_coverage(ACCOUNT, Coverage.of(days, regions=["us-east-1"], feeds=["eventbridge"]))

    def score(self, pci: float = 90.0, *, present: bool = True) -> None:
        """Store the identity's score as of now, and the verdicts of a small account."""
        scores = ScoreTable(Table(self.cloud.dynamodb(), "ScoresTable"))  # type: ignore[arg-type]
        known = scores.get(ACCOUNT, self.identity.identity_id)
        now = self.cloud.clock.now
        score = a_score(pci, identity=self.identity, scored_at=now)
        scores.put(StoredScore(score, known.version if known else 0, present=present))
        for number in range(0 if known else 4):
            other = self.identity.model_copy(update={"identity_id": f"AIDAOTHER{number:07d}"})
            scores.put_verdict(a_verdict(Compliance.COMPLIANT, identity=other, judged_at=now, scored_at=now))

    def log_text(self) -> str:
        """What was logged in this world."""
        return self.plug.log.getvalue() if self.plug else ""

    # -- what is delivered

    def verdict(self, compliance: str = "NON_COMPLIANT", *, number: int = 1) -> str:
        """AWS Config's message about the identity."""
        detail = {
            "resourceId": self.identity.identity_id,
            "resourceType": f"AWS::IAM::{self.shape.kind.title()}",
            "configRuleName": "leastwise-privilege-creep",
            "newEvaluationResult": {"complianceType": compliance},
        }
        kind = "Config Rules Compliance Change"
        event = envelope(detail, detail_type=kind, source="aws.config")
        return json.dumps(event | {"id": f"6a7e8feb-b491-4cf7-a9f1-{number:012d}"})

    def invoke(self, function: Callable[..., Any], event: Any, *, restoring: bool = False) -> Any:
        """Run one handler as Lambda does. Raises Crash where it was killed, else what the handler raises."""
        self.invocations += 1
        self.restoring = restoring
        self.invocation = Invocation(self.cloud.clock, self.invocations)
        assert self.plug is not None
        self.plug.settle(self.cloud, STRATEGY=self.strategy, MAY_RESTORE=str(restoring).lower())
        self.begin()
        try:
            return function(event, self.invocation)
        except LeastwiseError as error:
            self.raised.append("".join(traceback.format_exception(error)))
            raise

    def restore(self, invocation: Invocation | None, *, restoring: bool) -> None:
        """Go back to an invocation that another one overtook."""
        self.invocation, self.restoring = invocation, restoring
        assert self.plug is not None
        self.plug.settle(self.cloud, STRATEGY=self.strategy, MAY_RESTORE=str(restoring).lower())

    def deliver(self, body: str, *, restoring: bool = False) -> bool:
        """Deliver one message; False where it goes back to its queue, as a batch does of which every message failed."""
        function = giving_back.handle_restorations if restoring else handler.handle_verdicts
        try:
            self.invoke(function, sqs_event(body), restoring=restoring)
        except Crash:
            return False
        except BatchProcessingError as error:
            self.raised.append(str(error))
            return False
        return True

    def route(self) -> None:
        """Bring what was published to the queues that the rules of the stack bring it to."""
        entries = self.cloud.events_backend.entries[self.published :]
        self.published += len(entries)
        for entry in entries:
            detail = json.loads(entry["Detail"])
            body = json.dumps(envelope(detail, detail_type=entry["DetailType"], source=entry["Source"]))
            if entry["DetailType"] == "PlanDue":
                self.remediations.send(body)
            if entry["DetailType"] == "RestorationDue":
                self.restorations.send(body)

    def enter(self, plug: Plug) -> "World":
        """Make this the world that leastwise runs in, with a log of its own."""
        self.plug = plug
        plug.into(self.cloud)
        return self

    def converge(self) -> int:
        """Deliver what the queues hold until they are empty, with their time-outs; returns the deliveries it took."""
        deliveries = 0
        while True:
            self.route()
            progress = False
            for queue, restoring in ((self.remediations, False), (self.restorations, True)):
                while message := queue.receive():
                    progress = True
                    deliveries += 1
                    if self.deliver(message.body, restoring=restoring):
                        queue.delete(message)
                    self.route()
            waits = [at for queue in (self.remediations, self.restorations) if (at := queue.next_at())]
            if not waits:
                return deliveries
            if not progress:
                wait = (min(waits) - self.cloud.clock.now).total_seconds()
                self.cloud.clock.sleep(max(wait, 1.0))


def _copied(iam: Any, cloud: FakeCloud) -> Any:
    made = copy.copy(iam)
    made.clock, made.past = cloud.clock, list(iam.past)
    made._jobs = dict(iam._jobs)  # noqa: SLF001 a copy of the fake's own
    return made


def sweep(world: World) -> None:
    """One run of the reconciler."""
    world.invoke(handle_schedule, {})


def ask(world: World, action: str, **what: Any) -> dict[str, Any]:
    """A person's request to the function that takes away or, to roll back or restore, to the one that gives back."""
    restoring = action in {"rollback", "restore"}
    function = giving_back.handle_request if restoring else handler.handle_request
    return dict(world.invoke(function, {"action": action, **what}, restoring=restoring))
