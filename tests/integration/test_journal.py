"""The journal of changes on DynamoDB: locks with fencing tokens, optimistic plans, steps written ahead."""

import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from shared.aws.journal import Current, Journal
from shared.errors import ConflictError, InputError
from shared.model.identity import Policy
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
from shared.model.sources import PolicyKind, PolicySource
from shared.model.spending import Spending
from tests.builders import ANA, DEPLOYER, NOW
from tests.conftest import Stack, in_threads

LEASE = timedelta(minutes=5)
DOCUMENT: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
HELD = Policy(source=PolicySource(PolicyKind.INLINE, "own"), document=DOCUMENT)
STEP = Step(kind=StepKind.PUT_BOUNDARY, target="arn:aws:iam::123456789012:policy/leastwise/p")
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
    snapshot=Snapshot(identity=ANA, taken_at=NOW, fingerprint="f", policies=(HELD,)),
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
    assert {(step["kind"], step["target"]) for step in steps} == {("put_boundary", STEP.target)}


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


def up_to(limit: int) -> Callable[[Spending], str]:
    def refusal(spending: Spending) -> str:
        return "enough" if spending.begun_within(timedelta(hours=1), NOW) >= limit else ""

    return refusal


def test_a_budget_is_spent_as_far_as_its_limit_and_is_another_in_each_account(journal: Journal) -> None:
    spent = [journal.spend(ANA.account_id, now=NOW, refusal=up_to(2)) for _ in range(4)]
    assert spent == ["", "", "enough", "enough"]
    assert journal.spend("210987654321", now=NOW, refusal=up_to(1)) == ""


def test_a_failure_is_counted_beside_what_was_begun(journal: Journal) -> None:
    journal.spend(ANA.account_id, now=NOW, refusal=up_to(5))
    journal.note_failure(ANA.account_id, now=NOW)
    seen: list[Spending] = []

    def look(spending: Spending) -> str:
        seen.append(spending)
        return ""

    journal.spend(ANA.account_id, now=NOW, refusal=look)
    hour = timedelta(hours=1)
    assert [(one.begun_within(hour, NOW), one.failed_within(hour, NOW)) for one in seen] == [(1, 1)]


def test_a_budget_of_the_first_form_is_taken_over(aws: Stack, journal: Journal) -> None:
    former = {"pk": f"ACCOUNT#{ANA.account_id}", "sk": "BUDGET", "budget_hour": "2026-03-01T12", "spent": 25}
    aws.table(aws.journal_table).put(former)
    assert journal.spend(ANA.account_id, now=NOW, refusal=up_to(1)) == ""
    assert journal.spend(ANA.account_id, now=NOW, refusal=up_to(1)) == "enough"


def test_a_budget_is_never_overspent_by_many_at_the_same_time(journal: Journal, atomic_calls: None) -> None:
    granted: list[bool] = []

    def spend() -> None:
        try:
            granted.append(journal.spend(ANA.account_id, now=NOW, refusal=up_to(3)) == "")
        except ConflictError:
            granted.append(False)

    in_threads(*[spend] * 6)
    assert 1 <= sum(granted) <= 3


def test_an_identity_points_to_its_latest_plan_and_why_it_is_parked(journal: Journal) -> None:
    assert journal.current(ANA) is None
    journal.set_current(ANA, Current("plan-1", ""), now=NOW, token=1)
    journal.set_current(ANA, Current("plan-2", "failed"), now=NOW, token=1)
    assert journal.current(ANA) == journal.current(ANA.identity_id) == Current("plan-2", "failed")
    journal.set_current(ANA, Current("plan-2", "", ("plan-1/then",)), now=NOW, token=1)
    assert journal.current(ANA) == Current("plan-2", "", ("plan-1/then",))
    assert journal.current(DEPLOYER) is None


def test_who_stood_still_longer_than_its_lease_writes_nothing_over_its_successor(journal: Journal) -> None:
    journal.save(RECORD.model_copy(update={"fencing_token": 2}))
    journal.set_current(ANA, Current("plan-2", ""), now=NOW, token=2)
    read_anew = journal.get(PLAN.plan_id)
    assert read_anew

    with pytest.raises(ConflictError):
        journal.save(read_anew.model_copy(update={"fencing_token": 1}))
    with pytest.raises(ConflictError):
        journal.set_current(ANA, Current("plan-1", ""), now=NOW, token=1)

    assert journal.get(PLAN.plan_id) == read_anew
    assert journal.current(ANA) == Current("plan-2", "")
    assert journal.save(read_anew).version == 2


def test_who_was_pointed_to_by_an_earlier_version_is_still_known(aws: Stack, journal: Journal) -> None:
    former = {"pk": f"IDENTITY#{ANA.identity_id}", "sk": "CURRENT", "plan_id": "plan-1", "parked": ""}
    aws.table(aws.journal_table).put(former)
    assert journal.current(ANA) == Current("plan-1", "")


# ---- finding plans by their status


def saved(journal: Journal, plan_id: str, hours: int, **changes: Any) -> PlanRecord:
    plan = PLAN.model_copy(update={"plan_id": plan_id, "removes": ("s3:PutObject",)})
    at = NOW + timedelta(hours=hours)
    return journal.save(RECORD.model_copy(update={"plan": plan, "updated_at": at, **changes}))


def found(journal: Journal, status: PlanStatus, *, since: datetime | None = None) -> list[str]:
    return [record.plan.plan_id for record in journal.with_status(ANA.account_id, status, since=since)]


def test_plans_are_found_by_their_status_newest_first(journal: Journal) -> None:
    for number in range(3):
        saved(journal, f"plan-{number}", number)
    saved(journal, "other", 1, status=PlanStatus.APPLIED)

    assert found(journal, PlanStatus.PROPOSED) == ["plan-2", "plan-1", "plan-0"]
    assert found(journal, PlanStatus.PROPOSED, since=NOW + timedelta(hours=1)) == ["plan-2", "plan-1"]
    assert found(journal, PlanStatus.APPLIED) == ["other"]
    assert list(journal.with_status("210987654321", PlanStatus.PROPOSED)) == []


def test_a_plan_is_found_only_by_the_status_it_has_now(journal: Journal) -> None:
    record = saved(journal, "plan-1", 0)
    journal.save(record.model_copy(update={"status": PlanStatus.APPLIED}))
    assert (found(journal, PlanStatus.PROPOSED), found(journal, PlanStatus.APPLIED)) == ([], ["plan-1"])


def test_the_plans_that_waited_longest_can_come_first(journal: Journal) -> None:
    for number in range(3):
        saved(journal, f"plan-{number}", number)
    records = journal.with_status(ANA.account_id, PlanStatus.PROPOSED, oldest_first=True)
    assert [record.plan.plan_id for record in records] == ["plan-0", "plan-1", "plan-2"]


SECRET = "hunter2-hunter2"  # noqa: S105 a canary


@pytest.mark.parametrize(
    "stored",
    [
        zlib.compress(b"{}"),
        zlib.compress(f'{{"status": "{SECRET}"}}'.encode()),
        zlib.compress(SECRET.encode()),
        SECRET.encode(),
        {},
    ],
    ids=["empty", "no state", "no JSON", "not compressed", "no bytes"],
)
def test_a_record_that_cannot_be_read_is_told_without_its_values_and_hides_no_other(
    aws: Stack, journal: Journal, stored: Any
) -> None:
    for number in range(3):
        saved(journal, f"plan-{number}", number)
    table = aws.table(aws.journal_table)
    item = table.get("PLAN#plan-1", "PLAN")
    assert item
    table.put({**item, "record": stored})

    with pytest.raises(InputError) as refused:
        journal.get("plan-1")
    unreadable: list[InputError] = []
    readable = list(journal.with_status(ANA.account_id, PlanStatus.PROPOSED, unreadable=unreadable.append))

    assert [record.plan.plan_id for record in readable] == ["plan-2", "plan-0"]
    assert [str(error) for error in unreadable] == [str(refused.value)]
    assert "PLAN#plan-1" in str(refused.value)
    assert SECRET not in str(refused.value)
    with pytest.raises(InputError):
        found(journal, PlanStatus.PROPOSED)


# ---- what was begun, told and collected


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [("", True), ("done", True), ("not done: DeniedError", False), ("not done any more: taken back", False)],
)
def test_a_call_counts_as_begun_unless_it_is_known_not_to_be_done(
    journal: Journal, outcome: str, *, counts: bool
) -> None:
    token = journal.claim(ANA, "a", now=NOW, lease=LEASE)
    journal.intend(PLAN, 7, STEP, token=token, now=NOW)
    if outcome:
        journal.note(PLAN, 7, STEP, outcome, token=token, now=NOW)
    assert journal.begun("plan-1") == (frozenset({7}) if counts else frozenset())


def test_what_was_told_of_a_plan_is_known(journal: Journal) -> None:
    assert journal.told("plan-1") == frozenset()
    for what in ("s3:getobject", "restored/plan-2", "s3:getobject"):
        journal.note_told("plan-1", what, now=NOW)
    assert journal.told("plan-1") == {"s3:getobject", "restored/plan-2"}
    assert journal.steps("plan-1") == []


def test_the_deletion_of_an_orphan_is_written_down_before_and_after(aws: Stack, journal: Journal) -> None:
    for outcome in ("", "done"):
        journal.note_orphan("plan-1", STEP.target, outcome, now=NOW)
        item = aws.table(aws.journal_table).get("PLAN#plan-1", "ORPHAN#p")
        assert item
        assert (item["target"], item["outcome"]) == (STEP.target, outcome)
