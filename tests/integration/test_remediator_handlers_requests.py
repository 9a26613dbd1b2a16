"""What a person may ask the remediator for: propose, approve, apply, reject; and for nothing that gives back."""

import json
from datetime import timedelta

import pytest

from shared.aws import clients
from shared.errors import InputError
from shared.model.plan import PlanStatus, ReasonCode
from tests.integration.remediator_house import POLICY, House, killed


def test_given_a_changed_role_when_an_old_plan_is_approved_then_the_new_plan_waits(house: House) -> None:
    house.mode("approve")
    house.verdict()
    plan_id = house.plan_id()
    clients.iam().put_role_policy(RoleName="deployer", PolicyName="more", PolicyDocument=json.dumps(POLICY))
    house.calls.clear()

    answer = house.ask("approve", plan_id=plan_id)

    assert answer["outcome"] == "PROPOSED"
    assert answer["plan_id"] != plan_id
    assert house.changes == []


def test_given_an_expired_plan_when_it_is_approved_then_nothing_changes(house: House) -> None:
    house.mode("approve")
    house.verdict()
    plan_id = house.plan_id()
    house.ahead = timedelta(hours=25)

    assert house.ask("approve", plan_id=plan_id)["reason"] == ReasonCode.EXPIRED
    assert house.changes == []


def test_given_auto_when_a_person_wants_a_proposal_then_nothing_is_applied(house: House) -> None:
    house.mode("auto")
    answer = house.ask("propose", resource_id=house.role.identity_id, by="ana")
    assert (answer["outcome"], house.changes) == ("PROPOSED", [])
    assert house.record().approved_by == ""


def test_given_an_approval_when_the_plan_is_applied_then_it_is_on_paper_who_said_yes(house: House) -> None:
    house.mode("approve")
    house.verdict()
    house.ask("approve", plan_id=house.plan_id(), by="arn:aws:iam::123456789012:user/ana")
    record = house.record()
    assert (record.status, record.approved_by) == (PlanStatus.APPLIED, "arn:aws:iam::123456789012:user/ana")
    assert record.soak_until
    assert record.applied_at
    assert record.soak_until - record.applied_at == timedelta(days=14)


def test_given_approve_when_nobody_approved_then_applying_is_refused_and_says_how(house: House) -> None:
    house.mode("approve")
    house.verdict()
    plan_id = house.plan_id()

    answer = house.ask("apply", plan_id=plan_id)

    assert (answer["outcome"], house.changes) == ("PROPOSED", [])
    assert f"leastwise plan approve {plan_id}" in answer["detail"]


def test_given_a_plan_that_was_approved_while_observing_when_the_mode_allows_it_then_it_can_be_applied(
    house: House,
) -> None:
    house.verdict()
    plan_id = house.plan_id()
    assert house.ask("approve", plan_id=plan_id, by="ana")["outcome"] == "PROPOSED"
    house.mode("approve")

    house.verdict()
    assert house.changes == [], "a verdict is no person"
    assert house.ask("apply", plan_id=plan_id, by="ben")["outcome"] == "APPLIED"
    assert house.record().approved_by == "ana"


def test_given_auto_when_a_noticed_plan_is_to_be_applied_then_its_notice_is_cut_short(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.mode("auto")
    house.verdict()
    assert house.changes == []
    assert house.ask("apply", plan_id=house.plan_id())["outcome"] == "APPLIED"


def test_given_an_interrupted_plan_when_a_person_applies_it_then_it_is_finished(house: House) -> None:
    house.mode("auto")
    with house.at_call("PutRolePermissionsBoundary", killed):
        assert house.verdict() == ["m0"]
    assert house.record().status is PlanStatus.APPLYING
    assert house.ask("apply", plan_id=house.plan_id())["outcome"] == "APPLIED"


def test_given_a_proposed_plan_when_a_person_rejects_it_then_the_role_is_left_alone_until_a_person_asks(
    house: House,
) -> None:
    house.mode("auto")
    house.ask("propose", resource_id=house.role.identity_id)
    plan_id = house.plan_id()
    house.told()

    answer = house.ask("reject", plan_id=plan_id, by="ana")

    assert (answer["outcome"], answer["reason"], answer["plan_id"]) == ("SKIPPED", "rejected", plan_id)
    assert house.skipped() == ["rejected"]
    house.verdict()
    assert (house.changes, house.skipped()) == ([], ["rejected", "parked"]), "the rejection as the same event"
    assert house.ask("approve", plan_id=plan_id)["outcome"] == "APPLIED", "a person may change their mind"


def test_given_a_rejection_when_it_is_asked_for_again_then_it_is_the_same_event(house: House) -> None:
    house.verdict()
    house.told()
    for _ in range(2):
        assert house.ask("reject", plan_id=house.plan_id())["reason"] == "rejected"
    assert len({one["event_id"] for one in house.stack.told("RemediationSkipped")}) == 1


def test_given_the_kill_switch_when_a_person_rejects_a_plan_then_that_stops_it_all_the_same(house: House) -> None:
    house.verdict()
    house.mode("off")
    assert house.ask("reject", plan_id=house.plan_id())["reason"] == "rejected"


def test_given_an_applied_plan_when_a_person_rejects_it_then_it_is_too_late(house: House) -> None:
    plan_id = house.applied_plan()
    assert house.ask("reject", plan_id=plan_id)["reason"] == ReasonCode.DUPLICATE
    assert house.record().status is PlanStatus.APPLIED


def test_given_a_newer_proposal_when_a_person_rejects_the_old_one_then_they_are_told_which_counts(house: House) -> None:
    house.verdict()
    old = house.plan_id()
    clients.iam().put_role_policy(RoleName="deployer", PolicyName="more", PolicyDocument=json.dumps(POLICY))
    house.verdict()

    answer = house.ask("reject", plan_id=old)

    assert answer["reason"] == ReasonCode.DUPLICATE
    assert house.plan_id() in answer["detail"]


@pytest.mark.parametrize("action", ["approve", "apply", "reject"])
def test_given_no_such_plan_when_a_person_names_it_then_the_request_is_refused(house: House, action: str) -> None:
    with pytest.raises(InputError, match="there is no plan"):
        house.ask(action, plan_id="0123456789abcdef")
    assert (house.changes, house.told()) == ([], [])


def test_given_an_applied_plan_when_it_is_to_be_taken_back_then_the_function_that_may_is_named(house: House) -> None:
    plan_id = house.applied_plan()
    with pytest.raises(InputError, match="RestoreRequestFunction"):
        house.ask("rollback", plan_id=plan_id)
    assert house.changes == []
