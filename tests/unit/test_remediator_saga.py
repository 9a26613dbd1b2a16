"""The saga holds its invariants under every single fault at every single call (safety contract, sections 1 and 2)."""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from services.remediator.changing.state import state_of, states_along
from shared.errors import ConflictError, DeniedError, DependencyError
from shared.model.call_outcome import CallOutcome
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, Step, StepKind, Strategy
from shared.model.sources import PolicyKind, PolicySource
from tests.unit.remediation_fakes import (
    ACCOUNT,
    FOREIGN,
    FORMER,
    FORMER_LIMIT,
    HELD,
    KEPT,
    Crash,
    Document,
    Fault,
    Group,
    Lab,
    World,
    allow,
    both,
    deny,
    own,
    own_arn,
)
from tests.unit.remediation_faults import (
    BY_HAND,
    KINDS,
    Act,
    Kind,
    delete_user,
    put_inline,
    raising,
    recreate_user,
    set_foreign_boundary,
)

MAX_DELIVERIES = 6
TERMINAL = {PlanStatus.APPLIED, PlanStatus.SKIPPED, PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED}
REQUESTED = Reason(code=ReasonCode.REQUESTED, message="a person asked for it")

# A rollback that AWS refuses can't be completed; and who is created under the name of the deleted user in the
# milliseconds between the last look and the call gets the policy, since IAM goes by names.
NEEDS_A_PERSON = {"denied", "user re-created"}
TAKEN_OFF_BY_HAND = {"policy detached by hand", "inline policy deleted by hand", "our policy detached by hand"}

OLD = f"arn:aws:iam::{ACCOUNT}:policy/old"
REPLACING = (both(allow("s3:GetObject"), deny("iam:PassRole")), allow("s3:PutObject"))


def bounded_world() -> World:
    """A user who already has a boundary of an earlier plan of ours."""
    world = World(boundary=FORMER)
    world.managed[FORMER] = allow(*FORMER_LIMIT)
    return world


def rich_world() -> World:
    """A user with managed and inline policies, a boundary of others, and a group whose Deny counts."""
    limit = f"arn:aws:iam::{ACCOUNT}:policy/limit"
    return World(
        inline={"own": allow("s3:GetObject", "ec2:RunInstances")},
        boundary=limit,
        managed={FOREIGN: allow("s3:GetObject"), OLD: allow("s3:PutObject"), limit: allow(*HELD, "iam:PassRole")},
        attached={FOREIGN, OLD},
        groups={"devs": Group({"no passing": both(allow("iam:PassRole"), deny("iam:PassRole"))}), "all": Group()},
        member_of={"devs", "all"},
    )


def replaced_world() -> World:
    """A user whose policies are those of an earlier plan of ours."""
    return World(inline={}, managed={FORMER: allow(*FORMER_LIMIT), FOREIGN: allow("s3:GetObject")}, attached={FORMER})


@dataclass(frozen=True, eq=False)
class Scenario:
    """Where the identity starts, what is planned, and whether the applied plan is then taken back."""

    name: str
    world: Callable[[], World]
    rolled_back: bool
    documents: tuple[Document, ...] = ()

    def record(self, lab: Lab) -> PlanRecord:
        """Propose the plan; where it replaces, the policy FOREIGN stays."""
        if not self.documents:
            return lab.record()
        stays = (PolicySource(PolicyKind.MANAGED, "limits", FOREIGN),)
        return lab.record(Strategy.REPLACE, documents=self.documents, stays=stays)


SCENARIOS = (
    Scenario("apply", World, rolled_back=False),
    Scenario("apply over a former plan", bounded_world, rolled_back=False),
    Scenario("roll back", World, rolled_back=True),
    Scenario("roll back to a former plan", bounded_world, rolled_back=True),
    Scenario("replace", rich_world, rolled_back=False, documents=REPLACING),
    Scenario("replace a former plan", replaced_world, rolled_back=False, documents=(allow(*KEPT),)),
    Scenario("give back", rich_world, rolled_back=True, documents=REPLACING),
    Scenario("give back to a former plan", replaced_world, rolled_back=True, documents=(allow(*KEPT),)),
)


class Watch:
    """Checks I3 and I4 after every change of IAM, as long as nobody else interferes."""

    def __init__(self, start: World) -> None:
        self.before = start.effective()

    def __call__(self, lab: Lab, step: Step) -> None:
        """Look at what the user can do after a change."""
        if lab.world.ref is None or lab.disturbed:
            return
        now = lab.world.effective()
        assert now <= self.before, "I3: never more than before"
        assert now >= KEPT, "I4: what is used stays allowed"


def prepared(scenario: Scenario) -> tuple[Lab, PlanRecord]:
    """A laboratory at the point from which faults are injected."""
    if scenario.rolled_back:
        lab, record = applied(scenario).again(), next(iter(applied(scenario).records.values()))
    else:
        lab = Lab(world=scenario.world())
        record = scenario.record(lab)
    lab.on_change = Watch(scenario.world())
    return lab, record


@functools.cache
def applied(scenario: Scenario) -> Lab:
    """A laboratory where the plan was applied, and a person wants it taken back."""
    lab = Lab(world=scenario.world())
    record = lab.saga().apply(scenario.record(lab))
    assert record.status is PlanStatus.APPLIED
    rolling = record.model_copy(update={"status": PlanStatus.ROLLING_BACK, "reason": REQUESTED})
    lab.records[record.plan.plan_id] = rolling
    return lab


def converge(lab: Lab, plan_id: str) -> int:
    """Deliver until the plan ends; how many deliveries that took."""
    for delivery in range(1, MAX_DELIVERIES + 1):
        if lab.deliver(plan_id) and lab.records[plan_id].status in TERMINAL:
            return delivery
        lab.off = False  # a person turns the mode on again
    pytest.fail(f"I13: still {lab.records[plan_id].status} after {MAX_DELIVERIES} deliveries")


def check_others(lab: Lab, kind: Kind, managed: dict[str, Document]) -> None:
    """I6: what somebody else did is there still."""
    world, call = lab.world, lab.calls[lab.fault.at]
    if kind.name == "foreign boundary by hand":
        # IAM has no compare-and-set: only what comes between our last look and the call itself is overwritten
        assert world.boundary == FOREIGN or call == "put_boundary"
    if kind.name.startswith("inline policy by hand"):
        assert world.inline["by-hand"] == allow("sqs:SendMessage")
    if kind.name == "policy attached by hand":
        assert BY_HAND in world.attached
    if kind.name in {"policy detached by hand", "inline policy deleted by hand"} and lab.by_hand:
        assert lab.by_hand not in {*world.attached, *world.inline}
    if kind.name not in {"unused policies deleted", "former policy tidied away"}:
        assert set(managed) <= set(world.managed), "policies of others are theirs, and former ones are kept"


def check_end(lab: Lab, record: PlanRecord, kind: Kind, start: World) -> PlanStatus:
    """I4, I5, I6, I12: what must hold once the plan has ended."""
    end, world = lab.records[record.plan.plan_id], lab.world
    if end.status is not PlanStatus.QUARANTINED:
        assert all(outcome for _, outcome in lab.steps.values()), "I10: every intent has its outcome"
    if kind.by_others:
        check_others(lab, kind, start.managed)
    if end.status is PlanStatus.APPLIED:
        assert own(record) <= set(world.managed)
        assert (end.applied_at, end.soak_until) == (end.updated_at, end.updated_at + timedelta(days=14))
    elif end.status is not PlanStatus.QUARANTINED:
        assert not own(record) & {world.boundary, *world.attached}, "I5: taken back"
        assert not own(record) & set(world.managed), "I12: no orphan"
    if world.ref and kind.name not in NEEDS_A_PERSON | TAKEN_OFF_BY_HAND:
        assert world.effective() >= KEPT or kind.name == "foreign boundary by hand", "I4"
    if not kind.by_others and end.status is not PlanStatus.QUARANTINED:
        states = states_along(record.plan, record.snapshot)
        wanted = states[-1] if end.status is PlanStatus.APPLIED else states[0]
        assert state_of(world.detail(lab.clock())) == wanted, "I5: as the snapshot has it"
        assert set(world.managed) - own(record) == set(start.managed), "I12"
        assert not end.drift
    return end.status


@functools.cache
def undisturbed(scenario: Scenario) -> tuple[str, ...]:
    """The ports of the calls of a run without a fault, in order."""
    lab, record = prepared(scenario)
    converge(lab, record.plan.plan_id)
    return tuple(lab.ports)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_under_any_single_fault_at_any_call_the_invariants_hold(
    scenario: Scenario, kind: Kind, record_property: Callable[[str, object], None]
) -> None:
    ends: Counter[PlanStatus] = Counter()
    deliveries: Counter[int] = Counter()
    for at in (at for at, port in enumerate(undisturbed(scenario)) if port in kind.only):
        lab, record = prepared(scenario)
        lab.fault = Fault(at, kind.before, kind.after, kind.only)
        lab.disturbed_by_fault = kind.by_others

        deliveries[converge(lab, record.plan.plan_id)] += 1

        assert lab.fault.hit
        end = check_end(lab, record, kind, scenario.world())
        ends[end] += 1
        assert (end is PlanStatus.QUARANTINED) <= (kind.name in NEEDS_A_PERSON), f"call {at}"
        if kind.name != "denied" and not kind.by_others:
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
    outcomes = [lab.steps[number][1] for number in sorted(lab.steps)]
    assert outcomes == ["not done any more: taken back", "not done any more: taken back", "done", "done"]


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
        (put_inline, ReasonCode.DRIFT),
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
    assert lab.mutations == []


def test_a_boundary_with_another_document_than_the_proven_one_is_taken_off() -> None:
    lab, record = prepared(SCENARIOS[0])

    def tamper(lab: Lab, step: Step) -> None:
        if step.kind is StepKind.PUT_BOUNDARY:
            lab.world.managed[step.target] = allow(*HELD, "sqs:SendMessage")

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
    lab.perform = lambda identity, step, *, plan_id: CallOutcome.IN_USE  # type: ignore[method-assign]

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
