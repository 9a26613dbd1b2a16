"""What the security team reads: the hash-chained audit entry and the notification."""

import json
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ENTRY_SCHEMA = 1
NO_PREVIOUS = "0" * 64


class AuditEntry(BaseModel):
    """One immutable entry of the audit trail.

    `chain` is `<account id>/<identity id>`, or `<account id>/account`; `sequence` counts from 1 within it.
    `entry_hash` is the SHA-256 (hex) of every other field, `previous_hash` among them.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = ENTRY_SCHEMA
    chain: str
    sequence: int = Field(ge=1)
    event_id: str
    event_type: str
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    account_id: str
    summary: str
    identity_id: str | None = None
    identity_arn: str | None = None
    plan_id: str | None = None
    compliance: str | None = None
    event: dict[str, Any]
    previous_hash: str = NO_PREVIOUS
    entry_hash: str = ""


class Notification(BaseModel):
    """One message to the security team; `attributes` are for subscription filter policies."""

    model_config = ConfigDict(frozen=True)

    subject: str = Field(min_length=1, max_length=100)
    text: str
    data: dict[str, Any]
    attributes: dict[str, str]

    def message_structure(self) -> str:
        """SNS message with `MessageStructure=json`: text for people by e-mail, one JSON document for machines."""
        machine = json.dumps({"subject": self.subject, "text": self.text, **self.data}, sort_keys=True)
        return json.dumps({"default": machine, "email": self.text})
