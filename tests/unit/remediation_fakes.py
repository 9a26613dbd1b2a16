"""A strict little IAM, journal and clock in memory, for tests of the remediator's saga, with faults to inject."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.remediator.fingerprint import canonical, fingerprint, take_snapshot
from services.remediator.saga import Saga
from services.remediator.steps import boundary_arn, is_ours
from shared.errors import ConflictError, DeniedError, DependencyError, NotFoundError, SafetyError
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.plan import (
    Plan,
    PlannedPolicy,
    PlanRecord,
    PlanStatus,
    Proofs,
    Reason,
    Step,
    StepKind,
    Strategy,
)
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicyKind, PolicySource

T = TypeVar("T")

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
ACCOUNT = "111122223333"
USER = IdentityRef(account_id=ACCOUNT, identity_id="AIDAEXAMPLE0001", arn=f"arn:aws:iam::{ACCOUNT}:user/team/alice")
NAMESAKE = USER.model_copy(update={"identity_id": "AIDAEXAMPLE0002"})
FOREIGN = f"arn:aws:iam::{ACCOUNT}:policy/limits"
FORMER = f"arn:aws:iam::{ACCOUNT}:policy/leastwise/aaaaaaaaaaaaaaaa"

Document = dict[str, Any]


def allow(*actions: str) -> Document:
    """A document that allows actions on everything."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}],
    }


def actions_of(document: Document) -> frozenset[str]:
    """What a document of `allow` allows."""
    return frozenset(document["Statement"][0]["Action"])


HELD = frozenset({"s3:GetObject", "s3:PutObject", "ec2:RunInstances", "iam:PassRole"})
KEPT = frozenset({"s3:GetObject", "s3:PutObject"})
FORMER_LIMIT = KEPT | {"ec2:RunInstances"}


class Crash(BaseException):
    """The function was killed."""


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: datetime = START

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """What IAM really holds: one user by name, and the managed policies."""

    ref: IdentityRef | None = USER
    inline: dict[str, Document] = field(default_factory=lambda: {"own": allow(*HELD)})
    boundary: str | None = None
    managed: dict[str, Document] = field(default_factory=lambda: {FOREIGN: allow("s3:GetObject")})

    def detail(self, now: datetime) -> IdentityDetail:
        """The user as IAM tells."""
        assert self.ref is not None
        boundary = None
        if self.boundary:
            source = PolicySource(PolicyKind.MANAGED, self.boundary.rsplit("/", 1)[-1], self.boundary)
            boundary = Policy(source=source, document=self.managed[self.boundary])
        return IdentityDetail(
            ref=self.ref,
            created_at=START - timedelta(days=400),
            read_at=now,
            policies=tuple(
                Policy(source=PolicySource(PolicyKind.INLINE, name), document=document)
                for name, document in self.inline.items()
            ),
            boundary=boundary,
        )

    def effective(self) -> frozenset[str]:
        """What the user can do."""
        held = frozenset[str]().union(*(actions_of(document) for document in self.inline.values()))
        return held & actions_of(self.managed[self.boundary]) if self.boundary else held


@dataclass
class Fault:
    """One fault, at the call with this number: before it is made, after it, or instead of it."""

    at: int = -1
    before: Callable[["Lab"], None] = lambda lab: None
    after: Callable[["Lab"], None] = lambda lab: None
    only: frozenset[str] = frozenset({"read", "iam", "journal"})
    hit: bool = False


class Lab:
    """One user under remediation. It fits the saga's ports; every call is numbered, logged and may meet the fault."""

    def __init__(self, fault: Fault | None = None, world: World | None = None) -> None:
        self.fault = fault or Fault()
        self.world = world or World()
        self.clock = Clock()
        self.calls: list[str] = []
        self.mutations: list[str] = []
        self.records: dict[str, PlanRecord] = {}
        self.steps: dict[int, tuple[str, str]] = {}
        self.stale: list[IdentityDetail] = []
        self.token = 0
        self.on_change: Callable[[Lab, Step], None] = lambda lab, step: None
        self.remaining = 300.0
        self.off = False
        self.refusal: Reason | None = None

    # -- Reads

    def verified(self, ref: IdentityRef, *, now: datetime) -> IdentityDetail:
        """Read the user, as late as IAM shows it."""
        return self._call("read", "read", lambda: self._read(ref, now))

    def _read(self, ref: IdentityRef, now: datetime) -> IdentityDetail:
        if self.stale:
            return self.stale.pop()
        if self.world.ref is None or self.world.ref.identity_id != ref.identity_id:
            raise NotFoundError(f"{ref.arn} is gone")
        return self.world.detail(now)

    # -- Changes

    def perform(self, identity: IdentityRef, step: Step, *, plan_id: str) -> bool:
        """Make one call to IAM."""
        return self._call("iam", str(step.kind), lambda: self._perform(step))

    def _perform(self, step: Step) -> bool:
        assert is_ours(step.policy_arn), "only policies of our own"
        intents = [kind for kind, outcome in self.steps.values() if not outcome]
        assert str(step.kind) in intents, "I10: no call without its intent on paper"
        match step.kind:
            case StepKind.CREATE_POLICY:
                assert step.policy is not None
                found = self.world.managed.setdefault(step.policy_arn, step.policy.document)
                if canonical(found) != canonical(step.policy.document):
                    raise SafetyError(f"{step.policy_arn} exists with another document")
            case StepKind.PUT_BOUNDARY:
                if self.world.ref is None or step.policy_arn not in self.world.managed:
                    raise NotFoundError("no such user or policy")
                self.world.boundary = step.policy_arn
            case StepKind.DELETE_BOUNDARY:
                if self.world.boundary is None or self.world.ref is None:
                    raise NotFoundError("no such user or boundary")
                if not is_ours(self.world.boundary):
                    raise DeniedError("the remediator's role may not touch boundaries of others")
                self.world.boundary = None
            case StepKind.DELETE_POLICY:
                if self.world.boundary == step.policy_arn and self.world.ref is not None:
                    return False
                self.world.managed.pop(step.policy_arn, None)
        self.mutations.append(str(step.kind))
        self.on_change(self, step)
        return True

    # -- Writes

    def save(self, record: PlanRecord) -> PlanRecord:
        """Write the record, if nobody else did in between."""
        return self._call("journal", f"save {record.status}", lambda: self._save(record))

    def _save(self, record: PlanRecord) -> PlanRecord:
        known = self.records.get(record.plan.plan_id)
        if (known.version if known else 0) != record.version:
            raise ConflictError("somebody else wrote in between")
        saved = record.model_copy(update={"version": record.version + 1})
        self.records[record.plan.plan_id] = PlanRecord.model_validate_json(saved.model_dump_json())
        return saved

    def intend(self, plan: Plan, number: int, step: Step, *, token: int, now: datetime) -> None:
        """Write a call down before it is made."""
        self._call("journal", f"intend {step.kind}", lambda: self._put_step(number, step, token, ""))

    def note(self, plan: Plan, number: int, step: Step, outcome: str, *, token: int, now: datetime) -> None:
        """Write down how a call ended."""
        self._call("journal", f"note {step.kind}", lambda: self._put_step(number, step, token, outcome))

    def _put_step(self, number: int, step: Step, token: int, outcome: str) -> None:
        if token != self.token:
            raise ConflictError("the lock is somebody else's by now")
        self.steps[number] = (str(step.kind), outcome)

    # -- the laboratory

    def _call(self, port: str, name: str, make: Callable[[], T]) -> T:
        fault = self.fault if len(self.calls) == self.fault.at and port in self.fault.only else None
        self.calls.append(name)
        if fault is None:
            return make()
        fault.hit = True
        fault.before(self)
        result = make()
        fault.after(self)
        return result

    def saga(self) -> Saga:
        """A worker with the lock of the identity, as a new delivery makes one."""
        self.token += 1
        return Saga(
            reads=self,
            changes=self,
            journal=self,
            clock=self.clock,
            sleep=self.clock.sleep,
            remaining_seconds=lambda: self.remaining,
            halted=lambda: self.off,
            protection=lambda detail: self.refusal,
            dwell_seconds=10.0,
            token=self.token,
        )

    def record(self) -> PlanRecord:
        """Propose the plan that keeps KEPT, as the journal has it before it is applied."""
        record = proposed(self.world.detail(self.clock()))
        self.records[record.plan.plan_id] = record
        return record

    def deliver(self, plan_id: str) -> bool:
        """One delivery, resuming what the journal says is under way; False where it failed and comes again."""
        record = self.records[plan_id]
        try:
            if record.status is PlanStatus.ROLLING_BACK and record.reason:
                self.saga().roll_back(record, record.reason)
            elif record.status in {PlanStatus.PROPOSED, PlanStatus.APPLYING}:
                self.saga().apply(record)
        except (Crash, DependencyError):
            self.clock.sleep(1800)  # the visibility timeout
            return False
        return True


def proposed(detail: IdentityDetail, *, keep: frozenset[str] = KEPT, plan_id: str = "0123456789abcdef") -> PlanRecord:
    """A plan for `detail` that is version 1 in the journal."""
    plan = Plan(
        plan_id=plan_id,
        identity=detail.ref,
        strategy=Strategy.BOUNDARY,
        fingerprint=fingerprint(detail),
        policies=(PlannedPolicy(name=plan_id, document=allow(*keep)),),
        removes=tuple(sorted(HELD - keep)),
        keeps=tuple(sorted(keep)),
        proofs=Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=2),
        pci_before=90,
        pci_after=10,
        coverage=CoverageSummary(window_days=90, observed_days=60),
        created_at=START,
        expires_at=START + timedelta(days=1),
    )
    snapshot = take_snapshot(detail)
    return PlanRecord(
        plan=plan, snapshot=snapshot, status=PlanStatus.PROPOSED, trigger="test", updated_at=START, version=1
    )


def own_arn(record: PlanRecord) -> str:
    """ARN of the plan's policy."""
    return boundary_arn(record.plan)
