"""The reconciler on moto: what a lost message or a crash left undone is asked for, and orphans are collected."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.remediator.handler import handle_verdicts
from services.remediator.history import reversion_of
from services.remediator.reconciling import edge
from services.remediator.reconciling.due import expired
from services.remediator.reconciling.handler import handle_schedule
from services.remediator.watching.lines import Line
from services.remediator.watching.tellings import telling_of
from services.remediator.working.edge import Work
from shared.aws import clients
from shared.aws.journal import Current
from shared.aws.own_policies import OwnPolicies, OwnPolicy
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DependencyError
from shared.model.plan import PlanStatus, Reason, ReasonCode, Regret
from tests.builders import failed, sqs_event
from tests.integration.remediator_house import GOOD, House, killed
from tests.integration.test_watching import LOST, deny, events

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ORPHAN = "f" * 16


@pytest.fixture(autouse=True)
def boundaries_are_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """IAM lists how many identities have a policy as their boundary, which moto leaves out."""
    real = OwnPolicies.list

    def counted(self: OwnPolicies) -> Iterator[OwnPolicy]:
        return (one._replace(boundaries=int(one.arn == house.boundary)) for one in real(self))

    monkeypatch.setattr(OwnPolicies, "list", counted)


def run(house: House) -> dict[str, int]:
    """One run; what it found, without what it found none of."""
    return {name: count for name, count in handle_schedule({}, house.context).items() if count}


def left(house: House, status: PlanStatus, *, reason: Reason | None = None) -> None:
    """Leave the latest plan as a crash would."""
    changes = {"status": status, "reason": reason, "updated_at": house.now()}
    house.journal.save(house.record().model_copy(update=changes))


def note_regret(house: House) -> None:
    """As if people had been told of the action that was lost."""
    told = telling_of(Line((house.record(),)), Regret(action=LOST, denied_at=house.now(), lost=(LOST,)))
    house.journal.note_told(house.plan_id(), told, now=house.now())


def copy_of(house: House, plan_id: str, *, updated_at: datetime | None = None, **changes: Any) -> None:
    """Another plan in the journal, as the latest one was but for these fields."""
    record = house.record()
    plan = record.plan.model_copy(update={"plan_id": plan_id, **changes})
    at = updated_at or record.updated_at
    house.journal.save(record.model_copy(update={"plan": plan, "version": 0, "updated_at": at}))


def make_policy(name: str = ORPHAN) -> str:
    """A managed policy under our path; its ARN."""
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = clients.iam().create_policy(PolicyName=name, Path="/leastwise/", PolicyDocument=document)
    return made["Policy"]["Arn"]


def test_when_all_is_well_nothing_is_asked_for(house: House) -> None:
    house.applied_plan()
    house.ahead = 3 * DAY
    assert run(house) == {}
    assert (events(house), house.changes) == ({}, [])


# ---- what was begun


@pytest.mark.parametrize(
    ("status", "asked"), [(PlanStatus.APPLYING, "PlanDue"), (PlanStatus.ROLLING_BACK, "RestorationDue")]
)
def test_a_plan_that_stands_still_is_asked_for_again_until_it_moves(
    house: House, status: PlanStatus, asked: str
) -> None:
    house.applied_plan()
    left(house, status, reason=Reason(code=ReasonCode.DRIFT, message="somebody changed it"))
    house.ahead = 14 * MINUTE
    assert run(house) == {}
    house.ahead = 16 * MINUTE
    assert run(house) == run(house) == {"PlansInterrupted": 1}
    (first, second) = events(house)[asked]
    assert first["event_id"] == second["event_id"]
    assert first["plan_id"] == house.plan_id()


def test_the_remediator_goes_on_with_what_was_interrupted(house: House) -> None:
    house.applied_plan()
    left(house, PlanStatus.APPLYING)
    house.ahead = 16 * MINUTE
    run(house)
    (asked,) = (event for event in house.stack.published() if event["detail-type"] == "PlanDue")
    assert failed(handle_verdicts(sqs_event(json.dumps(asked), GOOD), house.context)) == []
    assert house.record().status is PlanStatus.APPLIED


@pytest.mark.parametrize("call", ["CreatePolicy", "PutRolePermissionsBoundary"])
@pytest.mark.parametrize("against", ["observe", "approve", "hold"])
def test_what_was_begun_and_changed_nothing_yet_goes_through_mode_and_holds_again(
    house: House, against: str, call: str
) -> None:
    house.mode("auto")
    with house.at_call(call, killed, before=True):
        assert house.verdict() == ["m0"]
    if call != "CreatePolicy":  # it may have been made, as far as anybody knows: so it is finished
        assert house.record().status is PlanStatus.APPLYING
    if against == "hold":
        start, end = house.now() - HOUR, house.now() + HOUR
        house.safeguards(holds=[{"start": start.isoformat(), "end": end.isoformat(), "reason": "year end"}])
    else:
        house.mode(against)
    house.ahead = 16 * MINUTE
    events(house)
    run(house)
    (asked,) = (event for event in house.stack.published() if event["detail-type"] == "PlanDue")

    assert failed(handle_verdicts(sqs_event(json.dumps(asked), GOOD), house.context)) == []
    house.verdict()

    status = PlanStatus.PROPOSED if call == "CreatePolicy" else PlanStatus.APPLIED
    assert (house.record().status, bool(house.boundary)) == (status, call != "CreatePolicy")


# ---- proposals


def test_a_proposal_that_nobody_acts_on_expires_and_says_so(house: House) -> None:
    house.verdict()
    events(house)
    assert run(house) == {}
    house.ahead = 25 * HOUR
    assert run(house) == {"ProposalsExpired": 1}
    ((skipped,),) = events(house).values()
    assert (skipped["code"], skipped["plan_id"]) == (ReasonCode.EXPIRED, house.plan_id())
    assert house.record().status is PlanStatus.SKIPPED
    assert run(house) == {}


def test_when_its_notice_is_over_the_remediator_is_asked_and_applies_the_plan(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.mode("auto")
    house.verdict()
    assert house.boundary is None
    events(house)
    house.ahead = 71 * HOUR
    assert run(house) == {}
    house.ahead = 73 * HOUR
    house.use("iam:GetUser", at=house.now())  # the trail goes on
    house.use("iam:GetUser", at=house.now() - 2 * DAY)
    assert run(house) == {"NoticesOver": 1}
    (asked,) = (event for event in house.stack.published() if event["detail-type"] == "PlanDue")
    assert asked["detail"]["why"] == "notice_over"
    house.score(age=-house.ahead)
    assert failed(handle_verdicts(sqs_event(json.dumps(asked), GOOD), house.context)) == []
    assert house.boundary
    assert run(house) == {"ProposalsExpired": 1}  # the proposal, in whose place a plan with newer evidence was applied
    assert run(house) == {}


def test_who_writes_to_a_proposal_at_the_same_time_wins(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.verdict()
    house.ahead = 25 * HOUR

    def beaten(record: Any, *, now: datetime) -> Any:
        house.journal.save(record)
        return expired(record, now=now)

    monkeypatch.setattr(edge, "expired", beaten)
    assert run(house) == {}
    assert house.record().status is PlanStatus.PROPOSED


# ---- regrets


def test_a_regret_whose_message_was_lost_is_found_once(house: House) -> None:
    house.applied_plan()
    deny(house, LOST)
    assert run(house) == {"RegretsMissed": 1}
    (asked,) = events(house)["RestorationDue"]
    assert (asked["code"], asked["plan_id"]) == (ReasonCode.REGRET, house.plan_id())
    note_regret(house)
    assert run(house) == {}
    assert events(house) == {}


def test_a_regret_that_is_told_but_not_given_back_is_asked_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    house.applied_plan()
    deny(house, LOST)
    note_regret(house)
    assert run(house) == {}
    assert list(events(house)) == ["RestorationDue"]


def test_one_identity_that_cannot_be_read_is_counted_and_keeps_nobody_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.applied_plan()
    make_policy()
    house.ahead = 2 * DAY

    def unreadable(*_: object, **__: object) -> None:
        raise DependencyError("throttled")

    monkeypatch.setattr(UsageLedger, "read", unreadable)
    assert run(house) == {"ReconcileFailures": 1, "OrphansDeleted": 1}


# ---- policies that nobody needs


def test_a_policy_of_ours_without_a_plan_is_deleted_after_a_day_with_its_intent_on_paper(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.applied_plan()
    make_policy()
    written: list[str] = []
    monkeypatch.setattr(
        "shared.aws.journal.Journal.note_orphan",
        lambda self, plan_id, arn, outcome, *, now: written.append(
            f"{outcome or 'intent'} {len(house.own_policies())}"
        ),
    )
    house.ahead = 23 * HOUR
    assert run(house) == {}
    house.ahead = 25 * HOUR
    assert run(house) == {"OrphansDeleted": 1}
    assert written == ["intent 2", "done 1"]
    assert [arn.rsplit("/", 1)[-1] for arn in house.own_policies()] == [house.plan_id()]


def test_a_policy_in_use_or_of_somebodys_own_naming_stays(house: House) -> None:
    house.applied_plan()
    attached, named = make_policy(), make_policy("of-somebody")
    clients.iam().attach_role_policy(RoleName=house.role.name, PolicyArn=attached)
    house.ahead = 2 * DAY
    assert run(house) == {}
    assert {attached, named} <= set(house.own_policies())


def test_a_policy_that_is_attached_just_before_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    make_policy()
    house.ahead = 2 * DAY
    real = OwnPolicies.delete

    def late(self: OwnPolicies, arn: str) -> bool:
        clients.iam().attach_role_policy(RoleName=house.role.name, PolicyArn=arn)
        return real(self, arn)

    monkeypatch.setattr(OwnPolicies, "delete", late)
    assert run(house) == {}
    assert len(house.own_policies()) == 1


def test_what_is_left_of_a_plan_that_ended_is_collected_but_not_while_somebody_changes_the_identity(
    house: House,
) -> None:
    house.applied_plan()
    clients.iam().delete_role_permissions_boundary(RoleName=house.role.name)
    left(house, PlanStatus.ROLLED_BACK)
    house.ahead = 2 * DAY
    token = house.journal.claim(house.role, "another", now=house.now(), lease=HOUR)
    assert run(house) == {}
    house.journal.release(house.role, token, now=house.now())
    assert run(house) == {"OrphansDeleted": 1}
    assert house.own_policies() == []


def test_a_plan_whose_policy_hangs_on_nobody_is_looked_at_by_the_remediator(house: House) -> None:
    house.applied_plan()
    clients.iam().delete_role_permissions_boundary(RoleName=house.role.name)
    house.ahead = 2 * DAY
    assert run(house) == {"PlansDeserted": 1}
    (asked,) = (event for event in house.stack.published() if event["detail-type"] == "PlanDue")
    assert len(house.own_policies()) == 1
    assert failed(handle_verdicts(sqs_event(json.dumps(asked), GOOD), house.context)) == []
    assert house.own_policies() == []


def test_a_plan_that_somebody_undid_is_looked_at_only_once(house: House) -> None:
    house.applied_plan()
    undone = reversion_of(house.record())
    house.journal.set_current(
        house.role, Current(house.plan_id(), "undone", (undone,)), now=house.now(), token=house.record().fencing_token
    )
    clients.iam().delete_role_permissions_boundary(RoleName=house.role.name)
    house.ahead = 2 * DAY
    assert run(house) == {}


# ---- what was not told


def test_an_outcome_that_was_saved_but_could_not_be_told_is_told_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Work, "announce", killed)
        house.mode("auto")
        assert house.verdict() == ["m0"]
    assert house.boundary
    events(house)
    assert run(house) == {"OutcomesUntold": 1}
    assert list(events(house)) == ["PolicyApplied"]
    assert run(house) == {}


# ---- limits


def test_while_the_mode_is_off_nothing_is_asked_for_and_nothing_deleted(house: House) -> None:
    house.applied_plan()
    left(house, PlanStatus.APPLYING)
    make_policy()
    house.ahead = 2 * DAY
    house.mode("off")
    assert run(house) == {}
    assert (events(house), len(house.own_policies())) == ({}, 2)


def test_where_the_mode_cannot_be_read_nothing_is_done(house: House) -> None:
    make_policy()
    house.ahead = 2 * DAY
    clients.ssm().delete_parameter(Name=house.stack.mode_parameter)
    with pytest.raises(DependencyError):
        run(house)
    assert len(house.own_policies()) == 1


def test_a_run_does_a_bounded_part_and_the_next_one_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MAX_OF_A_KIND", 2)
    for number in range(3):
        make_policy(f"{number:016x}")
    house.ahead = 2 * DAY
    assert run(house) == {"OrphansDeleted": 2, "ReconcileLeft": 1}
    assert run(house) == {"OrphansDeleted": 1}


def test_what_need_not_be_done_keeps_nothing_waiting_and_what_waited_longest_comes_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "MAX_OF_A_KIND", 2)
    house.verdict()
    for number in range(3):
        copy_of(house, f"{number:016x}")  # newer than those that ran out, and not due
        copy_of(house, f"{number:015x}f", expires_at=house.now(), updated_at=house.now() - number * DAY)
    house.told()

    assert [run(house).get("ProposalsExpired", 0) for _ in range(3)] == [2, 1, 0]

    ended = [event["plan_id"] for event in house.stack.told("RemediationSkipped")]
    assert ended == [f"{number:015x}f" for number in (2, 1, 0)]


def test_a_record_that_cannot_be_read_is_counted_and_keeps_no_other_waiting(house: House) -> None:
    house.applied_plan()
    left(house, PlanStatus.APPLYING)
    copy_of(house, ORPHAN, updated_at=house.now() - DAY)
    table = house.stack.table(house.stack.journal_table)
    broken = table.get(f"PLAN#{ORPHAN}", "PLAN")
    assert broken
    table.put({**broken, "record": {}})
    house.ahead = 16 * MINUTE
    assert run(house) == {"PlansInterrupted": 1, "ReconcileFailures": 1}


def test_a_run_stops_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    make_policy()
    house.ahead = 2 * DAY
    monkeypatch.setattr(type(house.context), "get_remaining_time_in_millis", staticmethod(lambda: 10_000))
    assert run(house) == {"ReconcileLeft": 1}
    assert len(house.own_policies()) == 1


def test_every_count_is_a_metric_also_when_it_is_zero(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    handle_schedule({}, house.context)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if '"PlansInterrupted"' in line and "_aws" in line)
    assert {name: json.loads(line)[name] for name in edge.COUNTED} == {name: [0.0] for name in edge.COUNTED}
