"""The report as a file: nothing that it shows can become markup, and what it says follows from what it was given."""

import base64
import dataclasses
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.reporting.details import details_of, index_of
from cli.reporting.heat_map import REACH_LABELS, UNUSED_LABELS, cell_of, heat_map
from cli.reporting.model import PolicyText, Report, ReportKind
from cli.reporting.priorities import WORST, decimals_of, left_of, origins_by_risk, origins_by_service, steps_of
from cli.reporting.render import render
from cli.reporting.trend import trend_of
from cli.reporting.words import policy_text, script_json, share
from shared.model.plan import PlanStatus
from tests.unit.report_samples import HOSTILE, empty_report, sample_report


class Outline(HTMLParser):
    """Elements of a page, and what its data elements hold."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data: list[str] = []
        self._in_data = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        self._in_data = tag == "script" and dict(attrs).get("type") == "application/json"

    def handle_endtag(self, tag: str) -> None:
        """Leave a data element."""
        self._in_data = False

    def handle_data(self, data: str) -> None:
        """Note a text."""
        (self.data if self._in_data else self.texts).append(data)

    def count(self, tag: str) -> int:
        """How many elements of a kind there are."""
        return sum(name == tag for name, _ in self.tags)


def kinds(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with the names of its attributes: what a page is made of, without what it says."""
    return [(tag, tuple(sorted(attributes))) for tag, attributes in Outline(page).tags]


def named(report: Report, name: str) -> Report:
    """The report with every text from outside replaced."""
    hostile = [
        dataclasses.replace(
            one,
            name=name,
            arn=name,
            identity_id=name,
            no_plan=name,
            outcome=name,
            plan=one.plan and dataclasses.replace(one.plan, diff=(name,), policies=(PolicyText(name, name),)),
            history=tuple(dataclasses.replace(entry, summary=name) for entry in one.history),
            services=tuple(dataclasses.replace(service, service=name) for service in one.services[:1]),
            parts=tuple(dataclasses.replace(part, examples=(name,)) for part in one.parts),
        )
        for one in report.identities
    ]
    return dataclasses.replace(
        report, identities=tuple(hostile), warnings=(name,), errors=(name,), facts=((name, name),)
    )


SMALL = sample_report(6)
PLAIN = kinds(render(named(SMALL, "harmless")))


# ---- texts from outside


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_given_a_hostile_name_when_it_is_everywhere_then_the_page_is_made_of_the_same_elements(name: str) -> None:
    page = render(named(SMALL, name))
    assert kinds(page) == PLAIN
    assert page.encode()


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=60)
def test_given_any_name_when_it_is_everywhere_then_the_page_is_made_of_the_same_elements(name: str) -> None:
    assert kinds(render(named(SMALL, name))) == PLAIN


@given(st.text())
@settings(deadline=None)
def test_given_any_text_when_written_as_script_data_then_nothing_in_it_ends_the_element_and_it_reads_back(
    text: str,
) -> None:
    written = script_json({"text": text})
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == {"text": text}


@given(st.text())
@settings(deadline=None)
def test_given_a_policy_with_invisible_characters_when_shown_then_they_are_seen_and_the_copy_means_the_same(
    text: str,
) -> None:
    shown = policy_text(json.dumps({"Sid": text}, ensure_ascii=False, indent=1))
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == {"Sid": text}


def test_given_marks_of_direction_when_rendered_then_none_is_in_the_page() -> None:
    page = render(named(SMALL, "ab\u202ecd\u2066ef\x00\x1b"))
    assert not set(page) & set("\u202e\u2066\x00\x1b")
    assert "ab\\u202ecd" in page


def test_given_a_name_of_ten_thousand_characters_when_rendered_then_it_is_cut() -> None:
    assert "x" * 2_001 not in render(named(SMALL, "x" * 10_000))


# ---- self-contained


def test_given_a_page_when_read_then_it_names_nothing_to_load_and_allows_only_its_own_style_and_script() -> None:
    page = render(SMALL)
    outline = Outline(page)
    assert not {tag for tag, _ in outline.tags} & {"link", "img", "iframe", "object", "embed", "base", "form"}
    assert not any({"src", "style", "onclick", "onload"} & attributes.keys() for _, attributes in outline.tags)
    assert all(str(attributes["href"]).startswith("#") for _, attributes in outline.tags if "href" in attributes)
    policy = next(str(one["content"]) for tag, one in outline.tags if tag == "meta" and "http-equiv" in one)
    style, script = (
        re.search(r"<style>(.*?)</style>", page, re.DOTALL),
        re.search(r"<script>(.*?)</script>", page, re.DOTALL),
    )
    assert style
    assert script
    for kind, text in (("style", style[1]), ("script", script[1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_given_the_same_report_when_rendered_twice_then_the_pages_are_the_same() -> None:
    assert render(sample_report(6)) == render(sample_report(6))


def test_given_a_page_when_it_has_no_script_then_every_identity_stands_in_its_table() -> None:
    report = sample_report(40)
    outline = Outline(render(report))
    assert sum("row" in (one.get("class") or "").split() for _, one in outline.tags) == 41  # with the head
    assert {one.name for one in report.identities} <= set(outline.texts)


# ---- numbers


@pytest.mark.parametrize(
    ("field", "value"),
    [("account_pci", math.nan), ("account_pci", 100.5), ("threshold", math.inf), ("account_pci_before", -1.0)],
)
def test_given_a_number_that_is_none_when_rendered_then_it_is_refused(field: str, value: float) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=field):
        render(dataclasses.replace(SMALL, **changed))


@pytest.mark.parametrize(("field", "value"), [("pci", math.nan), ("pci", -0.1), ("reach", 1.2), ("unused", -3)])
def test_given_an_identity_with_a_number_that_is_none_when_rendered_then_its_place_is_named(
    field: str, value: float
) -> None:
    changed: dict[str, Any] = {field: value}
    second = dataclasses.replace(SMALL.identities[1], **changed)
    with pytest.raises(ValueError, match=rf"identities\[1\]\.{field}"):
        render(dataclasses.replace(SMALL, identities=(SMALL.identities[0], second)))


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0%"), (0.004, "<1%"), (0.01, "1%"), (0.5, "50%"), (0.994, ">99%"), (1, "100%")]
)
def test_given_a_share_when_told_then_only_nothing_and_all_are_0_and_100(value: float, told: str) -> None:
    assert share(value) == told


# ---- what it says


def test_given_an_empty_report_when_rendered_then_it_says_so() -> None:
    page = render(empty_report())
    assert "No identity is in this report." in page
    assert "No day is recorded yet." in page
    assert 'class="map"' not in page


def test_given_a_demonstration_when_rendered_then_its_claims_and_the_pci_before_are_told() -> None:
    report = sample_report(3, kind=ReportKind.DEMONSTRATION, days=0)
    page = render(report)
    assert all(claim.text in page for claim in report.claims)
    assert page.count(">held</strong>") == 2
    assert page.count(">failed</strong>") == 1
    assert f"{report.account_pci_before:.1f}" in page


def test_given_plans_when_steps_are_made_then_each_lowers_the_account_to_its_root_mean_square() -> None:
    report = sample_report(60)
    pcis = {place: one.pci for place, one in enumerate(report.identities) if one.exempt is None}
    steps = steps_of(report)
    assert len(steps) > 3
    before = report.account_pci
    falls = []
    for step in steps:
        pcis[step.place] = step.pci_after
        assert step.account_after == pytest.approx(math.sqrt(sum(pci**2 for pci in pcis.values()) / len(pcis)))
        falls.append(before**2 - step.account_after**2)
        before = step.account_after
    assert falls == sorted(falls, reverse=True)


@pytest.mark.parametrize(
    ("account", "after", "decimals"),
    [(52.0, [51.9, 51.8], 1), (52.0, [51.96, 51.92, 51.88], 2), (52.0, [51.0, 50.97], 2), (52.0, [], 1)],
)
def test_given_steps_that_would_look_alike_when_told_then_they_have_two_decimals(
    account: float, after: list[float], decimals: int
) -> None:
    assert decimals_of(account, after) == decimals


def test_given_many_identities_when_rendered_then_no_step_looks_like_the_one_before() -> None:
    page = render(sample_report(1200, days=0))
    steps = page[page.index("What to do first") : page.index("Where the risk comes from")]
    told = re.findall(r'<td class="n">([0-9.]+)</td></tr>', steps)
    assert len(told) == len(set(told)) == 10


def over_without_a_plan(report: Report, **changes: Any) -> Report:
    ones = (dataclasses.replace(one, plan=None, **changes) for one in report.identities)
    return dataclasses.replace(report, identities=tuple(ones))


def test_given_the_worst_without_a_plan_when_rendered_then_they_are_named_with_the_reason_and_the_others_counted() -> (
    None
):
    report = over_without_a_plan(sample_report(60), no_plan="no use was recorded")
    over = [one for one in report.identities if one.compliance == "NON_COMPLIANT"]
    left = left_of(report)
    assert [report.identities[one.place] for one in left] == over
    assert {one.why for one in left} == {"no use was recorded"}
    page = render(report)
    assert f"{len(over)} over the threshold have no plan and need a person:" in page
    for one in over[:WORST]:
        assert f'<a href="#{one.identity_id}"><bdi>{one.name}</bdi></a>, PCI {one.pci:.1f}: no use was recorded' in page
    assert f"and {len(over) - WORST} more" in page
    assert "No plan waits that would lower" in page


def test_given_everyone_with_a_plan_or_within_when_rendered_then_nobody_needs_a_person() -> None:
    within = over_without_a_plan(sample_report(20), compliance="COMPLIANT")
    assert left_of(within) == ()
    assert "a person:" not in render(within)
    assert left_of(over_without_a_plan(sample_report(20), exempt="break glass")) == ()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (PlanStatus.SKIPPED, "its plan {} is skipped: Used once by the quarterly job: kept."),
        (PlanStatus.APPLIED, "its plan {} is applied: Used once by the quarterly job: kept."),
        (PlanStatus.PROPOSED, None),
        (PlanStatus.APPLYING, None),
        (PlanStatus.ROLLING_BACK, None),
    ],
)
def test_given_a_plan_that_is_over_when_somebody_is_still_over_the_threshold_then_a_person_is_needed(
    status: PlanStatus, why: str | None
) -> None:
    one = next(one for one in sample_report(60).identities if one.plan)
    assert one.plan
    changed = dataclasses.replace(one, plan=dataclasses.replace(one.plan, status=status))
    told = [left.why for left in left_of(dataclasses.replace(SMALL, identities=(changed,)))]
    assert told == ([why.format(one.plan.plan_id)] if why else [])


@pytest.mark.parametrize(
    ("days", "told"), [(1, "rests on 1 observed day"), (29, "rests on 29 observed days"), (30, ""), (None, "")]
)
def test_given_a_plan_that_rests_on_few_days_when_shown_then_that_is_said(days: int | None, told: str) -> None:
    one = next(one for one in sample_report(60).identities if one.plan and one.plan.status == "PROPOSED")
    assert one.plan
    changed = dataclasses.replace(one, plan=dataclasses.replace(one.plan, observed_days=days))
    assert details_of(changed)["plan"]["rests"] == told
    page = render(dataclasses.replace(SMALL, identities=(changed,)))
    assert page.count('<small class="soft">rests on') == (1 if told else 0)


def test_given_the_exempt_when_rendered_then_they_are_in_no_figure_and_not_on_the_map() -> None:
    report = sample_report(60)
    exempt = next(one for one in report.identities if one.exempt is None)
    ones = [dataclasses.replace(one, exempt="x") if one is exempt else one for one in report.identities]
    counted = [one for one in ones if one.exempt is None]
    page = render(dataclasses.replace(report, identities=tuple(ones), excluded=60 - len(counted)))
    tiles = dict(re.findall(r"<dt>(.*?)</dt><dd><b>(.*?)</b>", page))
    assert tiles["Identities"] == str(len(counted))
    assert tiles["Unused permissions"] == f"{sum(one.unused for one in counted):,}"
    assert tiles["Over the threshold"] == str(sum(one.compliance == "NON_COMPLIANT" for one in counted))
    assert f"of {len(counted)}, at a PCI of 60 or more" in page
    marks = re.findall(r'</svg><span aria-hidden="true">([0-9,]+)</span></button>', page)
    assert sum(map(int, marks)) == len(counted)
    assert [index_of(one)[6] == -1 for one in ones] == [one.exempt is not None for one in ones]


@pytest.mark.parametrize("status", [one for one in PlanStatus if one is not PlanStatus.PROPOSED])
def test_given_a_plan_that_is_past_when_rendered_then_it_is_no_step(status: PlanStatus) -> None:
    ones = tuple(
        dataclasses.replace(one, plan=one.plan and dataclasses.replace(one.plan, status=status))
        for one in sample_report(60).identities
    )
    assert steps_of(dataclasses.replace(SMALL, identities=ones)) == ()


def test_given_identities_when_risk_is_shared_out_then_the_shares_are_all_of_it_and_the_exempt_have_none() -> None:
    report = sample_report(60)
    for origins in (origins_by_risk(report.identities), origins_by_service(report.identities)):
        assert sum(one.share for one in origins) <= 1 + 1e-9
        assert [one.share for one in origins] == sorted((one.share for one in origins), reverse=True)
    assert sum(one.share for one in origins_by_risk(report.identities)) == pytest.approx(1)
    exempt = tuple(dataclasses.replace(one, exempt="break glass") for one in report.identities)
    assert origins_by_risk(exempt) == origins_by_service(exempt) == ()


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0, 1))
@settings(deadline=None)
def test_given_any_identity_when_placed_then_it_is_in_exactly_one_cell_of_the_map(
    unused: int, used: int, reach: float
) -> None:
    one = dataclasses.replace(SMALL.identities[0], granted=unused + used, unused=unused, used=used, reach=reach)
    cells = [cell for row in heat_map([one]) for cell in row.cells if cell]
    assert [(cell.key, cell.identities) for cell in cells] == [(cell_of(one), 1)]
    assert 0 <= cells[0].key < len(UNUSED_LABELS) * len(REACH_LABELS)


def test_given_identities_at_one_place_when_mapped_then_the_cell_counts_them_by_band() -> None:
    report = sample_report(200)
    cells = [cell for row in heat_map(report.identities) for cell in row.cells if cell]
    assert sum(cell.identities for cell in cells) == 200
    for cell in cells:
        assert sum(piece.height for piece in cell.pieces) == pytest.approx(cell.pieces[0].width, abs=0.05)
    assert max(cell.pieces[0].width for cell in cells) == 48


def test_given_the_widest_reach_and_everything_unused_when_mapped_then_it_stands_at_the_top_right() -> None:
    worst = dataclasses.replace(SMALL.identities[0], granted=10, unused=10, used=0, reach=1.0)
    assert heat_map([worst])[0].cells[-1] is not None


@pytest.mark.parametrize(("days", "expected"), [(0, False), (1, True), (60, True)])
def test_given_few_days_when_the_trend_is_drawn_then_one_makes_no_line(*, days: int, expected: bool) -> None:
    assert (trend_of(sample_report(1, days=days).trend) is not None) is expected


def test_given_days_out_of_order_when_the_trend_is_drawn_then_it_runs_from_the_first_to_the_last() -> None:
    values = sample_report(1, days=10).trend
    trend = trend_of(tuple(reversed(values)))
    assert trend is not None
    assert (trend.first, trend.last) == (values[0], values[-1])
    [line] = trend.lines
    assert line.startswith("0.00,")
    assert line.split()[-1].startswith("100.00,")


def test_given_days_without_a_score_when_the_trend_is_drawn_then_nothing_bridges_them_and_they_are_counted() -> None:
    values = sample_report(1, days=10).trend
    known = tuple(values[place] for place in (0, 1, 2, 5, 9, 10))
    trend = trend_of(known)
    assert trend is not None
    assert [len(line.split()) for line in trend.lines] == [3, 2, 2]  # the day by itself is a line to itself
    assert len(set(trend.lines[1].split())) == 1
    assert trend.missing == 5
    page = render(dataclasses.replace(SMALL, trend=known))
    assert page.count("<polyline points=") == 3
    assert "5 days without a score" in page
    assert "days without a score" not in render(dataclasses.replace(SMALL, trend=values))


@pytest.mark.parametrize(("alarm", "lines"), [(None, 0), (0.0, 0), (68.0, 1), (100.0, 0)])
def test_given_the_alarm_of_the_account_when_the_trend_is_drawn_then_the_line_is_its_and_no_identitys(
    alarm: float | None, lines: int
) -> None:
    page = render(dataclasses.replace(SMALL, account_alarm=alarm))
    assert page.count('<line class="threshold"') == page.count("alarm of the account") == lines
    assert "threshold of an identity" not in page


# ---- data of the script


def test_given_a_report_when_rendered_then_the_index_and_details_are_in_the_order_of_the_rows() -> None:
    report = sample_report(12)
    index, *details = map(json.loads, Outline(render(report)).data)
    assert [row[0] for row in index] == [one.identity_id for one in report.identities]
    assert [one["id"] for one in details] == [one.identity_id for one in report.identities]


def test_given_an_identity_when_its_details_are_made_then_nothing_is_lost() -> None:
    one = next(one for one in sample_report(60).identities if one.plan)
    found = details_of(one)
    assert one.plan
    assert found["plan"]["diff"].split("\n") == list(one.plan.diff)
    assert found["plan"]["policies"] == [[policy.name, policy.text] for policy in one.plan.policies]
    assert len(found["history"]) == len(one.history)
    assert len(found["trend"]) == len(one.trend) + 1
    assert sum(service[4] for service in found["services"]) == one.granted
    assert [part[0].replace(" ", "_") for part in found["parts"]] == [part.risk for part in one.parts]
    assert index_of(one)[7] == pytest.approx(one.pci, abs=1e-4)
