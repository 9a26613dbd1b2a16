"""`leastwise audit trend`, on stored scores in moto."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from shared.aws.score_table import ScoreTable
from shared.aws.score_trend import ScoreTrend
from shared.model.trend import Reading
from tests.builders import ACCOUNT, ANA, scored
from tests.conftest import Stack
from tests.integration.audited import deployed, record, run, told
from tests.integration.stack_stand_in import Stacks

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = ("--since", "2025-12-01", "--until", "2026-03-01")  # 90 days before NOW


@pytest.fixture(autouse=True)
def stacks(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    """The deployed stack."""
    return deployed(aws, monkeypatch, AccountPciAlarm="68")


def add(aws: Stack, values: Iterable[tuple[int, float]], identity_id: str | None = None) -> None:
    """Store scores of so many days ago."""
    trend = ScoreTrend(aws.table(aws.scores_table))
    for days, pci in values:
        at = NOW - timedelta(days=days)
        trend.add(ACCOUNT, Reading(at=at, pci=pci, granted=200, unused=100), identity_id=identity_id)


def day(ago: int) -> str:
    return (NOW - timedelta(days=ago)).date().isoformat()


def test_given_scores_of_the_account_when_asked_then_days_and_what_they_come_to_are_told(aws: Stack) -> None:
    add(aws, [(100, 99.0), (40, 71.25), (39, 60.0), (3, 35.0), (0, 31.4)])
    answer = told("trend", *SPAN)

    assert [(point["day"], point["pci"]) for point in answer["points"]] == [
        (day(40), 71.25),
        (day(39), 60.0),
        (day(3), 35.0),
        (day(0), 31.4),
    ]
    assert (answer["account_id"], answer["identity"], answer["missing_days"]) == (ACCOUNT, None, 37)
    assert answer["limit"] == {"pci": 68.0, "name": "alarm"}
    assert (answer["since"], answer["until"]) == (day(90), day(0))
    text = run("trend", *SPAN).stdout
    assert (
        f"Account {ACCOUNT}: PCI 31 on {day(0)}, was 71 on {day(40)}; highest 71 on {day(40)}; the alarm is at 68; "
        "37 days between without a score." in text
    )
    assert day(40) in text.splitlines()[-3]
    assert "\x1b" not in text


def test_given_scores_of_an_identity_when_asked_then_the_threshold_is_the_limit(aws: Stack) -> None:
    record(aws, scored())
    add(aws, [(2, 80.0), (1, 20.0)], ANA.identity_id)
    answer = told("trend", "--identity", ANA.identity_id, "--since", "2026-02-28")
    assert answer["identity"] == {"id": ANA.identity_id, "arn": ANA.arn}
    assert answer["limit"] == {"pci": 60.0, "name": "threshold"}
    assert [point["pci"] for point in answer["points"]] == [20.0]
    assert "User/team/ana: PCI 20" in run("trend", *SPAN, "--identity", ANA.identity_id).stdout


def test_given_no_alarm_when_asked_of_the_account_then_there_is_no_limit(aws: Stack, stacks: Stacks) -> None:
    stacks.deploy(aws, WindowDays="90", Threshold="60", AccountPciAlarm="0")
    add(aws, [(1, 80.0), (0, 20.0)])
    assert told("trend", *SPAN)["limit"] is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], f"No scores of account {ACCOUNT} are stored from {day(90)} to {day(0)}."),
        ([(1, 61.0)], f"Account {ACCOUNT}: PCI 61 on {day(1)}, the only day with a score from {day(90)} to {day(0)}"),
        ([(1, 61.0), (0, 61.0)], f"Account {ACCOUNT}: PCI 61 on {day(0)}, was 61 on {day(1)}; highest 61 on {day(1)}"),
    ],
)
def test_given_few_scores_when_shown_then_it_reads_well(
    values: list[tuple[int, float]], sentence: str, aws: Stack
) -> None:
    add(aws, values)
    text = run("trend", *SPAN).stdout
    assert text.splitlines()[-1].startswith(sentence)
    assert (len(text.splitlines()) > 1) is (len(values) > 1)


def test_given_scores_when_asked_for_csv_then_each_day_is_a_row(aws: Stack) -> None:
    add(aws, [(2, 80.0), (1, 20.5)])
    rows = list(csv.DictReader(io.StringIO(run("trend", *SPAN, "--csv").stdout)))
    assert [(row["day"], row["pci"], row["granted"]) for row in rows] == [
        (day(2), "80.0", "200"),
        (day(1), "20.5", "200"),
    ]
    assert (
        list(
            csv.DictReader(io.StringIO(run("trend", "--csv", "--since", "2020-01-01", "--until", "2020-02-01").stdout))
        )
        == []
    )


def test_given_somebody_who_is_gone_when_asked_by_name_then_the_stored_trend_is_told(aws: Stack) -> None:
    ScoreTable(aws.table(aws.scores_table)).put_holder(ANA, seen_at=NOW)
    add(aws, [(1, 20.0)], ANA.identity_id)
    assert len(told("trend", *SPAN, "--identity", "ana")["points"]) == 1


def test_given_no_time_when_asked_then_it_is_the_last_90_days(aws: Stack) -> None:
    now = datetime.now(UTC)
    ScoreTrend(aws.table(aws.scores_table)).add(
        ACCOUNT, Reading(at=now - timedelta(days=89), pci=12.0, granted=1, unused=1)
    )
    add(aws, [(400, 99.0)])
    assert [point["pci"] for point in told("trend")["points"]] == [12.0]
