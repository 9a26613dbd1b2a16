"""The saga holds its invariants under every single fault at every single call (safety contract, sections 1 and 2)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.errors import ConflictError, DeniedError, DependencyError, NotFoundError
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, Step, StepKind
from tests.unit.remediation_fakes import (
    FOREIGN,
    FORMER,
    FORMER_LIMIT,
    HELD,
    KEPT,
    NAMESAKE,
    Crash,
    Fault,
    Lab,
    World,
    allow,
    own_arn,
)

MAX_DELIVERIES = 6
TERMINAL = {PlanStatus.APPLIED, PlanStatus.SKIPPED, PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED}
REQUESTED = Reason(code=ReasonCode.REQUESTED, message="a person asked for it")

Act = Callable[[Lab], None]


def nothing(lab: Lab) -> None:
    pass


def raising(error: BaseException) -> Act:
    def act(lab: Lab) -> None:
        raise error

    return act


def delete_user(lab: Lab) -> None:
    lab.world.ref = None
    lab.world.boundary = None


def recreate_user(lab: Lab) -> None:
    lab.world.ref = NAMESAKE
    lab.world.boundary = None


def edit_policies(lab: Lab) -> None:
    lab.world.inline["by-hand"] = allow("sqs:SendMessage")


def set_foreign_boundary(lab: Lab) -> None:
    lab.world.boundary = FOREIGN


def remove_boundary(lab: Lab) -> None:
    lab.world.boundary = None


def remember_state(lab: Lab) -> None:
    """Reads lag: the next two show what is now, whatever is changed meanwhile."""
    if lab.world.ref:
        lab.stale = [lab.world.detail(lab.clock())] * 2


def tidy_former(lab: Lab) -> None:
    if lab.world.boundary != FORMER:
        lab.world.managed.pop(FORMER, None)


def throw_kill_switch(lab: Lab) -> None:
    lab.off = True


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what happens around the call it hits, and to which port it can happen."""

    name: str
    before: Act = nothing
    after: Act = nothing
    only: frozenset[str] = frozenset({"read", "iam", "journal"})


IAM, READ, JOURNAL = frozenset({"iam"}), frozenset({"read"}), frozenset({"journal"})
KINDS = (
    Kind("throttled", before=raising(DependencyError("Throttling"))),
    Kind("denied", before=raising(DeniedError("AccessDenied")), only=IAM),
    Kind("concurrent modification", before=raising(ConflictError("ConcurrentModification")), only=IAM),
    Kind("not found for a moment", before=raising(NotFoundError("NoSuchEntity")), only=IAM | READ),
    Kind("changed while it was read", before=raising(ConflictError("changed while it was read")), only=READ),
    Kind("crash before", before=raising(Crash())),
    Kind("crash after", after=raising(Crash())),
    Kind("lost response", after=raising(DependencyError("ConnectionClosed"))),
    Kind("journal refuses", before=raising(DependencyError("InternalServerError")), only=JOURNAL),
    Kind("conditional write lost after effect", after=raising(ConflictError("ConditionalCheckFailed")), only=JOURNAL),
    Kind("user deleted", before=delete_user),
    Kind("user deleted and crash", before=delete_user, after=raising(Crash())),
    Kind("user re-created", before=recreate_user),
    Kind("policies edited by hand", before=edit_policies),
    Kind("foreign boundary by hand", before=set_foreign_boundary),
    Kind("boundary removed by hand", before=remove_boundary),
    Kind("stale reads", before=remember_state),
    Kind("stale reads and crash", before=remember_state, after=raising(Crash())),
    Kind("former policy tidied away", before=tidy_former),
    Kind("kill switch", before=throw_kill_switch),
)

# A rollback that AWS refuses can't be completed; and who is created under the name of the deleted user in the
# milliseconds between the last look and the call gets the boundary, since IAM goes by names.
NEEDS_A_PERSON = {"denied", "user re-created"}


def bounded_world() -> World:
    """A user who already has a boundary of an earlier plan of ours."""
    world = World(boundary=FORMER)
    world.managed[FORMER] = allow(*FORMER_LIMIT)
    return world


@dataclass(frozen=True)
class Scenario:
    """Where the identity starts, and whether an applied plan is then taken back."""

    name: str
    world: Callable[[], World]
    rolled_back: bool


SCENARIOS = (
    Scenario("apply", World, rolled_back=False),
    Scenario("apply over a former plan", bounded_world, rolled_back=False),
    Scenario("roll back", World, rolled_back=True),
    Scenario("roll back to a former plan", bounded_world, rolled_back=True),
)


class Watch:
    """Checks I3, I4 and I6 after every change of IAM."""

    def __init__(self, lab: Lab, record: PlanRecord) -> None:
        self.before = lab.world.effective()
        self.own = own_arn(record)
        self.start = record.snapshot.boundary_arn

    def __call__(self, lab: Lab, step: Step) -> None:
        """Look at what the user can do after a change."""
        if lab.world.ref is None or "by-hand" in lab.world.inline:
            return
        now = lab.world.effective()
        if lab.world.boundary in {self.own, self.start}:
            assert now <= self.before, "I3: never more than before"
            assert now >= KEPT, "I4: what is used stays allowed"


def prepared(scenario: Scenario) -> tuple[Lab, PlanRecord]:
    """A laboratory at the point from which faults are injected."""
    lab = Lab(world=scenario.world())
    record = lab.record()
    lab.on_change = Watch(lab, record)
    if scenario.rolled_back:
        record = lab.saga().apply(record)
        assert record.status is PlanStatus.APPLIED
        rolling = record.model_copy(update={"status": PlanStatus.ROLLING_BACK, "reason": REQUESTED})
        lab.records[record.plan.plan_id] = rolling
    lab.calls.clear()
    return lab, record


def converge(lab: Lab, plan_id: str) -> int:
    """Deliver until the plan ends; how many deliveries that took."""
    for delivery in range(1, MAX_DELIVERIES + 1):
        if lab.deliver(plan_id) and lab.records[plan_id].status in TERMINAL:
            return delivery
        lab.off = False  # a person turns the mode on again
    pytest.fail(f"I13: still {lab.records[plan_id].status} after {MAX_DELIVERIES} deliveries")


def check_end(lab: Lab, record: PlanRecord, kind: Kind) -> PlanStatus:
    """I5, I6, I12: what must hold once the plan has ended."""
    end = lab.records[record.plan.plan_id]
    own = own_arn(record)
    if kind.name == "foreign boundary by hand" and lab.fault.hit:
        # IAM has no compare-and-set: only what comes between our last look and the call itself is overwritten
        assert lab.world.boundary == FOREIGN or lab.calls[lab.fault.at] == "put_boundary", "I6"
    if kind.name == "policies edited by hand" and lab.fault.hit:
        assert lab.world.inline["by-hand"] == allow("sqs:SendMessage"), "I6"
    if end.status is PlanStatus.APPLIED:
        assert own in lab.world.managed
        return end.status
    if end.status is not PlanStatus.QUARANTINED:
        assert lab.world.boundary != own, "I5: taken back"
        assert own not in lab.world.managed, "I12: no orphan"
    if lab.world.boundary is not None:
        assert lab.world.boundary in lab.world.managed
    return end.status


def length(scenario: Scenario) -> int:
    lab, record = prepared(scenario)
    converge(lab, record.plan.plan_id)
    return len(lab.calls)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_under_any_single_fault_at_any_call_the_invariants_hold(
    scenario: Scenario, kind: Kind, record_property: Callable[[str, object], None]
) -> None:
    ends: Counter[PlanStatus] = Counter()
    deliveries: Counter[int] = Counter()
    for at in range(length(scenario)):
        lab, record = prepared(scenario)
        lab.fault = Fault(at, kind.before, kind.after, kind.only)
        human = "by hand" in kind.name or kind.name.startswith("user") or kind.name == "former policy tidied away"
        snapshot = lab.world.boundary if not scenario.rolled_back else record.snapshot.boundary_arn

        deliveries[converge(lab, record.plan.plan_id)] += 1

        if not lab.fault.hit:
            continue
        end = check_end(lab, record, kind)
        ends[end] += 1
        if not human and end is not PlanStatus.QUARANTINED:
            wanted = own_arn(record) if end is PlanStatus.APPLIED else snapshot
            assert lab.world.boundary == wanted, "I5: as the snapshot has it"
        assert (end is PlanStatus.QUARANTINED) <= (kind.name in NEEDS_A_PERSON), f"call {at}"
        if kind.name != "denied" and not human:
            assert end is (PlanStatus.ROLLED_BACK if scenario.rolled_back else PlanStatus.APPLIED), f"call {at}"
    for name, count in ends.items():
        record_property(str(name), count)
    print(f"{scenario.name} x {kind.name}: {sum(ends.values())} runs, {dict(ends)}, deliveries {dict(deliveries)}")  # noqa: T201 the counts
    assert ends


def test_without_a_fault_a_plan_is_applied_once_and_taken_back_exactly() -> None:
    lab, record = prepared(SCENARIOS[0])

    applied = lab.saga().apply(record)

    assert (applied.status, applied.policy_arns) == (PlanStatus.APPLIED, (own_arn(record),))
    assert lab.mutations == ["create_policy", "put_boundary"]
    assert lab.world.effective() == KEPT

    undone = lab.saga().roll_back(applied, REQUESTED)

    assert (undone.status, undone.reason) == (PlanStatus.ROLLED_BACK, REQUESTED)
    assert lab.mutations[2:] == ["delete_boundary", "delete_policy"]
    assert (lab.world.boundary, lab.world.effective()) == (None, HELD)
    assert {outcome for _, outcome in lab.steps.values()} == {"done"}


def test_given_a_former_plan_when_a_second_is_taken_back_then_the_former_boundary_is_there_again() -> None:
    lab, record = prepared(SCENARIOS[1])
    applied = lab.saga().apply(record)
    assert FORMER in lab.world.managed, "a superseded policy stays: the rollback needs it"
    del lab.world.managed[FORMER]  # somebody tidied up

    lab.saga().roll_back(applied, REQUESTED)

    assert lab.world.boundary == FORMER
    assert lab.world.effective() == FORMER_LIMIT


def test_given_an_edited_former_policy_when_a_plan_is_taken_back_then_a_person_must_look() -> None:
    lab, record = prepared(SCENARIOS[1])
    applied = lab.saga().apply(record)
    lab.world.managed[FORMER] = allow(*HELD, "sqs:SendMessage")

    assert lab.saga().roll_back(applied, REQUESTED).status is PlanStatus.QUARANTINED
    assert lab.world.boundary == own_arn(record)


def end_of(change: Act) -> tuple[Lab, PlanRecord]:
    """Apply a plan after something changed."""
    lab, record = prepared(SCENARIOS[0])
    change(lab)
    return lab, lab.saga().apply(record)


def expire(lab: Lab) -> None:
    lab.clock.sleep(timedelta(days=2).total_seconds())


def exempt(lab: Lab) -> None:
    lab.refusal = Reason(code=ReasonCode.EXEMPT, message="it carries the tag")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (edit_policies, ReasonCode.DRIFT),
        (set_foreign_boundary, ReasonCode.DRIFT),
        (delete_user, ReasonCode.GONE),
        (recreate_user, ReasonCode.GONE),
        (expire, ReasonCode.EXPIRED),
        (exempt, ReasonCode.EXEMPT),
    ],
)
def test_what_changed_since_the_plan_stops_it_before_the_identity_is_touched(change: Act, code: ReasonCode) -> None:
    lab, end = end_of(change)

    assert end.status is PlanStatus.SKIPPED
    assert end.reason
    assert end.reason.code is code
    assert set(lab.mutations) <= {"delete_policy"}


def test_a_boundary_with_another_document_than_the_proven_one_is_taken_off() -> None:
    lab, record = prepared(SCENARIOS[0])

    def tamper(lab: Lab, step: Step) -> None:
        if step.kind is StepKind.PUT_BOUNDARY:
            lab.world.managed[step.policy_arn] = allow(*HELD, "sqs:SendMessage")

    lab.on_change = tamper

    end = lab.saga().apply(record)

    assert end.status is PlanStatus.ROLLED_BACK
    assert lab.world.boundary is None


def test_given_a_refused_call_when_taking_back_is_interrupted_then_it_goes_on_taking_back_and_not_ahead() -> None:
    lab, record = prepared(SCENARIOS[0])
    refused = Fault(lab_call(lab, record, "put_boundary"), raising(DeniedError("AccessDenied")))
    lab, record = prepared(SCENARIOS[0])
    lab.fault = refused
    lab.on_change = lambda lab, step: raising(Crash())(lab) if step.kind is StepKind.DELETE_POLICY else None

    assert not lab.deliver(record.plan.plan_id)
    lab.on_change = nothing_more

    assert lab.deliver(record.plan.plan_id)
    assert lab.records[record.plan.plan_id].status is PlanStatus.ROLLED_BACK
    assert "put_boundary" not in lab.mutations, "I2: a plan that was refused is not tried again by itself"


def lab_call(lab: Lab, record: PlanRecord, name: str) -> int:
    """Number of the call with this name in an undisturbed run."""
    converge(lab, record.plan.plan_id)
    return lab.calls.index(name)


def nothing_more(lab: Lab, step: Step) -> None:
    pass


def test_a_policy_that_stays_in_use_elsewhere_needs_a_person() -> None:
    lab, record = prepared(SCENARIOS[2])
    lab.world.boundary = None
    lab.perform = lambda identity, step, *, plan_id: False  # type: ignore[method-assign]

    end = lab.saga().roll_back(lab.records[record.plan.plan_id], REQUESTED)

    assert end.status is PlanStatus.QUARANTINED
    assert end.reason
    assert "still in use" in end.reason.message


@pytest.mark.parametrize("short", ["time", "mode"])
def test_without_time_or_with_the_kill_switch_nothing_is_called(short: str) -> None:
    lab, record = prepared(SCENARIOS[0])
    lab.remaining, lab.off = (10.0, False) if short == "time" else (300.0, True)

    with pytest.raises(DependencyError):
        lab.saga().apply(record)

    assert lab.mutations == []
    assert lab.records[record.plan.plan_id].status is PlanStatus.APPLYING


def test_a_worker_that_lost_the_lock_makes_no_call() -> None:
    lab, record = prepared(SCENARIOS[0])
    late = lab.saga()
    lab.saga()  # another delivery has the lock by now

    with pytest.raises(ConflictError):
        late.apply(record)

    assert lab.mutations == []


def test_two_workers_never_both_write_the_record() -> None:
    lab, record = prepared(SCENARIOS[0])
    lab.saga().apply(record)

    with pytest.raises(ConflictError):
        lab.saga().apply(record)

    assert lab.mutations == ["create_policy", "put_boundary"]


def test_one_stale_read_does_not_make_an_applied_boundary_lost() -> None:
    lab, record = prepared(SCENARIOS[0])
    before = lab.world.detail(lab.clock())
    applied = lab.saga().apply(record)
    lab.stale = [before]

    assert not lab.saga().has_lost(applied)
    lab.world.boundary = None
    assert lab.saga().has_lost(applied)
