"""The usage ledger on DynamoDB: joins instead of overwriting, writes only what is new, loses nothing to others."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient

from shared.aws import clients
from shared.aws.dynamodb import MAX_BATCH_GET, MAX_ROUNDS
from shared.aws.usage_ledger import MAX_ATTEMPTS, UsageLedger
from shared.errors import ConflictError, DependencyError, NotFoundError
from shared.model.usage import Coverage, Evidence, Span, Usage, UsageEntry
from tests.builders import ACCOUNT, NOW
from tests.conftest import MAKE_API_CALL, Stack, in_threads

ANA, BOB = "AIDAEXAMPLEUSER00001", "AIDAEXAMPLEUSER00002"
SINCE = NOW - timedelta(days=90)


@pytest.fixture
def ledger(aws: Stack) -> UsageLedger:
    return UsageLedger(aws.table(aws.usage_table))


def entry(action: str = "s3:GetObject", *, at: datetime = NOW, **changes: Any) -> UsageEntry:
    fields: dict[str, Any] = {
        "spans": {Evidence.OBSERVED: Span(at, at)},
        "resources": frozenset({"arn:aws:s3:::a"}),
        "regions": frozenset({"eu-west-1"}),
    }
    return UsageEntry(action, **(fields | changes))


def usage(*entries: UsageEntry, of: str = ANA) -> Mapping[str, Usage]:
    return {of: Usage(of, {one.action.lower(): one for one in entries})}


def read(ledger: UsageLedger, of: str = ANA) -> Mapping[str, UsageEntry]:
    return ledger.read(of, ACCOUNT, since=SINCE).entries


def items(aws: Stack) -> list[dict[str, Any]]:
    return [dict(item) for item in clients.dynamodb().scan(TableName=aws.usage_table)["Items"]]


def test_what_was_merged_is_read_back(ledger: UsageLedger) -> None:
    full = entry(
        spans={kind: Span(NOW - timedelta(days=number), NOW) for number, kind in enumerate(Evidence)},
        regions=frozenset({"eu-west-1", "us-east-1"}),
    )
    everywhere = entry("iam:PassRole", resources=None)
    assert ledger.merge(usage(full, everywhere)) == 2
    assert read(ledger) == {"s3:getobject": full, "iam:passrole": everywhere}
    assert read(ledger, BOB) == {}


def test_a_duplicate_writes_nothing(ledger: UsageLedger) -> None:
    assert [ledger.merge(usage(entry())) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("again", "writes"),
    [
        (entry(at=NOW + timedelta(hours=11)), 0),
        (entry(at=NOW - timedelta(hours=12)), 0),
        (entry(at=NOW + timedelta(hours=12)), 1),
        (entry(at=NOW - timedelta(hours=12, seconds=1)), 1),
        (entry(resources=frozenset({"arn:aws:s3:::b"})), 1),
        (entry(resources=None), 1),
        (entry(resources=frozenset()), 0),
        (entry(regions=frozenset({"us-east-1"})), 1),
        (entry(spans={Evidence.DENIED: Span(NOW, NOW)}), 1),
    ],
)
def test_a_write_happens_only_where_it_tells_something_beyond_the_day(
    ledger: UsageLedger, again: UsageEntry, writes: int
) -> None:
    ledger.merge(usage(entry()))
    assert ledger.merge(usage(again)) == writes
    assert read(ledger)["s3:getobject"] == (entry().join(again) if writes else entry())


def test_the_order_of_merges_does_not_matter(ledger: UsageLedger, aws: Stack) -> None:
    days = [entry(at=NOW + timedelta(days=number), resources=frozenset({f"arn:{number}"})) for number in range(4)]
    for one in days:
        ledger.merge(usage(one))
    for one in reversed(days):
        ledger.merge(usage(one, of=BOB))
    assert read(ledger) == read(ledger, BOB)


def test_an_entry_expires_a_retention_after_the_last_day_it_was_seen(aws: Stack) -> None:
    ledger = UsageLedger(aws.table(aws.usage_table), retention_days=100)
    ledger.merge(usage(entry(at=NOW)))
    ledger.merge(usage(entry(at=NOW - timedelta(days=50))))
    [item] = items(aws)
    midnight = datetime.combine(NOW.date(), datetime.min.time(), tzinfo=UTC)
    assert item["expires_at"]["N"] == str(int((midnight + timedelta(days=100)).timestamp()))


def test_coverage_is_kept_by_day_and_read_from_the_window_on(ledger: UsageLedger) -> None:
    old, new = (NOW - timedelta(days=91)).date(), NOW.date()
    ledger.merge_coverage(ACCOUNT, Coverage(frozenset({old}), frozenset({"ap-south-1"}), frozenset({"trail"})))
    ledger.merge_coverage(ACCOUNT, Coverage(frozenset({new}), frozenset({"eu-west-1"}), frozenset({"eventbridge"})))
    seen = Coverage(frozenset({new}), frozenset({"us-east-1"}), frozenset({"trail"}), data_events=True)
    ledger.merge_coverage(ACCOUNT, seen)
    ledger.merge_coverage(ACCOUNT, seen)
    assert ledger.read_coverage(ACCOUNT, since=SINCE) == Coverage(
        frozenset({new}), frozenset({"eu-west-1", "us-east-1"}), frozenset({"eventbridge", "trail"}), data_events=True
    )
    assert ledger.read_coverage("999999999999", since=SINCE) == Coverage()
    assert ledger.read(BOB, ACCOUNT, since=SINCE).coverage.days == {new}


def test_coverage_that_says_nothing_new_is_not_written(ledger: UsageLedger, aws: Stack) -> None:
    seen = Coverage(frozenset({date(2026, 3, 1)}), frozenset({"eu-west-1"}), frozenset({"eventbridge"}))
    for _ in range(3):
        ledger.merge_coverage(ACCOUNT, seen)
    assert [item["version"]["N"] for item in items(aws)] == ["1"]


def test_writers_at_the_same_time_lose_nothing_of_each_other(ledger: UsageLedger, atomic_calls: None) -> None:
    seen = [entry(at=NOW + timedelta(days=number), resources=frozenset({f"arn:{number}"})) for number in range(6)]
    days = [Coverage(frozenset({NOW.date()}), frozenset({f"region-{number}"})) for number in range(6)]

    def write(number: int) -> None:
        ledger.merge(usage(seen[number]))
        ledger.merge_coverage(ACCOUNT, days[number])

    in_threads(*(partial(write, number) for number in range(6)))
    found = read(ledger)["s3:getobject"]
    assert found.spans[Evidence.OBSERVED] == Span(NOW, NOW + timedelta(days=5))
    assert found.resources == frozenset(f"arn:{number}" for number in range(6))
    assert ledger.read_coverage(ACCOUNT, since=SINCE).regions == {f"region-{number}" for number in range(6)}


def test_a_writer_that_keeps_losing_gives_up_with_a_conflict(
    ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts: list[str] = []

    def lose(self: object, item: Mapping[str, Any], **_: object) -> None:
        puts.append(item["sk"])
        raise ConflictError("somebody else was first")

    monkeypatch.setattr("shared.aws.dynamodb.Table.put", lose)
    monkeypatch.setattr("shared.aws.usage_ledger.time.sleep", lambda seconds: None)
    with pytest.raises(ConflictError, match=f"other writers won {MAX_ATTEMPTS} times"):
        ledger.merge(usage(entry()))
    assert len(puts) == MAX_ATTEMPTS


def many(count: int) -> list[UsageEntry]:
    arns = frozenset(f"arn:aws:s3:::{'bucket' * 80}-{number}" for number in range(20))
    return [entry(f"s3:Action{number:04d}", resources=arns) for number in range(count)]


def test_more_entries_than_a_page_holds_are_all_merged_and_read(
    ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        calls.append(operation_name)
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    count = 2 * MAX_BATCH_GET
    assert ledger.merge(usage(*many(count))) == count
    assert calls.count("BatchGetItem") == 2
    assert len(read(ledger)) == count
    assert calls.count("Query") > 2, "one megabyte a page, and one query for the coverage"
    assert ledger.merge(usage(*many(count))) == 0


class Unprocessed:
    """Answers of BatchGetItem in which all keys but one stay unprocessed, `times` times."""

    def __init__(self, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds: list[int] = []

        def starved(client: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
            if operation_name != "BatchGetItem":
                return MAKE_API_CALL(client, operation_name, api_params)
            [(table, request)] = api_params["RequestItems"].items()
            self.rounds.append(len(request["Keys"]))
            if len(self.rounds) > times:
                return MAKE_API_CALL(client, operation_name, api_params)
            kept = {table: {**request, "Keys": request["Keys"][1:]}}
            answer = MAKE_API_CALL(
                client, operation_name, {"RequestItems": {table: {**request, "Keys": request["Keys"][:1]}}}
            )
            return {**answer, "UnprocessedKeys": kept}

        monkeypatch.setattr(BaseClient, "_make_api_call", starved)
        monkeypatch.setattr("shared.aws.dynamodb.time.sleep", lambda seconds: None)


def test_keys_that_dynamodb_left_unprocessed_are_asked_for_again(
    ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.merge(usage(*many(5)))
    starved = Unprocessed(2, monkeypatch)
    assert ledger.merge(usage(*many(5))) == 0, "all were found, so nothing is new"
    assert starved.rounds == [5, 4, 3]


def test_keys_that_stay_unprocessed_are_an_error_and_never_taken_for_absent(
    ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.merge(usage(*many(20)))
    Unprocessed(99, monkeypatch)
    with pytest.raises(DependencyError, match=f"{20 - MAX_ROUNDS} keys stayed unprocessed"):
        ledger.merge(usage(*many(20)))


def test_a_table_that_is_not_there_is_an_error_and_never_no_usage(aws: Stack) -> None:
    with pytest.raises(NotFoundError, match="Query nowhere"):
        UsageLedger(aws.table("nowhere")).read(ANA, ACCOUNT, since=SINCE)
