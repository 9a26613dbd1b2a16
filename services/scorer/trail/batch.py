"""What reading a trail gives: records, and what could not be read."""

from typing import NamedTuple

from services.scorer.trail.record import Record


class Unreadable(NamedTuple):
    """A stretch of text that gave no record.

    `position` is the byte of the uncompressed text at which it starts. `reason` is short, names the field where there
    is one, and never holds a value.
    """

    position: int
    reason: str


class Batch(NamedTuple):
    """Some records in the order of the text, and what could not be read on the way."""

    records: list[Record]
    unreadable: list[Unreadable]
