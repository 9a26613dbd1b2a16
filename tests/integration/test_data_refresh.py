"""`leastwise data refresh` against a real HTTP server that serves the service reference, or something else."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.data_refresh import OPERATIONS, REFERENCE, refresh_data
from cli.main import app
from infra.build.template import ROOT
from shared.aws.service_reference import Limits, ServiceReferenceSite
from shared.errors import DependencyError, InputError
from shared.iam.authorized import compile_operations
from shared.iam.operations import OperationMap
from shared.knowledge import DATA
from shared.reference import load_operations
from tests.integration.service_reference_server import LIST, Answer, Handler, Site, running

QUICK = Limits(
    connect_seconds=2,
    read_seconds=0.5,
    total_seconds=1,
    attempts=3,
    first_pause_seconds=0.01,
    longest_pause_seconds=0.02,
    most_bytes=100_000,
    connections=3,
)
LAMBDA = "/v1/lambda/lambda.json"
SMALL: dict[str, Any] = {
    "source": "AWS service reference (machine-readable Service Authorization Reference), as published 2026-08-22",
    "services": {
        "iam": {"actions": {"GetRole": {}, "PassRole": {}}, "operations": {"GetRole": ["iam:GetRole"], "Rest": []}},
        "lambda": {
            "actions": {
                "CreateFunction": {"last_accessed": True, "policy_generation": True, "properties": ["write"]},
                "ListFunctions": {"properties": ["list"]},
            },
            "operations": {
                "CreateFunction": [
                    "lambda:CreateFunction",
                    {"action": "iam:PassRole", "context": {"iam:PassedToService": ["lambda.amazonaws.com"]}},
                ],
                "ListFunctions": ["lambda:ListFunctions"],
            },
        },
    },
}
TEMPLATES = {"lambda:CreateFunction": ["arn:${Partition}:lambda:${Region}:${Account}:function:${FunctionName}"]}


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that publishes SMALL."""
    with running() as found:
        found.publish(SMALL, TEMPLATES)
        yield found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that holds SMALL, with its description."""
    write(tmp_path / REFERENCE, SMALL)
    write(tmp_path / OPERATIONS, compile_operations(SMALL, {}))
    (tmp_path / "SERVICE_REFERENCE_SOURCE.md").write_text("# x\n- published: ?\n- sha256: ?\n- content: ?\n- kept: ?\n")
    return tmp_path


def write(path: Path, content: Any) -> None:
    path.write_bytes(gzip.compress(json.dumps(content).encode()))


def read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(**services: Any) -> dict[str, Any]:
    """SMALL with other services; None leaves one out."""
    kept = {name: service for name, service in {**SMALL["services"], **services}.items() if service is not None}
    return {**SMALL, "services": dict(sorted(kept.items()))}


def refresh(site: Site, data: Path, *, limits: Limits = QUICK, force: bool = False) -> dict[str, Any]:
    return refresh_data(ServiceReferenceSite(site.url, limits), data, shipped=DATA, force=force)


def test_given_the_shipped_reference_is_what_aws_publishes_when_refreshed_then_both_files_are_the_same_again(
    tmp_path: Path,
) -> None:
    reference, operations = read(DATA / REFERENCE), load_operations()
    actions = [f"{prefix}:{name}" for prefix, service in reference["services"].items() for name in service["actions"]]
    templates = {action: operations.resource_templates(action) for action in actions}
    with running() as site:
        site.publish(reference, templates)
        result = CliRunner().invoke(
            app, ["data", "refresh", "--json", "--output", str(tmp_path), "--endpoint", site.url]
        )

    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["changes"] == {kind: {"added": [], "removed": []} for kind in ("services", "actions", "operations")}
    assert answer["counts"] == {"services": 466, "actions": 21_983, "operations": 18_666}
    assert answer["written"] == [str(tmp_path / REFERENCE), str(tmp_path / OPERATIONS)]
    written = read(tmp_path / REFERENCE)
    assert json.dumps(written["services"]) == json.dumps(reference["services"])
    assert written["source"].endswith("as published 2026-09-21")
    assert read(tmp_path / OPERATIONS)["services"] == compile_operations(reference, templates)["services"]


def test_given_new_and_retired_actions_when_refreshed_then_the_answer_names_them(site: Site, data: Path) -> None:
    new = {"actions": {"Do": {"properties": ["write"]}}, "operations": {"DoIt": ["new:Do"]}}
    iam = {"actions": {"GetRole": {}, "GetUser": {}}, "operations": {"GetRole": ["iam:GetRole"], "Rest": []}}
    site.publish(changed(new=new, iam=iam), TEMPLATES)

    answer = refresh(site, data)

    assert answer["changes"] == {
        "services": {"added": ["new"], "removed": []},
        "actions": {"added": ["iam:GetUser", "new:Do"], "removed": ["iam:PassRole"]},
        "operations": {"added": ["new:DoIt"], "removed": []},
    }
    operations = OperationMap(read(data / OPERATIONS))
    assert operations.has_action("new:Do")
    assert operations.resource_templates("lambda:CreateFunction") == tuple(TEMPLATES["lambda:CreateFunction"])
    found = operations.operation("lambda", "CreateFunction")
    assert found is not None
    assert found.passes_role
    assert read(data / REFERENCE)["services"]["lambda"] == SMALL["services"]["lambda"]
    description = (data / "SERVICE_REFERENCE_SOURCE.md").read_text()
    assert "- published: 2026-09-21\n" in description
    assert "- content: 3 services, 5 actions, 5 operations\n- kept: ?\n" in description
    assert {path.name for path in data.iterdir()} == {REFERENCE, OPERATIONS, "SERVICE_REFERENCE_SOURCE.md"}


def test_given_people_when_refreshed_then_they_are_told_what_changed(site: Site, data: Path) -> None:
    many: dict[str, Any] = {f"Do{number}": {} for number in range(7)}
    site.publish(changed(new={"actions": many, "operations": {}}), TEMPLATES)
    result = CliRunner().invoke(app, ["data", "refresh", "--output", str(data), "--endpoint", site.url])
    assert result.exit_code == 0, result.output
    assert "3 services: 1 added (new); 0 removed" in result.stdout
    assert "11 actions: 7 added (new:Do0, new:Do1, new:Do2, new:Do3, new:Do4, …); 0 removed" in result.stdout


def failing(status: int) -> Answer:
    return lambda request: request.give(b"try later", status=status)


@pytest.mark.parametrize("path", [LIST, LAMBDA])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_given_a_passing_failure_when_refreshed_then_it_is_asked_again(
    site: Site, data: Path, path: str, status: int
) -> None:
    site.answers[path] = [failing(status), failing(status), lambda request: request.give(site.documents[path])]
    assert refresh(site, data)["counts"]["services"] == 2
    assert site.asked[path] == 3


def redirect(request: Handler) -> None:
    request.give(b"", status=302, headers={"Location": f"{request.server.url}/elsewhere"})


def page(request: Handler) -> None:
    request.give(b"<html>Sign in to the network</html>", headers={"Content-Type": "text/html"})


def half(request: Handler) -> None:
    request.give(request.server.documents[request.path][:100])


def cut_off(request: Handler) -> None:
    request.give(request.server.documents[request.path][:100], length=5_000)
    request.close_connection = True


def oversized(request: Handler) -> None:
    request.give(b"[" + b" " * 200_000 + b"]")


def bomb(request: Handler) -> None:
    request.give(gzip.compress(b"[" + b" " * 5_000_000 + b"]", compresslevel=1), headers={"Content-Encoding": "gzip"})


def bad_gzip(request: Handler) -> None:
    request.give(b"no gzip at all", headers={"Content-Encoding": "gzip"})


def silent(request: Handler) -> None:
    request.server.closing.wait(5)
    request.close_connection = True


def dripping(request: Handler) -> None:
    request.send_response(200)
    request.end_headers()
    request.close_connection = True
    while not request.server.closing.wait(0.1):
        try:
            request.wfile.write(b" ")
        except OSError:
            return


def nested(request: Handler) -> None:
    request.give(b"[" * 50_000)


def json_answer(content: Any) -> Answer:
    return lambda request: request.give(json.dumps(content).encode())


def with_lambda(**changes: Any) -> Answer:
    """Lambda's document with other values of some fields; None leaves one out."""

    def answer(request: Handler) -> None:
        document = {**json.loads(request.server.documents[LAMBDA]), **changes}
        request.give(json.dumps({name: value for name, value in document.items() if value is not None}).encode())

    return answer


def listing(*entries: dict[str, Any]) -> Answer:
    """The list of services with further entries; `{}` in a URL is the site's own."""

    def answer(request: Handler) -> None:
        listed = json.loads(request.server.documents[LIST])
        further = [{**entry, "url": str(entry.get("url")).format(request.server.url)} for entry in entries]
        request.give(json.dumps([*listed, *further]).encode())

    return answer


def dated(modified: Any) -> Answer:
    """The list of services with another time of change."""

    def answer(request: Handler) -> None:
        listed = json.loads(request.server.documents[LIST])
        request.give(json.dumps([{**entry, "modified": modified} for entry in listed]).encode())

    return answer


MISBEHAVIOUR: list[tuple[str, Answer, str]] = [
    (LIST, failing(500), "HTTP status 500"),
    (LIST, failing(404), "HTTP status 404"),
    (LIST, redirect, "HTTP status 302"),
    (LIST, page, "is not a service reference"),
    (LIST, half, "is not a service reference"),
    (LIST, json_answer({"services": []}), "Expected `array`, got `object`"),
    (LIST, json_answer([]), "the list of services has 0 entries"),
    (LIST, json_answer([{"service": "s3"}]), "missing required field `url`"),
    (LIST, json_answer([{"service": "S 3", "url": "x"}]), "at `$[0].service`"),
    (LIST, listing({"service": "iam", "url": "{}/v1/iam/iam.json"}), "names a service twice"),
    (LIST, listing({"service": "s3", "url": "https://elsewhere.example/s3.json"}), "s3 is not on 127.0.0.1"),
    (LIST, listing({"service": "s3", "url": "http://127.0.0.1:1/s3.json"}), "s3 is not on 127.0.0.1"),
    (LIST, listing({"service": "s3", "url": "http://[broken/s3.json"}), "s3 is not on 127.0.0.1"),
    (LIST, listing({"service": "s3", "url": "file:///etc/passwd"}), "s3 is not on 127.0.0.1"),
    (LIST, dated(1e30), "dated out of range"),
    (LIST, dated("today"), "at `$[0].modified`"),
    (LAMBDA, failing(403), "HTTP status 403"),
    (LAMBDA, failing(503), "HTTP status 503"),
    (LAMBDA, redirect, "HTTP status 302"),
    (LAMBDA, page, "is not a service reference"),
    (LAMBDA, half, "is not a service reference"),
    (LAMBDA, cut_off, "RemoteProtocolError"),
    (LAMBDA, oversized, "larger than 100,000 bytes"),
    (LAMBDA, bomb, "larger than 100,000 bytes"),
    (LAMBDA, bad_gzip, "could not read"),
    (LAMBDA, silent, "ReadTimeout"),
    (LAMBDA, dripping, "took longer than 1 seconds"),
    (LAMBDA, nested, "is not a service reference"),
    (LAMBDA, json_answer(None), "Expected `object`, got `null`"),
    (LAMBDA, with_lambda(Name=None), "missing required field `Name`"),
    (LAMBDA, with_lambda(Name="iam"), "the document of lambda is that of iam"),
    (LAMBDA, with_lambda(Actions=None), "missing required field `Actions`"),
    (LAMBDA, with_lambda(Actions=[{"Resources": []}]), "missing required field `Name` - at `$.Actions[0]`"),
    (LAMBDA, with_lambda(Actions=[{"Name": "two words"}]), "at `$.Actions[0].Name`"),
    (LAMBDA, with_lambda(Actions=[{"Name": "Do;Undo"}]), "at `$.Actions[0].Name`"),
    (LAMBDA, with_lambda(Operations=[{"Name": "Do", "AuthorizedActions": ["lambda:Do"]}]), "AuthorizedActions[0]"),
    (LAMBDA, with_lambda(Actions=[], Operations=[]), "1 services lost all their actions: lambda"),
    (LAMBDA, with_lambda(Actions=[{"Name": "CreateFunction"}]), "3 actions where there were 4"),
    (LAMBDA, with_lambda(Operations=[]), "2 operations where there were 4; 2 of 3 operations are no longer mapped"),
]


@pytest.mark.parametrize(("path", "answer", "complaint"), MISBEHAVIOUR)
def test_given_a_bad_answer_when_refreshed_then_one_clear_error_and_nothing_is_changed(
    site: Site, data: Path, path: str, answer: Answer, complaint: str
) -> None:
    site.answers[path] = [answer]
    before = contents(data)
    with pytest.raises(DependencyError) as error:
        refresh(site, data)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert contents(data) == before
    assert site.asked[path] <= QUICK.attempts


def test_given_a_redirect_when_refreshed_then_it_is_not_followed(site: Site, data: Path) -> None:
    site.answers[LAMBDA] = [redirect]
    with pytest.raises(DependencyError):
        refresh(site, data)
    assert "/elsewhere" not in site.asked


def test_given_too_little_when_forced_then_it_is_written_and_the_objections_are_told(site: Site, data: Path) -> None:
    site.answers[LAMBDA] = [with_lambda(Operations=[])]
    options = ["--output", str(data), "--endpoint", site.url, "--force"]
    result = CliRunner().invoke(app, ["data", "refresh", *options])
    assert result.exit_code == 0, result.output
    assert "taken although 2 operations where there were 4\n" in result.stdout
    assert "taken although 2 of 3 operations are no longer mapped to actions\n" in result.stdout
    assert read(data / REFERENCE)["services"]["lambda"]["operations"] == {}


def test_given_nobody_answers_when_refreshed_then_it_is_an_error_of_the_dependency(site: Site, data: Path) -> None:
    url = site.url
    site.shutdown()
    site.server_close()
    before = contents(data)
    with pytest.raises(DependencyError, match="ConnectError"):
        refresh_data(ServiceReferenceSite(url, QUICK), data, shipped=DATA, force=False)
    assert contents(data) == before


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://servicereference.us-east-1.amazonaws.com",
        "http://localhost.example",
        "ftp://127.0.0.1",
        "https://user:secret@127.0.0.1",
        "https://127.0.0.1:port",
        "https://",
        "https://a.example/?b",
        "/v1",
        "",
    ],
)
def test_an_endpoint_that_is_not_https_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError) as error:
        ServiceReferenceSite(endpoint)
    assert "secret" not in str(error.value)


def test_given_a_directory_that_is_not_there_when_refreshed_then_nothing_is_asked(site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a directory"):
        refresh(site, tmp_path / "none")
    assert not site.asked


@pytest.mark.parametrize("content", [b"", b"no gzip", *(gzip.compress(text, mtime=0) for text in (b"{", b"[]", b"{}"))])
def test_given_a_reference_at_hand_that_cannot_be_read_when_refreshed_then_nothing_is_changed(
    site: Site, data: Path, content: bytes
) -> None:
    (data / REFERENCE).write_bytes(content)
    before = contents(data)
    with pytest.raises(InputError, match="cannot be read"):
        refresh(site, data)
    assert contents(data) == before


def test_given_the_disk_refuses_when_refreshed_then_nothing_is_changed(
    site: Site, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes

    def refusing(self: Path, content: bytes) -> int:
        if OPERATIONS in self.name:
            raise OSError(28, os.strerror(28))
        return real(self, content)

    before = contents(data)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", refusing)
        with pytest.raises(InputError, match="No space left"):
            refresh(site, data)
    assert contents(data) == before


def test_given_the_command_when_aws_answers_with_a_page_then_one_line_and_exit_code_3(site: Site, data: Path) -> None:
    site.answers[LIST] = [page]
    command = [sys.executable, "-c", "from cli.main import main; main()", "data", "refresh"]
    done = subprocess.run(
        [*command, "--output", str(data), "--endpoint", site.url], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("leastwise: http://127.0.0.1")
    assert len(done.stderr.splitlines()) == 1
