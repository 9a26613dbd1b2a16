"""`leastwise backfill` from S3, on moto: days, failures, threads; and how Athena's result is read."""

import gzip
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from typer.testing import CliRunner, Result

from cli.backfilling import objects
from cli.backfilling.folders import Places, find_places
from cli.backfilling.ledger import LedgerWriter
from cli.backfilling.objects import Failure, read_objects
from cli.backfilling.outcome import Outcome
from cli.backfilling.progress import Progress
from cli.backfilling.queries import QueryBackfill
from cli.main import app
from services.scorer.backfill.layout import TrailLayout
from services.scorer.backfill.query import RESULT_COLUMNS
from services.scorer.backfill.table import MAX_INJECTED, TrailTable
from shared.aws import clients
from shared.aws.athena import Athena, FinishedQuery, Place
from shared.aws.backfill_session import BackfillSession, LedgerPlace
from shared.aws.dynamodb import Table
from shared.aws.s3 import LogBucket, LogKey, ObjectStream
from shared.aws.usage_ledger import UsageLedger
from shared.errors import DeniedError, DependencyError, InputError, NotFoundError
from shared.model.usage import Coverage, IdentityKey
from shared.reference import load_operations
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT
from tests.conftest import Stack

TRAIL, REGION = "trail", "us-east-1"
TODAY = datetime.now(UTC).date()
DAYS = [TODAY - timedelta(days=ago) for ago in (3, 2, 1)]
USER = "AIDAEXAMPLE0000000001"
KEY = IdentityKey(ACCOUNT, USER)

pytestmark = pytest.mark.usefixtures("atomic_calls")


def record(day: date, name: str = "ListBuckets", **changes: Any) -> dict[str, Any]:
    """A call of one user."""
    return {
        "eventVersion": "1.08",
        "eventID": "e",
        "eventTime": f"{day}T12:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {
            "type": "IAMUser",
            "principalId": USER,
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ada",
            "accountId": ACCOUNT,
        },
        **changes,
    }


def key_of(day: date, name: str, *, account: str = ACCOUNT, folder: str = "CloudTrail", prefix: str = "") -> str:
    return f"{prefix}AWSLogs/{account}/{folder}/{REGION}/{day:%Y/%m/%d}/{account}_{folder}_{REGION}_{name}.json.gz"


def put(key: str, *records: Mapping[str, Any]) -> str:
    body = gzip.compress(json.dumps({"Records": records}).encode())
    clients.s3().put_object(Bucket=TRAIL, Key=key, Body=body)
    return key


@pytest.fixture
def trail(aws: Stack) -> Stack:
    """A trail with one log file on each of three days, and files beside them that hold no records."""
    clients.s3.cache_clear()
    clients.s3().create_bucket(Bucket=TRAIL)
    for number, day in enumerate(DAYS):
        put(key_of(day, "a"), record(day), record(day, f"GetBucket{number}"))
    put(key_of(DAYS[0], "d", folder="CloudTrail-Digest"))
    clients.s3().put_object(Bucket=TRAIL, Key=f"{key_of(DAYS[1], 'x')}.tmp", Body=b"?")
    return aws


def run(stack: Stack, *arguments: str) -> Result:
    """The command, with the ledger of the stack on moto."""
    fixed = ["backfill", "--bucket", TRAIL, "--since", DAYS[0].isoformat(), "--table", stack.usage_table, "--json"]
    return CliRunner().invoke(app, [*fixed, "--threads", "3", *arguments])


def ledger(stack: Stack) -> UsageLedger:
    return UsageLedger(stack.table(stack.usage_table))


def read(stack: Stack) -> set[str]:
    return set(ledger(stack).read(KEY, since=datetime(2000, 1, 1, tzinfo=UTC)).entries)


def covered(stack: Stack) -> set[date]:
    return set(ledger(stack).read_coverage(ACCOUNT, since=datetime(2000, 1, 1, tzinfo=UTC)).days)


def test_every_day_is_read_and_told(trail: Stack) -> None:
    done = run(trail)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["objects"], answer["records"], answer["identities"]) == (3, 6, 1)
    assert answer["skipped"] == {"other_file": 1}
    assert answer["last_finished_day"] == TODAY.isoformat()
    assert answer["bytes"] > 0
    assert read(trail) >= {"s3:listallmybuckets", "s3:getbucket0", "s3:getbucket2"}
    assert covered(trail) == set(DAYS)
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [*map(str, DAYS), str(TODAY)]


def test_a_day_of_which_only_the_end_was_read_does_not_count_as_seen(trail: Stack) -> None:
    """Its last records are in the next day's first file."""
    before = DAYS[0] - timedelta(days=1)
    put(key_of(DAYS[0], "early"), record(before, "GetBucketLate"))
    assert run(trail).exit_code == 0
    assert "s3:getbucketlate" in read(trail)
    assert covered(trail) == set(DAYS)


def test_a_second_run_writes_nothing(trail: Stack) -> None:
    first, second = (json.loads(run(trail).stdout)["ledger"] for _ in range(2))
    assert first["writes"] > 0
    assert second == {**first, "writes": 0}


def test_a_dry_run_writes_nothing_and_tells_what_it_would(trail: Stack) -> None:
    answer = json.loads(run(trail, "--dry-run").stdout)
    assert answer["ledger"] == {"entries": 6, "days": 3, "writes": 0}
    assert not read(trail)
    assert not covered(trail)


def test_only_the_days_that_are_named_are_read(trail: Stack) -> None:
    answer = json.loads(run(trail, "--since", str(DAYS[1]), "--until", str(DAYS[1])).stdout)
    assert answer["records"] == 2
    assert covered(trail) == {DAYS[1]}


def test_what_is_unreadable_within_a_file_is_told_and_the_rest_is_read(trail: Stack) -> None:
    broken = key_of(DAYS[0], "broken")
    clients.s3().put_object(Bucket=TRAIL, Key=broken, Body=gzip.compress(b'{"Records": [{"eventTime": 5}]}'))
    done = run(trail)
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert answer["records"] == 6
    assert answer["skipped"]["unreadable"] == 1
    assert [place["key"] for place in answer["unreadable"]] == [broken]
    assert broken in done.stderr


def test_an_object_that_cannot_be_read_is_an_error_after_the_rest(
    trail: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, opened = put(key_of(DAYS[1], "gone"), record(DAYS[1])), LogBucket.open

    def refuse(self: LogBucket, key: str, version_id: str | None = None) -> ObjectStream:
        if key == gone:
            raise DeniedError(f"GetObject {key}: AccessDenied")
        return opened(self, key, version_id)

    monkeypatch.setattr(LogBucket, "open", refuse)
    done = run(trail)
    assert isinstance(done.exception, DependencyError)
    answer = json.loads(done.stdout)
    assert [failure["key"] for failure in answer["failed"]] == [gone]
    assert answer["records"] == 6
    assert read(trail) >= {"s3:getbucket0", "s3:getbucket1", "s3:getbucket2"}
    assert covered(trail) == {DAYS[0], DAYS[2]}, "what the file held could look as if it had not been used"
    assert answer["last_finished_day"] == DAYS[0].isoformat()
    assert f"go on with --since {DAYS[1]}" in done.stderr


def test_a_run_that_is_interrupted_says_where_to_go_on(trail: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = LogBucket.log_keys

    def interrupt(self: LogBucket, prefix: str, *, since: date, until: date) -> Iterator[LogKey]:
        if since == DAYS[2]:
            raise KeyboardInterrupt
        return opened(self, prefix, since=since, until=until)

    monkeypatch.setattr(LogBucket, "log_keys", interrupt)
    done = run(trail)
    assert done.exit_code == 130
    assert not done.stdout
    assert f"finished up to {DAYS[1]}: go on with --since {DAYS[2]}" in done.stderr
    assert covered(trail) == set(DAYS[:2])


def test_days_before_the_ledgers_memory_are_refused(trail: Stack) -> None:
    done = run(trail, "--retention-days", "2")
    assert isinstance(done.exception, InputError)
    assert "keeps 2 days" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--accounts", OTHER_ACCOUNT], f"account {OTHER_ACCOUNT}: no log files"),
        (["--regions", "eu-west-1"], "region eu-west-1: no log files"),
        (["--prefix", "elsewhere"], "no log files of CloudTrail below s3://trail/elsewhere/AWSLogs/"),
        (["--prefix", "org"], "add --organization-id o-exampleorg1"),
        (["--accounts", "1"], "account id"),
        (["--bucket", "Trail'"], "bucket"),
    ],
)
def test_a_wrong_name_is_never_no_usage(trail: Stack, arguments: list[str], complaint: str) -> None:
    put("org/AWSLogs/o-exampleorg1/111122223333/CloudTrail/x")
    done = run(trail, *arguments)
    assert isinstance(done.exception, InputError)
    assert complaint in str(done.exception)
    assert not read(trail)


def test_a_bucket_that_is_not_there_is_an_error(trail: Stack) -> None:
    assert isinstance(run(trail, "--bucket", "not-there").exception, NotFoundError)


def test_places_are_what_the_trail_has(trail: Stack) -> None:
    put(key_of(DAYS[0], "a", account=OTHER_ACCOUNT).replace(REGION, "eu-west-1"), record(DAYS[0]))
    bucket, layout = LogBucket(clients.s3(), TRAIL), TrailLayout(TRAIL)
    nothing: frozenset[str] = frozenset()
    found = find_places(bucket, layout, (), (), threads=2)
    assert found == ({ACCOUNT: (REGION,), OTHER_ACCOUNT: ("eu-west-1",)}, nothing)
    assert find_places(bucket, layout, (), (REGION,), threads=2) == ({ACCOUNT: (REGION,)}, nothing)
    assert find_places(bucket, layout, (OTHER_ACCOUNT,), (), threads=2) == ({OTHER_ACCOUNT: ("eu-west-1",)}, nothing)
    put(key_of(DAYS[0], "a").replace(REGION, "eu-west-1"), record(DAYS[0]))
    both = find_places(bucket, layout, (), ("eu-west-1", REGION), threads=2)
    assert both == ({ACCOUNT: ("eu-west-1", REGION), OTHER_ACCOUNT: ("eu-west-1",)}, nothing)
    one = find_places(bucket, layout, (), ("eu-west-1",), threads=2)
    assert one.regions == {ACCOUNT: ("eu-west-1",), OTHER_ACCOUNT: ("eu-west-1",)}
    assert one.partial == {ACCOUNT}


ABROAD = "eu-west-1"


def test_of_an_account_some_of_whose_regions_are_left_out_no_day_counts_as_seen(trail: Stack) -> None:
    put(key_of(DAYS[0], "b").replace(REGION, ABROAD), record(DAYS[0], "GetBucketAbroad", awsRegion=ABROAD))
    other = {"recipientAccountId": OTHER_ACCOUNT}
    put(key_of(DAYS[0], "c", account=OTHER_ACCOUNT), record(DAYS[0], **other))
    done = run(trail, "--regions", REGION)
    assert done.exit_code == 0, done.output
    assert "s3:getbucket0" in read(trail)
    assert not covered(trail)
    assert ledger(trail).read_coverage(OTHER_ACCOUNT, since=datetime(2000, 1, 1, tzinfo=UTC)).days == {DAYS[0]}
    answer = json.loads(done.stdout)
    assert answer["without_coverage"] == [ACCOUNT]
    assert answer["ledger"]["days"] == 1
    assert f"no day counts as seen of {ACCOUNT}: --regions leaves out" in done.stderr


def test_with_every_region_named_days_count_as_seen(trail: Stack) -> None:
    put(key_of(DAYS[0], "b").replace(REGION, ABROAD), record(DAYS[0], awsRegion=ABROAD))
    done = run(trail, "--regions", f"{REGION},{ABROAD}")
    assert covered(trail) == set(DAYS)
    assert json.loads(done.stdout)["without_coverage"] == []
    assert "no day counts" not in done.stderr


def test_records_of_the_future_are_told_and_not_stored(trail: Stack) -> None:
    later = put(key_of(DAYS[0], "later"), record(TODAY + timedelta(days=3), "GetBucketLater"))
    done = run(trail)
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["records"], answer["skipped"]["unreadable"]) == (0, 6, 1)
    reason = "eventTime: more than 1 day in the future"
    assert answer["unreadable"] == [{"key": later, "position": None, "reason": reason}]
    assert "s3:getbucketlater" not in read(trail)
    assert covered(trail) == set(DAYS)


def poison(stack: Stack, action: str) -> None:
    stack.table(stack.usage_table).put({"pk": f"IDENTITY#{ACCOUNT}#{USER}", "sk": f"ACTION#{action}", "format": 1})


def test_what_the_ledger_cannot_take_is_an_error_after_the_other_days(trail: Stack) -> None:
    poison(trail, "s3:getbucket1")
    done = run(trail)
    assert isinstance(done.exception, InputError)
    answer = json.loads(done.stdout)
    assert [problem["account"] for problem in answer["not_stored"]] == [ACCOUNT]
    assert "ACTION#s3:getbucket1: can't be read" in answer["not_stored"][0]["reason"]
    assert answer["last_finished_day"] == DAYS[0].isoformat()
    assert f"go on with --since {DAYS[1]}" in done.stderr
    assert covered(trail) == {DAYS[0], DAYS[2]}


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def keys_of(count: int) -> list[LogKey]:
    bodies = [put(key_of(DAYS[0], str(number)), record(DAYS[0], f"Get{number}")) for number in range(count)]
    return [LogKey(key, 1) for key in bodies]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_all_objects_are_read_by_any_number_of_threads(trail: Stack, threads: int) -> None:
    read = read_objects(LogBucket(clients.s3(), TRAIL), keys_of(30), threads=threads)
    names = [one.event_name for _, batch in read if not isinstance(batch, Failure) for one in batch.records]
    assert sorted(map(str, names)) == sorted(f"Get{number}" for number in range(30))
    assert readers() == []


def test_no_thread_is_left_when_nobody_wants_more(trail: Stack) -> None:
    read = read_objects(LogBucket(clients.s3(), TRAIL), keys_of(60), threads=4)
    next(read)
    assert readers()
    read.close()  # type: ignore[attr-defined]
    assert readers() == []


def test_a_defect_is_never_taken_for_an_unreadable_object(trail: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: object) -> Iterator[Any]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(objects, "read_batches", defect)
    with pytest.raises(RuntimeError, match="a defect"):
        list(read_objects(LogBucket(clients.s3(), TRAIL), keys_of(5), threads=2))


def test_nothing_to_read_is_fine(trail: Stack) -> None:
    assert list(read_objects(LogBucket(clients.s3(), TRAIL), [], threads=2)) == []


def test_the_ledger_of_a_stack_is_found(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = {
        "leastwise": {
            "Outputs": [{"OutputKey": "UsageTableName", "OutputValue": "TheTable"}],
            "Parameters": [{"ParameterKey": "LedgerRetentionDays", "ParameterValue": "500"}],
        },
        "other": {"Outputs": [], "Parameters": []},
    }

    def answer(_: BaseClient, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert operation == "DescribeStacks"
        return {"Stacks": [stacks[params["StackName"]]]}

    monkeypatch.setattr(BaseClient, "_make_api_call", answer)
    session = BackfillSession()
    assert session.ledger_of("leastwise") == LedgerPlace("TheTable", 500)
    with pytest.raises(NotFoundError, match="is it leastwise"):
        session.ledger_of("other")


def test_no_day_counts_as_seen_before_its_uses_are_written(trail: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put_item = Table.put

    def throttled(self: Table, item: Mapping[str, Any], **condition: Any) -> None:
        if item["sk"] == "ACTION#s3:getbucket1":
            raise DependencyError("throttled")
        put_item(self, item, **condition)

    monkeypatch.setattr(Table, "put", throttled)
    done = run(trail)
    assert isinstance(done.exception, DependencyError)
    assert covered(trail) == {DAYS[0]}


class FakeAthena(Athena):
    """Answers queries with a file."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def run(self, statement: str, **_: Any) -> FinishedQuery:
        """Note the statement."""
        self.statements.append(statement)
        return FinishedQuery("id", Place("results", "id.csv"), 5)


def call_row(**values: str) -> dict[str, str]:
    """A row of the query: one call of one user."""
    return dict.fromkeys(RESULT_COLUMNS, "") | {
        "event_type": "AwsApiCall",
        "event_source": "s3.amazonaws.com",
        "event_name": "ListBuckets",
        "event_region": REGION,
        "recipient_account_id": ACCOUNT,
        "caller_type": "IAMUser",
        "caller_id": USER,
        "caller_account_id": ACCOUNT,
        "identified": "true",
        "timed": "true",
        "is_call": "1",
        "first_time": "2026-03-01T00:00:00Z",
        "last_time": "2026-03-05T00:00:00Z",
        "records": "9",
        "reads": "0",
        "variants": "1",
        "named": json.dumps(["\n\n"]),
        **values,
    }


def csv_of(*rows: Mapping[str, str]) -> bytes:
    """Rows as Athena writes them: all values in quotes, nothing for NULL."""
    lines = [RESULT_COLUMNS, *([row[name] for name in RESULT_COLUMNS] for row in rows)]
    quoted = (",".join('"' + value.replace('"', '""') + '"' if value else "" for value in line) for line in lines)
    return "".join(f"{line}\n" for line in quoted).encode()


def query(content: bytes, *, accounts: int = 1, stored: UsageLedger | None = None) -> tuple[Outcome, FakeAthena]:
    """Backfill from an answer of Athena, by default without a ledger."""

    def opened(_: Place) -> AbstractContextManager[io.BytesIO]:
        return nullcontext(io.BytesIO(content))

    athena, outcome = FakeAthena(), Outcome(dry_run=True)
    places = {f"{number:012d}": (REGION,) for number in range(accounts)}
    backfill = QueryBackfill(athena, TrailTable(TrailLayout(TRAIL)), opened, load_operations(), now=NOW)
    writer = LedgerWriter(stored, outcome, first=date(2026, 3, 1), places=Places(places))
    backfill.run(Places(places), (DAYS[0], DAYS[1]), writer, outcome, Progress())
    return outcome, athena


def test_rows_are_counted_as_the_records_that_they_are() -> None:
    day = call_row(is_call="0", seen_day="2026-03-01", shows_trail="true")
    outcome, athena = query(csv_of(call_row(), call_row(event_name="Odd\nName", records="3"), day))
    assert (outcome.records, outcome.bytes, outcome.days) == (12, 5, 1)
    assert outcome.finished == DAYS[1]
    assert [statement.split()[0] for statement in athena.statements] == ["CREATE", "CREATE", "WITH"]


def test_of_what_the_ledger_cannot_take_no_day_counts_as_seen_however_the_rows_come(
    trail: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a use that can't be stored in the first part of the rows, and the days in the last."""
    monkeypatch.setattr("cli.backfilling.queries.ROWS_AT_ONCE", 1)
    poison(trail, "s3:listallmybuckets")
    day = call_row(is_call="0", seen_day="2026-03-01", shows_trail="true")
    elsewhere = {**day, "recipient_account_id": OTHER_ACCOUNT, "reads": "1"}
    outcome, _ = query(csv_of(call_row(), day, elsewhere), stored=ledger(trail))
    assert not covered(trail)
    assert ledger(trail).read_coverage(OTHER_ACCOUNT, since=datetime(2000, 1, 1, tzinfo=UTC)) == Coverage.of(
        [date(2026, 3, 1)], regions=[REGION], feeds=["trail"], reads=True
    )
    assert (len(outcome.not_stored), outcome.finished) == (1, None)


def test_more_accounts_than_a_query_takes_are_asked_in_turn() -> None:
    _, athena = query(csv_of(), accounts=MAX_INJECTED + 1)
    assert [statement.split()[0] for statement in athena.statements] == ["CREATE", "CREATE", "WITH", "WITH"]


def test_records_without_a_readable_time_are_counted() -> None:
    outcome, _ = query(csv_of(call_row(timed="false"), call_row(first_time="2026-02-31T00:00:00Z")))
    assert (outcome.records, outcome.unreadable) == (0, 18)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no,header\n",
        csv_of(call_row())[:-40],
        csv_of(call_row()) + b'"short"\n',
        csv_of(call_row(is_call="2")),
        csv_of(call_row(records="many")),
        csv_of(call_row(named="{")),
        csv_of(call_row(named="[]", variants="0")),
        csv_of(call_row(named='["one part"]')),
        csv_of(call_row(first_time="yesterday", timed="true", last_time="")).replace(b"ListBuckets", b"\xff"),
    ],
    ids=["empty", "header", "cut off", "short", "kind", "count", "no JSON", "no variants", "variant", "not UTF-8"],
)
def test_a_result_that_is_not_the_querys_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        query(content)
