"""The audit table: append only, once per event, one unbroken chain however many write at the same time."""

from datetime import timedelta
from functools import partial

import pytest

from services.auditor.chain import verify_chain
from services.auditor.core import chain_of, entry_of
from shared.aws import clients
from shared.aws.audit_table import MAX_ATTEMPTS, AuditTable
from shared.errors import ConflictError
from shared.events import DomainEvent, IdentityEvaluated, IdentityEvent, PlanEvent, PolicyApplied
from shared.model.audit import AuditEntry
from shared.model.plan import Compliance
from tests.builders import ACCOUNT, ANA, NOW, OTHER_ACCOUNT, every_event, scored
from tests.conftest import Stack, in_threads

CHAIN = f"{ACCOUNT}/{ANA.identity_id}"


@pytest.fixture
def audit(aws: Stack) -> AuditTable:
    return AuditTable(aws.table(aws.audit_table))


def append(audit: AuditTable, event: DomainEvent) -> bool:
    return audit.append(event.event_id, chain_of(event), lambda head: entry_of(event, head, now=NOW))


def test_every_event_is_read_back_in_a_chain_that_verifies(audit: AuditTable) -> None:
    events = every_event()
    assert [append(audit, event) for event in events] == [True] * len(events)
    of_ana, of_account = list(audit.chain(CHAIN)), list(audit.chain(f"{ACCOUNT}/account"))
    told_of_ana = [event.event_id for event in events if isinstance(event, IdentityEvent)]
    assert [entry.event_id for entry in of_ana] == told_of_ana
    assert verify_chain(of_ana).verified == len(told_of_ana)
    assert verify_chain(of_account).verified == len(events) - len(told_of_ana) == 2
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
    assert verify_chain(entries).verified == len(events)
    assert {entry.event_id for entry in entries} == {event.event_id for event in events}


def test_a_writer_that_keeps_losing_gives_up_with_a_conflict_and_leaves_no_marker(audit: AuditTable) -> None:
    built: list[AuditEntry | None] = []

    def overtaken(head: AuditEntry | None) -> AuditEntry:
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
    report = verify_chain(audit.chain(CHAIN))
    assert (report.whole, report.sequence) == (False, 2)


def test_a_chain_longer_than_a_page_is_read_and_verified_whole(audit: AuditTable) -> None:
    for number in range(1, 13):
        append(audit, scored(version=number, top=("x" * 100_000,)))
    assert verify_chain(audit.chain(CHAIN)).verified == 12
    head = audit.head(CHAIN)
    assert head is not None
    assert head.sequence == 12


def test_the_changes_of_an_account_are_found_by_time_oldest_first(audit: AuditTable) -> None:
    for hours in (3, 1, 2):
        append(audit, scored(version=hours).model_copy(update={"occurred_at": NOW + timedelta(hours=hours)}))
    found = audit.of_account(ACCOUNT, since=NOW + timedelta(hours=2))
    assert [entry.event["score_version"] for entry in found] == [2, 3]
    assert list(audit.of_account(OTHER_ACCOUNT, since=NOW)) == []


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


def test_a_notification_is_remembered_by_event(audit: AuditTable) -> None:
    event = next(event for event in every_event() if isinstance(event, PolicyApplied))
    assert not audit.was_notified(event.event_id)
    audit.note_notified(event.event_id, now=NOW)
    audit.note_notified(event.event_id, now=NOW + timedelta(days=1))
    assert audit.was_notified(event.event_id)
    assert not audit.was_notified(scored().event_id)
