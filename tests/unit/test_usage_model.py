"""Usage entries, days and coverage: laws of the join, and what is read out of them."""

import pickle
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.resources import ANY_RESOURCE, Resources
from shared.model.usage import Coverage, DaySeen, Evidence, Span, Usage, UsageEntry, join_entries

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = st.integers(0, 5_000).map(lambda minutes: NOON + timedelta(minutes=minutes))
SPANS = st.tuples(MOMENTS, MOMENTS).map(lambda pair: Span(min(pair), max(pair)))
REGIONS = st.frozensets(st.sampled_from(["eu-west-1", "us-east-1", "ap-south-1"]))
NAMED = st.sets(st.integers(0, 40).map(lambda number: f"arn:aws:s3:::photos/{number}"), max_size=30)
RESOURCES = st.just(ANY_RESOURCE) | NAMED.map(Resources.of)
DAYS_SEEN = st.builds(
    DaySeen,
    regions=REGIONS,
    feeds=st.frozensets(st.sampled_from(["eventbridge", "trail"])),
    data_events=st.frozensets(st.sampled_from(["s3", "lambda", "dynamodb"])),
    reads=st.booleans(),
)
COVERAGES = st.builds(
    Coverage,
    seen=st.dictionaries(st.integers(0, 6).map(lambda number: DAY + timedelta(days=number)), DAYS_SEEN),
)


def entries(*spellings: str) -> st.SearchStrategy[UsageEntry]:
    spans = st.dictionaries(st.sampled_from(Evidence), SPANS, min_size=1)
    action = st.sampled_from(spellings)
    return st.builds(UsageEntry, action=action, spans=spans, resources=RESOURCES, regions=REGIONS)


USAGES = st.builds(
    Usage,
    identity_id=st.just("AIDAEXAMPLEUSER00001"),
    entries=st.fixed_dictionaries(
        {},
        optional={
            "s3:getobject": entries("s3:GetObject", "s3:getobject"),
            "iam:passrole": entries("iam:PassRole"),
        },
    ),
    coverage=COVERAGES,
)


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize(
    "facts", [SPANS, entries("s3:GetObject", "s3:getobject", "S3:GETOBJECT"), DAYS_SEEN, COVERAGES, USAGES]
)
def test_joining_is_idempotent_commutative_and_associative(facts: st.SearchStrategy[Any], data: st.DataObject) -> None:
    a, b, c = (data.draw(facts) for _ in range(3))
    assert a.join(a) == a
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(b).join(a) == a.join(b), "a replay changes nothing"
    assert pickle.loads(pickle.dumps(a)) == a  # noqa: S301 our own


@settings(deadline=None)
@given(entries("s3:GetObject"), entries("s3:GetObject"))
def test_a_join_of_entries_forgets_nothing(a: UsageEntry, b: UsageEntry) -> None:
    joined = a.join(b)
    assert joined.regions == a.regions | b.regions
    assert joined.spans.keys() == a.spans.keys() | b.spans.keys()
    for entry in (a, b):
        assert entry.resources.join(joined.resources) == joined.resources
        for kind, span in entry.spans.items():
            assert joined.spans[kind].first <= span.first <= span.last <= joined.spans[kind].last


@settings(deadline=None)
@given(st.lists(entries("s3:GetObject", "s3:getobject", "iam:PassRole"), max_size=6), st.randoms())
def test_entries_fold_to_one_an_action_whatever_their_order_and_spelling(uses: list[UsageEntry], random: Any) -> None:
    shuffled = random.sample(uses, len(uses))
    assert join_entries(shuffled) == join_entries(uses)
    assert join_entries(uses).keys() == {use.action.lower() for use in uses}


@settings(deadline=None)
@given(COVERAGES, COVERAGES)
def test_joined_coverage_is_the_union_day_by_day(a: Coverage, b: Coverage) -> None:
    joined = a.join(b)
    assert joined.days == a.days | b.days
    for day in joined.days:
        one, other = a.seen.get(day, DaySeen()), b.seen.get(day, DaySeen())
        assert joined.seen[day] == one.join(other)


def test_data_events_are_covered_only_where_every_seen_day_recorded_them() -> None:
    full = Coverage.of([DAY, DAY + timedelta(days=1)], regions=["eu-west-1"], feeds=["trail"], data_events=["s3"])
    assert full.data_events == {"s3"}
    assert full.join(Coverage.of([DAY + timedelta(days=2)], feeds=["trail"])).data_events == frozenset()
    assert full.join(Coverage.of([DAY], data_events=["lambda"])).data_events == {"s3"}
    assert Coverage().data_events == frozenset()


def test_data_events_are_covered_only_on_days_on_which_log_files_came() -> None:
    noted = Coverage.of([DAY], feeds=["eventbridge"], data_events=["s3"])
    assert noted.data_events == frozenset()
    assert noted.join(Coverage.of([DAY], feeds=["trail"])).data_events == {"s3"}
    assert noted.join(Coverage.of([DAY + timedelta(days=1)], feeds=["trail"], data_events=["s3"])).data_events == set()


def test_reads_are_covered_only_where_every_seen_day_showed_some() -> None:
    shown, hidden = Coverage.of([DAY]), Coverage.of([DAY], reads=False)
    later = Coverage.of([DAY + timedelta(days=1)], reads=False)
    assert (shown.reads, hidden.reads, Coverage().reads) == (True, False, False)
    assert hidden.join(shown).reads
    assert not shown.join(later).reads
    assert not DaySeen().reads


def test_coverage_says_on_which_days_nothing_was_seen() -> None:
    days = [DAY + timedelta(days=number) for number in (1, 2, 5)]
    coverage = Coverage.of(days, regions=["eu-west-1"], feeds=["trail"])
    last = DAY + timedelta(days=6)
    assert coverage.gaps(DAY, last) == ((DAY, DAY), (date(2026, 3, 4), date(2026, 3, 5)), (last, last))
    assert coverage.gaps(days[0], days[1]) == ()
    assert coverage.gaps(last, DAY) == ()
    assert coverage.since(days[1]).days == {days[1], days[2]}
    assert coverage.regions == {"eu-west-1"}
    assert coverage.feeds == {"trail"}


@pytest.mark.parametrize(
    ("kind", "used", "possible"),
    [
        (Evidence.OBSERVED, True, False),
        (Evidence.INFERRED, True, False),
        (Evidence.POSSIBLE, False, True),
        (Evidence.DENIED, False, False),
    ],
)
def test_only_what_aws_let_pass_is_used(kind: Evidence, *, used: bool, possible: bool) -> None:
    entry = UsageEntry("s3:GetObject", {kind: Span(NOON - timedelta(days=9), NOON)})
    assert (entry.used_since(NOON), entry.possible_since(NOON)) == (used, possible)
    later = NOON + timedelta(seconds=1)
    assert (entry.used_since(later), entry.possible_since(later)) == (False, False)
    usage = Usage("AIDAEXAMPLEUSER00001", {"s3:getobject": entry})
    assert usage.used_since(NOON) == ({"s3:getobject": entry} if used else {})
