"""From score to verdict: the threshold, the hysteresis below it, and what AWS Config is told."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.core import (
    MAX_ANNOTATION,
    MAX_BUSY,
    REEVALUATE,
    Judgement,
    annotation_of,
    evaluated_event,
    is_fresh,
    judge,
    reevaluation_message,
    request_key,
    reserved_reason,
    times_busy_of,
    verdict_on_the_gone,
)
from shared.model.identity import IdentityRef
from shared.model.plan import HYSTERESIS, Compliance, Verdict
from shared.model.score import Contribution, Provider, RiskClass
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, a_score, a_verdict

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


@settings(deadline=None)
@given(
    st.floats(2.0, 98.0),
    st.lists(st.floats(-HYSTERESIS / 2, HYSTERESIS / 2), min_size=1, max_size=20),
    st.sampled_from([None, COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE]),
)
def test_a_score_within_half_the_hysteresis_of_the_threshold_changes_the_verdict_at_most_once(
    threshold: float, offsets: list[float], start: Compliance | None
) -> None:
    verdict = a_verdict(start, threshold=threshold) if start else None
    told = [start] if start in {COMPLIANT, NON_COMPLIANT} else []
    for offset in offsets:
        verdict = judge(a_score(threshold + offset), verdict, threshold=threshold, now=NOW)
        told.append(verdict.compliance)
    changes = [before for before, after in pairwise(told) if before is not after]
    assert changes in ([], [COMPLIANT]), "once refused it stays so"


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.floats(1, 100))
def test_a_verdict_never_contradicts_its_score_by_more_than_the_hysteresis(
    scores: list[float], threshold: float
) -> None:
    verdict = None
    for pci in scores:
        verdict = judge(a_score(pci), verdict, threshold=threshold, now=NOW)
        if verdict.compliance is COMPLIANT:
            assert pci < threshold
        else:
            assert pci >= threshold - HYSTERESIS


@settings(deadline=None)
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


@pytest.mark.parametrize(
    ("pci", "before", "expected"),
    [
        (59.96, None, "PCI 59.9 (medium): 212 of 230 permissions unused; top: iam:PutUserPolicy"),
        (59.4, None, "PCI 59 (medium): 212 of 230 permissions unused; top: iam:PutUserPolicy"),
        (60.0, None, "PCI 60 (medium): 212 of 230 permissions unused; top: iam:PutUserPolicy"),
        (60.0, NON_COMPLIANT, "PCI 60 (medium): 212 of 230 permissions unused; top: iam:PutUserPolicy"),
        (
            59.96,
            NON_COMPLIANT,
            "PCI 59.9 (medium): 212 of 230 permissions unused; top: iam:PutUserPolicy; compliant again below 58",
        ),
    ],
)
def test_the_annotation_explains_the_compliance_beside_it(pci: float, before: Compliance | None, expected: str) -> None:
    previous = a_verdict(before) if before else None
    assert judge(a_score(pci), previous, threshold=60, now=NOW).annotation == expected


def test_the_annotation_says_whose_score_it_is_where_it_is_not_our_own() -> None:
    text = annotation_of(a_score(10.0).from_outside(Provider.CLOUDKNOX, 87.0))
    assert text.startswith("PCI 87 by cloudknox (high): 212 of 230 permissions unused")


def test_a_long_annotation_is_cut_but_keeps_what_the_verdict_waits_for() -> None:
    worst = (Contribution(risk=RiskClass.WRITE, chance=0.5, unused=1, examples=("s3:" + "x" * 400,)),)
    held = judge(a_score(59, contributions=worst), a_verdict(NON_COMPLIANT), threshold=60, now=NOW).annotation
    assert len(held) == MAX_ANNOTATION
    assert held.endswith("...; compliant again below 58")


def test_without_examples_the_annotation_names_none() -> None:
    assert annotation_of(a_score(0, contributions=(), unused=0)) == "PCI 0 (low): 0 of 230 permissions unused"
    nameless = (Contribution(risk=RiskClass.WRITE, chance=0.5, unused=1),)
    assert "top" not in annotation_of(a_score(contributions=nameless))


@settings(deadline=None)
@given(st.text(min_size=1, max_size=600), st.booleans())
def test_an_annotation_has_what_config_accepts_in_length_and_characters(text: str, exempt: bool) -> None:  # noqa: FBT001 hypothesis
    worst = (Contribution(risk=RiskClass.WRITE, chance=0.5, unused=1, examples=(text,)),)
    annotation = annotation_of(a_score(exempt=text) if exempt else a_score(contributions=worst))
    assert 1 <= len(annotation) <= MAX_ANNOTATION == 256
    assert annotation.isascii()
    assert annotation.isprintable()


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


@pytest.mark.parametrize(
    ("previous", "news", "store"),
    [
        (None, True, True),
        (a_verdict(COMPLIANT), True, True),
        (a_verdict(NOT_APPLICABLE), True, True),
        (a_verdict(threshold=50), False, True),
        (a_verdict(pci=99), False, True),
        (a_verdict(annotation="other"), False, True),
        (a_verdict(scored_at=NOW - timedelta(1), judged_at=NOW - timedelta(1)), False, False),
    ],
)
def test_what_a_judgement_calls_for(previous: Verdict | None, *, news: bool, store: bool) -> None:
    judgement = Judgement(a_verdict(), previous)
    assert (judgement.is_news, judgement.is_worth_storing) == (news, store)


def test_the_verdict_on_who_is_gone_is_taken_back() -> None:
    gone = verdict_on_the_gone(a_verdict(), now=NOW + timedelta(1))
    assert (gone.compliance, gone.annotation, gone.judged_at) == (NOT_APPLICABLE, "Deleted", NOW + timedelta(1))


@pytest.mark.parametrize(
    ("arn", "reserved"),
    [
        ("role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig", True),
        ("role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admins_0123456789abcdef", True),
        ("role/AWSReservedSSO_Admins_0123456789abcdef", True),
        ("user/breakglass/root-of-last-resort", True),
        ("role/leastwise/remediate", True),
        ("role/service-role/config-role", False),
        ("user/team/ana", False),
    ],
)
def test_names_and_paths_alone_say_who_is_never_judged(arn: str, *, reserved: bool) -> None:
    prefix = "AIDA" if arn.startswith("user") else "AROA"
    ref = IdentityRef(account_id=ACCOUNT, identity_id=f"{prefix}EXAMPLE", arn=f"arn:aws:iam::{ACCOUNT}:{arn}")
    assert (reserved_reason(ref, now=NOW) is not None) is reserved


def test_one_request_an_hour_and_identity_is_enough() -> None:
    assert request_key(ANA, NOW) == request_key(ANA, NOW + timedelta(minutes=59))
    assert len({request_key(ANA, NOW), request_key(DEPLOYER, NOW), request_key(ANA, NOW + timedelta(hours=1))}) == 3


@pytest.mark.parametrize("times_busy", range(MAX_BUSY + 1))
def test_our_own_message_is_known_again_with_its_count(times_busy: int) -> None:
    assert times_busy_of(reevaluation_message(times_busy)) == times_busy


@pytest.mark.parametrize("body", ["", "{}", f"{REEVALUATE}/", f"{REEVALUATE}/x", f"{REEVALUATE}/-1", f" {REEVALUATE}"])
def test_another_message_is_not_our_own(body: str) -> None:
    assert times_busy_of(body) is None
