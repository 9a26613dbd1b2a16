"""The command's frame: help, version, completion, places, and how everything that fails ends."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.failures import Frame, code_of, tell
from cli.main import app
from infra.build.template import ROOT
from infra.docs.tables import walk
from shared.errors import CallerError, ConflictError, DependencyError, InputError, SafetyError, SettingsError

MAIN = "from cli.main import main; main()"
COMMANDS = {" ".join(path): command for path, command in walk(typer.main.get_command(app))}
SINGLE = {name: command for name, command in COMMANDS.items() if not getattr(command, "commands", None)}
DOCUMENT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(?:\.venv/bin/)?(leastwise [^`]+)`")
EXAMPLES = "\n".join([*BLOCK.findall(DOCUMENT), *INLINE.findall(BLOCK.sub("", DOCUMENT))])
SLOW = {"boto3", "botocore", "httpx", "jinja2", "plotext", "pydantic"}


def run(
    *arguments: str, program: str = MAIN, **environment: str
) -> subprocess.CompletedProcess[str]:  # a process of its own: that is how its end is seen
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def failing(error: str) -> str:
    """A program in which `leastwise plans` fails."""
    return f"import cli.plans\ndef fail(_):\n    raise {error}\ncli.plans.moment_of = fail\n{MAIN}"


# ---- every command


@pytest.mark.parametrize("name", SINGLE)
def test_every_command_says_what_it_does_and_so_do_its_options(name: str) -> None:
    command = SINGLE[name]
    assert command.help, "it has no docstring"
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", "")] == []
    assert CliRunner().invoke(app, [*name.split(), "--help"]).exit_code == 0


@pytest.mark.parametrize("name", SINGLE)
def test_every_command_is_documented_with_an_example(name: str) -> None:
    assert re.search(rf"leastwise {name}(?![\w-])", EXAMPLES), f"docs/cli.md has no example of `leastwise {name}`"


@pytest.mark.parametrize("name", SINGLE)
def test_every_option_is_documented(name: str) -> None:
    options = {option for parameter in SINGLE[name].params for option in parameter.opts if option.startswith("--")}
    assert {option for option in options - {"--help"} if f"`{option}" not in DOCUMENT} == set()


@pytest.mark.parametrize("name", SINGLE)
def test_a_place_is_named_by_the_same_options_everywhere(name: str) -> None:
    parameters = {parameter.name: parameter for parameter in SINGLE[name].params}
    place = [parameters[each] for each in ("stack_name", "region", "profile") if each in parameters]
    assert len(place) in {0, 3}
    assert all(each.default is None for each in place), "a default would hide what the AWS profile names"
    assert [getattr(each, "envvar", None) for each in place] in ([], ["LEASTWISE_STACK_NAME", "AWS_REGION", None])


def test_the_help_groups_commands_by_what_they_need() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).stdout
    panels = ["The deployed system", "Offline or deployed", "Offline, from files", "On this computer"]
    assert [panel for panel in panels if panel in shown] == panels
    assert "─ Commands ─" not in shown


def test_the_command_starts_without_the_aws_sdk() -> None:
    program = f"import cli.main, sys; print(sorted({{name.partition('.')[0] for name in sys.modules}} & {SLOW}))"
    assert run(program=program).stdout == "[]\n"


def test_the_version_is_told() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"leastwise \d+\.\d+\.\d+\n", done.stdout)


# ---- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_completes_words_for_a_shell(shell: str) -> None:
    done = run("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="true", program=NAMED)
    assert done.returncode == 0
    assert f"_LEASTWISE_COMPLETE=complete_{shell}" in done.stdout


NAMED = f"import sys; sys.argv[0] = 'leastwise'; {MAIN}"
WORDS: list[tuple[str, list[str]]] = [
    ("leastwise stat", ["status"]),
    ("leastwise plan ro", ["rollback"]),
    ("leastwise plans --status rol", ["rolling-back", "rolled-back"]),
    ("leastwise plans --status APPL", ["APPLYING", "APPLIED"]),
    ("leastwise identities --band ", ["low", "medium", "high"]),
    ("leastwise identities --compliance n", ["non-compliant", "not-applicable"]),
    ("leastwise identities --sort u", ["unused"]),
    ("leastwise backfill --via ", ["s3", "athena"]),
]


@pytest.mark.parametrize(("line", "completed"), WORDS)
def test_words_of_closed_sets_are_completed(line: str, completed: list[str]) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = run(program=NAMED, _LEASTWISE_COMPLETE="complete_bash", **words)
    assert done.stdout.split() == completed


# ---- how it ends

KINDS: list[tuple[type[Exception], int]] = [
    (InputError, 2),
    (SettingsError, 2),
    (CallerError, 2),
    (DependencyError, 3),
    (ConflictError, 3),
    (SafetyError, 1),
]


@pytest.mark.parametrize(("kind", "code"), KINDS)
def test_an_expected_error_is_a_line_and_an_exit_code(
    kind: type[Exception], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(kind("it is\x1b[2J so"), Frame()) == code
    assert capsys.readouterr() == ("", "leastwise: it is\\x1b[2J so\n")


def test_exit_codes_follow_what_a_person_has_to_change() -> None:
    assert [code_of(error("x")) for error in (InputError, CallerError, DependencyError, SafetyError)] == [2, 2, 3, 1]


def test_a_fault_of_ours_is_a_line_that_names_its_place_and_no_value() -> None:
    done = run("plans", program=failing("KeyError('secret')"))
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(
        r"leastwise: unexpected KeyError at cli/plans\.py:\d+: this is a fault of leastwise; "
        r"`leastwise --debug …` shows the traceback\n",
        done.stderr,
    )


@pytest.mark.parametrize("arguments", [["--debug", "plans"], ["plans"]])
def test_the_traceback_is_shown_where_it_is_asked_for(arguments: list[str]) -> None:
    asked = {} if "--debug" in arguments else {"LEASTWISE_DEBUG": "1"}
    done = run(*arguments, program=failing("RuntimeError('why')"), **asked)
    assert done.returncode == 3
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "RuntimeError: why\nleastwise: unexpected RuntimeError" in done.stderr


def test_an_interruption_ends_it_quietly() -> None:
    done = run("plans", program=failing("KeyboardInterrupt"))
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_used_is_named() -> None:
    done = run("plans", program=failing("PermissionError(13, 'Permission denied', 'report.html')"))
    assert (done.returncode, done.stderr) == (2, "leastwise: report.html: Permission denied\n")


USAGE: list[tuple[list[str], str]] = [
    (["nope"], "no such command 'nope'"),
    (["plans", "--nope"], "no such option: --nope"),
    (["plan", "show"], "missing argument"),
    (["plans", "--limit", "x"], "invalid value for '--limit'"),
    (["plans", "--since", "yesterday"], "'yesterday' is no day or time"),
    (["identities", "--json", "--csv"], "only one form can be asked for"),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE, ids=str)
def test_a_usage_error_is_one_line_that_says_where_help_is(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("leastwise: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


UNUSABLE: list[tuple[dict[str, str], list[str], str]] = [
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, [], "no AWS credentials were found"),
    ({"AWS_DEFAULT_REGION": ""}, [], "no AWS region is set"),
    ({"AWS_REGION": "not a region"}, [], "no name of an AWS region"),
    ({}, ["--profile", "nobody"], "(nobody) could not be found"),
]


@pytest.mark.parametrize("name", ["status", "identities", "plans", "sweep"])
@pytest.mark.parametrize(("environment", "options", "words"), UNUSABLE, ids=lambda case: str(case)[:40])
def test_what_the_caller_lacks_is_one_line(
    name: str, environment: dict[str, str], options: list[str], words: str, tmp_path: Path
) -> None:
    done = run(name, *options, **environment, HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("leastwise: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
