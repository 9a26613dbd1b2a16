"""Anchors: what the chains of the audit trail ended with, kept where nobody can change it; and what can be wrong."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.model.digests import digest_of
from shared.model.stored_entry import Head

ANCHOR_SCHEMA = 1
NO_ANCHOR = "0" * 64
UNHASHED = frozenset({"digest", "signature"})


class FaultKind(StrEnum):
    """What can be wrong with the trail: with the entries of a chain, or with the anchors."""

    EDITED = "edited"  # the entry does not have the hash or the keys that its fields make
    BROKEN = "broken"  # the entry does not continue the one before
    MISSING = "missing"  # a sequence number is skipped or repeated
    REPLACED = "replaced"  # the entry is well made, but not the one that was anchored
    TRUNCATED = "truncated"  # the chain ends before what was anchored
    FOREIGN = "foreign"  # an item that no chain of the list has: queries show it, and nobody recorded it
    REMOVED = "removed"  # the whole chain is gone
    UNREGISTERED = "unregistered"  # the chain is anchored, and gone from the list of chains
    ANCHOR_EDITED = "anchor_edited"  # its digest is wrong, or it can't be read
    ANCHOR_MISSING = "anchor_missing"  # its number is skipped
    ANCHOR_UNLINKED = "anchor_unlinked"  # it does not continue the one before
    ANCHOR_OVERWRITTEN = "anchor_overwritten"  # somebody wrote another version over it; the first one is read
    ANCHOR_DELETED = "anchor_deleted"  # somebody put a delete marker over it; the first version is read
    ANCHOR_UNSIGNED = "anchor_unsigned"  # it lacks a signature that earlier ones have, or has a wrong one


class TrailFault(BaseModel):
    """What is wrong first with a chain. Of an anchor, `chain` is `<account id>/anchors` and `sequence` its number."""

    model_config = ConfigDict(frozen=True)

    chain: str
    kind: FaultKind
    sequence: int | None = None
    message: str

    @property
    def place(self) -> tuple[str, FaultKind, int | None]:
        """What makes two faults the same one, however they are told."""
        return (self.chain, self.kind, self.sequence)


class Signature(BaseModel):
    """A signature of an anchor's digest (the 32 bytes) by a key of KMS; `value` is base64."""

    model_config = ConfigDict(frozen=True)

    key: str
    algorithm: str
    value: str


class Anchor(BaseModel):
    """What was proven of an account's trail at `anchored_at`.

    `heads` are the ends of the chains that moved since the anchor before, of all chains where `complete`; a chain with
    a fault keeps its last proven end. `chains` and `entries` count what all anchors up to this one cover. `faults` are
    those that no anchor had before, and where `complete` all that were ever found; the last `new_faults` of them are
    new. `pending_from` is the chain that the run did not reach in its time, where the next one
    begins. `previous_digest` is that of the anchor before, NO_ANCHOR in the first.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = ANCHOR_SCHEMA
    account_id: str = Field(pattern=r"^\d{12}$")
    number: int = Field(ge=1)
    anchored_at: AwareDatetime
    previous_digest: str
    complete: bool
    chains: int
    entries: int
    heads: dict[str, Head]
    faults: tuple[TrailFault, ...] = ()
    new_faults: int = Field(default=0, ge=0)
    pending_from: str | None = None

    def fields(self) -> dict[str, Any]:
        """What is stored of the anchor, and hashed: JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of its fields."""
        return digest_of(self.fields())


class AnchorPlace(NamedTuple):
    """Where an anchor is: the first version of its object (None where none is left), and what was done to it since."""

    account_id: str
    number: int
    version_id: str | None
    overwritten: bool = False
    deleted: bool = False


class StoredAnchor(NamedTuple):
    """An anchor as it is stored, with its `digest` and perhaps `signature`; None where it can't be read as JSON."""

    place: AnchorPlace
    content: Mapping[str, Any] | None


def anchors_of(account_id: str) -> str:
    """What faults call the anchors of an account where they name a chain."""
    return f"{account_id}/anchors"
