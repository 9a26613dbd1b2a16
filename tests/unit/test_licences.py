"""Every package that is pinned anywhere has a licence that somebody looked up and that we take."""

from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from infra.build.licences import Standing, judge, load_facts, pins
from infra.build.read_licences import UnknownLicenceError, installed, licence_of
from infra.docs.licences import licences

ROOT = Path(__file__).parents[2]


def test_every_pin_of_every_lock_has_its_licence_and_nothing_else_does() -> None:
    assert set(load_facts()) == set(pins()), "run .venv/bin/python -m infra.build.read_licences"


def test_every_licence_is_one_that_we_take() -> None:
    others = {pin: text for pin, text in load_facts().items() if judge(text) is not Standing.PERMITTED}

    assert others == {}


def test_what_is_installed_says_what_is_on_record() -> None:
    facts = load_facts()
    known = {pin: one for pin, one in installed().items() if pin in facts}

    assert len(known) > 50
    assert {pin: licence_of(one) for pin, one in known.items()} == {pin: facts[pin] for pin in known}


def test_every_lock_is_read() -> None:
    """A new environment comes with a file of requirements, which no list of ours could forget."""
    files = {path.relative_to(ROOT).as_posix() for name in ("infra", "benchmarks") for path in lock_files(ROOT / name)}
    places = {place for found in pins().values() for place in found}

    assert len(files) > 4
    assert places == files | {"functions", "command", "development"}


def lock_files(folder: Path) -> list[Path]:
    """Files with pins and hashes."""
    return [path for path in folder.rglob("*.txt") if "--hash=sha256:" in path.read_text(encoding="utf-8")]


def test_what_the_functions_need_is_what_their_requirements_pin() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    exported = {line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}

    assert {pin for pin, places in pins().items() if "functions" in places} == exported


@pytest.mark.parametrize(
    ("expression", "standing"),
    [
        ("MIT", Standing.PERMITTED),
        ("mit", Standing.PERMITTED),
        ("Apache-2.0 AND CNRI-Python", Standing.PERMITTED),
        ("Artistic-1.0-Perl OR GPL-2.0-or-later", Standing.PERMITTED),
        ("MPL-2.0 AND (Apache-2.0 OR AGPL-3.0-only)", Standing.PERMITTED),
        ("GPL-3.0-only", Standing.COPYLEFT),
        ("GPL-2.0-only WITH Classpath-exception-2.0", Standing.COPYLEFT),
        ("LGPL-2.1-or-later", Standing.COPYLEFT),
        ("AGPL-3.0-or-later OR SSPL-1.0", Standing.COPYLEFT),
        ("MIT AND AGPL-3.0-only", Standing.COPYLEFT),
        ("MIT AND CC-BY-4.0", Standing.UNKNOWN),
        ("BUSL-1.1", Standing.UNKNOWN),
        ("GPL-3.0-only OR BUSL-1.1", Standing.UNKNOWN),
        ("Dual License", Standing.UNKNOWN),
        ("MIT OR", Standing.UNKNOWN),
        ("", Standing.UNKNOWN),
    ],
)
def test_a_licence_is_taken_only_where_it_is_known_to_bind_nobody(expression: str, standing: Standing) -> None:
    assert judge(expression) is standing


def a_package(folder: Path, *lines: str, name: str = "plain") -> Distribution:
    """An installed package with these lines of metadata."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""])
    (info / "METADATA").write_text(text, encoding="utf-8")
    return PathDistribution(info)


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: whatever"], "MIT OR Apache-2.0"),
        (["License: Apache License 2.0"], "Apache-2.0"),
        (["License: see file", "Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["License-Expression: GPL-3.0-only", "Classifier: License :: OSI Approved :: MIT License"], "GPL-3.0-only"),
    ],
    ids=["expression", "text", "classifier", "the expression outweighs a classifier"],
)
def test_a_package_is_asked_in_the_order_in_which_it_is_exact(tmp_path: Path, lines: list[str], licence: str) -> None:
    assert licence_of(a_package(tmp_path, *lines)) == licence


@pytest.mark.parametrize(
    "lines", [[], ["License: BSD"], ["Classifier: License :: OSI Approved :: BSD License"], ["License: Proprietary"]]
)
def test_a_package_that_does_not_say_exactly_is_named(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(UnknownLicenceError, match=r"^plain: "):
        licence_of(a_package(tmp_path, *lines))


def test_a_package_that_may_be_taken_under_either_licence_is_read_by_hand(tmp_path: Path) -> None:
    told = licence_of(a_package(tmp_path, "License: Artistic License", name="text-unidecode"))

    assert told == "Artistic-1.0-Perl OR GPL-2.0-or-later"


def test_the_page_has_a_row_for_each_package_and_counts_what_is_shipped() -> None:
    facts = {"a==1": "MIT", "a==2": "MIT", "b==1": "ISC"}
    places = {
        "a==1": ("functions",),
        "a==2": ("infra/local/requirements.txt",),
        "b==1": ("x.txt",),
        "c==1": ("command",),
    }

    assert licences(facts, places)[2:5] == ["| `ISC` | 0 | 1 |", "| `MIT` | 1 | 1 |", "| `unknown` | 1 | 0 |"]
    assert licences(facts, places)[-3:] == [
        "| a | `MIT` | Lambda functions, local AWS |",
        "| b | `ISC` | `x.txt` |",
        "| c | `unknown` | command |",
    ]
