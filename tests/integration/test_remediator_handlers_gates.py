"""Who the remediator never touches, and when it leaves everybody alone: on moto, through the handlers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.aws import clients
from shared.aws.access_analyzer import Analyzer, AnalyzerAnswer, AnalyzerFinding, NewAccess
from shared.aws.iam import IamReader
from shared.aws.last_accessed import LastAccessedReader
from shared.errors import InputError
from shared.model.identity import IdentityRef
from shared.model.plan import PlanStatus
from tests.builders import ACCOUNT
from tests.integration.remediator_house import SAFEGUARDS, House, killed


@pytest.mark.parametrize(
    ("tag", "path", "code"),
    [
        ({"Key": "leastwise:exempt", "Value": "true"}, "/team/", "exempt"),
        ({"Key": "leastwise:exempt", "Value": "ture"}, "/team/", "exempt"),
        ({"Key": "aws:cloudformation:stack-name", "Value": "leastwise"}, "/team/", "protected"),
        (None, "/breakglass/", "protected"),
        (None, "/leastwise/", "protected"),
    ],
)
def test_given_a_protected_or_exempt_role_when_the_mode_is_auto_then_nothing_is_called(
    house: House, monkeypatch: pytest.MonkeyPatch, tag: dict[str, str] | None, path: str, code: str
) -> None:
    house.mode("auto")
    read = IamReader.verified

    def verified(self: IamReader, ref: IdentityRef, *, now: datetime) -> Any:
        detail = read(self, ref, now=now)
        arn = detail.ref.arn.replace("/team/", path)
        tags = {tag["Key"]: tag["Value"]} if tag else {}
        return detail.model_copy(update={"tags": tags, "ref": detail.ref.model_copy(update={"arn": arn})})

    monkeypatch.setattr(IamReader, "verified", verified)

    assert house.verdict() == []
    assert house.ask("remediate", resource_id=house.role.identity_id)["reason"] == code

    assert house.changes == []
    assert house.skipped() == [code, code]


ASKED = ("verdict", "propose", "remediate", "approve", "apply")


@pytest.mark.parametrize("action", ASKED)
def test_given_the_kill_switch_when_anything_asks_then_nothing_changes(house: House, action: str) -> None:
    house.verdict()
    house.told()
    house.mode("off")

    if action == "verdict":
        house.verdict()
    elif action in {"approve", "apply"}:
        house.ask(action, plan_id=house.plan_id())
    else:
        house.ask(action, resource_id=house.role.identity_id)

    assert house.changes == []
    assert house.skipped() == ["kill_switch"]


def test_given_a_change_under_way_when_the_kill_switch_is_thrown_then_the_next_call_is_not_made(house: House) -> None:
    house.mode("auto")
    with house.at_call("CreatePolicy", lambda: house.mode("off")):
        assert house.verdict() == ["m0"]
    assert (house.changes, house.boundary) == (["CreatePolicy"], None)

    house.mode("auto")
    assert house.verdict() == []
    assert house.boundary


@pytest.mark.parametrize("unreadable", ["missing", "no mode"])
def test_given_an_unreadable_mode_when_a_verdict_comes_then_nothing_changes(house: House, unreadable: str) -> None:
    if unreadable == "missing":
        clients.ssm().delete_parameter(Name=house.stack.mode_parameter)
    else:
        house.mode("full-speed")

    assert house.verdict() == ["m0"]
    assert (house.changes, house.told()) == ([], [])


@pytest.mark.parametrize(
    ("pci", "age", "code"), [(90.0, timedelta(hours=49), "stale_score"), (59.0, timedelta(0), "compliant")]
)
def test_given_a_stale_or_low_score_when_a_verdict_comes_then_it_is_skipped(
    house: House, pci: float, age: timedelta, code: str
) -> None:
    house.mode("auto")
    house.score(pci, age=age)

    assert house.verdict() == []
    assert (house.changes, house.skipped()) == ([], [code])


def test_given_nobody_by_that_id_when_a_verdict_comes_then_the_message_is_refused(house: House) -> None:
    house.mode("auto")
    assert house.verdict(resourceId="AROAUNKNOWN00000000001") == ["m0"]
    with pytest.raises(InputError):
        house.ask("remediate", resource_id="AROAUNKNOWN00000000001")
    assert house.changes == []


def test_given_no_last_accessed_information_when_a_verdict_comes_then_it_goes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.mode("auto")
    monkeypatch.setattr(LastAccessedReader, "read", killed)
    assert house.verdict() == ["m0"]
    assert house.changes == []


# ---- safeguards


@pytest.mark.parametrize("unreadable", ["missing", "no JSON", '{"exemptions": [{"arn": "x"}]}', '{"exemption": []}'])
def test_given_unreadable_safeguards_when_anybody_asks_then_nothing_changes_and_the_message_goes_back(
    house: House, unreadable: str
) -> None:
    house.mode("auto")
    if unreadable == "missing":
        clients.ssm().delete_parameter(Name=SAFEGUARDS)
    else:
        clients.ssm().put_parameter(Name=SAFEGUARDS, Value=unreadable, Type="String", Overwrite=True)

    assert house.verdict() == ["m0"]
    assert (house.changes, house.told()) == ([], [])


@pytest.mark.parametrize("by", ["arn", "identity_id", "path"])
def test_given_an_exemption_in_the_safeguards_when_anybody_asks_then_nothing_changes(house: House, by: str) -> None:
    house.mode("auto")
    value = {"arn": house.role.arn.upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace("ROLE/", "role/")}
    value |= {"identity_id": house.role.identity_id, "path": "/Team/"}
    house.safeguards(exemptions=[{by: value[by], "owner": "ana", "reason": "year end"}])

    house.verdict()

    assert house.ask("remediate", resource_id=house.role.identity_id)["reason"] == "exempt"
    assert (house.changes, house.skipped()) == ([], ["exempt", "exempt"])


def today(house: House) -> Any:
    return house.now().astimezone(UTC).date()


@pytest.mark.parametrize("days_ago", [0, 1, 7])
def test_given_an_exemption_that_ended_when_it_is_in_its_grace_then_it_holds_and_is_told_once(
    house: House, days_ago: int
) -> None:
    house.mode("auto")
    ended = today(house) - timedelta(days=days_ago)
    house.tag(exempt=ended.isoformat(), exempt_owner="ana", exempt_reason="migration")

    house.verdict()
    house.verdict()

    events = house.stack.published()
    told = {event["detail"]["event_id"] for event in events if event["detail-type"] == "ExemptionExpired"}
    assert len(told) == (0 if days_ago == 0 else 1)
    assert house.changes == []
    if told:
        detail = next(event["detail"] for event in events if event["detail-type"] == "ExemptionExpired")
        assert (detail["owner"], detail["reason"], detail["expired_on"]) == ("ana", "migration", ended.isoformat())
        assert detail["acts_from"][:10] == (ended + timedelta(days=8)).isoformat()


def test_given_an_exemption_that_ended_over_a_week_ago_when_a_verdict_comes_then_it_is_acted_on(house: House) -> None:
    house.mode("auto")
    house.tag(exempt=(today(house) - timedelta(days=8)).isoformat())
    house.verdict()
    assert house.boundary


def hold(house: House, *hours: int) -> dict[str, str]:
    start, end = ((house.now() + timedelta(hours=hour)).isoformat() for hour in hours)
    return {"start": start, "end": end, "reason": "year end"}


def test_given_a_hold_when_a_verdict_comes_then_it_waits_but_a_person_may(house: House) -> None:
    house.mode("auto")
    house.safeguards(holds=[hold(house, -1, 1), hold(house, -1, 5)])

    house.verdict()

    (skipped,) = house.stack.told("RemediationSkipped")
    assert (skipped["code"], house.changes) == ("held", [])
    until = (house.now() + timedelta(hours=5)).astimezone(UTC)
    assert f"{until:%Y-%m-%d %H}" in skipped["message"]
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "APPLIED"


@pytest.mark.parametrize("hours", [(-5, -1), (1, 5)])
def test_given_a_hold_at_another_time_when_a_verdict_comes_then_it_is_acted_on(
    house: House, hours: tuple[int, int]
) -> None:
    house.mode("auto")
    house.safeguards(holds=[hold(house, *hours)])
    house.verdict()
    assert house.boundary


def test_given_a_role_that_code_manages_when_anybody_asks_then_it_gets_a_patch_and_no_change(house: House) -> None:
    house.mode("auto")
    house.safeguards(managed_as_code=[{"tag": "ManagedBy", "values": ["terraform"]}])
    clients.iam().tag_role(RoleName="deployer", Tags=[{"Key": "ManagedBy", "Value": "Terraform"}])
    house.calls.clear()

    house.verdict()
    plan_id = house.plan_id()
    answers = [house.ask(action, plan_id=plan_id) for action in ("approve", "apply")]

    assert {(answer["outcome"], answer["reason"]) for answer in answers} == {("SKIPPED", "changed_by_code")}
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "PROPOSED"
    assert house.changes == []
    assert house.record().plan.strategy == "patch"


def test_given_a_peer_that_used_more_when_a_plan_is_made_then_that_is_kept(house: House) -> None:
    peer = house.role.model_copy(update={"identity_id": "AROAPEER0000000000001"})
    other = House(house.stack, house.context, peer)
    other.use("sqs:CreateQueue")
    house.verdict()
    assert "sqs:CreateQueue" in house.record().plan.removes
    house.safeguards(peer_groups=[{"name": "deployers", "members": [house.role.identity_id, peer.identity_id]}])

    house.verdict()

    assert "sqs:CreateQueue" in house.record().plan.keeps


def test_given_what_is_always_kept_when_a_plan_is_made_then_it_is_kept(house: House) -> None:
    house.safeguards(always_keep=["SQS:Purge*"])
    house.verdict()
    assert "sqs:PurgeQueue" in house.record().plan.keeps


# ---- Access Analyzer


PASSED = AnalyzerAnswer((), NewAccess.PASS)


@pytest.mark.parametrize(
    ("answer", "skipped"),
    [
        (PASSED, []),
        (AnalyzerAnswer((), NewAccess.FAIL, ("new access to sqs",)), ["not_proven"]),
        (
            AnalyzerAnswer((AnalyzerFinding("ERROR", "INVALID_ACTION", "no such action", 0),), NewAccess.PASS),
            ["not_proven"],
        ),
        (AnalyzerAnswer((AnalyzerFinding("SUGGESTION", "EMPTY", "could be shorter", 0),), NewAccess.PASS), []),
    ],
)
def test_given_access_analyzer_when_it_speaks_against_a_plan_then_that_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch, answer: AnalyzerAnswer, skipped: list[str]
) -> None:
    monkeypatch.setenv("LEASTWISE_ACCESS_ANALYZER", "true")
    monkeypatch.setattr(Analyzer, "check", lambda self, old, new: answer)
    house.mode("auto")

    assert house.verdict() == []

    assert house.skipped() == skipped
    assert bool(house.boundary) is not bool(skipped)
    assert skipped == [] or house.journal.current(house.role) is None


def test_given_no_answer_of_access_analyzer_when_a_verdict_comes_then_it_goes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_ACCESS_ANALYZER", "true")
    monkeypatch.setattr(Analyzer, "check", killed)
    house.mode("auto")
    assert house.verdict() == ["m0"]
    assert (house.changes, house.told()) == ([], [])


# ---- notice, limits, soak


def later(house: House, hours: float) -> None:
    """Let time pass; the trail and the scorer go on."""
    house.ahead += timedelta(hours=hours)
    house.use("iam:GetUser", "lambda:ListFunctions", at=house.now())
    house.score(age=-house.ahead)


def test_given_a_notice_when_it_is_not_over_then_the_plan_waits_and_afterwards_it_is_applied(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.mode("auto")
    for _ in range(3):
        house.verdict()
        assert house.changes == []
        later(house, 23.9)
    house.verdict()
    assert house.changes == [], "71.7 hours"
    later(house, 1)
    house.verdict()
    assert house.boundary


def test_given_a_plan_that_takes_more_than_was_announced_when_the_notice_is_over_then_it_begins_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.mode("auto")
    house.verdict()
    more = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
    clients.iam().put_role_policy(RoleName="deployer", PolicyName="more", PolicyDocument=json.dumps(more))
    house.calls.clear()
    later(house, 73)

    house.verdict()
    assert house.changes == []
    later(house, 73)
    house.verdict()
    assert house.boundary


def test_given_a_plan_that_was_known_while_observing_when_the_mode_becomes_auto_then_notice_is_given_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_NOTICE_HOURS", "72")
    house.verdict()
    house.told()
    later(house, 100)
    house.mode("auto")

    house.verdict()

    assert house.changes == []
    (told,) = house.stack.told("PlanProposed")
    assert told["mode"] == "auto"


def spend(house: House, changes: int, *, failures: int = 0) -> None:
    """As if others had been changed in this hour."""
    for _ in range(changes):
        assert house.journal.spend(ACCOUNT, now=house.now(), refusal=lambda spent: "") == ""
    for _ in range(failures):
        house.journal.note_failure(ACCOUNT, now=house.now())


@pytest.mark.parametrize(
    ("begun", "percent", "hours"),
    [((25, 0), 100, 1.2), ((0, 3), 100, 1.2), ((2, 0), 10, 24.2)],
    ids=["changes in the hour", "failures in the hour", "share in the day"],
)
def test_given_a_limit_when_it_is_reached_then_plans_wait_but_a_person_may_and_time_renews_it(
    house: House, monkeypatch: pytest.MonkeyPatch, begun: tuple[int, int], percent: int, hours: float
) -> None:
    monkeypatch.setenv("LEASTWISE_MAX_CHANGED_PERCENT", str(percent))
    house.mode("auto")
    house.judge(*("NON_COMPLIANT" for _ in range(26)), *("NOT_APPLICABLE" for _ in range(9)))
    spend(house, begun[0], failures=begun[1])

    assert house.verdict() == []
    assert (house.changes, house.told()) == ([], ["PlanProposed"])

    later(house, hours)
    house.verdict()
    assert house.boundary


def test_given_a_limit_that_is_reached_when_a_person_asks_then_it_is_applied_and_not_counted(house: House) -> None:
    house.mode("auto")
    spend(house, 25)
    assert house.ask("remediate", resource_id=house.role.identity_id)["outcome"] == "APPLIED"
    assert house.spent().begun_within(timedelta(hours=1), house.now()) == 25


def test_given_a_failed_change_when_it_was_taken_back_then_it_counts_against_further_ones(house: House) -> None:
    house.mode("auto")

    def refuse() -> None:
        raise InputError("MalformedPolicyDocument")

    with house.at_call("PutRolePermissionsBoundary", refuse, before=True):
        house.verdict()

    assert house.record().status is PlanStatus.ROLLED_BACK
    assert house.spent().failed_within(timedelta(hours=1), house.now()) == 1


def test_given_an_applied_plan_when_it_is_still_watched_then_no_other_follows_without_a_person(house: House) -> None:
    house.applied_plan()
    later(house, 24)
    house.verdict()
    assert (house.changes, house.skipped()) == ([], ["soaking"])
