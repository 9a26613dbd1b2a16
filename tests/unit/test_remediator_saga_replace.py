"""Replacing policies and giving them back: what the single faults don't show, and the law that taking back is exact."""

import contextlib
import copy
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.changing.state import state_of
from shared.errors import DeniedError, InputError, SafetyError
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
    Fault,
    Group,
    Lab,
    World,
    allow,
    deny,
    own,
)
from tests.unit.remediation_faults import attach, put_inline, raising

REQUESTED = Reason(code=ReasonCode.REQUESTED, message="a person asked for it")
OLD = f"arn:aws:iam::{ACCOUNT}:policy/old"
COPY = f"arn:aws:iam::{ACCOUNT}:policy/leastwise/0123456789abcdef-r"
TAKING = {StepKind.DETACH_POLICY, StepKind.DELETE_INLINE, StepKind.REMOVE_FROM_GROUP}
GIVING = {StepKind.ATTACH_POLICY, StepKind.PUT_INLINE, StepKind.ADD_TO_GROUP}


def world() -> World:
    """A user with an inline policy, a managed one, and one through a group."""
    return World(
        inline={"own": allow("s3:GetObject", "ec2:RunInstances")},
        managed={FOREIGN: allow("s3:GetObject"), OLD: allow("s3:PutObject")},
        attached={OLD},
        groups={"devs": Group({"passing": allow("iam:PassRole")}, {FOREIGN})},
        member_of={"devs"},
    )


def proposed_to(start: World) -> tuple[Lab, PlanRecord]:
    lab = Lab(world=start)
    return lab, lab.record(Strategy.REPLACE)


def applied() -> tuple[Lab, PlanRecord]:
    lab, record = proposed_to(world())
    record = lab.saga().apply(record)
    assert record.status is PlanStatus.APPLIED
    lab.may_restore = True
    return lab, record


def given_back(lab: Lab, record: PlanRecord) -> PlanRecord:
    lab.may_restore = True
    return lab.saga().roll_back(record, REQUESTED)


def test_a_replacement_costs_two_looks_per_removal_and_three_before_and_after() -> None:
    lab, record = proposed_to(world())

    end = lab.saga().apply(record)

    assert end.policy_arns == tuple(own(record))
    assert lab.mutations == ["create_policy", "attach_policy", "detach_policy", "delete_inline", "remove_from_group"]
    assert lab.calls.count("read") == 2 + 3 + 1 + 2 + 2 + 3  # the barrier's last look is the first removal's first
    assert lab.world.attached == own(record)
    assert not lab.world.inline
    assert not lab.world.member_of


def test_nothing_old_goes_before_everything_new_was_seen_over_the_dwell() -> None:
    lab, record = proposed_to(world())
    before = lab.world.detail(lab.clock())
    times: dict[StepKind, float] = {}

    def lag(lab: Lab, step: Step) -> None:
        times[step.kind] = lab.clock.now.timestamp()
        if step.kind is StepKind.ATTACH_POLICY:
            lab.stale = [before] * 4

    lab.on_change = lag
    assert lab.saga().apply(record).status is PlanStatus.APPLIED

    assert times[StepKind.DETACH_POLICY] - times[StepKind.ATTACH_POLICY] == (4 + 2) * 5.0


def test_what_never_shows_is_taken_back_before_anything_old_goes() -> None:
    lab, record = proposed_to(world())
    before = lab.world.detail(lab.clock())
    lab.on_change = lambda lab, step: (
        setattr(lab, "stale", [before] * 12) if step.kind is StepKind.ATTACH_POLICY else None
    )

    end = lab.saga().apply(record)

    assert (end.status, end.reason and end.reason.code) == (PlanStatus.ROLLED_BACK, ReasonCode.VERIFICATION_FAILED)
    assert lab.mutations == ["create_policy", "attach_policy", "detach_policy", "delete_policy"]
    assert lab.world == world()


def test_whoever_may_not_give_back_hands_over_once_something_old_is_off() -> None:
    lab, record = proposed_to(world())
    lab.on_change = lambda lab, step: put_inline(lab) if step.kind is StepKind.DETACH_POLICY else None

    handed_over = lab.saga().apply(record)

    assert handed_over.status is PlanStatus.ROLLING_BACK
    assert handed_over.reason
    assert handed_over.reason.code is ReasonCode.DRIFT
    assert not GIVING & set(map(StepKind, lab.mutations[2:]))
    assert lab.deliver(record.plan.plan_id)
    assert lab.records[record.plan.plan_id].status is PlanStatus.SKIPPED
    del lab.world.inline["by-hand"]
    assert lab.world == world()


def test_before_anything_old_is_off_everybody_takes_back() -> None:
    lab, record = proposed_to(world())
    lab.on_change = lambda lab, step: attach(lab) if step.kind is StepKind.ATTACH_POLICY else None

    end = lab.saga().apply(record)

    assert end.status is PlanStatus.SKIPPED
    assert not own(record) & {*lab.world.attached, *lab.world.managed}


def test_where_nothing_was_begun_nothing_is_called() -> None:
    lab, record = proposed_to(world())
    put_inline(lab)

    assert lab.saga().apply(record).status is PlanStatus.SKIPPED
    assert lab.mutations == []


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (CallOutcome.OVER_QUOTA, PlanStatus.ROLLED_BACK, ReasonCode.QUOTA),
        (CallOutcome.UNMODIFIABLE, PlanStatus.SKIPPED, ReasonCode.PROTECTED),
    ],
)
def test_what_iam_has_no_room_for_or_lets_nobody_change_is_taken_back(
    outcome: CallOutcome, status: PlanStatus, code: ReasonCode
) -> None:
    lab, record = proposed_to(world())
    perform = lab.perform
    lab.perform = (  # type: ignore[method-assign]
        lambda identity, step, *, plan_id: (
            outcome if step.kind is StepKind.ATTACH_POLICY else perform(identity, step, plan_id=plan_id)
        )
    )

    end = lab.saga().apply(record)

    assert (end.status, end.reason and end.reason.code) == (status, code)
    assert lab.world == world()


@pytest.mark.parametrize("error", [DeniedError("AccessDenied"), InputError("MalformedPolicyDocument")])
@pytest.mark.parametrize("call", ["create_policy", "attach_policy", "detach_policy", "delete_inline"])
def test_a_refused_call_is_taken_back_or_handed_over(error: Exception, call: str) -> None:
    lab, record = proposed_to(world())
    undisturbed, first = proposed_to(world())
    undisturbed.saga().apply(first)
    lab.fault = Fault(undisturbed.calls.index(call), raising(error))

    lab.deliver(record.plan.plan_id)
    lab.deliver(record.plan.plan_id)

    assert lab.records[record.plan.plan_id].status is PlanStatus.ROLLED_BACK
    assert lab.world == world()


def delete_old(lab: Lab) -> None:
    del lab.world.managed[OLD]


def delete_group(lab: Lab) -> None:
    del lab.world.groups["devs"]


def change_old(lab: Lab) -> None:
    lab.world.managed[OLD] = allow("s3:PutObject", "sqs:SendMessage")


def put_own(lab: Lab) -> None:
    lab.world.inline["own"] = allow("sqs:SendMessage")


def change_group(lab: Lab) -> None:
    lab.world.groups["devs"].inline["more"] = deny("sqs:*")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (delete_old, f"the policy {OLD} is gone; {COPY}"),
        (delete_group, "the group devs is gone"),
        (change_old, f"the policy {OLD} has another document"),
        (put_own, "somebody else made an inline policy own"),
        (change_group, "the group devs has other policies"),
    ],
)
def test_what_others_changed_since_stays_theirs_and_is_told(change: Callable[[Lab], None], told: str) -> None:
    lab, record = applied()
    change(lab)
    theirs = copy.deepcopy((lab.world.managed, lab.world.groups))

    end = given_back(lab, record)

    assert end.status is PlanStatus.ROLLED_BACK
    assert [sentence for sentence in end.drift if sentence.startswith(told)]
    assert not own(record) & {*lab.world.managed, *lab.world.attached}
    assert lab.world.effective() >= KEPT - actions_replaced(change)
    assert {arn: one for arn, one in lab.world.managed.items() if not arn.startswith(COPY)} == {
        arn: one for arn, one in theirs[0].items() if arn not in own(record)
    }
    assert lab.world.groups == theirs[1]


def actions_replaced(change: Callable[[Lab], None]) -> frozenset[str]:
    """What an inline policy of somebody else doesn't allow any more."""
    return frozenset({"s3:GetObject"}) if change is put_own else frozenset()


def test_a_rollback_that_makes_copies_can_crash_anywhere_and_makes_no_second_ones() -> None:
    lab, record = applied()
    delete_old(lab)
    delete_group(lab)
    lab.records[record.plan.plan_id] = record.model_copy(
        update={"status": PlanStatus.ROLLING_BACK, "reason": REQUESTED}
    )
    undisturbed = lab.again()
    assert undisturbed.deliver(record.plan.plan_id)
    for at in range(len(undisturbed.calls)):
        other = lab.again()
        other.fault = Fault(at, after=raising(Crash()))
        while not other.deliver(record.plan.plan_id):
            pass
        assert other.world == undisturbed.world, f"call {at}"
        assert len(other.world.attached) == 3  # copies of the policy and of the group's inline one, and FOREIGN


def test_what_somebody_takes_off_right_after_it_was_given_back_stays_off() -> None:
    lab, record = applied()

    def interfere(lab: Lab, step: Step) -> None:
        if step.kind is StepKind.PUT_INLINE:
            del lab.world.inline["own"]

    lab.on_change = interfere
    end = given_back(lab, record)

    assert (end.status, end.drift) == (PlanStatus.ROLLED_BACK, ("somebody took own off again",))
    assert lab.mutations.count("put_inline") == 1
    assert not lab.world.inline


def test_what_a_person_undid_between_two_deliveries_is_not_done_again() -> None:
    lab, record = proposed_to(world())
    undisturbed, first = proposed_to(world())
    undisturbed.saga().apply(first)
    lab.fault = Fault(undisturbed.calls.index("intend detach_policy"), after=raising(Crash()))
    assert not lab.deliver(record.plan.plan_id)
    lab.world.attached -= own(record)

    lab.deliver(record.plan.plan_id)
    lab.deliver(record.plan.plan_id)

    assert lab.records[record.plan.plan_id].status is PlanStatus.SKIPPED
    assert lab.mutations.count("attach_policy") == 1
    assert lab.world == world()


def test_what_somebody_took_off_first_is_not_taken_off_by_us() -> None:
    lab, record = proposed_to(world())
    record = lab.record(Strategy.REPLACE, documents=(allow("s3:GetObject"), allow("s3:PutObject")))
    record = lab.saga().apply(record)
    first, second = record.policy_arns

    def interfere(lab: Lab, step: Step) -> None:
        if (step.kind, step.target) == (StepKind.DETACH_POLICY, first):
            lab.world.attached.discard(second)

    lab.on_change = interfere
    before = lab.mutations.count("detach_policy")

    assert given_back(lab, record).status is PlanStatus.ROLLED_BACK
    assert lab.mutations.count("detach_policy") == before + 1
    assert lab.world == world()


def test_an_old_policy_that_somebody_attached_again_meanwhile_is_found_there() -> None:
    lab, record = applied()
    lab.world.attached.add(OLD)

    assert given_back(lab, record).status is PlanStatus.ROLLED_BACK
    assert "attach_policy" not in lab.mutations[5:]
    assert lab.world == world()


def test_without_room_to_give_back_beside_ours_a_person_must_look() -> None:
    lab, record = applied()
    others = {f"arn:aws:iam::{ACCOUNT}:policy/other-{number}": allow("sqs:SendMessage") for number in range(9)}
    lab.world.managed |= others
    lab.world.attached |= set(others)

    assert given_back(lab, record).status is PlanStatus.QUARANTINED
    assert own(record) <= lab.world.attached, "what is used is allowed still"


def test_a_plan_on_top_of_a_plan_is_taken_back_to_it_and_then_to_the_start() -> None:
    lab, first = applied()
    detail = lab.world.detail(lab.clock())
    first_again = copy.deepcopy(lab.world)
    second = lab.record(Strategy.REPLACE, documents=(allow(*FORMER_LIMIT),), plan_id="fedcba9876543210")
    lab.may_restore = False
    steps, lab.steps = lab.steps, {}

    assert lab.saga().apply(second).status is PlanStatus.APPLIED
    assert lab.world.attached == own(second)
    assert own(first) <= set(lab.world.managed), "a former plan's policy is kept: the rollback needs it"

    given_back(lab, lab.records[second.plan.plan_id])
    assert state_of(lab.world.detail(lab.clock())) == state_of(detail)
    assert lab.world == first_again
    lab.steps = steps
    given_back(lab, first)
    assert lab.world == world()


def test_a_plan_that_was_taken_back_can_be_applied_again() -> None:
    lab, record = applied()
    given_back(lab, record)
    again = lab.records[record.plan.plan_id]
    lab.may_restore = False
    undisturbed = lab.again()
    assert undisturbed.saga().apply(again).status is PlanStatus.APPLIED
    for at in range(len(undisturbed.calls)):
        other = lab.again()
        other.fault = Fault(at, before=raising(Crash()))
        with pytest.raises(Crash):
            other.saga().apply(again)
        begun = other.records[record.plan.plan_id].status is PlanStatus.APPLYING
        while other.records[record.plan.plan_id].status is PlanStatus.APPLYING:
            other.deliver(record.plan.plan_id)
        assert other.world == (undisturbed.world if begun else world()), f"call {at}"


def test_a_plan_whose_rollback_failed_starts_afresh_once_a_person_put_things_right() -> None:
    lab, record = applied()
    perform = lab.perform
    lab.perform = lambda *args, **more: raising(DeniedError("AccessDenied"))(lab)  # type: ignore[method-assign, assignment]
    stuck = given_back(lab, record)
    assert stuck.status is PlanStatus.QUARANTINED
    lab.perform = perform  # type: ignore[method-assign]
    lab.world, lab.may_restore = world(), False

    proposed_again = lab.record(Strategy.REPLACE).model_copy(update={"version": stuck.version})
    lab.records[record.plan.plan_id] = proposed_again

    assert lab.saga().apply(proposed_again).status is PlanStatus.APPLIED


def test_a_patch_and_what_is_not_proven_are_never_applied() -> None:
    lab, record = proposed_to(world())
    unproven = record.plan.proofs.model_copy(update={"replay": False})
    for update in ({"strategy": Strategy.PATCH}, {"proofs": unproven}, {"fingerprint": "of somebody else"}):
        wrong = record.model_copy(update={"plan": record.plan.model_copy(update=update)})
        with pytest.raises(SafetyError, match="not to be applied"):
            lab.saga().apply(wrong)
    assert lab.calls == []


def test_a_lost_policy_of_the_plan_is_seen_by_several_looks() -> None:
    lab, record = applied()
    before = lab.world.detail(lab.clock())
    assert not lab.saga().has_lost(record)
    lab.world.attached.clear()
    assert lab.saga().has_lost(record)
    lab.stale = [before]
    assert not lab.saga().has_lost(record)


# ---- the law: what is applied and taken back is as it was

ACTIONS = st.sets(st.sampled_from(sorted(HELD)), min_size=1).map(lambda actions: allow(*actions))
DOCUMENTS = st.one_of(ACTIONS, ACTIONS, st.just(deny("iam:PassRole")))
ARNS = [f"arn:aws:iam::{ACCOUNT}:policy/{name}" for name in ("a", "b", "c")]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A user with some managed and inline policies, some groups, and perhaps a boundary of ours."""
    managed = {arn: draw(DOCUMENTS) for arn in [*ARNS, FORMER]} | {FOREIGN: allow(*HELD)}
    group = st.builds(Group, st.dictionaries(st.sampled_from("xy"), DOCUMENTS), st.sets(st.sampled_from(ARNS)))
    groups = draw(st.dictionaries(st.sampled_from(["devs", "ops"]), group))
    return World(
        inline=draw(st.dictionaries(st.sampled_from("pqr"), DOCUMENTS)),
        boundary=draw(st.sampled_from([None, FORMER])),
        managed=managed,
        attached=draw(st.sets(st.sampled_from([*ARNS, FORMER]))),
        groups=groups,
        member_of=draw(st.sets(st.sampled_from(sorted(groups)))) if groups else set(),
    )


@settings(deadline=None, max_examples=25)
@given(
    worlds(),
    st.sampled_from([Strategy.BOUNDARY, Strategy.REPLACE]),
    st.integers(1, 2),
    st.integers(0, 1),
    st.integers(0, 40),
)
def test_taking_back_is_exact_from_every_point_at_which_applying_can_crash_and_when_it_crashes_itself(
    start: World, strategy: Strategy, parts: int, staying: int, again: int
) -> None:
    def fresh() -> tuple[Lab, PlanRecord]:
        lab = Lab(world=copy.deepcopy(start))
        if strategy is Strategy.BOUNDARY:
            return lab, lab.record()
        stays = tuple(PolicySource(PolicyKind.MANAGED, "a", arn) for arn in ARNS[:staying])
        documents = tuple(allow(action) for action in sorted(KEPT)[:parts])
        return lab, lab.record(strategy, documents=documents, stays=stays)

    undisturbed, record = fresh()
    assert undisturbed.saga().apply(record).status is PlanStatus.APPLIED
    for at in range(len(undisturbed.calls) + 1):
        lab, record = fresh()
        lab.fault = Fault(at, after=raising(Crash()))
        with contextlib.suppress(Crash):
            lab.saga().apply(record)
        lab.fault = Fault(len(lab.calls) + again, after=raising(Crash()))
        lab.may_restore = True
        with contextlib.suppress(Crash):
            lab.saga().roll_back(lab.records[record.plan.plan_id], REQUESTED)
        while lab.records[record.plan.plan_id].status is PlanStatus.ROLLING_BACK:
            lab.deliver(record.plan.plan_id)
        end = lab.records[record.plan.plan_id]
        assert (end.status, end.drift) == (PlanStatus.ROLLED_BACK, ())
        assert lab.world == start, f"after call {at}"
