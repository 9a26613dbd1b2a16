"""Grant dates on DynamoDB: noted by the scorer and by the sweep, written only where something changed."""

import json
from datetime import datetime, timedelta

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.scorer.handler import handle_score_requests, handle_sweep
from shared.aws import clients
from shared.aws.grant_dates import GrantDates
from shared.model.grant_dates import SeenGrants, key_of
from shared.model.identity import IdentityDetail, IdentityRef, Policy
from shared.model.sources import PolicyKind, PolicySource
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT, failed, sqs_event
from tests.conftest import Stack
from tests.integration.test_scorer_handlers import ADMIN, MORE, changed, make_user
from tests.integration.test_sweep import Calls, at, calls, stopped_clock  # noqa: F401 fixtures

DAY = timedelta(days=1)
OWN = PolicySource(PolicyKind.INLINE, "p")


def held(*names: str, ref: IdentityRef = ANA, day: int = 0) -> IdentityDetail:
    policies = tuple(Policy(source=PolicySource(PolicyKind.INLINE, name), document=ADMIN) for name in names)
    return IdentityDetail(ref=ref, created_at=NOW, read_at=NOW + day * DAY, policies=policies)


@pytest.fixture
def dates(aws: Stack) -> GrantDates:
    return GrantDates(aws.table(aws.scores_table))


def test_what_is_noted_is_read_again_by_itself_and_with_everybody_elses(dates: GrantDates) -> None:
    ana = dates.note(held("a", "b"), None)
    deployer = dates.note(held("c", ref=DEPLOYER, day=1), None)
    assert dates.read(ACCOUNT, ANA.identity_id) == ana
    assert dates.read_all(ACCOUNT) == {ANA.identity_id: ana, DEPLOYER.identity_id: deployer}
    assert dates.read_all(OTHER_ACCOUNT) == {}
    assert dates.read(OTHER_ACCOUNT, ANA.identity_id) is None


def test_of_two_who_note_at_once_the_first_stands_and_the_next_look_makes_it_good(dates: GrantDates) -> None:
    before = dates.note(held("a"), None)
    first = dates.note(held("a", "b", day=1), before)
    assert dates.note(held("a", "c", day=1), before) == first, "theirs, since it is what is stored"
    third = dates.note(held("a", "c", day=2), first)
    assert dates.read(ACCOUNT, ANA.identity_id) == third
    own = Policy(source=PolicySource(PolicyKind.INLINE, "c"), document=ADMIN)
    assert third.first_seen[key_of(own)] == NOW + 2 * DAY


def test_who_was_never_read_does_not_replace_what_a_later_look_noted(dates: GrantDates) -> None:
    later = dates.note(held("a", day=2), None)
    assert dates.note(held("b", day=1), None) == later
    assert dates.read(ACCOUNT, ANA.identity_id) == later


@pytest.mark.parametrize("content", [{}, {"sort_time": "2020", "seen_at": "x", "first_seen": "canary"}])
def test_an_item_that_cannot_be_read_is_told_and_replaced(
    aws: Stack, dates: GrantDates, caplog: pytest.LogCaptureFixture, content: dict[str, str]
) -> None:
    aws.table(aws.scores_table).put({"pk": f"GRANTS#{ACCOUNT}", "sk": ANA.identity_id, **content})
    assert dates.read_all(ACCOUNT) == {}
    assert "unreadable grant dates" in caplog.text
    assert "canary" not in caplog.text
    assert dates.note(held("a"), None) == dates.read(ACCOUNT, ANA.identity_id)


def noted(dates: GrantDates, ref: IdentityRef) -> SeenGrants:
    seen = dates.read(ACCOUNT, ref.identity_id)
    assert seen is not None
    return seen


def test_a_sweep_notes_everybody_once_reads_all_at_once_and_writes_only_what_changed(
    aws: Stack,
    dates: GrantDates,
    calls: Calls,  # noqa: F811 the fixture
    context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a sweep that has seen two users
    ana, bob = make_user("ana"), make_user("bob")
    handle_sweep({}, context)
    assert {noted(dates, ref).seen_at for ref in (ana, bob)} == {NOW}
    # when the next ones find nothing new, and then another policy of bob's
    touched: list[str] = []

    def watch(operation: str, parameters: dict[str, object]) -> None:
        if "GRANTS#" in json.dumps(parameters, default=str):
            touched.append(operation)

    calls.failing = watch
    at(monkeypatch, NOW + DAY)
    handle_sweep({}, context)
    assert touched == ["Query"], "one read for everybody, and no write"
    touched.clear()
    clients.iam().put_user_policy(UserName="bob", PolicyName="more", PolicyDocument=json.dumps(MORE))
    at(monkeypatch, NOW + 2 * DAY)
    handle_sweep({}, context)
    # then one item is written, and says since when he has had which
    assert touched == ["Query", "PutItem"]
    assert sorted(noted(dates, bob).first_seen.values()) == [NOW, NOW + 2 * DAY]
    assert noted(dates, ana).seen_at == NOW


def test_a_change_that_an_event_tells_of_is_noted_at_once(
    aws: Stack, dates: GrantDates, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make_user("ana")
    for day, document in enumerate((ADMIN, MORE, MORE)):
        clients.iam().put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=json.dumps(document))
        now: datetime = NOW + day * DAY
        at(monkeypatch, now)
        assert failed(handle_score_requests(sqs_event(changed(userName="ana")), context)) == []
    assert list(noted(dates, ana).first_seen.values()) == [NOW + DAY]


def test_a_table_that_refuses_one_identity_keeps_nobody_else_from_being_scored(
    aws: Stack,
    dates: GrantDates,
    calls: Calls,  # noqa: F811 the fixture
    context: LambdaContext,
) -> None:
    ana, bob = make_user("ana"), make_user("bob")

    def fail(operation: str, parameters: dict[str, object]) -> str | None:
        text = json.dumps(parameters, default=str)
        return (
            "InternalServerError" if operation == "PutItem" and "GRANTS#" in text and ana.identity_id in text else None
        )

    calls.failing = fail
    for _ in range(3):
        with pytest.raises(Exception, match="PutItem"):
            handle_sweep({}, context)
    with pytest.raises(Exception, match="1 identities could not be scored"):
        handle_sweep({}, context)
    assert noted(dates, bob).seen_at == NOW
    assert dates.read(ACCOUNT, ana.identity_id) is None
