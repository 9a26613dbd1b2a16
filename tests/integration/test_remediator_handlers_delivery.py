"""How messages reach the remediator: twice, out of order, forged, while others are at work, or after a crash."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.remediator.changing.steps import apply_steps
from services.remediator.wiring.edge import Wiring
from shared.aws import clients
from shared.errors import ConflictError
from shared.events import IdentityEvaluated, PlanDue
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, PlanStatus, Strategy
from tests.builders import domain_body, envelope, scored
from tests.integration.remediator_house import House, killed


def test_given_a_duplicate_when_it_is_delivered_again_then_there_is_one_effect(house: House) -> None:
    house.mode("auto")
    house.verdict()
    first = {event["detail"]["event_id"] for event in house.stack.published()}

    house.verdict()
    house.verdict()

    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]
    again = house.stack.published()
    assert {event["detail-type"] for event in again} == {"PolicyApplied"}
    assert {event["detail"]["event_id"] for event in again} <= first, "told again, it is the same event"


def test_given_another_delivery_at_work_when_a_duplicate_comes_then_it_goes_back(house: House) -> None:
    house.mode("auto")
    house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(minutes=5))

    assert house.verdict() == ["m0"]
    assert house.changes == []

    house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(seconds=-1))
    assert house.verdict() == []
    assert house.boundary


def test_given_another_delivery_at_work_when_it_ends_soon_then_a_verdict_waits_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    token = house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(minutes=5))

    def sleep(seconds: float) -> None:
        house.slept.append(seconds)
        if len(house.slept) == 3:
            house.journal.release(house.role, token, now=datetime.now(UTC))

    monkeypatch.setattr(Wiring, "of", partial(Wiring.of, sleep=sleep))
    monkeypatch.setattr(type(house.context), "get_remaining_time_in_millis", staticmethod(lambda: 290_000))

    assert house.verdict() == []
    assert house.boundary


def test_given_another_delivery_at_work_when_it_never_ends_then_the_verdict_goes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    house.journal.claim(house.role, "another", now=datetime.now(UTC), lease=timedelta(minutes=5))
    monkeypatch.setattr(type(house.context), "get_remaining_time_in_millis", staticmethod(lambda: 290_000))

    assert house.verdict() == ["m0"]
    assert house.changes == []


@pytest.mark.parametrize("compliance", ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"])
def test_given_a_crash_after_the_boundary_was_set_when_the_role_is_compliant_by_now_then_the_plan_is_finished(
    house: House, compliance: str
) -> None:
    house.mode("auto")
    with house.at_call("PutRolePermissionsBoundary", killed):
        assert house.verdict() == ["m0"]
    assert house.boundary
    house.told()
    house.score(5.0)

    house.verdict(compliance)

    assert house.told() == ["PolicyApplied"]
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]


def test_given_a_plan_that_is_just_being_applied_when_the_role_becomes_compliant_then_its_worker_is_left_to_finish(
    house: House,
) -> None:
    house.mode("auto")
    back: list[list[str]] = []

    def hear_of_it() -> None:
        if not back:
            back.append(house.verdict("COMPLIANT", note="while the first delivery verifies"))

    with house.at_call("PutRolePermissionsBoundary", hear_of_it):
        assert house.verdict() == []

    assert back == [[]], "the message about it does not go back"
    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]


def test_given_an_interrupted_plan_when_a_removed_action_was_used_since_then_it_is_taken_back(house: House) -> None:
    house.mode("auto")
    with house.at_call("PutRolePermissionsBoundary", killed):
        house.verdict()
    house.use("sqs:CreateQueue", at=datetime.now(UTC) + timedelta(seconds=1))

    house.verdict()

    assert (house.boundary, house.own_policies()) == (None, [])
    assert house.skipped() == ["drift"]


def test_given_an_interrupted_plan_when_the_role_is_exempt_by_now_then_nothing_more_is_called_but_handed_over(
    house: House,
) -> None:
    house.mode("auto")
    with house.at_call("PutRolePermissionsBoundary", killed):
        house.verdict()
    clients.iam().tag_role(RoleName="deployer", Tags=[{"Key": "leastwise:exempt", "Value": "true"}])
    house.calls.clear()
    house.told()

    house.verdict("COMPLIANT")
    house.verdict()

    assert house.changes == []
    assert house.told() == ["RestorationDue", "RestorationDue"], "twice the same event"


def test_given_a_standing_verdict_when_every_sweep_repeats_it_then_its_skip_is_told_once_a_day(house: House) -> None:
    house.score(50.0)
    midday = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for at in (midday, midday + timedelta(hours=6), midday + timedelta(days=1)):
        house.deliver(domain_body(standing(house.role, at)))
    assert len({detail["event_id"] for detail in house.stack.told("RemediationSkipped")}) == 2


def standing(role: IdentityRef, at: datetime) -> IdentityEvaluated:
    return IdentityEvaluated.about(
        role,
        at.isoformat(),
        occurred_at=at,
        compliance=Compliance.NON_COMPLIANT,
        pci=90.0,
        threshold=60.0,
        annotation="",
        repeated=True,
    )


# ---- what is due


def due(house: House, why: str, key: str = "k") -> str:
    event = PlanDue.about(
        house.role,
        key,
        occurred_at=datetime.now(UTC),
        plan_id="0123456789abcdef",
        strategy=Strategy.BOUNDARY,
        why=why,
    )
    return domain_body(event)


def test_given_an_interrupted_plan_when_it_is_due_then_it_is_finished_whatever_the_score(house: House) -> None:
    house.mode("auto")
    with house.at_call("PutRolePermissionsBoundary", killed):
        house.verdict()
    house.score(5.0)

    assert house.deliver(due(house, "interrupted")) == []

    assert house.record().status is PlanStatus.APPLIED


def test_given_a_notice_that_is_over_when_the_plan_is_due_then_it_is_made_anew_and_applied(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.mode("auto")
    house.verdict()
    house.deliver(due(house, "notice_over"))
    assert house.changes == [], "whoever says so"
    house.ahead = timedelta(hours=73)
    house.use("iam:GetUser", at=house.now())
    house.score(age=-house.ahead)

    assert house.deliver(due(house, "notice_over", "k2")) == []

    assert house.changes == ["CreatePolicy", "PutRolePermissionsBoundary"]
    assert house.record().trigger == "notice"


@pytest.mark.parametrize("why", ["interrupted", "notice_over"])
def test_given_a_forged_due_plan_when_it_comes_then_the_same_gates_hold(house: House, why: str) -> None:
    house.mode("auto")
    house.score(5.0)
    assert house.deliver(due(house, why)) == []
    assert house.changes == []


# ---- accounting


@pytest.mark.parametrize(
    ("compliance", "counted"),
    [("NON_COMPLIANT", "RemediationProposed"), ("COMPLIANT", "RemediationSkipped"), ("", "RemediationSkipped")],
)
def test_each_message_ends_in_one_counted_outcome(
    house: House, capsys: pytest.CaptureFixture[str], compliance: str, counted: str
) -> None:
    house.verdict(compliance)
    ended = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    told = json.loads(ended[-1])
    outcomes = {name: value for name, value in told.items() if name.startswith("Remediation")}
    assert outcomes == {counted: [1.0]}
    assert (told["VerdictsHeard"], told["VerdictsIgnored"]) == ([1.0, 1.0], [1.0])


# ---- forged, and not for us


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        json.dumps(envelope({}, detail_type="Config Rules Compliance Change")),
        json.dumps(envelope({"resourceId": "x"}, detail_type="Somebody Else's Event")),
        domain_body(scored()),
        json.dumps(envelope({}, detail_type="Config Rules Compliance Change", account="999999999999")),
    ],
)
def test_given_a_foreign_event_when_it_is_delivered_then_it_is_refused_alone_and_changes_nothing(
    house: House, body: str
) -> None:
    house.mode("auto")
    assert house.deliver(body) == ["m0"]
    assert (house.changes, house.told()) == ([], [])


def test_given_a_verdict_about_another_kind_of_resource_when_it_comes_then_it_is_no_business_of_ours(
    house: House,
) -> None:
    house.mode("auto")
    assert house.verdict(resourceType="AWS::S3::Bucket", resourceId="a-bucket") == []
    assert (house.changes, house.told()) == ([], [])


# ---- the lock


def test_given_a_lock_when_another_takes_it_over_then_the_first_owner_can_write_no_intent(house: House) -> None:
    plan_id = house.applied_plan()
    record = house.journal.get(plan_id)
    assert record
    *_, step = apply_steps(record.plan, record.snapshot)
    now = datetime.now(UTC)
    late = house.journal.claim(house.role, "first", now=now, lease=timedelta(minutes=1))
    house.journal.claim(house.role, "second", now=now + timedelta(minutes=2), lease=timedelta(minutes=1))

    with pytest.raises(ConflictError):
        house.journal.intend(record.plan, 1, step, token=late, now=now)
