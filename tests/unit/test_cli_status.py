"""How the deployed system stands, by what is known of it: every part's line, level and advice."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cli.health.answer import exit_code, show, value_of
from cli.health.facts import MOST, Alarm, Anchored, Depth, Facts, Plans
from cli.health.judging import lines_of
from cli.health.lines import Level, Line, NotRead, worst
from cli.health.times import told
from shared.model.plan import Mode
from shared.model.sweep import SweepProgress
from shared.model.trend import Reading, TrendPoint
from shared.model.usage import Coverage
from tests.builders import ACCOUNT

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFUSED = NotRead("GetParameter /leastwise/mode: AccessDenied: no", "ssm:GetParameter")


def days(count: int, *, end: int = 0) -> list[date]:
    """So many days in a row, the last of them `end` days ago."""
    return [(NOW - (end + number) * DAY).date() for number in range(count)]


def seen(count: int, *, end: int = 0, reads: bool = True) -> Coverage:
    return Coverage.of(days(count, end=end), regions=["us-east-1"], feeds=["eventbridge"], reads=reads)


def points(*values: tuple[int, float]) -> tuple[TrendPoint, ...]:
    """A PCI of so many days ago each."""
    readings = (Reading(at=NOW - ago * DAY, pci=pci, granted=10, unused=5) for ago, pci in values)
    return tuple(map(TrendPoint.of, readings))


def sweep(**changes: Any) -> SweepProgress:
    fields: dict[str, Any] = {
        "account_id": ACCOUNT,
        "started_at": NOW - HOUR,
        "finished_at": NOW - HOUR,
        "identities": 412,
        "seconds": 31.5,
    }
    return SweepProgress(**(fields | changes))


FINE = Facts(
    now=NOW,
    stack_name="leastwise",
    account_id=ACCOUNT,
    region="us-east-1",
    window_days=90,
    parameters={"SweepSchedule": "rate(6 hours)", "AnchorSchedule": "rate(1 hour)", "MinObservedDays": "30"},
    mode_parameter="/leastwise/mode",
    mode=Mode.APPROVE,
    trend=points((8, 50.0), (7, 48.0), (0, 41.6)),
    sweep=sweep(),
    coverage=seen(90),
    queues=(Depth("leastwise-usage", 3, 1, 2), Depth("leastwise-usage-dead-letters", 0, dead=True)),
    alarms=(),
    plans=Plans(applied=4, watched=1),
    anchor=Anchored(17, NOW - timedelta(minutes=20), 0, 5),
    kept=(),
    options=" --region us-east-1",
)
AT_WORK = sweep(finished_at=None, lease_until=NOW + HOUR, identities=200)

# What is otherwise; the part and its level; words of the text; words of the advice.
CASES: list[tuple[dict[str, Any], str, Level, str, str]] = [
    ({}, "mode", Level.OK, "approve: a person approves", ""),
    ({"mode": Mode.OFF}, "mode", Level.WARN, "the kill switch is on", "/leastwise/mode"),
    ({"mode": REFUSED}, "mode", Level.UNKNOWN, "needs ssm:GetParameter", "AccessDenied"),
    ({"mode": NotRead("it is no mode")}, "mode", Level.UNKNOWN, "not readable: it is no mode", ""),
    ({}, "account", Level.OK, "PCI 42, medium, -6 in 7 days", ""),
    ({"trend": points((6, 50), (0, 50))}, "account", Level.OK, "no older value", ""),
    ({"trend": points((9, 50), (0, 50.3))}, "account", Level.OK, "unchanged in 7 days", ""),
    ({"trend": points((0, 70))}, "account", Level.WARN, "PCI 70, high", "leastwise identities --region us-east-1"),
    ({"trend": ()}, "account", Level.WARN, "no PCI yet", "leastwise sweep --region us-east-1"),
    ({}, "sweep", Level.OK, "finished 1 hour ago, took 32 s: 412 identities, 0 failures", ""),
    ({"sweep": None}, "sweep", Level.WARN, "none yet", "leastwise sweep"),
    ({"sweep": AT_WORK}, "sweep", Level.OK, "begun 1 hour ago, at work: 200 identities", ""),
    ({"sweep": sweep(finished_at=None)}, "sweep", Level.WARN, "interrupted", "goes on with it"),
    ({"sweep": sweep(failed={"AIDAX": "why"})}, "sweep", Level.WARN, "1 failure", "log"),
    ({"sweep": sweep(finished_at=NOW - 12.2 * HOUR)}, "sweep", Level.OK, "12 hours ago", ""),
    ({"sweep": sweep(finished_at=NOW - 13 * HOUR)}, "sweep", Level.WARN, "overdue: finished 13 hours ago", "log"),
    ({"sweep": sweep(finished_at=NOW - 49 * HOUR)}, "sweep", Level.BAD, "2 days ago", "not acted on"),
    ({}, "coverage", Level.OK, "90 of 90 days observed by eventbridge, 1 region, reads recorded", ""),
    ({"coverage": Coverage()}, "coverage", Level.BAD, "every permission looks unused", "leastwise doctor"),
    ({"coverage": seen(50, end=1)}, "coverage", Level.OK, "50 of 90", ""),
    ({"coverage": seen(50, end=2)}, "coverage", Level.BAD, "nothing for 2 days", "leastwise doctor"),
    ({"coverage": seen(10).join(seen(30, end=14))}, "coverage", Level.WARN, "gap 2026-02-16 to 2026-02-19", "backfill"),
    ({"coverage": seen(10).join(seen(30, end=11))}, "coverage", Level.OK, "40 of 90", ""),
    ({"coverage": seen(20)}, "coverage", Level.WARN, "20 of 90", "30 days"),
    ({"coverage": seen(200, reads=False)}, "coverage", Level.OK, "reads not recorded on every day", ""),
    ({}, "plans", Level.OK, "0 proposed, 4 in force (1 watched)", ""),
    ({"plans": Plans(proposed=2)}, "plans", Level.WARN, "wait for approval", "--status proposed"),
    ({"plans": Plans(proposed=2), "mode": Mode.OBSERVE}, "plans", Level.OK, "2 proposed", ""),
    ({"plans": Plans(proposed=MOST), "mode": REFUSED}, "plans", Level.OK, "500 or more proposed", ""),
    ({"plans": Plans(quarantined=1)}, "plans", Level.BAD, "1 plan quarantined", "--status quarantined"),
    ({"plans": Plans(interrupted=2, under_way=2)}, "plans", Level.WARN, "2 plans interrupted", "reconciliation"),
    ({"plans": Plans(unreadable=1)}, "plans", Level.WARN, "1 record not readable", "older than the stack"),
    ({}, "queues", Level.OK, "3 messages waiting, 1 in work, 2 for later, in 1 queue", ""),
    ({"queues": (Depth("q", 1_000),)}, "queues", Level.WARN, "most: q 1,000", "does not keep up"),
    ({}, "dead letters", Level.OK, "1 queue, all empty", ""),
    ({"queues": (Depth("d", 2, dead=True),)}, "dead letters", Level.BAD, "d holds 2 messages", "redrive"),
    ({"queues": (Depth("d", 0, 1, dead=True),)}, "dead letters", Level.BAD, "d holds 1 message ", "redrive"),
    ({}, "alarms", Level.OK, "none rings", ""),
    ({"alarms": (Alarm("lw-x", NOW - DAY, "Do this."),)}, "alarms", Level.BAD, "lw-x rings since 1 day", "Do this."),
    ({}, "audit trail", Level.OK, "anchor 17 of 20 minutes ago, 5 newer entries", ""),
    ({"anchor": None}, "audit trail", Level.WARN, "no anchor yet", "log"),
    ({"anchor": Anchored(1, NOW - 3 * HOUR, 0, 1)}, "audit trail", Level.WARN, "overdue: anchor 1", "log"),
    ({"anchor": Anchored(1, NOW, 2, 1)}, "audit trail", Level.BAD, "2 faults found", "leastwise audit verify"),
    ({}, "notifications", Level.OK, "none waits", ""),
    ({"kept": (NOW - timedelta(minutes=3),)}, "notifications", Level.OK, "1 message to people waiting", ""),
    ({"kept": (NOW, NOW - HOUR)}, "notifications", Level.WARN, "2 messages to people waiting, the oldest", "SNS"),
]


def worst_of(name: str, lines: tuple[Line, ...]) -> Line:
    return max((line for line in lines if line.name == name), key=lambda line: list(Level).index(line.level))


@pytest.mark.parametrize(("changes", "name", "level", "text", "advice"), CASES)
def test_a_part_is_judged_by_what_is_known(
    changes: dict[str, Any], name: str, level: Level, text: str, advice: str
) -> None:
    line = worst_of(name, lines_of(replace(FINE, **changes)))
    assert line.level is level
    assert text in line.text
    assert advice in line.advice
    assert bool(line.advice) == bool(advice)


def test_a_system_that_is_fine_needs_nobody() -> None:
    lines = lines_of(FINE)
    assert [line.name for line in lines] == [
        *("mode", "account", "sweep", "coverage", "plans"),
        *("queues", "dead letters", "alarms", "audit trail", "notifications"),
    ]
    assert (worst(lines), exit_code(lines)) == (Level.OK, 0)


EXITS: list[tuple[dict[str, Any], Level, int]] = [
    ({"mode": REFUSED}, Level.UNKNOWN, 3),
    ({"mode": REFUSED, "sweep": None}, Level.WARN, 1),
    ({"coverage": Coverage(), "sweep": None}, Level.BAD, 1),
]


@pytest.mark.parametrize(("changes", "level", "code"), EXITS)
def test_the_exit_code_says_whether_a_person_is_needed(changes: dict[str, Any], level: Level, code: int) -> None:
    lines = lines_of(replace(FINE, **changes))
    assert (worst(lines), exit_code(lines)) == (level, code)


def test_every_part_may_be_unreadable_and_hides_no_other() -> None:
    parts = ("mode", "trend", "sweep", "coverage", "queues", "alarms", "plans", "anchor", "kept")
    unreadable: dict[str, Any] = dict.fromkeys(parts, REFUSED)
    lines = lines_of(replace(FINE, **unreadable))
    assert {line.level for line in lines} == {Level.UNKNOWN}
    assert len(lines) == len(parts)


def test_machines_get_the_numbers() -> None:
    answer = value_of(FINE, lines_of(FINE))
    parts = {part["name"]: part for part in answer["parts"]}
    assert (answer["level"], answer["account_id"], answer["at"]) == ("ok", ACCOUNT, "2026-03-01T12:00:00Z")
    assert parts["mode"]["values"] == {"mode": "approve", "kill_switch": False}
    assert parts["account"]["values"]["change_7_days"] == pytest.approx(-6.4)
    assert parts["sweep"]["values"]["finished_at"] == "2026-03-01T11:00:00Z"
    assert parts["coverage"]["values"]["gaps"] == []
    assert parts["queues"]["values"] == {"leastwise-usage": {"waiting": 3, "in_work": 1, "delayed": 2}}
    assert parts["audit trail"]["advice"] is None


AT_80 = """\
leastwise in account 123456789012, us-east-1: Somebody has to mend it.
 !  mode           off: the kill switch is on, and nothing is changed in IAM
                   -> once it is safe, set the parameter /leastwise/mode to
                   observe, approve or auto
ok  account        PCI 42, medium, -6 in 7 days
ok  sweep          finished 1 hour ago, took 32 s: 412 identities, 0 failures
ok  coverage       90 of 90 days observed by eventbridge, 1 region, reads
                   recorded
ok  plans          0 proposed, 4 in force (1 watched)
ok  queues         3 messages waiting, 1 in work, 2 for later, in 1 queue
ok  dead letters   1 queue, all empty
!!  alarms         lw\\x1b[2J rings since 1 hour
                   -> Look.
 ?  audit trail    not readable: needs s3:ListBucketVersions
                   -> denied
ok  notifications  none waits
"""


def test_people_see_a_row_for_each_part(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("cli.terminal.PIPED_WIDTH", 80)
    rings = (Alarm("lw\x1b[2J", NOW - HOUR, "Look."),)
    facts = replace(FINE, mode=Mode.OFF, alarms=rings, anchor=NotRead("denied", "s3:ListBucketVersions"))
    show(facts, lines_of(facts))
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == AT_80.splitlines()


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (-DAY, "less than a minute"),
        (HOUR - timedelta(seconds=1), "59 minutes"),
        (25 * HOUR, "1 day"),
    ],
)
def test_a_span_is_told_in_its_largest_unit(span: timedelta, words: str) -> None:
    assert told(span) == words
