"""From score to verdict: the threshold, the hysteresis below it, and what AWS Config is told."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.core import (
    MAX_ANNOTATION,
    annotation_of,
    evaluated_event,
    is_fresh,
    judge,
    request_key,
)
from shared.model.plan import HYSTERESIS, Compliance
from shared.model.score import Contribution, RiskClass
from tests.builders import ANA, DEPLOYER, NOW, a_score, a_verdict

COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE = Compliance.COMPLIANT, Compliance.NON_COMPLIANT, Compliance.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("pci", "before", "expected"),
    [
        (0.0, None, COMPLIANT),
        (59.999, None, COMPLIANT),
        (60.0, None, NON_COMPLIANT),
        (100.0, None, NON_COMPLIANT),
        (59.999, COMPLIANT, COMPLIANT),
        (60.0, COMPLIANT, NON_COMPLIANT),
        (59.0, NON_COMPLIANT, NON_COMPLIANT),
        (60.0 - HYSTERESIS, NON_COMPLIANT, NON_COMPLIANT),
        (59.999 - HYSTERESIS, NON_COMPLIANT, COMPLIANT),
        (59.0, NOT_APPLICABLE, COMPLIANT),
        (60.0, NOT_APPLICABLE, NON_COMPLIANT),
    ],
)
def test_at_or_above_the_threshold_is_refused_and_only_well_below_it_is_forgiven(
    pci: float, before: Compliance | None, expected: Compliance
) -> None:
    previous = a_verdict(before) if before else None
    assert judge(a_score(pci), previous, threshold=60, now=NOW).compliance is expected


def test_a_threshold_that_was_raised_forgives_at_once() -> None:
    previous = a_verdict(NON_COMPLIANT, threshold=60.0)
    assert judge(a_score(69.0), previous, threshold=70, now=NOW).compliance is COMPLIANT


@pytest.mark.parametrize("before", [None, COMPLIANT, NON_COMPLIANT])
def test_an_exempt_identity_is_not_judged_however_high_its_score(before: Compliance | None) -> None:
    previous = a_verdict(before) if before else None
    verdict = judge(a_score(100, exempt="break glass"), previous, threshold=60, now=NOW)
    assert verdict.compliance is NOT_APPLICABLE
    assert verdict.annotation == "Not judged: break glass"


@given(st.lists(st.floats(58.01, 59.99), min_size=1, max_size=8), st.sampled_from([COMPLIANT, NON_COMPLIANT]))
def test_a_score_just_below_the_threshold_never_flaps(scores: list[float], start: Compliance) -> None:
    verdict = a_verdict(start)
    for pci in scores:
        verdict = judge(a_score(pci), verdict, threshold=60, now=NOW)
        assert verdict.compliance is start


def test_a_verdict_says_what_it_rests_on() -> None:
    later = NOW + timedelta(hours=1)
    verdict = judge(a_score(87.25), None, threshold=60, now=later)
    assert (verdict.identity, verdict.pci, verdict.threshold) == (ANA, 87.25, 60)
    assert (verdict.scored_at, verdict.judged_at) == (NOW, later)


def test_the_annotation_names_the_score_its_band_what_is_unused_and_the_worst() -> None:
    expected = "PCI 87 (high): 212 of 230 permissions unused; top: iam:PutUserPolicy"
    assert annotation_of(a_score(87.25)) == expected


def test_without_examples_the_annotation_names_none() -> None:
    assert annotation_of(a_score(0, contributions=(), unused=0)) == "PCI 0 (low): 0 of 230 permissions unused"
    nameless = (Contribution(risk=RiskClass.WRITE, chance=0.5, unused=1),)
    assert "top" not in annotation_of(a_score(contributions=nameless))


@given(st.text(min_size=1, max_size=600), st.booleans())
def test_an_annotation_has_what_config_accepts_in_length(text: str, exempt: bool) -> None:  # noqa: FBT001 hypothesis
    worst = (Contribution(risk=RiskClass.WRITE, chance=0.5, unused=1, examples=(text,)),)
    annotation = annotation_of(a_score(exempt=text) if exempt else a_score(contributions=worst))
    assert 1 <= len(annotation) <= MAX_ANNOTATION == 256


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(timedelta(0), True), (timedelta(hours=48), True), (timedelta(hours=48, seconds=1), False)],
)
def test_a_score_is_fresh_up_to_its_greatest_age(age: timedelta, *, fresh: bool) -> None:
    assert is_fresh(a_score(), now=NOW + age, max_age_hours=48) is fresh


def test_a_verdict_told_twice_is_one_event_and_one_repeated_by_a_sweep_is_another() -> None:
    verdict, sweep = a_verdict(), NOW + timedelta(hours=6)
    first, again, repeated = (
        evaluated_event(verdict),
        evaluated_event(verdict.model_copy(update={"judged_at": sweep})),
        evaluated_event(verdict, repeated_at=sweep),
    )
    assert first.event_id == again.event_id != repeated.event_id
    assert (first.repeated, repeated.repeated, repeated.occurred_at) == (False, True, sweep)
    assert (first.compliance, first.pci, first.threshold) == (NON_COMPLIANT, 87.25, 60)


def test_another_verdict_on_the_same_score_is_another_event() -> None:
    assert evaluated_event(a_verdict(COMPLIANT)).event_id != evaluated_event(a_verdict()).event_id


def test_one_request_an_hour_and_identity_is_enough() -> None:
    assert request_key(ANA, NOW) == request_key(ANA, NOW + timedelta(minutes=59))
    assert len({request_key(ANA, NOW), request_key(DEPLOYER, NOW), request_key(ANA, NOW + timedelta(hours=1))}) == 3
