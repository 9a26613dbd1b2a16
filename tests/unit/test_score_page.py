"""Holds docs/score.md to itself: whoever redoes its example with its own tables gets its numbers, and so on."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import pytest

from infra.build.template import ROOT
from infra.docs.generate import BLOCK, documents
from infra.docs.judged_account import JUDGED
from infra.docs.scores import MANAGED_TARGETS, SINGLE_TARGETS, TOLERANCE
from shared.knowledge import load_catalogue
from shared.model.score import RiskClass
from shared.pci.reach.reaches import reach_of_pattern

PAGE = (ROOT / "docs" / "score.md").read_text(encoding="utf-8")
BLOCKS = {match["name"]: match[0] for match in BLOCK.finditer(PAGE)}
Row = Mapping[str, str]


def tables(block: str) -> list[list[Row]]:
    """The tables of a generated block: a list of rows each, cells by their column's title, code marks left out."""
    found: list[list[Row]] = []
    for text in re.findall(r"^\|.*?(?=\n\n|\n<!--)", BLOCKS[block], re.MULTILINE | re.DOTALL):
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()]
        found.append([dict(zip(head, (cell.replace("`", "") for cell in row), strict=True)) for row in rows])
    return found


def reach_by_the_page(statement: Mapping[str, Any]) -> float:
    everything, pattern, one, condition = (row["ρ"] for row in tables("reaches")[0])
    resource = statement["Resource"]
    reach = float(everything if resource == "*" else pattern if "*" in resource else one)
    return reach * float(condition.removeprefix("× ")) if "Condition" in statement else reach


def chance_by_the_page(mass: float, kind: str) -> float:
    (row,) = (row for row in tables("classes")[0] if row["class"] == kind)
    gamma = float(re.findall(r"γ = ([\d.]+)", BLOCKS["classes"])[0])
    return float(row["α"]) * (1 - math.exp(-((mass / float(row["κ"])) ** gamma)))


@pytest.mark.parametrize("name", ["account", "bands", "calibration", "classes", "example", "reaches"])
def test_given_a_table_of_the_score_when_the_documents_are_read_then_it_is_on_this_page_alone(name: str) -> None:
    places = [
        path.name for path in documents() for found in BLOCK.finditer(path.read_text("utf-8")) if found["name"] == name
    ]
    assert places == ["score.md"]


def test_given_the_patterns_of_the_page_when_they_are_measured_then_they_reach_what_it_says() -> None:
    named = [(row["the statement's resource"].rpartition(": ")[2], float(row["ρ"])) for row in tables("reaches")[0][:3]]

    assert [reach for _, reach in named] == [reach_of_pattern(pattern) for pattern, _ in named]
    assert ("arn:aws:s3:::*", 0.3) in named


def test_given_the_example_when_its_reaches_are_looked_up_then_they_are_those_of_its_policy() -> None:
    policy = json.loads(re.findall(r"```json\n(.*?)```", BLOCKS["example"], re.DOTALL)[0])
    by_policy = {
        action: reach_by_the_page(statement)
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    unused = {row["unused permission"]: float(row["ρ"]) for row in tables("example")[0]}
    used = re.findall(r"`([a-z0-9]+:\w+)`", re.findall(r"used \d+ in the window: .*", BLOCKS["example"])[0])

    assert unused == {action: reach for action, reach in by_policy.items() if action not in used}
    assert len(unused) + len(used) == len(by_policy)


def test_given_the_example_when_its_arithmetic_is_redone_then_the_score_is_the_page_s() -> None:
    unused, by_class = tables("example")
    survival = 1.0
    for row in by_class:
        mass = math.fsum(float(one["ρ"]) for one in unused if one["class"] == row["class"])
        chance = chance_by_the_page(mass, row["class"])
        assert mass == pytest.approx(float(row["m = Σ ρ"]))
        assert chance == pytest.approx(float(row["s = α · (1 − exp(−(m / κ)^γ))"]), abs=1e-6)
        survival *= 1 - chance
    (pci, shown, band) = re.findall(r"= \*\*([\d.]+)\*\*, which is shown as (\d+): (\w+)\.", BLOCKS["example"])[0]

    assert {row["class"] for row in unused} == {row["class"] for row in by_class}
    assert 100 * (1 - survival) == pytest.approx(float(pci), abs=0.005)
    (row,) = (row for row in tables("bands")[0] if row["band"] == band)
    least, most = map(int, row["PCI, rounded"].split("-"))
    assert least <= int(shown) <= most


def test_given_the_completed_path_when_it_is_redone_then_escalation_counts_with_its_worst() -> None:
    _, by_class = tables("example")
    others = [float(row["s = α · (1 − exp(−(m / κ)^γ))"]) for row in by_class if row["class"] != "escalation"]
    (worst, pci) = re.findall(r"counts with its α, ([\d.]+), and the PCI is \*\*([\d.]+)\*\*", BLOCKS["example"])[0]

    assert 100 * (1 - (1 - float(worst)) * math.prod(1 - one for one in others)) == pytest.approx(float(pci), abs=0.005)
    (row,) = (row for row in tables("classes")[0] if row["class"] == "escalation")
    assert worst == row["α"]


def test_given_the_classes_when_their_actions_are_counted_then_each_action_has_one() -> None:
    (rows,) = tables("classes")

    assert [row["class"] for row in rows] == [kind.value for kind in RiskClass]
    assert sum(int(row["actions"].replace(",", "")) for row in rows) == len(load_catalogue())


def test_given_the_calibration_when_it_is_read_then_every_policy_is_where_it_should_be() -> None:
    (rows,) = tables("calibration")
    by_name = {row["policy"]: row for row in rows}

    assert set(by_name) == {*MANAGED_TARGETS, *SINGLE_TARGETS}
    for name, expected in MANAGED_TARGETS.items():
        row = by_name[name]
        assert row["expected"] == str(expected)
        assert abs(float(row["PCI now"]) - expected) <= TOLERANCE, name
        assert float(row["difference"]) == pytest.approx(float(row["PCI now"]) - expected, abs=0.051)
    assert float(by_name["iam:AttachUserPolicy"]["PCI now"]) >= 68
    assert 0 < float(by_name["ec2:DescribeInstances"]["PCI now"]) < 1


def test_given_the_account_when_it_is_read_through_then_bands_that_differ_are_bold_and_counted() -> None:
    (rows,) = tables("account")
    agreed = [row for row in rows if row["band"] == row["by hand"]]

    assert [row["identity"] for row in rows] == [judged.name for judged in JUDGED]
    assert all(row["band"].startswith("**") for row in rows if row not in agreed)
    assert f"Of {len(rows)} that were judged by hand, {len(agreed)} are in the same band" in BLOCKS["account"]
