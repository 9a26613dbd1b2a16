"""How scores developed: one point a day for each identity and for the account. Joining points is order-free."""

from datetime import UTC, date
from functools import total_ordering
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.model.score import Band, Score


@total_ordering
class Reading(BaseModel):
    """A score as a trend needs it; the account's counts are the sums over its scored identities."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    pci: float = Field(ge=0, le=100)
    granted: int
    unused: int

    @property
    def band(self) -> Band:
        """Low, medium or high."""
        return Band.of(self.pci)

    @classmethod
    def of(cls, score: Score) -> Self:
        """The reading that an identity's score is."""
        return cls(at=score.scored_at, pci=score.pci, granted=score.granted, unused=score.unused)

    def __lt__(self, other: "Reading") -> bool:
        """In order of time; of two at the same time the one that says less comes first, so that the order is total."""
        return self._order < other._order

    @property
    def _order(self) -> tuple[float, float, int, int]:
        return self.at.timestamp(), self.pci, self.granted, self.unused


class TrendPoint(BaseModel):
    """One day (UTC) of a trend: its first and its last reading, and the highest PCI between."""

    model_config = ConfigDict(frozen=True)

    day: date
    first: Reading
    highest: float = Field(ge=0, le=100)
    last: Reading

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """The point of a day with this one reading."""
        return cls(day=reading.at.astimezone(UTC).date(), first=reading, highest=reading.pci, last=reading)

    def joined(self, other: "TrendPoint") -> "TrendPoint":
        """Both points of one day as one: whatever order readings come in, and however often, they give one point.

        Raises ValueError for points of different days.
        """
        if self.day != other.day:
            raise ValueError(f"points of {self.day} and {other.day} are not of one day")
        return TrendPoint(
            day=self.day,
            first=min(self.first, other.first),
            highest=max(self.highest, other.highest),
            last=max(self.last, other.last),
        )
