"""Whatever is lost, late or repeated: in the end AWS Config shows the verdict that was told, and the one stored."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.evaluator.core import REEVALUATE
from services.evaluator.handler import handle_config_rule, handle_scores
from shared.aws.reevaluations import Reevaluations
from shared.aws.score_table import ScoreTable
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.score import StoredScore
from tests.builders import ACCOUNT, NOW, a_score, domain_body, every_event, scored, sqs_event
from tests.conftest import Stack
from tests.integration.config_stand_in import Config, install

SWEPT = next(domain_body(event) for event in every_event() if event.type_name() == "AccountScored")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("score"), st.sampled_from([10.0, 57.9, 58.0, 59.9, 60.0, 61.0, 99.0])),
        st.tuples(
            st.sampled_from(["deliver", "ask", "answer", "answer newest", "look", "busy", "sweep"]), st.just(0.0)
        ),
        st.tuples(st.just("threshold"), st.sampled_from([50.0, 60.0, 70.0])),
    ),
    min_size=1,
    max_size=14,
)


KNOWN = [("score", 59.9), ("deliver", 0.0), ("look", 0.0), ("answer", 0.0)]
LEARNT_FIRST = [*KNOWN, ("score", 60.0), ("ask", 0.0), ("answer", 0.0), ("score", 59.9)]
OUTRANKED = [("ask", 0.0), ("ask", 0.0), ("answer newest", 0.0), ("score", 99.0), ("answer", 0.0)]
BUSY = [("ask", 0.0), ("answer", 0.0), ("score", 99.0), ("deliver", 0.0), ("busy", 0.0), ("look", 0.0)]


@dataclass
class World:
    """One identity, the evaluator and AWS Config; every step takes a second."""

    aws: Stack
    config: Config
    scores: ScoreTable
    context: LambdaContext
    set_clock: Callable[[datetime], None]
    set_threshold: Callable[[float], None]
    who: IdentityRef
    now: datetime
    messages: list[str]
    asked: list[datetime] = field(default_factory=list)
    told: str | None = None

    def step(self, name: str, value: float) -> None:
        """Let one thing happen."""
        self.now += timedelta(seconds=1)
        self.set_clock(self.now)
        if name == "score":
            self.score(value)
        elif name == "threshold":
            self.set_threshold(value)
        elif name == "deliver":
            self.deliver(domain_body(scored().model_copy(update={"identity": self.who})))
        elif name == "ask":
            self.asked.append(self.now)
        elif name.startswith("answer"):
            self.answer(-1 if name == "answer newest" else 0)
        elif name == "look":
            self.look()
        elif name == "busy":
            self.config.errors.append("LimitExceededException")
        else:
            self.deliver(SWEPT)
        self.listen()

    def deliver(self, body: str) -> None:
        """Deliver a message of its own id."""
        batch = sqs_event(body)
        batch["Records"][0]["messageId"] = f"{self.now:%H:%M:%S}"
        handle_scores(batch, self.context)

    def score(self, pci: float) -> None:
        """Store a new score; its event may come later, or never."""
        before = self.scores.get(ACCOUNT, self.who.identity_id)
        score = a_score(pci, identity=self.who, scored_at=self.now)
        self.scores.put(StoredScore(score, version=before.version if before else 0))

    def answer(self, position: int) -> None:
        """Invoke the rule for the question that waits longest, or for the newest."""
        if not self.asked:
            return
        item = {
            "resourceType": "AWS::IAM::User",
            "resourceId": self.who.identity_id,
            "ARN": self.who.arn,
            "configurationItemStatus": "OK",
        }
        content = {
            "messageType": "ConfigurationItemChangeNotification",
            "notificationCreationTime": self.asked.pop(position).isoformat(),
            "configurationItem": item,
        }
        event = {"invokingEvent": json.dumps(content), "resultToken": "token", "accountId": ACCOUNT}
        handle_config_rule(event, self.context)

    def look(self) -> None:
        """Deliver our own message, or a duplicate of it, and ask where that had AWS Config evaluate."""
        started = len(self.config.started)
        self.deliver(self.messages.pop(0) if self.messages else REEVALUATE)
        if len(self.config.started) > started:
            self.asked.append(self.now)

    def listen(self) -> None:
        """Note the last verdict that was told."""
        for event in self.aws.told("IdentityEvaluated"):
            if event["identity"]["identity_id"] == self.who.identity_id:
                self.told = event["compliance"]

    def settle(self) -> None:
        """Let everything that is under way come to its end: the last sweep, the questions, and a look that is due."""
        self.step("sweep", 0)
        while self.asked or self.messages:
            self.step("answer" if self.asked else "look", 0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=LEARNT_FIRST)
@example(steps=OUTRANKED)
@example(steps=BUSY)
def test_aws_config_shows_what_was_told_and_what_is_stored(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, float]]
) -> None:
    with monkeypatch.context() as patch:
        identity_id = f"AIDA{abs(hash(tuple(steps))):020d}"
        messages: list[str] = []
        patch.setattr("services.evaluator.edge.send_delayed", lambda *args, **_: messages.append(args[2]))
        scores = ScoreTable(aws.table(aws.scores_table))
        Reevaluations(aws.table(aws.scores_table)).close(ACCOUNT, now=NOW)
        world = World(
            aws=aws,
            config=install(patch),
            scores=scores,
            context=context,
            set_clock=lambda now: patch.setattr("services.evaluator.handler.utc_now", lambda: now),
            set_threshold=lambda threshold: patch.setenv("LEASTWISE_THRESHOLD", str(threshold)),
            who=IdentityRef(
                account_id=ACCOUNT, identity_id=identity_id, arn=f"arn:aws:iam::{ACCOUNT}:user/{identity_id}"
            ),
            now=NOW,
            messages=messages,
        )
        world.step("score", 30.0)
        for name, value in steps:
            world.step(name, value)
        world.settle()
        stored = world.scores.verdict(world.who)
        assert stored is not None
        assert world.told == stored.compliance
        shown = world.config.shown().get(identity_id)
        assert shown == (None if stored.compliance is Compliance.NOT_APPLICABLE else stored.compliance)
