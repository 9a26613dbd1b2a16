"""Unused is only what would have been seen: the rules of evidence as a table, and the laws that they keep."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.deriving.keep import keep_set
from shared.evidence import MAX_REPORT_AGE, TRACKING_PERIOD, Judge, recorded_data_events, weigh
from shared.iam.actions import ActionSet
from shared.iam.catalogue import AccessLevel, Observability
from shared.knowledge import load_catalogue
from shared.model.finding import CATALOGUE_OF_REASONS, EvidenceCode, Findings, Standing, Window
from shared.model.last_accessed import LastAccess, LastAccessed
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry, join_entries
from tests.builders import NOW
from tests.unit.evidence_oracle import plain_code

CATALOGUE = load_catalogue()
WINDOW = Window.before(NOW, 90)
YESTERDAY, TODAY = NOW - timedelta(days=1), NOW.date()
SECOND = timedelta(seconds=1)
HERE, ELSEWHERE, YOUNG = "us-east-1", "eu-west-1", "mx-central-1"
TRIED, NEVER = LastAccess(YESTERDAY, HERE), LastAccess()

# Of each kind one, by AWS's own documentation of what is logged and tracked.
MANAGEMENT, DATA, NOWHERE, NEW = "iam:getuser", "s3:getobject", "logs:putlogevents", "s3:brandnew"
WRITE, LISTING, LOGGED_AS_READS = "iam:createuser", "iam:listusers", ("kms:decrypt", "sts:assumerole")
KINDS = {
    MANAGEMENT: Observability.MANAGEMENT,
    WRITE: Observability.MANAGEMENT,
    LISTING: Observability.MANAGEMENT,
    DATA: Observability.DATA,
    NOWHERE: Observability.NONE,
}
LEVELS = {MANAGEMENT: AccessLevel.READ, LISTING: AccessLevel.LIST} | dict.fromkeys(
    (WRITE, *LOGGED_AS_READS), AccessLevel.WRITE
)


def days(*ago: int) -> list[date]:
    return [TODAY - timedelta(days=back) for back in ago]


def seen(
    *ago: int,
    data_events: frozenset[str] = frozenset(),
    regions: Iterable[str] = (HERE,),
    feeds: Iterable[str] = ("eventbridge", "trail"),
    reads: bool = True,
) -> Coverage:
    return Coverage.of(days(*ago), regions=regions, feeds=feeds, data_events=data_events, reads=reads)


def entry(action: str, kind: Evidence, at: datetime = YESTERDAY) -> UsageEntry:
    return UsageEntry(action, {kind: Span(at, at)})


def told(
    services: Mapping[str, LastAccess] | None = None,
    actions: Mapping[str, LastAccess] | None = None,
    created_at: datetime = NOW,
) -> LastAccessed:
    return LastAccessed(services or {}, actions or {}, created_at)


@dataclass(frozen=True)
class Case:
    """One action, what is known, and the code that must come out."""

    action: str
    code: EvidenceCode
    entries: tuple[UsageEntry, ...] = ()
    coverage: Coverage = field(default_factory=lambda: seen(1, 0))
    last_accessed: LastAccessed | None = None
    window: Window = WINDOW


CASES = {
    # the ledger
    "observed": Case(MANAGEMENT, EvidenceCode.OBSERVED, (entry(MANAGEMENT, Evidence.OBSERVED),)),
    "observed at the edge": Case(
        MANAGEMENT, EvidenceCode.OBSERVED, (entry(MANAGEMENT, Evidence.OBSERVED, WINDOW.start),)
    ),
    "observed before": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, (entry(MANAGEMENT, Evidence.OBSERVED, WINDOW.start - SECOND),)
    ),
    "inferred": Case("iam:passrole", EvidenceCode.INFERRED, (entry("iam:passrole", Evidence.INFERRED),)),
    "possible": Case(MANAGEMENT, EvidenceCode.MAY_HAVE_BEEN_CHECKED, (entry(MANAGEMENT, Evidence.POSSIBLE),)),
    "denied": Case(MANAGEMENT, EvidenceCode.ONLY_DENIED, (entry(MANAGEMENT, Evidence.DENIED),)),
    "denied, but no trail shows uses": Case(NOWHERE, EvidenceCode.SHOWN_NOWHERE, (entry(NOWHERE, Evidence.DENIED),)),
    # the trail
    "the trail would show it": Case(MANAGEMENT, EvidenceCode.NOT_IN_TRAIL),
    "no trail": Case(MANAGEMENT, EvidenceCode.TRAIL_NOT_SEEN, coverage=Coverage()),
    "a trail before the window only": Case(MANAGEMENT, EvidenceCode.TRAIL_NOT_SEEN, coverage=seen(91, 92)),
    "a trail after the window only": Case(MANAGEMENT, EvidenceCode.TRAIL_NOT_SEEN, coverage=seen(-1)),
    "a data event that was not recorded": Case(DATA, EvidenceCode.DATA_EVENTS_OFF),
    "a data event of another service": Case(
        DATA, EvidenceCode.DATA_EVENTS_OFF, coverage=seen(1, 0, data_events=frozenset({"lambda"}))
    ),
    "a data event that was recorded": Case(
        DATA, EvidenceCode.NOT_IN_TRAIL, coverage=seen(2, 1, 0, data_events=frozenset({"s3"}))
    ),
    "a data event, recorded on most days": Case(
        DATA,
        EvidenceCode.DATA_EVENTS_OFF,
        coverage=seen(2, 0, data_events=frozenset({"s3"})).join(seen(1)),
    ),
    "a data event, recorded on all days but the one that has just begun": Case(
        DATA, EvidenceCode.NOT_IN_TRAIL, coverage=seen(2, 1, data_events=frozenset({"s3"})).join(seen(0))
    ),
    "a data event, not recorded on a day before the window": Case(
        DATA, EvidenceCode.NOT_IN_TRAIL, coverage=seen(1, data_events=frozenset({"s3"})).join(seen(95))
    ),
    "a data event that is recorded but doesn't come in": Case(
        DATA,
        EvidenceCode.DATA_EVENTS_OFF,
        coverage=seen(2, 1, 0, data_events=frozenset({"s3"}), feeds=["eventbridge"]),
    ),
    "a data event that is recorded, on a day without log files": Case(
        DATA,
        EvidenceCode.DATA_EVENTS_OFF,
        coverage=seen(3, 1, data_events=frozenset({"s3"})).join(
            seen(2, data_events=frozenset({"s3"}), feeds=["eventbridge"])
        ),
    ),
    "a data event of records that were only read here": Case(
        DATA, EvidenceCode.DATA_EVENTS_OFF, coverage=seen(1, data_events=frozenset({"s3"}), feeds=["files"])
    ),
    # a trail that doesn't record what only reads
    "a read, and no reads were seen": Case(
        MANAGEMENT, EvidenceCode.READS_NOT_RECORDED, coverage=seen(2, 1, 0, reads=False)
    ),
    "a listing, and no reads were seen": Case(
        LISTING, EvidenceCode.READS_NOT_RECORDED, coverage=seen(2, 1, 0, reads=False)
    ),
    "a read, and on six days in a row no reads were seen": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, coverage=seen(8, 1).join(seen(*range(2, 8), reads=False))
    ),
    "a read, and on seven days in a row no reads were seen": Case(
        MANAGEMENT, EvidenceCode.READS_NOT_RECORDED, coverage=seen(9, 1).join(seen(*range(2, 9), reads=False))
    ),
    "a read that was also denied, and on seven days in a row no reads were seen": Case(
        MANAGEMENT,
        EvidenceCode.READS_NOT_RECORDED,
        (entry(MANAGEMENT, Evidence.DENIED),),
        coverage=seen(1).join(seen(*range(2, 9), reads=False)),
    ),
    "a read, and no reads were seen on the day that has just begun": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, coverage=seen(1).join(seen(0, reads=False))
    ),
    "a read, and no reads were seen on the only day": Case(
        MANAGEMENT, EvidenceCode.READS_NOT_RECORDED, coverage=seen(0, reads=False)
    ),
    "a read, and no reads were seen before the window": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, coverage=seen(1).join(seen(95, reads=False))
    ),
    "a write, and no reads were seen": Case(WRITE, EvidenceCode.NOT_IN_TRAIL, coverage=seen(1, reads=False)),
    **{
        f"{action}, a write that is logged as a read, and no reads were seen": Case(
            action, EvidenceCode.READS_NOT_RECORDED, coverage=seen(1, reads=False)
        )
        for action in LOGGED_AS_READS
    },
    "a data event that was recorded, and no management event that reads": Case(
        DATA, EvidenceCode.NOT_IN_TRAIL, coverage=seen(1, data_events=frozenset({"s3"}), reads=False)
    ),
    "a read that IAM saw no attempt on, and no reads were seen": Case(
        MANAGEMENT,
        EvidenceCode.ACTION_NOT_TRIED,
        coverage=seen(1, reads=False),
        last_accessed=told({"iam": TRIED}, {MANAGEMENT: NEVER}),
    ),
    "no trail shows it": Case(NOWHERE, EvidenceCode.SHOWN_NOWHERE),
    "an action that nobody knows": Case(NEW, EvidenceCode.UNKNOWN_ACTION),
    # IAM saw attempts
    "IAM saw an attempt": Case(MANAGEMENT, EvidenceCode.ATTEMPTED, last_accessed=told(actions={MANAGEMENT: TRIED})),
    "IAM saw an attempt at the edge": Case(
        MANAGEMENT, EvidenceCode.ATTEMPTED, last_accessed=told(actions={MANAGEMENT: LastAccess(WINDOW.start, HERE)})
    ),
    "IAM saw the attempt that was denied": Case(
        MANAGEMENT,
        EvidenceCode.ONLY_DENIED,
        (entry(MANAGEMENT, Evidence.DENIED),),
        last_accessed=told(actions={MANAGEMENT: TRIED}),
    ),
    "IAM saw the attempt that was denied at another time of that day": Case(
        MANAGEMENT,
        EvidenceCode.ONLY_DENIED,
        (entry(MANAGEMENT, Evidence.DENIED, YESTERDAY.replace(hour=0, minute=0)),),
        last_accessed=told(actions={MANAGEMENT: TRIED}),
    ),
    "IAM saw an attempt after the day of the one that was denied": Case(
        MANAGEMENT,
        EvidenceCode.ATTEMPTED,
        (entry(MANAGEMENT, Evidence.DENIED, YESTERDAY - timedelta(days=1)),),
        last_accessed=told(actions={MANAGEMENT: TRIED}),
    ),
    "IAM saw an attempt before the day of the one that was denied": Case(
        MANAGEMENT,
        EvidenceCode.ATTEMPTED,
        (entry(MANAGEMENT, Evidence.DENIED, YESTERDAY + timedelta(days=1)),),
        last_accessed=told(actions={MANAGEMENT: TRIED}),
    ),
    "an attempt counts in an old report, too": Case(
        MANAGEMENT,
        EvidenceCode.ATTEMPTED,
        last_accessed=told(actions={MANAGEMENT: TRIED}, created_at=NOW - timedelta(days=30)),
    ),
    "IAM saw the service tried, which says nothing of one action": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, last_accessed=told({"iam": TRIED})
    ),
    # IAM saw none
    "service not tried": Case(NOWHERE, EvidenceCode.SERVICE_NOT_TRIED, last_accessed=told({"logs": NEVER})),
    "service not tried, no trail": Case(
        MANAGEMENT, EvidenceCode.SERVICE_NOT_TRIED, coverage=Coverage(), last_accessed=told({"iam": NEVER})
    ),
    "service tried just before the window": Case(
        NOWHERE,
        EvidenceCode.SERVICE_NOT_TRIED,
        last_accessed=told({"logs": LastAccess(WINDOW.start - SECOND, HERE)}),
    ),
    "service not tried, and a new action of it": Case(
        NEW, EvidenceCode.SERVICE_NOT_TRIED, last_accessed=told({"s3": NEVER})
    ),
    "service not listed": Case(NOWHERE, EvidenceCode.SHOWN_NOWHERE, last_accessed=told({"s3": NEVER})),
    "action not tried, no trail": Case(
        MANAGEMENT,
        EvidenceCode.ACTION_NOT_TRIED,
        coverage=Coverage(),
        last_accessed=told({"iam": TRIED}, {MANAGEMENT: NEVER}),
    ),
    "action tried just before the window, no trail": Case(
        MANAGEMENT,
        EvidenceCode.ACTION_NOT_TRIED,
        coverage=Coverage(),
        last_accessed=told({"iam": TRIED}, {MANAGEMENT: LastAccess(WINDOW.start - SECOND, HERE)}),
    ),
    "action not listed, no trail": Case(
        MANAGEMENT,
        EvidenceCode.TRAIL_NOT_SEEN,
        coverage=Coverage(),
        last_accessed=told({"iam": TRIED}, {"iam:listusers": NEVER}),
    ),
    "iam:PassRole is not tracked with its service": Case(
        "iam:passrole", EvidenceCode.TRAIL_NOT_SEEN, coverage=Coverage(), last_accessed=told({"iam": NEVER})
    ),
    "iam:PassRole is not tracked by itself": Case(
        "iam:passrole",
        EvidenceCode.TRAIL_NOT_SEEN,
        coverage=Coverage(),
        last_accessed=told({"iam": TRIED}, {"iam:passrole": NEVER}),
    ),
    # IAM's silence that says nothing
    "a window of exactly the tracking period": Case(
        NOWHERE,
        EvidenceCode.SERVICE_NOT_TRIED,
        last_accessed=told({"logs": NEVER}),
        window=Window(NOW - TRACKING_PERIOD, NOW),
    ),
    "a window that is longer": Case(
        NOWHERE,
        EvidenceCode.SHOWN_NOWHERE,
        last_accessed=told({"logs": NEVER}),
        window=Window(NOW - TRACKING_PERIOD - SECOND, NOW),
    ),
    "a report that is just new enough": Case(
        NOWHERE, EvidenceCode.SERVICE_NOT_TRIED, last_accessed=told({"logs": NEVER}, created_at=NOW - MAX_REPORT_AGE)
    ),
    "a report that is too old": Case(
        NOWHERE,
        EvidenceCode.SHOWN_NOWHERE,
        last_accessed=told({"logs": NEVER}, created_at=NOW - MAX_REPORT_AGE - SECOND),
    ),
    "a report from long after the window": Case(
        NOWHERE,
        EvidenceCode.SHOWN_NOWHERE,
        last_accessed=told({"logs": NEVER}, created_at=NOW + TRACKING_PERIOD),
    ),
    "work in a region that IAM has not tracked for long": Case(
        NOWHERE,
        EvidenceCode.SHOWN_NOWHERE,
        coverage=seen(1, regions=[YOUNG]),
        last_accessed=told({"logs": NEVER}),
    ),
    "a service that the trail shows used and IAM does not": Case(
        DATA,
        EvidenceCode.DATA_EVENTS_OFF,
        (entry("s3:createbucket", Evidence.OBSERVED),),
        last_accessed=told({"s3": NEVER}, {DATA: NEVER}),
    ),
    "a service that the trail shows refused and IAM does not": Case(
        DATA,
        EvidenceCode.DATA_EVENTS_OFF,
        (entry("s3:createbucket", Evidence.DENIED),),
        last_accessed=told({"s3": NEVER}),
    ),
    "a service that was only possibly used is no contradiction": Case(
        DATA,
        EvidenceCode.SERVICE_NOT_TRIED,
        (entry("s3:createbucket", Evidence.POSSIBLE),),
        last_accessed=told({"s3": NEVER}),
    ),
    "a denied action that IAM saw no attempt on": Case(
        NOWHERE,
        EvidenceCode.SHOWN_NOWHERE,
        (entry(NOWHERE, Evidence.DENIED),),
        last_accessed=told({"logs": TRIED}, {NOWHERE: NEVER}),
    ),
    # what the trail missed
    "another service tried where no trail is": Case(
        MANAGEMENT, EvidenceCode.REGION_NOT_SEEN, last_accessed=told({"ec2": LastAccess(YESTERDAY, ELSEWHERE)})
    ),
    "another action tried where no trail is": Case(
        MANAGEMENT,
        EvidenceCode.REGION_NOT_SEEN,
        last_accessed=told({"ec2": TRIED}, {"ec2:runinstances": LastAccess(YESTERDAY, ELSEWHERE)}),
    ),
    "tried where the trail was seen long ago only": Case(
        MANAGEMENT,
        EvidenceCode.REGION_NOT_SEEN,
        coverage=seen(*range(60), regions=[HERE]).join(seen(*range(60, 90), regions=[HERE, ELSEWHERE])),
        last_accessed=told({"ec2": LastAccess(YESTERDAY, ELSEWHERE)}),
    ),
    "tried where the trail was seen two days before": Case(
        MANAGEMENT,
        EvidenceCode.REGION_NOT_SEEN,
        coverage=seen(1, 0).join(seen(3, regions=[HERE, ELSEWHERE])),
        last_accessed=told({"ec2": LastAccess(YESTERDAY, ELSEWHERE)}),
    ),
    **{
        f"tried where the trail was seen {name}": Case(
            MANAGEMENT,
            EvidenceCode.NOT_IN_TRAIL,
            coverage=seen(2, 1, 0).join(seen(ago, regions=[ELSEWHERE])),
            last_accessed=told({"ec2": LastAccess(YESTERDAY, ELSEWHERE)}),
        )
        for name, ago in (("on the day before", 2), ("on that day", 1), ("on the day after", 0))
    },
    "tried where a trail is, on a day without one": Case(
        MANAGEMENT,
        EvidenceCode.NOT_IN_TRAIL,
        coverage=seen(1, 0, regions=[HERE, ELSEWHERE]),
        last_accessed=told({"ec2": LastAccess(NOW - timedelta(days=40), ELSEWHERE)}),
    ),
    "tried where no trail is, on a day without one": Case(
        MANAGEMENT,
        EvidenceCode.REGION_NOT_SEEN,
        last_accessed=told({"ec2": LastAccess(NOW - timedelta(days=40), ELSEWHERE)}),
    ),
    "tried where no trail is, before the window": Case(
        MANAGEMENT,
        EvidenceCode.NOT_IN_TRAIL,
        last_accessed=told({"ec2": LastAccess(WINDOW.start - SECOND, ELSEWHERE)}),
    ),
    "tried in a region that IAM does not name": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, last_accessed=told({"ec2": LastAccess(YESTERDAY)})
    ),
    "not tried at all, though others were where no trail is": Case(
        MANAGEMENT,
        EvidenceCode.SERVICE_NOT_TRIED,
        last_accessed=told({"iam": NEVER, "ec2": LastAccess(YESTERDAY, ELSEWHERE)}),
    ),
    "its service tried on a day without a trail": Case(
        MANAGEMENT,
        EvidenceCode.DAY_NOT_SEEN,
        last_accessed=told({"iam": LastAccess(NOW - timedelta(days=40), HERE)}),
    ),
    "an action of its service tried on a day without a trail": Case(
        MANAGEMENT,
        EvidenceCode.DAY_NOT_SEEN,
        last_accessed=told({"iam": TRIED}, {"iam:listusers": LastAccess(NOW - timedelta(days=40), HERE)}),
    ),
    "its service tried on the day before the first that was seen": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, last_accessed=told({"iam": LastAccess(NOW - timedelta(days=2), HERE)})
    ),
    "another service tried on a day without a trail": Case(
        MANAGEMENT, EvidenceCode.NOT_IN_TRAIL, last_accessed=told({"ec2": LastAccess(NOW - timedelta(days=40), HERE)})
    ),
}


def judged(case: Case, *more: str) -> Findings:
    usage = Usage("AIDA", join_entries(case.entries), case.coverage)
    return weigh(frozenset({case.action, *more}), usage, CATALOGUE, case.window, case.last_accessed)


@pytest.mark.parametrize("name", CASES)
def test_the_rules(name: str) -> None:
    case = CASES[name]
    findings = {finding.action: finding.code for finding in judged(case, "ec2:startinstances", "sqs:sendmessage")}

    assert findings[case.action] is case.code


def test_the_actions_of_the_table_are_of_the_kinds_that_it_means() -> None:
    assert {action: CATALOGUE.observability(action) for action in KINDS} == KINDS
    assert {action: CATALOGUE.access_level(action) for action in LEVELS} == LEVELS
    assert CATALOGUE.get(NEW) is None


def test_every_code_is_catalogued_explained_and_reached() -> None:
    assert set(CATALOGUE_OF_REASONS) == set(EvidenceCode)
    assert {case.code for case in CASES.values()} == set(EvidenceCode)
    assert {standing for standing, _ in CATALOGUE_OF_REASONS.values()} == set(Standing)
    texts = [text for _, text in CATALOGUE_OF_REASONS.values()]
    assert len(set(texts)) == len(texts)


def test_a_finding_explains_itself() -> None:
    (finding,) = judged(CASES["iam:PassRole is not tracked by itself"])

    assert (finding.action, finding.standing) == ("iam:passrole", Standing.UNOBSERVABLE)
    assert finding.reason == "no trail was seen in the window"


def test_the_last_day_alone_counts() -> None:
    assert recorded_data_events(seen(0, data_events=frozenset({"s3"})), WINDOW) == {"s3"}
    assert recorded_data_events(seen(0), WINDOW) == set()
    assert recorded_data_events(seen(0, data_events=frozenset({"s3"}), feeds=["eventbridge"]), WINDOW) == set()
    assert recorded_data_events(Coverage(), WINDOW) == set()


# ---- laws

ACTIONS = (MANAGEMENT, DATA, NOWHERE, NEW, "iam:passrole", WRITE, LISTING, "s3:createbucket", "kms:decrypt")
SERVICES = ("iam", "s3", "logs", "kms", "ec2")
REGIONS = (HERE, ELSEWHERE, YOUNG)
MOMENTS = st.integers(-2, 95).map(lambda back: NOW - timedelta(days=back))
ACCESSES = st.builds(LastAccess, st.none() | MOMENTS, st.none() | st.sampled_from(REGIONS))
ENTRIES = st.lists(st.builds(entry, st.sampled_from(ACTIONS), st.sampled_from(Evidence), MOMENTS), max_size=6)
COVERAGES = st.lists(
    st.builds(
        lambda back, region, data, feed, reads: seen(
            back, regions=[region], data_events=data, feeds=[feed], reads=reads
        ),
        st.integers(-2, 95),
        st.sampled_from(REGIONS),
        st.frozensets(st.sampled_from(SERVICES)),
        st.sampled_from(["eventbridge", "trail"]),
        st.booleans(),
    ),
    max_size=5,
).map(lambda found: join_coverages(*found))
REPORTS = st.none() | st.builds(
    told,
    st.dictionaries(st.sampled_from(SERVICES), ACCESSES),
    st.dictionaries(st.sampled_from(ACTIONS), ACCESSES),
    st.sampled_from([NOW, NOW - timedelta(days=3), NOW + TRACKING_PERIOD]),
)
USAGES = st.builds(lambda entries, coverage: Usage("AIDA", join_entries(entries), coverage), ENTRIES, COVERAGES)
GRANTED = st.frozensets(st.sampled_from(ACTIONS))
USES = st.builds(entry, st.sampled_from(ACTIONS), st.sampled_from([Evidence.OBSERVED, Evidence.INFERRED]), MOMENTS)


def join_coverages(*coverages: Coverage) -> Coverage:
    joined = Coverage()
    for coverage in coverages:
        joined = joined.join(coverage)
    return joined


def findings_of(granted: frozenset[str], usage: Usage, report: LastAccessed | None) -> dict[str, EvidenceCode]:
    return {one.action: one.code for one in weigh(granted, usage, CATALOGUE, WINDOW, report)}


def kept(granted: frozenset[str], usage: Usage, report: LastAccessed | None) -> frozenset[str]:
    return keep_set(granted, usage, report, CATALOGUE, window=WINDOW).keep


@settings(deadline=None)
@given(GRANTED, USAGES, REPORTS)
def test_every_action_has_one_finding_whatever_is_judged_beside_it(
    granted: frozenset[str], usage: Usage, report: LastAccessed | None
) -> None:
    together = findings_of(granted, usage, report)

    assert together.keys() == granted
    for action in granted:
        assert findings_of(frozenset({action}), usage, report) == {action: together[action]}


SOME_OF_ALL = st.frozensets(st.sampled_from(sorted(CATALOGUE.keys | {NEW, "new:thing"})), max_size=30)


@settings(deadline=None, max_examples=300)
@given(GRANTED, SOME_OF_ALL, USAGES, REPORTS)
def test_many_actions_at_once_are_judged_as_each_alone(
    granted: frozenset[str], more: frozenset[str], usage: Usage, report: LastAccessed | None
) -> None:
    actions = granted | more
    expected = {action: plain_code(action, usage, CATALOGUE, WINDOW, report) for action in actions}

    assert findings_of(actions, usage, report) == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(GRANTED, USAGES, REPORTS), min_size=2, max_size=12), st.randoms())
def test_what_is_remembered_of_one_identity_does_not_change_another(
    identities: list[tuple[frozenset[str], Usage, LastAccessed | None]], order: Random
) -> None:
    shared = identities[0][1].coverage
    identities += [(actions, replace(usage, coverage=shared), report) for actions, usage, report in identities]
    order.shuffle(identities)
    judge = Judge(CATALOGUE, WINDOW)

    for actions, usage, report in identities:
        judged = ActionSet(CATALOGUE.mask_of_keys(actions), actions - CATALOGUE.keys)
        found = judge.weigh(judged, usage, report)
        assert found.keys() == set(EvidenceCode)
        codes = {key: code for code, own in found.items() for key in own.keys(CATALOGUE)}
        assert codes == findings_of(actions, usage, report)


@settings(deadline=None, max_examples=20)
@given(GRANTED, USAGES, REPORTS)
def test_any_kind_of_set_is_judged_alike(granted: frozenset[str], usage: Usage, report: LastAccessed | None) -> None:
    everything = dict.fromkeys(sorted(CATALOGUE.keys | granted))
    among_all = weigh(everything.keys(), usage, CATALOGUE, WINDOW, report)

    assert sum(len(among_all.of_code(code)) for code in EvidenceCode) == len(everything)
    for action, code in findings_of(granted, usage, report).items():
        assert action in among_all.of_code(code)


@settings(deadline=None)
@given(GRANTED, USAGES, REPORTS, COVERAGES)
def test_more_coverage_never_makes_a_use_nor_takes_one_away(
    granted: frozenset[str], usage: Usage, report: LastAccessed | None, more: Coverage
) -> None:
    less = weigh(granted, usage, CATALOGUE, WINDOW, report)
    greater = weigh(granted, replace(usage, coverage=usage.coverage.join(more)), CATALOGUE, WINDOW, report)

    for standing in (Standing.USED, Standing.POSSIBLE):
        assert less.standing(standing) == greater.standing(standing)


@settings(deadline=None)
@given(GRANTED, USAGES, REPORTS, USES)
def test_a_use_never_makes_anything_less_kept(
    granted: frozenset[str], usage: Usage, report: LastAccessed | None, use: UsageEntry
) -> None:
    more = replace(usage, entries=join_entries([*usage.entries.values(), use]))

    assert kept(granted, usage, report) <= kept(granted, more, report)
    if use.used_since(WINDOW.start):
        assert granted & {use.action} <= kept(granted, more, report)


@settings(deadline=None)
@given(GRANTED, GRANTED, USAGES, REPORTS)
def test_what_is_kept_of_one_grant_is_kept_of_a_wider_one(
    granted: frozenset[str], more: frozenset[str], usage: Usage, report: LastAccessed | None
) -> None:
    assert kept(granted, usage, report) <= kept(granted | more, usage, report)


@settings(deadline=None)
@given(GRANTED, USAGES, REPORTS)
def test_a_trail_without_reads_never_keeps_less_and_drops_no_read(
    granted: frozenset[str], usage: Usage, report: LastAccessed | None
) -> None:
    without = {day: replace(what, reads=False) for day, what in usage.coverage.seen.items()}
    blind = replace(usage, coverage=Coverage(without))

    assert kept(granted, usage, report) <= kept(granted, blind, report)
    assert granted & {MANAGEMENT, LISTING, *LOGGED_AS_READS} <= kept(granted, blind, None)


@settings(deadline=None)
@given(USAGES, REPORTS, st.sampled_from(ACTIONS), MOMENTS, st.sampled_from(REGIONS))
def test_an_attempt_that_iam_saw_is_kept_unless_the_trail_shows_it_denied(
    usage: Usage, report: LastAccessed | None, action: str, at: datetime, region: str
) -> None:
    known = report or told()
    service = action.partition(":")[0]
    later = LastAccess(max(at, known.actions.get(action, NEVER).at or at), region)
    services = {**known.services, service: LastAccess(max(at, known.services.get(service, NEVER).at or at), region)}
    more = replace(known, services=services, actions={**known.actions, action: later})

    if at >= WINDOW.start and Evidence.DENIED not in getattr(usage.entries.get(action), "spans", {}):
        assert action in kept(frozenset({action}), usage, more)


@settings(deadline=None)
@given(GRANTED, USAGES)
def test_without_iams_word_nothing_that_no_trail_shows_is_dropped(granted: frozenset[str], usage: Usage) -> None:
    hidden = granted & {NOWHERE, NEW}

    assert hidden <= kept(granted, usage, None)
