"""What a crash or a lost event leaves of giving back: it is gone on with, told, and stands in no later plan's way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from services.remediator.changing.saga import Saga
from services.remediator.handler import handle_request as handle_wish
from shared.aws.eventbridge import Publisher
from shared.errors import DependencyError
from shared.events import DomainEvent
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode
from tests.builders import domain_body
from tests.integration.remediator_house import House, killed
from tests.integration.test_remediator_handlers_delivery import due
from tests.integration.test_watching import LOST, ask, begun, deny, events, hear, watched

__all__ = ["watched"]  # the fixture
OTHER = "lambda:TagResource"


@contextmanager
def untellable(*types: str) -> Iterator[None]:
    """Meanwhile, these events can't be published."""
    real = Publisher.publish

    def publish(self: Publisher, *told: DomainEvent) -> None:
        if any(event.type_name() in types for event in told):
            raise DependencyError("PutEvents")
        real(self, *told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Publisher, "publish", publish)
        yield


def status(house: House, plan_id: str) -> PlanStatus:
    record = house.journal.get(plan_id)
    assert record
    return record.status


# ---- a whole line


@pytest.fixture
def amended(watched: House, monkeypatch: pytest.MonkeyPatch) -> tuple[House, str, str]:
    """A plan, and one on top of it by which a person restored an action; another regret takes both back."""
    root = watched.plan_id()
    assert ask(watched, "restore", root, actions=[LOST], by="ana")["outcome"] == "APPLIED"
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "roll_back")
    deny(watched, OTHER)
    events(watched)
    return watched, root, watched.plan_id()


def test_given_a_crash_between_two_plans_of_a_line_then_the_rest_is_taken_back_at_the_next_delivery(
    amended: tuple[House, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, root, top = amended
    real = Saga.roll_back

    def roll_back(self: Saga, record: PlanRecord, reason: Reason) -> PlanRecord:
        if record.plan.plan_id == root:
            killed()
        return real(self, record, reason)

    with monkeypatch.context() as patch:
        patch.setattr(Saga, "roll_back", roll_back)
        assert hear(house) == ["m0"]
    assert (status(house, top), status(house, root)) == (PlanStatus.ROLLED_BACK, PlanStatus.APPLIED)

    assert hear(house) == []

    assert (house.boundary, house.own_policies(), status(house, root)) == (None, [], PlanStatus.ROLLED_BACK)


@pytest.mark.parametrize("call", ["PutRolePermissionsBoundary", "DeletePolicy", "DeleteRolePermissionsBoundary"])
def test_given_a_crash_within_a_line_then_all_of_it_is_taken_back_at_the_next_delivery(
    amended: tuple[House, str, str], call: str
) -> None:
    house, root, _ = amended
    with house.at_call(call, killed):
        assert hear(house) == ["m0"]
    house.verdict()  # somebody else comes first, and leaves it to the function that gives back

    assert hear(house) == []

    assert (house.boundary, house.own_policies(), status(house, root)) == (None, [], PlanStatus.ROLLED_BACK)


# ---- outcomes that could not be told


def test_an_outcome_that_could_not_be_told_is_told_once_at_the_next_delivery(house: House) -> None:
    house.mode("auto")
    with house.at_call("PutRolePermissionsBoundary", killed):
        house.verdict()
    with untellable("PolicyApplied"):
        assert house.deliver(due(house, "interrupted")) == ["m0"]
    assert house.record().status is PlanStatus.APPLIED
    house.told()

    for _ in range(3):
        assert house.deliver(due(house, "interrupted")) == []

    assert house.told() == ["PolicyApplied"]
    house.verdict("COMPLIANT")
    assert house.told() == []


def test_what_a_person_asked_for_is_told_by_the_next_verdict_but_not_after_a_day(house: House) -> None:
    house.mode("auto")
    with untellable("PolicyApplied"), pytest.raises(DependencyError):
        handle_wish({"action": "remediate", "resource_id": house.role.identity_id}, house.context)
    house.told()
    house.ahead = timedelta(hours=25)
    house.verdict("COMPLIANT")
    assert house.told() == []
    house.ahead = timedelta(hours=23)
    house.verdict("COMPLIANT")
    assert house.told() == ["PolicyApplied"]


def test_whoever_holds_the_lock_is_left_to_tell_the_outcome(house: House) -> None:
    house.mode("auto")
    with untellable("PolicyApplied"):
        house.verdict()
    house.told()
    house.journal.claim(house.role, "another", now=house.now(), lease=timedelta(minutes=5))
    house.verdict("COMPLIANT")
    assert house.told() == []


def test_a_handed_over_rollback_that_could_not_be_told_is_told_once(watched: House) -> None:
    asked = domain_body(begun(watched, PlanStatus.ROLLING_BACK))
    with untellable("RemediationSkipped"):
        assert hear(watched, asked) == ["m0"]
    for _ in range(3):
        assert hear(watched, asked) == []
    assert watched.told() == ["RemediationSkipped"]


def test_a_restoration_that_could_not_be_told_is_told_once_with_how_long_it_took(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    deny(watched, LOST)
    with untellable("PolicyApplied"):
        assert hear(watched) == ["m0"]
    events(watched)

    for _ in range(3):
        assert hear(watched) == []

    told = events(watched)
    assert list(told) == ["PolicyApplied", "AccessRestored"]
    (restored,) = told["AccessRestored"]
    assert restored["actions"] == [LOST]


# ---- what is under way


@pytest.fixture
def half_restored(watched: House) -> tuple[House, str, str]:
    """A plan, and one on top of it that a person asked for, which stopped before its boundary was set."""
    root = watched.plan_id()
    with watched.at_call("PutRolePermissionsBoundary", killed, before=True), pytest.raises(DependencyError):
        ask(watched, "restore", root, actions=[LOST], by="ana")
    assert watched.record().status is PlanStatus.APPLYING
    return watched, root, watched.plan_id()


def test_while_a_restoration_is_half_done_no_other_one_takes_its_place(half_restored: tuple[House, str, str]) -> None:
    house, root, half = half_restored
    answer = ask(house, "restore", root, actions=[LOST, OTHER], by="ana")
    assert (answer["outcome"], answer["reason"]) == ("SKIPPED", ReasonCode.LOCKED)
    assert half in answer["detail"]
    assert house.plan_id() == half


def test_the_same_restoration_asked_for_again_is_gone_on_with(half_restored: tuple[House, str, str]) -> None:
    house, root, half = half_restored
    assert ask(house, "restore", root, actions=[LOST], by="ana")["outcome"] == "APPLIED"
    assert (house.plan_id(), status(house, half)) == (half, PlanStatus.APPLIED)


def test_a_half_done_restoration_is_taken_back_before_the_plan_that_it_amends(
    half_restored: tuple[House, str, str],
) -> None:
    house, root, half = half_restored
    assert ask(house, "rollback", root)["outcome"] == "ROLLED_BACK"
    assert (house.boundary, house.own_policies(), status(house, half)) == (None, [], PlanStatus.ROLLED_BACK)


def test_a_plan_that_is_only_proposed_on_top_of_another_does_not_keep_that_from_being_taken_back(
    watched: House,
) -> None:
    root = watched.plan_id()
    watched.ahead = timedelta(days=95)
    watched.use("iam:GetUser", at=watched.now())
    watched.score(age=-watched.ahead)
    watched.ask("propose", resource_id=watched.role.identity_id)
    assert watched.plan_id() != root
    assert ask(watched, "rollback", root)["outcome"] == "ROLLED_BACK"


# ---- plans that the identity does not carry, and second lives


def test_taking_back_what_the_identity_does_not_carry_hides_no_plan_in_force(watched: House) -> None:
    record = watched.record()
    other = record.plan.model_copy(update={"plan_id": "a" * 16})
    copy = record.model_copy(update={"plan": other, "status": PlanStatus.QUARANTINED, "version": 0})
    watched.journal.save(copy)

    assert ask(watched, "rollback", "a" * 16)["outcome"] == "ROLLED_BACK"

    assert watched.plan_id() == record.plan.plan_id
    current = watched.journal.current(watched.role)
    assert current
    assert "a" * 16 in current.parked
    events(watched)
    deny(watched, LOST)
    assert hear(watched) == []
    assert list(events(watched)) == ["AccessRegretted"]


def test_a_regret_of_a_plan_that_is_applied_anew_is_told_anew(watched: House) -> None:
    plan_id = watched.plan_id()
    deny(watched, LOST)
    assert hear(watched) == []
    (first,) = events(watched)["AccessRegretted"]
    ask(watched, "rollback", plan_id)
    watched.score(age=-watched.ahead)
    assert watched.ask("remediate", resource_id=watched.role.identity_id)["outcome"] == "APPLIED"
    assert watched.plan_id() == plan_id
    events(watched)
    deny(watched, LOST, after=timedelta(days=2))

    assert hear(watched) == []

    (second,) = events(watched)["AccessRegretted"]
    assert second["event_id"] != first["event_id"]


# ---- exemptions and second thoughts


def interrupted(house: House, call: str = "PutRolePermissionsBoundary", *, before: bool = False) -> None:
    """A plan that stopped after a call, or `before` it."""
    house.mode("auto")
    with house.at_call(call, killed, before=before):
        assert house.verdict() == ["m0"]
    assert house.record().status is PlanStatus.APPLYING
    house.told()
    house.calls.clear()


@pytest.mark.parametrize("compliance", ["COMPLIANT", "NON_COMPLIANT"])
def test_an_exemption_that_comes_midway_has_what_was_done_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch, compliance: str
) -> None:
    interrupted(house)
    house.tag(exempt="true")

    assert house.verdict(compliance) == house.verdict(compliance) == []

    assert (house.changes, house.record().status) == ([], PlanStatus.ROLLING_BACK)
    asked = [event for event in house.stack.published() if event["detail-type"] == "RestorationDue"]
    assert len({event["detail"]["event_id"] for event in asked}) == 1
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    assert hear(house) == []
    assert (house.boundary, house.own_policies(), house.record().status) == (None, [], PlanStatus.SKIPPED)
    assert house.skipped() == [ReasonCode.EXEMPT]


SECOND_THOUGHTS: dict[str, Callable[[House], object]] = {
    "observe": lambda house: house.mode("observe"),
    "approve": lambda house: house.mode("approve"),
    "hold": lambda house: house.safeguards(
        holds=[
            {
                "start": (house.now() - timedelta(hours=1)).isoformat(),
                "end": (house.now() + timedelta(hours=9)).isoformat(),
                "reason": "release",
            }
        ]
    ),
}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("thought", SECOND_THOUGHTS)
def test_a_plan_of_which_nothing_was_done_yet_is_a_proposal_again_where_nothing_may_be_done_now(
    house: House, thought: str, *, before: bool
) -> None:
    interrupted(house, "CreatePolicy", before=before)
    SECOND_THOUGHTS[thought](house)
    assert house.deliver(due(house, "interrupted")) == house.verdict() == []
    assert (house.boundary, house.changes, house.record().status) == (None, [], PlanStatus.PROPOSED)


@pytest.mark.parametrize("thought", SECOND_THOUGHTS)
def test_a_plan_that_changed_something_is_finished(house: House, thought: str) -> None:
    interrupted(house)
    SECOND_THOUGHTS[thought](house)
    assert house.deliver(due(house, "interrupted")) == []
    assert house.record().status is PlanStatus.APPLIED
