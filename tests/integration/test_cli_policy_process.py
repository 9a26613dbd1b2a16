"""`leastwise policy` as a process: exit codes, pipes, and that it starts without what it does not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.template import ROOT

DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}}
PROGRAM = "from cli.main import main; main()"
HEAVY = ("boto3", "botocore", "moto", "httpx", "rich", "infra", "services", "aws_lambda_powertools")


def leastwise(*arguments: str, given: bytes = b"", program: str = PROGRAM) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", program, "policy", *arguments]
    return subprocess.run(command, input=given, capture_output=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    ("arguments", "given", "code"),
    [
        (["expand", "-"], json.dumps(DOCUMENT).encode(), 0),
        (["validate", "-"], json.dumps(DOCUMENT | {"Version": "2008-10-17"}).encode(), 1),
        (["validate", "-"], b"\xff", 2),
        (["evaluate", "--cases", "-"], b"{}", 2),
        (["compare", "-", "none.json"], json.dumps(DOCUMENT).encode(), 2),
        (["expand"], b"", 2),
        (["expand", "--kind", "x", "-"], b"", 2),
    ],
)
def test_given_any_input_when_run_then_the_exit_code_tells_and_no_traceback(
    arguments: list[str], given: bytes, code: int
) -> None:
    run = leastwise(*arguments, given=given)

    assert run.returncode == code
    assert b"Traceback" not in run.stderr
    assert bool(run.stderr) is (code == 2)


def test_given_an_offline_command_when_run_then_nothing_is_imported_that_it_does_not_need() -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules]))
{PROGRAM}"""
    for command in (["expand", "-"], ["validate", "--json", "-"], ["evaluate", "--case", "-"]):
        run = leastwise(*command, given=json.dumps(DOCUMENT).encode(), program=program)
        assert run.stdout.splitlines()[-1] == b"[]", command


def test_given_a_reader_who_has_read_enough_then_the_command_ends_quietly(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    request = {"principal": "arn:aws:iam::111122223333:user/a", "action": "s3:GetObject", "resource": "*"}
    cases.write_text((json.dumps({"request": request}) + "\n") * 5000)
    read_end, write_end = os.pipe()
    command = [sys.executable, "-c", PROGRAM, "policy", "evaluate", "--cases", str(cases)]
    with subprocess.Popen(command, stdout=write_end, stderr=subprocess.PIPE, cwd=ROOT) as process:
        os.close(write_end)
        os.read(read_end, 10)
        os.close(read_end)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
