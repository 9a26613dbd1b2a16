"""The audit table: append only, once per event, one unbroken chain however many write at the same time."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from infra.build.template import ROOT, load_template
from services.auditor.chain import verify_chain
from services.auditor.core import chain_of, entry_of, renamed
from services.auditor.verifying import verify_trail
from shared.aws import clients
from shared.aws.audit_table import MAX_ATTEMPTS, PAGE_ITEMS, Appended, AuditTable
from shared.aws.dynamodb import Table
from shared.errors import ConflictError, DependencyError
from shared.events import DomainEvent, IdentityEvaluated, IdentityEvent, PlanEvent
from shared.model.audit import NOT_AS_RECORDED, AuditEntry
from shared.model.plan import Compliance
from shared.model.stored_entry import Head, StoredEntry
from tests.builders import ACCOUNT, ANA, DEPLOYER, NOW, OTHER_ACCOUNT, every_event, scored
from tests.conftest import MAKE_API_CALL, Stack, in_threads
from tests.unit.trail import chain_of as chain_in_memory
from tests.unit.trail import event_about

CHAIN, THE_ACCOUNT = f"{ACCOUNT}/{ANA.identity_id}", f"{ACCOUNT}/account"


@pytest.fixture
def audit(aws: Stack) -> AuditTable:
    return AuditTable(aws.table(aws.audit_table))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.aws.audit_table.time.sleep", lambda _: None)


def appended(audit: AuditTable, event: DomainEvent, source: str | None = None) -> Appended:
    return audit.append(event.event_id, chain_of(event), lambda head: entry_of(event, head, now=NOW, source=source))


def append(audit: AuditTable, event: DomainEvent) -> bool:
    return appended(audit, event) is Appended.NEW


def test_every_event_is_read_back_in_a_chain_that_verifies(audit: AuditTable) -> None:
    events = every_event()
    assert [append(audit, event) for event in events] == [True] * len(events)
    of_ana, of_account = list(audit.chain(CHAIN)), list(audit.chain(THE_ACCOUNT))
    told_of_ana = [event.event_id for event in events if isinstance(event, IdentityEvent)]
    assert [entry.event_id for entry in of_ana] == told_of_ana
    assert [entry.event_id for entry in audit.chain(CHAIN, newest_first=True)] == told_of_ana[::-1]
    assert verify_chain(audit.raw_chain(CHAIN)).verified == len(told_of_ana)
    assert verify_chain(audit.raw_chain(THE_ACCOUNT)).verified == len(of_account) == len(events) - len(told_of_ana)
    assert audit.head(CHAIN) == of_ana[-1]
    assert audit.head("nobody") is None


def test_an_event_is_recorded_once_however_often_it_comes(audit: AuditTable) -> None:
    assert [append(audit, scored()) for _ in range(3)] == [True, False, False]
    assert len(list(audit.chain(CHAIN))) == 1


def test_writers_at_the_same_time_lose_nothing_and_keep_one_chain(audit: AuditTable, atomic_calls: None) -> None:
    events = [scored(version=number) for number in range(1, 7)]

    def write(event: DomainEvent) -> None:
        for _ in range(20):  # as the queue delivers again what lost too often
            try:
                append(audit, event)
            except ConflictError:
                continue
            return

    in_threads(*(partial(write, event) for event in [*events, *events[:2]]))
    entries = list(audit.chain(CHAIN))
    assert verify_chain(audit.raw_chain(CHAIN)).verified == len(events)
    assert {entry.event_id for entry in entries} == {event.event_id for event in events}


def test_a_writer_that_keeps_losing_gives_up_with_a_conflict_and_leaves_no_marker(audit: AuditTable) -> None:
    built: list[Head | None] = []

    def overtaken(head: Head | None) -> AuditEntry:
        built.append(head)
        append(audit, scored(version=100 + len(built)))  # somebody else is faster each time
        return entry_of(scored(version=1), head, now=NOW)

    with pytest.raises(ConflictError, match=f"other writers won {MAX_ATTEMPTS} times"):
        audit.append(scored(version=1).event_id, CHAIN, overtaken)
    assert len(built) == MAX_ATTEMPTS
    assert append(audit, scored(version=1)), "the event may still be recorded"


def test_an_entry_is_never_overwritten(audit: AuditTable, aws: Stack) -> None:
    append(audit, scored())
    before = list(audit.chain(CHAIN))
    with pytest.raises(ConflictError):
        audit.append("another", CHAIN, lambda head: entry_of(scored(version=2), None, now=NOW))
    assert list(audit.chain(CHAIN)) == before


def test_an_edit_in_the_table_is_found(audit: AuditTable, aws: Stack) -> None:
    for number in range(1, 4):
        append(audit, scored(version=number))
    clients.dynamodb().update_item(
        TableName=aws.audit_table,
        Key={"pk": {"S": f"CHAIN#{CHAIN}"}, "sk": {"S": "000000000002"}},
        UpdateExpression="SET summary = :summary",
        ExpressionAttributeValues={":summary": {"S": "nothing happened"}},
    )
    report = verify_chain(audit.raw_chain(CHAIN))
    assert (report.whole, report.sequence) == (False, 2)


def test_a_chain_longer_than_a_page_is_read_and_verified_whole(audit: AuditTable) -> None:
    for number in range(1, 13):
        append(audit, scored(version=number, top=("x" * 100_000,)))
    assert verify_chain(audit.raw_chain(CHAIN)).verified == 12
    head = audit.head(CHAIN)
    assert head is not None
    assert head.sequence == 12


TIMES = [NOW + timedelta(hours=hours) for hours in range(5)]
WINDOWS: list[tuple[datetime | None, datetime | None, list[int]]] = [
    (None, None, [0, 1, 2, 3, 4]),
    (TIMES[2], None, [2, 3, 4]),
    (None, TIMES[2], [0, 1]),
    (TIMES[1], TIMES[3], [1, 2]),
    (TIMES[1], TIMES[1], []),
    (TIMES[3], TIMES[1], []),
    (TIMES[1] + timedelta(microseconds=1), TIMES[2] + timedelta(microseconds=1), [2]),
]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(("since", "until", "expected"), WINDOWS)
def test_entries_are_found_between_two_times_of_which_the_first_counts(
    audit: AuditTable, since: datetime | None, until: datetime | None, expected: list[int], *, newest_first: bool
) -> None:
    for hours, moment in enumerate(TIMES):
        event = scored(version=hours).model_copy(update={"occurred_at": moment})
        audit.append(event.event_id, CHAIN, lambda head, event=event, at=moment: entry_of(event, head, now=at))  # type: ignore[misc]
    window: dict[str, Any] = {"since": since, "until": until, "newest_first": newest_first}
    for found in (
        audit.of_account(ACCOUNT, **window),
        audit.of_type(ACCOUNT, "IdentityScored", **window),
        audit.of_identity(ACCOUNT, ANA.identity_id, **window),
    ):
        assert [entry.event["score_version"] for entry in found] == sorted(expected, reverse=newest_first)
    assert list(audit.of_account(OTHER_ACCOUNT, **window)) == []
    assert list(audit.of_type(ACCOUNT, "IdentityEvaluated", **window)) == []
    assert list(audit.of_identity(ACCOUNT, DEPLOYER.identity_id, **window)) == []


def test_what_was_recorded_late_is_found_by_when_it_occurred(audit: AuditTable) -> None:
    late = scored(version=1).model_copy(update={"occurred_at": NOW - timedelta(days=9)})
    for event in (scored(version=2), late, scored(version=3)):
        append(audit, event)
    for newest_first in (False, True):
        of_identity = audit.of_identity(
            ACCOUNT, ANA.identity_id, since=NOW - timedelta(days=10), until=NOW, newest_first=newest_first
        )
        assert [entry.event_id for entry in of_identity] == [late.event_id]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("first", "last", "expected"), [(1, None, [1, 2, 3, 4]), (2, 3, [2, 3]), (4, 9, [4]), (3, 2, [])]
)
def test_a_part_of_a_history_is_found_by_its_place(
    audit: AuditTable, first: int, last: int | None, expected: list[int], *, newest_first: bool
) -> None:
    for number in range(1, 5):
        append(audit, scored(version=number))
    found = audit.of_identity(
        ACCOUNT, ANA.identity_id, from_sequence=first, until_sequence=last, newest_first=newest_first
    )
    assert [entry.sequence for entry in found] == sorted(expected, reverse=newest_first)


def test_an_entry_is_found_by_its_event_and_by_its_place(audit: AuditTable) -> None:
    for number in (1, 2):
        append(audit, scored(version=number))
    entry = audit.of_event(scored(version=2).event_id)
    assert entry is not None
    assert (entry.sequence, audit.at(CHAIN, 2)) == (2, entry)
    assert audit.of_event("another") is None
    assert audit.at(CHAIN, 3) is None


def test_the_story_of_a_plan_is_found_by_its_id(audit: AuditTable) -> None:
    for event in every_event():
        append(audit, event)
    expected = {event.type_name() for event in every_event() if isinstance(event, PlanEvent)}
    assert {entry.event_type for entry in audit.of_plan("plan-1")} == expected
    assert list(audit.of_plan("plan-2")) == []


def test_verdicts_are_found_by_account_and_compliance(audit: AuditTable) -> None:
    for event in every_event():
        append(audit, event)
    found = audit.of_compliance(ACCOUNT, Compliance.NON_COMPLIANT)
    assert [entry.event_type for entry in found] == [IdentityEvaluated.type_name()]
    assert list(audit.of_compliance(ACCOUNT, Compliance.COMPLIANT)) == []
    assert list(audit.of_compliance(OTHER_ACCOUNT, Compliance.NON_COMPLIANT)) == []


class Calls:
    """Every call to DynamoDB by name, and how many items each page of a query had."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.pages: list[int] = []
        events = clients.dynamodb().meta.events
        events.register("after-call.dynamodb.*", self._note)

    def _note(self, model: Any, parsed: dict[str, Any], **_: object) -> None:
        self.names[model.name] += 1
        if model.name == "Query":
            self.pages.append(parsed["Count"])

    def of(self, read: Callable[[], Iterable[object]]) -> tuple[int, list[int]]:
        """Read all, and say how many things that were and the pages that it took; nothing but queries may be asked."""
        self.names.clear()
        self.pages.clear()
        found = len(list(read()))
        assert set(self.names) == {"Query"}
        return found, list(self.pages)


MANY, OTHERS = 215, 130  # entries of one chain, and chains with one entry each


@pytest.fixture
def long(aws: Stack, audit: AuditTable) -> AuditTable:
    """A trail of several pages in every respect."""
    event = scored()
    entries = [entry.attributes for entry in chain_in_memory(MANY)]
    lone = entry_of(event, None, now=NOW).fields()
    for number in range(OTHERS):
        fields = {**lone, "chain": f"{ACCOUNT}/AROA{number:012d}", "event_id": f"e{number}", "plan_id": "plan-1"}
        entries.append({**StoredEntry.of({**fields, "compliance": "NON_COMPLIANT"}).attributes})
    items = [*entries, *({"pk": f"CHAINS#{ACCOUNT}", "sk": f"AROA{number:012d}"} for number in range(OTHERS))]
    table = aws.table(aws.audit_table)
    for item in items:
        table.put(item)
    return audit


def test_no_access_pattern_scans_and_pages_are_bounded(long: AuditTable) -> None:
    calls, full = Calls(), PAGE_ITEMS
    everything = MANY + OTHERS
    reads: list[tuple[str, Callable[[], Iterable[object]], int]] = [
        ("chain", lambda: long.chain(CHAIN), MANY),
        ("chains", lambda: long.chains(ACCOUNT), OTHERS),
        ("identity", lambda: long.of_identity(ACCOUNT, ANA.identity_id), MANY),
        ("account", lambda: long.of_account(ACCOUNT), everything),
        ("type", lambda: long.of_type(ACCOUNT, "IdentityScored"), everything),
        ("plan", lambda: long.of_plan("plan-1"), OTHERS),
        ("compliance", lambda: long.of_compliance(ACCOUNT, Compliance.NON_COMPLIANT), OTHERS),
    ]
    for name, read, expected in reads:
        found, pages = calls.of(read)
        assert (name, found) == (name, expected)
        assert max(pages) <= full, name
        assert len(pages) <= expected // full + 1, name
    assert calls.of(lambda: long.raw_chain(CHAIN)) == (MANY, [MANY]), "1 MB each"
    only_what_is_wanted_is_read(long, calls)


def only_what_is_wanted_is_read(long: AuditTable, calls: Calls) -> None:
    def first(entries: Iterator[AuditEntry]) -> list[AuditEntry]:
        return [next(entries)]

    for read in (
        lambda: first(long.of_account(ACCOUNT, newest_first=True)),
        lambda: first(long.of_type(ACCOUNT, "IdentityScored")),
        lambda: first(long.of_identity(ACCOUNT, ANA.identity_id, since=NOW, newest_first=True)),
        lambda: list(
            long.of_account(ACCOUNT, since=NOW + timedelta(minutes=MANY - 20), until=NOW + timedelta(days=99))
        ),
    ):
        assert len(calls.of(read)[1]) == 1
    assert calls.of(lambda: [long.head(CHAIN)]) == (1, [2]), "an end stands right behind another entry"
    assert calls.of(lambda: long.raw_chain(CHAIN, from_sequence=MANY - 2)) == (3, [3])


def test_an_append_is_one_query_and_one_transaction_and_a_repetition_two_looks_more(audit: AuditTable) -> None:
    calls = Calls()
    for number, repeated in ((1, False), (2, False), (2, True)):
        calls.names.clear()
        assert append(audit, scored(version=number)) is not repeated
        assert calls.names == {"Query": 1, "TransactWriteItems": 1} | ({"GetItem": 2} if repeated else {})


def test_a_new_chain_is_listed_with_its_first_entry(audit: AuditTable, aws: Stack) -> None:
    for event in (scored(), event_about(DEPLOYER, 1), *every_event()):
        append(audit, event)
    assert set(audit.chains(ACCOUNT)) == {CHAIN, THE_ACCOUNT, f"{ACCOUNT}/{DEPLOYER.identity_id}"}
    assert list(audit.chains(OTHER_ACCOUNT)) == []


def test_a_chain_of_the_version_before_goes_on_and_is_listed_with_its_next_entry(audit: AuditTable, aws: Stack) -> None:
    for item in json.loads((ROOT / "tests/data/audit/version-1.json").read_text(encoding="utf-8")):
        clients.dynamodb().put_item(TableName=aws.audit_table, Item=item)
    assert list(audit.chains(ACCOUNT)) == []
    assert len(list(audit.of_identity(ACCOUNT, ANA.identity_id))) == 14
    assert append(audit, every_event()[0]) is False, "that version recorded it"
    assert append(audit, scored(version=55))
    assert list(audit.chains(ACCOUNT)) == [CHAIN]
    report = verify_trail(audit.raw_chain, (), audit.chains(ACCOUNT))
    assert (report.entries, report.faults) == (15, ())


def test_an_event_that_is_too_large_for_an_item_does_not_stop_the_queue(audit: AuditTable) -> None:
    assert append(audit, scored(top=tuple(f"s3:{number:070d}" for number in range(9_000))))
    (entry,) = audit.chain(CHAIN)
    assert entry.event_left_out == ("top",)
    assert verify_chain(audit.raw_chain(CHAIN)).whole


def bad_weather(seed: int, share: float) -> Callable[[BaseClient, str, dict[str, Any]], Any]:
    """AWS on a bad day: a share of the calls fails, some before and some after they had their effect.

    One call at a time, since moto does not lock.
    """
    rng, lock = random.Random(seed), threading.Lock()  # noqa: S311 it only decides over the weather

    def error(operation: str) -> ClientError:
        code = rng.choice(["ThrottlingException", "TransactionCanceledException", "InternalServerError"])
        return ClientError({"Error": {"Code": code, "Message": "bad weather"}}, operation)

    def call(client: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        with lock:
            fate = rng.random()
            if fate < share / 2:
                raise error(operation)
            answer = MAKE_API_CALL(client, operation, params)
            if fate < share:
                raise error(operation)
            return answer

    return call


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=14),
    st.integers(2, 4),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.2, 0.5]),
)
@settings(deadline=None, max_examples=25)
def test_whatever_writers_meet_chains_stay_whole_and_each_event_is_recorded_once(
    deliveries: list[tuple[int, int]], writers: int, seed: int, share: float
) -> None:
    """Each writer gets all deliveries in an order of its own, duplicates among them, and tries each until it's done."""
    identities = [ANA, DEPLOYER, ANA.model_copy(update={"identity_id": "AIDAEXAMPLEUSER00002"})]
    events = [event_about(identities[who], number) for who, number in deliveries]
    rng = random.Random(seed)  # noqa: S311 it only decides over an order
    rows = [rng.sample(events, len(events)) for _ in range(writers)]
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        audit = AuditTable(new_table())
        patch.setattr(BaseClient, "_make_api_call", bad_weather(seed, share))
        in_threads(*(partial(deliver, audit, row) for row in rows))
        patch.undo()
        assert_recorded_once(audit, events)


def new_table() -> Table:
    """The audit table of the real template, on a moto of its own."""
    properties = load_template(ROOT / "infra/sam/data.yaml")["Resources"]["AuditTable"]["Properties"]
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client = boto3.client("dynamodb")
    client.create_table(TableName="AuditTable", **{key: properties[key] for key in keys})
    return Table(client, "AuditTable")


def deliver(audit: AuditTable, events: Iterable[DomainEvent]) -> None:
    for event in events:
        for _ in range(200):  # as the queue does
            try:
                append(audit, event)
            except DependencyError:
                continue
            break
        else:
            pytest.fail("an event could not be recorded")


def assert_recorded_once(audit: AuditTable, events: Iterable[DomainEvent]) -> None:
    expected: dict[str, set[str]] = {}
    for event in events:
        expected.setdefault(chain_of(event), set()).add(event.event_id)
    assert set(audit.chains(ACCOUNT)) == set(expected)
    for chain, event_ids in expected.items():
        recorded = [entry.event_id for entry in audit.chain(chain)]
        assert sorted(recorded) == sorted(event_ids)
    report = verify_trail(audit.raw_chain, (), audit.chains(ACCOUNT))
    assert (report.faults, report.entries) == ((), sum(map(len, expected.values())))


def test_another_event_under_an_id_keeps_nothing_out_of_the_trail(audit: AuditTable) -> None:
    told = judged = next(event for event in every_event() if isinstance(event, IdentityEvaluated))
    assert appended(audit, told, "leastwise.evaluator") is Appended.NEW
    assert appended(audit, told, "leastwise.evaluator") is Appended.REPEATED
    newer = told.model_copy(update={"occurred_at": NOW + timedelta(hours=9), "annotation": "in other words"})
    assert appended(audit, newer, "leastwise.evaluator") is Appended.REPEATED, "told again, with newer words"
    for source, event in (
        ("leastwise.scorer", told),
        ("leastwise.evaluator", judged.model_copy(update={"compliance": Compliance.NOT_APPLICABLE})),
        ("leastwise.evaluator", judged.model_copy(update={"identity": DEPLOYER})),
        ("leastwise.evaluator", scored(version=3).model_copy(update={"event_id": told.event_id})),
    ):
        assert appended(audit, event, source) is Appended.CONTESTED
        own = renamed(event)
        assert own.event_id.startswith(f"{told.event_id}~")
        assert len(own.event_id) <= 64
        assert appended(audit, own, source) is Appended.NEW
        assert appended(audit, renamed(event), source) is Appended.REPEATED
    assert verify_trail(audit.raw_chain, (), audit.chains(ACCOUNT)).whole


@pytest.mark.parametrize(
    "marker",
    [{}, {"chain": CHAIN}, {"chain": CHAIN, "sequence": 1}, {"chain": CHAIN, "sequence": "1"}, {"sequence": 0}],
)
def test_a_marker_written_before_its_event_keeps_nothing_out(
    audit: AuditTable, aws: Stack, marker: dict[str, object]
) -> None:
    append(audit, scored(version=1))
    event = scored(version=2)
    aws.table(aws.audit_table).put({"pk": f"EVENT#{event.event_id}", "sk": "RECORDED", **marker})
    assert appended(audit, event) is Appended.CONTESTED
    assert append(audit, renamed(event))


def test_queries_show_that_an_entry_is_not_what_was_recorded_and_go_on(audit: AuditTable, aws: Stack) -> None:
    for number in (1, 2, 3):
        append(audit, scored(version=number))
    table = aws.table(aws.audit_table)
    second = table.get(f"CHAIN#{CHAIN}", f"{2:012d}")
    assert second
    table.put({**second, "summary": "nothing happened", "event": "x"})
    table.put({**second, "pk": "nowhere", "sk": "nothing"})
    for entries in (audit.chain(CHAIN), audit.of_account(ACCOUNT), audit.of_type(ACCOUNT, "IdentityScored")):
        types = sorted(entry.event_type for entry in entries)
        assert types == ["IdentityScored", "IdentityScored", NOT_AS_RECORDED]
    shown = audit.at(CHAIN, 2)
    assert shown is not None
    assert (shown.event, shown.identity_id) == ({}, ANA.identity_id)
    assert "is not what was recorded: verify the trail" in shown.summary
