"""Who may be changed now: limits, notice, soak, holds and modes; by cases, and by laws where there are too many."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.remediator.gating.gates import Wish, called_off, changed_by_code, held, refusal, soaking, waiting
from services.remediator.gating.limits import MAX_FAILURES_PER_HOUR, Limits, over_limit
from services.remediator.gating.notice import LATE, applies_from, approved_by, noticed_at, unserved_notice
from shared.knowledge import load_catalogue
from shared.model.plan import Mode, Plan, PlannedPolicy, PlanRecord, PlanStatus, Reason, ReasonCode, Strategy
from shared.model.safeguards import Hold, Safeguards
from shared.model.score import Provider, Score, StoredScore
from shared.model.spending import MEMORY, SLOT, Spending
from tests.builders import NOW, a_score
from tests.unit.remediation_fakes import Lab

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def record(**changes: Any) -> PlanRecord:
    """A proposed plan; fields of the plan itself by their names."""
    made = Lab().record()
    of_plan = {name: changes.pop(name) for name in list(changes) if name in type(made.plan).model_fields}
    return made.model_copy(update={"plan": made.plan.model_copy(update=of_plan), **changes})


# ---- scores


@pytest.mark.parametrize(
    ("score", "provider", "message"),
    [
        (a_score(), Provider.CLOUDKNOX, "its score is by native, and cloudknox scores now"),
        (
            a_score().from_outside(Provider.CLOUDKNOX, None),
            Provider.CLOUDKNOX,
            "cloudknox lists no score of it",
        ),
        (
            a_score().from_outside(Provider.CLOUDKNOX, 99.0),
            Provider.NATIVE,
            "its score is by cloudknox, and native scores now",
        ),
    ],
)
def test_only_a_score_by_the_chosen_provider_is_acted_on(score: Score, provider: Provider, message: str) -> None:
    reason = refusal(StoredScore(score), threshold=60.0, max_age_seconds=3600.0, now=NOW, provider=provider)
    assert reason == Reason(code=ReasonCode.UNSCORED, message=message)


def test_a_score_by_the_chosen_provider_is_acted_on() -> None:
    stored = StoredScore(a_score(10.0).from_outside(Provider.CLOUDKNOX, 60.0))
    assert refusal(stored, threshold=60.0, max_age_seconds=3600.0, now=NOW, provider=Provider.CLOUDKNOX) is None


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        (None, ReasonCode.STALE_SCORE),
        (StoredScore(a_score(scored_at=NOW - timedelta(hours=49))), ReasonCode.STALE_SCORE),
        (StoredScore(a_score(), present=False), ReasonCode.GONE),
        (StoredScore(a_score(59.9)), ReasonCode.COMPLIANT),
        (StoredScore(a_score(60.0)), None),
        (StoredScore(a_score(scored_at=NOW - timedelta(hours=48))), None),
    ],
)
def test_only_a_fresh_score_at_the_threshold_gives_reason_to_act(
    stored: StoredScore | None, code: ReasonCode | None
) -> None:
    reason = refusal(stored, threshold=60.0, max_age_seconds=48 * 3600, now=NOW)
    assert (reason.code if reason else None) is code


# ---- modes and wishes


def wish(mode: Mode, *, by_person: bool, **changes: Any) -> Wish:
    return Wish(mode, "test", by_person)._replace(**changes)


@pytest.mark.parametrize(
    ("mode", "by_person", "goes_on"),
    [
        (Mode.OFF, True, False),
        (Mode.OBSERVE, False, False),
        (Mode.OBSERVE, True, False),
        (Mode.APPROVE, False, False),
        (Mode.APPROVE, True, True),
        (Mode.AUTO, False, True),
        (Mode.AUTO, True, True),
    ],
)
def test_the_mode_decides_who_may_have_a_plan_applied(mode: Mode, *, by_person: bool, goes_on: bool) -> None:
    assert (waiting(record(), wish(mode, by_person=by_person)) == "") is goes_on


PLAN_ID = record().plan.plan_id


@pytest.mark.parametrize(
    ("made", "asked", "says"),
    [
        (record(), wish(Mode.AUTO, by_person=True, propose_only=True), "proposal"),
        (record(), wish(Mode.AUTO, by_person=True, approved_plan="f" * 16), "takes its place"),
        (record(), wish(Mode.APPROVE, by_person=True, approved_plan=PLAN_ID, approves=False), "plan approve"),
        (record(approved_by="ana"), wish(Mode.APPROVE, by_person=True, approved_plan=PLAN_ID, approves=False), ""),
        (record(approved_by="ana"), wish(Mode.APPROVE, by_person=False), "plan approve"),
        (record(), wish(Mode.AUTO, by_person=True, approved_plan=PLAN_ID, approves=False), ""),
        (record(strategy=Strategy.PATCH), wish(Mode.AUTO, by_person=True), "patch"),
        (record(strategy=Strategy.PATCH), wish(Mode.AUTO, by_person=False), "patch"),
    ],
)
def test_a_plan_waits_for_what_is_missing_and_says_so(made: PlanRecord, asked: Wish, says: str) -> None:
    why = waiting(made, asked)
    assert bool(why) is bool(says)
    assert says in why


def test_a_patch_is_refused_only_to_who_wants_exactly_it_applied() -> None:
    patch = record(strategy=Strategy.PATCH)
    refused = changed_by_code(patch, wish(Mode.AUTO, by_person=True, approved_plan=PLAN_ID))
    assert refused
    assert refused.code is ReasonCode.CHANGED_BY_CODE
    assert changed_by_code(patch, wish(Mode.AUTO, by_person=True)) is None
    assert changed_by_code(record(), wish(Mode.AUTO, by_person=True, approved_plan=PLAN_ID)) is None


# ---- soak and holds


def test_the_soak_ends_when_it_says() -> None:
    applied = [record(soak_until=NOW), record(soak_until=NOW + DAY), record(soak_until=None)]
    reason = soaking(applied, now=NOW)
    assert reason
    assert reason.code is ReasonCode.SOAKING
    assert soaking(applied, now=NOW + DAY) is None
    assert soaking([], now=NOW) is None


def test_a_hold_counts_from_its_start_until_its_end_and_the_last_one_is_named() -> None:
    holds = (Hold(start=NOW, end=NOW + HOUR, reason="a"), Hold(start=NOW, end=NOW + DAY, reason="b"))
    safeguards = Safeguards(holds=holds)
    reason = held(safeguards, now=NOW)
    assert reason
    assert reason.message.endswith(": b")
    assert held(safeguards, now=NOW - timedelta(seconds=1)) is None
    assert held(safeguards, now=NOW + DAY) is None


@pytest.mark.parametrize(
    ("mode", "is_held", "changes", "says"),
    [
        (Mode.AUTO, False, {}, ""),
        (Mode.AUTO, True, {}, "year end"),
        (Mode.AUTO, True, {"approved_by": "ana"}, ""),
        (Mode.APPROVE, False, {}, "approve"),
        (Mode.APPROVE, True, {"approved_by": "ana"}, ""),
        (Mode.OBSERVE, False, {}, "observe"),
        (Mode.OBSERVE, False, {"approved_by": "ana"}, "observe"),
        (Mode.OBSERVE, True, {"amends": "f" * 16}, ""),
    ],
)
def test_what_was_begun_and_changed_nothing_yet_goes_through_mode_and_holds_again(
    mode: Mode, *, is_held: bool, changes: dict[str, Any], says: str
) -> None:
    safeguards = Safeguards(holds=(Hold(start=NOW, end=NOW + HOUR, reason="year end"),) if is_held else ())
    why = called_off(record(status=PlanStatus.APPLYING, **changes), mode, safeguards, now=NOW)
    assert bool(why) is bool(says)
    assert says in why


# ---- notice


def since(plan: Plan, former: PlanRecord | None, mode: Mode = Mode.AUTO, *, now: datetime = NOW) -> datetime | None:
    return noticed_at(plan, former, mode, load_catalogue(), notice=72 * HOUR, now=now)


EXPIRED = Reason(code=ReasonCode.EXPIRED, message="")
REJECTED = Reason(code=ReasonCode.REJECTED, message="")
EARLIER = NOW - 3 * DAY


@pytest.mark.parametrize(
    ("former", "expected"),
    [
        (None, NOW),
        (record(), NOW),
        (record(noticed_at=EARLIER), EARLIER),
        (record(noticed_at=EARLIER, removes=("ec2:RunInstances", "iam:PassRole", "s3:PutObject")), EARLIER),
        (record(noticed_at=EARLIER, removes=("iam:PassRole",)), NOW),
        (record(noticed_at=EARLIER, status=PlanStatus.SKIPPED, reason=EXPIRED), EARLIER),
        (record(noticed_at=EARLIER, status=PlanStatus.SKIPPED, reason=REJECTED), NOW),
        (record(noticed_at=EARLIER, status=PlanStatus.ROLLED_BACK), NOW),
        (record(noticed_at=EARLIER, status=PlanStatus.APPLIED), NOW),
    ],
)
def test_a_notice_goes_on_only_where_the_former_proposal_took_all_of_it(
    former: PlanRecord | None, expected: datetime
) -> None:
    plan = record(removes=("ec2:RunInstances", "iam:PassRole")).plan
    assert since(plan, former) == expected
    for mode in (Mode.OBSERVE, Mode.APPROVE):
        assert since(plan, former, mode) is None


def test_a_patch_gives_no_notice_since_nothing_comes_of_it_by_itself() -> None:
    assert since(record(strategy=Strategy.PATCH).plan, record(noticed_at=EARLIER)) is None


@pytest.mark.parametrize("life", [DAY, 10 * DAY], ids=["the notice is longer", "the plan lives longer"])
@pytest.mark.parametrize("status", [PlanStatus.PROPOSED, PlanStatus.SKIPPED])
def test_a_notice_is_forgotten_where_no_plan_was_made_for_longer_than_it_takes(
    status: PlanStatus, life: timedelta
) -> None:
    reason = EXPIRED if status is PlanStatus.SKIPPED else None
    times = {"created_at": NOW, "expires_at": NOW + life}
    former = record(noticed_at=EARLIER, status=status, reason=reason, updated_at=NOW + 60 * DAY, **times)
    end = NOW + max(life, 72 * HOUR) + LATE
    assert since(former.plan, former, now=end - timedelta(seconds=1)) == EARLIER
    assert since(former.plan, former, now=end) == end


@pytest.mark.parametrize(
    ("narrows", "expected"),
    [((), EARLIER), (("s3:GetObject",), EARLIER), (("iam:PassRole",), EARLIER), (("s3:Put",), NOW)],
)
def test_what_reaches_less_is_announced_as_well(narrows: tuple[str, ...], expected: datetime) -> None:
    former = record(noticed_at=EARLIER, removes=("iam:PassRole",), narrows=("s3:GetObject",))
    plan = record(removes=(), narrows=narrows).plan
    assert since(plan, former) == expected


def reaching(*queues: str, **changes: Any) -> PlanRecord:
    """A noticed plan that leaves sqs:SendMessage on these queues alone."""
    arns = [f"arn:aws:sqs:eu-west-1:123456789012:{queue}" for queue in queues]
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arns}
    policy = PlannedPolicy(name="p", document={"Version": "2012-10-17", "Statement": [statement]})
    return record(noticed_at=EARLIER, policies=(policy,), removes=(), narrows=("sqs:SendMessage",), **changes)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (reaching("q1", "q2"), EARLIER),
        (reaching("q1", "q2", "q3"), EARLIER),
        (reaching("q1"), NOW),
        (reaching("q1", "q3"), NOW),
        (reaching("q1", "q2", "q3", strategy=Strategy.REPLACE), NOW),
    ],
)
def test_fewer_resources_of_the_same_action_are_more_than_was_announced(new: PlanRecord, expected: datetime) -> None:
    assert since(new.plan, reaching("q1", "q2")) == expected


def test_a_notice_is_over_to_the_second_and_none_is_none() -> None:
    noticed = record(noticed_at=NOW)
    over = NOW + 72 * HOUR
    assert applies_from(NOW, hours=72) == over
    assert applies_from(None, hours=72) is None
    assert f"{over:%Y-%m-%d %H:%M}" in unserved_notice(noticed, hours=72, now=over - timedelta(seconds=1))
    assert unserved_notice(noticed, hours=72, now=over) == ""
    assert unserved_notice(noticed, hours=0, now=NOW) == ""


@pytest.mark.parametrize(
    ("former", "approved"),
    [
        (None, ""),
        (record(approved_by="ana"), "ana"),
        (record(approved_by="ana", plan_id="f" * 16), ""),
        (record(approved_by="ana", status=PlanStatus.ROLLED_BACK), ""),
        (record(approved_by="ana", status=PlanStatus.APPLIED), ""),
    ],
)
def test_an_approval_holds_for_exactly_the_plan_that_waited(former: PlanRecord | None, approved: str) -> None:
    assert approved_by(record().plan, former) == approved


# ---- limits


def begun(*ago: timedelta) -> Spending:
    spending = Spending()
    for age in sorted(ago, reverse=True):
        spending = spending.with_begun(NOW - age)
    return spending


def failed(count: int) -> Spending:
    spending = Spending()
    for _ in range(count):
        spending = spending.with_failed(NOW)
    return spending


@pytest.mark.parametrize(
    ("spending", "population", "says"),
    [
        (Spending(), 0, ""),
        (begun(HOUR / 2), 20, ""),
        (begun(HOUR / 2, HOUR / 2), 20, "24 hours"),
        (begun(23 * HOUR), 0, "24 hours"),
        (begun(23 * HOUR), 19, "24 hours"),
        (begun(23 * HOUR), 20, ""),
        (begun(25 * HOUR), 0, ""),
        (begun(*[HOUR / 2] * 5), 1000, "in the last hour"),
        (begun(*[2 * HOUR] * 5), 1000, ""),
        (failed(MAX_FAILURES_PER_HOUR - 1), 1000, ""),
        (failed(MAX_FAILURES_PER_HOUR), 1000, "failed"),
    ],
)
def test_limits_are_by_hour_by_share_of_a_day_and_by_failures(spending: Spending, population: int, says: str) -> None:
    why = over_limit(spending, Limits(per_hour=5, percent_a_day=10), lambda: population, now=NOW)
    assert bool(why) is bool(says)
    assert says in why


def test_the_population_is_counted_only_where_it_matters() -> None:
    def never() -> int:
        raise AssertionError

    limits = Limits(per_hour=1, percent_a_day=10)
    assert over_limit(Spending(), limits, never, now=NOW) == ""
    assert over_limit(begun(HOUR / 2), limits, never, now=NOW)


MOMENTS = st.lists(st.integers(0, 3 * 24 * 60), max_size=60).map(sorted)


@given(MOMENTS, st.integers(1, 6), st.integers(1, 60))
@settings(deadline=None)
def test_however_changes_come_no_hour_and_no_day_sees_more_than_its_limit(
    minutes: list[int], per_hour: int, population: int
) -> None:
    limits, spending, done = Limits(per_hour, 10), Spending(), []
    for minute in minutes:
        now = NOW + timedelta(minutes=minute)
        if not over_limit(spending, limits, lambda: population, now=now):
            spending = spending.with_begun(now)
            done.append(now)
    for start in done:
        assert sum(start <= one < start + HOUR for one in done) <= per_hour
        assert sum(start <= one < start + DAY for one in done) <= max(1, population // 10)


@given(st.lists(st.integers(0, 10 * 24 * 60), max_size=200).map(sorted))
@settings(deadline=None)
def test_what_is_remembered_stays_small(minutes: list[int]) -> None:
    spending = Spending()
    for minute in minutes:
        spending = spending.with_begun(NOW + timedelta(minutes=minute))
    assert len(spending.begun) <= MEMORY / SLOT + 1


@pytest.mark.parametrize("back", [timedelta(minutes=15), DAY])
def test_a_clock_that_jumps_back_lets_no_more_through(back: timedelta) -> None:
    spending = Spending().with_begun(NOW)
    assert spending.begun_within(HOUR, NOW - back) == 1
    assert spending.with_begun(NOW - back).begun_within(DAY, NOW - back) == 2


def test_slots_are_named_in_utc() -> None:
    zone = datetime.fromisoformat("2026-03-01T14:02:00+02:00")
    assert list(Spending().with_begun(zone).begun) == ["2026-03-01T12:00Z"]
    assert zone.astimezone(UTC).hour == 12
