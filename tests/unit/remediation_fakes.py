"""A strict little IAM, journal and clock in memory, for tests of the remediator's saga, with faults to inject."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.remediator.changing.fingerprint import canonical, fingerprint, take_snapshot
from services.remediator.changing.saga import Saga
from services.remediator.changing.steps import boundary_arn, is_ours, own_arns
from shared.errors import ConflictError, DeniedError, DependencyError, NotFoundError, SafetyError
from shared.model.call_outcome import CallOutcome
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


def deny(*actions: str) -> Document:
    """A document that denies actions on everything."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": sorted(actions), "Resource": "*"}]}


def both(*documents: Document) -> Document:
    """One document with the statements of several."""
    statements = [statement for document in documents for statement in document["Statement"]]
    return {"Version": "2012-10-17", "Statement": statements}


def actions_of(document: Document, effect: str = "Allow") -> frozenset[str]:
    """What a document of `allow` and `deny` allows, or denies."""
    return frozenset(
        action for statement in document["Statement"] if statement["Effect"] == effect for action in statement["Action"]
    )


HELD = frozenset({"s3:GetObject", "s3:PutObject", "ec2:RunInstances", "iam:PassRole"})
KEPT = frozenset({"s3:GetObject", "s3:PutObject"})
FORMER_LIMIT = KEPT | {"ec2:RunInstances"}
MAX_ATTACHED = 10  # managed policies of one user (IAM's default quota)


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
class Group:
    """A group with its policies; managed ones by ARN."""

    inline: dict[str, Document] = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)


@dataclass
class World:
    """What IAM really holds: one user by name, the managed policies and the groups."""

    ref: IdentityRef | None = USER
    inline: dict[str, Document] = field(default_factory=lambda: {"own": allow(*HELD)})
    boundary: str | None = None
    managed: dict[str, Document] = field(default_factory=lambda: {FOREIGN: allow("s3:GetObject")})
    attached: set[str] = field(default_factory=set)
    groups: dict[str, Group] = field(default_factory=dict)
    member_of: set[str] = field(default_factory=set)

    def detail(self, now: datetime) -> IdentityDetail:
        """The user as IAM tells."""
        assert self.ref is not None
        return IdentityDetail(
            ref=self.ref,
            created_at=START - timedelta(days=400),
            read_at=now,
            policies=tuple(self._policies()),
            boundary=self._managed(self.boundary, PolicyKind.MANAGED) if self.boundary else None,
            groups=tuple(sorted(self.member_of)),
        )

    def _policies(self) -> Iterator[Policy]:
        for name, document in self.inline.items():
            yield Policy(source=PolicySource(PolicyKind.INLINE, name), document=document)
        for arn in self.attached:
            yield self._managed(arn, PolicyKind.MANAGED)
        for group in self.member_of:
            for name, document in self.groups[group].inline.items():
                yield Policy(source=PolicySource(PolicyKind.GROUP_INLINE, name, None, group), document=document)
            for arn in self.groups[group].attached:
                yield self._managed(arn, PolicyKind.GROUP_MANAGED, group)

    def _managed(self, arn: str, kind: PolicyKind, group: str | None = None) -> Policy:
        source = PolicySource(kind, arn.rsplit("/", 1)[-1], arn, group)
        return Policy(source=source, document=self.managed[arn])

    def effective(self) -> frozenset[str]:
        """What the user can do."""
        documents = [policy.document for policy in self._policies()]
        allowed = frozenset[str]().union(*map(actions_of, documents))
        denied = frozenset[str]().union(*(actions_of(document, "Deny") for document in documents))
        held = allowed - denied
        return held & actions_of(self.managed[self.boundary]) if self.boundary else held

    def holders(self, arn: str) -> bool:
        """Whether anybody still holds a managed policy."""
        by_user = self.ref is not None and (arn == self.boundary or arn in self.attached)
        return by_user or any(arn in group.attached for group in self.groups.values())

    def delete_user(self) -> None:
        """What a person does, who first takes everything off."""
        self.ref, self.boundary = None, None
        self.attached, self.member_of, self.inline = set(), set(), {}


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
        self.ports: list[str] = []
        self.mutations: list[str] = []
        self.records: dict[str, PlanRecord] = {}
        self.steps: dict[int, tuple[str, str]] = {}
        self.stale: list[IdentityDetail] = []
        self.token = 0
        self.on_change: Callable[[Lab, Step], None] = lambda lab, step: None
        self.remaining = 300.0
        self.off = False
        self.refusal: Reason | None = None
        self.may_restore = False
        self.intended: set[tuple[str, str]] = set()
        self.by_hand = ""
        self.disturbed_by_fault = False

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

    def perform(self, identity: IdentityRef, step: Step, *, plan_id: str) -> CallOutcome:
        """Make one call to IAM."""
        return self._call("iam", str(step.kind), lambda: self._perform(step))

    def _perform(self, step: Step) -> CallOutcome:
        intents = [kind for kind, outcome in self.steps.values() if not outcome]
        assert str(step.kind) in intents, "I10: no call without its intent on paper"
        if step.kind in {StepKind.CREATE_POLICY, StepKind.DELETE_POLICY}:
            outcome = self._perform_on_policy(step)
        elif self.world.ref is None:
            raise NotFoundError("no such user")
        elif step.kind in {StepKind.PUT_BOUNDARY, StepKind.DELETE_BOUNDARY}:
            outcome = self._perform_on_boundary(step)
        else:
            outcome = self._perform_on_policies_held(step)
        if outcome is CallOutcome.DONE:
            self.mutations.append(str(step.kind))
            self.on_change(self, step)
        return outcome

    def _perform_on_policy(self, step: Step) -> CallOutcome:
        assert is_ours(step.target), "only policies of our own"
        if step.kind is StepKind.DELETE_POLICY:
            if self.world.holders(step.target):
                return CallOutcome.IN_USE
            self.world.managed.pop(step.target, None)
            return CallOutcome.DONE
        assert step.policy is not None
        found = self.world.managed.setdefault(step.target, step.policy.document)
        if canonical(found) != canonical(step.policy.document):
            raise SafetyError(f"{step.target} exists with another document")
        return CallOutcome.DONE

    def _perform_on_boundary(self, step: Step) -> CallOutcome:
        assert is_ours(step.target), "only boundaries of our own"
        if step.kind is StepKind.PUT_BOUNDARY:
            if step.target not in self.world.managed:
                raise NotFoundError("no such policy")
            self.world.boundary = step.target
        elif not is_ours(self.world.boundary or step.target):
            raise DeniedError("the remediator's role may not touch boundaries of others")
        else:
            self.world.boundary = None
        return CallOutcome.DONE

    def _perform_on_policies_held(self, step: Step) -> CallOutcome:
        world, target = self.world, step.target
        giving = step.kind in {StepKind.ATTACH_POLICY, StepKind.PUT_INLINE, StepKind.ADD_TO_GROUP}
        assert is_ours(target) or giving == self.may_restore, (
            "who takes away doesn't give back, nor the other way round"
        )
        match step.kind:
            case StepKind.ATTACH_POLICY:
                if target not in world.managed:
                    raise NotFoundError("no such policy")
                if len(world.attached | {target}) > MAX_ATTACHED:
                    return CallOutcome.OVER_QUOTA
                world.attached.add(target)
            case StepKind.DETACH_POLICY:
                world.attached.discard(target)
            case StepKind.PUT_INLINE:
                assert step.policy is not None
                world.inline[target] = step.policy.document
            case StepKind.DELETE_INLINE:
                world.inline.pop(target, None)
            case StepKind.ADD_TO_GROUP:
                if target not in world.groups:
                    raise NotFoundError("no such group")
                world.member_of.add(target)
            case _:
                world.member_of.discard(target)
        return CallOutcome.DONE

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

    def begun(self, plan_id: str) -> frozenset[int]:
        """Numbers of the calls that were made, or perhaps made."""
        return self._call("journal", "begun", self._begun)

    def _begun(self) -> frozenset[int]:
        return frozenset(number for number, (_, outcome) in self.steps.items() if not outcome.startswith("not done"))

    def _put_step(self, number: int, step: Step, token: int, outcome: str) -> None:
        if token != self.token:
            raise ConflictError("the lock is somebody else's by now")
        self.steps[number] = (str(step.kind), outcome)
        self.intended.add((str(step.kind), step.target))

    # -- the laboratory

    def _call(self, port: str, name: str, make: Callable[[], T]) -> T:
        fault = self.fault if len(self.calls) == self.fault.at and port in self.fault.only else None
        self.calls.append(name)
        self.ports.append(port)
        if fault is None:
            return make()
        fault.hit = True
        fault.before(self)
        result = make()
        fault.after(self)
        return result

    def again(self) -> "Lab":
        """A laboratory as this one is now, in which other things can happen."""
        lab = Lab(world=copy.deepcopy(self.world))
        lab.clock.now, lab.token = self.clock.now, self.token
        lab.records, lab.steps = dict(self.records), dict(self.steps)
        return lab

    @property
    def disturbed(self) -> bool:
        """Whether somebody else changed the user."""
        return self.disturbed_by_fault and self.fault.hit

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
            may_restore=self.may_restore,
            soak=timedelta(days=14),
        )

    def record(self, strategy: Strategy = Strategy.BOUNDARY, **what: Any) -> PlanRecord:
        """Propose the plan that keeps KEPT, as the journal has it before it is applied."""
        detail = self.world.detail(self.clock())
        record = proposed(detail, **what) if strategy is Strategy.BOUNDARY else replacing(detail, **what)
        self.records[record.plan.plan_id] = record
        return record

    def deliver(self, plan_id: str) -> bool:
        """One delivery, resuming what the journal says is under way; False where it failed and comes again.

        What has to be given back is handed over to whoever may.
        """
        record = self.records[plan_id]
        self.may_restore = record.status is PlanStatus.ROLLING_BACK
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


def replacing(
    detail: IdentityDetail,
    *,
    documents: tuple[Document, ...] = (),
    stays: tuple[PolicySource, ...] = (),
    plan_id: str = "0123456789abcdef",
) -> PlanRecord:
    """A plan that puts policies in the place of all but those that stay; by default one that keeps KEPT."""
    parts = documents or (allow(*KEPT),)
    names = [plan_id] if len(parts) == 1 else [f"{plan_id}-{number}" for number in range(1, len(parts) + 1)]
    policies = tuple(PlannedPolicy(name=name, document=document) for name, document in zip(names, parts, strict=True))
    record = proposed(detail, plan_id=plan_id)
    update = {"strategy": Strategy.REPLACE, "policies": policies, "stays": stays}
    return record.model_copy(update={"plan": record.plan.model_copy(update=update)})


def own_arn(record: PlanRecord) -> str:
    """ARN of the plan's boundary."""
    return boundary_arn(record.plan)


def own(record: PlanRecord) -> frozenset[str]:
    """ARNs of the plan's policies."""
    return frozenset(own_arns(record.plan))
