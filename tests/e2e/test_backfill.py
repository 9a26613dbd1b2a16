"""`leastwise backfill` as a person runs it, on the local AWS: from S3 and through Athena (there on DuckDB)."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from infra.build.template import ROOT, load_template
from infra.local.local_aws import LocalAws
from services.scorer.trail.record import Record
from services.scorer.usage.fold import fold
from services.scorer.usage.folded import Folded
from shared.aws.dynamodb import Table
from shared.aws.ledger_items import as_known
from shared.aws.usage_ledger import UsageLedger
from shared.model.resources import NO_RESOURCE
from shared.model.usage import Coverage, IdentityKey, Usage, UsageEntry
from shared.reference import load_operations
from tests.e2e.trail_records import Json, odd_records, random_records

pytestmark = pytest.mark.e2e

LEASTWISE = Path(sys.executable).with_name("leastwise")
TRAIL, RESULTS = "trail-logs", "athena-results"
FOLDERS = (ROOT / "infra" / "local" / "records" / "invictus", ROOT / "tests" / "data" / "cloudtrail")
ORGANIZATION = "o-exampleorg1"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
DAY = datetime.now(UTC).date() - timedelta(days=5)  # of delivery, and of the earliest records
ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("eu-west-1", "us-east-1")


@pytest.fixture(scope="module")
def raw_records() -> list[Json]:
    """Real records, and some made from them of which Athena must not tell too little."""
    files = sorted(file for folder in FOLDERS for file in folder.rglob("*.json.gz"))
    records: list[Json] = []
    for file in files:
        content = json.loads(gzip.decompress(file.read_bytes()))
        records += content["Records"] if isinstance(content, dict) else content
    return _lately([*records, *odd_records(records[0])])


def _lately(records: Iterable[Json]) -> list[Json]:
    """The same records on three days since DAY, which the coverage then holds."""
    return [
        {**record, "eventTime": f"{DAY + timedelta(days=number % 3)}{record['eventTime'][10:]}"}
        for number, record in enumerate(records)
    ]


@pytest.fixture(scope="module")
def local(raw_records: list[Json]) -> Iterator[LocalAws]:
    """The local AWS with a trail's bucket: the same records as one account's trail and as an organization's."""
    with LocalAws.start() as local:
        s3 = local.client("s3")
        for bucket in (TRAIL, RESULTS):
            s3.create_bucket(Bucket=bucket)
        for number, start in enumerate(range(0, len(raw_records), 400)):
            for prefix in ("", f"audit/AWSLogs/{ORGANIZATION}/"):
                account, region = ACCOUNTS[number % 2], REGIONS[number // 2 % 2]
                folder = f"{prefix or 'AWSLogs/'}{account}/CloudTrail/{region}/{DAY:%Y/%m/%d}/"
                body = gzip.compress(json.dumps({"Records": raw_records[start : start + 400]}).encode())
                s3.put_object(Bucket=TRAIL, Key=f"{folder}{account}_{number}.json.gz", Body=body)
        s3.put_object(
            Bucket=TRAIL, Key=f"AWSLogs/{ACCOUNTS[0]}/CloudTrail-Digest/us-east-1/{DAY:%Y/%m/%d}/d.json.gz", Body=b"{"
        )
        yield local


@pytest.fixture(scope="module")
def direct(raw_records: list[Json]) -> Folded:
    """The same records, read from files."""
    return direct_fold(raw_records)


def direct_fold(raw: Iterable[Json]) -> Folded:
    """Usage as local files give it."""
    records = [msgspec.json.decode(json.dumps(record), type=Record) for record in raw]
    return fold(records, load_operations(), feed="trail")


def known_entries(folded: Folded) -> dict[IdentityKey, dict[str, UsageEntry]]:
    """Entries as the ledger keeps them."""
    return {
        key: {name: as_known(entry) for name, entry in usage.entries.items()} for key, usage in folded.usages.items()
    }


def ledger(local: LocalAws, name: str) -> UsageLedger:
    """A new ledger with the deployed one's keys."""
    properties = load_template(ROOT / "infra" / "sam" / "data.yaml")["Resources"]["UsageTable"]["Properties"]
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema")
    local.client("dynamodb").create_table(TableName=name, **{key: properties[key] for key in keys})
    return UsageLedger(Table(local.client("dynamodb"), name), retention_days=3_650)


def backfill(local: LocalAws, *arguments: str) -> tuple[Json, str]:
    """Run the command; its answer, and what it said on the way."""
    command = [str(LEASTWISE), "backfill", "--bucket", TRAIL, "--since", DAY.isoformat(), "--json", *arguments]
    done = subprocess.run(command, env=local.environment(), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def stored(ledger: UsageLedger, direct: Folded) -> tuple[dict[IdentityKey, Usage], dict[str, Coverage]]:
    """Everything that the ledger holds of these identities and accounts."""
    usages = {key: ledger.read(key, since=LONG_AGO) for key in direct.usages}
    return usages, {account: ledger.read_coverage(account, since=LONG_AGO) for account in direct.coverage}


ORGANIZATION_WIDE = ("--prefix", "audit", "--organization-id", ORGANIZATION)
ATHENA = ("--via", "athena", "--output-location", f"s3://{RESULTS}/backfill/")


def test_all_ways_fill_the_ledger_alike(local: LocalAws, direct: Folded) -> None:
    """Given the same records in S3, then both ways give what local files give, Athena's resources perhaps wider."""
    ways: dict[str, tuple[str, ...]] = {
        "s3": (),
        "organization-s3": ORGANIZATION_WIDE,
        "athena": ATHENA,
        "organization-athena": (*ORGANIZATION_WIDE, *ATHENA),
    }
    found = {}
    for name, arguments in ways.items():
        table = ledger(local, f"usage-{name}")
        answer, _ = backfill(local, "--table", f"usage-{name}", "--retention-days", "3650", *arguments)
        assert answer["records"] == direct.records
        assert answer["identities"] == len(direct.usages)
        assert answer["skipped"] == {str(reason): count for reason, count in sorted(direct.skipped.items())}
        assert answer["callers"] == {str(kind): count for kind, count in sorted(direct.callers.items())}
        assert answer["ledger"]["writes"] > 0
        found[name] = stored(table, direct)
    expected = known_entries(direct)
    for usages, coverage in found.values():
        assert coverage == direct.coverage
        assert {key: _without_resources(usage.entries) for key, usage in usages.items()} == {
            key: _without_resources(entries) for key, entries in expected.items()
        }
    for name in ("s3", "organization-s3"):
        assert {key: usage.entries for key, usage in found[name][0].items()} == expected
    assert found["athena"] == found["organization-athena"]
    widened = _widened(expected, found["athena"][0])
    assert widened == WIDER_THROUGH_ATHENA


# What the query can't see as surely: a list of roles, a nested role, a key below the top that could name a function,
# and a parameter that it doesn't take.
WIDER_THROUGH_ATHENA = {"iam:passrole", "lambda:updatefunctioncode", "states:describeactivity"}


def _without_resources(entries: Mapping[str, UsageEntry]) -> dict[str, UsageEntry]:
    return {name: replace(entry, resources=NO_RESOURCE) for name, entry in entries.items()}


def _widened(expected: Mapping[IdentityKey, Mapping[str, UsageEntry]], usages: Mapping[IdentityKey, Usage]) -> set[str]:
    """Actions whose resources differ; each must hold at least what is expected."""
    widened = set()
    for key, entries in expected.items():
        for name, entry in entries.items():
            resources = usages[key].entries[name].resources
            assert entry.resources.join(resources) == resources, (key, name)
            if resources != entry.resources:
                widened.add(name)
    return widened


def test_athena_never_tells_less(local: LocalAws, raw_records: list[Json]) -> None:
    """Given records that combine everything, then Athena gives the same ledger, but for resources that are wider."""
    raw = _lately(random_records(raw_records[0], 3_000))
    key = f"random/AWSLogs/{ACCOUNTS[0]}/CloudTrail/us-east-1/{DAY:%Y/%m/%d}/1.json.gz"
    local.client("s3").put_object(Bucket=TRAIL, Key=key, Body=gzip.compress(json.dumps({"Records": raw}).encode()))
    expected = direct_fold(raw)
    table = ledger(local, "random")
    answer, _ = backfill(local, "--prefix", "random", "--table", "random", "--retention-days", "3650", *ATHENA)
    usages, coverage = stored(table, expected)
    # Records older than event version 1.02 don't say whose trail tells: the query leaves their days out.
    told = direct_fold(record for record in raw if record["recipientAccountId"])
    assert {account: seen for account, seen in coverage.items() if seen.days} == told.coverage
    assert answer["skipped"] == {str(reason): count for reason, count in sorted(expected.skipped.items())}
    known = known_entries(expected)
    assert {key: _without_resources(usage.entries) for key, usage in usages.items()} == {
        key: _without_resources(entries) for key, entries in known.items()
    }
    assert _widened(known, usages)
    assert any(entry.resources.patterns() for usage in usages.values() for entry in usage.entries.values())


@pytest.mark.parametrize("arguments", [(), ATHENA], ids=["s3", "athena"])
def test_a_second_run_writes_nothing(local: LocalAws, arguments: tuple[str, ...]) -> None:
    name = f"twice-{len(arguments)}"
    ledger(local, name)
    first, _ = backfill(local, "--table", name, "--retention-days", "3650", *arguments)
    second, said = backfill(local, "--table", name, "--retention-days", "3650", *arguments)
    assert first["ledger"]["writes"] > 0
    assert second == {**first, "ledger": {**first["ledger"], "writes": 0}}
    assert "go on with" not in said


@pytest.mark.parametrize("arguments", [(), ATHENA], ids=["s3", "athena"])
def test_a_dry_run_writes_nothing(local: LocalAws, arguments: tuple[str, ...]) -> None:
    """A dry run needs no ledger at all: there is no stack on this AWS."""
    answer, _ = backfill(local, "--dry-run", *arguments)
    assert answer["dry_run"]
    assert answer["ledger"]["writes"] == 0
    assert answer["ledger"]["entries"] > 0
    assert answer["last_finished_day"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("arguments", [(), ATHENA], ids=["s3", "athena"])
def test_what_only_reads_and_what_is_yet_to_come_is_told_alike(
    local: LocalAws, raw_records: list[Json], arguments: tuple[str, ...]
) -> None:
    """Given a day with events that only read, one without, and a record of the future, then only the days are told."""
    base = {**raw_records[0], "eventCategory": "Management", "recipientAccountId": ACCOUNTS[0]}
    now = datetime.now(UTC)
    tomorrow, later = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (22, 26))
    changes: list[Json] = [
        {"eventTime": f"{DAY}T10:00:00Z", "readOnly": True},
        {"eventTime": f"{DAY}T11:00:00Z", "readOnly": False},
        {"eventTime": f"{DAY + timedelta(days=1)}T10:00:00Z", "readOnly": False},
        {"eventTime": f"{DAY + timedelta(days=1)}T11:00:00Z", "readOnly": True, "eventCategory": "Data"},
        {"eventTime": f"{DAY + timedelta(days=1)}T11:00:00Z", "readOnly": None},
        {"eventTime": tomorrow, "readOnly": False},
        {"eventTime": later, "readOnly": True},
    ]
    records = [{**base, **change} for change in changes]
    key = f"reads/AWSLogs/{ACCOUNTS[0]}/CloudTrail/us-east-1/{DAY:%Y/%m/%d}/1.json.gz"
    local.client("s3").put_object(Bucket=TRAIL, Key=key, Body=gzip.compress(json.dumps({"Records": records}).encode()))
    name = f"reads-{len(arguments)}"
    table = ledger(local, name)
    answer, _ = backfill(local, "--prefix", "reads", "--table", name, "--retention-days", "3650", *arguments)
    assert (answer["records"], answer["skipped"]["unreadable"]) == (len(records) - 1, 1)
    seen = table.read_coverage(ACCOUNTS[0], since=LONG_AGO).seen
    days = {DAY: True, DAY + timedelta(days=1): False, date.fromisoformat(tomorrow[:10]): False}
    assert {day: what.reads for day, what in seen.items()} == days


@pytest.mark.parametrize("arguments", [(), ATHENA], ids=["s3", "athena"])
def test_only_what_is_selected_is_read(local: LocalAws, raw_records: list[Json], arguments: tuple[str, ...]) -> None:
    answer, _ = backfill(local, "--dry-run", "--accounts", ACCOUNTS[0], "--regions", REGIONS[0], *arguments)
    files = [raw_records[start : start + 400] for start in range(0, len(raw_records), 400)]
    assert answer["records"] == sum(map(len, files[0::4]))
    assert answer["without_coverage"] == [ACCOUNTS[0]]
    assert answer["ledger"]["days"] == 0
    before, _ = backfill(
        local, "--dry-run", "--since", str(DAY - timedelta(days=9)), "--until", str(DAY - date.resolution), *arguments
    )
    assert before["records"] == 0
