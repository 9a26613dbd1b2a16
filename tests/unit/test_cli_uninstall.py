"""What a removal makes of what it finds: by the plan's state, the holders, and what a person wants to keep."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from cli.leaving.deciding import Facts, Fate, steps_of, undecided, unused_keeps
from shared.model.identity import Policy
from shared.model.plan import Plan, PlannedPolicy, PlanRecord, PlanStatus, Proofs, Snapshot, Strategy
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicyKind, PolicySource
from tests.builders import ACCOUNT, ANA, DEPLOYER

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIRST, SECOND = "1" * 16, "2" * 16
IN_FORCE = [PlanStatus.APPLIED, PlanStatus.APPLYING, PlanStatus.ROLLING_BACK, PlanStatus.QUARANTINED]


class Listed(NamedTuple):
    """A policy as IAM lists it."""

    arn: str
    is_free: bool = True


def arn_of(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{name}"


def record(
    plan_id: str,
    status: PlanStatus,
    *,
    amends: str = "",
    hours_ago: int = 1,
    strategy: Strategy = Strategy.BOUNDARY,
    held_before: str = "",
) -> PlanRecord:
    plan = Plan(
        plan_id=plan_id,
        identity=ANA,
        strategy=strategy,
        fingerprint="f",
        policies=(PlannedPolicy(name=plan_id, document={}),),
        removes=(),
        keeps=(),
        amends=amends,
        proofs=Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=0),
        pci_before=80,
        pci_after=10,
        coverage=CoverageSummary(window_days=90, observed_days=60),
        created_at=NOW,
        expires_at=NOW,
    )
    at = NOW - timedelta(hours=hours_ago)
    held = PolicySource(kind=PolicyKind.MANAGED, name="before", arn=held_before or None)
    policies = (Policy(source=held, document={}),) if held_before else ()
    snapshot = Snapshot(identity=ANA, taken_at=at, fingerprint="f", policies=policies)
    return PlanRecord(plan=plan, snapshot=snapshot, status=status, trigger="test", applied_at=at, updated_at=at)


def facts(*records: PlanRecord, held_by: tuple[str, ...] = (), name: str = FIRST, is_free: bool = True) -> Facts:
    return Facts({one.plan.plan_id: one for one in records}, (Listed(arn_of(name), is_free),), {arn_of(name): held_by})


@pytest.mark.parametrize("status", IN_FORCE)
def test_what_is_in_force_is_given_back_and_its_policy_goes_with_it(status: PlanStatus) -> None:
    [step] = steps_of(facts(record(FIRST, status), held_by=(ANA.arn,)))
    assert (step.fate, step.arn, step.plan_id) == (Fate.GIVE_BACK, ANA.arn, FIRST)


@pytest.mark.parametrize("status", [status for status in PlanStatus if status not in IN_FORCE])
def test_what_is_not_in_force_is_not_given_back(status: PlanStatus) -> None:
    assert Fate.GIVE_BACK not in {step.fate for step in steps_of(facts(record(FIRST, status)))}


@pytest.mark.parametrize("name", [FIRST, f"{FIRST}-2", f"{FIRST}-r1"])
@pytest.mark.parametrize("status", [PlanStatus.ROLLED_BACK, PlanStatus.SKIPPED])
def test_a_policy_of_a_plan_that_ended_is_deleted(status: PlanStatus, name: str) -> None:
    [step] = steps_of(facts(record(FIRST, status), name=name))
    assert (step.fate, step.arn) == (Fate.DELETE, arn_of(name))


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (facts(), "no plan of this stack"),
        (facts(record(FIRST, PlanStatus.ROLLED_BACK), name="team-guard"), "no plan of this stack"),
        (facts(record(FIRST, PlanStatus.ROLLED_BACK), held_by=(ANA.arn,)), "ana"),
        (facts(record(FIRST, PlanStatus.ROLLED_BACK), is_free=False), "doesn't name"),
        (facts(record(FIRST, PlanStatus.PROPOSED)), "PROPOSED"),
        (facts(record(FIRST, PlanStatus.APPLIED), held_by=(ANA.arn, DEPLOYER.arn)), DEPLOYER.arn),
    ],
)
def test_a_policy_that_is_not_clearly_ours_alone_needs_a_person(found: Facts, word: str) -> None:
    [step] = undecided(steps_of(found))
    assert word in step.why
    kept = steps_of(found, {step.arn})
    is_in_force = any(one.status in IN_FORCE for one in found.records.values())
    assert bool(undecided(kept)) is is_in_force, "a plan can't be rolled back while somebody else holds its policy"
    assert Fate.DELETE not in {one.fate for one in kept}


def test_a_kept_identity_keeps_all_its_plans() -> None:
    found = facts(record(FIRST, PlanStatus.APPLIED), record(SECOND, PlanStatus.APPLIED), held_by=(ANA.arn,))
    assert {step.fate for step in steps_of(found, {ANA.arn})} == {Fate.KEEP}


@pytest.mark.parametrize("status", [PlanStatus.APPLYING, PlanStatus.ROLLING_BACK])
def test_what_is_under_way_is_given_back_whoever_is_kept(status: PlanStatus) -> None:
    [step] = steps_of(facts(record(FIRST, status), held_by=(ANA.arn,)), {ANA.arn})
    assert step.fate is Fate.GIVE_BACK


def test_what_a_person_must_look_at_may_stay_and_is_called_half_done() -> None:
    [step] = steps_of(facts(record(FIRST, PlanStatus.QUARANTINED), held_by=(ANA.arn,)), {ANA.arn})
    assert (step.fate, "half done" in step.why) == (Fate.KEEP, True)


def test_an_identity_that_a_person_stripped_gets_nothing_back_without_a_word() -> None:
    replaced = record(FIRST, PlanStatus.APPLIED, strategy=Strategy.REPLACE)
    stripped = facts(replaced)._replace(present=frozenset({ANA.arn}))
    [step] = steps_of(stripped)
    assert (step.fate, step.arn) == (Fate.DECIDE, ANA.arn)
    assert [one.fate for one in steps_of(stripped, {ANA.arn})] == [Fate.KEEP]
    for found in (facts(replaced), stripped._replace(holders={arn_of(FIRST): (ANA.arn,)})):
        assert [one.fate for one in steps_of(found)] == [Fate.GIVE_BACK], "gone, or as the plan left it"
    later = record(SECOND, PlanStatus.APPLIED, held_before=arn_of(FIRST))
    both = stripped._replace(records={FIRST: replaced, SECOND: later})
    assert {one.fate for one in steps_of(both)} == {Fate.GIVE_BACK}, "a later plan took its place"


def test_the_copy_of_a_policy_that_is_gone_stays_with_its_holder() -> None:
    ended = record(FIRST, PlanStatus.ROLLED_BACK)
    [step] = steps_of(facts(ended, held_by=(ANA.arn,), name=f"{FIRST}-r2"))
    assert step.fate is Fate.KEEP
    [other] = steps_of(facts(ended, held_by=(DEPLOYER.arn,), name=f"{FIRST}-r2"))
    assert other.fate is Fate.DECIDE


def test_the_latest_plan_comes_first_and_one_that_amends_another_last() -> None:
    old, new = record(FIRST, PlanStatus.APPLIED, hours_ago=9), record(SECOND, PlanStatus.APPLIED, hours_ago=5)
    amending = record("3" * 16, PlanStatus.APPLIED, amends=SECOND, hours_ago=1)
    found = Facts({one.plan.plan_id: one for one in (old, amending, new)}, (), {})
    assert [step.plan_id for step in steps_of(found)] == [SECOND, FIRST, "3" * 16]


def test_an_arn_to_keep_that_nothing_is_about_is_told() -> None:
    keep = [ANA.arn, DEPLOYER.arn]
    assert unused_keeps(steps_of(facts(record(FIRST, PlanStatus.APPLIED)), keep), keep) == (DEPLOYER.arn,)


def test_nothing_of_ours_needs_nothing() -> None:
    assert steps_of(Facts({}, (), {})) == ()
