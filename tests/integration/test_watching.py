"""Giving back on moto: what was refused after a change is told, and given back as the stack is set up, or as asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from services.remediator.settings import RemediationSettings
from services.remediator.watching.edge import Restoration
from services.remediator.watching.handler import handle_request, handle_restorations
from services.remediator.wiring.edge import Wiring
from services.remediator.working.edge import Work
from shared.aws import clients
from shared.aws.usage_ledger import UsageLedger
from shared.errors import ConflictError, DependencyError, InputError, SettingsError
from shared.events import PlanDue, RestorationDue
from shared.model.plan import PlanStatus, Reason, ReasonCode, Strategy
from shared.model.usage import Evidence, IdentityKey, Span, Usage, UsageEntry
from tests.builders import ACCOUNT, cloudtrail_body, domain_body, failed, sqs_event
from tests.integration.remediator_house import House

LOST = "lambda:DeleteFunction"
GOOD = cloudtrail_body({"userIdentity": {"type": "Root"}})


@pytest.fixture
def watched(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The role with a plan applied; from now on it is the functions that give back which act."""
    house.applied_plan()
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    return house


def deny(house: House, *actions: str, after: timedelta = timedelta(minutes=1)) -> datetime:
    """Note refusals in the ledger, so long after the change."""
    applied_at = house.record().applied_at
    assert applied_at
    at = applied_at + after
    entries = {name.lower(): UsageEntry(name, {Evidence.DENIED: Span(at, at)}) for name in actions}
    ledger = UsageLedger(house.stack.table(house.stack.usage_table))
    ledger.merge({IdentityKey(ACCOUNT, house.role.identity_id): Usage(house.role.identity_id, entries)})
    house.ahead = max(house.ahead, at + timedelta(minutes=2) - datetime.now(UTC))
    return at


def hint(house: House) -> str:
    """CloudTrail's record of a refused call of the role, as the rule delivers it."""
    issuer = {"type": "Role", "principalId": house.role.identity_id, "arn": house.role.arn}
    who = {"type": "AssumedRole", "accountId": ACCOUNT, "sessionContext": {"sessionIssuer": issuer}}
    return cloudtrail_body({"errorCode": "AccessDenied", "userIdentity": who})


def hear(house: House, *bodies: str) -> list[str]:
    """Deliver messages; returns those that go back."""
    return failed(handle_restorations(sqs_event(*(bodies or (hint(house),)), GOOD), house.context))


def ask(house: House, action: str, plan_id: str, **what: Any) -> dict[str, str]:
    """Ask as the command does."""
    return dict(handle_request({"action": action, "plan_id": plan_id, "trigger": "command", **what}, house.context))


def events(house: House) -> dict[str, list[dict[str, Any]]]:
    """What was told since the last look, by type."""
    told: dict[str, list[dict[str, Any]]] = {}
    for event in house.stack.published():
        told.setdefault(event["detail-type"], []).append(event["detail"])
    return told


def boundary_actions(house: House) -> set[str]:
    """The actions that the role's boundary allows."""
    arn = house.boundary
    assert arn
    version = clients.iam().get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: Any = clients.iam().get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    found: set[str] = set()
    for statement in document["Statement"]:
        found |= {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
    return found


# ---- regrets


def test_given_alert_when_a_lost_action_is_refused_then_it_is_told_once_and_nothing_changes(watched: House) -> None:
    plan_id = watched.plan_id()
    denied_at = deny(watched, LOST)

    assert hear(watched) == []
    assert hear(watched) == []

    ((regretted,),) = events(watched).values()
    assert (regretted["actions"], regretted["lost"], regretted["plan_id"]) == ([LOST], [LOST], plan_id)
    assert datetime.fromisoformat(regretted["denied_at"]) == denied_at
    assert regretted["response"] == "alert"
    assert watched.changes == []


def test_many_refusals_at_once_are_one_message_to_people(watched: House) -> None:
    tried = sorted(action for action in watched.record().plan.removes if action.startswith("lambda:Delete"))
    assert len(tried) > 3
    deny(watched, *tried)
    assert hear(watched) == []
    ((regretted,),) = events(watched).values()
    assert regretted["actions"] == tried


def test_given_restore_when_a_lost_action_is_refused_then_exactly_that_is_given_back(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    plan_id, before = watched.plan_id(), boundary_actions(watched)
    deny(watched, LOST)

    assert hear(watched) == []

    amending = watched.record()
    assert amending.status is PlanStatus.APPLIED
    assert (amending.plan.amends, amending.plan.restores) == (plan_id, (LOST,))
    assert boundary_actions(watched) - before == {LOST}
    assert before <= boundary_actions(watched)
    told = events(watched)
    assert list(told) == ["AccessRegretted", "PolicyApplied", "AccessRestored"]
    (restored,) = told["AccessRestored"]
    assert (restored["actions"], restored["amends"]) == ([LOST], plan_id)
    assert 60 <= restored["seconds_to_restore"] <= 600

    watched.calls.clear()
    assert hear(watched) == []
    assert (watched.changes, events(watched)) == ([], {})


def test_given_a_restoration_when_another_action_is_refused_later_then_that_is_given_back_as_well(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    deny(watched, LOST)
    hear(watched)
    first = watched.plan_id()
    deny(watched, "lambda:TagResource")

    assert hear(watched) == []

    assert watched.record().plan.amends == first
    assert {LOST, "lambda:TagResource"} <= boundary_actions(watched)


def test_given_roll_back_when_a_lost_action_is_refused_then_the_whole_plan_is_taken_back(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "roll_back")
    deny(watched, LOST)

    assert hear(watched) == []

    assert (watched.boundary, watched.own_policies()) == (None, [])
    told = events(watched)
    assert list(told) == ["AccessRegretted", "PolicyRolledBack", "AccessRestored"]
    assert told["PolicyRolledBack"][0]["code"] == ReasonCode.REGRET


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_where_nothing_is_changed_by_itself_a_regret_is_only_told(
    watched: House, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    watched.mode(mode)
    deny(watched, LOST)
    assert hear(watched) == []
    ((regretted,),) = events(watched).values()
    assert (regretted["response"], watched.changes) == ("alert", [])


def test_given_an_exempt_role_when_a_lost_action_is_refused_then_people_are_told_that_it_is_theirs_to_do(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    watched.tag(exempt="true")
    deny(watched, LOST)

    assert hear(watched) == []
    assert hear(watched) == []

    told = events(watched)
    assert [one["response"] for one in told["AccessRegretted"]] == ["restore", "alert"]
    assert [one["code"] for one in told["RemediationSkipped"]] == [ReasonCode.EXEMPT]  # parked after the first try
    assert watched.changes == []


def test_given_a_restoration_that_cannot_be_proven_then_it_is_refused_and_told(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    reason = Reason(code=ReasonCode.NOT_PROVEN, message="new access")
    monkeypatch.setattr(
        "services.remediator.watching.giving_back.edge.derive_restoration", lambda *args, **options: reason
    )
    deny(watched, LOST)

    assert hear(watched) == []
    assert hear(watched) == []

    told = events(watched)
    assert [one["response"] for one in told["AccessRegretted"]] == ["restore", "alert"]
    assert [one["code"] for one in told["RemediationSkipped"]] == [ReasonCode.NOT_PROVEN]
    assert watched.changes == []


@pytest.mark.parametrize("after", [timedelta(minutes=-5), timedelta(days=20)])
def test_what_was_refused_before_the_change_or_after_the_soak_period_is_no_regret(
    watched: House, after: timedelta
) -> None:
    deny(watched, LOST, after=after)
    assert hear(watched) == []
    assert events(watched) == {}


# ---- hints


def test_a_forged_hint_causes_a_look_and_nothing_else(watched: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    due = RestorationDue.about(
        watched.role,
        "forged",
        occurred_at=datetime.now(UTC),
        plan_id=watched.plan_id(),
        strategy=Strategy.BOUNDARY,
        code=ReasonCode.DRIFT,
        message="forged",
    )
    unknown = due.model_copy(update={"plan_id": "f" * 16})
    assert hear(watched, hint(watched), domain_body(due), domain_body(unknown)) == []
    assert (events(watched), watched.calls) == ({}, [])


def test_a_flood_of_refusals_of_one_identity_is_one_look_a_batch(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(Restoration, "denied", lambda self, identity_id: looks.append(identity_id))
    assert hear(watched, *[hint(watched)] * 9) == []
    assert looks == [watched.role.identity_id]


def test_an_identity_without_a_plan_costs_one_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    calls: list[str] = []
    clients.dynamodb().meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    assert hear(house) == []
    assert (calls, house.calls) == (["GetItem"], [])


def test_a_message_that_is_none_goes_back_alone(watched: House) -> None:
    due = PlanDue.about(
        watched.role, "k", occurred_at=datetime.now(UTC), plan_id="p", strategy=Strategy.BOUNDARY, why="interrupted"
    )
    assert hear(watched, "{canary", domain_body(due), json.dumps({"detail": "canary"})) == ["m0", "m1", "m2"]


def test_a_look_that_fails_sends_every_message_about_this_identity_back(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object, **__: object) -> None:
        raise DependencyError("throttled")

    deny(watched, LOST)
    monkeypatch.setattr(UsageLedger, "read", unreadable)
    assert hear(watched, hint(watched), hint(watched)) == ["m0", "m1"]


def test_a_function_that_may_not_give_back_refuses_to_start(house: House) -> None:
    with pytest.raises((SettingsError, BatchProcessingError), match="LEASTWISE_MAY_RESTORE"):
        hear(house)
    with pytest.raises(SettingsError, match="LEASTWISE_MAY_RESTORE"):
        ask(house, "rollback", "0" * 16)


# ---- going on with what was begun


def begun(house: House, status: PlanStatus) -> RestorationDue:
    """The plan as a crash or a hand-over leaves it, and the event that asks to go on."""
    record = house.record()
    reason = Reason(code=ReasonCode.DRIFT, message="somebody changed it")
    house.journal.save(record.model_copy(update={"status": status, "reason": reason}))
    return RestorationDue.about(
        house.role,
        "k",
        occurred_at=datetime.now(UTC),
        plan_id=record.plan.plan_id,
        strategy=Strategy.BOUNDARY,
        code=reason.code,
        message=reason.message,
    )


def test_what_was_handed_over_is_taken_back(watched: House) -> None:
    due = begun(watched, PlanStatus.ROLLING_BACK)
    assert hear(watched, domain_body(due)) == []
    assert (watched.boundary, watched.own_policies()) == (None, [])
    assert watched.record().status is PlanStatus.SKIPPED
    assert hear(watched, domain_body(due)) == []


def test_a_hint_goes_on_with_a_rollback_too_but_not_while_somebody_is_at_it(watched: House) -> None:
    begun(watched, PlanStatus.ROLLING_BACK)
    token = watched.journal.claim(watched.role, "another", now=watched.now(), lease=timedelta(minutes=5))
    assert hear(watched) == []
    assert watched.boundary
    watched.journal.release(watched.role, token, now=watched.now())
    assert hear(watched) == []
    assert watched.boundary is None


def test_the_kill_switch_stops_what_was_handed_over(watched: House) -> None:
    due = begun(watched, PlanStatus.ROLLING_BACK)
    watched.mode("off")
    assert hear(watched, domain_body(due)) == []
    assert watched.boundary
    assert watched.skipped() == [ReasonCode.KILL_SWITCH]


def test_a_restoration_that_was_interrupted_is_gone_on_with_at_the_next_delivery(
    watched: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    root = watched.plan_id()
    deny(watched, LOST)
    throttled = DependencyError("throttled")

    def throttle() -> None:
        raise throttled

    with watched.at_call("PutRolePermissionsBoundary", throttle, before=True):
        assert hear(watched) == ["m0"]
    assert watched.record().status is PlanStatus.APPLYING
    assert hear(watched) == []
    assert watched.record().status is PlanStatus.APPLIED
    assert watched.record().plan.amends == root
    assert events(watched)["AccessRestored"][0]["actions"] == [LOST]


# ---- policies that were replaced


@pytest.fixture
def replaced(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The role with its policy replaced by a narrower one."""
    monkeypatch.setenv("LEASTWISE_STRATEGY", "replace")
    house.mode("auto")
    house.verdict()
    assert house.record().status is PlanStatus.APPLIED
    assert inline_policies(house) == []
    house.told()
    house.calls.clear()
    monkeypatch.setenv("LEASTWISE_MAY_RESTORE", "true")
    return house


def inline_policies(house: House) -> list[str]:
    """Names of the role's inline policies."""
    return clients.iam().list_role_policies(RoleName=house.role.name)["PolicyNames"]


def attached_policies(house: House) -> list[str]:
    """Names of the role's managed policies."""
    found = clients.iam().list_attached_role_policies(RoleName=house.role.name)["AttachedPolicies"]
    return [policy["PolicyName"] for policy in found]


def test_a_replaced_policy_gives_a_lost_action_back_and_then_everything(
    replaced: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ON_REGRET", "restore")
    root = replaced.plan_id()
    deny(replaced, LOST)

    assert hear(replaced) == []

    amending = replaced.record()
    assert (amending.status, amending.plan.amends) == (PlanStatus.APPLIED, root)
    assert attached_policies(replaced) == [policy.name for policy in amending.plan.policies]
    assert LOST in json.dumps(amending.plan.policies[0].document)
    assert list(events(replaced)) == ["AccessRegretted", "PolicyApplied", "AccessRestored"]

    assert ask(replaced, "rollback", root)["outcome"] == "ROLLED_BACK"
    assert (inline_policies(replaced), attached_policies(replaced), replaced.own_policies()) == (["own"], [], [])


def test_what_the_function_that_takes_away_may_not_give_back_it_hands_over(replaced: House) -> None:
    settings = RemediationSettings.load().model_copy(update={"may_restore": False})
    work = Work(Wiring.of(settings, replaced.context), cause="k")
    with work.locked(replaced.role) as token:
        drift = Reason(code=ReasonCode.DRIFT, message="somebody changed it")
        work.tell(work.saga(token).roll_back(replaced.record(), drift))
    assert (replaced.record().status, replaced.changes) == (PlanStatus.ROLLING_BACK, [])
    (due,) = (event for event in replaced.stack.published() if event["detail-type"] == "RestorationDue")

    assert hear(replaced, json.dumps(due)) == []

    assert (inline_policies(replaced), attached_policies(replaced), replaced.own_policies()) == (["own"], [], [])


# ---- a person's wish


def test_given_a_person_when_they_roll_back_then_the_identity_is_as_before_and_left_alone(watched: House) -> None:
    plan_id = watched.plan_id()
    answer = ask(watched, "rollback", plan_id, by="arn:aws:iam::123456789012:user/ops")
    assert (answer["outcome"], answer["reason"]) == ("ROLLED_BACK", ReasonCode.REQUESTED)
    assert "user/ops asked for it" in answer["detail"]
    assert (watched.boundary, watched.own_policies()) == (None, [])
    current = watched.journal.current(watched.role)
    assert current
    assert current.parked
    again = ask(watched, "rollback", plan_id)
    assert (again["outcome"], again["reason"]) == ("SKIPPED", ReasonCode.DUPLICATE)


def test_an_exemption_does_not_keep_a_person_from_rolling_back(watched: House) -> None:
    watched.tag(exempt="true")
    assert ask(watched, "rollback", watched.plan_id())["outcome"] == "ROLLED_BACK"
    assert watched.boundary is None


@pytest.mark.parametrize("action", ["rollback", "restore"])
def test_the_kill_switch_stops_a_person_too(watched: House, action: str) -> None:
    watched.mode("off")
    actions = {"actions": [LOST]} if action == "restore" else {}
    assert ask(watched, action, watched.plan_id(), **actions)["reason"] == ReasonCode.KILL_SWITCH
    assert watched.changes == []


@pytest.mark.parametrize(("action", "what"), [("rollback", {}), ("restore", {"actions": [LOST]})])
def test_a_plan_that_does_not_exist_is_named(watched: House, action: str, what: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="there is no plan ffffffffffffffff"):
        ask(watched, action, "f" * 16, **what)


def test_given_a_person_when_they_restore_actions_then_these_come_back_and_the_rest_stays(watched: House) -> None:
    plan_id, before = watched.plan_id(), boundary_actions(watched)
    answer = ask(watched, "restore", plan_id, actions=["lambda:deletefunction"], by="ana")
    assert answer["outcome"] == "APPLIED"
    assert boundary_actions(watched) - before == {LOST}
    record = watched.record()
    assert (record.plan.amends, record.approved_by) == (plan_id, "ana")
    assert list(events(watched)) == ["PolicyApplied"]  # nobody was refused anything


def test_what_a_plan_did_not_take_cannot_be_restored(watched: House) -> None:
    with pytest.raises(InputError, match="did not take: kms:Decrypt"):
        ask(watched, "restore", watched.plan_id(), actions=["kms:Decrypt"])


def test_a_plan_goes_with_those_that_amend_it(watched: House) -> None:
    root = watched.plan_id()
    ask(watched, "restore", root, actions=[LOST])
    assert ask(watched, "rollback", root)["outcome"] == "ROLLED_BACK"
    assert (watched.boundary, watched.own_policies()) == (None, [])


def test_only_what_amends_a_plan_can_be_taken_back_as_well(watched: House) -> None:
    root, before = watched.plan_id(), boundary_actions(watched)
    ask(watched, "restore", root, actions=[LOST])
    assert ask(watched, "rollback", watched.plan_id())["outcome"] == "ROLLED_BACK"
    assert boundary_actions(watched) == before


def test_what_is_not_in_force_cannot_be_restored(watched: House) -> None:
    plan_id = watched.plan_id()
    ask(watched, "rollback", plan_id)
    answer = ask(watched, "restore", plan_id, actions=[LOST])
    assert (answer["outcome"], answer["reason"]) == ("SKIPPED", ReasonCode.DUPLICATE)


def test_while_another_delivery_changes_the_identity_a_person_is_told_to_come_again(watched: House) -> None:
    watched.journal.claim(watched.role, "another", now=watched.now(), lease=timedelta(minutes=30))
    with pytest.raises(ConflictError, match="being changed by another delivery"):
        ask(watched, "rollback", watched.plan_id())
