"""`leastwise usage` as a process: exit codes, pipes, Ctrl-C, and that it starts without what it does not need."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.template import ROOT
from tests.unit.test_cli_usage import RECORDS, lines, log

INSTALLED = Path(sys.executable).parent / "leastwise"
PROGRAM = "from cli.main import main; main()"
# Not pydantic itself, which typer needs to read the command line; but none of our models that stand on it.
MODELS = ("shared.model.identity", "shared.model.score", "shared.events")
HEAVY = (*MODELS, "boto3", "botocore", "aws_lambda_powertools", "aws_xray_sdk", "httpx", "jinja2", "moto", "infra")


def leastwise(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(INSTALLED), "usage", *arguments], input=given, capture_output=True, cwd=ROOT, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "given", "code"),
    [
        (["--cloudtrail", "-"], lines(*RECORDS), 0),
        (["--cloudtrail", "-", "--json", "--jobs", "2"], gzip.compress(log(*RECORDS)), 0),
        (["--cloudtrail", "-"], lines(*RECORDS) + b"{", 0),
        (["--cloudtrail", "-", "--strict"], lines(*RECORDS) + b"{", 2),
        (["--cloudtrail", "no such file"], b"", 2),
        (["--cloudtrail"], b"", 2),
        ([], b"", 2),
    ],
)
def test_given_any_input_when_run_then_the_exit_code_tells_and_no_traceback(
    arguments: list[str], given: bytes, code: int
) -> None:
    run = leastwise(*arguments, given=given)

    assert run.returncode == code
    assert b"Traceback" not in run.stderr
    assert bool(run.stderr) is (code == 2 or given.endswith(b"{"))


FULL = "leastwise: cannot write to standard output: No space left on device\n"
NO_OUTPUT = "leastwise: cannot write to standard output: it is closed\n"
NO_INPUT = "leastwise: standard input: cannot be read: it is closed\n"
STREAMS = {
    "a full disk": ("--json > /dev/full", 3, FULL),
    "a full disk for tables": ("> /dev/full", 3, FULL),
    "a full disk for help": ("--help > /dev/full", 3, FULL),
    "no output": ("--json >&-", 3, NO_OUTPUT),
    "no output for tables": (">&-", 3, NO_OUTPUT),
    "no input": ("- <&-", 2, NO_INPUT),
    "no input for two": ("- --jobs 2 <&-", 2, NO_INPUT),
    "no input and none wanted": ("--json <&- > /dev/null", 0, ""),
    "no place for messages": ("--json nowhere 2>&-", 2, ""),
    "neither": ("--json >&- 2>&-", 3, ""),
}


@pytest.mark.parametrize("records", ["tests/data/cloudtrail/stratus-red-team", "infra/docs"])
@pytest.mark.parametrize("case", STREAMS)
def test_given_streams_that_are_full_or_closed_when_run_then_one_line_says_so(case: str, records: str) -> None:
    arguments, code, told = STREAMS[case]
    command = f"{INSTALLED} usage --cloudtrail {records} {arguments}"
    run = subprocess.run(["/bin/sh", "-c", command], capture_output=True, cwd=ROOT, check=False, text=True)
    messages = [line for line in run.stderr.splitlines(keepends=True) if "no CloudTrail files" not in line]
    assert "".join(messages) == told
    assert (run.returncode, run.stdout) == (code, "")


@pytest.mark.parametrize("way", [["--json"], [], ["--json", "--jobs", "2"]])
def test_given_the_command_when_run_then_nothing_is_imported_that_it_does_not_need(
    way: list[str], tmp_path: Path
) -> None:
    unneeded = (*HEAVY, *(["rich"] if "--json" in way else []), *(["multiprocessing"] if "2" not in way else []))
    program = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {unneeded} if name in sys.modules]))
{PROGRAM}"""
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(log(*RECORDS))
    command = [sys.executable, "-c", program, "usage", "--cloudtrail", str(tmp_path), *way]
    run = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    assert run.stdout.splitlines()[-1] == b"[]"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_ctrl_c_while_reading_then_every_process_ends_and_the_exit_code_is_130(jobs: str, tmp_path: Path) -> None:
    pipes = [tmp_path / "one", tmp_path / "two"]
    for pipe in pipes:
        os.mkfifo(pipe)
    command = [str(INSTALLED), "usage", "--cloudtrail", *map(str, pipes), "--jobs", jobs]
    # A shell's background job ignores SIGINT, and its children with it: here they get the default again.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 nothing else runs
    ) as process:
        # Opening a pipe waits for the reader: from here on, each process is in the middle of one.
        ends = [os.open(pipe, os.O_WRONLY) for pipe in pipes[: int(jobs)]]
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    for end in ends:
        with pytest.raises(BrokenPipeError):  # nobody reads any more
            os.write(end, b"{}")
        os.close(end)


def test_given_a_reader_who_has_read_enough_then_the_command_ends_quietly() -> None:
    read_end, write_end = os.pipe()
    command = [str(INSTALLED), "usage", "--cloudtrail", "infra/local/records", "--json"]
    with subprocess.Popen(command, stdout=write_end, stderr=subprocess.PIPE, cwd=ROOT) as process:
        os.close(write_end)
        os.read(read_end, 10)
        os.close(read_end)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_given_a_reader_who_reads_nothing_when_the_answer_is_short_then_the_command_ends_quietly(
    tmp_path: Path,
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [str(INSTALLED), "usage", "--cloudtrail", str(tmp_path), "--json"]
    run = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write_end)
    assert run.returncode == 1
    assert run.stderr == f"leastwise: no CloudTrail files in {tmp_path}\n".encode()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_a_terminal_for_messages_when_run_then_the_answer_is_the_same_as_without(
    jobs: str, tmp_path: Path
) -> None:
    command = [str(INSTALLED), "usage", "--cloudtrail", "infra/local/records", "--json", "--jobs", jobs]
    piped = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    outer, inner = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=inner, cwd=ROOT) as process:
        os.close(inner)
        assert process.stdout is not None
        shown = process.stdout.read()
    os.close(outer)
    assert process.returncode == 0
    assert shown == piped.stdout
    assert piped.stderr == b""
    assert json.loads(shown)["records"] == 2900
