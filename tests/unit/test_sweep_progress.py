"""How a sweep begins, goes on and ends: never two at once, never a lost one, nothing counted twice."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.sweeping.account import AccountTally, band_metrics
from services.scorer.sweeping.progress import (
    LEASE_MARGIN,
    MAX_REASON,
    MAX_REASONS,
    PATIENCE,
    UNKNOWN_INTERVAL,
    Beginning,
    after_page,
    begin,
    finished,
    interval_of,
    is_patient,
    listing_afresh,
    moved_on,
    released,
    with_failure,
    with_success,
)
from services.scorer.sweeping.trigger import paused_at
from shared.errors import InputError
from shared.model.score import Band, Contribution, RiskClass
from shared.model.sweep import SweepProgress
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT, a_score, envelope, every_event

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def a_sweep(**changes: object) -> SweepProgress:
    fields = {"account_id": ACCOUNT, "started_at": NOW - HOUR, "version": 4, "marker": "m", "pages": 2, "attempts": 1}
    return SweepProgress.model_validate(fields | changes)


def beginning(previous: SweepProgress | None, paused: datetime | None = None) -> Beginning:
    return begun(previous, paused)[0]


def begun(previous: SweepProgress | None, paused: datetime | None = None) -> tuple[Beginning, SweepProgress | None]:
    return begin(previous, account_id=ACCOUNT, now=NOW, lease=15 * MINUTE, interval=6 * HOUR, paused=paused)


LEASED = {"lease_until": NOW + MINUTE}
EXPIRED = {"lease_until": NOW}
ENDED = {"finished_at": NOW - MINUTE}
OLD = {"started_at": NOW - 12 * HOUR - MINUTE}
CASES = [
    (None, None, Beginning.AFRESH),
    ({}, None, Beginning.RESUMED),
    (EXPIRED, None, Beginning.RESUMED),
    (LEASED, None, Beginning.BUSY),
    (OLD | LEASED, None, Beginning.BUSY),
    (OLD, None, Beginning.AFRESH),
    ({"started_at": NOW - 12 * HOUR}, None, Beginning.RESUMED),
    (ENDED, None, Beginning.AFRESH),
    # a pause is gone on with, whatever its age, and nothing else is
    ({}, NOW - HOUR, Beginning.RESUMED),
    (OLD, OLD["started_at"], Beginning.RESUMED),
    (LEASED, NOW - HOUR, Beginning.BUSY),
    (None, NOW - HOUR, Beginning.DONE),
    (ENDED, NOW - HOUR, Beginning.DONE),
    ({}, NOW - 2 * HOUR, Beginning.DONE),
]


@pytest.mark.parametrize(("previous", "paused", "expected"), CASES)
def test_a_sweep_begins_as_it_should(
    previous: dict[str, object] | None, paused: datetime | None, expected: Beginning
) -> None:
    assert beginning(None if previous is None else a_sweep(**previous), paused) is expected


def test_whoever_begins_holds_a_lease_beyond_its_own_time_and_writes_on_what_it_read() -> None:
    resumed, afresh = begun(a_sweep())[1], begun(a_sweep(**ENDED))[1]
    assert resumed is not None
    assert afresh is not None
    assert resumed.lease_until == afresh.lease_until == NOW + 15 * MINUTE + LEASE_MARGIN
    assert (resumed.version, resumed.marker, resumed.pages, resumed.attempts) == (4, "m", 2, 2)
    assert (afresh.version, afresh.marker, afresh.pages, afresh.started_at) == (4, None, 0, NOW)
    assert beginning(resumed) is beginning(afresh) is Beginning.BUSY
    assert beginning(released(resumed)) is Beginning.RESUMED


def test_pages_add_up_and_the_last_one_ends_the_listing() -> None:
    first = after_page(a_sweep(attempts=3), marker="n", identities=100, seconds=2.5)
    assert (first.marker, first.listed, first.pages, first.attempts) == ("n", False, 3, 1)
    last = after_page(first, marker=None, identities=20, seconds=0.5)
    assert (last.listed, last.identities, last.seconds) == (True, 120, 3.0)
    end = finished(last, now=NOW, seconds=1)
    assert (end.finished_at, end.lease_until, end.seconds) == (NOW, None, 4.0)


def test_patience_that_ended_does_not_come_back_before_the_sweep_ends() -> None:
    patient, impatient = a_sweep(attempts=PATIENCE), a_sweep(attempts=PATIENCE + 1)
    assert is_patient(patient)
    for later in (
        moved_on(impatient),
        listing_afresh(impatient),
        after_page(impatient, marker="n", identities=1, seconds=1),
    ):
        assert not is_patient(later)
    assert moved_on(patient).attempts == listing_afresh(patient).attempts == 1
    afresh = begun(impatient.model_copy(update=ENDED))[1]
    assert afresh is not None
    assert is_patient(afresh)


def test_a_refused_marker_begins_the_listing_again_and_keeps_what_was_found() -> None:
    again = listing_afresh(a_sweep(identities=200, found=7, failed={"AIDAX": "why"}))
    assert (again.marker, again.pages, again.identities, again.listed) == (None, 0, 0, False)
    assert (again.found, again.failures, again.started_at) == (7, 1, NOW - HOUR)


LOOKS = st.lists(st.tuples(st.integers(0, 60).map("AIDA{:03d}".format), st.none() | st.text(min_size=1, max_size=400)))


@given(LOOKS)
@settings(deadline=None)
def test_whoever_failed_last_is_kept_with_a_reason_for_the_first(looks: list[tuple[str, str | None]]) -> None:
    progress = a_sweep()
    for who, why in looks:
        progress = with_success(progress, who, news=True) if why is None else with_failure(progress, who, why)
    last = dict(looks)
    assert set(progress.failed) == {who for who, why in last.items() if why is not None}
    assert progress.failures == len(progress.failed)
    assert progress.found == [why for _, why in looks].count(None)
    reasons = [reason for reason in progress.failed.values() if reason]
    assert len(reasons) <= MAX_REASONS
    assert all(len(reason) <= MAX_REASON for reason in reasons)
    if None not in [why for _, why in looks]:
        assert len(reasons) == min(progress.failures, MAX_REASONS)


def test_all_failures_of_a_large_account_fit_one_item() -> None:
    progress = a_sweep()
    for number in range(10_000):
        progress = with_failure(progress, f"AIDAEXAMPLE{number:010}", "w" * 999)
    assert progress.failures == 10_000
    assert len(progress.model_dump_json()) < 350_000


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        ("rate(1 minute)", MINUTE),
        ("rate(6 hours)", 6 * HOUR),
        ("rate(2 days)", 48 * HOUR),
        ("cron(0 6 * * ? *)", UNKNOWN_INTERVAL),
        ("rate(soon)", UNKNOWN_INTERVAL),
    ],
)
def test_a_schedule_tells_how_often_the_account_is_swept(schedule: str, interval: timedelta) -> None:
    assert interval_of(schedule) == interval


PAUSED = next(event for event in every_event() if event.type_name() == "SweepPaused")


def test_a_pause_names_the_sweep_to_go_on_with_and_other_triggers_none() -> None:
    event = envelope(PAUSED.model_dump(mode="json"), detail_type="SweepPaused", source="leastwise.scorer")
    assert paused_at(event, account_id=ACCOUNT) == NOW - 14 * MINUTE
    for other in ({}, {"trigger": "command"}, envelope({}, detail_type="Scheduled Event", source="aws.events")):
        assert paused_at(other, account_id=ACCOUNT) is None


@pytest.mark.parametrize("change", [{"account": OTHER_ACCOUNT}, {"detail": {}}, {"detail": "x"}, {"id": None}])
def test_a_pause_that_is_none_starts_nothing(change: dict[str, object]) -> None:
    event = envelope(PAUSED.model_dump(mode="json"), detail_type="SweepPaused") | change
    with pytest.raises(InputError):
        paused_at(event, account_id=ACCOUNT)


def test_the_accounts_score_counts_everyone_but_the_exempt() -> None:
    def contribution(risk: RiskClass, unused: int, path: str | None = None) -> Contribution:
        return Contribution(risk=risk, chance=0.5, unused=unused, path=path)

    worst = (
        contribution(RiskClass.ESCALATION, 3),
        contribution(RiskClass.ESCALATION, 2, path="iam-001"),  # these are among the three
        contribution(RiskClass.CREDENTIAL_EXPOSURE, 4),
        contribution(RiskClass.RESOURCE_EXPOSURE, 5),
        contribution(RiskClass.READ, 600),
    )
    tally = AccountTally()
    for score in (a_score(90, contributions=worst), a_score(10, contributions=()), a_score(99, exempt="tagged")):
        tally.add(score)
    account = tally.score(ACCOUNT, now=NOW)
    assert account.pci == pytest.approx((8200 / 2) ** 0.5)
    assert (account.identities, account.excluded, tally.unused_high_risk) == (2, 1, 12)
    assert band_metrics(account) == {"LowIdentities": 1, "MediumIdentities": 0, "HighIdentities": 1}
    reading = tally.reading(account)
    assert (reading.at, reading.pci, reading.granted, reading.unused) == (NOW, account.pci, 460, 424)
    assert reading.band is Band.MEDIUM


def test_an_account_of_nobody_scores_nothing() -> None:
    tally = AccountTally()
    assert tally.score(ACCOUNT, now=NOW).pci == 0
    assert tally.unused_high_risk == 0
