"""What the security team reads a year later: the entries of the audit trail, of every version."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InputError
from shared.model.stored_entry import Head, StoredEntry, hash_of
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

ENTRY_SCHEMA = 2
NO_PREVIOUS = "0" * 64


class AuditEntry(BaseModel):
    """One immutable entry of the audit trail.

    `chain` is `<account id>/<identity id>`, or `<account id>/account`; `sequence` counts from 1 within it.
    `entry_hash` is the SHA-256 (hex) of every other field, `previous_hash` among them. `pci` is the score (0-100) that
    the event tells, if any. `event_left_out` names fields of the event that were too large to keep; `event_sha256` is
    then the digest of the event with them.
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
    identity_name: str | None = None
    identity_type: str | None = None
    plan_id: str | None = None
    compliance: str | None = None
    pci: float | None = None
    event: dict[str, Any]
    event_left_out: tuple[str, ...] = ()
    event_sha256: str | None = None
    previous_hash: str = NO_PREVIOUS
    entry_hash: str = ""

    @property
    def head(self) -> Head:
        """Its place and its hash."""
        return Head(self.sequence, self.entry_hash)

    def fields(self) -> dict[str, Any]:
        """What is stored of the entry, and hashed: JSON values; what says nothing is left out."""
        fields = self.model_dump(mode="json", exclude_none=True)
        if not self.event_left_out:
            del fields["event_left_out"]
        return fields

    def sealed(self) -> "AuditEntry":
        """The entry with its own hash filled in."""
        return self.model_copy(update={"entry_hash": hash_of(self.fields())})


def decode_entry(stored: StoredEntry) -> AuditEntry:
    """An entry of this or any older version as this version has it; what a newer one added is left out.

    Raises InputError when the entry can't be read, which is what an edit may leave behind.
    """
    fields = stored.fields
    version = fields.get("schema_version")
    older = OLDER_VERSIONS.get(version) if isinstance(version, int) else None
    try:
        return AuditEntry.model_validate(older(fields) if older else fields)
    except ValidationError as error:
        place = f"{stored.attributes.get('pk')} {stored.attributes.get('sk')}"
        wrong = ", ".join(sorted({str(item["loc"][0]) for item in error.errors()}))
        raise InputError(f"the audit entry {place} can't be read ({wrong}): verify the trail") from None


def _from_version_1(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 left to its readers what the unique id, the ARN and the event say."""
    identity_id, arn, event = (fields.get(name) for name in ("identity_id", "identity_arn", "event"))
    return {
        **fields,
        "identity_name": arn.rsplit("/", 1)[-1] if isinstance(arn, str) else None,
        "identity_type": _TYPES.get(identity_id[:4]) if isinstance(identity_id, str) else None,
        "pci": event.get("pci") if isinstance(event, dict) else None,
    }


_TYPES = {USER_ID_PREFIX: "user", ROLE_ID_PREFIX: "role"}
OLDER_VERSIONS: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {1: _from_version_1}
