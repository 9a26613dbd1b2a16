"""An entry of the audit trail exactly as it is stored: what verification needs, with nothing decoded or trusted.

Every attribute of an item is hashed but the hash itself and the keys: `pk`, `sk`, `sort_time` and whatever ends in
`_key`. The keys are made from the fields, so that they are checked by making them again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.model.digests import digest_of

KEYS = frozenset({"pk", "sk", "sort_time"})
KEY_SUFFIX = "_key"
KNOWN_KEYS = KEYS | {"type_key", "compliance_key"}  # a later version may have more
HASH = "entry_hash"
PLACE = re.compile(r"[0-9]{12}")
LAST = 999_999_999_999  # place in a chain
FAR = 100_000  # places behind the end of a row: what is further off was not dropped, somebody put it there


class Head(NamedTuple):
    """Where a chain ends, or ended once: an entry's place and its hash."""

    sequence: int
    entry_hash: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """The attributes of one item. Each may be missing or of any type: whoever edited the table chose it."""

    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "StoredEntry":
        """The item that holds these fields."""
        return cls({**dict(keys_of(fields)), **fields})

    @property
    def fields(self) -> dict[str, Any]:
        """What the entry says, its hash included and its keys left out."""
        return {name: value for name, value in self.attributes.items() if not is_key(name)}

    @property
    def head(self) -> Head:
        """Its place, as its key says, and its hash; place 0 where the key is none."""
        place = str(self.attributes.get("sk"))
        return Head(int(place) if PLACE.fullmatch(place) else 0, str(self.attributes.get(HASH)))

    @property
    def was_edited(self) -> bool:
        """Whether its hash or one of its keys isn't what its fields make."""
        return self.attributes.get(HASH) != hash_of(self.fields) or not self._has_its_keys()

    def _has_its_keys(self) -> bool:
        try:
            made = dict(keys_of(self.fields))
        except (KeyError, TypeError, ValueError, OverflowError):
            return False
        if self.attributes.get("schema_version") == 1 and "type_key" not in self.attributes:
            del made["type_key"]  # which came with version 2
        return {name: self.attributes[name] for name in KNOWN_KEYS if name in self.attributes} == made


def place_of(sequence: int) -> str:
    """The key of an entry within its chain."""
    return f"{sequence:012d}"


def is_key(name: str) -> bool:
    """Whether an attribute of an item is made from the others, and so isn't hashed."""
    return name in KEYS or name.endswith(KEY_SUFFIX)


def hash_of(fields: Mapping[str, Any]) -> str:
    """Hash of an entry: SHA-256 (hex) of the canonical JSON of every field but the hash itself."""
    return digest_of({name: value for name, value in fields.items() if name != HASH})


def keys_of(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key of the item with these fields. Raises KeyError, TypeError or ValueError where one can't be made."""
    occurred = datetime.fromisoformat(fields["occurred_at"])
    account = fields["account_id"]
    yield "pk", f"CHAIN#{fields['chain']}"
    yield "sk", place_of(fields["sequence"])
    yield "sort_time", f"{occurred.astimezone(UTC).isoformat(timespec='microseconds')}#{fields['event_id']}"
    yield "type_key", f"{account}#{fields['event_type']}"
    if fields.get("compliance"):
        yield "compliance_key", f"{account}#{fields['compliance']}"
