"""The usage ledger on DynamoDB: joins instead of overwriting, writes only what is new, loses nothing to others."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from botocore.client import BaseClient

from shared.aws import clients
from shared.aws.dynamodb import MAX_BATCH_GET, MAX_ROUNDS, Table
from shared.aws.known_entries import KnownEntries
from shared.aws.ledger_items import as_known
from shared.aws.usage_ledger import MAX_ATTEMPTS, UsageLedger
from shared.errors import ConflictError, DependencyError, InputError, NotFoundError
from shared.model.resources import ANY_RESOURCE, MAX_EXACT, MAX_FAMILIES, NO_RESOURCE, Resources
from shared.model.usage import Coverage, DaySeen, Evidence, IdentityKey, Span, Usage, UsageEntry, join_entries
from tests.builders import ACCOUNT, NOW, OTHER_ACCOUNT
from tests.conftest import MAKE_API_CALL, Stack, in_threads

ANA, BOB = IdentityKey(ACCOUNT, "AIDAEXAMPLEUSER00001"), IdentityKey(ACCOUNT, "AIDAEXAMPLEUSER00002")
SINCE = NOW - timedelta(days=90)
ANA_GETS = (f"IDENTITY#{ACCOUNT}#{ANA.identity_id}", "ACTION#s3:getobject")


@pytest.fixture
def ledger(aws: Stack) -> UsageLedger:
    return UsageLedger(aws.table(aws.usage_table))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the operations that DynamoDB is asked for."""
    made: list[str] = []

    def counted(self: BaseClient, operation_name: str, api_params: dict[str, Any]) -> Any:
        made.append(operation_name)
        return MAKE_API_CALL(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    return made


def objects(*names: str) -> Resources:
    return Resources.of(f"arn:aws:s3:::photos/{name}" for name in names)


def entry(action: str = "s3:GetObject", *, at: datetime = NOW, **changes: Any) -> UsageEntry:
    fields: dict[str, Any] = {
        "spans": {Evidence.OBSERVED: Span(at, at)},
        "resources": objects("a"),
        "regions": frozenset({"eu-west-1"}),
    }
    return UsageEntry(action, **(fields | changes))


def usage(*entries: UsageEntry, of: IdentityKey = ANA) -> Mapping[IdentityKey, Usage]:
    return {of: Usage(of.identity_id, {one.action.lower(): one for one in entries})}


def folded(uses: Iterable[UsageEntry], of: IdentityKey = ANA) -> Mapping[IdentityKey, Usage]:
    return {of: Usage(of.identity_id, join_entries(uses))}


def read(ledger: UsageLedger, of: IdentityKey = ANA) -> Mapping[str, UsageEntry]:
    return ledger.read(of, since=SINCE, coverage=Coverage()).entries


def items(aws: Stack) -> list[dict[str, Any]]:
    return [dict(item) for item in clients.dynamodb().scan(TableName=aws.usage_table)["Items"]]


def test_what_was_merged_is_read_back(ledger: UsageLedger) -> None:
    full = entry(
        spans={kind: Span(NOW - timedelta(days=number, microseconds=1), NOW) for number, kind in enumerate(Evidence)},
        resources=Resources.of(
            [f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", *(f"arn:aws:s3:::photos/{n}" for n in range(99))]
        ),
        regions=frozenset({"eu-west-1", "us-east-1"}),
    )
    everywhere = entry("iam:PassRole", resources=ANY_RESOURCE)
    nowhere = entry("s3:PutObject", spans={Evidence.DENIED: Span(NOW, NOW)}, resources=NO_RESOURCE, regions=frozenset())
    assert ledger.merge(usage(full, everywhere, nowhere)) == 3
    stored = {"s3:getobject": full, "iam:passrole": everywhere, "s3:putobject": nowhere}
    assert read(ledger) == {action: as_known(one) for action, one in stored.items()}
    assert read(ledger, BOB) == {}


def test_an_item_is_named_by_account_and_can_be_read_by_people(ledger: UsageLedger, aws: Stack) -> None:
    ledger.merge(usage(entry()))
    ledger.merge_coverage(
        ACCOUNT, Coverage.of([NOW.date()], regions=["eu-west-1"], feeds=["trail"], data_events=["s3"])
    )
    table = aws.table(aws.usage_table)
    assert table.get(*ANA_GETS) == {
        "pk": "IDENTITY#123456789012#AIDAEXAMPLEUSER00001",
        "sk": "ACTION#s3:getobject",
        "action": "s3:GetObject",
        "spans": {"observed": ["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00+00:00"]},
        "resources": ["arn:aws:s3:::photos/a"],
        "regions": ["eu-west-1"],
        "format": 1,
        "version": 1,
        "expires_at": 1806883200,
    }
    assert table.get("ACCOUNT#123456789012", "DAY#2026-03-01") == {
        "pk": "ACCOUNT#123456789012",
        "sk": "DAY#2026-03-01",
        "regions": ["eu-west-1"],
        "feeds": ["trail"],
        "data_events": ["s3"],
        "reads": True,
        "format": 1,
        "version": 1,
        "expires_at": 1806883200,
    }


def test_identities_of_two_accounts_never_meet(ledger: UsageLedger) -> None:
    elsewhere = IdentityKey(OTHER_ACCOUNT, ANA.identity_id)
    ledger.merge({**usage(entry()), **usage(entry("s3:PutObject"), of=elsewhere)})
    ledger.merge_coverage(OTHER_ACCOUNT, Coverage.of([NOW.date()]))
    assert read(ledger).keys() == {"s3:getobject"}
    assert read(ledger, elsewhere).keys() == {"s3:putobject"}
    assert ledger.read_coverage(ACCOUNT, since=SINCE) == Coverage()


def test_a_duplicate_writes_nothing(ledger: UsageLedger) -> None:
    assert [ledger.merge(usage(entry())) for _ in range(3)] == [1, 0, 0]


BEYOND = [
    (entry(at=NOW + timedelta(hours=11)), 0),
    (entry(at=NOW + timedelta(hours=12)), 1),
    (entry(at=NOW - timedelta(seconds=1)), 1),
    (entry(spans={Evidence.OBSERVED: Span(NOW, NOW + timedelta(hours=11))}), 0),
    (entry(resources=objects("b")), 1),
    (entry(resources=ANY_RESOURCE), 1),
    (entry(resources=NO_RESOURCE), 0),
    (entry(regions=frozenset({"us-east-1"})), 1),
    (entry(spans={Evidence.DENIED: Span(NOW, NOW)}), 1),
]


@pytest.mark.parametrize(("again", "writes"), BEYOND)
def test_a_write_happens_only_where_it_tells_more_than_a_later_time_of_the_day(
    ledger: UsageLedger, again: UsageEntry, writes: int
) -> None:
    ledger.merge(usage(entry()))
    assert ledger.merge(usage(again)) == writes
    assert read(ledger)["s3:getobject"] == as_known(entry().join(again))


@pytest.mark.parametrize(("again", "writes"), BEYOND)
def test_what_is_known_to_be_stored_is_neither_read_nor_written(
    aws: Stack, calls: list[str], again: UsageEntry, writes: int
) -> None:
    known = KnownEntries()
    UsageLedger(aws.table(aws.usage_table), known=known).merge(usage(entry()))
    calls.clear()
    warm = UsageLedger(aws.table(aws.usage_table), known=known)
    assert [warm.merge(usage(again)) for _ in range(2)] == [writes, 0]
    assert calls == ["BatchGetItem", "PutItem"][: 2 * writes]
    assert read(warm)["s3:getobject"] == as_known(entry().join(again))


def test_what_others_wrote_since_is_read_before_it_is_written(aws: Stack, calls: list[str]) -> None:
    table = aws.table(aws.usage_table)
    first, second = (UsageLedger(table, known=KnownEntries()) for _ in range(2))
    first.merge(usage(entry()))
    tomorrow = entry(at=NOW + timedelta(days=1))
    second.merge(usage(tomorrow))
    calls.clear()
    assert [first.merge(usage(tomorrow)) for _ in range(2)] == [0, 0]
    assert calls == ["BatchGetItem"], "read once, found nothing to add, and remembered"


def test_coverage_that_is_known_to_be_stored_costs_no_call(aws: Stack, calls: list[str]) -> None:
    ledger = UsageLedger(aws.table(aws.usage_table), known=KnownEntries())
    seen = Coverage.of([NOW.date()], regions=["eu-west-1"], feeds=["eventbridge"])
    assert [ledger.merge_coverage(ACCOUNT, seen) for _ in range(3)] == [1, 0, 0]
    assert calls == ["BatchGetItem", "PutItem"]


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_any_order_repetition_and_batching_gives_the_same_ledger(aws: Stack, *, seed: int, warm: bool) -> None:
    random = Random(seed)  # noqa: S311 a seeded test
    uses = a_history(random, 30)
    known = KnownEntries(max_facts=3) if warm else None
    ledger = UsageLedger(aws.table(aws.usage_table), known=known)
    ledger.merge(folded(uses, of=BOB))
    delivered = random.sample([*uses, *uses], 2 * len(uses))
    while delivered:
        size = random.randrange(1, 6)
        ledger.merge(folded(delivered[:size]))
        delivered = delivered[size:]
    assert read(ledger) == read(ledger, BOB)
    assert read(ledger) == {key: as_known(one) for key, one in join_entries(uses).items()}


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (Evidence.OBSERVED, datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)),
        (Evidence.INFERRED, datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)),
        (Evidence.POSSIBLE, datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)),
        (Evidence.DENIED, datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_the_last_time_is_known_to_the_day_and_never_in_favour_of_taking_away(
    ledger: UsageLedger, kind: Evidence, last: datetime
) -> None:
    first = NOW - timedelta(days=3)
    ledger.merge(usage(entry(spans={kind: Span(first, NOW)})))
    assert read(ledger)["s3:getobject"].spans == {kind: Span(first, last)}
    ledger.merge(usage(entry("s3:PutObject", spans={Evidence.DENIED: Span(NOW, NOW)})))
    assert read(ledger)["s3:putobject"].spans == {Evidence.DENIED: Span(NOW, NOW)}, "never before the first"


def test_an_entry_expires_a_retention_after_the_last_day_it_was_seen(aws: Stack) -> None:
    ledger = UsageLedger(aws.table(aws.usage_table), retention_days=100)
    ledger.merge(usage(entry(at=NOW)))
    ledger.merge(usage(entry(at=NOW - timedelta(days=50))))
    [item] = items(aws)
    midnight = datetime.combine(NOW.date(), datetime.min.time(), tzinfo=UTC)
    assert item["expires_at"]["N"] == str(int((midnight + timedelta(days=100)).timestamp()))


def test_a_shorter_retention_never_takes_from_what_is_stored(aws: Stack) -> None:
    """Given a ledger that knows nothing of the stack's setting, then what it adds to an item lives on as it did."""
    table = aws.table(aws.usage_table)
    seen = Coverage.of([NOW.date()], regions=["eu-west-1"])
    for number, days in enumerate((500, 90)):
        ledger = UsageLedger(table, retention_days=days)
        ledger.merge(usage(entry(at=NOW + timedelta(days=number))))
        ledger.merge_coverage(ACCOUNT, seen.join(Coverage.of([NOW.date()], data_events=["s3", "sqs"][: 1 + number])))
    midnight = datetime.combine(NOW.date(), datetime.min.time(), tzinfo=UTC)
    expected = str(int((midnight + timedelta(days=500)).timestamp()))
    assert [(item["version"]["N"], item["expires_at"]["N"]) for item in items(aws)] == [("2", expected)] * 2


def test_an_entry_that_was_over_before_the_window_is_left_out_though_it_is_still_there(ledger: UsageLedger) -> None:
    ledger.merge(usage(entry(at=NOW - timedelta(days=500)), entry("s3:PutObject", at=NOW - timedelta(days=300))))
    assert ledger.read(ANA, since=NOW - timedelta(days=101)).entries.keys() == {"s3:getobject", "s3:putobject"}
    assert ledger.read(ANA, since=NOW - timedelta(days=100)).entries.keys() == {"s3:putobject"}


def test_the_last_day_of_the_calendar_is_stored_as_well(ledger: UsageLedger) -> None:
    last = entry(at=datetime.max.replace(tzinfo=UTC))
    ledger.merge(usage(last))
    assert read(ledger) == {"s3:getobject": last}, "whose last moment ends the day"


def test_coverage_is_kept_by_day_and_read_from_the_window_on(ledger: UsageLedger) -> None:
    old, new = (NOW - timedelta(days=91)).date(), NOW.date()
    ledger.merge_coverage(ACCOUNT, Coverage.of([old, new], regions=["ap-south-1"], feeds=["trail"]))
    seen = Coverage.of([new], regions=["us-east-1"], feeds=["eventbridge"], data_events=["s3"], reads=True)
    assert [ledger.merge_coverage(ACCOUNT, seen) for _ in range(2)] == [1, 0]
    assert ledger.read_coverage(ACCOUNT, since=SINCE) == Coverage(
        {
            new: DaySeen(
                frozenset({"ap-south-1", "us-east-1"}),
                frozenset({"eventbridge", "trail"}),
                frozenset({"s3"}),
                reads=True,
            )
        }
    )
    assert ledger.read_coverage(OTHER_ACCOUNT, since=SINCE) == Coverage()
    assert ledger.read(BOB, since=SINCE).coverage.days == {new}


def test_a_day_knows_whether_events_that_only_read_were_seen(ledger: UsageLedger, aws: Stack) -> None:
    ledger.merge_coverage(ACCOUNT, Coverage.of([NOW.date()], feeds=["trail"], reads=False))
    assert not ledger.read_coverage(ACCOUNT, since=SINCE).reads
    table = aws.table(aws.usage_table)
    item = table.get(f"ACCOUNT#{ACCOUNT}", f"DAY#{NOW.date()}")
    assert item
    table.put({name: value for name, value in item.items() if name != "reads"})
    assert not ledger.read_coverage(ACCOUNT, since=SINCE).reads, "nobody looked for them"
    reads = Coverage.of([NOW.date()], reads=True)
    assert [ledger.merge_coverage(ACCOUNT, reads) for _ in range(2)] == [1, 0]
    assert ledger.read_coverage(ACCOUNT, since=SINCE).reads


def test_coverage_that_says_nothing_new_is_not_written(ledger: UsageLedger, aws: Stack) -> None:
    seen = Coverage.of([date(2026, 3, 1)], regions=["eu-west-1"], feeds=["eventbridge"])
    for _ in range(3):
        ledger.merge_coverage(ACCOUNT, seen)
    assert [item["version"]["N"] for item in items(aws)] == ["1"]


def test_coverage_that_the_reader_has_is_not_read_again(ledger: UsageLedger, calls: list[str]) -> None:
    coverage = Coverage.of([NOW.date()])
    assert ledger.read(ANA, since=SINCE, coverage=coverage).coverage is coverage
    assert calls == ["Query"]


# ---- others write at the same time


def a_history(random: Random, length: int = 12) -> list[UsageEntry]:
    """Uses of two actions on many resources, on some days, of every kind."""
    return [
        entry(
            random.choice(("s3:GetObject", "s3:PutObject")),
            spans={random.choice(list(Evidence)): Span(at, at)},
            resources=objects(*(f"{random.choice('xy')}/{random.randrange(30)}" for _ in range(3))),
            regions=frozenset({f"xx-{random.randrange(5)}"}),
        )
        for at in (NOW + timedelta(hours=random.randrange(100)) for _ in range(length))
    ]


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("writers", [1, 4])
@pytest.mark.parametrize("seed", range(2))
def test_writers_at_the_same_time_lose_nothing_of_each_other(
    aws: Stack, atomic_calls: None, monkeypatch: pytest.MonkeyPatch, *, warm: bool, writers: int, seed: int
) -> None:
    histories = [a_history(Random(seed * 100 + number)) for number in range(6)]  # noqa: S311 a seeded test
    monkeypatch.setattr("shared.aws.usage_ledger.MAX_ATTEMPTS", 50)

    def write(number: int) -> None:
        known = KnownEntries() if warm else None
        mine = UsageLedger(aws.table(aws.usage_table), known=known, writers=writers)
        for one in histories[number]:
            mine.merge(usage(one))
            mine.merge_coverage(ACCOUNT, Coverage.of([NOW.date()], regions=[f"{min(one.regions)}-{number}"]))

    in_threads(*(partial(write, number) for number in range(len(histories))))
    ledger = UsageLedger(aws.table(aws.usage_table))
    uses = [one for history in histories for one in history]
    assert read(ledger) == {key: as_known(one) for key, one in join_entries(uses).items()}
    regions = {f"{min(one.regions)}-{number}" for number, history in enumerate(histories) for one in history}
    assert ledger.read_coverage(ACCOUNT, since=SINCE).regions == regions


@pytest.mark.parametrize("begun_anew", [True, False])
def test_an_item_that_expires_between_read_and_write_takes_nothing_of_the_one_that_follows(
    aws: Stack, monkeypatch: pytest.MonkeyPatch, *, begun_anew: bool
) -> None:
    """Given an item that was read, when another follows it with the same version, then nothing of that one is lost."""
    table, put = aws.table(aws.usage_table), Table.put
    old, mine, others = entry(at=NOW - timedelta(days=500)), entry(resources=objects("b")), entry("s3:GETObject")
    UsageLedger(table).merge(usage(old))
    keys = {name: {"S": value} for name, value in zip(("pk", "sk"), ANA_GETS, strict=True)}

    def meanwhile(self: Table, item: Mapping[str, Any], **condition: Any) -> None:
        monkeypatch.setattr(Table, "put", put)
        clients.dynamodb().delete_item(TableName=aws.usage_table, Key=keys)
        if begun_anew:
            assert UsageLedger(table).merge(usage(others)) == 1
        put(self, item, **condition)

    monkeypatch.setattr(Table, "put", meanwhile)
    ledger = UsageLedger(table)
    assert ledger.merge(usage(mine)) == 1
    expected = mine.join(others) if begun_anew else mine.join(old)
    assert read(ledger) == {"s3:getobject": as_known(expected)}


class Crash(BaseException):
    """A function that is killed."""


@pytest.mark.parametrize("after_write", [True, False])
def test_a_writer_that_is_killed_around_its_write_loses_nothing_when_its_messages_come_again(
    aws: Stack, monkeypatch: pytest.MonkeyPatch, *, after_write: bool
) -> None:
    put, left = Table.put, [2]

    def killed(self: Table, item: Mapping[str, Any], **condition: Any) -> None:
        left[0] -= 1
        if left[0] or after_write:
            put(self, item, **condition)
        if not left[0]:
            raise Crash

    batch = usage(entry(), entry("s3:PutObject"), entry("s3:ListBucket"))
    known = KnownEntries()
    with monkeypatch.context() as patched:
        patched.setattr(Table, "put", killed)
        with pytest.raises(Crash):
            UsageLedger(aws.table(aws.usage_table), known=known).merge(batch)
    again = UsageLedger(aws.table(aws.usage_table), known=known)
    assert again.merge(batch) == (1 if after_write else 2)
    assert read(again) == {key: as_known(one) for key, one in batch[ANA].entries.items()}


def test_a_write_whose_answer_was_lost_is_found_done(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Table.put

    def repeated(self: Table, item: Mapping[str, Any], **condition: Any) -> None:
        put(self, item, **condition)
        put(self, item, **condition)  # as botocore does where the connection broke

    monkeypatch.setattr(Table, "put", repeated)
    ledger = UsageLedger(aws.table(aws.usage_table))
    assert ledger.merge(usage(entry())) == 0
    assert read(ledger) == {"s3:getobject": as_known(entry())}


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


# ---- what is too large, damaged or not ours


@pytest.mark.parametrize(
    "damage",
    [
        {"spans": {}},
        {"spans": {"observed": ["2026-03-01T12:00:00+00:00"]}},
        {"spans": {"observed": ["2026-03-01T12:00:00", "2026-03-01T12:00:00"]}},
        {"spans": {"observed": ["2026-03-02T12:00:00+00:00", "2026-03-01T12:00:00+00:00"]}},
        {"spans": {"guessed": ["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00+00:00"]}},
        {"spans": None},
        {"resources": "arn:aws:s3:::photos/a"},
        {"resources": ["arn:aws:s3:::*"]},
        {"regions": [1]},
        {"action": "s3:PutObject"},
        {"version": "one"},
        {"expires_at": None},
        {"format": 2},
        {"format": None},
    ],
    ids=str,
)
def test_an_item_that_cannot_be_read_is_an_error_with_its_key_and_never_no_usage(
    aws: Stack, damage: Mapping[str, Any]
) -> None:
    ledger = UsageLedger(aws.table(aws.usage_table), known=KnownEntries())
    ledger.merge(usage(entry()))
    table = aws.table(aws.usage_table)
    item = table.get(*ANA_GETS)
    assert item
    table.put({**item, **damage})
    with pytest.raises(InputError, match=" ".join(ANA_GETS)):
        read(ledger)
    more = {**usage(entry(at=NOW + timedelta(days=1)), entry("s3:PutObject")), **usage(entry(), of=BOB)}
    with pytest.raises(InputError, match=rf"{' '.join(ANA_GETS)}: .* \(0 more .* everything else is stored\)"):
        ledger.merge(more)
    assert table.get(*ANA_GETS) == {**item, **damage}, "it stays as it is"
    assert read(ledger, BOB) == {"s3:getobject": as_known(entry())}, "the others are stored"


@pytest.mark.parametrize(
    "damage", [{"regions": None}, {"feeds": [1]}, {"data_events": True}, {"reads": "yes"}, {"format": 2}], ids=str
)
def test_a_day_that_cannot_be_read_is_an_error_with_its_key(
    ledger: UsageLedger, aws: Stack, damage: Mapping[str, Any]
) -> None:
    seen = Coverage.of([NOW.date()], feeds=["trail"])
    ledger.merge_coverage(ACCOUNT, seen)
    table = aws.table(aws.usage_table)
    item = table.get(f"ACCOUNT#{ACCOUNT}", f"DAY#{NOW.date()}")
    assert item
    table.put({**item, **damage})
    for call in (partial(ledger.read_coverage, ACCOUNT, since=SINCE), partial(ledger.merge_coverage, ACCOUNT, seen)):
        with pytest.raises(InputError, match=f"ACCOUNT#{ACCOUNT} DAY#2026-03-01"):
            call()


@pytest.mark.parametrize("poison", ["damaged", "no identity", "damaged day"])
def test_what_cannot_be_stored_keeps_the_coverage_of_its_account_from_being_written_and_nothing_else(
    ledger: UsageLedger, aws: Stack, poison: str
) -> None:
    today, table = NOW.date(), aws.table(aws.usage_table)
    uses, days = {**usage(entry()), **usage(entry("s3:PutObject"), of=BOB)}, [today, today - timedelta(days=1)]
    stranger = IdentityKey(OTHER_ACCOUNT, ANA.identity_id)
    uses |= usage(entry(), of=stranger)
    if poison == "no identity":
        uses |= usage(entry(), of=IdentityKey(ACCOUNT, "AIDA#1"))
    else:
        key = ANA_GETS if poison == "damaged" else (f"ACCOUNT#{ACCOUNT}", f"DAY#{today}")
        table.put({"pk": key[0], "sk": key[1], "format": 1})
    recorded = ledger.record(uses, {account: Coverage.of(days) for account in (ACCOUNT, OTHER_ACCOUNT)})
    assert recorded.problems.keys() == {ACCOUNT}
    assert recorded.written == {"damaged": 1, "no identity": 2, "damaged day": 3}[poison] + 3
    with pytest.raises(InputError, match=r"\(0 more like it; everything else is stored\)"):
        recorded.raise_problems()
    assert read(ledger, BOB).keys() == {"s3:putobject"}
    assert read(ledger, stranger).keys() == {"s3:getobject"}
    assert ledger.read_coverage(OTHER_ACCOUNT, since=SINCE).days == set(days)
    stored = {day for day in days if (table.get(f"ACCOUNT#{ACCOUNT}", f"DAY#{day}") or {}).get("version")}
    assert stored == ({days[1]} if poison == "damaged day" else set())


def test_what_all_can_be_stored_is_no_problem(ledger: UsageLedger) -> None:
    recorded = ledger.record(usage(entry()), {ACCOUNT: Coverage.of([NOW.date()])})
    recorded.raise_problems()
    assert recorded == (2, {})
    assert ledger.record(usage(entry()), {ACCOUNT: Coverage.of([NOW.date()])}) == (0, {})


def test_what_a_later_release_added_beside_ours_is_left_alone(ledger: UsageLedger, aws: Stack) -> None:
    ledger.merge(usage(entry()))
    table = aws.table(aws.usage_table)
    item = table.get(*ANA_GETS)
    assert item
    table.put({**item, "peers": ["x"]})
    assert ledger.merge(usage(entry(at=NOW + timedelta(days=1)))) == 1
    later = table.get(*ANA_GETS)
    assert later
    assert (later["peers"], later["version"]) == (["x"], 2)


@pytest.mark.parametrize(
    ("identity", "what", "message"),
    [
        (IdentityKey(ACCOUNT, "AIDA#ACTION"), entry(), "not the unique id of an identity"),
        (IdentityKey(ACCOUNT, ""), entry(), "not the unique id of an identity"),
        (IdentityKey("12345678901", "AIDA"), entry(), "not an account id"),
        (IdentityKey("١٢٣٤٥٦٧٨٩٠١٢", "AIDA"), entry(), "not an account id"),
        (IdentityKey(ACCOUNT, "AIDA"), entry("s3"), "not an action"),
        (IdentityKey(ACCOUNT, "AIDA"), entry("s3:Get#Object"), "not an action"),
        (IdentityKey(ACCOUNT, "AIDA"), entry(regions=frozenset({"x" * 41})), "regions that AWS does not have"),
        (IdentityKey(ACCOUNT, "AIDA"), entry(regions=frozenset(map(str, range(101)))), "regions that AWS"),
    ],
)
def test_what_aws_does_not_have_is_refused_and_does_not_stop_the_rest(
    ledger: UsageLedger, identity: IdentityKey, what: UsageEntry, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ledger.merge({**usage(what, of=identity), **usage(entry())})
    assert read(ledger).keys() == {"s3:getobject"}


def test_the_largest_entry_and_the_largest_day_fit_into_an_item(ledger: UsageLedger) -> None:
    scopes = [f"arn:aws:sqs:{'r' * 60}-{number:02d}:{ACCOUNT}:" for number in range(MAX_FAMILIES)]
    resources = Resources.of(f"{scope}{'é' * 113}{number:02d}" for scope in scopes for number in range(MAX_EXACT))
    assert len(resources.exact() or ()) == MAX_FAMILIES * MAX_EXACT
    spans = {kind: Span(datetime.min.replace(tzinfo=UTC), NOW) for kind in Evidence}
    regions = frozenset(f"{number:040d}" for number in range(100))
    assert ledger.merge(usage(entry(spans=spans, resources=resources, regions=regions))) == 1
    assert read(ledger)["s3:getobject"].resources == resources
    services = [f"{number:064d}" for number in range(1_000)]
    assert ledger.merge_coverage(ACCOUNT, Coverage.of([NOW.date()], regions=regions, data_events=services)) == 1


def many(count: int) -> list[UsageEntry]:
    families = [f"arn:aws:sqs:eu-west-{number}:{ACCOUNT}:{'q' * 1_000}" for number in range(10)]
    return [entry(f"s3:Action{number:04d}", resources=Resources.of(families)) for number in range(count)]


def test_more_entries_than_a_page_holds_are_all_merged_and_read(ledger: UsageLedger, calls: list[str]) -> None:
    count = 2 * MAX_BATCH_GET + 1
    assert ledger.merge(usage(*many(count))) == count
    assert calls.count("BatchGetItem") == 3
    assert len(read(ledger)) == count
    assert calls.count("Query") > 1, "one megabyte a page"
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
        UsageLedger(aws.table("nowhere")).read(ANA, since=SINCE)
