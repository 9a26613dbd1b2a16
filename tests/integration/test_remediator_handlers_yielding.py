"""Who wins: people who take a plan back or undo it by hand, identities that go, boundaries of others."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.aws import clients
from shared.aws.journal import Current
from shared.errors import DeniedError
from shared.model.plan import PlanStatus, ReasonCode
from tests.builders import ACCOUNT
from tests.integration.remediator_house import POLICY, USED, House


def test_given_an_applied_plan_when_a_person_takes_it_back_then_all_is_as_before_and_stays_so(house: House) -> None:
    plan_id = house.applied_plan()

    answer = house.take_back(plan_id)

    assert (answer.outcome, answer.reason) == ("ROLLED_BACK", "requested")
    assert (house.boundary, house.own_policies()) == (None, [])
    assert house.told() == ["PolicyRolledBack"]
    house.calls.clear()
    house.score()
    house.verdict()
    assert (house.changes, house.boundary) == ([], None)
    assert house.skipped() == ["parked"]


def test_given_a_crash_before_it_was_noted_when_a_rolled_back_role_is_judged_again_then_it_is_left_alone_and_told(
    house: House,
) -> None:
    plan_id = house.applied_plan()
    house.take_back(plan_id)
    (before,) = house.stack.told("PolicyRolledBack")
    house.journal.set_current(
        house.role, Current(plan_id, ""), now=datetime.now(UTC), token=house.record().fencing_token
    )
    house.score()

    house.verdict()

    events = house.stack.published()
    assert [event["detail-type"] for event in events] == ["PolicyRolledBack", "RemediationSkipped"]
    assert events[0]["detail"]["event_id"] == before["event_id"]
    assert house.boundary is None


def test_given_a_rolled_back_plan_when_a_person_asks_again_then_it_is_applied_and_told_anew(house: House) -> None:
    house.mode("auto")
    house.verdict()
    (first,) = house.stack.told("PolicyApplied")
    house.take_back(first["plan_id"])
    house.score()
    house.told()

    answer = house.ask("remediate", resource_id=house.role.identity_id)

    assert answer["outcome"] == "APPLIED"
    (second,) = house.stack.told("PolicyApplied")
    assert second["plan_id"] == first["plan_id"]
    assert second["event_id"] != first["event_id"], "or the audit trail would miss it"


def test_given_a_rolled_back_plan_when_it_is_judged_then_notice_of_it_is_given_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.take_back(house.applied_plan())
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.score()
    house.ask("propose", resource_id=house.role.identity_id)
    house.verdict()
    assert house.boundary is None


def test_given_an_applied_boundary_when_somebody_takes_it_off_then_they_win_and_our_policy_is_collected(
    house: House,
) -> None:
    plan_id = house.applied_plan()
    clients.iam().delete_role_permissions_boundary(RoleName="deployer")
    house.calls.clear()
    house.score()

    house.verdict()
    house.verdict()

    assert house.changes == ["DeletePolicy"]
    assert (house.boundary, house.own_policies()) == (None, [])
    assert house.skipped() == ["drift", "drift", "parked"], "the second time as the same event"
    record = house.journal.get(plan_id)
    assert record
    assert record.status is PlanStatus.SKIPPED


def test_given_a_deleted_role_when_the_verdict_ends_then_our_policy_is_collected(house: House) -> None:
    house.applied_plan()
    iam = clients.iam()
    iam.delete_role_policy(RoleName="deployer", PolicyName="own")
    iam.delete_role_permissions_boundary(RoleName="deployer")
    iam.delete_role(RoleName="deployer")
    house.score(present=False)

    house.verdict("NOT_APPLICABLE")

    assert house.own_policies() == []
    assert house.skipped() == ["gone"]


def test_given_a_second_plan_when_it_is_taken_back_then_the_first_one_holds_again_and_cannot_go_first(
    house: House,
) -> None:
    first = house.applied_plan()
    house.ahead = timedelta(days=95)
    house.use(USED[0], at=house.now())  # the other use is too long ago by now
    house.score(age=-house.ahead)
    house.verdict()
    second = house.plan_id()
    assert second != first
    assert house.boundary == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{second}"
    assert len(house.own_policies()) == 2, "the rollback needs the former one"

    assert house.take_back(first).reason == ReasonCode.LOCKED
    assert house.take_back(second).outcome == "ROLLED_BACK"

    assert house.boundary == f"arn:aws:iam::{ACCOUNT}:policy/leastwise/{first}"
    assert house.take_back(first).outcome == "ROLLED_BACK"
    assert house.boundary is None
    assert house.own_policies() == []


def test_given_a_boundary_of_others_when_the_mode_is_auto_then_it_is_left(house: House) -> None:
    house.mode("auto")
    iam = clients.iam()
    arn = iam.create_policy(PolicyName="limits", PolicyDocument=json.dumps(POLICY))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="deployer", PermissionsBoundary=arn)
    house.calls.clear()

    house.verdict()

    assert (house.changes, house.boundary) == ([], arn)
    assert house.skipped() == ["foreign_boundary"]


def remediated(house: House) -> None:
    """A person asks, and so it is done whatever others wanted before."""
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "APPLIED"
    house.score()
    house.told()


def test_given_a_boundary_that_is_always_taken_off_when_it_happens_twice_then_it_is_called_flapping(
    house: House,
) -> None:
    house.mode("auto")
    codes = []
    for _ in range(2):
        remediated(house)
        clients.iam().delete_role_permissions_boundary(RoleName="deployer")
        house.verdict()
        codes += house.skipped()

    assert codes[0] == "drift"
    assert codes[-1] == "flapping"
    house.calls.clear()
    house.verdict()
    assert (house.changes, house.skipped()[-1]) == ([], "parked")
    assert house.own_policies() == []


def inline_policies() -> list[str]:
    return clients.iam().list_role_policies(RoleName="deployer")["PolicyNames"]


@pytest.fixture
def replacing(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The same role, whose policies are replaced."""
    monkeypatch.setenv("LEASTWISE_STRATEGY", "replace")
    house.mode("auto")
    return house


def test_given_replace_when_a_verdict_comes_then_the_old_policy_goes_after_the_new_one_came(replacing: House) -> None:
    replacing.verdict()
    assert replacing.changes == ["CreatePolicy", "AttachRolePolicy", "DeleteRolePolicy"]
    assert (inline_policies(), len(replacing.own_policies())) == ([], 1)
    replacing.verdict()
    assert replacing.told() == ["PlanProposed", "PolicyApplied", "PolicyApplied"], "twice the same event"


def test_given_a_replaced_policy_when_somebody_puts_it_back_then_they_win_and_twice_is_flapping(
    replacing: House,
) -> None:
    codes = []
    for _ in range(2):
        remediated(replacing)
        clients.iam().put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=json.dumps(POLICY))
        replacing.calls.clear()
        replacing.verdict()
        codes += replacing.skipped()
        assert (replacing.changes, inline_policies()) == ([], ["own"])
        replacing.verdict()
        assert (replacing.changes, replacing.skipped()) == ([], ["parked"])

    assert codes == ["drift", "flapping"]


def test_given_a_new_policy_when_somebody_takes_it_off_then_the_old_one_is_not_given_back(replacing: House) -> None:
    remediated(replacing)
    (arn,) = replacing.own_policies()
    clients.iam().detach_role_policy(RoleName="deployer", PolicyArn=arn)
    replacing.calls.clear()

    replacing.verdict()

    assert (replacing.changes, inline_policies(), replacing.skipped()) == ([], [], ["drift"])
    assert replacing.record().status is PlanStatus.APPLIED, "so that a person can still have it taken back"


def test_given_replace_when_it_fails_half_way_then_it_is_handed_over_to_the_function_that_gives_back(
    replacing: House,
) -> None:
    clients.iam().put_role_policy(RoleName="deployer", PolicyName="more", PolicyDocument=json.dumps(POLICY))
    replacing.calls.clear()

    def refuse_the_second() -> None:
        if replacing.calls.count("DeleteRolePolicy") > 1:
            raise DeniedError("DeleteRolePolicy")

    with replacing.at_call("DeleteRolePolicy", refuse_the_second, before=True):
        assert replacing.verdict() == []

    record = replacing.record()
    assert record.status is PlanStatus.ROLLING_BACK
    (due,) = replacing.stack.told("RestorationDue")
    assert (due["plan_id"], due["code"]) == (record.plan.plan_id, "verification_failed")
    replacing.verdict("COMPLIANT")
    assert [event["plan_id"] for event in replacing.stack.told("RestorationDue")] == [record.plan.plan_id]
    assert replacing.take_back(record.plan.plan_id).outcome == "ROLLED_BACK"
    assert (sorted(inline_policies()), replacing.own_policies()) == (["more", "own"], [])
