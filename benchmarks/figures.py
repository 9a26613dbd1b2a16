"""Medians, spreads and ratios: how repeated measurements become figures."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rounds import Record, Turn


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with its spread over the rounds."""

    median: float
    least: float
    most: float


def figure(values: Sequence[float]) -> Figure:
    """Median, least and most of at least one value."""
    return Figure(statistics.median(values), min(values), max(values))


def rate(count: int, seconds: Figure) -> Figure:
    """Pieces of work a second."""
    return Figure(count / seconds.median, count / seconds.most, count / seconds.least)


def first_pass(record: Record) -> Figure:
    """Seconds of a fresh process's first pass, over the rounds."""
    return figure([sum(turn.first) for turn in record.turns])


def steady_pass(record: Record) -> Figure | None:
    """Seconds of a later pass: the median of each turn, over the rounds; None where a first pass took all the time."""
    medians = [_steady(turn) for turn in record.turns if turn.steady]
    return figure(medians) if medians else None


def _steady(turn: Turn) -> float:
    return statistics.median(sum(laps) for laps in turn.steady)


def ratio(record: Record, ours: Record) -> float:
    """How many times our time a contender takes, round by round, steady where it has that; the median of the rounds."""
    pairs = zip(record.turns, ours.turns, strict=False)
    return statistics.median(
        _steady(theirs) / _steady(own) if theirs.steady and own.steady else sum(theirs.first) / sum(own.first)
        for theirs, own in pairs
    )


def lap_medians(record: Record, *, first: bool) -> list[float]:
    """Seconds of each lap: its median over all rounds' first passes, or over all their later ones."""
    passes = [laps for turn in record.turns for laps in ([turn.first] if first else turn.steady)]
    return [statistics.median(laps) for laps in zip(*passes, strict=True)]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of the values doesn't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
