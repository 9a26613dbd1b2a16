"""The sweep on moto: page by page, resumed after a pause or a crash, one at a time, and right in the end."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from services.scorer.handler import handle_score_requests, handle_sweep
from services.scorer.settings import SweepSettings
from services.scorer.sweeping.edge import Sweep
from services.scorer.sweeping.progress import MAX_REASONS, PATIENCE
from shared.aws import clients
from shared.aws.account_snapshots import AccountSnapshots, Snapshot
from shared.aws.account_surroundings import memory
from shared.aws.score_table import ScoreTable
from shared.aws.score_trend import ScoreTrend
from shared.aws.sweep_table import SweepTable
from shared.errors import ConflictError, DependencyError
from shared.model.score import ReachSource, Score
from shared.model.sweep import SweepProgress
from tests.builders import ACCOUNT, NOW, envelope, failed, sqs_event
from tests.conftest import MAKE_API_CALL, FakeContext, Stack, in_threads
from tests.integration.test_scorer_handlers import MORE, changed, delete_user, make_user

LATER, HOUR = NOW + timedelta(hours=6), timedelta(hours=1)
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
PAGE = 2  # entries of a page here


class Calls:
    """AWS calls on their way to moto: the listing comes in pages, and a test may have any call fail."""

    def __init__(self) -> None:
        self.markers: list[str | None] = []  # that users and roles were listed from
        self.failing: Callable[[str, dict[str, Any]], str | None] = lambda operation, parameters: None

    def make(self, client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        """Answer one call; raises what AWS does where it fails."""
        code = self.failing(operation_name, api_params)
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "so it is"}}, operation_name)
        if operation_name != "GetAccountAuthorizationDetails":
            return MAKE_API_CALL(client, operation_name, api_params)
        return self._page(client, api_params)

    def _page(self, client: BaseClient, parameters: dict[str, Any]) -> Any:
        marker = parameters.get("Marker")
        if "User" in parameters["Filter"]:
            self.markers.append(marker)
        answer = MAKE_API_CALL(client, "GetAccountAuthorizationDetails", {"Filter": parameters["Filter"]})
        entries = [(name, entry) for name in LISTS for entry in answer[name]]
        start = int(marker or 0)
        page: dict[str, Any] = {name: [] for name in LISTS}
        for name, entry in islice(entries, start, start + PAGE):
            page[name].append(entry)
        truncated = start + PAGE < len(entries)
        return page | {"IsTruncated": truncated} | ({"Marker": str(start + PAGE)} if truncated else {})


@pytest.fixture
def calls(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()

    def make(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        return found.make(client, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", make)
    return found


@pytest.fixture(autouse=True)
def stopped_clock(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASTWISE_TRAIL_LOG_BUCKET", "")
    at(monkeypatch, NOW)


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("services.scorer.handler.utc_now", lambda: now)


class Hurried(FakeContext):
    """An invocation that is always near its end."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """One second."""
        return 1_000


class Passing(FakeContext):
    """An invocation in which a second passes whenever somebody looks."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 900

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # theirs needs no state
        """A second less each time."""
        self._left -= 1
        return 1_000 * self._left


def progress_of(aws: Stack) -> SweepProgress:
    progress = SweepTable(aws.table(aws.scores_table)).get(ACCOUNT)
    assert progress is not None
    return progress


def scores_of(aws: Stack) -> dict[str, Score]:
    stored = ScoreTable(aws.table(aws.scores_table)).scores(ACCOUNT)
    return {one.score.identity.name: one.score for one in stored}


def five_users() -> list[str]:
    names = [f"user{number}" for number in range(5)]
    for name in names:
        make_user(name)
    return names


def fails_at(*users: str, code: str = "Throttling") -> Callable[[str, dict[str, Any]], str | None]:
    """The ledger of some users can't be read."""
    ids = [clients.iam().get_user(UserName=user)["User"]["UserId"] for user in users]

    def failing(operation: str, parameters: dict[str, Any]) -> str | None:
        return code if operation == "Query" and any(one in json.dumps(parameters) for one in ids) else None

    return failing


def pauses(aws: Stack) -> Iterator[dict[str, Any]]:
    return (event for event in aws.published() if event["detail-type"] == "SweepPaused")


# ---- pages, pauses, crashes


def test_a_sweep_short_of_time_goes_on_page_by_page_until_it_is_done(
    aws: Stack, calls: Calls, context: LambdaContext
) -> None:
    # given an account of five users, three pages, and invocations that have time for one
    names = five_users()
    outcomes, told = [], []
    event: dict[str, Any] | None = {}
    while event is not None:
        outcomes.append(handle_sweep(event, Hurried()))
        published = aws.published()
        told += published
        event = next((one for one in published if one["detail-type"] == "SweepPaused"), None)

    # then each goes on where the one before stopped, and the account is scored once, in the end
    assert [one["outcome"] for one in outcomes] == ["paused", "paused", "paused", "completed"]
    assert [one["identities"] for one in outcomes[:3]] == [2, 4, 5]
    assert set(scores_of(aws)) == set(names)
    kinds = [one["detail-type"] for one in told]
    assert (kinds.count("IdentityScored"), kinds.count("AccountScored"), kinds.count("SweepPaused")) == (5, 1, 3)
    assert told[-1]["detail"]["sweep_found"] == outcomes[-1]["sweep_found"] == 5
    assert (progress_of(aws).finished_at, progress_of(aws).lease_until) == (NOW, None)
    listed_for_principals, listed_for_scores = calls.markers[:3], calls.markers[3:]
    assert listed_for_principals == listed_for_scores == [None, "2", "4"]


def test_a_pause_that_is_told_twice_or_late_starts_nothing(aws: Stack, calls: Calls, context: LambdaContext) -> None:
    five_users()
    handle_sweep({}, Hurried())
    [pause] = pauses(aws)
    assert handle_sweep(pause, context)["outcome"] == "completed"
    aws.published()
    assert handle_sweep(pause, context)["outcome"] == "done"
    assert aws.published() == []


@pytest.mark.parametrize("trigger", [{}, {"trigger": "command"}], ids=["schedule", "command"])
def test_a_sweep_that_crashed_is_resumed_at_its_page_by_the_next_trigger(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, trigger: dict[str, Any]
) -> None:
    names = five_users()
    calls.failing = fails_at("user3")
    with pytest.raises(DependencyError, match="Throttling"):
        handle_sweep({}, context)
    assert set(scores_of(aws)) == {"user0", "user1", "user2"}
    assert (progress_of(aws).pages, progress_of(aws).marker, progress_of(aws).lease_until) == (1, "2", None)

    calls.failing = lambda operation, parameters: None
    calls.markers.clear()
    at(monkeypatch, NOW + HOUR)
    assert handle_sweep(trigger, context)["pages"] == 3
    assert calls.markers == ["2", "4"], "what was done is not done again, and principals are known already"
    assert set(scores_of(aws)) == set(names)
    assert len(aws.told("IdentityScored")) == 5


def test_a_sweep_that_was_killed_holds_others_off_until_its_lease_ends(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an invocation that ended without a word
    five_users()
    calls.failing = fails_at("user3")
    monkeypatch.setattr(Sweep, "_release", lambda self: None)
    with pytest.raises(DependencyError):
        handle_sweep({}, context)
    calls.failing = lambda operation, parameters: None

    # then nobody else begins before it must be over, and then one goes on
    at(monkeypatch, NOW + timedelta(seconds=59))
    assert handle_sweep({}, context)["outcome"] == "busy"
    at(monkeypatch, NOW + timedelta(seconds=61))
    answer = handle_sweep({}, context)
    assert (answer["outcome"], answer["pages"]) == ("completed", 3)


@pytest.mark.parametrize("code", ["ValidationError", "InvalidInput"])
def test_a_marker_that_aws_refuses_has_the_listing_begin_again(
    aws: Stack, calls: Calls, context: LambdaContext, code: str
) -> None:
    names = five_users()
    handle_sweep({}, Hurried())
    refused: list[str] = []

    def refuse_once(operation: str, parameters: dict[str, Any]) -> str | None:
        if parameters.get("Marker") != "2" or refused:
            return None
        refused.append(operation)
        return code

    calls.failing = refuse_once
    calls.markers.clear()
    answer = handle_sweep({}, context)
    assert (answer["outcome"], answer["pages"], answer["sweep_found"]) == ("completed", 3, 5)
    assert (refused, calls.markers) == (["GetAccountAuthorizationDetails"], [None, "2", "4"])
    assert set(scores_of(aws)) == set(names)


def test_a_sweep_that_is_too_old_is_begun_anew(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    five_users()
    handle_sweep({}, Hurried())
    at(monkeypatch, NOW + timedelta(hours=12, seconds=1))
    handle_sweep({}, context)
    assert progress_of(aws).started_at == NOW + timedelta(hours=12, seconds=1)


@pytest.mark.parametrize("known", [False, True], ids=["never scored", "scored before"])
def test_one_identity_that_fails_again_and_again_does_not_hold_up_the_others_for_ever(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    names = five_users()
    if known:
        handle_sweep({}, context)
        aws.published()
        at(monkeypatch, LATER)
    calls.failing = fails_at("user3")
    for _ in range(PATIENCE):
        with pytest.raises(DependencyError, match="Throttling"):
            handle_sweep({}, context)
        assert progress_of(aws).pages == 1
    with pytest.raises(DependencyError, match="1 identities could not be scored"):
        handle_sweep({}, context)
    up_to_date = {name for name, score in scores_of(aws).items() if score.scored_at == progress_of(aws).started_at}
    assert up_to_date == set(names) - {"user3"}
    assert ("user3" in scores_of(aws)) is known
    assert len(aws.told("AccountScored")) == 1

    # and Lambda's retry of the invocation that ended so says the same, without another sweep
    with pytest.raises(DependencyError, match="1 identities could not be scored"):
        handle_sweep({}, context)
    assert aws.published() == []
    context._aws_request_id = "another"  # noqa: SLF001 as the runtime sets it
    calls.failing = lambda operation, parameters: None
    assert handle_sweep({}, context)["outcome"] == "completed"


def test_failures_on_several_pages_cost_patience_once(aws: Stack, calls: Calls, context: LambdaContext) -> None:
    five_users()
    calls.failing = fails_at("user0", "user2", "user4")
    for _ in range(PATIENCE):
        with pytest.raises(DependencyError, match="Throttling"):
            handle_sweep({}, context)
    with pytest.raises(DependencyError, match="3 identities could not be scored"):
        handle_sweep({}, context)
    assert set(scores_of(aws)) == {"user1", "user3"}


# ---- one at a time


def test_of_many_sweeps_at_once_one_works_and_the_others_say_that_they_do_not(aws: Stack, atomic_calls: None) -> None:
    five_users()
    answers: list[dict[str, Any]] = []

    def run() -> None:
        answers.append(Sweep(SweepSettings.load(), NOW, lambda: 900.0).run())

    in_threads(*[run] * 4)
    assert sorted(answer["outcome"] for answer in answers) == ["busy", "busy", "busy", "completed"]
    assert len(aws.told("AccountScored")) == 1


def test_a_sweep_whose_lease_ran_out_stops_when_another_took_over(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    five_users()
    slow = Sweep(SweepSettings.load(), NOW, lambda: 30.0)
    finished: list[bool] = []

    def overtake(operation: str, parameters: dict[str, Any]) -> None:
        if operation == "GetAccountAuthorizationDetails" and parameters.get("Marker") == "4" and not finished:
            finished.append(True)
            later = Sweep(SweepSettings.load(), NOW + 2 * HOUR, lambda: 900.0)
            assert later.run()["outcome"] == "completed"

    calls.failing = overtake
    with pytest.raises(ConflictError):
        slow.run()
    assert progress_of(aws).finished_at == NOW + 2 * HOUR
    assert len(aws.told("AccountScored")) == 1


def test_scorers_of_one_identity_at_the_same_time_leave_one_score_and_tell_it(
    aws: Stack, atomic_calls: None, context: LambdaContext
) -> None:
    ana = make_user("ana")
    run = partial(handle_score_requests, sqs_event(changed(userName="ana")), context)
    in_threads(*[run] * 3)  # as many as may run: two of the queue, and the sweep
    told = aws.told("IdentityScored")
    assert {event["event_id"] for event in told} == {told[0]["event_id"]}, "the same thing, however often it is told"
    stored = ScoreTable(aws.table(aws.scores_table)).get(ACCOUNT, ana.identity_id)
    assert stored is not None
    assert stored.announced is not None


# ---- who is there


def test_who_was_deleted_is_retired_and_who_was_not_listed_is_asked_for(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")
    make_user("bob")
    eve = make_user("eve")
    handle_sweep({}, context)
    delete_user("bob")

    def without_eve(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        answer = calls.make(self, name, params)
        if name == "GetAccountAuthorizationDetails":
            answer["UserDetailList"] = [user for user in answer["UserDetailList"] if user["UserName"] != "eve"]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", without_eve)
    at(monkeypatch, LATER)
    assert handle_sweep({}, context)["identities"] == 2
    assert set(scores_of(aws)) == {"ana", "eve"}
    assert scores_of(aws)["eve"].scored_at == LATER
    assert scores_of(aws)["eve"].identity == eve


@pytest.mark.parametrize("by", ["sweep", "event"])
def test_a_name_that_was_given_anew_is_somebody_else(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    old = make_user("ana")
    make_user("bob")
    handle_sweep({}, context)
    delete_user("ana")
    new = make_user("ana", None)
    at(monkeypatch, LATER)
    if by == "sweep":
        handle_sweep({}, context)
    else:  # the message of the deletion comes late, and finds the new one
        handle_score_requests(sqs_event(changed(userName="ana")), context)
    assert scores_of(aws)["ana"].identity == new
    gone = ScoreTable(aws.table(aws.scores_table)).get(ACCOUNT, old.identity_id)
    assert gone is not None
    assert not gone.present
    assert set(scores_of(aws)) == {"ana", "bob"}


def a_policy_vanishes(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing says that everyone has a policy which is no more."""
    gone = "arn:aws:iam::123456789012:policy/gone"

    def stale(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        answer = calls.make(self, name, params)
        if name == "GetAccountAuthorizationDetails":
            for user in answer["UserDetailList"]:
                user["AttachedManagedPolicies"] = [{"PolicyArn": gone, "PolicyName": "gone"}]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", stale)


@pytest.mark.parametrize("known", [False, True], ids=["never scored", "scored before"])
def test_a_policy_that_vanished_while_it_was_listed_costs_a_second_look(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    names = {f"user{number}" for number in range(MAX_REASONS + 2)}
    for name in names:
        make_user(name)
    if known:
        handle_sweep({}, context)
    a_policy_vanishes(calls, monkeypatch)
    at(monkeypatch, LATER)
    assert handle_sweep({}, context)["identities"] == len(names)
    assert {name: score.scored_at for name, score in scores_of(aws).items()} == dict.fromkeys(names, LATER)
    assert progress_of(aws).failures == 0


def before_the_first(
    moment: Callable[[str, dict[str, Any]], object],
    happen: Callable[[], None],
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Have something happen once, before the first call of which `moment` says so."""
    happened: list[str] = []

    def make(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        if not happened and moment(name, params):
            happened.append(name)
            happen()
        return calls.make(self, name, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", make)


def second_page(aws: Stack) -> Callable[[str, dict[str, Any]], object]:
    """Before the second page of the users to score, `user2` and `user3`."""
    return lambda name, params: (
        name == "GetAccountAuthorizationDetails" and params.get("Marker") == "2" and progress_of(aws).pages == 1
    )


def test_a_group_that_is_made_during_a_sweep_is_no_failure(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_users()
    handle_sweep({}, context)
    at(monkeypatch, LATER)

    def make_group() -> None:
        clients.iam().create_group(GroupName="new")
        make_user("zoe")
        for name in ("user3", "zoe"):
            clients.iam().add_user_to_group(GroupName="new", UserName=name)
        handle_score_requests(sqs_event(changed(userName="user3", groupName="new")), context)

    before_the_first(second_page(aws), make_group, calls, monkeypatch)
    assert handle_sweep({}, context)["outcome"] == "completed"
    assert {name: score.scored_at for name, score in scores_of(aws).items()} == dict.fromkeys([*names, "zoe"], LATER)


def test_who_was_renamed_and_could_not_be_read_by_the_listing_is_scored_under_the_new_name(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_users()
    handle_sweep({}, context)
    clients.iam().update_user(UserName="user3", NewUserName="renamed")
    a_policy_vanishes(calls, monkeypatch)
    at(monkeypatch, LATER)
    assert handle_sweep({}, context)["outcome"] == "completed"
    assert set(scores_of(aws)) == {*names, "renamed"} - {"user3"}


def test_who_was_renamed_and_cannot_be_scored_is_not_retired(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_users()
    handle_sweep({}, context)
    clients.iam().update_user(UserName="user3", NewUserName="renamed")
    calls.failing = fails_at("renamed")
    at(monkeypatch, LATER)
    for _ in range(PATIENCE + 1):
        with pytest.raises(DependencyError):
            handle_sweep({}, context)
    assert set(scores_of(aws)) == set(names), "by the old name, as of the last look"
    assert progress_of(aws).failures == 1


def test_a_sweep_does_not_bring_back_who_was_deleted_after_it_was_listed(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_users()
    handle_sweep({}, context)
    at(monkeypatch, LATER)
    before_user2 = fails_at("user2")  # who is listed together with user3

    def delete() -> None:
        delete_user("user3")
        at(monkeypatch, LATER + timedelta(milliseconds=1))
        handle_score_requests(sqs_event(changed(userName="user3")), context)

    before_the_first(before_user2, delete, calls, monkeypatch)
    assert handle_sweep({}, context)["outcome"] == "completed"
    assert set(scores_of(aws)) == set(names) - {"user3"}


def test_a_sweep_looks_again_at_who_was_scored_since_it_began(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an event about a user in the middle of a sweep, and then a change that no event tells
    five_users()
    handle_sweep({}, context)
    granted = scores_of(aws)["user3"].granted
    at(monkeypatch, LATER)

    def change() -> None:
        at(monkeypatch, LATER + timedelta(milliseconds=1))
        handle_score_requests(sqs_event(changed(userName="user3")), context)
        clients.iam().put_user_policy(UserName="user3", PolicyName="more", PolicyDocument=json.dumps(MORE))

    # when the sweep lists the user after that, then it finds the change
    before_the_first(second_page(aws), change, calls, monkeypatch)
    assert handle_sweep({}, Passing())["sweep_found"] == 1
    assert scores_of(aws)["user3"].granted > granted
    assert scores_of(aws)["user3"].scored_at > LATER + timedelta(milliseconds=1)


def test_who_is_gone_is_retired_without_reading_all_scores(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = five_users()
    handle_sweep({}, context)
    read: list[str] = []

    def noted(operation: str, parameters: dict[str, Any]) -> None:
        if operation == "Query" and "SCORE#" in json.dumps(parameters):
            read.append(operation)

    calls.failing = noted
    delete_user("user0")
    make_user("new")
    at(monkeypatch, LATER)
    batch = sqs_event(changed(userName="user0"), changed(userName="new"), changed(userName="nobody"))
    assert failed(handle_score_requests(batch, context)) == []
    assert read == []
    assert set(scores_of(aws)) == {*names, "new"} - {"user0"}

    read.clear()
    for name in names[1:4]:
        delete_user(name)
    at(monkeypatch, LATER + HOUR)
    handle_sweep({}, context)
    assert read == ["Query"] * 2, "for those that were not listed, and for the account's score"
    assert set(scores_of(aws)) == {"user4", "new"}


def test_a_listing_of_nobody_is_an_error_and_retires_nobody(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")
    handle_sweep({}, context)

    def nobody(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        answer = calls.make(self, name, params)
        return answer | {"UserDetailList": []} if name == "GetAccountAuthorizationDetails" else answer

    monkeypatch.setattr(BaseClient, "_make_api_call", nobody)
    at(monkeypatch, LATER)
    with pytest.raises(DependencyError, match="no user and no role"):
        handle_sweep({}, context)
    assert set(scores_of(aws)) == {"ana"}


# ---- what is known of the account


def config_answers(calls: Calls, arns: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """AWS Config lists these resources; the calls made of it."""
    made: list[str] = []

    def answer(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        if name not in {"SelectResourceConfig", "SelectAggregateResourceConfig"}:
            return calls.make(self, name, params)
        made.append(params.get("ConfigurationAggregatorName", name))
        if code := calls.failing(name, params):
            raise ClientError({"Error": {"Code": code}}, name)
        return {"Results": [json.dumps({"arn": arn}) for arn in arns]}

    monkeypatch.setattr(BaseClient, "_make_api_call", answer)
    return made


def test_a_single_score_rests_on_what_the_last_sweep_saw(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "config")
    made = config_answers(calls, ["arn:aws:s3:::one", "arn:aws:s3:::two"], monkeypatch)
    make_user("ana")
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    before = scores_of(aws)["ana"].coverage
    assert (before.principals, before.reach, before.inventory_at) == (False, ReachSource.PATTERN, None)

    handle_sweep({}, context)
    swept = scores_of(aws)["ana"].coverage
    assert (swept.principals, swept.reach, swept.resources) == (True, ReachSource.INVENTORY, 2)
    memory.cache_clear()
    at(monkeypatch, NOW + HOUR)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    after = scores_of(aws)["ana"]
    assert (after.scored_at, after.coverage) == (NOW + HOUR, swept)
    assert made == ["SelectResourceConfig"]


def test_a_warm_function_reads_what_is_stored_once_and_again_after_a_sweep(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")
    read: list[str] = []
    get = AccountSnapshots.get

    def noted(self: AccountSnapshots, account_id: str, name: str) -> Snapshot | None:
        read.append(name)
        return get(self, account_id, name)

    monkeypatch.setattr(AccountSnapshots, "get", noted)
    for minutes in (0, 16):
        at(monkeypatch, NOW + timedelta(minutes=minutes))
        handle_score_requests(sqs_event(changed(userName="ana")), context)
    assert read == ["principals"]
    at(monkeypatch, NOW + timedelta(minutes=17))
    handle_sweep({}, context)
    read.clear()
    for _ in range(2):
        handle_score_requests(sqs_event(changed(userName="ana")), context)
    assert read == ["principals"]
    assert scores_of(aws)["ana"].coverage.principals


@pytest.mark.parametrize("hours", [(0, 6, 12, 18, 24, 30), (0, 23, 24, 47, 48)])
def test_an_inventory_is_read_once_a_day(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, hours: tuple[int, ...]
) -> None:
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "everything")
    made = config_answers(calls, ["arn:aws:s3:::one"], monkeypatch)
    make_user("ana")
    for hour in hours:
        at(monkeypatch, NOW + hour * HOUR)
        handle_sweep({}, context)
    assert made == ["everything"] * len({hour // 24 for hour in hours})
    assert len(aws.told("IdentityScored")) == 1, "another reading of the same resources is no news"


def test_an_inventory_that_cannot_be_read_leaves_the_older_one_in_use(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "config")
    config_answers(calls, ["arn:aws:s3:::one"], monkeypatch)
    make_user("ana")
    handle_sweep({}, context)
    calls.failing = lambda operation, parameters: "AccessDenied" if operation.startswith("Select") else None
    at(monkeypatch, NOW + 48 * HOUR)
    handle_sweep({}, context)
    coverage = scores_of(aws)["ana"].coverage
    assert (coverage.inventory_at, coverage.resources) == (NOW, 1)
    assert '"InventoryUnread":[1.0]' in capsys.readouterr().out


def test_an_inventory_that_takes_half_of_the_time_is_given_up_for_the_older_one(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "config")
    made = config_answers(calls, ["arn:aws:s3:::one"], monkeypatch)
    make_user("ana")
    handle_sweep({}, context)

    class Slow(FakeContext):
        """An invocation of which more than half is over once AWS Config has answered again."""

        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 900_000 if len(made) == 1 else 449_000

    at(monkeypatch, NOW + 48 * HOUR)
    assert handle_sweep({}, Slow())["outcome"] == "completed"
    assert len(made) == 2
    assert scores_of(aws)["ana"].coverage.inventory_at == NOW


def test_a_reading_of_another_source_is_read_anew_at_once(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config_answers(calls, ["arn:aws:s3:::one"], monkeypatch)
    make_user("ana")
    for source in ("config", "everything", "everything"):
        monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", source)
        at(monkeypatch, NOW + len(made) * HOUR)
        handle_sweep({}, context)
    assert made == ["SelectResourceConfig", "everything"]


def test_without_a_source_a_stored_inventory_is_left_alone(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "config")
    config_answers(calls, ["arn:aws:s3:::one"], monkeypatch)
    make_user("ana")
    handle_sweep({}, context)
    monkeypatch.setenv("LEASTWISE_INVENTORY_SOURCE", "none")
    at(monkeypatch, LATER)
    handle_sweep({}, context)
    assert scores_of(aws)["ana"].coverage.reach is ReachSource.PATTERN


def test_a_snapshot_of_another_version_counts_as_none(
    aws: Stack, calls: Calls, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    make_user("ana")
    AccountSnapshots(aws.table(aws.scores_table)).put(ACCOUNT, "principals", b'{"of": "the future"}', at=NOW)
    assert failed(handle_score_requests(sqs_event(changed(userName="ana")), context)) == []
    assert not scores_of(aws)["ana"].coverage.principals
    assert '"SnapshotsUnread":[1.0]' in capsys.readouterr().out
    handle_sweep({}, context)
    assert scores_of(aws)["ana"].coverage.principals


# ---- trends and metrics


def test_trends_have_a_point_a_day_of_everyone_who_changed_and_of_the_account(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make_user("ana")
    for hours in (0, 6, 24):
        at(monkeypatch, NOW + hours * HOUR)
        if hours == 24:
            clients.iam().delete_user_policy(UserName="ana", PolicyName="p")
        handle_sweep({}, context)
    trend = ScoreTrend(aws.table(aws.scores_table))
    today, tomorrow = NOW.date(), NOW.date() + timedelta(days=1)
    hers = list(trend.points(ACCOUNT, since=today, until=tomorrow, identity_id=ana.identity_id))
    account = list(trend.points(ACCOUNT, since=today, until=tomorrow))
    assert [(point.first.at, point.last.at) for point in hers] == [(NOW, NOW), (NOW + 24 * HOUR, NOW + 24 * HOUR)]
    assert [(point.first.at, point.last.at) for point in account] == [(NOW, LATER), (NOW + 24 * HOUR,) * 2]
    assert hers[0].highest == account[0].highest > 60
    assert (hers[1].last.pci, account[1].last.pci, account[1].last.granted) == (0, 0, 0)


def test_the_end_of_a_sweep_is_counted(
    aws: Stack, calls: Calls, context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    five_users()
    handle_sweep({}, context)
    counted = json.loads(capsys.readouterr().out.splitlines()[-1])
    expected = {"LowIdentities": [0.0], "MediumIdentities": [0.0], "HighIdentities": [5.0], "SweepFound": [5.0],
                "SweepFailed": [0.0], "SweepPages": [3.0]}  # fmt: skip
    assert expected.items() <= counted.items()
    assert counted["UnusedHighRiskPermissions"][0] > 100
    assert counted["AccountPci"][0] > 60
    units = {one["Name"]: one["Unit"] for one in counted["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert (units["SweepSeconds"], units["SweepPages"], units["AccountPci"]) == ("Seconds", "Count", "None")


# ---- a change that many share


@pytest.mark.parametrize(("members", "asked"), [(25, 0), (26, 26)])
def test_a_change_that_many_share_is_handed_out_and_one_that_few_share_is_not(
    aws: Stack, context: LambdaContext, members: int, asked: int
) -> None:
    iam = clients.iam()
    iam.create_group(GroupName="devs")
    for number in range(members):
        make_user(f"user{number}", None)
        iam.add_user_to_group(GroupName="devs", UserName=f"user{number}")
    for number in range(3):  # who has a score is not looked up
        handle_score_requests(sqs_event(changed(userName=f"user{number}")), context)
    aws.published()
    assert failed(handle_score_requests(sqs_event(changed(groupName="devs")), context)) == []
    published = aws.published()
    requests = [one for one in published if one["detail-type"] == "ScoreRequested"]
    assert len(requests) == asked
    if not asked:
        assert len(scores_of(aws)) == members
        return
    assert len({one["detail"]["identity"]["identity_id"] for one in requests}) == asked
    assert {one["source"] for one in requests} == {"leastwise.scorer"}
    assert requests[0]["detail"]["reason"] == "group devs changed, which 26 identities share"
    assert len(scores_of(aws)) == 3, "nobody is scored yet"
    for request in requests:
        delivered = envelope(request["detail"], detail_type="ScoreRequested", source="leastwise.scorer")
        assert failed(handle_score_requests(sqs_event(json.dumps(delivered)), context)) == []
    assert len(scores_of(aws)) == asked
    assert not [one for one in aws.published() if one["detail-type"] == "ScoreRequested"], "no loop"


def test_who_changed_while_being_read_is_looked_at_once_more(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    five_users()
    handle_sweep({}, context)
    refused: list[str] = []

    def meddle(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        if name == "ListGroupsForUser" and params["UserName"] == "user3" and not refused:
            refused.append(name)
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": "x"}}, name)
        answer = calls.make(self, name, params)
        if name == "GetAccountAuthorizationDetails":
            for user in answer["UserDetailList"]:
                if user["UserName"] == "user3":  # the policy is gone by the time that the listing is read
                    gone = {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/gone", "PolicyName": "gone"}
                    user["AttachedManagedPolicies"] = [gone]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", meddle)
    at(monkeypatch, LATER)
    assert handle_sweep({}, context)["outcome"] == "completed"
    assert refused


def test_who_was_taken_for_gone_by_an_older_event_is_looked_at_anew(
    aws: Stack, calls: Calls, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("a")
    handle_score_requests(sqs_event(changed(userName="a")), context)
    clients.iam().update_user(UserName="a", NewUserName="b")
    at(monkeypatch, LATER)
    handle_score_requests(sqs_event(changed(userName="a")), context)
    assert "b" not in scores_of(aws)
    at(monkeypatch, LATER - timedelta(seconds=60))  # this batch began before the other, and ends after it
    assert failed(handle_score_requests(sqs_event(changed(userName="b"), changed(userName="z")), context)) == ["m0"]
    at(monkeypatch, LATER + timedelta(minutes=30))
    handle_score_requests(sqs_event(changed(userName="b")), context)
    assert "b" in scores_of(aws)
