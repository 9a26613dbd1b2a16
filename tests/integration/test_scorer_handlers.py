"""The scorer's entrances: CloudTrail events into the ledger, requests for a score, and the sweep."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from services.scorer.feeds.edge import known_entries
from services.scorer.handler import handle_cloudtrail_events, handle_score_requests, handle_sweep
from shared.aws import clients
from shared.aws.dynamodb import Table
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import ConflictError, DependencyError, SettingsError
from shared.events import ScoreRequested
from shared.model.identity import IdentityRef
from shared.model.usage import Evidence, IdentityKey
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT, cloudtrail_body, domain_body, envelope, failed, sqs_event
from tests.conftest import MAKE_API_CALL, LogLines, Stack

CANARY = "AKIACANARYCANARY0000"
LATER = NOW + timedelta(hours=6)
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:*", "s3:*"], "Resource": "*"}]}
MORE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
USER_ID = "AIDAEXAMPLEUSER00001"


def record(action: str = "GetBucketPolicy", **changes: Any) -> dict[str, Any]:
    fields = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": USER_ID,
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ana",
            "accountId": ACCOUNT,
        },
        "eventTime": "2026-03-01T12:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": action,
        "awsRegion": "eu-west-1",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return fields | changes


@pytest.fixture(autouse=True)
def stopped_clock(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    known_entries.cache_clear()
    at(monkeypatch, NOW)


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("services.scorer.handler.utc_now", lambda: now)


def ledger_of(aws: Stack) -> UsageLedger:
    return UsageLedger(aws.table(aws.usage_table))


def scores_of(aws: Stack) -> ScoreTable:
    return ScoreTable(aws.table(aws.scores_table))


def make_user(name: str, document: dict[str, Any] | None = ADMIN) -> IdentityRef:
    user = clients.iam().create_user(UserName=name)["User"]
    if document:
        clients.iam().put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return IdentityRef(account_id=ACCOUNT, identity_id=user["UserId"], arn=user["Arn"])


def delete_user(name: str) -> None:
    for policy in clients.iam().list_user_policies(UserName=name)["PolicyNames"]:
        clients.iam().delete_user_policy(UserName=name, PolicyName=policy)
    clients.iam().delete_user(UserName=name)


def changed(**parameters: Any) -> str:
    return cloudtrail_body(record("X", eventSource="iam.amazonaws.com", requestParameters=parameters))


def test_a_batch_of_calls_is_recorded_and_its_duplicates_change_nothing(aws: Stack, context: LambdaContext) -> None:
    batch = sqs_event(
        *[cloudtrail_body(record())] * 2, cloudtrail_body(record("ListBuckets", errorCode="AccessDenied"))
    )
    for _ in range(2):
        assert failed(handle_cloudtrail_events(batch, context)) == []
    usage = ledger_of(aws).read(IdentityKey(ACCOUNT, USER_ID), since=NOW - timedelta(days=1))
    assert {key: set(entry.spans) for key, entry in usage.entries.items()} == {
        "s3:getbucketpolicy": {Evidence.OBSERVED},
        "s3:listallmybuckets": {Evidence.DENIED},
    }
    assert usage.coverage.days == {NOW.date()}
    assert usage.coverage.feeds == {"eventbridge"}
    assert len(clients.dynamodb().scan(TableName=aws.usage_table)["Items"]) == 3


def test_a_malformed_call_fails_alone_the_rest_is_recorded_and_its_content_is_not_logged(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    bad = [
        CANARY,
        cloudtrail_body(record(eventTime=CANARY)),
        cloudtrail_body(record(), account=OTHER_ACCOUNT),
        cloudtrail_body(record(userIdentity=CANARY)),
    ]
    assert failed(handle_cloudtrail_events(sqs_event(*bad, cloudtrail_body(record())), context)) == [
        "m0", "m1", "m2", "m3",
    ]  # fmt: skip
    assert ledger_of(aws).read(IdentityKey(ACCOUNT, USER_ID), since=NOW).entries.keys() == {"s3:getbucketpolicy"}
    reasons = {line["message_id"]: line["reason"] for line in log.entries("message failed")}
    assert reasons["m1"].endswith("detail.eventTime: invalid RFC3339 encoded datetime")
    assert reasons["m3"].endswith("detail.userIdentity: expected object | null, got str")
    assert CANARY not in log.text


def test_a_batch_of_nothing_but_malformed_calls_does_not_show_them_either(
    aws: Stack, context: LambdaContext, log: LogLines
) -> None:
    with pytest.raises(BatchProcessingError) as caught:
        handle_cloudtrail_events(sqs_event(CANARY, cloudtrail_body(record(eventTime=CANARY))), context)
    assert CANARY not in str(caught.value) + log.text


def test_a_ledger_that_fails_sends_the_whole_batch_back(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASTWISE_USAGE_TABLE", "nowhere")
    with pytest.raises(DependencyError, match="nowhere"):
        handle_cloudtrail_events(sqs_event(cloudtrail_body(record())), context)


def test_calls_of_identities_of_another_account_are_not_recorded_here(aws: Stack, context: LambdaContext) -> None:
    stranger = {
        "type": "IAMUser", "principalId": "AIDASTRANGER00001", "accountId": OTHER_ACCOUNT,
        "arn": f"arn:aws:iam::{OTHER_ACCOUNT}:user/eve",
    }  # fmt: skip
    handle_cloudtrail_events(sqs_event(cloudtrail_body(record(userIdentity=stranger))), context)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        assert ledger_of(aws).read(IdentityKey(account, "AIDASTRANGER00001"), since=NOW).entries == {}


def test_a_warm_function_that_hears_nothing_new_neither_reads_nor_writes_the_ledger(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_cloudtrail_events(sqs_event(cloudtrail_body(record())), context)
    calls: list[str] = []
    clients.dynamodb().meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    later = [cloudtrail_body(record(eventTime=f"2026-03-01T{hour}:00:00Z")) for hour in (13, 14)]
    handle_cloudtrail_events(sqs_event(*later), context)
    assert calls == []
    handle_cloudtrail_events(sqs_event(cloudtrail_body(record(eventTime="2026-03-02T01:00:00Z"))), context)
    assert calls.count("PutItem") == 2, "the entry and the day"


def test_a_call_that_lacks_what_it_needs_is_counted_and_the_rest_recorded(
    aws: Stack, context: LambdaContext, log: LogLines, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = sqs_event(cloudtrail_body(record(eventName=None)), cloudtrail_body(record()))
    assert failed(handle_cloudtrail_events(batch, context)) == []
    assert log.entries("usage recorded")[0]["skipped"] == {"malformed": 1}
    assert '"UnreadableRecords":[1.0]' in capsys.readouterr().out
    assert ledger_of(aws).read(IdentityKey(ACCOUNT, USER_ID), since=NOW).entries


def test_a_change_scores_who_it_names_and_tells_it_once(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make_user("ana")
    handle_score_requests(sqs_event(changed(userName="ana"), changed(userName="ana")), context)
    at(monkeypatch, LATER)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    [told] = aws.told("IdentityScored")
    assert (told["identity"]["arn"], told["score_version"], told["previous_pci"]) == (ana.arn, 1, None)
    assert told["pci"] > 60
    stored = scores_of(aws).get(ACCOUNT, ana.identity_id)
    assert stored is not None
    assert (stored.score.scored_at, stored.score.pci) == (LATER, told["pci"]), "fresh though nothing new is told"


def test_a_score_that_changed_is_told_with_the_one_before(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    [first] = aws.told("IdentityScored")
    clients.iam().delete_user_policy(UserName="ana", PolicyName="p")
    at(monkeypatch, LATER)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    [second] = aws.told("IdentityScored")
    assert (second["score_version"], second["pci"], second["previous_pci"]) == (2, 0, first["pci"])


def test_use_that_was_recorded_lowers_the_score(aws: Stack, context: LambdaContext) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetBucketPolicy", "Resource": "*"}
    ana = make_user("ana", {"Version": "2012-10-17", "Statement": [statement]})
    identity = {"type": "IAMUser", "principalId": ana.identity_id, "arn": ana.arn, "accountId": ACCOUNT}
    handle_cloudtrail_events(sqs_event(cloudtrail_body(record(userIdentity=identity))), context)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    [told] = aws.told("IdentityScored")
    assert (told["granted"], told["used"], told["pci"], told["observed_days"]) == (1, 1, 0, 1)


@pytest.mark.parametrize("way", ["group", "policy", "request", "item"])
def test_every_way_to_name_identities_reaches_them(aws: Stack, context: LambdaContext, way: str) -> None:
    ana, iam = make_user("ana"), clients.iam()
    iam.create_group(GroupName="devs")
    iam.add_user_to_group(GroupName="devs", UserName="ana")
    arn = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(ADMIN))["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="devs", PolicyArn=arn)
    item = {"configurationItem": {"resourceType": "AWS::IAM::Group", "resourceName": "devs", "ARN": "arn:x"}}
    bodies = {
        "group": changed(groupName="devs"),
        "policy": changed(policyArn=arn),
        "request": domain_body(ScoreRequested.about(ana, "k", occurred_at=NOW, reason="x")),
        "item": json.dumps(envelope(item, detail_type="Config Configuration Item Change")),
    }
    assert failed(handle_score_requests(sqs_event(bodies[way]), context)) == []
    assert [told["identity"]["arn"] for told in aws.told("IdentityScored")] == [ana.arn]


def test_a_policy_that_one_more_has_is_news_of_nobody_else(aws: Stack, context: LambdaContext) -> None:
    make_user("ana", None)
    arn = clients.iam().create_policy(PolicyName="own", PolicyDocument=json.dumps(ADMIN))["Policy"]["Arn"]
    clients.iam().attach_user_policy(UserName="ana", PolicyArn=arn)
    properties = {"Relationships.0": {"changeType": "CREATE"}, "Configuration.AttachmentCount": {"updatedValue": 1}}
    item = {
        "configurationItem": {"resourceType": "AWS::IAM::Policy", "resourceName": "own", "ARN": arn},
        "configurationItemDiff": {"changeType": "UPDATE", "changedProperties": properties},
    }
    body = json.dumps(envelope(item, detail_type="Config Configuration Item Change"))
    assert failed(handle_score_requests(sqs_event(body), context)) == []
    assert aws.published() == []


@pytest.mark.parametrize("way", ["event", "sweep"])
def test_a_score_that_cannot_be_read_stops_nothing_and_is_made_anew(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # given a score of another version, which was told
    ana = make_user("ana")
    handle_sweep({}, context)
    table = aws.table(aws.scores_table)
    item = table.get(f"ACCOUNT#{ACCOUNT}", f"SCORE#{ana.identity_id}")
    assert item is not None
    table.put(item | {"contributions": [{"risk": "unheard of"}]})
    aws.published()

    # when it is next looked at
    at(monkeypatch, LATER)
    if way == "event":
        assert failed(handle_score_requests(sqs_event(changed(userName="ana")), context)) == []
    else:
        assert handle_sweep({}, context)["outcome"] == "completed"

    # then it is there again, and since it says what was told before, it is no news
    stored = scores_of(aws).get(ACCOUNT, ana.identity_id)
    assert stored is not None
    assert (stored.score.scored_at, stored.announcements) == (LATER, 1)
    assert aws.told("IdentityScored") == []


def test_a_malformed_request_fails_alone(aws: Stack, context: LambdaContext, log: LogLines) -> None:
    make_user("ana")
    batch = sqs_event("{" + CANARY, changed(userName="ana"), changed(userName="ana").replace('"detail"', '"x"'))
    assert failed(handle_score_requests(batch, context)) == ["m0", "m2"]
    assert len(aws.told("IdentityScored")) == 1
    assert CANARY not in log.text


def test_an_identity_that_is_gone_is_retired_and_told_nothing_of(aws: Stack, context: LambdaContext) -> None:
    ana, bob = make_user("ana"), make_user("bob")
    handle_score_requests(sqs_event(changed(userName="ana"), changed(userName="bob")), context)
    aws.published()
    delete_user("ana")
    assert failed(handle_score_requests(sqs_event(changed(userName="ana")), context)) == []
    assert [stored.score.identity for stored in scores_of(aws).scores(ACCOUNT)] == [bob]
    gone = scores_of(aws).get(ACCOUNT, ana.identity_id)
    assert gone is not None
    assert not gone.present
    assert aws.published() == []


@pytest.mark.parametrize(("times", "lost"), [(1, []), (2, []), (3, ["m0"])])
def test_a_user_whose_policy_goes_while_it_is_read_is_read_again_and_not_for_ever(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, times: int, lost: list[str]
) -> None:
    make_user("ana")
    clients.iam().put_user_policy(UserName="ana", PolicyName="going", PolicyDocument=json.dumps(MORE))
    pauses: list[float] = []
    refusals: list[str] = []

    def going(self: BaseClient, name: str, params: dict[str, Any]) -> Any:
        if name == "GetUserPolicy" and len(refusals) < times:
            refusals.append(name)
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": "It is gone."}}, name)
        return MAKE_API_CALL(self, name, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", going)
    monkeypatch.setattr("services.scorer.edge.time.sleep", pauses.append)
    batch = sqs_event(changed(userName="ana"), changed(roleName="nobody"))

    assert failed(handle_score_requests(batch, context)) == lost

    assert (len(refusals), len(pauses)) == (times, min(times, 2))
    assert len(aws.told("IdentityScored")) == 1 - len(lost)


def test_a_renamed_user_stays_the_same_identity_and_is_not_retired(aws: Stack, context: LambdaContext) -> None:
    ana = make_user("ana")
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    clients.iam().update_user(UserName="ana", NewUserName="anna")
    handle_score_requests(sqs_event(changed(userName="ana", newUserName="anna")), context)
    assert [s.score.identity.identity_id for s in scores_of(aws).scores(ACCOUNT)] == [ana.identity_id]


def test_a_late_look_never_replaces_the_score_of_a_later_one(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make_user("ana")
    at(monkeypatch, LATER)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    at(monkeypatch, NOW)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    stored = scores_of(aws).get(ACCOUNT, ana.identity_id)
    assert stored is not None
    assert stored.score.scored_at == LATER


def test_a_writer_that_was_overtaken_reads_again(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")
    put = Table.put
    lost: list[dict[str, Any]] = []

    def lose_once(self: Table, item: dict[str, Any], **options: Any) -> None:
        if not lost:
            lost.append(item)
            raise ConflictError("somebody else was first")
        put(self, item, **options)

    monkeypatch.setattr(Table, "put", lose_once)
    assert failed(handle_score_requests(sqs_event(changed(userName="ana")), context)) == []
    assert (len(lost), len(aws.told("IdentityScored"))) == (1, 1)


def test_a_bus_that_failed_once_is_made_good_by_the_next_delivery(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("ana")
    ok = changed(roleName="nobody")
    with monkeypatch.context() as patch:
        patch.setenv("LEASTWISE_EVENT_BUS", "nowhere")
        assert failed(handle_score_requests(sqs_event(changed(userName="ana"), ok), context)) == ["m0"]
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    assert [told["score_version"] for told in aws.told("IdentityScored")] == [1]


def test_a_sweep_scores_everyone_and_the_account(aws: Stack, context: LambdaContext) -> None:
    for number in range(3):
        make_user(f"user{number}")
    make_user("harmless", None)
    clients.iam().tag_user(UserName="user2", Tags=[{"Key": "leastwise:exempt", "Value": "true"}])
    answer = handle_sweep({}, context)
    published = aws.published()
    [account] = [one["detail"] for one in published if one["detail-type"] == "AccountScored"]
    assert (account["identities"], account["excluded"], account["sweep_found"]) == (3, 1, 4)
    assert (answer["outcome"], answer["pci"], answer["sweep_found"]) == ("completed", account["pci"], 4)
    assert sum(account["by_band"].values()) == 3
    assert len([one for one in published if one["detail-type"] == "IdentityScored"]) == 4


def test_a_sweep_finds_what_events_missed(aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> None:
    make_user("ana")
    bob = make_user("bob")
    handle_sweep({}, context)
    for name in ("ana", "bob"):
        clients.iam().put_user_policy(UserName=name, PolicyName="q", PolicyDocument=json.dumps(MORE))
    at(monkeypatch, LATER)
    handle_score_requests(sqs_event(changed(userName="ana")), context)
    aws.published()
    assert handle_sweep({}, context)["sweep_found"] == 1
    published = aws.published()
    assert [one["detail-type"] for one in published] == ["IdentityScored", "AccountScored"]
    assert published[0]["detail"]["identity"]["identity_id"] == bob.identity_id
    assert handle_sweep({}, context)["sweep_found"] == 0
    assert [one["detail-type"] for one in aws.published()] == ["AccountScored"]


def test_a_sweep_retires_who_is_gone(aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch) -> None:
    make_user("ana")
    bob = make_user("bob")
    handle_sweep({}, context)
    aws.published()
    delete_user("ana")
    at(monkeypatch, LATER)
    assert handle_sweep({}, context)["identities"] == 1
    assert [stored.score.identity for stored in scores_of(aws).scores(ACCOUNT)] == [bob]
    [account] = aws.told("AccountScored")
    assert account["identities"] == 1


def test_a_sweep_is_not_stopped_by_one_identity_and_neither_hides_nor_retires_it(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given three users, all scored, of whom one cannot be read any more
    make_user("ana")
    bob = make_user("bob")
    make_user("zoe")
    handle_sweep({}, context)
    aws.published()

    def broken(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        answer = MAKE_API_CALL(self, operation_name, api_params)
        if operation_name == "GetAccountAuthorizationDetails":
            for user in answer["UserDetailList"]:
                if user["UserName"] == "bob":
                    user["UserPolicyList"] = [{"PolicyName": "broken", "PolicyDocument": "{not json"}]
        if operation_name == "GetUserPolicy" and api_params["UserName"] == "bob":
            answer["PolicyDocument"] = "{not json"
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", broken)
    at(monkeypatch, LATER)

    # then the sweep says so, after everybody else was scored
    with pytest.raises(DependencyError, match=f"1 identities could not be scored: {bob.identity_id}"):
        handle_sweep({}, context)
    [account] = aws.told("AccountScored")
    assert account["identities"] == 3, "by its last score"
    assert {stored.score.identity.name for stored in scores_of(aws).scores(ACCOUNT)} == {"ana", "bob", "zoe"}


@pytest.mark.parametrize("name", ["SCORES_TABLE", "WINDOW_DAYS", "EVENT_BUS"])
def test_a_missing_setting_is_named_before_anything_is_done(
    aws: Stack, context: LambdaContext, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(f"LEASTWISE_{name}")
    with pytest.raises(SettingsError, match=f"LEASTWISE_{name}: Field required"):
        handle_sweep({}, context)
