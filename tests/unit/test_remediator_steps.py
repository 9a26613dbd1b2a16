"""Plans as calls, the states along them, and what is left to take back: pure functions of plan, snapshot and state."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.changing.fingerprint import take_snapshot
from services.remediator.changing.state import Held, IdentityState, Standing, standing, state_of, states_along
from services.remediator.changing.steps import (
    MAX_STEPS,
    apply_steps,
    boundary_arn,
    carries,
    former_plans,
    is_ours,
    own_arns,
    plan_of,
)
from services.remediator.changing.undo import Undo
from shared.errors import SafetyError
from shared.model.plan import PlanRecord, Snapshot, StepKind, Strategy
from shared.model.sources import PolicyKind, PolicySource
from tests.unit.remediation_fakes import (
    ACCOUNT,
    FOREIGN,
    FORMER,
    HELD,
    KEPT,
    START,
    Group,
    World,
    allow,
    both,
    deny,
    own_arn,
    proposed,
    replacing,
)

OURS = f"arn:aws:iam::{ACCOUNT}:policy/leastwise/0123456789abcdef"
OLD = f"arn:aws:iam::{ACCOUNT}:policy/old"
GUARD = f"arn:aws:iam::{ACCOUNT}:policy/a-guard"


def rich() -> World:
    """A user with something of every kind, some of it denying."""
    return World(
        inline={"own": allow("s3:GetObject"), "a deny": deny("sqs:*")},
        managed={
            FOREIGN: allow("s3:GetObject"),
            OLD: allow("s3:PutObject"),
            GUARD: deny("sns:*"),
            FORMER: allow(*KEPT),
        },
        attached={OLD, GUARD, FORMER},
        groups={
            "devs": Group({"limits": both(allow("iam:PassRole"), deny("iam:PassRole"))}, {FOREIGN}),
            "all": Group(),
        },
        member_of={"devs", "all"},
    )


def replacement(world: World | None = None, *, stays: tuple[PolicySource, ...] = ()) -> PlanRecord:
    """A plan that puts two policies in the place of what the user has."""
    documents = (both(allow("s3:GetObject"), deny("sqs:*", "sns:*", "iam:PassRole")), allow("s3:PutObject"))
    return replacing((world or rich()).detail(START), documents=documents, stays=stays)


def test_a_boundary_plan_creates_its_policy_before_it_is_used() -> None:
    record = proposed(World().detail(START))
    arn = boundary_arn(record.plan)

    assert [(step.kind, step.target) for step in apply_steps(record.plan, record.snapshot)] == [
        (StepKind.CREATE_POLICY, arn),
        (StepKind.PUT_BOUNDARY, arn),
    ]


def test_a_replacement_puts_everything_new_on_before_anything_old_goes_and_denies_go_last() -> None:
    record = replacement()

    assert [(step.kind.value, step.target) for step in apply_steps(record.plan, record.snapshot)] == [
        ("create_policy", f"{OURS}-1"),
        ("create_policy", f"{OURS}-2"),
        ("attach_policy", f"{OURS}-1"),
        ("attach_policy", f"{OURS}-2"),
        ("detach_policy", FORMER),
        ("detach_policy", OLD),
        ("delete_inline", "own"),
        ("detach_policy", GUARD),
        ("delete_inline", "a deny"),
        ("remove_from_group", "devs"),
    ]


def test_what_stays_is_not_touched() -> None:
    stays = (
        PolicySource(PolicyKind.MANAGED, "a-guard", GUARD),
        PolicySource(PolicyKind.INLINE, "own"),
        PolicySource(PolicyKind.GROUP_INLINE, "limits", None, "devs"),
        PolicySource(PolicyKind.GROUP_MANAGED, "limits", FOREIGN, "devs"),
    )
    record = replacement(stays=stays)

    assert [step.target for step in apply_steps(record.plan, record.snapshot)[4:]] == [FORMER, OLD, "a deny"]
    with pytest.raises(SafetyError, match="some policies of the group devs"):
        apply_steps(record.plan.model_copy(update={"stays": stays[:3]}), record.snapshot)


def test_a_patch_has_no_steps_and_a_plan_with_too_many_is_refused() -> None:
    record = replacement()
    assert apply_steps(record.plan.model_copy(update={"strategy": Strategy.PATCH}), record.snapshot) == ()

    many = World(inline={f"policy-{number}": allow("s3:GetObject") for number in range(MAX_STEPS)})
    record = replacing(many.detail(START))
    with pytest.raises(SafetyError, match="calls"):
        apply_steps(record.plan, record.snapshot)


@settings(deadline=None)
@given(st.randoms())
def test_the_order_in_which_iam_lists_changes_no_step(random: object) -> None:
    detail = rich().detail(START)
    policies = list(detail.policies)
    random.shuffle(policies)  # type: ignore[attr-defined]
    shuffled = take_snapshot(detail.model_copy(update={"policies": tuple(policies), "groups": ("devs", "all")}))
    record = replacement()

    assert apply_steps(record.plan, shuffled) == apply_steps(record.plan, record.snapshot)
    assert state_of(shuffled) == state_of(detail)


def test_the_states_along_a_plan_lead_from_the_snapshot_to_what_the_plan_wants() -> None:
    record = replacement()
    states = states_along(record.plan, record.snapshot)
    wanted = World(
        inline={},
        managed=rich().managed
        | dict(zip(own_arns(record.plan), (one.document for one in record.plan.policies), strict=True)),
        attached=set(own_arns(record.plan)),
        groups={"all": Group()},
        member_of={"all"},
    )

    assert len(states) == len(apply_steps(record.plan, record.snapshot)) + 1
    assert states[0] == states[2] == state_of(rich().detail(START))
    assert states[-1] == state_of(wanted.detail(START))


@pytest.mark.parametrize(
    ("place", "number", "expected"),
    [
        (0, 0, Standing.DUE),
        (0, 1, Standing.DUE),  # creating changes nothing of the identity: it's made again, and found
        (0, 3, Standing.SHORT),
        (3, 3, Standing.DUE),
        (4, 3, Standing.BEYOND),
        (10, 3, Standing.BEYOND),
        (3, 9, Standing.SHORT),
    ],
)
def test_how_an_identity_stands_to_a_step(place: int, number: int, expected: Standing) -> None:
    record = replacement()
    states = states_along(record.plan, record.snapshot)
    assert standing(states[place], states, number) is expected


def changed(state: IdentityState) -> list[IdentityState]:
    """The same state with one thing changed by somebody else."""
    return [
        replace(state, identity_id="AIDAEXAMPLE0002"),
        replace(state, attached={**state.attached, OLD: "another document"}),
        replace(state, attached={**state.attached, FOREIGN: "new"}),
        replace(state, inline={}),
        replace(state, groups={**state.groups, "devs": "other policies"}),
        replace(state, groups={}),
        replace(state, boundary=None if state.boundary else Held(FOREIGN, "digest")),
    ]


def test_whatever_somebody_else_changes_is_strange() -> None:
    record = replacement()
    states = states_along(record.plan, record.snapshot)
    assert [standing(one, states, 3) for one in changed(states[0])] == [Standing.STRANGE] * 7


def test_true_and_one_are_not_the_same_document() -> None:
    one, other = (World(inline={"own": {"Statement": [{"Condition": value}]}}).detail(START) for value in (True, 1))
    assert state_of(one) != state_of(other)


@pytest.mark.parametrize(
    ("arn", "plan", "ours"),
    [
        (OURS, "0123456789abcdef", True),
        (f"{OURS}-2", "0123456789abcdef", True),
        (f"{OURS}-r12", "0123456789abcdef", True),
        (FOREIGN, "limits", False),
    ],
)
def test_a_policys_name_tells_the_plan(arn: str, plan: str, *, ours: bool) -> None:
    assert (plan_of(arn), is_ours(arn)) == (plan, ours)


def test_former_plans_are_those_whose_policies_the_snapshot_holds_and_not_its_copies() -> None:
    second = f"arn:aws:iam::{ACCOUNT}:policy/leastwise/bbbbbbbbbbbbbbbb"
    world = World(boundary=FORMER, attached={f"{second}-1", f"{second}-2", f"{OURS}-r1", FOREIGN})
    world.managed |= dict.fromkeys({FORMER, f"{second}-1", f"{second}-2", f"{OURS}-r1"}, allow("s3:GetObject"))

    assert former_plans(take_snapshot(world.detail(START))) == ("a" * 16, "b" * 16)
    assert former_plans(take_snapshot(World().detail(START))) == ()


def test_an_identity_carries_a_plan_as_long_as_it_holds_all_that_the_plan_gave_it() -> None:
    bounded, replaced = proposed(World().detail(START)), replacement()
    world = World(boundary=own_arn(bounded), attached=set(own_arns(replaced.plan)))
    world.managed |= dict.fromkeys({OURS, *own_arns(replaced.plan)}, allow(*HELD))

    assert carries(world.detail(START), bounded.plan)
    assert carries(world.detail(START), replaced.plan)
    world.boundary = None
    world.attached.discard(f"{OURS}-2")
    assert not carries(world.detail(START), bounded.plan)
    assert not carries(world.detail(START), replaced.plan)


# ---- taking back


def undo_all(record: PlanRecord, world: World, *gone: str) -> tuple[list[tuple[int, str, str]], tuple[str, ...]]:
    """What is left to give back when every step was begun, and what can't be put back."""
    steps = apply_steps(record.plan, record.snapshot)
    left = Undo.of(record.plan, record.snapshot, range(len(steps))).left(state_of(world.detail(START)), gone)
    return [(call.number, call.step.kind.value, call.step.target) for call in left.give], left.drift


def test_what_was_taken_off_comes_back_in_the_opposite_order_under_numbers_of_its_own() -> None:
    record = replacement()
    bare = World(inline={}, managed=rich().managed, groups=rich().groups, member_of={"all"})

    assert undo_all(record, bare) == (
        [
            (509, "add_to_group", "devs"),
            (508, "put_inline", "a deny"),
            (507, "attach_policy", GUARD),
            (506, "put_inline", "own"),
            (505, "attach_policy", OLD),
            (504, "attach_policy", FORMER),
        ],
        (),
    )


def test_nothing_is_left_for_an_identity_that_is_as_the_snapshot_has_it() -> None:
    assert undo_all(replacement(), rich()) == ([], ())


def test_only_steps_that_were_begun_are_taken_back() -> None:
    record = replacement()
    bare = state_of(World(inline={}, managed={}).detail(START))

    left = Undo.of(record.plan, record.snapshot, {0, 5}).left(bare)

    assert [call.step.target for call in left.give] == [OLD]
    assert [call.step.target for call in left.delete] == [f"{OURS}-1"]
    assert Undo.of(record.plan, record.snapshot, {0, 5}).left(None).give == ()


def test_our_policies_are_taken_off_where_they_are_attached() -> None:
    record = replacement()
    world = rich()
    world.managed |= dict.fromkeys(own_arns(record.plan), allow(*KEPT))
    world.attached.add(f"{OURS}-2")

    left = Undo.of(record.plan, record.snapshot, range(10)).left(state_of(world.detail(START)))

    assert [(call.number, call.step.target) for call in left.take_off] == [(503, f"{OURS}-2")]


def test_what_is_gone_comes_back_as_a_copy_with_the_snapshots_document() -> None:
    record = replacement()
    bare = World(inline={"own": allow("s3:GetObject"), "a deny": deny("sqs:*")}, managed=rich().managed, groups={})
    bare.attached = {GUARD, FORMER}

    give, drift = undo_all(record, bare, OLD, "devs")

    places = {policy.source: place for place, policy in enumerate(record.snapshot.policies)}
    limits, old = (
        places[PolicySource(PolicyKind.GROUP_INLINE, "limits", None, "devs")],
        places[PolicySource(PolicyKind.MANAGED, "old", OLD)],
    )
    assert sorted(target for _, _, target in give) == sorted(
        [f"{OURS}-r{limits + 1}", f"{OURS}-r{limits + 1}", FOREIGN, f"{OURS}-r{old + 1}", f"{OURS}-r{old + 1}"]
    )
    assert f"the inline policy limits of the group devs is {OURS}-r{limits + 1} now" in drift

    bare.managed |= {f"{OURS}-r{old + 1}": allow("s3:PutObject"), f"{OURS}-r{limits + 1}": allow("iam:PassRole")}
    bare.attached |= {f"{OURS}-r{old + 1}", f"{OURS}-r{limits + 1}", FOREIGN}
    give, drift = undo_all(record, bare, OLD, "devs")
    assert give == []
    assert f"the policy {OLD} is gone; {OURS}-r{old + 1} has its document" in drift


def test_a_former_policy_of_ours_that_is_gone_is_made_again_as_itself() -> None:
    world = rich()
    world.attached.discard(FORMER)

    give, _ = undo_all(replacement(), world, FORMER)

    assert [(kind, target) for _, kind, target in give] == [("create_policy", FORMER), ("attach_policy", FORMER)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda world: world.inline.update(own=allow("sqs:SendMessage")), "somebody else made an inline policy own"),
        (lambda world: world.managed.update({OLD: allow("sqs:*")}), f"the policy {OLD} has another document by now"),
        (lambda world: world.groups["devs"].attached.clear(), "the group devs has other policies by now"),
    ],
)
def test_what_others_changed_meanwhile_stays_and_is_told(change: object, told: str) -> None:
    world = rich()
    change(world)  # type: ignore[operator]

    give, drift = undo_all(replacement(), world)

    assert give == []
    assert [sentence for sentence in drift if sentence.startswith(told)]


def test_a_former_boundary_is_restored_from_the_snapshot_alone() -> None:
    world = World(boundary=FORMER)
    world.managed[FORMER] = allow("s3:GetObject")
    record = proposed(world.detail(START))
    snapshot = Snapshot.model_validate_json(record.snapshot.model_dump_json())
    world.managed[boundary_arn(record.plan)] = allow(*KEPT)
    world.boundary = boundary_arn(record.plan)

    left = Undo.of(record.plan, snapshot, {0, 1}).left(state_of(world.detail(START)))

    create, put = (call.step for call in left.give)
    assert (create.kind, create.target, put.kind, put.target) == (
        StepKind.CREATE_POLICY,
        FORMER,
        StepKind.PUT_BOUNDARY,
        FORMER,
    )
    assert create.policy
    assert create.policy.document == allow("s3:GetObject")


@pytest.mark.parametrize(
    ("boundary", "told"), [(FOREIGN, f"somebody else set the permissions boundary {FOREIGN}"), (None, "took the")]
)
def test_a_boundary_that_others_set_or_took_off_is_left_alone_and_told(boundary: str | None, told: str) -> None:
    world = World(boundary=FORMER)
    world.managed[FORMER] = allow(*HELD)
    record = proposed(world.detail(START))
    world.boundary = boundary

    give, drift = undo_all(record, world)

    assert give == []
    assert told in drift[0]
