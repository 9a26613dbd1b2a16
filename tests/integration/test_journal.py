"""The journal of changes on DynamoDB: locks with fencing tokens, optimistic plans, steps written ahead."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from shared.aws.journal import Current, Journal
from shared.errors import ConflictError
from shared.model.plan import (
    Plan,
    PlannedPolicy,
    PlanRecord,
    PlanStatus,
    Proofs,
    Reason,
    ReasonCode,
    Snapshot,
    Step,
    StepKind,
    Strategy,
)
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from tests.builders import ANA, DEPLOYER, NOW
from tests.conftest import Stack, in_threads

LEASE = timedelta(minutes=5)
DOCUMENT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
STEP = Step(kind=StepKind.PUT_BOUNDARY, policy_arn="arn:aws:iam::123456789012:policy/leastwise/p")
RECORD = PlanRecord(
    plan=Plan(
        plan_id="plan-1",
        identity=ANA,
        strategy=Strategy.BOUNDARY,
        fingerprint="f",
        policies=(PlannedPolicy(name="p", document=DOCUMENT),),
        removes=tuple(f"service:Action{number:05d}" for number in range(25_000)),
        keeps=("s3:GetObject",),
        proofs=Proofs(no_new_access=ProofVerdict.NO_NEW_ACCESS, replay=True, replayed_uses=3),
        pci_before=87.25,
        pci_after=12.5,
        coverage=CoverageSummary(window_days=90, observed_days=60),
        created_at=NOW,
        expires_at=NOW + timedelta(hours=24),
    ),
    snapshot=Snapshot(identity=ANA, taken_at=NOW, fingerprint="f", policies=(DOCUMENT,), boundary_arn=None),
    status=PlanStatus.PROPOSED,
    trigger="compliance",
    updated_at=NOW,
)
PLAN = RECORD.plan


@pytest.fixture
def journal(aws: Stack) -> Journal:
    return Journal(aws.table(aws.journal_table))


def test_a_plan_that_takes_everything_of_an_administrator_fits_and_is_read_back(journal: Journal) -> None:
    assert journal.get("plan-1") is None
    assert journal.save(RECORD).version == 1
    assert journal.get("plan-1") == RECORD.model_copy(update={"version": 1})


def test_a_plan_is_only_replaced_by_who_read_its_last_version(journal: Journal) -> None:
    first = journal.save(RECORD)
    reason = Reason(code=ReasonCode.DRIFT, message="x")
    second = journal.save(first.model_copy(update={"status": PlanStatus.SKIPPED, "reason": reason}))
    for stale in (RECORD, first):
        with pytest.raises(ConflictError):
            journal.save(stale)
    assert journal.get("plan-1") == second
    assert (second.version, second.status, second.reason) == (2, PlanStatus.SKIPPED, reason)


def test_a_lock_keeps_others_out_until_it_is_given_back_or_its_lease_ends(journal: Journal) -> None:
    assert journal.claim(ANA, "a", now=NOW, lease=LEASE) == 1
    with pytest.raises(ConflictError, match="is being changed by another delivery"):
        journal.claim(ANA, "b", now=NOW + LEASE - timedelta(seconds=1), lease=LEASE)
    assert journal.claim(DEPLOYER, "b", now=NOW, lease=LEASE) == 1
    journal.release(ANA, 1, now=NOW)
    assert journal.claim(ANA, "b", now=NOW, lease=LEASE) == 2
    assert journal.claim(ANA, "c", now=NOW + LEASE, lease=LEASE) == 3, "a crashed owner's lease has ended"


def test_the_owner_may_claim_again_and_gets_a_newer_token(journal: Journal) -> None:
    tokens = [journal.claim(ANA, "a", now=NOW, lease=LEASE) for _ in range(3)]
    assert tokens == [1, 2, 3]


def test_a_lock_that_is_somebody_elses_by_now_is_not_given_back(journal: Journal) -> None:
    old = journal.claim(ANA, "a", now=NOW, lease=LEASE)
    journal.claim(ANA, "b", now=NOW + LEASE, lease=LEASE)
    journal.release(ANA, old, now=NOW + LEASE)
    with pytest.raises(ConflictError):
        journal.claim(ANA, "c", now=NOW + LEASE, lease=LEASE)


def test_of_many_who_claim_at_the_same_time_one_gets_the_lock(journal: Journal, atomic_calls: None) -> None:
    tokens: list[int] = []

    def claim(owner: str) -> None:
        try:
            tokens.append(journal.claim(ANA, owner, now=NOW, lease=LEASE))
        except ConflictError:
            return

    in_threads(*(partial(claim, owner) for owner in "abcdef"))
    assert tokens == [1]


def test_a_call_is_written_down_before_it_is_made_and_its_outcome_after(journal: Journal) -> None:
    token = journal.claim(ANA, "a", now=NOW, lease=LEASE)
    journal.intend(PLAN, 2, STEP, token=token, now=NOW)
    journal.intend(PLAN, 1, STEP, token=token, now=NOW)
    journal.note(PLAN, 1, STEP, "done", token=token, now=NOW)
    journal.intend(PLAN.model_copy(update={"plan_id": "plan-2"}), 1, STEP, token=token, now=NOW)
    steps = journal.steps("plan-1")
    assert [(step["sk"], step["outcome"]) for step in steps] == [("STEP#001", "done"), ("STEP#002", "")]
    assert {(step["kind"], step["policy_arn"]) for step in steps} == {("put_boundary", STEP.policy_arn)}


def test_who_has_no_lock_cannot_begin_a_call(journal: Journal) -> None:
    with pytest.raises(ConflictError, match="by another delivery"):
        journal.intend(PLAN, 1, STEP, token=1, now=NOW)
    assert journal.steps("plan-1") == []


def test_who_lost_the_lock_can_neither_begin_a_call_nor_overwrite_the_next_owners(journal: Journal) -> None:
    old = journal.claim(ANA, "a", now=NOW, lease=LEASE)
    new = journal.claim(ANA, "b", now=NOW + LEASE, lease=LEASE)
    journal.intend(PLAN, 1, STEP, token=new, now=NOW)
    with pytest.raises(ConflictError):
        journal.intend(PLAN, 1, STEP, token=old, now=NOW)
    with pytest.raises(ConflictError):
        journal.note(PLAN, 1, STEP, "done", token=old, now=NOW)
    assert [step["outcome"] for step in journal.steps("plan-1")] == [""]


def test_the_budget_of_an_hour_is_spent_once_and_renewed_in_the_next(journal: Journal) -> None:
    def spend() -> bool:
        return journal.spend(ANA.account_id, now=NOW, limit=2)

    assert [spend() for _ in range(4)] == [True, True, False, False]
    assert journal.spend("210987654321", now=NOW, limit=1)
    assert journal.spend(ANA.account_id, now=NOW + timedelta(hours=1), limit=1)
    assert not journal.spend("999999999999", now=NOW, limit=0)


def test_a_budget_is_never_overspent_by_many_at_the_same_time(journal: Journal, atomic_calls: None) -> None:
    granted: list[bool] = []

    def spend() -> None:
        try:
            granted.append(journal.spend(ANA.account_id, now=NOW, limit=3))
        except ConflictError:
            granted.append(False)

    in_threads(*[spend] * 6)
    assert 1 <= sum(granted) <= 3


def test_an_identity_points_to_its_latest_plan_and_why_it_is_parked(journal: Journal) -> None:
    assert journal.current(ANA) is None
    journal.set_current(ANA, Current("plan-1", ""), now=NOW)
    journal.set_current(ANA, Current("plan-2", "failed"), now=NOW)
    assert journal.current(ANA) == Current("plan-2", "failed")
    assert journal.current(DEPLOYER) is None
