"""The ledger is a join-semilattice: order, repetition and batching of records can't change what it says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.cloudtrail import CloudTrailRecord, parse_record
from services.scorer.usage import IdentityKey, fold
from shared.model.usage import MAX_RESOURCES, Coverage, Evidence, Span, Usage, UsageEntry
from shared.reference import load_operations
from tests.unit.cloudtrail_records import INVICTUS, ROLE_SESSION, USER, corpus, detail

MOMENTS = st.integers(0, 10_000).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
SPANS = st.tuples(MOMENTS, MOMENTS).map(lambda pair: Span(min(pair), max(pair)))
REGIONS = st.frozensets(st.sampled_from(["eu-west-1", "us-east-1", "ap-south-1"]))
ACTIONS = ("s3:GetObject", "ec2:RunInstances", "iam:PassRole")


def entries_of(action: str) -> st.SearchStrategy[UsageEntry]:
    resources = st.none() | st.frozensets(
        st.integers(0, 40).map(lambda n: f"arn:aws:s3:::bucket-{n}"), max_size=MAX_RESOURCES
    )
    spans = st.dictionaries(st.sampled_from(Evidence), SPANS, min_size=1)
    return st.builds(UsageEntry, action=st.just(action), spans=spans, resources=resources, regions=REGIONS)


COVERAGES = st.builds(
    Coverage,
    days=st.frozensets(MOMENTS.map(datetime.date), max_size=4),
    regions=REGIONS,
    feeds=st.frozensets(st.sampled_from(["eventbridge", "trail"])),
    data_events=st.booleans(),
    last_accessed=st.booleans(),
)
USAGES = st.builds(
    Usage,
    identity_id=st.just("AIDAEXAMPLEUSER00001"),
    entries=st.fixed_dictionaries({}, optional={action.lower(): entries_of(action) for action in ACTIONS}),
    coverage=COVERAGES,
)
ENTRIES = entries_of("s3:GetObject")

CALLS: Sequence[dict[str, Any]] = (
    {"resources": [{"ARN": "arn:aws:s3:::a"}]},
    {"resources": [{"ARN": f"arn:aws:s3:::b{n}"} for n in range(MAX_RESOURCES)]},
    {},
    {"errorCode": "AccessDenied"},
    {"errorCode": "SlowDown"},
    {"eventName": "ListBuckets", "awsRegion": "us-east-1"},
    {"eventSource": "lambda.amazonaws.com", "eventName": "CreateFunction20150331", "requestParameters": {"role": "r"}},
    {"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "eventType": "AwsConsoleSignIn"},
)


def called(call: dict[str, Any], who: dict[str, Any], at: datetime) -> CloudTrailRecord:
    return parse_record(detail(**call, userIdentity=who, eventTime=at.isoformat()))


RECORDS = st.builds(called, st.sampled_from(CALLS), st.sampled_from([USER, ROLE_SESSION]), MOMENTS)


@given(ENTRIES, ENTRIES, ENTRIES)
def test_joining_entries_is_idempotent_commutative_and_associative(a: UsageEntry, b: UsageEntry, c: UsageEntry) -> None:
    assert a.join(a) == a
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(b).join(a) == a.join(b), "a replay changes nothing"


@settings(deadline=None)
@given(USAGES, USAGES, USAGES)
def test_joining_usages_is_idempotent_commutative_and_associative(a: Usage, b: Usage, c: Usage) -> None:
    assert a.join(a) == a
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))


@given(ENTRIES, ENTRIES)
def test_a_join_forgets_nothing(a: UsageEntry, b: UsageEntry) -> None:
    joined = a.join(b)
    for entry in (a, b):
        assert entry.regions <= joined.regions
        assert joined.resources is None or (entry.resources is not None and entry.resources <= joined.resources)
        for kind, span in entry.spans.items():
            assert joined.spans[kind].first <= span.first <= span.last <= joined.spans[kind].last


def ledger(batches: Sequence[Sequence[CloudTrailRecord]]) -> tuple[dict[IdentityKey, Usage], dict[str, Coverage]]:
    """Merge batches as the ledger does: each folded by itself, then joined."""
    usages: dict[IdentityKey, Usage] = {}
    coverage: dict[str, Coverage] = {}
    for batch in batches:
        folded = fold(batch, load_operations(), feed="test")
        for key, usage in folded.usages.items():
            usages[key] = usages[key].join(usage) if key in usages else usage
        for account_id, seen in folded.coverage.items():
            coverage[account_id] = coverage[account_id].join(seen) if account_id in coverage else seen
    return usages, coverage


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=12), st.data())
def test_any_order_repetition_and_batching_of_records_folds_to_the_same(
    records: list[CloudTrailRecord], data: st.DataObject
) -> None:
    once = fold(records, load_operations(), feed="test")
    again = data.draw(st.lists(st.sampled_from(records), max_size=6)) if records else []
    delivered = data.draw(st.permutations([*records, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(delivered)), max_size=3)))
    batches = [delivered[i:j] for i, j in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]
    assert ledger(batches) == (once.usages, once.coverage)
    assert fold(delivered, load_operations(), feed="test").arns == once.arns


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=8))
def test_every_record_is_accounted_for(records: list[CloudTrailRecord]) -> None:
    folded = fold(records, load_operations(), feed="test")
    assert folded.records == len(records) == sum(folded.callers.values())
    scored = [one for one in records if one.event_type == "AwsApiCall"]
    assert sum(folded.skipped.values()) == len(records) - len(scored)


@settings(deadline=None)
@given(RECORDS)
def test_a_denied_call_never_counts_as_use(record: CloudTrailRecord) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for usage in fold([record], load_operations(), feed="test").usages.values():
        if record.error_code == "AccessDenied":
            assert usage.used_since(start) == {}
            assert not any(entry.possible_since(start) for entry in usage.entries.values())
        elif record.error_code is None:
            assert usage.used_since(start)


def test_real_records_backwards_and_twice_in_small_batches_fold_to_the_same() -> None:
    records = [parse_record(one) for one in corpus(INVICTUS)]
    once = fold(records, load_operations(), feed="test")
    replay = (records * 2)[::-1]
    batches = [replay[start : start + 97] for start in range(0, len(replay), 97)]
    assert ledger(batches) == (once.usages, once.coverage)
