"""What there is in an account, by ARN: the inventory that reach is measured against."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.errors import InputError

_ACCOUNT = 4  # segment of an ARN


@dataclass(frozen=True, slots=True)
class Inventory:
    """The resources of one account as they were at `read_at` (with its time zone), None where nothing tells when.

    Whatever order `arns` are given in, the inventory keeps them sorted and distinct, and leaves out those that name
    another account or AWS itself (`arn:aws:iam::aws:policy/…`); an ARN without an account, as a bucket's, is kept.
    `origin` says in words where they are from, since a list of one region's resources is not the account's.
    """

    account_id: str
    arns: tuple[str, ...]
    read_at: datetime | None
    origin: str = "a file"

    def __post_init__(self) -> None:
        kept = (arn for arn in set(self.arns) if account_of_arn(arn) in ("", self.account_id))
        object.__setattr__(self, "arns", tuple(sorted(kept)))

    def to_json(self) -> bytes:
        """Compact form to store; `from_json` reads it back."""
        content = {
            "account_id": self.account_id,
            "read_at": self.read_at.astimezone(UTC).isoformat() if self.read_at else None,
            "origin": self.origin,
            "arns": self.arns,
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Inventory":
        """Read what `to_json` wrote. Raises InputError that says where it is something else."""
        try:
            read = json.loads(content)
        except ValueError as error:
            raise InputError(f"the inventory is no JSON: {type(error).__name__}") from None
        account_id, origin = _text(read, "account_id"), _text(read, "origin")
        arns = read.get("arns")
        if not isinstance(arns, list) or not all(isinstance(arn, str) for arn in arns):
            raise InputError("$.arns of the inventory is no list of texts")
        return cls(account_id, tuple(arns), _moment(read), origin)


def account_of_arn(arn: str) -> str:
    """Account that an ARN names, empty where it names none.

    >>> account_of_arn("arn:aws:sqs:eu-west-1:111122223333:jobs"), account_of_arn("arn:aws:s3:::logs")
    ('111122223333', '')
    """
    segments = arn.split(":", _ACCOUNT + 1)
    return segments[_ACCOUNT] if len(segments) > _ACCOUNT else ""


def _moment(read: dict[str, Any]) -> datetime | None:
    if read.get("read_at", "") is None:
        return None
    try:
        moment = datetime.fromisoformat(_text(read, "read_at"))
    except ValueError:
        raise InputError("$.read_at of the inventory is no time") from None
    if moment.tzinfo is None:
        raise InputError("$.read_at of the inventory has no time zone")
    return moment


def _text(read: Any, name: str) -> str:
    value = read.get(name) if isinstance(read, dict) else None
    if not isinstance(value, str):
        raise InputError(f"$.{name} of the inventory is no text")
    return value
