"""The outbox on DynamoDB: kept once, counted once, and only one sends what waits."""

from datetime import timedelta

import pytest

from services.auditor.telling.brief import in_brief
from services.auditor.telling.digest import digest_of
from services.auditor.telling.news import notification_of
from services.auditor.telling.place import Place
from services.auditor.telling.ports import OutboxPort
from shared.aws import clients
from shared.aws.dynamodb import Table, sortable
from shared.aws.outbox import REMEMBERED, Outbox
from shared.aws.sns import send_notification
from shared.errors import ConflictError, DependencyError
from shared.model.notification import KeptNotification, Notification, Severity
from tests.builders import NOW, every_event
from tests.conftest import Stack, in_threads

PLACE = Place("leastwise", "us-east-1", "/leastwise/mode", "/leastwise/safeguards")
(NOTIFICATION,) = (
    told for event in every_event() if event.type_name() == "PolicyApplied" and (told := notification_of(event, PLACE))
)


def kept(event_id: str = "e-1", *, seconds: int = 0) -> KeptNotification:
    kept_at = NOW + timedelta(seconds=seconds)
    return KeptNotification(event_id=event_id, kept_at=kept_at, notification=NOTIFICATION)


@pytest.fixture
def outbox(aws: Stack) -> Outbox:
    """The outbox, which holds what its users expect of one."""
    real = Outbox(clients.dynamodb(), aws.notifications_table)
    port: OutboxPort = real
    assert port is real
    return real


def waiting(outbox: Outbox, limit: int = 1_000) -> list[str]:
    return [one.event_id for one in outbox.waiting(limit=limit)]


def test_what_is_kept_comes_out_as_it_was(outbox: Outbox) -> None:
    assert outbox.keep(kept())
    (found,) = outbox.waiting(limit=10)
    assert found.model_copy(update={"place": ""}) == kept()


def test_a_message_that_cannot_be_read_holds_up_no_other_and_is_told_by_its_event(aws: Stack, outbox: Outbox) -> None:
    place = f"{sortable(NOW)}#e-7"
    aws.table(aws.notifications_table).put({"pk": "OUTBOX", "sk": place, "notification": "{}"})
    assert outbox.keep(kept(seconds=1))
    unread, read = outbox.waiting(limit=10)
    assert (unread.event_id, read.event_id) == ("e-7", "e-1")
    assert (unread.is_readable, read.is_readable) == (False, True)
    digest = digest_of([unread, read], PLACE)
    assert in_brief([unread], PLACE).command == "leastwise audit show e-7 --stack-name leastwise --region us-east-1"
    assert all(digest.attributes.values())
    send_notification(clients.sns(), aws.topic_arn, digest)
    outbox.forget([unread])
    assert waiting(outbox) == ["e-1"]


def test_an_event_is_kept_once_whether_it_waits_or_was_sent(outbox: Outbox) -> None:
    assert outbox.keep(kept())
    assert not outbox.keep(kept())
    outbox.forget([kept()])
    assert not outbox.keep(kept())
    assert waiting(outbox) == []


def test_forgetting_many_takes_out_just_those_and_may_be_repeated(outbox: Outbox) -> None:
    ids = [f"e-{number:03}" for number in range(230)]
    for event_id in ids:
        outbox.keep(kept(event_id))
    outbox.forget([kept(event_id) for event_id in ids[:220]])
    outbox.forget([kept(event_id) for event_id in ids[:220]])
    assert waiting(outbox) == ids[220:]
    assert waiting(outbox, limit=3) == ids[220:223]
    outbox.forget([])


def test_who_waits_longest_comes_first_whatever_its_name(outbox: Outbox) -> None:
    for event_id, seconds in (("a", 3), ("z", 1), ("m", 2)):
        outbox.keep(kept(event_id, seconds=seconds))
    assert waiting(outbox) == ["z", "m", "a"]
    assert waiting(outbox, limit=1) == ["z"]


def test_an_event_that_is_kept_again_later_waits_once(outbox: Outbox) -> None:
    assert outbox.keep(kept())
    assert not outbox.keep(kept(seconds=60))
    assert waiting(outbox) == ["e-1"]


def test_what_waits_never_expires_and_the_notes_do(outbox: Outbox, aws: Stack) -> None:
    outbox.keep(kept())
    outbox.count("w", now=NOW)
    table = Table(clients.dynamodb(), aws.notifications_table)
    message, note, window = next(table.query("OUTBOX")), table.get("KEPT#e-1", "KEPT"), table.get("WINDOW#w", "COUNT")
    assert "expires_at" not in message
    assert note
    assert note["expires_at"] == int((NOW + REMEMBERED).timestamp())
    assert window
    assert window["expires_at"] == int((NOW + timedelta(days=1)).timestamp())


@pytest.mark.usefixtures("atomic_calls")
def test_no_two_get_the_same_number(outbox: Outbox) -> None:
    numbers: list[int] = []
    in_threads(*[lambda: numbers.append(outbox.count("w", now=NOW))] * 8)
    assert sorted(numbers) == list(range(1, 9))
    assert outbox.count("other", now=NOW) == 1


@pytest.mark.usefixtures("atomic_calls")
def test_deliveries_at_the_same_time_keep_an_event_once(outbox: Outbox) -> None:
    answers: list[bool] = []
    in_threads(*[lambda: answers.append(outbox.keep(kept()))] * 6)
    assert sorted(answers) == [False] * 5 + [True]
    assert waiting(outbox) == ["e-1"]


def test_a_conflict_with_nobody_who_kept_it_is_no_answer(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*_: object) -> None:
        raise ConflictError("TransactWriteItems: TransactionConflict")

    monkeypatch.setattr(Table, "put_all_new", conflict)
    with pytest.raises(DependencyError, match="e-1"):
        outbox.keep(kept())


def test_one_at_a_time_sends_what_waits_until_the_turn_ends_or_passes(outbox: Outbox) -> None:
    later = NOW + timedelta(minutes=4)
    assert outbox.take_turn("a", now=NOW, until=later)
    assert not outbox.take_turn("b", now=later - timedelta(seconds=1), until=later)
    assert outbox.take_turn("a", now=NOW, until=later), "Lambda tries a run that was killed again, under the same name"
    outbox.end_turn("b")
    assert not outbox.take_turn("b", now=NOW, until=later)
    outbox.end_turn("a")
    assert outbox.take_turn("b", now=NOW, until=later)
    assert outbox.take_turn("c", now=later, until=later + timedelta(minutes=4))
    outbox.end_turn("b")
    assert not outbox.take_turn("b", now=later, until=later)


def test_a_message_reaches_subscribers_with_its_attributes(aws: Stack) -> None:
    several = NOTIFICATION.model_copy(update={"attributes": {"type": ("A", "B"), "severity": Severity.INFO.value}})
    send_notification(clients.sns(), aws.topic_arn, several)
    (message,) = aws.notified()
    assert message["Subject"] == NOTIFICATION.subject
    assert message["MessageAttributes"] == {
        "type": {"Type": "String.Array", "Value": '["A", "B"]'},
        "severity": {"Type": "String", "Value": "info"},
    }


def test_a_filter_on_one_type_lets_an_array_with_it_through(aws: Stack) -> None:
    (subscription,) = clients.sns().list_subscriptions_by_topic(TopicArn=aws.topic_arn)["Subscriptions"]
    arn = subscription["SubscriptionArn"]
    for types, arrives in ((("A", "B"), True), (("C",), False)):
        clients.sns().set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue='{"type": ["B"]}'
        )
        send_notification(clients.sns(), aws.topic_arn, NOTIFICATION.model_copy(update={"attributes": {"type": types}}))
        assert bool(aws.notified()) == arrives


def test_a_notification_survives_the_way_through_the_outbox() -> None:
    assert Notification.model_validate_json(NOTIFICATION.model_dump_json()) == NOTIFICATION
