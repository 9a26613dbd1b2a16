"""Where identities stand: unused share by reach, in cells that count, so that nobody hides another. Pure."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.reporting.model import ReportIdentity
from shared.model.score import Band

# Both axes are finer where identities differ: most leave nearly everything unused, and reach is all or little.
UNUSED_EDGES, UNUSED_LABELS = (0.25, 0.50, 0.75, 0.90, 0.99), ("<25%", "25-50", "50-75", "75-90", "90-99", "≥99%")
REACH_EDGES, REACH_LABELS = (0.01, 0.05, 0.20, 0.50), ("<1%", "1-5", "5-20", "20-50", "≥50%")
SIDE, SMALLEST = 48.0, 7.0  # of a mark, in units of its drawing
NAMES = 3  # of a cell's worst identities in its description
WORST_FIRST = (Band.HIGH, Band.MEDIUM, Band.LOW)


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a mark that stands for one band, as a rectangle."""

    band: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Cell:
    """The identities of one cell; `key` is what the page filters by."""

    key: int
    identities: int
    description: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of one range of reach, from the least unused share to the greatest; None where nobody is."""

    label: str
    cells: tuple[Cell | None, ...]


def unused_share(identity: ReportIdentity) -> float:
    """Share of the granted permissions that is unused; nothing granted is nothing unused."""
    return min(1.0, identity.unused / identity.granted) if identity.granted else 0.0


def cell_of(identity: ReportIdentity) -> int:
    """Key of the cell in which an identity stands."""
    column = bisect_right(UNUSED_EDGES, unused_share(identity))
    return bisect_right(REACH_EDGES, identity.reach) * len(UNUSED_LABELS) + column


def heat_map(identities: Sequence[ReportIdentity]) -> tuple[Row, ...]:
    """Rows from the widest reach to the narrowest; a mark's area is the cell's PCI added up, the greatest fills it."""
    members: dict[int, list[ReportIdentity]] = {}
    for identity in identities:
        members.setdefault(cell_of(identity), []).append(identity)
    most = max((_risk(ones) for ones in members.values()), default=0.0)
    return tuple(
        Row(label, tuple(_cell(key, members.get(key, []), most) for key in _keys(row)))
        for row, label in reversed(list(enumerate(REACH_LABELS)))
    )


def _keys(row: int) -> range:
    return range(row * len(UNUSED_LABELS), (row + 1) * len(UNUSED_LABELS))


def _risk(identities: Sequence[ReportIdentity]) -> float:
    return sum(one.pci for one in identities)


def _cell(key: int, identities: Sequence[ReportIdentity], most: float) -> Cell | None:
    if not identities:
        return None
    side = max(SMALLEST, SIDE * math.sqrt(_risk(identities) / most)) if most else SMALLEST
    return Cell(key, len(identities), _description(key, identities), tuple(_pieces(identities, side)))


def _pieces(identities: Sequence[ReportIdentity], side: float) -> Iterator[Piece]:
    """A square in the middle, its height shared by the bands, the worst on top."""
    edge = (SIDE - side) / 2
    top = edge
    for band, number in _by_band(identities):
        height = side * number / len(identities)
        yield Piece(band, *(round(value, 2) for value in (edge, top, side, height)))
        top += height


def _by_band(identities: Sequence[ReportIdentity]) -> Iterator[tuple[str, int]]:
    for band in WORST_FIRST:
        if number := sum(one.band == band for one in identities):
            yield band.value, number


def _description(key: int, identities: Sequence[ReportIdentity]) -> str:
    row, column = divmod(key, len(UNUSED_LABELS))
    worst = sorted(identities, key=lambda one: -one.pci)
    bands = ", ".join(f"{number:,} {band}" for band, number in _by_band(identities))
    names = ", ".join(one.name for one in worst[:NAMES])
    more = f" and {len(worst) - NAMES:,} more" if len(worst) > NAMES else ""
    noun = "identity" if len(worst) == 1 else "identities"
    where = f"unused {UNUSED_LABELS[column]}, reach {REACH_LABELS[row]}"
    return f"{len(worst):,} {noun} ({bands}), {where}, highest PCI {worst[0].pci:.1f}: {names}{more}"
