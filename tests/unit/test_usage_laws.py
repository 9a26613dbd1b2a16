"""Usage doesn't depend on how records come: in any order, again and again, in batches, to several processes."""

import pickle
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.trail.record import Record
from services.scorer.usage import tally as tallies
from services.scorer.usage.calls import Seen, call_of
from services.scorer.usage.evidence import SkipReason
from services.scorer.usage.fold import fold
from services.scorer.usage.folded import Folded
from services.scorer.usage.tally import Tally
from shared.model.resources import MAX_EXACT, Resources
from shared.model.usage import Coverage, Evidence, IdentityKey, Usage
from shared.reference import load_operations
from tests.unit.cloudtrail_records import ACCOUNT, INVICTUS, ISSUER, ROLE_SESSION, STRATUS, USER, real_records, record
from tests.unit.plain_usage import plain_fold

START = datetime(2026, 1, 1, tzinfo=UTC)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"
DATA = {"eventCategory": "Data", "managementEvent": False}
S3, LAMBDA, DYNAMODB = ({"eventSource": f"{name}.amazonaws.com"} for name in ("s3", "lambda", "dynamodb"))
HIDDEN = {"type": "Role", "principalId": "ANONYMISED", "accountId": ACCOUNT}
ROLES = ("AROAEXAMPLEROLE00003", "AROAEXAMPLEROLE00004")

CALLERS: Sequence[dict[str, Any] | None] = (
    USER,
    {**USER, "arn": f"arn:aws:iam::{ACCOUNT}:user/anna"},
    {**USER, "principalId": "AIDAEXAMPLEUSER00002"},
    {**USER, "sessionContext": {"sessionIssuer": {}}},
    {**USER, "sessionContext": {"sessionIssuer": {"principalId": ""}}, "principalId": "AIDAEXAMPLEUSER00003"},
    {**USER, "sessionContext": {"sessionIssuer": ISSUER}},
    {**USER, "accountId": "444455556666"},
    ROLE_SESSION,
    {**ROLE_SESSION, "principalId": "AROAEXAMPLEROLE00001:another"},
    {**ROLE_SESSION, "sessionContext": {}},
    {**ROLE_SESSION, "sessionContext": {}, "principalId": "AROAEXAMPLEROLE00002:x"},
    {**ROLE_SESSION, "accountId": None},
    {**ROLE_SESSION, "type": "Role"},
    {**ROLE_SESSION, "type": None},
    {**ROLE_SESSION, "sessionContext": {"sessionIssuer": {**ISSUER, "principalId": "AROAEXAMPLEROLE00002"}}},
    {"type": "FederatedUser", "accountId": ACCOUNT, "sessionContext": {"sessionIssuer": {**USER, "type": "IAMUser"}}},
    {"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDAEXAMPLEUSER00001"},
    {"type": "AWSAccount", "accountId": ACCOUNT, "principalId": "AIDAEXAMPLEUSER00001"},
    {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
    {"type": "Root", "accountId": ACCOUNT},
    {"type": "Unknown"},
    *({**ROLE_SESSION, "sessionContext": {"sessionIssuer": HIDDEN}, "principalId": f"{role}:x"} for role in ROLES),
    None,
)
CALLS: Sequence[dict[str, Any]] = (
    {},
    {"resources": [{"ARN": "arn:aws:s3:::a"}]},
    {"resources": [{"ARN": f"arn:aws:s3:::b{n}"} for n in range(MAX_EXACT)]},
    {"eventName": "ListBuckets", "awsRegion": "us-east-1"},
    {"eventName": "PutObject", "resources": [{"ARN": "arn:aws:s3:::a/put"}], "readOnly": False, **DATA},
    {"eventName": "CopyObject", "resources": [{"ARN": "arn:aws:s3:::a/copy"}], **DATA},
    {"eventName": "GetObject", "resources": [{"ARN": "arn:aws:s3:::a/pattern*"}], **DATA},
    {**LAMBDA, "eventName": "CreateFunction20150331", "requestParameters": {"functionName": "f", "role": "r"}},
    {**LAMBDA, "eventName": "CreateFunction20150331", "requestParameters": {"functionName": "g", "role": ROLE}},
    {**LAMBDA, "eventName": "GetFunction20150331v2", "requestParameters": {"functionName": "f"}},
    {**LAMBDA, "eventName": "GetFunction20150331v2", "requestParameters": {"functionName": "f", "qualifier": "1"}},
    {**DYNAMODB, "eventName": "GetItem", "resources": [{"ARN": TABLE}], **DATA},
    {**DYNAMODB, "eventName": "Query", "resources": [{"ARN": TABLE}], **DATA},
    {**DYNAMODB, "eventName": "Query", "resources": [{"ARN": TABLE}], "requestParameters": {"indexName": "i"}},
    {**DYNAMODB, "eventName": "DescribeTable", "requestParameters": {"tableName": "orders"}},
    {**DYNAMODB, "eventName": "DescribeTable", "requestParameters": {"tableName": "or*"}},
    {"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "requestParameters": {"roleArn": ROLE}},
    {"eventSource": "sts.amazonaws.com", "eventName": "GetCallerIdentity"},
    {"eventSource": "autoscaling.amazonaws.com", "eventName": "PutScalingPolicy"},
    {
        "eventSource": "autoscaling.amazonaws.com",
        "eventName": "PutScalingPolicy",
        "additionalEventData": {"service": "application-autoscaling"},
    },
    {"eventSource": "brandnew.amazonaws.com", "eventName": "DoThings"},
    {"eventSource": "ec2.amazonaws.com", "eventName": "No Operation/At all"},
    {"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "eventType": "AwsConsoleSignIn"},
    {"eventType": "AwsServiceEvent", "eventName": None},
    {"eventName": None},
    {"recipientAccountId": None},
    {"recipientAccountId": "12"},
    {"eventType": None, "eventCategory": None, "managementEvent": None},
)
ERRORS: Sequence[dict[str, Any]] = (
    {},
    {},
    {"errorCode": "NoSuchBucketPolicy"},
    {"errorCode": "SlowDown"},
    {"errorCode": "AccessDenied", "errorMessage": "x is not authorized to perform: iam:PassRole on resource: y"},
    {"errorCode": "AccessDenied"},
)
ZONES = (UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=7)))


class Told(NamedTuple):
    """What is drawn of a record."""

    caller: int
    call: int
    error: int
    minute: int
    zone: int
    number: int

    def record(self) -> Record:
        """The record that this tells of."""
        at = (START + timedelta(minutes=self.minute)).astimezone(ZONES[self.zone])
        call = {"userIdentity": CALLERS[self.caller], **CALLS[self.call], **ERRORS[self.error]}
        if self.number:  # one of many objects
            arns = [{"ARN": f"arn:aws:s3:::a/{self.number:03}"}, {"ARN": "arn:aws:s3:::a"}]
            call |= {**S3, **DATA, "eventName": "GetObject", "resources": arns, "requestParameters": None}
        return record(**call, eventTime=at.isoformat())


RECORDS = st.builds(
    Told,
    st.integers(0, len(CALLERS) - 1),
    st.integers(0, len(CALLS) - 1),
    st.integers(0, len(ERRORS) - 1),
    st.integers(0, 10_000),
    st.integers(0, len(ZONES) - 1),
    st.integers(0, 400) | st.just(0),
).map(Told.record)


def folded(records: Sequence[Record]) -> Folded:
    return fold(records, load_operations(), feed="test")


def tallied(records: Sequence[Record]) -> Tally:
    tally = Tally(load_operations(), feed="test")
    tally.add(records)
    return tally


def facts(result: Folded) -> tuple[object, ...]:
    """What records prove, whatever their number."""
    return dict(result.usages), dict(result.arns), dict(result.coverage)


def batches(data: st.DataObject, records: Sequence[Record]) -> list[Sequence[Record]]:
    """The records in any order, some of them twice, cut anywhere."""
    again = data.draw(st.lists(st.sampled_from(records), max_size=6)) if records else []
    delivered = data.draw(st.permutations([*records, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(delivered)), max_size=4)))
    return [delivered[i:j] for i, j in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]


def ledger(parts: Sequence[Sequence[Record]]) -> tuple[dict[IdentityKey, Usage], dict[str, Coverage]]:
    """Merge batches as the ledger does: each folded by itself, then joined."""
    usages: dict[IdentityKey, Usage] = {}
    coverage: dict[str, Coverage] = {}
    for part in parts:
        result = folded(part)
        for key, usage in result.usages.items():
            usages[key] = usages[key].join(usage) if key in usages else usage
        for account_id, seen in result.coverage.items():
            coverage[account_id] = coverage[account_id].join(seen) if account_id in coverage else seen
    return usages, coverage


@settings(deadline=None, max_examples=300)
@given(st.lists(RECORDS, max_size=30))
def test_the_fast_way_gives_what_the_plain_way_gives(records: list[Record]) -> None:
    assert folded(records) == plain_fold(records, load_operations(), feed="test")


@pytest.mark.parametrize("folder", [INVICTUS, STRATUS], ids=["invictus", "stratus"])
def test_the_fast_way_gives_what_the_plain_way_gives_on_real_records(folder: Path) -> None:
    records = real_records(folder)
    assert folded(records) == plain_fold(records, load_operations(), feed="test")


SCALED = {"eventSource": "autoscaling.amazonaws.com", "eventName": "PutScalingPolicy"}
ONE_FIELD_APART: Sequence[dict[str, Any]] = (
    {},
    *({"userIdentity": caller} for caller in CALLERS),
    {"eventTime": "2026-03-02T12:00:00Z"},
    {"eventSource": "ec2.amazonaws.com"},
    {"eventName": "GetBucketAcl"},
    {"eventType": "AwsServiceEvent"},
    {"eventType": None},
    {"eventCategory": "Data"},
    {"eventCategory": None},
    {"eventCategory": None, "managementEvent": False},
    {"readOnly": False},
    {"readOnly": None},
    {"awsRegion": "us-east-1"},
    {"recipientAccountId": "444455556666"},
    {"recipientAccountId": None},
    {"errorCode": "SlowDown"},
    {"errorCode": "AccessDenied"},
    {"errorCode": "AccessDenied", "errorMessage": "not authorized to perform: s3:ListBucket on"},
    {"resources": [{"ARN": "arn:aws:s3:::a"}]},
    {"requestParameters": {"bucketName": "a"}},
    SCALED,
    {**SCALED, "additionalEventData": {"service": "application-autoscaling"}},
    {
        "userIdentity": {
            **ROLE_SESSION,
            "accountId": None,
            "sessionContext": {"sessionIssuer": {**ISSUER, "accountId": None}},
        }
    },
    {
        "userIdentity": {
            **ROLE_SESSION,
            "accountId": None,
            "sessionContext": {"sessionIssuer": {**ISSUER, "accountId": "444455556666"}},
        }
    },
)


@pytest.mark.parametrize("first", range(len(ONE_FIELD_APART)))
def test_records_that_differ_in_one_field_are_told_apart(first: int) -> None:
    for second in ONE_FIELD_APART:
        # The later pair goes the way that the earlier one has made ready.
        records = [record(**changes) for changes in (ONE_FIELD_APART[first], second) * 2]
        assert folded(records) == plain_fold(records, load_operations(), feed="test")


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=25), st.data())
def test_any_order_repetition_and_batching_folds_to_the_same(records: list[Record], data: st.DataObject) -> None:
    once = folded(records)
    parts = batches(data, records)
    assert ledger(parts) == (once.usages, once.coverage)
    tally = tallied([])
    for part in parts:
        tally.add(part)
    assert facts(tally.folded()) == facts(once)


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=25), st.data())
def test_tallies_join_in_any_order_pickled_or_not(records: list[Record], data: st.DataObject) -> None:
    parts = data.draw(st.permutations([tallied(part) for part in batches(data, records)]))
    joined = tallied([])
    for tally in parts:
        joined.join(pickle.loads(pickle.dumps(tally)) if data.draw(st.booleans()) else tally)  # noqa: S301 our own
    assert facts(joined.folded()) == facts(folded(records))
    joined.add(records)
    assert facts(joined.folded()) == facts(folded(records)), "it goes on after a join"
    assert sum(tally.folded().records for tally in parts) + len(records) == joined.folded().records


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=20), st.lists(RECORDS, max_size=20))
def test_more_records_never_take_evidence_away(some: list[Record], more: list[Record]) -> None:
    before, after = folded(some), folded([*some, *more])
    for key, usage in before.usages.items():
        for action, entry in usage.entries.items():
            assert entry.join(after.usages[key].entries[action]) == after.usages[key].entries[action]
    for account_id, seen in before.coverage.items():
        assert seen.join(after.coverage[account_id]) == after.coverage[account_id]


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=25))
def test_denied_calls_never_widen(records: list[Record]) -> None:
    denied = [one for one in records if one.error_code == "AccessDenied"]
    for usage in folded(denied).usages.values():
        assert usage.used_since(START) == {}
        for entry in usage.entries.values():
            assert set(entry.spans) == {Evidence.DENIED}
            assert (entry.resources.exact(), entry.regions) == (frozenset(), frozenset())
    allowed = folded([one for one in records if one.error_code != "AccessDenied"])
    together = folded(records)
    for key, usage in allowed.usages.items():
        for action, entry in usage.entries.items():
            joined = together.usages[key].entries[action]
            assert (joined.resources, joined.regions) == (entry.resources, entry.regions)


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=25))
def test_every_record_is_accounted_for(records: list[Record]) -> None:
    result = folded(records)
    assert result.records == len(records) == sum(result.callers.values())
    used = sum(folded([one]).skipped == {} for one in records)
    assert sum(result.skipped.values()) == len(records) - used


def test_real_records_shuffled_and_twice_in_small_batches_fold_to_the_same() -> None:
    records = real_records(INVICTUS)
    once = folded(records)
    replay = (records * 2)[::-1]
    parts = [replay[start : start + 97] for start in range(0, len(replay), 97)]
    assert ledger(parts) == (once.usages, once.coverage)


# Calls that somebody else aggregated


def seen_of(records: Sequence[Record]) -> Seen:
    """What an aggregating query tells of records that belong to one call."""
    times = [one.event_time.astimezone(UTC) for one in records]
    (usage,) = folded(records).usages.values()
    entries = {entry.action: entry for entry in usage.entries.values()}
    roles = entries.get("iam:PassRole")
    return Seen(
        len(records),
        min(times),
        max(times),
        frozenset(time.date() for time in times),
        next(iter(entries.values())).resources,
        roles.resources if roles else Resources.of([]),
    )


@pytest.mark.parametrize("call", [call for call in CALLS if {"eventName", "requestParameters"} & set(call) or not call])
def test_an_aggregated_call_says_what_its_records_say(call: dict[str, Any]) -> None:
    records = [Told(0, CALLS.index(call), 0, minute, 0, 0).record() for minute in (0, 5_000, 9_000)]
    if folded(records).skipped:
        assert folded(records).skipped.keys() <= set(SkipReason)
        return
    tally = tallied([])
    tally.add_call(call_of(records[0], load_operations()), seen_of(records))
    assert tally.folded() == folded(records)


def test_an_aggregated_call_that_names_nothing_is_of_any_resource() -> None:
    tally = tallied([])
    tally.add_call(call_of(record(), load_operations()), Seen(2, START, START + timedelta(hours=1)))
    (usage,) = tally.folded().usages.values()
    assert usage.entries["s3:getbucketpolicy"].resources.is_any


# Bounds


@pytest.mark.parametrize("copies_first", [True, False])
def test_a_copy_leaves_open_what_was_written_whatever_came_first(copies_first: bool) -> None:  # noqa: FBT001 a case
    put = record(**S3, **DATA, eventName="PutObject", resources=[{"ARN": "arn:aws:s3:::to/a"}])
    between = record(**S3, **DATA, eventName="CopyObject", resources=[{"ARN": "arn:aws:s3:::from/b"}])
    records = [between, put] if copies_first else [put, between]
    (usage,) = folded(records).usages.values()
    assert usage.entries["s3:putobject"].resources.is_any


def test_tallies_of_other_feeds_are_not_joined() -> None:
    with pytest.raises(ValueError, match="eventbridge"):
        Tally(load_operations(), feed="trail").join(Tally(load_operations(), feed="eventbridge"))


@pytest.fixture
def small_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_SHAPES", 4)


@pytest.mark.usefixtures("small_caches")
def test_full_caches_are_emptied_and_change_nothing() -> None:
    records = real_records(STRATUS) * 2
    tally = tallied(records)
    assert tally.remembered <= 4 + 4
    assert facts(tally.folded()) == facts(plain_fold(records, load_operations(), feed="test"))


SESSIONS: Sequence[Callable[[int], dict[str, Any]]] = (
    lambda n: {"userIdentity": {**ROLE_SESSION, "principalId": f"AROAEXAMPLEROLE00001:s{n}"}},
    lambda n: {"userIdentity": {**ROLE_SESSION, "principalId": f"AROAEXAMPLEROLE00001:s{n}", "sessionContext": {}}},
    lambda n: {"userIdentity": {"type": "AWSAccount", "accountId": f"{n:012}", "principalId": f"AIDAEXAMPLE{n:09}"}},
    lambda n: {"userIdentity": {"type": "WebIdentityUser", "principalId": f"issuer:aud:{n}", "userName": f"{n}"}},
    lambda n: {"eventID": f"{n}", "eventTime": (START + timedelta(seconds=n)).isoformat()},
    lambda n: {"resources": [{"ARN": f"arn:aws:s3:::bucket{n}"}]},
    lambda n: {"eventName": "GetObject", "resources": [{"ARN": f"arn:aws:s3:::b/{n}"}], **DATA},
    lambda n: {"errorCode": "AccessDenied", "errorMessage": f"request {n}"},
)


@pytest.mark.parametrize("changed", range(len(SESSIONS)))
def test_what_is_remembered_does_not_grow_with_sessions_objects_or_events(changed: int) -> None:
    def size(count: int) -> int:
        tally = tallied([record(**SESSIONS[changed](n)) for n in range(count)])
        return len(pickle.dumps(tally)) + tally.remembered

    few, many = size(200), size(2_000)
    assert many < few + 4_000, "what waits to be folded is bounded; 1,800 more of anything would take 28,000 bytes"
