"""Whom a message asks to look at, what a person may ask to be given back, and what is taken back together."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.watching.hints import hint_of
from services.remediator.watching.lines import line_to, taken_back_with, watched_line
from services.remediator.watching.requests import GiveBack, parse_give_back, wanted_of
from services.remediator.watching.tellings import regretted_event, response_of, restored_event, telling_of
from shared.envelope import Envelope, parse_envelope
from shared.errors import InputError
from shared.events import RestorationDue
from shared.model.identity import IdentityRef
from shared.model.plan import Mode, PlanRecord, PlanStatus, Regret, RegretResponse
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT, domain_body, envelope, every_event
from tests.unit.test_regrets import RIGHT_SIZED, SOAK, allow, applied, holder

CALL = "AWS API Call via CloudTrail"
DAY = timedelta(days=1)


def arrived(detail: dict[str, Any], kind: str = CALL) -> Envelope:
    return Envelope.model_validate(envelope(detail, detail_type=kind, source="aws.s3"))


def refused(who: Any, **changes: Any) -> Envelope:
    return arrived({"eventName": "GetObject", "errorCode": "AccessDenied", "userIdentity": who} | changes)


USER: dict[str, Any] = {"type": "IAMUser", "principalId": ANA.identity_id, "accountId": ACCOUNT, "userName": "ana"}
ROLE: dict[str, Any] = {
    "type": "AssumedRole",
    "principalId": f"{DEPLOYER.identity_id}:session",
    "accountId": ACCOUNT,
    "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": DEPLOYER.identity_id}},
}


def test_a_refused_call_names_the_user_or_the_role_behind_it() -> None:
    assert hint_of(refused(USER)) == ANA.identity_id
    assert hint_of(refused(ROLE)) == DEPLOYER.identity_id
    federated = {"type": "FederatedUser", "sessionContext": {"sessionIssuer": {"principalId": ANA.identity_id}}}
    assert hint_of(refused(federated)) == ANA.identity_id


@pytest.mark.parametrize(
    "who",
    [
        None,
        "canary",
        {},
        USER | {"type": "Root"},
        USER | {"type": "AWSService"},
        USER | {"principalId": "canary"},
        USER | {"principalId": None},
        USER | {"principalId": [ANA.identity_id]},
        USER | {"principalId": f"{ANA.identity_id}:x"},
        USER | {"principalId": "AIDA" + "X" * 200},
        USER | {"accountId": OTHER_ACCOUNT},
        ROLE | {"sessionContext": None},
        ROLE | {"sessionContext": {"sessionIssuer": "canary"}},
        ROLE | {"sessionContext": {"sessionIssuer": {"principalId": "AROA"}}},
        ROLE | {"type": "SAMLUser"},
    ],
    ids=str,
)
def test_whoever_is_no_user_or_role_of_ours_is_left_alone_quietly(who: Any) -> None:
    assert hint_of(refused(who)) is None


@pytest.mark.parametrize("code", [None, ""])
def test_a_call_that_passed_is_no_hint(code: str | None) -> None:
    assert hint_of(refused(USER, errorCode=code)) is None


def test_our_own_event_is_taken_as_it_is_and_no_other() -> None:
    for event in every_event():
        message = parse_envelope(domain_body(event), account_id=ACCOUNT)
        if isinstance(event, RestorationDue):
            assert hint_of(message) == event
        else:
            with pytest.raises(InputError, match="asks for no restoration"):
                hint_of(message)


JSON = st.recursive(st.none() | st.booleans() | st.text(max_size=9), lambda inner: st.dictionaries(st.text(), inner))


@settings(deadline=None, max_examples=200)
@given(JSON, JSON, st.sampled_from(["IAMUser", "AssumedRole", "FederatedUser"]))
def test_whatever_a_record_holds_it_names_an_identity_or_nobody(who: Any, session: Any, kind: str) -> None:
    odd = {"type": kind, "principalId": who, "sessionContext": {"sessionIssuer": session}}
    assert hint_of(refused(odd)) is None
    assert hint_of(refused(who)) is None


# ---- a person's wish

PLAN_ID = RIGHT_SIZED.plan.plan_id


def test_a_request_is_read() -> None:
    assert parse_give_back({"action": "rollback", "plan_id": PLAN_ID, "by": "ana"}) == GiveBack(
        action="rollback", plan_id=PLAN_ID, by="ana"
    )
    wish = parse_give_back({"action": "restore", "plan_id": PLAN_ID, "actions": ["s3:GetObject"]})
    assert wish.actions == ("s3:GetObject",)


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ({}, "action: Field required"),
        ({"action": "approve", "plan_id": PLAN_ID}, "action: Input should be 'rollback' or 'restore'"),
        ({"action": "rollback", "plan_id": "canary"}, "plan_id"),
        ({"action": "rollback", "plan_id": PLAN_ID, "actions": ["s3:GetObject"]}, "names the actions"),
        ({"action": "restore", "plan_id": PLAN_ID}, "names the actions"),
        ({"action": "restore", "plan_id": PLAN_ID, "actions": ["s3:*"]}, "actions.0"),
        ({"action": "restore", "plan_id": PLAN_ID, "actions": ["s3:A"] * 1001}, "actions"),
        ({"action": "rollback", "plan_id": PLAN_ID, "by": "a" * 201}, "by"),
        ({"action": "rollback", "plan_id": PLAN_ID, "by": "ana\ncanary"}, "by"),
        ({"action": "rollback", "plan_id": PLAN_ID, "force": True}, "force"),
    ],
    ids=str,
)
def test_a_request_that_is_not_one_is_refused(event: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as refusal:
        parse_give_back(event)
    assert "canary" not in str(refusal.value)


def test_only_what_a_plan_took_can_be_asked_back_in_any_spelling() -> None:
    plan = RIGHT_SIZED.plan.model_copy(
        update={"removes": ("s3:PutObject", "iam:PassRole"), "narrows": ("s3:GetObject",)}
    )
    assert wanted_of(plan, ["S3:putobject", "s3:PutObject", "s3:getobject"]) == ("s3:GetObject", "s3:PutObject")
    with pytest.raises(InputError, match="did not take: kms:Decrypt"):
        wanted_of(plan, ["s3:PutObject", "kms:Decrypt"])


# ---- lines of plans


def record(plan_id: str, *, amends: str = "", at_day: int = 0, status: PlanStatus = PlanStatus.APPLIED) -> PlanRecord:
    made = applied(holder(allow("s3:*")), allow("s3:GetObject"), at=NOW + at_day * DAY)
    plan = made.plan.model_copy(update={"plan_id": plan_id, "amends": amends})
    return made.model_copy(update={"plan": plan, "status": status})


ROOT = record("a")
FIRST, SECOND = record("b", amends="a", at_day=1), record("c", amends="b", at_day=2)
OTHER = record("d", at_day=3)


def test_the_line_that_is_watched_goes_down_to_the_oldest_plan_in_its_soak_period_and_what_that_amends() -> None:
    stack = (SECOND, FIRST, ROOT)
    line = watched_line(stack, NOW + 3 * DAY)
    assert line is not None
    assert (line.in_force, line.root, line.plans) == (SECOND, ROOT, stack)
    assert (line.base.snapshot, line.base.plan) == (ROOT.snapshot, SECOND.plan)
    amended = watched_line(stack, NOW + SOAK + DAY / 2)  # the root's own period is over, not that of what amends it
    assert amended == line
    assert watched_line(stack, NOW + SOAK + 2 * DAY) is None
    assert watched_line((), NOW) is None


def test_a_later_plan_of_its_own_has_a_line_of_its_own() -> None:
    stack = (OTHER, ROOT)
    line = watched_line(stack, NOW + SOAK + DAY)
    assert line is not None
    assert line.plans == (OTHER,)


def test_a_line_is_found_by_any_of_its_plans() -> None:
    stack = (SECOND, FIRST, ROOT)
    assert line_to("a", stack) == line_to("b", stack) == line_to("c", stack) == watched_line(stack, NOW)
    assert line_to("d", stack) is None


def test_what_amends_a_plan_is_taken_back_with_it_and_another_plan_on_top_stands_in_the_way() -> None:
    assert taken_back_with("a", (SECOND, FIRST, ROOT)) == ((SECOND, FIRST), None)
    assert taken_back_with("b", (SECOND, FIRST, ROOT)) == ((SECOND,), None)
    assert taken_back_with("c", (SECOND, FIRST, ROOT)) == ((), None)
    assert taken_back_with("a", (OTHER, FIRST, ROOT)) == ((), OTHER)
    assert taken_back_with("a", ()) == ((), None)
    for status in (PlanStatus.PROPOSED, PlanStatus.ROLLED_BACK, PlanStatus.SKIPPED):
        not_in_force = record("d", at_day=3, status=status)
        assert taken_back_with("a", (not_in_force, FIRST, ROOT)) == ((FIRST,), None)
    half_done = record("b", amends="a", status=PlanStatus.APPLYING)
    assert taken_back_with("a", (half_done, ROOT)) == ((half_done,), None)
    ended = record("b", amends="a", status=PlanStatus.ROLLED_BACK)
    assert taken_back_with("a", (SECOND, ended, ROOT)) == ((SECOND,), None)


# ---- what is told


@pytest.mark.parametrize("mode", list(Mode))
def test_where_nothing_is_changed_by_itself_a_regret_is_only_told(mode: Mode) -> None:
    changes = mode in {Mode.APPROVE, Mode.AUTO}
    for wanted in RegretResponse:
        assert response_of(wanted, mode) is (wanted if changes else RegretResponse.ALERT)


def test_what_one_look_finds_is_one_event_and_each_end_another() -> None:
    line = line_to("a", (ROOT,))
    assert line is not None
    put = Regret(action="s3:PutObject", denied_at=NOW, lost=("s3:PutObject", "kms:Decrypt"))
    get = Regret(action="s3:GetObject", denied_at=NOW - DAY, lost=("s3:GetObject",))
    first = regretted_event(line, [put, get], RegretResponse.RESTORE, now=NOW)
    again = regretted_event(line, [get, put], RegretResponse.RESTORE, now=NOW + DAY)
    failed = regretted_event(line, [put, get], RegretResponse.ALERT, now=NOW)
    other = regretted_event(line, [put], RegretResponse.RESTORE, now=NOW)
    assert first.event_id == again.event_id
    second_life = line_to("a", (ROOT.model_copy(update={"applied_at": NOW + DAY}),))
    assert second_life is not None
    anew = regretted_event(second_life, [put, get], RegretResponse.RESTORE, now=NOW)
    assert len({first.event_id, failed.event_id, other.event_id, anew.event_id}) == 4
    assert telling_of(line, put) != telling_of(second_life, put)
    assert telling_of(line, put) != telling_of(line, get)
    assert (first.plan_id, first.applied_at, first.denied_at) == ("a", ROOT.applied_at, NOW - DAY)
    assert first.actions == ("s3:GetObject", "s3:PutObject")
    assert first.lost == ("kms:Decrypt", "s3:GetObject", "s3:PutObject")


def test_an_end_tells_how_long_the_first_refusal_lasted() -> None:
    line = line_to("a", (ROOT,))
    assert line is not None
    regrets = [
        Regret(action="s3:PutObject", denied_at=NOW + timedelta(minutes=5), lost=("s3:PutObject",)),
        Regret(action="s3:GetObject", denied_at=NOW + timedelta(minutes=2), lost=("s3:GetObject", "s3:PutObject")),
    ]
    ended = FIRST.model_copy(update={"updated_at": NOW + timedelta(minutes=10)})
    told = restored_event(line, ended, regrets)
    assert told.actions == ("s3:GetObject", "s3:PutObject")
    assert (told.plan_id, told.amends, told.seconds_to_restore) == ("b", "a", 480.0)
    early = ended.model_copy(update={"updated_at": NOW})  # clocks may differ
    assert restored_event(line, early, regrets).seconds_to_restore == 0


def test_everything_told_is_about_the_identity_of_the_plan() -> None:
    line = line_to("a", (ROOT,))
    assert line is not None
    regret = Regret(action="s3:GetObject", denied_at=NOW, lost=("s3:GetObject",))
    identities: set[IdentityRef] = {
        regretted_event(line, [regret], RegretResponse.ALERT, now=NOW).identity,
        restored_event(line, FIRST, [regret]).identity,
    }
    assert identities == {ANA}
