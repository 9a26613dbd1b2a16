"""The count of the ledger's writes plays a day, the same in every run, on a table that refuses as DynamoDB does."""

from collections import Counter

import pytest

from benchmarks.ledger_day import ACCOUNT, NAMELESS, TYPICAL, Call, calls_of_day, usages_of
from benchmarks.ledger_writes import CountingTable, Scenario, main, play, size_of
from shared.aws.known_entries import KnownEntries
from shared.aws.ledger_items import as_known, entry_of
from shared.aws.usage_ledger import UNCHANGED, UsageLedger
from shared.errors import ConflictError

EXTENT = {"events": 400, "identities": 4}


def a_day(day: int = 0, burst: int = 5) -> list[Call]:
    return list(calls_of_day(day, mix=TYPICAL, burst=burst, **EXTENT))


def test_a_day_is_the_same_in_every_run_and_differs_from_the_next() -> None:
    assert a_day() == a_day()
    assert a_day(0) != a_day(1)
    assert len(a_day()) == EXTENT["events"]
    assert {call.identity for call in a_day()} == set(range(EXTENT["identities"]))


def test_the_mix_names_resources_as_it_says() -> None:
    calls = calls_of_day(0, events=20_000, identities=2, mix=TYPICAL, burst=1)
    named: dict[tuple[int, int], Counter[str]] = {}
    for call in calls:
        named.setdefault((call.identity, call.action), Counter())[call.arn] += 1
    kinds = Counter(
        "unnamed" if "" in arns else "few" if len(arns) <= 3 else "some" if len(arns) <= 20 else "unbounded"
        for arns in named.values()
    )
    assert kinds == {"unnamed": 48, "few": 16, "some": 10, "unbounded": 6}


def test_a_write_is_refused_where_another_version_is_stored_and_counted() -> None:
    table = CountingTable()
    item = {"pk": "p", "sk": "s", "version": 1}
    for version in (1, 2):
        table.put({**item, "version": version}, condition=UNCHANGED, values={":version": version - 1})
    with pytest.raises(ConflictError):
        table.put({**item, "version": 2}, condition=UNCHANGED, values={":version": 1})
    assert (table.counts.writes, table.counts.lost, table.counts.write_units) == (2, 1, 3)
    assert table.get_many([("p", "s"), ("p", "t")]) == {}, "what was written in this round is not seen yet"
    table.begin_round()
    assert table.get_many([("p", "s")]) == {("p", "s"): {**item, "version": 2}}


@pytest.mark.parametrize("at_once", [True, False])
def test_what_containers_wrote_is_the_whole_day(*, at_once: bool) -> None:
    table, known = CountingTable(), [KnownEntries() for _ in range(3)]
    calls = a_day()
    for number, start in enumerate(range(0, len(calls), 20)):
        if number % 3 == 0 or not at_once:
            table.begin_round()
        UsageLedger(table, known=known[number % 3]).merge(usages_of(calls[start : start + 20], 0))
    assert bool(table.counts.lost) == at_once
    table.begin_round()
    for key, usage in usages_of(calls, 0).items():
        keys = {(f"IDENTITY#{ACCOUNT}#{key.identity_id}", f"ACTION#{name}") for name in usage.entries}
        stored = map(entry_of, table.get_many(list(keys)).values())
        assert {one.action.lower(): as_known(one) for one in stored} == {
            name: as_known(one) for name, one in usage.entries.items()
        }


def test_a_later_day_writes_the_entries_of_that_day_once() -> None:
    nameless = Scenario(NAMELESS, burst=1)
    _, second = play(nameless, **EXTENT, days=2, size=EXTENT["events"])
    entries = {(call.identity, call.action) for call in calls_of_day(1, mix=NAMELESS, burst=1, **EXTENT)}
    assert second.writes == len(entries) + 1, "and the day of the coverage"


def test_a_row_is_printed_for_each_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--events", "200", "--identities", "2", "--days", "2", "--only", "in bursts"]) == 0
    assert capsys.readouterr().out.count("| in bursts |") == 2


def test_a_value_is_measured_as_dynamodb_does() -> None:
    assert size_of("é") == 2
    assert size_of(None) == 1
    assert size_of(1806883200) == 7
    assert size_of(["ab"]) == 3 + 1 + 2
    assert size_of({"ab": "c"}) == 3 + 1 + 2 + 1
