"""Scores and verdicts on DynamoDB: optimistic writes, all pages, one open claim for a re-evaluation."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from shared.aws.score_table import ScoreTable
from shared.errors import ConflictError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.model.score import Contribution, CoverageSummary, RiskClass, StoredScore
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT, a_score, a_verdict
from tests.conftest import Stack, in_threads

DELAY = timedelta(seconds=60)


@pytest.fixture
def scores(aws: Stack) -> ScoreTable:
    return ScoreTable(aws.table(aws.scores_table))


def identity(number: int, account_id: str = ACCOUNT) -> IdentityRef:
    name = f"user{number:04d}"
    return IdentityRef(
        account_id=account_id, identity_id=f"AIDAEXAMPLE{number:04d}", arn=f"arn:aws:iam::{account_id}:user/{name}"
    )


@pytest.mark.parametrize(
    "stored",
    [
        StoredScore(a_score(60.0)),
        StoredScore(a_score(0.1 + 0.2, exempt="it is protected")),
        StoredScore(a_score(100), announced="abc", announcements=3, present=False, retired_at=NOW + DELAY),
        StoredScore(a_score(1, contributions=(), coverage=CoverageSummary(window_days=1, observed_days=0))),
        StoredScore(
            a_score(
                2,
                identity=DEPLOYER,
                contributions=(
                    Contribution(risk=RiskClass.LIST, chance=1e-9, unused=1, examples=("ä\n\x00",), path="p"),
                ),
            )
        ),
    ],
)
def test_what_was_stored_is_read_back_with_its_next_version(scores: ScoreTable, stored: StoredScore) -> None:
    who = stored.score.identity
    assert scores.get(ACCOUNT, who.identity_id) is None
    assert scores.put(stored) == replace(stored, version=1)
    assert scores.get(ACCOUNT, who.identity_id) == replace(stored, version=1)


def test_a_writer_that_read_an_older_version_loses(scores: ScoreTable) -> None:
    first = scores.put(StoredScore(a_score(1)))
    second = scores.put(replace(first, score=a_score(2)))
    for stale in (StoredScore(a_score(3)), first):
        with pytest.raises(ConflictError):
            scores.put(stale)
    assert scores.get(ACCOUNT, ANA.identity_id) == second


def test_of_many_first_writers_one_wins(scores: ScoreTable, atomic_calls: None) -> None:
    outcomes: list[bool] = []

    def write(pci: float) -> None:
        try:
            scores.put(StoredScore(a_score(pci)))
        except ConflictError:
            outcomes.append(False)
        else:
            outcomes.append(True)

    in_threads(*(partial(write, pci) for pci in range(5)))
    assert sorted(outcomes) == [False, False, False, False, True]


def test_more_scores_than_a_page_holds_are_all_read_but_those_of_the_gone(scores: ScoreTable) -> None:
    long = tuple(f"service:{'VeryLongAction' * 400}{number}" for number in range(5))
    worst = (Contribution(risk=RiskClass.WRITE, chance=0.5, unused=5, examples=long),)
    for number in range(90):
        score = a_score(number % 100, identity=identity(number), contributions=worst)
        scores.put(StoredScore(score, present=number % 3 != 0))
    scores.put(StoredScore(a_score(identity=identity(1, OTHER_ACCOUNT))))
    scores.put_verdict(a_verdict())
    found = {stored.score.identity.identity_id for stored in scores.scores(ACCOUNT)}
    assert found == {identity(number).identity_id for number in range(90) if number % 3}


def damage(aws: Stack, identity: IdentityRef) -> None:
    """Make a stored score one of another version: with a risk that this one doesn't know."""
    table = aws.table(aws.scores_table)
    item = table.get(f"ACCOUNT#{ACCOUNT}", f"SCORE#{identity.identity_id}")
    assert item is not None
    item["contributions"][0]["risk"] = "CANARY"
    table.put(item)


def test_a_score_that_cannot_be_read_is_none_and_is_logged(
    aws: Stack, scores: ScoreTable, caplog: pytest.LogCaptureFixture
) -> None:
    for who in (ANA, DEPLOYER):
        scores.put(StoredScore(a_score(identity=who)))
    damage(aws, ANA)
    assert scores.get(ACCOUNT, ANA.identity_id) is None
    assert [stored.score.identity for stored in scores.scores(ACCOUNT)] == [DEPLOYER]
    warning = f"unreadable score SCORE#{ANA.identity_id}: contributions.0.risk: enum"
    assert set(caplog.messages) == {warning}, "where and why, without the value"


def test_a_score_that_cannot_be_read_is_replaced_and_its_counts_go_on(aws: Stack, scores: ScoreTable) -> None:
    first = scores.put(StoredScore(a_score(1), announced="abc", announcements=3))
    damage(aws, ANA)
    replaced = scores.put(StoredScore(a_score(2)))
    assert replaced == StoredScore(a_score(2), version=2, announced="abc", announcements=3)
    assert scores.get(ACCOUNT, ANA.identity_id) == replaced
    with pytest.raises(ConflictError):
        scores.put(first)


def test_a_writer_that_knew_the_score_before_it_was_damaged_still_loses(aws: Stack, scores: ScoreTable) -> None:
    first = scores.put(StoredScore(a_score(1)))
    scores.put(replace(first, score=a_score(2)))
    damage(aws, ANA)
    with pytest.raises(ConflictError):
        scores.put(replace(first, score=a_score(3)))


def test_a_verdict_is_read_back_and_is_nobody_elses(scores: ScoreTable) -> None:
    assert scores.verdict(ANA) is None
    scores.put_verdict(a_verdict(pci=60.5))
    scores.put_verdict(a_verdict(Compliance.COMPLIANT, identity=DEPLOYER))
    assert scores.verdict(ANA) == a_verdict(pci=60.5)
    assert {verdict.identity.name for verdict in scores.verdicts(ACCOUNT)} == {"ana", "deployer"}
    assert list(scores.verdicts(OTHER_ACCOUNT)) == []


@pytest.mark.parametrize(
    ("judged_at", "replaces"),
    [(NOW - timedelta(microseconds=1), False), (NOW, True), (NOW + timedelta(microseconds=1), True)],
)
def test_a_verdict_that_was_judged_earlier_never_replaces_a_later_one(
    scores: ScoreTable, judged_at: datetime, *, replaces: bool
) -> None:
    scores.put_verdict(a_verdict())
    other = a_verdict(Compliance.COMPLIANT, judged_at=judged_at)
    if replaces:
        scores.put_verdict(other)
    else:
        with pytest.raises(ConflictError):
            scores.put_verdict(other)
    assert scores.verdict(ANA) == (other if replaces else a_verdict())


def test_a_verdict_that_cannot_be_read_is_none_and_is_replaced(aws: Stack, scores: ScoreTable) -> None:
    scores.put_verdict(a_verdict())
    table = aws.table(aws.scores_table)
    item = table.get(f"ACCOUNT#{ACCOUNT}", f"VERDICT#{ANA.identity_id}")
    assert item is not None
    table.put(item | {"compliance": "OF_THE_FUTURE"})
    assert scores.verdict(ANA) is None
    assert list(scores.verdicts(ACCOUNT)) == []
    scores.put_verdict(a_verdict())
    assert scores.verdict(ANA) == a_verdict()


def test_a_name_is_of_whoever_was_seen_last_under_it(scores: ScoreTable) -> None:
    old, new = identity(1), identity(1).model_copy(update={"identity_id": "AIDAEXAMPLENEW"})
    assert scores.holder(ACCOUNT, old.type, old.name) is None
    scores.put_holder(old, seen_at=NOW)
    scores.put_holder(new, seen_at=NOW + DELAY)
    with pytest.raises(ConflictError):
        scores.put_holder(old, seen_at=NOW)
    assert scores.holder(ACCOUNT, old.type, old.name) == new
    assert scores.holder(ACCOUNT, DEPLOYER.type, old.name) is None
    assert scores.holder(OTHER_ACCOUNT, old.type, old.name) is None
