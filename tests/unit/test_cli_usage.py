"""`leastwise usage`: the same answer in every way of giving the records, and nothing unread without being told."""

import gc
import gzip
import io
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.reading_trails.files import read_trails
from cli.reading_trails.reading import TOLD as KEPT
from cli.reading_trails.reading import Reading
from cli.usage import TOLD
from infra.build.template import ROOT
from shared.errors import DependencyError, InputError

ACCOUNT = "111122223333"
ANN, ORDERS = "AIDAEXAMPLEEXAMPLE1", "AROAEXAMPLEEXAMPLE1"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/team/orders"
USER = {"type": "IAMUser", "principalId": ANN, "arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "accountId": ACCOUNT}
SESSION = {
    "type": "AssumedRole",
    "principalId": f"{ORDERS}:job",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/orders/job",
    "accountId": ACCOUNT,
    "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": ORDERS, "arn": ROLE_ARN, "accountId": ACCOUNT}},
}
SERVICE = {"type": "AWSService", "invokedBy": "config.amazonaws.com"}
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders"
NAMED = [{"ARN": TOPIC, "type": "AWS::SNS::Topic", "accountId": ACCOUNT}]
DENIED = {"errorCode": "AccessDenied", "errorMessage": "not authorized to perform: sns:Publish"}


def record(time: str, event: str, who: Mapping[str, Any], event_id: str | None, **more: Any) -> dict[str, Any]:
    source, name = event.split(":")
    return {
        "eventVersion": "1.09",
        "userIdentity": who,
        "eventTime": time,
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "requestParameters": None,
        "eventID": event_id,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "managementEvent": True,
        "eventCategory": "Management",
        **more,
    }


RECORDS = [
    record("2026-05-01T12:00:00Z", "sns:Publish", SESSION, "1", resources=NAMED),
    record("2026-05-03T09:30:00Z", "sns:Publish", SESSION, "2", resources=NAMED),
    record("2026-05-02T08:00:00Z", "sns:Publish", SESSION, "3", **DENIED),
    record("2026-05-03T10:00:00Z", "iam:ListUsers", USER, "4"),
    record("2026-05-05T10:00:00Z", "iam:DeleteUser", USER, "5", errorCode="AccessDenied"),
    record("2026-05-05T11:00:00Z", "config:PutEvaluations", SERVICE, None),
    record("2026-05-03T09:30:00Z", "sns:Publish", SESSION, "2", resources=NAMED),
]


def span(first: str, last: str | None = None) -> dict[str, str]:
    return {"first_seen": first, "last_seen": last or first}


def action(evidence: str, seen: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"evidence": evidence, **seen, "resources": [], "regions": [], "denied": None, "also": {}, **more}


REFUSED, REFUSED_USER = span("2026-05-02T08:00:00Z"), span("2026-05-05T10:00:00Z")
ANSWER: dict[str, Any] = {
    "identities": [
        {
            "arn": USER["arn"],
            "id": ANN,
            "account": ACCOUNT,
            "actions": {
                "iam:DeleteUser": action("denied", REFUSED_USER, denied=REFUSED_USER),
                "iam:ListUsers": action(
                    "observed", span("2026-05-03T10:00:00Z"), resources=None, regions=["eu-west-1"]
                ),
            },
        },
        {
            "arn": ROLE_ARN,
            "id": ORDERS,
            "account": ACCOUNT,
            "actions": {
                "sns:Publish": action(
                    "observed",
                    span("2026-05-01T12:00:00Z", "2026-05-03T09:30:00Z"),
                    resources=[TOPIC],
                    regions=["eu-west-1"],
                    denied=REFUSED,
                ),
            },
        },
    ],
    "records": 7,
    "duplicates": 1,
    "skipped": {"aws_service": 1},
    "callers": {"aws_service": 1, "iam_identity": 6},
    "coverage": {
        ACCOUNT: {
            "days": 4,
            "first_day": "2026-05-01",
            "last_day": "2026-05-05",
            "gaps": [["2026-05-04", "2026-05-04"]],
            "regions": ["eu-west-1"],
        }
    },
    "unreadable": [],
    "unreadable_not_listed": 0,
}


def run(*arguments: str | Path, given: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["usage", *map(str, arguments)], input=given)


def answer(*arguments: str | Path, given: bytes = b"") -> dict[str, Any]:
    result = run("--json", *arguments, given=given)
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def log(*records: Any) -> bytes:
    return json.dumps({"Records": records}).encode()


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


# ---- one answer in every way of giving the records

EVENTS = [{"EventId": str(number), "CloudTrailEvent": json.dumps(one)} for number, one in enumerate(RECORDS)]
ENVELOPES = [{"detail-type": "AWS API Call via CloudTrail", "source": "aws.x", "detail": one} for one in RECORDS]
TREE = {"a/one.json.gz": log(*RECORDS[:3]), "a/b/two.JSON": log(*RECORDS[3:5]), "three.jsonl": lines(*RECORDS[5:])}
WAYS: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "a trail log": ({"x.json": log(*RECORDS)}, ["--cloudtrail", "x.json"]),
    "a compressed one": ({"x.json.gz": log(*RECORDS)}, ["--cloudtrail", "x.json.gz"]),
    "a file without an ending": ({"x": lines(*RECORDS)}, ["--cloudtrail", "x"]),
    "an array": ({"x.json": json.dumps(RECORDS).encode()}, ["--cloudtrail", "x.json"]),
    "events that were looked up": ({"x.json": json.dumps({"Events": EVENTS}).encode()}, ["--cloudtrail", "x.json"]),
    "events of EventBridge": ({"x.ndjson": lines(*ENVELOPES)}, ["--cloudtrail", "x.ndjson"]),
    "single records": ({f"{n}.json": lines(one) for n, one in enumerate(RECORDS)}, ["--cloudtrail", "."]),
    "a directory": (TREE, ["--cloudtrail", "."]),
    "several paths": (TREE, ["--cloudtrail", "a", "three.jsonl"]),
    "the option repeated": (TREE, ["--cloudtrail", "three.jsonl", "--cloudtrail", "a"]),
    "everything twice": (TREE, ["--cloudtrail", "a", "three.jsonl", "./a/one.json.gz", ".", "a/b/../b"]),
    "two processes": (TREE, ["--cloudtrail", ".", "--jobs", "2"]),
    "more processes than files": (TREE, ["--jobs", "9", "--cloudtrail", "."]),
    "a process on each processor": (TREE, ["--jobs", "0", "--cloudtrail", "."]),
}


@pytest.mark.parametrize("way", WAYS)
def test_given_records_in_any_way_when_asked_then_the_answer_is_the_same(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, arguments = WAYS[way]
    monkeypatch.chdir(written(tmp_path, files))
    assert answer(*arguments) == ANSWER | {"files": {"read": len(files), "ignored": {}}}


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_given_standard_input_and_files_when_asked_then_both_count(jobs: int, tmp_path: Path) -> None:
    written(tmp_path, {"a.json.gz": log(*RECORDS[:2]), "b.json": log(*RECORDS[2:3])})
    for given in (lines(*RECORDS[3:]), gzip.compress(log(*RECORDS[3:]))):
        answered = answer("--cloudtrail", "-", tmp_path, "-", "--jobs", str(jobs), given=given)
        assert answered == ANSWER | {"files": {"read": 3, "ignored": {}}}


def test_given_real_records_when_read_in_any_order_by_any_number_of_processes_then_every_byte_is_the_same() -> None:
    folder = ROOT / "tests" / "data" / "cloudtrail" / "stratus-red-team"
    files = sorted(folder.glob("*.json.gz"))
    once = run("--json", "--cloudtrail", *files)
    told = json.loads(once.stdout)
    assert told["files"] == {"read": len(files), "ignored": {}}
    assert told["records"] > len(told["identities"]) > 1
    for jobs, paths in (("1", files[::-1]), ("2", [*files[5:], *files[:9]]), ("3", [*files[::2], *files[1::2]])):
        assert run("--json", "--cloudtrail", *paths, "--jobs", jobs).stdout == once.stdout


# ---- duplicates


@pytest.mark.parametrize("jobs", ["1", "2", "3"])
def test_given_records_that_came_before_when_read_then_each_is_counted_once_across_files(
    jobs: str, tmp_path: Path
) -> None:
    anonymous = record("2026-05-01T12:00:00Z", "sns:Publish", SESSION, None)
    files = {f"{n}.json": log(*RECORDS[: n + 1], anonymous) for n in range(4)}
    told = answer("--cloudtrail", written(tmp_path, files), "--jobs", jobs)
    assert told["records"] == 1 + 2 + 3 + 4 + 4
    assert told["duplicates"] == 0 + 1 + 2 + 3


def test_given_a_copy_of_a_file_when_read_then_its_records_are_duplicates_but_a_link_to_it_is_the_file(
    tmp_path: Path,
) -> None:
    written(tmp_path, {"a.json": log(*RECORDS[:3]), "copy.json": log(*RECORDS[:3])})
    (tmp_path / "link.json").symlink_to("a.json")
    (tmp_path / "hard.json").hardlink_to(tmp_path / "a.json")
    told = answer("--cloudtrail", tmp_path)
    assert (told["records"], told["duplicates"], told["files"]["read"]) == (6, 3, 2)


# ---- what cannot be read within a file

BROKEN = b'{"Records": [' + json.dumps(RECORDS[0]).encode() + b', {"eventTime": 7}, ' + json.dumps(RECORDS[3]).encode()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_broken_text_when_read_then_the_rest_is_and_it_is_told_where_and_why(jobs: str, tmp_path: Path) -> None:
    written(tmp_path, {"a.json": BROKEN + b"]}", "b.json": log(*RECORDS[:2])})
    result = run("--cloudtrail", tmp_path, "--json", "--jobs", jobs)
    told = json.loads(result.stdout)
    (place,) = told["unreadable"]
    assert result.exit_code == 0
    assert told["records"] == 4
    assert told["skipped"] == {"unreadable": 1}
    assert place["file"] == str(tmp_path / "a.json")
    assert 0 < place["position"] < len(BROKEN)
    assert "eventTime" in place["reason"]
    assert result.stderr == f"leastwise: {place['file']}, position {place['position']}: {place['reason']}\n"


def test_given_broken_text_when_strict_then_the_answer_is_the_same_and_the_exit_code_2(tmp_path: Path) -> None:
    written(tmp_path, {"a.json": BROKEN})
    lenient, strict = run("--cloudtrail", tmp_path, "--json"), run("--cloudtrail", tmp_path, "--json", "--strict")
    assert (lenient.exit_code, strict.exit_code) == (0, 2)
    assert (lenient.stdout, lenient.stderr) == (strict.stdout, strict.stderr)


def test_given_sound_records_when_strict_then_the_exit_code_is_0(tmp_path: Path) -> None:
    assert run("--cloudtrail", written(tmp_path, {"a.json": log(*RECORDS)}), "--strict").exit_code == 0


def test_given_more_broken_places_than_are_told_when_read_then_the_first_are_told_and_all_are_counted(
    tmp_path: Path,
) -> None:
    each = KEPT - 10
    files = {f"{n}.jsonl": b'{"eventTime": 7}\n' * each + lines(RECORDS[0]) for n in (3, 1, 2)}
    written(tmp_path, files)
    once, shared = (run("--cloudtrail", tmp_path, "--json", "--jobs", jobs) for jobs in ("1", "3"))
    told = json.loads(once.stdout)
    assert once.stdout == shared.stdout
    assert once.stderr == shared.stderr
    assert told["skipped"]["unreadable"] == 3 * each
    assert len(told["unreadable"]) == KEPT
    assert told["unreadable_not_listed"] == 3 * each - KEPT
    assert [place["file"][-7:] for place in told["unreadable"]] == ["1.jsonl"] * each + ["2.jsonl"] * 10
    assert len(once.stderr.splitlines()) == TOLD + 1
    assert once.stderr.splitlines()[-1] == f"leastwise: {3 * each - TOLD} more places could not be read"


# ---- which files


def test_given_other_files_when_a_directory_is_read_then_they_are_left_alone_and_counted(tmp_path: Path) -> None:
    name = f"{ACCOUNT}_CloudTrail-Digest_eu-west-1_leastwise_eu-west-1_20260501T120000Z.json.gz"
    digest = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/05/01/{name}"
    lake = f"AWSLogs/{ACCOUNT}/CloudTrail-Lake/Query/2026/05/01/e2f6c6e8/result_sign.json"
    config = f"AWSLogs/{ACCOUNT}/Config/eu-west-1/2026/5/1/ConfigHistory/{ACCOUNT}_Config_eu-west-1.json.gz"
    written(tmp_path, {"README.md": b"no records", "a.json": log(*RECORDS), digest: b"{}", config: b"{}", lake: b"{}"})
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / ".#a.lock").symlink_to("nowhere")
    assert answer("--cloudtrail", tmp_path, tmp_path)["files"] == {
        "read": 1,
        "ignored": {"digest": 1, "log_of_another_service": 1, "not_a_trail_file": 3, "signature": 1},
    }


def test_given_a_directory_without_trail_files_when_read_then_that_is_told_and_no_usage_with_strict(
    tmp_path: Path,
) -> None:
    written(tmp_path, {"README.md": b"no records"})
    lenient, strict = run("--cloudtrail", tmp_path, "--json"), run("--cloudtrail", tmp_path, "--strict")
    assert json.loads(lenient.stdout)["records"] == 0
    assert (lenient.exit_code, strict.exit_code) == (0, 2)
    assert lenient.stderr == f"leastwise: no CloudTrail files in {tmp_path}\n"


def missing_file(folder: Path) -> Path:
    return folder / "nowhere"


def circle(folder: Path) -> Path:
    (folder / "a").mkdir()
    (folder / "a" / "back").symlink_to(folder)
    return folder


def link_to_itself(folder: Path) -> Path:
    (folder / "a.json").symlink_to("a.json")
    return folder


def link_to_nowhere(folder: Path) -> Path:
    (folder / "a.json").symlink_to("nowhere")
    return folder


def name_with_nul(folder: Path) -> Path:
    return folder / "\0"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (missing_file, "nowhere: cannot be read: No such file or directory"),
        (circle, "a/back: a symbolic link leads back to a directory above it"),
        (link_to_itself, "a.json: cannot be read: Too many levels of symbolic links"),
        (link_to_nowhere, "a.json: cannot be read: No such file or directory"),
        (name_with_nul, "cannot be read: embedded null byte"),
    ],
)
def test_given_a_path_that_cannot_be_read_when_asked_then_the_error_names_it(
    make: Callable[[Path], Path], told: str, tmp_path: Path
) -> None:
    written(tmp_path, {"sound.json": log(*RECORDS)})
    result = run("--cloudtrail", tmp_path / "sound.json", make(tmp_path))
    assert isinstance(result.exception, InputError)
    assert told in str(result.exception)
    assert result.stdout == ""


def test_given_a_file_that_must_not_be_read_when_asked_then_nothing_is_read_before_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"a.json": log(*RECORDS), "b.json": log(*RECORDS)})
    monkeypatch.setattr(os, "access", lambda path, _: not str(path).endswith("b.json"))
    monkeypatch.setattr(Reading, "read", None)
    result = run("--cloudtrail", tmp_path)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == f"{tmp_path / 'b.json'}: cannot be read: permission denied"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_a_file_that_fails_while_it_is_read_when_asked_then_that_is_an_error_and_no_answer(
    jobs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    written(tmp_path, {"a.json": log(*RECORDS), "b.json": log(*RECORDS)})
    monkeypatch.setattr(Path, "open", lambda *_: Failing())
    result = run("--cloudtrail", tmp_path, "--jobs", jobs)
    assert isinstance(result.exception, InputError)
    assert "json: cannot be read: Input/output error" in str(result.exception)
    assert result.stdout == ""


def test_given_a_job_that_is_killed_when_asked_then_that_is_an_error_and_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"a.json": log(*RECORDS), "b.json": log(*RECORDS)})
    monkeypatch.setattr(Reading, "summed", lambda _: os.kill(os.getpid(), signal.SIGKILL))  # a forked one's last step
    result = run("--cloudtrail", tmp_path, "--jobs", "2", "--json")
    assert isinstance(result.exception, DependencyError)
    assert "killed by signal 9" in str(result.exception)
    assert result.stdout == ""


def test_given_paths_when_their_records_are_read_one_by_one_then_files_and_progress_are_told(tmp_path: Path) -> None:
    written(tmp_path, {"b.json": log(*RECORDS), "a.json.gz": log(*RECORDS[:2]), "c.txt": b""})
    progress: list[tuple[int, int]] = []
    told = list(read_trails([str(tmp_path)], on_progress=lambda *read: progress.append(read)))
    assert [trail.path[len(str(tmp_path)) :] for trail, _ in told] == ["/a.json.gz", "/b.json"]
    assert [record.event_id for _, batch in told for record in batch.records] == [
        one["eventID"] for one in [*RECORDS[:2], *RECORDS]
    ]
    assert sum(size for size, _ in progress) == sum(path.stat().st_size for path in tmp_path.glob("*.json*"))
    assert sum(records for _, records in progress) == 9


def test_given_a_command_that_searches_rarely_for_garbage_when_it_ends_then_all_is_as_before(tmp_path: Path) -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    assert run("--cloudtrail", written(tmp_path, {"a.json": log(*RECORDS)})).exit_code == 0
    assert run("--cloudtrail", tmp_path / "nowhere").exit_code == 1
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


# ---- parts of the answer


@pytest.mark.parametrize(
    ("since", "until", "events"),
    [
        ("2026-05-03", None, ["2", "4", "5", None, "2"]),
        (None, "2026-05-03", ["1", "2", "3", "4", "2"]),
        ("2026-05-03T09:30:00Z", "2026-05-03T10:00:00", ["2", "2"]),
        ("2026-05-03T11:31:00+02:00", "2026-05-03T12:00:01+02:00", ["4"]),
        (None, "9999-12-30", ["1", "2", "3", "4", "5", None, "2"]),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_a_time_when_asked_then_only_its_records_tell_and_the_others_are_counted(
    since: str | None, until: str | None, events: Sequence[str | None], jobs: str, tmp_path: Path
) -> None:
    within = [one for one in RECORDS if one["eventID"] in events]
    bounds = [*(["--since", since] if since else []), *(["--until", until] if until else [])]
    written(tmp_path, {"all/a.json": log(*RECORDS[:4]), "all/b.json": log(*RECORDS[4:]), "some.json": log(*within)})
    told = answer("--cloudtrail", tmp_path / "all", "--jobs", jobs, *bounds)
    alone = answer("--cloudtrail", tmp_path / "some.json")
    outside = len(RECORDS) - len(within)
    assert told["skipped"].pop("outside_window", 0) == outside
    assert told["records"] == len(RECORDS)
    assert {key: told[key] for key in ("identities", "coverage", "callers", "skipped")} == {
        key: alone[key] for key in ("identities", "coverage", "callers", "skipped")
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "yesterday"],
        ["--until", "9999-12-31"],
        ["--since", "2026-05-02", "--until", "2026-05-01"],
        ["--jobs", "-1"],
    ],
)
def test_given_a_time_or_a_number_that_is_none_when_asked_then_it_is_refused(
    arguments: list[str], tmp_path: Path
) -> None:
    result = run("--cloudtrail", tmp_path, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_given_no_path_when_asked_then_it_is_refused() -> None:
    assert run().exit_code == 2


@pytest.mark.parametrize("command", [["usage", "--cloudtrail"], ["data", "coverage"]])
def test_given_an_empty_path_when_asked_then_it_is_no_directory(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written(tmp_path, {"a.json": log(*RECORDS)}))
    result = CliRunner().invoke(app, [*command, "", "a.json"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "an empty path: name a file or a directory"
    assert result.stdout == ""


@pytest.mark.parametrize("name", [ORDERS, ROLE_ARN])
def test_given_an_identity_when_asked_then_only_it_is_told(name: str, tmp_path: Path) -> None:
    written(tmp_path, {"a.json": log(*RECORDS)})
    told = answer("--cloudtrail", tmp_path, "--identity", name)
    assert told == ANSWER | {"identities": ANSWER["identities"][1:], "files": {"read": 1, "ignored": {}}}


def test_given_an_identity_that_nobody_tells_of_when_asked_then_that_is_said(tmp_path: Path) -> None:
    written(tmp_path, {"a.json": log(*RECORDS)})
    arguments = ["--cloudtrail", str(tmp_path), "--identity", "AROANOBODY", "--identity", ANN]
    result, strict = run(*arguments, "--json"), run(*arguments, "--strict")
    assert [one["id"] for one in json.loads(result.stdout)["identities"]] == [ANN]
    assert result.stderr == "leastwise: AROANOBODY: no record tells what it did\n"
    assert (result.exit_code, strict.exit_code) == (0, 2)


def test_given_weaker_evidence_too_when_asked_then_it_is_told_beside_the_strongest(tmp_path: Path) -> None:
    throttled = record("2026-05-09T10:00:00Z", "iam:ListUsers", USER, "9", errorCode="Throttling")
    told = answer("--cloudtrail", written(tmp_path, {"a.json": log(*RECORDS, throttled)}))
    listed = told["identities"][0]["actions"]["iam:ListUsers"]
    assert listed["evidence"] == "observed"
    assert listed["last_seen"] == "2026-05-03T10:00:00Z"
    assert listed["also"] == {"possible": span("2026-05-09T10:00:00Z")}


# ---- for people


def test_given_people_when_asked_then_each_identity_has_a_row_and_what_was_read_is_summed_up(tmp_path: Path) -> None:
    written(tmp_path, {"a.json": log(*RECORDS), "b.txt": b""})
    result = run("--cloudtrail", tmp_path)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [str(USER["arn"]), "1", "0", "1", "2026-05-03T10:00:00Z", "2026-05-05T10:00:00Z", "3"] in rows
    assert [ROLE_ARN, "1", "0", "1", "2026-05-01T12:00:00Z", "2026-05-03T09:30:00Z", "3"] in rows
    assert "7 records in 1 files, 1 of them duplicates." in result.stdout
    assert "Skipped: aws service 1." in result.stdout
    assert "Files left alone: not a trail file 1." in result.stdout
    assert (
        f"Account {ACCOUNT}: 4 days from 2026-05-01 to 2026-05-05, nothing on 2026-05-04; eu-west-1." in result.stdout
    )


def test_given_people_when_an_identity_is_asked_for_then_its_actions_are_told_in_full(tmp_path: Path) -> None:
    written(tmp_path, {"a.json": log(*RECORDS)})
    result = run("--cloudtrail", tmp_path, "--identity", ORDERS, "--identity", ANN)
    told = " ".join(result.stdout.split())
    assert ROLE_ARN in told
    assert (
        f"sns:Publish observed 2026-05-01T12:00:00Z 2026-05-03T09:30:00Z 2026-05-02T08:00:00Z eu-west-1 {TOPIC}" in told
    )
    assert "iam:ListUsers observed 2026-05-03T10:00:00Z 2026-05-03T10:00:00Z never eu-west-1 any" in told
    assert "iam:DeleteUser denied 2026-05-05T10:00:00Z 2026-05-05T10:00:00Z 2026-05-05T10:00:00Z none" in told


def test_given_more_identities_than_people_read_when_asked_then_those_with_most_actions_are_shown(
    tmp_path: Path,
) -> None:
    users = [USER | {"principalId": f"AIDA{number:04}", "arn": f"{USER['arn']}{number:04}"} for number in range(5)]
    uses = [
        (number, f"iam:List{letter}")
        for number, letters in enumerate(["A", "AB", "A", "ABC", "AB"])
        for letter in letters
    ]
    records = [record("2026-05-01T12:00:00Z", event, users[number], None) for number, event in uses]
    written(tmp_path, {"a.json": log(*records)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.usage_tables.IDENTITIES_SHOWN", 2)
        few = run("--cloudtrail", tmp_path).stdout
    every = run("--cloudtrail", tmp_path).stdout
    assert [number for number in range(5) if f"{USER['arn']}{number:04}" in few] == [1, 3]
    assert "3 more identities, none with more actions, are left out: --json tells of all, --identity of one." in few
    assert [number for number in range(5) if f"{USER['arn']}{number:04}" in every] == [0, 1, 2, 3, 4]
    assert "left out" not in every


def test_given_text_that_commands_a_terminal_when_shown_then_it_is_spelled_out(tmp_path: Path) -> None:
    hostile = USER | {"arn": f"arn:aws:iam::{ACCOUNT}:user/[bold]ann[/bold]"}
    content = log(record("2026-05-01T12:00:00Z", "iam:ListUsers", hostile, "1")) + b"{"
    written(tmp_path, {"\x1b[2J[red].json": content})
    for arguments in ([], ["--identity", ANN]):
        result = run("--cloudtrail", tmp_path, *arguments)
        assert ":user/[bold]ann[/bold]" in result.stdout
        assert "\\x1b[2J[red].json" in result.stderr
        assert "\x1b" not in result.stdout + result.stderr


class Terminal(io.StringIO):
    """Standard error that people look at."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_a_terminal_when_reading_then_progress_is_shown_there_and_nowhere_else(
    jobs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {f"{n}.json": log(*RECORDS) for n in range(3)})
    piped = run("--cloudtrail", tmp_path, "--json", "--jobs", jobs)
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("cli.reading_trails.shares.TICK_SECONDS", 0)
    monkeypatch.setattr("cli.reading_trails.progress.sys", SimpleNamespace(stderr=terminal))
    shown = run("--cloudtrail", tmp_path, "--json", "--jobs", jobs)
    assert piped.stderr == shown.stderr == ""
    assert shown.stdout == piped.stdout
    assert "of 3 files, 21 records" in terminal.getvalue()
