"""SECURITY.md speaks of every entrance of the templates, and every test that it names exists."""

import re
from pathlib import Path

import pytest

from infra.build.template import load_template
from tests.unit.test_fault_catalogue import functions_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.*) \|$", PAGE.partition("## Entrances")[2].partition("\n## ")[0], re.MULTILINE)[1:]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
ENTRANCES = {
    "AWS::Config::ConfigRule",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SSM::Document",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Function",
}


def entrances() -> list[str]:
    """Everything of the templates that somebody could write to, send to, invoke or switch off."""
    found = []
    for path in (ROOT / "template.yaml", *sorted((ROOT / "infra" / "sam").glob("*.yaml"))):
        resources = load_template(path)["Resources"]
        found += [name for name, body in resources.items() if body["Type"] in ENTRANCES]
    return found


@pytest.mark.parametrize("name", entrances())
def test_every_resource_that_somebody_could_come_in_by_has_its_row(name: str) -> None:
    assert [row for row in ROWS if f"`{name}`" in row], f"SECURITY.md says nothing of {name}"


def test_every_entrance_says_who_could_do_what_and_is_shown_by_a_test() -> None:
    assert len(ROWS) > 15
    wrong = [
        row[:60] for row in ROWS if len(cells := row.split(" | ")) != 5 or not all(cells) or "`tests/" not in cells[4]
    ]

    assert wrong == []


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: str(value).rsplit("/", 1)[-1])
def test_every_named_test_exists(path: str, name: str) -> None:
    assert name in functions_in(path)
