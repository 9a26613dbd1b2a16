"""One open claim to ask for a re-evaluation: who gets it, who gets it again, and when it is nobody's."""

from datetime import timedelta
from functools import partial

import pytest

from shared.aws.reevaluations import Reevaluations
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT
from tests.conftest import Stack, in_threads

VOID_AFTER = timedelta(minutes=4)


@pytest.fixture
def reevaluations(aws: Stack) -> Reevaluations:
    return Reevaluations(aws.table(aws.scores_table))


def claim(
    reevaluations: Reevaluations, owner: str, *, account_id: str = ACCOUNT, after: timedelta = timedelta(0)
) -> bool:
    return reevaluations.claim(account_id, owner, now=NOW + after, void_after=VOID_AFTER)


def test_one_claim_is_open_at_a_time_and_only_within_its_account(reevaluations: Reevaluations) -> None:
    assert claim(reevaluations, "first")
    assert not claim(reevaluations, "second")
    assert claim(reevaluations, "second", account_id=OTHER_ACCOUNT)
    reevaluations.close(ACCOUNT, now=NOW)
    assert claim(reevaluations, "second")


def test_who_comes_again_finds_its_own_claim_and_nobody_elses(reevaluations: Reevaluations) -> None:
    assert claim(reevaluations, "first")
    assert claim(reevaluations, "first", after=timedelta(minutes=1))
    reevaluations.close(ACCOUNT, now=NOW + timedelta(minutes=1))
    assert claim(reevaluations, "second", after=timedelta(minutes=2))
    assert not claim(reevaluations, "first", after=timedelta(minutes=3))


@pytest.mark.parametrize(("seconds", "free"), [(239, False), (240, False), (241, True)])
def test_a_claim_that_nobody_closed_is_void_after_its_time(
    reevaluations: Reevaluations, seconds: int, *, free: bool
) -> None:
    claim(reevaluations, "first")
    assert claim(reevaluations, "second", after=timedelta(seconds=seconds)) is free


def test_of_many_claims_at_the_same_time_one_is_granted(reevaluations: Reevaluations, atomic_calls: None) -> None:
    granted: list[bool] = []

    def ask(owner: str) -> None:
        granted.append(claim(reevaluations, owner))

    in_threads(*(partial(ask, owner) for owner in "abcdef"))
    assert sum(granted) == 1
