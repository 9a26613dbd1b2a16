"""The smaller services: parameters, the event bus, and a queue that delivers at least once and in no order."""

# ruff: noqa: D102, N803 methods and arguments are AWS's own, as its references describe them

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.fake_aws.errors import refused

MAX_ENTRIES = 10
MAX_ENTRY = 256 * 1024
VISIBILITY = timedelta(minutes=30)
MAX_RECEIVE_COUNT = 5


class FakeSsm:
    """Parameters by name."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}

    def get_parameter(self, *, Name: str, WithDecryption: bool = False) -> dict[str, Any]:
        if Name not in self.parameters:
            raise refused("GetParameter", "ParameterNotFound", f"Parameter {Name} not found.")
        return {"Parameter": {"Name": Name, "Type": "String", "Value": self.parameters[Name], "Version": 1}}

    def put_parameter(self, *, Name: str, Value: str, Type: str = "String", Overwrite: bool = False) -> dict[str, Any]:
        if Name in self.parameters and not Overwrite:
            raise refused("PutParameter", "ParameterAlreadyExists", "The parameter already exists.")
        self.parameters[Name] = Value
        return {"Version": 1}


class FakeEvents:
    """Buses; what is put on one is kept. `refuse_next` entries of the next call fail, as AWS may fail single ones."""

    def __init__(self) -> None:
        self.buses = {"default"}
        self.entries: list[dict[str, Any]] = []
        self.refuse_next = 0

    def create_event_bus(self, *, Name: str) -> dict[str, Any]:
        self.buses.add(Name)
        return {"EventBusArn": f"arn:aws:events:us-east-1:000000000000:event-bus/{Name}"}

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        if not 1 <= len(Entries) <= MAX_ENTRIES:
            raise refused("PutEvents", "ValidationException", "1 to 10 entries")
        results = []
        for number, entry in enumerate(Entries):
            if number < self.refuse_next:
                results.append({"ErrorCode": "InternalFailure", "ErrorMessage": "try again"})
                continue
            _check_entry(entry)
            self.entries.append(dict(entry))
            results.append({"EventId": f"fake-{len(self.entries)}"})
        self.refuse_next = 0
        return {"FailedEntryCount": sum("ErrorCode" in one for one in results), "Entries": results}


def _check_entry(entry: Mapping[str, Any]) -> None:
    if entry["Source"].startswith("aws."):
        raise refused("PutEvents", "NotAuthorizedForSourceException", "Not authorized for the source.")
    if len(entry["Detail"]) > MAX_ENTRY or not isinstance(json.loads(entry["Detail"]), dict):
        raise refused("PutEvents", "ValidationException", "Detail is no JSON object, or too large")


@dataclass
class Message:
    """A message of a queue and how often it was received."""

    body: str
    visible_at: datetime
    received: int = 0


@dataclass
class FakeQueue:
    """Delivers each message until it is deleted; after `MAX_RECEIVE_COUNT` deliveries it goes to the dead letters."""

    clock: Callable[[], datetime]
    seed: int = 0
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)

    def send(self, *bodies: str) -> None:
        """Put messages in."""
        self.messages += [Message(body, self.clock()) for body in bodies]

    def receive(self) -> Message | None:
        """Some message that is due, by the seed; it is hidden until its time-out, or None where none is due."""
        due = [one for one in self.messages if one.visible_at <= self.clock()]
        for one in [one for one in due if one.received >= MAX_RECEIVE_COUNT]:
            self.messages.remove(one)
            self.dead.append(one)
            due.remove(one)
        if not due:
            return None
        self.seed += 1
        message = random.Random(self.seed).choice(due)  # noqa: S311 disorder, not a secret
        message.received += 1
        message.visible_at = self.clock() + VISIBILITY
        return message

    def delete(self, message: Message) -> None:
        """Done with it."""
        self.messages.remove(message)

    def copy(self, clock: Callable[[], datetime]) -> "FakeQueue":
        """The same messages in a queue of its own."""

        def again(messages: list[Message]) -> list[Message]:
            return [Message(one.body, one.visible_at, one.received) for one in messages]

        return FakeQueue(clock, self.seed, again(self.messages), again(self.dead))

    def next_at(self) -> datetime | None:
        """When the next message is due."""
        return min((one.visible_at for one in self.messages), default=None)
