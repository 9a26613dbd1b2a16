"""What is stored of a score and when it is told: once for each thing it says, however often it is made."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scorer.core import (
    MAX_TOP,
    account_event,
    announcement,
    digest_of,
    pause_event,
    score_requests,
    successor,
    top_permissions,
)
from shared.model.score import (
    AccountScore,
    Band,
    Contribution,
    CoverageSummary,
    Provider,
    RiskClass,
    Score,
    StoredScore,
)
from shared.model.sweep import SweepProgress
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, a_score

LATER = NOW + timedelta(days=1)


def a_contribution(**changes: Any) -> Contribution:
    fields = {"risk": RiskClass.WRITE, "chance": 0.2, "unused": 100, "mass": 3.0, "examples": ("s3:PutObject",)}
    return Contribution.model_validate(fields | changes)


def told(stored: StoredScore) -> StoredScore:
    """The record after its score was published."""
    return replace(stored, announced=digest_of(stored.score), announcements=stored.announcements + 1)


@pytest.mark.parametrize(
    "change",
    [
        {"scored_at": LATER},
        {"coverage": CoverageSummary(window_days=90, observed_days=61, regions=("eu-west-1",))},
        {"coverage": CoverageSummary(window_days=90, observed_days=60, inventory_at=LATER, resources=9)},
        {"pci": 87.299},
        {"reach": 0.74},
        {"resources": 1_001},
        {"contributions": (a_contribution(chance=0.21, mass=3.5),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_score_that_says_the_same_later_has_the_same_digest(change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"contributions": (a_contribution(),)} | change
    assert digest_of(a_score(**fields)) == digest_of(a_score(contributions=(a_contribution(),)))


@pytest.mark.parametrize(
    "change",
    [
        {"pci": 87.3},
        {"pci": 87.19},
        {"identity": DEPLOYER},
        {"unused": 211},
        {"exempt": "break glass"},
        {"model_version": "pci-2"},
        {"catalogue_version": "2026-02"},
        {"contributions": ()},
        {"contributions": (a_contribution(unused=99),)},
        {"contributions": (a_contribution(examples=("s3:PutObjectAcl",)),)},
        {"contributions": (a_contribution(path="iam-001"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_score_that_says_something_else_has_another_digest(change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"contributions": (a_contribution(),)} | change
    assert digest_of(a_score(**fields)) != digest_of(a_score(contributions=(a_contribution(),)))


@given(st.integers(1, 1000), st.floats(0, 100), st.floats(0, 100))
@example(600, 59.999999, 60.0)
@settings(deadline=None)
def test_a_score_that_crosses_a_threshold_of_one_decimal_is_always_news(tenths: int, one: float, other: float) -> None:
    threshold = tenths / 10
    low, high = sorted(round(pci, 6) for pci in (one, other))  # as scores are rounded
    if low < threshold <= high:
        assert digest_of(a_score(low)) != digest_of(a_score(high))


def test_a_digest_survives_a_store_that_does_not_tell_1_from_1_0() -> None:
    stored = a_score(60.0).model_dump(mode="json") | {"pci": 60, "reach": 1}
    assert digest_of(Score.model_validate(stored)) == digest_of(a_score(60.0, reach=1.0))


def test_a_first_score_is_told_as_number_one_without_a_previous() -> None:
    event = announcement(successor(None, a_score()), None)
    assert event is not None
    assert (event.score_version, event.pci, event.previous_pci, event.band) == (1, 87.25, None, Band.HIGH)
    assert (event.granted, event.used, event.unused, event.unobservable) == (230, 18, 212, 0)
    assert (event.observed_days, event.occurred_at) == (60, NOW)


def test_a_score_that_says_nothing_new_is_stored_and_not_told() -> None:
    previous = told(successor(None, a_score()))
    stored = successor(previous, a_score(scored_at=LATER))
    assert stored.score.scored_at == LATER
    assert announcement(stored, previous) is None


def test_a_changed_score_is_told_with_the_one_before() -> None:
    previous = told(successor(None, a_score(87.25)))
    event = announcement(successor(previous, a_score(12.5)), previous)
    assert event is not None
    assert (event.score_version, event.previous_pci, event.pci, event.band) == (2, 87.25, 12.5, Band.LOW)


def test_a_crash_between_storing_and_telling_is_made_good_by_the_same_event() -> None:
    first = successor(None, a_score())
    lost = announcement(first, None)
    again = announcement(successor(first, a_score(scored_at=LATER)), first)
    assert lost is not None
    assert again is not None
    assert (again.event_id, again.score_version) == (lost.event_id, 1)
    assert again.previous_pci is None, "nobody was told of the one before"


def test_two_scores_under_one_number_are_two_events() -> None:
    """Of two scorers at once, or of one that crashed after telling: the audit trail must show both."""
    one, other = (announcement(StoredScore(a_score(pci), announcements=1), None) for pci in (87.25, 12.5))
    assert one is not None
    assert other is not None
    assert one.score_version == other.score_version
    assert one.event_id != other.event_id


def test_the_successor_keeps_its_place_and_is_there_again() -> None:
    previous = StoredScore(a_score(), version=7, announced="x", announcements=3, present=False)
    assert successor(previous, a_score(1)) == StoredScore(a_score(1), 7, "x", 3, present=True)


def test_the_worst_permissions_come_first_once_each_and_not_too_many() -> None:
    def contribution(chance: float, *examples: str) -> Contribution:
        return Contribution(risk=RiskClass.WRITE, chance=chance, unused=9, examples=examples)

    score = a_score(contributions=(contribution(0.1, "c", "a", "d", "e", "f"), contribution(0.9, "a", "b")))
    assert top_permissions(score) == ("a", "b", "c", "d", "e")
    assert len(top_permissions(score)) == MAX_TOP
    assert top_permissions(a_score(contributions=())) == ()


def test_the_end_of_a_sweep_is_told_once_for_each_sweep() -> None:
    account = AccountScore(
        account_id=ACCOUNT, pci=61.5, identities=14, excluded=2, by_band={Band.HIGH: 4}, scored_at=NOW
    )
    sweep = SweepProgress(account_id=ACCOUNT, started_at=NOW - timedelta(minutes=20), found=3)
    event = account_event(account, sweep)
    assert (event.pci, event.identities, event.excluded, event.sweep_found) == (61.5, 14, 2, 3)
    assert (event.by_band, event.occurred_at, event.account_id) == ({Band.HIGH: 4}, NOW, ACCOUNT)
    again = account.model_copy(update={"scored_at": LATER})
    assert account_event(again, sweep).event_id == event.event_id
    next_sweep = sweep.model_copy(update={"started_at": NOW})
    assert account_event(again, next_sweep).event_id != event.event_id


def test_each_pause_of_a_sweep_is_an_event_of_its_own() -> None:
    sweep = SweepProgress(account_id=ACCOUNT, started_at=NOW, version=5, pages=2, identities=200)
    event = pause_event(sweep, now=LATER)
    assert (event.started_at, event.pages, event.identities, event.occurred_at) == (NOW, 2, 200, LATER)
    assert pause_event(sweep, now=NOW).event_id == event.event_id
    assert pause_event(sweep.model_copy(update={"version": 7}), now=LATER).event_id != event.event_id


def test_a_change_that_many_share_asks_once_for_each_however_often_it_is_told() -> None:
    first, again = (score_requests([ANA, DEPLOYER], cause="c", reason="r", now=now) for now in (NOW, LATER))
    assert [event.identity for event in first] == [ANA, DEPLOYER]
    assert [event.event_id for event in first] == [event.event_id for event in again]
    assert len({event.event_id for event in [*first, *score_requests([ANA], cause="d", reason="r", now=NOW)]}) == 3


def test_a_score_says_whose_it_is_and_a_change_of_provider_is_news() -> None:
    own = a_score()
    outside = own.from_outside(Provider.CLOUDKNOX, own.pci)
    assert digest_of(outside) != digest_of(own)
    event = announcement(StoredScore(outside), told(StoredScore(own)))
    assert event is not None
    assert (event.provider, event.pci, event.unused) == (Provider.CLOUDKNOX, own.pci, own.unused)


def test_a_score_without_one_from_outside_is_not_judged_but_a_protection_comes_first() -> None:
    assert a_score().from_outside(Provider.CLOUDKNOX, None).exempt == "cloudknox lists no score of it"
    assert a_score(exempt="reserved").from_outside(Provider.CLOUDKNOX, None).exempt == "reserved"
    assert digest_of(a_score().from_outside(Provider.CLOUDKNOX, None)) != digest_of(a_score())
