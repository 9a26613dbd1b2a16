"""The outbox: messages to people that are kept until SNS has them.

| pk | sk | holds |
|---|---|---|
| `OUTBOX` | `<kept at>#<event id>` | one message that is still to be sent; it goes when it was |
| `KEPT#<event id>` | `KEPT` | that this event's message was put into the outbox, for a month |
| `WINDOW#<start>#<kind>` | `COUNT` | how many messages were sent at once in these five minutes, for a day |
| `TURN` | `TURN` | who sends what waits, and until when |

A message and the note that it was kept are written together or not at all: another delivery of the event finds the note
and keeps nothing, whether the message was sent since or not. A message that waits never expires. One that can't be read
comes out as such, with the event that its place names: it holds up no other.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.aws.clients import aws_errors
from shared.aws.dynamodb import Table, sortable
from shared.errors import ConflictError
from shared.model.notification import KeptNotification, Notification, Severity

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

OUTBOX = "OUTBOX"
TURN = ("TURN", "TURN")
REMEMBERED = timedelta(days=30)  # longer than an event can wait in a dead-letter queue, which is 14 days
COUNTED = timedelta(days=1)
MAX_ATTEMPTS = 5
MAX_TOGETHER = 100  # deletions of one transaction (API limit)


class Outbox:
    """Messages in the notifications table."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._name = table_name
        self._table = Table(client, table_name)

    def keep(self, kept: KeptNotification) -> bool:
        """Keep a message for good until it is sent; False where the event's message was kept before.

        Raises DependencyError where that can't be known.
        """
        key = (f"KEPT#{kept.event_id}", "KEPT")
        note = {"pk": key[0], "sk": key[1], "expires_at": _expiry(kept.kept_at, REMEMBERED)}
        message = {
            "pk": OUTBOX,
            "sk": _place_of(kept),
            "event_id": kept.event_id,
            "kept_at": sortable(kept.kept_at),
            "notification": kept.notification.model_dump_json(),
        }
        for _ in range(MAX_ATTEMPTS):
            try:
                self._table.put_all_new([note, message])
            except ConflictError:
                # another delivery of the same event may be at it, and may still fail
                if self._table.get(*key) is not None:
                    return False
                continue
            return True
        raise ConflictError(f"outbox: event {kept.event_id} is being kept by others {MAX_ATTEMPTS} times")

    def waiting(self, *, limit: int) -> Iterator[KeptNotification]:
        """Messages that were kept and not yet sent, at most so many, those that wait longest first."""
        for item in self._table.query(OUTBOX, limit=limit):
            try:
                yield KeptNotification(
                    event_id=item["event_id"],
                    kept_at=datetime.fromisoformat(item["kept_at"]),
                    notification=Notification.model_validate_json(item["notification"]),
                    place=item["sk"],
                )
            except (KeyError, TypeError, ValueError):
                yield _unreadable(item["sk"])

    def forget(self, sent: Sequence[KeptNotification]) -> None:
        """Take messages out that were sent; one that is gone already does not matter."""
        for start in range(0, len(sent), MAX_TOGETHER):
            deletions: list[TransactWriteItemTypeDef] = [
                {
                    "Delete": {
                        "TableName": self._name,
                        "Key": {"pk": {"S": OUTBOX}, "sk": {"S": kept.place or _place_of(kept)}},
                    }
                }
                for kept in sent[start : start + MAX_TOGETHER]
            ]
            with aws_errors(f"TransactWriteItems {self._name}"):
                self._client.transact_write_items(TransactItems=deletions)

    def count(self, window: str, *, now: datetime) -> int:
        """Count one more message in a window, and say how many that makes: no two callers get the same number."""
        with aws_errors(f"UpdateItem {self._name}"):
            answer = self._client.update_item(
                TableName=self._name,
                Key={"pk": {"S": f"WINDOW#{window}"}, "sk": {"S": "COUNT"}},
                UpdateExpression="SET expires_at = :expiry ADD messages :one",
                ExpressionAttributeValues={":one": {"N": "1"}, ":expiry": {"N": str(_expiry(now, COUNTED))}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["messages"]["N"])

    def take_turn(self, holder: str, *, now: datetime, until: datetime) -> bool:
        """Be the only one who sends what waits, until then; False where somebody else is. A retry has its own turn."""
        item = {"pk": TURN[0], "sk": TURN[1], "holder": holder, "until_time": sortable(until)}
        try:
            self._table.put(
                item,
                condition="attribute_not_exists(pk) OR until_time <= :now OR holder = :holder",
                values={":now": sortable(now), ":holder": holder},
            )
        except ConflictError:
            return False
        return True

    def end_turn(self, holder: str) -> None:
        """Let others send what waits; a turn that somebody else has since is theirs."""
        try:
            with aws_errors(f"DeleteItem {self._name}"):
                self._client.delete_item(
                    TableName=self._name,
                    Key={"pk": {"S": TURN[0]}, "sk": {"S": TURN[1]}},
                    ConditionExpression="holder = :holder",
                    ExpressionAttributeValues={":holder": {"S": holder}},
                )
        except ConflictError:
            return


def _place_of(kept: KeptNotification) -> str:
    """Where a message stands: behind those that wait longer, so that no flood of later ones can hold it up."""
    return f"{sortable(kept.kept_at)}#{kept.event_id}"


def _unreadable(place: str) -> KeptNotification:
    """What stands for a message that this version can't read: which event it was about."""
    kept_at, _, event_id = place.partition("#")
    subject = "A message can't be read"
    return KeptNotification(
        event_id=event_id,
        kept_at=_moment(kept_at),
        is_readable=False,
        place=place,
        notification=Notification(
            subject=subject, text=subject, data={}, attributes={}, severity=Severity.WARNING, label="unreadable"
        ),
    )


def _moment(text: str) -> datetime:
    """The time that a place begins with; long ago where it begins with none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _expiry(now: datetime, after: timedelta) -> int:
    """When DynamoDB may delete an item, in seconds since 1970."""
    return int((now + after).timestamp())
