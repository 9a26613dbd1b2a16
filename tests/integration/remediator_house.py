"""The account on moto that the remediator's handlers are tried on: one role that holds much and uses little."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.handler import handle_request, handle_verdicts
from services.remediator.settings import RemediationSettings
from services.remediator.watching.edge import Restoration
from services.remediator.wiring.edge import Wiring
from services.remediator.working.edge import Outcome
from shared.aws import clients
from shared.aws.journal import Journal
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DependencyError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, PlanRecord, Verdict
from shared.model.resources import ANY_RESOURCE
from shared.model.score import StoredScore
from shared.model.spending import Spending
from shared.model.usage import Coverage, Evidence, IdentityKey, Span, Usage, UsageEntry
from tests.builders import ACCOUNT, a_score, envelope, failed, sqs_event
from tests.conftest import Stack

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:*", "sqs:*", "lambda:*"], "Resource": "*"}],
}
TRUST = {"Version": "2012-10-17", "Statement": []}
USED = ("iam:GetUser", "lambda:ListFunctions")
MUTATING = ("Create", "Put", "Delete", "Attach", "Detach", "Update", "Add", "Remove", "Set", "Tag", "Untag")
SAFEGUARDS = "/leastwise/safeguards"
SETTINGS = {
    "STRATEGY": "boundary",
    "PROVIDER": "native",
    "PROVIDER_SECRET_ARN": "",
    "MIN_OBSERVED_DAYS": "2",
    "PLAN_TTL_HOURS": "24",
    "DWELL_SECONDS": "0",
    "SAFEGUARDS_PARAMETER": SAFEGUARDS,
    "RESOURCE_SCOPE": "keep",
    "PRESERVE_READS": "false",
    "GRACE_DAYS": "0",
    "NOTICE_HOURS": "0",
    "SOAK_DAYS": "14",
    "ON_REGRET": "alert",
    "MAX_CHANGES_PER_HOUR": "25",
    "MAX_CHANGED_PERCENT": "100",
    "ACCESS_ANALYZER": "false",
    "MAY_RESTORE": "false",
}

# a message beside the one in question, about which there is nothing to do: a batch fails in part, never as a whole
GOOD = json.dumps(
    envelope(
        {"resourceType": "AWS::S3::Bucket", "resourceId": "b", "newEvaluationResult": {"complianceType": "COMPLIANT"}},
        detail_type="Config Rules Compliance Change",
    )
)


@dataclass
class House:
    """The account on moto with one role, and every call that was made to IAM."""

    stack: Stack
    context: LambdaContext
    role: IdentityRef
    calls: list[str] = field(default_factory=list)
    ahead: timedelta = timedelta(0)  # how far the remediator's clock is ahead of the machine's
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The remediator's time."""
        return datetime.now(UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        """Take no time, but note it."""
        self.slept.append(seconds)

    @property
    def changes(self) -> list[str]:
        """Calls that change IAM, in order."""
        return [call for call in self.calls if call.startswith(MUTATING)]

    @property
    def journal(self) -> Journal:
        """The journal."""
        return Journal(self.stack.table(self.stack.journal_table))

    @property
    def boundary(self) -> str | None:
        """ARN of the role's permissions boundary."""
        found = clients.iam().get_role(RoleName=self.role.name)["Role"]
        return found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    def own_policies(self) -> list[str]:
        """ARNs of the policies under our path."""
        return [one["Arn"] for one in clients.iam().list_policies(Scope="Local", PathPrefix="/leastwise/")["Policies"]]

    def mode(self, value: str) -> None:
        """Set the mode parameter."""
        clients.ssm().put_parameter(Name=self.stack.mode_parameter, Value=value, Type="String", Overwrite=True)

    def score(self, pci: float = 90.0, *, age: timedelta = timedelta(0), present: bool = True) -> None:
        """Store the role's current score."""
        table = ScoreTable(self.stack.table(self.stack.scores_table))
        known = table.get(ACCOUNT, self.role.identity_id)
        score = a_score(pci, identity=self.role, scored_at=datetime.now(UTC) - age)
        table.put(StoredScore(score, known.version if known else 0, present=present))

    def judge(self, *compliances: str) -> None:
        """Store verdicts on others, one each."""
        table, now = ScoreTable(self.stack.table(self.stack.scores_table)), datetime.now(UTC)
        for number, compliance in enumerate(compliances):
            other = self.role.model_copy(update={"identity_id": f"AROAOTHER{number:012d}"})
            table.put_verdict(
                Verdict(
                    identity=other,
                    compliance=Compliance(compliance),
                    pci=90.0,
                    threshold=60.0,
                    annotation="",
                    scored_at=now,
                    judged_at=now,
                )
            )

    def use(self, *actions: str, at: datetime | None = None) -> None:
        """Note uses in the ledger, seen now."""
        now = at or datetime.now(UTC)
        entries = {
            name.lower(): UsageEntry(name, {Evidence.OBSERVED: Span(now, now)}, ANY_RESOURCE) for name in actions
        }
        ledger = UsageLedger(self.stack.table(self.stack.usage_table))
        ledger.merge({IdentityKey(ACCOUNT, self.role.identity_id): Usage(self.role.identity_id, entries)})
        days = [(now - timedelta(days=back)).date() for back in range(2)]
        ledger.merge_coverage(ACCOUNT, Coverage.of(days, regions=["us-east-1"], feeds=["eventbridge"]))

    def verdict(self, compliance: str = "NON_COMPLIANT", **changes: Any) -> list[str]:
        """Deliver AWS Config's compliance change; returns the messages that go back."""
        detail = {
            "resourceId": self.role.identity_id,
            "resourceType": "AWS::IAM::Role",
            "configRuleName": "leastwise-privilege-creep",
            "newEvaluationResult": {"complianceType": compliance},
        } | changes
        kind = "Config Rules Compliance Change"
        return self.deliver(json.dumps(envelope(detail, detail_type=kind, source="aws.config")))

    def deliver(self, body: str) -> list[str]:
        """Deliver one message; returns the messages that go back, also where every one does."""
        return failed(handle_verdicts(sqs_event(body, GOOD), self.context))

    def ask(self, action: str, **what: str) -> dict[str, str]:
        """Ask as the SSM document or the command does."""
        return dict(handle_request({"action": action, "trigger": "ssm", **what}, self.context))

    def told(self) -> list[str]:
        """Types of the events since the last look."""
        return [event["detail-type"] for event in self.stack.published()]

    def skipped(self) -> list[str]:
        """Codes of the skips told since the last look."""
        return [detail["code"] for detail in self.stack.told("RemediationSkipped")]

    def applied_plan(self) -> str:
        """Have a plan applied; its id."""
        self.mode("auto")
        self.verdict()
        assert self.boundary
        self.told()
        self.calls.clear()
        return self.plan_id()

    def plan_id(self) -> str:
        """Id of the role's latest plan."""
        current = self.journal.current(self.role)
        assert current
        return current.plan_id

    def record(self) -> PlanRecord:
        """The role's latest plan, as it is in the journal."""
        record = self.journal.get(self.plan_id())
        assert record
        return record

    def safeguards(self, **what: Any) -> None:
        """Set the team's safeguards."""
        clients.ssm().put_parameter(Name=SAFEGUARDS, Value=json.dumps(what), Type="String", Overwrite=True)

    def tag(self, **tags: str) -> None:
        """Tag the role, as somebody else would."""
        for name, value in tags.items():
            key = f"leastwise:{name.replace('_', '-')}"
            clients.iam().tag_role(RoleName=self.role.name, Tags=[{"Key": key, "Value": value}])
        self.calls.clear()

    def take_back(self, plan_id: str) -> Outcome:
        """Have a plan taken back by the function that gives back, because a person asked."""
        settings = RemediationSettings.load().model_copy(update={"may_restore": True})
        return Restoration(Wiring.of(settings, self.context), cause="a request").roll_back(plan_id, by="ana")

    def spent(self) -> Spending:
        """What was begun, and what failed, of late."""
        seen: list[Spending] = []

        def look(spending: Spending) -> str:
            seen.append(spending)
            return "only looking"

        self.journal.spend(ACCOUNT, now=self.now(), refusal=look)
        return seen[0]

    @contextmanager
    def at_call(self, name: str, act: Callable[[], object], *, before: bool = False) -> Iterator[None]:
        """Meanwhile, have something happen at each call of this name to IAM: after it, or before it."""
        hook = f"{'before' if before else 'after'}-call.iam.{name}"
        handler = _ignoring(act)
        clients.iam().meta.events.register(hook, handler)
        yield
        clients.iam().meta.events.unregister(hook, handler)


def _ignoring(act: Callable[[], object]) -> Callable[..., None]:
    def handler(**_: object) -> None:
        act()

    return handler


def killed(*_: object) -> None:
    """What a caller sees of a function that was killed."""
    raise DependencyError("the function was killed")
