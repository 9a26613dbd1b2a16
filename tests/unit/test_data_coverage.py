"""`leastwise data coverage`: what the map says of each record, and which calls it says nothing certain of."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cli.data_coverage import coverage_of
from cli.main import app
from infra.build.template import ROOT
from services.scorer.trail.batch import Batch, Unreadable
from services.scorer.trail.record import Record
from shared.reference import load_operations

INVICTUS = ROOT / "infra/local/records/invictus"
STRATUS = ROOT / "tests/data/cloudtrail/stratus-red-team"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(source: str | None, name: str | None, event_type: str | None = "AwsApiCall") -> Record:
    return Record(event_time=NOON, event_source=source, event_name=name, event_type=event_type)


def covered(records: Iterable[Record], unreadable: int = 0) -> dict[str, Any]:
    return coverage_of([Batch(list(records), [Unreadable(0, "x")] * unreadable)], load_operations())


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["data", "coverage", *map(str, arguments)])


def test_each_record_is_counted_once_by_what_the_map_says_of_it() -> None:
    answer = covered(
        [
            *[record("ec2.amazonaws.com", "RunInstances")] * 3,
            record("s3.amazonaws.com", "GetObject", None),  # before event version 1.02, without a type
            record("s3.amazonaws.com", "DeleteObjects"),
            *[record("ec2.amazonaws.com", "DoNewThings")] * 2,
            record("newservice.amazonaws.com", "DoThings"),
            record("sso.amazonaws.com", "Logout"),
            record("signin.amazonaws.com", "ConsoleLogin", "AwsConsoleSignIn"),
            record("kms.amazonaws.com", "RotateKey", "AwsServiceEvent"),
            record("ec2.amazonaws.com", "RunInstances", "AwsCloudTrailInsight"),
            record("ec2.amazonaws.com", None),
            record("not a source", "?"),
        ],
        unreadable=2,
    )
    assert answer == {
        "records": 14,
        "mapped": {"primary": 4, "possible": 1, "presumed": 3},
        "unmapped": 6,
        "unreadable": 2,
        "calls": [
            {"event_source": "ec2.amazonaws.com", "event_name": "", "count": 1, "reason": "malformed"},
            {
                "event_source": "ec2.amazonaws.com",
                "event_name": "DoNewThings",
                "count": 2,
                "reason": "unknown_operation",
                "action": "ec2:DoNewThings",
            },
            {
                "event_source": "ec2.amazonaws.com",
                "event_name": "RunInstances",
                "count": 1,
                "reason": "not_an_api_call",
            },
            {"event_source": "kms.amazonaws.com", "event_name": "RotateKey", "count": 1, "reason": "service_event"},
            {
                "event_source": "newservice.amazonaws.com",
                "event_name": "DoThings",
                "count": 1,
                "reason": "unknown_service",
                "action": "newservice:DoThings",
            },
            {"event_source": "not a source", "event_name": "?", "count": 1, "reason": "unknown_service"},
            {
                "event_source": "signin.amazonaws.com",
                "event_name": "ConsoleLogin",
                "count": 1,
                "reason": "console_sign_in",
            },
            {"event_source": "sso.amazonaws.com", "event_name": "Logout", "count": 1, "reason": "no_action"},
        ],
    }


def test_nothing_is_covered_by_nothing() -> None:
    assert coverage_of([], load_operations()) == {
        "records": 0,
        "mapped": {"primary": 0, "possible": 0, "presumed": 0},
        "unmapped": 0,
        "unreadable": 0,
        "calls": [],
    }


def test_every_call_of_the_real_records_is_mapped() -> None:
    """One hour of a real account, and one trail of each attack technique: all that is left is no API call."""
    answer = json.loads(run("--json", INVICTUS, STRATUS).stdout)
    assert answer["records"] == answer["unmapped"] + sum(answer["mapped"].values()) > 2_900
    assert answer["unreadable"] == 0
    assert answer["mapped"]["presumed"] == 0
    assert answer["mapped"]["possible"] == 4  # the console's view of S3 Storage Lens
    reasons = Counter[str]()
    for call in answer["calls"]:
        reasons[call["reason"]] += call["count"]
    assert set(reasons) == {"console_sign_in", "service_event"}
    assert reasons.total() == answer["unmapped"]


def test_given_people_when_asked_then_counts_and_a_line_for_each_call(tmp_path: Path) -> None:
    base = {"eventTime": "2026-03-01T12:00:00Z", "eventType": "AwsApiCall"}
    odd = {**base, "eventSource": "x\u001b[2J.amazonaws.com", "eventName": "Do"}
    new = {**base, "eventSource": "sqs.amazonaws.com", "eventName": "DoNewThings"}
    (tmp_path / "trail.json").write_text(json.dumps({"Records": [odd, new, new]}))
    result = run(tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "3 records",
        "          0  prove an action",
        "          0  may have needed an action",
        "          2  presumed to need the action of their own name",
        "          1  without an action",
        "          0  unreadable places",
        "          2  sqs.amazonaws.com DoNewThings: unknown_operation (sqs:DoNewThings)",
        r"          1  x\x1b[2J.amazonaws.com Do: unknown_service",
    ]


def test_given_a_path_that_is_not_there_when_asked_then_it_is_an_error() -> None:
    result = run("/nothing/there")
    assert result.exit_code != 0
    assert result.stdout == ""
