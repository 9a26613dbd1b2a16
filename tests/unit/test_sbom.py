"""The bill of materials of an artefact: valid CycloneDX, complete, and the same for the same bytes."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.build.sbom import content_digest, describe, main
from infra.build.wheels import BuildError

FACTS = {"one==1.0": "MIT", "two-parts==2.0": "BSD-3-Clause AND (Apache-2.0 OR BSD-3-Clause)"}
PROJECT = {"version": "0.1.0", "dependencies": ["one[extra]>=1,<2"]}
SUBJECT = "leastwise/UsageFunction@0.1.0"


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    """A function with two packages, the second needed by an extra of the first, and code of ours."""
    folder = tmp_path / "UsageFunction"
    install(folder, "one", "1.0", 'Requires-Dist: two_parts>=2 ; extra == "extra"', "Requires-Dist: absent")
    install(folder, "Two.Parts", "2.0")
    (folder / "shared").mkdir()
    (folder / "shared" / "code.py").write_text("A = 1\n", encoding="utf-8")
    return folder


def install(folder: Path, name: str, version: str, *lines: str) -> None:
    """Leave what pip leaves of a package."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, ""])
    (info / "METADATA").write_text(text, encoding="utf-8")


def described(artefact: Path) -> dict[str, Any]:
    """The bill of materials, parsed."""
    document: dict[str, Any] = json.loads(describe("UsageFunction", artefact, FACTS, PROJECT))
    return document


def test_it_is_valid_and_lists_every_package_with_its_licence(artefact: Path) -> None:
    text = describe("UsageFunction", artefact, FACTS, PROJECT)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert [(one["purl"], one["licenses"]) for one in json.loads(text)["components"]] == [
        ("pkg:pypi/one@1.0", [{"expression": "MIT"}]),
        ("pkg:pypi/two-parts@2.0", [{"expression": FACTS["two-parts==2.0"]}]),
    ]


def test_it_says_what_needs_what_also_by_an_extra(artefact: Path) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in described(artefact)["dependencies"]}

    assert needs == {
        SUBJECT: ["pkg:pypi/one@1.0"],
        "pkg:pypi/one@1.0": ["pkg:pypi/two-parts@2.0"],
        "pkg:pypi/two-parts@2.0": [],
    }


def test_the_same_artefact_gives_the_same_bytes_whenever_it_was_built(artefact: Path) -> None:
    first = describe("UsageFunction", artefact, FACTS, PROJECT)
    os.utime(artefact / "shared" / "code.py", (1, 1))

    assert describe("UsageFunction", artefact, FACTS, PROJECT) == first


@pytest.mark.parametrize("change", ["content", "name", "added"])
def test_another_artefact_has_another_digest_and_serial_number(artefact: Path, change: str) -> None:
    before, code = described(artefact), artefact / "shared" / "code.py"
    if change == "content":
        code.write_text("A = 2\n", encoding="utf-8")
    elif change == "name":
        code.rename(code.with_name("cod.py"))
    else:
        code.with_name("empty.py").touch()
    after = described(artefact)

    assert after["serialNumber"] != before["serialNumber"]
    assert after["metadata"]["component"]["properties"] == [
        {"name": "leastwise:content-sha256", "value": content_digest(artefact)}
    ]
    assert after["metadata"] != before["metadata"]


def test_two_functions_of_the_same_bytes_have_serial_numbers_of_their_own(artefact: Path) -> None:
    other = json.loads(describe("ScoreFunction", artefact, FACTS, PROJECT))

    assert other["serialNumber"] != described(artefact)["serialNumber"]


def test_a_package_whose_licence_nobody_looked_up_stops_the_build(artefact: Path) -> None:
    install(artefact, "three", "3.0")

    with pytest.raises(BuildError, match=r"three 3\.0 is built in, but its licence is unknown"):
        described(artefact)


TEMPLATE = """
Resources:
  UsageFunction: {Type: "AWS::Serverless::Function"}
  ScoreFunction: {Type: "AWS::Serverless::Function"}
"""


def test_every_function_of_the_template_is_described_and_one_that_was_not_built_is_an_error(
    artefact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "infra" / "build").mkdir(parents=True)
    (tmp_path / "infra" / "build" / "licences.json").write_text(json.dumps(FACTS), encoding="utf-8")
    (tmp_path / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    toml = '[project]\nversion = "0.1.0"\ndependencies = ["one[extra]>=1,<2"]\n'
    (tmp_path / "pyproject.toml").write_text(toml, encoding="utf-8")
    built = tmp_path / ".aws-sam" / "build"
    shutil.copytree(artefact, built / "UsageFunction")

    assert main([], root=tmp_path) == 1
    assert capsys.readouterr().err == "ScoreFunction was not built: run `make build`\n"

    shutil.copytree(artefact, built / "ScoreFunction")
    assert main([], root=tmp_path) == 0
    files = sorted((tmp_path / ".aws-sam" / "sbom").iterdir())
    assert [path.name for path in files] == ["ScoreFunction.cdx.json", "UsageFunction.cdx.json"]
    assert json.loads(files[1].read_text(encoding="utf-8")) == described(artefact)
