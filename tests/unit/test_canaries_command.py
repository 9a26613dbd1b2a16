"""The command tells no secret that a file of its user holds: not in a complaint, and not in a traceback of --debug.

What a person asks to see is another matter: `propose`, `plan show` and the report show policies, since these are what
they are asked for, and names (of identities, policies and statements) stand in every answer.
"""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

SECRET = "canary7d41secret"  # noqa: S105 a canary
ARN = "arn:aws:iam::123456789012:role/deployer"
STATEMENT = {
    "Sid": "AllowWork",  # a name, which `explain` shows
    "Effect": "Allow",
    "Action": ["sqs:SendMessage", "s3:GetObject"],
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:PrincipalTag/key": SECRET}},
}
POLICY = {"Version": "2012-10-17", "Statement": [STATEMENT]}


def role(document: Any, **changes: Any) -> dict[str, Any]:
    """A role as IAM lists it, with this document."""
    return {
        "Path": "/",
        "RoleName": "deployer",
        "RoleId": "AROAEXAMPLEROLE00001",
        "Arn": ARN,
        "CreateDate": "2024-01-01T00:00:00Z",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": document}],
        "AttachedManagedPolicies": [],
        "InstanceProfileList": [],
        "Tags": [{"Key": "team", "Value": SECRET}],
    } | changes


def details(document: Any = POLICY, **changes: Any) -> dict[str, Any]:
    """A page of the account's authorization details."""
    return {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role(document, **changes)], "Policies": []}


def record(**changes: Any) -> dict[str, Any]:
    """A call by the role, with secrets in what it asked for and got."""
    issuer = {"type": "Role", "principalId": "AROAEXAMPLEROLE00001", "arn": ARN, "accountId": "123456789012"}
    who = {"type": "AssumedRole", "accountId": "123456789012", "sessionContext": {"sessionIssuer": issuer}}
    return {
        "eventVersion": "1.10",
        "userIdentity": who | {"principalId": "AROAEXAMPLEROLE00001:build", "accessKeyId": SECRET},
        "eventTime": "2026-03-01T12:00:00Z",
        "eventSource": "sqs.amazonaws.com",
        "eventName": "SendMessage",
        "awsRegion": "us-east-1",
        "userAgent": SECRET,
        "requestParameters": {"messageBody": SECRET},
        "responseElements": {"token": SECRET},
        "errorMessage": SECRET,
        "eventID": "6c5a2d0e-0000-4000-8000-000000000001",
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": "123456789012",
        "eventCategory": "Data",
    } | changes


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command as its user does, with --debug; its exit code and all that it wrote."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # it belongs to the test run

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["leastwise", "--debug", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capfd.readouterr()
        return int(ended.value.code or 0), written.out + written.err

    return run


def put(folder: Path, name: str, content: Any) -> str:
    """Write a file: text as it is, anything else as JSON."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


BROKEN: dict[str, Any] = {
    "no JSON": f'{{"{SECRET}',
    "text": SECRET,
    "a JSON text": json.dumps(SECRET),
    "a list": [SECRET],
    "another shape": {"value": SECRET},
}
BROKEN_DETAILS: dict[str, Any] = {
    "effect": details({"Statement": [{"Effect": SECRET, "Action": "*", "Resource": "*"}]}),
    "action": details({"Statement": [{"Effect": "Allow", "Action": {"x": SECRET}, "Resource": "*"}]}),
    "condition": details({"Statement": [STATEMENT | {"Condition": {"StringEquals": SECRET}}]}),
    "document": details(SECRET),
    "date": details(CreateDate=SECRET),
    "tags": details(Tags=[{"Key": SECRET}]),
    "boundary": details(PermissionsBoundary=SECRET),
}
# Arguments of every offline command that reads a file; F is the broken one, D good details, O a new folder.
COMMANDS = (
    "analyze --authorization-details F --out O",
    "analyze --authorization-details D --cloudtrail F --out O",
    f"explain {ARN} --authorization-details F",
    f"explain {ARN} --authorization-details D --cloudtrail F",
    "policy compare D F",
    "policy compare --pairs F",
    "policy evaluate --cases F",
    "policy expand F",
    "policy validate F",
    "propose --authorization-details F",
    "propose --authorization-details D --safeguards F",
    "score --authorization-details F",
    "score --authorization-details D --cloudtrail F",
    "score --authorization-details D --inventory F",
    "score --authorization-details D --last-accessed F",
    "usage --cloudtrail F",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_cannot_be_read_is_told_without_its_content(
    command: str, tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    good = put(tmp_path, "good.json", details())
    wrong = BROKEN | (BROKEN_DETAILS if "details F" in command else {})
    for number, content in enumerate(wrong.values()):
        broken = put(tmp_path, f"broken-{number}.json", content)
        places = {"F": broken, "D": good, "O": str(tmp_path / f"out-{number}")}
        code, said = run(*(places.get(word, word) for word in command.split()))

        assert code != 3, said
        assert Path(broken).name in said or "role deployer" in said or ARN in said
        assert SECRET not in said


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["people", "machines"])
@pytest.mark.parametrize("command", ["score --authorization-details D --cloudtrail T", "usage --cloudtrail T"])
def test_what_is_read_is_added_up_and_not_shown(
    command: str, form: tuple[str, ...], tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    places = {"D": put(tmp_path, "details.json", details()), "T": put(tmp_path, "t.json", {"Records": [record()]})}
    code, said = run(*(places.get(word, word) for word in command.split()), *form)

    assert code in (0, 1)
    assert "deployer" in said
    assert SECRET not in said


def test_a_traceback_is_shown_with_debug_and_tells_where_but_not_what(
    tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    """Else the tests above would look at complaints alone."""
    code, said = run("score", "--authorization-details", put(tmp_path, "broken.json", BROKEN["no JSON"]))

    assert code == 2
    assert "Traceback (most recent call last)" in said
    assert "broken.json" in said
