"""What the security team is told: one message, how urgent it is, and what waits in the outbox."""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# SNS API reference, Publish: 262,144 bytes with the attributes, of which ours have less than 2,000.
MAX_MESSAGE_BYTES = 260_000
CUT = "\n... (the rest is left out)"
MAX_SUBJECT = 99  # characters: "less than 100"


class Severity(StrEnum):
    """For subscription filter policies."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @classmethod
    def highest(cls, severities: Iterable["Severity"]) -> "Severity":
        """The most urgent of some; INFO of none."""
        return max(severities, key=list(cls).index, default=cls.INFO)


class Notification(BaseModel):
    """One message to the security team; `attributes` are for subscription filter policies.

    An attribute with several values is one that any of them matches. `label` says in two or three words what kind of
    news it is, and `command` is what the reader would run next: a digest of many messages shows those.
    """

    model_config = ConfigDict(frozen=True)

    subject: str = Field(min_length=1, max_length=MAX_SUBJECT)
    text: str
    data: dict[str, Any]
    attributes: dict[str, str | tuple[str, ...]]
    severity: Severity
    label: str
    command: str = ""

    def message_structure(self) -> str:
        """SNS message with `MessageStructure=json`: text for people by e-mail, one JSON document for machines.

        The document says `"left_out": true` in place of its data where it would be over SNS's limit with them; a text
        that is too long by itself is cut. All but ASCII is escaped in it: nothing in a name can act on a terminal, and
        a program reads the name as it is.
        """
        text, message = self.text, self._structure(self.text, self.data)
        while len(message) > MAX_MESSAGE_BYTES:
            message = self._structure(text, {"left_out": True})
            text = f"{text[: len(text) // 2]}{CUT}"
        return message

    def _structure(self, text: str, data: dict[str, Any]) -> str:
        machine = json.dumps({"subject": self.subject, "text": text, **data}, sort_keys=True)
        return json.dumps({"default": machine, "email": text})


class KeptNotification(BaseModel):
    """A message in the outbox: the event that it tells, and since when it waits.

    One that can't be read has no text of its own: what it says instead is up to whoever tells it.
    """

    model_config = ConfigDict(frozen=True)

    event_id: str
    kept_at: AwareDatetime
    notification: Notification
    is_readable: bool = True
    place: str = ""  # where the outbox has it; "" for the place that event and time make
