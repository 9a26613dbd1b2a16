"""What the security team reads a year later: the entries of the audit trail, of every version."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InputError
from shared.model.stored_entry import Head, StoredEntry, hash_of
from shared.model.unique_ids import ROLE_ID_PREFIX, USER_ID_PREFIX

ENTRY_SCHEMA = 2
NO_PREVIOUS = "0" * 64
WHAT = ("chain", "event_id", "event_type", "plan_id", "compliance")  # says of what an entry tells
NOT_AS_RECORDED = "NotAsRecorded"  # type of what readers get in place of an entry that was edited or forged


class AuditEntry(BaseModel):
    """One immutable entry of the audit trail.

    `chain` is `<account id>/<identity id>`, or `<account id>/account`; `sequence` counts from 1 within it.
    `entry_hash` is the SHA-256 (hex) of every other field, `previous_hash` among them. `source` is the EventBridge
    source of the message that told the event. `pci` is the score (0-100) that it tells, if any. `event_left_out` names
    fields of the event that were too large to keep; `event_sha256` is then the digest of the event with them.
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
    source: str | None = None
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

    def records_as(self, stored: StoredEntry) -> bool:
        """Whether a stored entry records the event that this one records: who told it, and of what, must be the same.

        Figures and words may differ: an event that is told again may have newer ones. Older entries name no source.
        """
        source = stored.attributes.get("source", self.source)
        return source == self.source and all(stored.attributes.get(name) == getattr(self, name) for name in WHAT)


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


def shown_entry(stored: StoredEntry) -> AuditEntry | None:
    """The entry for whoever reads the trail; in place of one that was edited or forged, that it was.

    None for an item without a place in a chain or in time, which no list has room for: verification names it.
    """
    sequence, found = stored.head.sequence, _time_of(stored)
    if not sequence or not found:
        return None
    if not stored.was_edited:
        try:
            return decode_entry(stored)
        except InputError:
            pass
    moment, event_id = found
    chain = str(stored.attributes.get("pk")).removeprefix("CHAIN#")
    account_id, _, owner = chain.partition("/")
    return AuditEntry(
        chain=chain,
        sequence=sequence,
        event_id=event_id,
        event_type=NOT_AS_RECORDED,
        occurred_at=moment,
        recorded_at=moment,
        account_id=account_id,
        summary=f"Entry {sequence} of {chain} is not what was recorded: verify the trail",
        identity_id=owner if owner != "account" else None,
        event={},
    )


def _time_of(stored: StoredEntry) -> tuple[datetime, str] | None:
    """The time and the event id by which an index has an item; None where its key says none, or one nobody can name."""
    moment, mark, event_id = str(stored.attributes.get("sort_time")).partition("#")
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (found, event_id) if mark and found.tzinfo and FIRST_YEAR < found.year < LAST_YEAR else None


def _from_version_1(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 left to its readers what the unique id, the ARN and the event say."""
    identity_id, arn, event = (fields.get(name) for name in ("identity_id", "identity_arn", "event"))
    return {
        **fields,
        "identity_name": arn.rsplit("/", 1)[-1] if isinstance(arn, str) else None,
        "identity_type": _TYPES.get(identity_id[:4]) if isinstance(identity_id, str) else None,
        "pci": event.get("pci") if isinstance(event, dict) else None,
    }


FIRST_YEAR, LAST_YEAR = 1, 9999  # in which a time of another zone may be none in UTC
_TYPES = {USER_ID_PREFIX: "user", ROLE_ID_PREFIX: "role"}
OLDER_VERSIONS: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {1: _from_version_1}
