"""What the audit commands read and show, without a stack: times, choices, cells, charts, words."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.auditing.chart import chart_of, segments, value_ticks
from cli.auditing.choices import type_of, types_like, verdict_of, verdicts_like
from cli.auditing.entry_output import FORMULA, cell_of, put_csv, put_json
from cli.auditing.pages import Page, Wanted
from cli.auditing.times import Range, range_of
from cli.auditing.trends import Limit, Trend
from cli.auditing.verification import Verification, overdue_anchor
from cli.auditing.verification_answer import MOST_FAULTS, answer_of, sentences
from services.auditor.core import entry_of
from services.auditor.verifying import TrailReport
from shared.aws.audit_table import AuditTable
from shared.events import EVENT_TYPES
from shared.model.anchor import FaultKind, TrailFault
from shared.model.audit import AuditEntry
from shared.model.trend import Reading, TrendPoint
from tests.builders import ACCOUNT, NOW, scored

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)

TIMES: list[tuple[str | None, str | None, Range]] = [
    (None, None, Range()),
    ("7d", None, Range(NOW - timedelta(days=7))),
    ("90m", "1h", Range(NOW - timedelta(minutes=90), NOW - timedelta(hours=1))),
    ("2w", "2026-03-01", Range(NOW - timedelta(weeks=2), MIDNIGHT + timedelta(days=1))),
    ("2026-03-01", "2026-03-01", Range(MIDNIGHT, MIDNIGHT + timedelta(days=1))),
    ("2026-03-01T01:00:00+01:00", "2026-03-01T00:00:01Z", Range(MIDNIGHT, MIDNIGHT + timedelta(seconds=1))),
]


@pytest.mark.parametrize(("since", "until", "expected"), TIMES)
def test_times_are_days_moments_or_how_long_ago(since: str | None, until: str | None, expected: Range) -> None:
    assert range_of(since, until, now=NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "d", "-1d", "1.5d", "7D", "7 d", "٣d", "999999w", "2026-13-01", "9999-12-31x", "now"]
)
@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_time_is_refused_by_its_option(text: str, option: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time such as") as refused:
        range_of(*((text, None) if option == "--since" else (None, text)), now=NOW)
    assert refused.value.param_hint == option


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        since = range_of(text, None, now=NOW).since
    except typer.BadParameter:
        return
    assert since is not None
    assert since.tzinfo is UTC


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_each_type_is_known_in_any_case_and_completed(name: str) -> None:
    dashed = "".join(f"-{char.lower()}" if char.isupper() else char for char in name).removeprefix("-")
    assert type_of(name) == type_of(name.lower()) == type_of(dashed) == name
    assert name in types_like(name[:3].lower())


def test_what_is_no_choice_is_refused_with_near_ones() -> None:
    with pytest.raises(typer.BadParameter, match="'PolicyAply' is no type of event; perhaps PolicyApplied"):
        type_of("PolicyAply")
    with pytest.raises(typer.BadParameter, match="perhaps COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE"):
        verdict_of("?")
    assert verdict_of("non-compliant") == "NON_COMPLIANT"
    assert verdicts_like("no") == ["NON_COMPLIANT", "NOT_APPLICABLE"]


@settings(deadline=None)
@given(st.sampled_from(["", *FORMULA, " ", "a"]).flatmap(lambda start: st.text().map(lambda rest: start + rest)))
def test_no_cell_begins_as_a_formula_and_all_are_printable(text: str) -> None:
    cell = cell_of(text)
    assert isinstance(cell, str)
    assert not cell.startswith(FORMULA)
    assert cell.isprintable()
    assert text.startswith(FORMULA) or not text.isprintable() or cell == text


def test_cells_that_are_no_text_stay() -> None:
    assert [cell_of(value) for value in (None, 1, 70.5)] == ["", 1, 70.5]


def points(*days_and_values: tuple[int, float]) -> tuple[TrendPoint, ...]:
    start = datetime(2026, 1, 1, 6, tzinfo=UTC)
    return tuple(
        TrendPoint.of(Reading(at=start + timedelta(days=days), pci=pci, granted=1, unused=1))
        for days, pci in days_and_values
    )


def drawn(
    *days_and_values: tuple[int, float], encoding: str = "utf-8", width: int = 80, in_colour: bool = False
) -> str:
    found = points(*days_and_values)
    trend = Trend("123456789012", None, date(2026, 1, 1), date(2026, 3, 1), Limit(60.0, "threshold"), found)
    return chart_of(trend, width, encoding=encoding, in_colour=in_colour)


def test_a_chart_shows_limits_days_and_values_in_the_width_that_there_is() -> None:
    chart = drawn(*((day, 20.0 + day) for day in range(60)))
    lines = chart.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in chart
    assert any(line.lstrip().startswith("60") and "┈" in line for line in lines)
    assert lines[-1].split()[0] == "2026-01-01"
    assert lines[-1].split()[-1] == "2026-03-01"


def test_a_chart_has_colours_only_where_they_are_wanted() -> None:
    coloured = drawn((0, 20.0), (1, 90.0), in_colour=True)
    assert "\x1b[38;5;1m┈" in coloured
    assert "\x1b[48" not in coloured, "the terminal's own background stays"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_chart_falls_back_to_characters_that_the_encoding_has(encoding: str) -> None:
    chart = drawn((0, 20.0), (1, 30.0), (2, 90.0), encoding=encoding)
    assert chart.isascii()
    assert "*" in chart


@pytest.mark.parametrize("width", [10, 20, 40, 200])
def test_a_chart_of_two_days_is_drawn_in_any_width(width: int) -> None:
    assert drawn((0, 0.0), (1, 100.0), width=width)


def test_a_line_ends_where_days_are_missing() -> None:
    rows = segments(points((0, 1.0), (1, 2.0), (4, 3.0), (6, 4.0), (7, 5.0)))
    assert [[point.last.pci for point in row] for row in rows] == [[1.0, 2.0], [3.0], [4.0, 5.0]]
    assert list(segments(())) == []


@pytest.mark.parametrize(
    ("limit", "ticks"),
    [
        (None, [0, 25, 50, 75, 100]),
        (60.0, [0, 25, 50, 60, 75, 100]),
        (68.0, [0, 25, 50, 68, 100]),
        (100.0, [0, 25, 50, 75, 100]),
    ],
)
def test_the_limit_is_named_beside_the_chart(limit: float | None, ticks: list[float]) -> None:
    assert value_ticks(limit) == ticks


def verification(*faults: TrailFault, unanchored: int = 0, entries: int = 1) -> Verification:
    report = TrailReport(entries, 1, 2, unanchored, NOW, signed=False, faults=faults)
    return Verification("123456789012", report, (), NOW, NOW)


def test_of_many_faults_people_see_the_first_and_machines_all() -> None:
    faults = [
        TrailFault(chain=f"c/{number}", kind=FaultKind.EDITED, sequence=1, message=f"c/{number} #1: edited")
        for number in range(MOST_FAULTS + 7)
    ]
    text = "\n".join(sentences(verification(*faults)))
    assert "57 faults" in text
    assert "and 7 more: --json has all" in text
    assert f"c/{MOST_FAULTS} " not in text
    assert len(answer_of(verification(*faults))["faults"]) == 57


def test_one_entry_is_told_as_one() -> None:
    text = "\n".join(sentences(verification(unanchored=1)))
    assert (
        "Verified: 1 good entry in 1 chain, recorded since 2026-03-01 12:00:00 UTC; 2 good anchors, not signed." in text
    )
    assert "1 entry is newer than the newest anchor" in text


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("anchored_at", "recorded_from", "patience", "complaint"),
    [
        (None, None, HOUR, None),
        (NOW - HOUR, None, HOUR, None),
        (NOW - 2 * HOUR, NOW - 9 * HOUR, HOUR, "the newest anchor is of 2026-03-01 10:00:00 UTC"),
        (None, NOW - HOUR / 2, HOUR, None),
        (None, NOW - 2 * HOUR, HOUR, "no anchor covers the trail"),
    ],
)
def test_an_anchor_is_overdue_by_the_schedule(
    anchored_at: datetime | None, recorded_from: datetime | None, patience: timedelta, complaint: str | None
) -> None:
    found = overdue_anchor(anchored_at, recorded_from, patience=patience, now=NOW)
    assert found is None if complaint is None else found is not None and complaint in found


class Trail(AuditTable):
    """Many entries, made as they are read; notes how many lines had been written by then."""

    def __init__(self, length: int, written: io.StringIO) -> None:
        self._length = length
        self._written = written
        self.lines: list[int] = []

    def of_account(self, account_id: str, **_: object) -> Iterator[AuditEntry]:
        """So many entries, of a second each."""
        for number in range(self._length):
            self.lines.append(self._written.getvalue().count("\n"))
            made = entry_of(scored(), None, now=NOW)
            yield made.model_copy(update={"event_id": str(number), "occurred_at": NOW - timedelta(seconds=number)})


@pytest.mark.parametrize("put", [put_json, put_csv])
def test_entries_are_written_while_they_are_read(put: Callable[[Page], None], monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    trail = Trail(50, written)
    put(Page(trail, Wanted(ACCOUNT), 50))
    assert trail.lines[2:] == list(range(trail.lines[2], trail.lines[2] + 48))
