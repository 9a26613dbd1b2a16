"""Holds the documents to the code: generated tables, links, commands, make targets, modules, files, reasons."""

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from cli.main import app
from infra.build.template import ROOT
from infra.docs.generate import BLOCK, UnknownBlockError, documents, drifted, main, regenerate
from infra.docs.tables import walk
from shared.events import EVENT_TYPES, Service
from shared.model.plan import Mode, ReasonCode

DOCUMENTS = documents()
ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
COMMANDS = {" ".join(path): command for path, command in walk(typer.main.get_command(app))}

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|(?<=[\s/]))leastwise(?P<words>(?: +[a-z]+)+)(?P<rest>[^\n|;&]*)")
TARGETS = re.compile(r"^make (?P<targets>[a-z-]+(?: [a-z-]+)*)")
MODULE = re.compile(r"-m ((?:infra|cli|services|shared|tests)[\w.]+)")
TOP = "cli|docs|infra|services|shared|tests"
FILE = re.compile(rf"^(?:(?:{TOP})/[\w./-]+|[\w-]+\.(?:yaml|toml|txt)|Makefile)$")
KEY = re.compile(r"`([A-Z]+)(?:#[^`]*)?`")
# What a reader's own run makes, or a pattern of names: there is nothing to find.
NOT_FILES = re.compile(r"[<>*…]")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return FENCE.sub("", text)


def shell_lines(text: str) -> Iterator[str]:
    """Every command line that a reader may copy, continuation lines joined, and every piece of code in a sentence."""
    for fence in FENCE.finditer(text):
        if fence["language"] == "sh":
            yield from fence["body"].replace("\\\n", " ").splitlines()
    yield from CODE.findall(prose(text))


def anchor_of(heading: str) -> str:
    """Anchor of a heading as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken_links(text: str, folder: Path) -> list[str]:
    """Relative links of a document in `folder` that lead to no file, or to no heading of it."""
    broken = []
    for link in LINK.findall(prose(text)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = folder / name
        headings = re.findall(r"^#+ (.+)$", read(target) if name and target.is_file() else text, re.MULTILINE)
        if not target.exists() or (anchor and anchor not in map(anchor_of, headings)):
            broken.append(link)
    return broken


def unknown_commands(text: str) -> list[str]:
    """Calls of `leastwise` with a command or an option that it does not have."""
    unknown = []
    for match in (match for line in shell_lines(text) for match in COMMAND.finditer(line)):
        words = match["words"].split()
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in COMMANDS), None)
        if name and len(words) > 1 and getattr(COMMANDS[name], "commands", None):
            name = None  # a group is followed by one of its commands
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts} if name else set()
        if name is None or not set(re.findall(r"(?<!\S)--[a-z-]+", match["rest"])) <= options | {"--help"}:
            unknown.append(match[0].strip())
    return unknown


def unknown_targets(text: str, makefile: str) -> list[str]:
    """Make targets that the Makefile does not have."""
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = [target for line in shell_lines(text) if (found := TARGETS.match(line)) for target in found[1].split()]
    return [target for target in named if target not in known]


def unknown_modules(text: str) -> list[str]:
    return [name for line in shell_lines(text) for name in MODULE.findall(line) if not importlib.util.find_spec(name)]


def missing_files(text: str, folder: Path) -> list[str]:
    """Files named in a sentence, from the root of the checkout or beside the document, that do not exist."""
    named = [name for name in CODE.findall(prose(text)) if FILE.match(name) and not NOT_FILES.search(name)]
    return [name for name in named if not (ROOT / name).exists() and not (folder / name).exists()]


def identifier(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---- generated tables


def test_given_the_code_when_its_tables_are_generated_then_the_documents_hold_them_already() -> None:
    stale = sorted(map(identifier, drifted()))
    assert stale == [], "run `python -m infra.docs.generate`"


@pytest.mark.parametrize("name", ["commands", "events", "functions", "parameters", "settings"])
def test_given_a_generated_table_when_the_documents_are_read_then_it_is_in_exactly_one(name: str) -> None:
    assert [match["name"] for path in DOCUMENTS for match in BLOCK.finditer(read(path))].count(name) == 1


def test_given_a_drifted_table_when_it_is_regenerated_then_only_that_table_changes() -> None:
    text = "before\n<!-- generated: events -->\nold\n<!-- end of events -->\nafter\n"
    renewed = regenerate(text)
    assert renewed.startswith("before\n<!-- generated: events -->\n")
    assert renewed.endswith("<!-- end of events -->\nafter\n")
    assert all(f"`{name}`" in renewed for name in EVENT_TYPES)
    assert regenerate(renewed) == renewed


def test_given_a_drifted_document_when_it_is_checked_then_it_is_named_and_when_written_then_it_is_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "docs" / "stale.md"
    document.parent.mkdir()
    document.write_text("<!-- generated: events -->\nyesterday\n<!-- end of events -->\n", encoding="utf-8")
    assert main(["--check"], root=tmp_path) == 1
    assert "docs/stale.md has drifted" in capsys.readouterr().out
    assert "yesterday" in read(document)
    assert main([], root=tmp_path) == 0
    assert "yesterday" not in read(document)
    assert main(["--check"], root=tmp_path) == 0


def test_given_a_table_that_nobody_generates_when_it_is_asked_for_then_it_is_refused() -> None:
    with pytest.raises(UnknownBlockError, match="nonsense"):
        regenerate("<!-- generated: nonsense -->\n<!-- end of nonsense -->\n")


def test_given_a_document_with_markers_when_it_is_read_then_each_is_closed() -> None:
    for path in DOCUMENTS:
        text = read(path)
        opened = len(re.findall(r"^<!-- generated: ", text, re.MULTILINE))
        assert opened == len(BLOCK.findall(text)), identifier(path)


# ---- what documents name


@pytest.mark.parametrize("path", DOCUMENTS, ids=identifier)
def test_given_a_document_when_a_reader_follows_it_then_everything_it_names_is_there(path: Path) -> None:
    text, folder = read(path), path.parent
    assert broken_links(text, folder) == []
    assert unknown_commands(text) == []
    assert unknown_targets(text, read(ROOT / "Makefile") + read(ROOT / "infra/build/functions.mk")) == []
    assert unknown_modules(text) == []
    assert missing_files(text, folder) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[x](nowhere.md)", "nowhere.md"),
        ("[x](README.md#no-such-heading)", "README.md#no-such-heading"),
        ("run `leastwise dance`", "leastwise dance"),
        ("```sh\n.venv/bin/leastwise plan dance 1\n```", "leastwise plan dance 1"),
        ("```sh\nleastwise sweep --fast\n```", "leastwise sweep --fast"),
        ("run `make tea`", "tea"),
        ("```sh\nmake setup tea\n```", "tea"),
        ("run `python -m infra.nothing`", "infra.nothing"),
        ("see `shared/nothing.py`", "shared/nothing.py"),
    ],
)
def test_given_a_document_that_names_what_is_not_there_when_it_is_checked_then_it_is_found(
    text: str, problem: str
) -> None:
    makefile = "setup: ## install\n"
    found = [
        *broken_links(text, ROOT),
        *unknown_commands(text),
        *unknown_targets(text, makefile),
        *unknown_modules(text),
        *missing_files(text, ROOT),
    ]
    assert found == [problem]


def test_given_sound_names_when_they_are_checked_then_nothing_is_found() -> None:
    text = "`leastwise plan approve ID --json`, `leastwise:exempt`, `make setup`, [x](README.md#safety), `cli/main.py`"
    assert broken_links(text, ROOT) == unknown_commands(text) == missing_files(text, ROOT) == []
    assert unknown_targets(text, "setup: ## install\n") == []


# ---- what documents must say


@pytest.mark.parametrize("service", sorted(set(Service) - {Service.COMMAND}))
def test_given_a_service_when_its_readme_is_opened_then_it_answers_the_same_five_questions(service: Service) -> None:
    text = read(ROOT / "services" / service / "README.md")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[:5] == ["Trigger", "Input", "Output", "Permissions", "Failures"]


def test_given_a_reason_for_changing_nothing_when_a_person_looks_it_up_then_it_is_explained_once() -> None:
    text = read(ROOT / "services" / "remediator" / "README.md")
    explained = re.findall(r"^\| `([a-z_]+)` \| \S", text, re.MULTILINE)
    assert sorted(explained) == sorted(ReasonCode)


def test_given_the_modes_when_the_readme_explains_them_then_it_explains_each_once() -> None:
    assert re.findall(r"^\| `([a-z]+)` \|", read(ROOT / "README.md"), re.MULTILINE) == list(Mode)


@pytest.mark.parametrize("path", DECISIONS, ids=identifier)
def test_given_a_decision_when_it_is_read_then_it_is_dated_argued_and_can_be_found(path: Path) -> None:
    text = read(path)
    number = int(path.name[:4])
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^Date: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Alternatives", "Consequences"]
    assert f"| {number} | [{text.splitlines()[0].partition('. ')[2]}](decisions/{path.name}) |" in read(ARCHITECTURE)


def keys_of(text: str) -> set[str]:
    """First words of the keys that the rows of Markdown tables name."""
    return {key for line in text.splitlines() if line.startswith("|") for key in KEY.findall(line)}


@pytest.mark.parametrize("adapter", ["usage_ledger", "score_table", "journal", "audit_table"])
def test_given_the_keys_of_a_table_when_architecture_lists_them_then_none_is_missing(adapter: str) -> None:
    wanted = keys_of(importlib.import_module(f"shared.aws.{adapter}").__doc__ or "")
    assert wanted
    assert wanted <= keys_of(read(ARCHITECTURE))


def test_given_the_decisions_when_they_are_counted_then_no_number_is_missing_or_used_twice() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
