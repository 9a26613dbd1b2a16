"""Glob patterns as automata: which strings match which of many patterns at once, exactly.

A pattern with k letters and any wildcards is an automaton over the positions 0…k: a letter or `?` moves from one
position to the next, a `*` stays. All positions that a text could have reached are the bits of one integer, so that
one more character costs a few integer operations however many positions, or patterns side by side, there are.

Two questions are answered for pairs: `covers` (sound, and exact but for `?` against `*`) and `overlaps` (never false
where a text could match both). Which sets of many patterns a text can match together is for `product`.

A policy variable is a letter of its own that only `*` and the same variable take: whatever it stands for, the answer
holds. Where a pattern takes something away, that is not enough; `loose` reads its variables as any text instead.

Source: the bit-parallel simulation of automata, Baeza-Yates and Gonnet, "A new approach to text searching" (1992).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from shared.iam.patterns.variables import Variable
from shared.iam.patterns.wildcards import One, Reach, Run

COLON = ":"
_SIGNS = "\u212a\u212b\u2126"  # Kelvin, Ångström and Ohm: further capitals of letters


class AnyCase(NamedTuple):
    """Text that matches in upper and lower case alike."""

    text: str


_WILDCARDS = (Run, One)
Piece = str | AnyCase | Run | One | Variable
Symbol = str | Run | One | Variable  # one letter, one wildcard or one variable


class BudgetSpentError(Exception):
    """An answer would take more steps than allowed."""


class Budget:
    """Steps that are left; about a microsecond each. Counted instead of time, so that an answer is always the same."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, steps: int) -> None:
        """Take steps. Raises BudgetSpentError where none are left."""
        self.left -= steps
        if self.left < 0:
            raise BudgetSpentError


class Automaton(NamedTuple):
    """One pattern. Masks hold the positions at which a kind of symbol stands; `final` is the accepting bit."""

    symbols: tuple[Symbol, ...]
    final: int
    runs: int
    segment_runs: int
    ones: int
    segment_ones: int
    letters: Mapping[str | Variable, int]
    prefix: str
    suffix: str

    @property
    def endless(self) -> bool:
        """Whether every longer text matches once a text does."""
        return bool(self.final & self.runs)

    def matches(self, text: str) -> bool:
        """Whether a text without variables matches."""
        state = 1
        for letter in text:
            state = self.after(state, letter)
            if not state:
                return False
        return bool(state & self.final)

    def after(self, state: int, letter: str) -> int:
        """Positions that one more letter leads to."""
        step = self.letters.get(letter, 0) | self.ones
        stay = self.runs
        if letter != COLON:
            step |= self.segment_ones
            stay |= self.segment_runs
        return (state & stay) | ((state & step) << 1)


def automaton(pieces: Sequence[Piece], *, loose: bool = False) -> Automaton:
    """The automaton of a pattern that was read into pieces; `loose` reads variables as any text."""
    position = 0
    wild = {(kind, reach): 0 for kind in (Run, One) for reach in Reach}
    letters: dict[str | Variable, int] = {}
    symbols: list[Symbol] = []
    for symbol in _symbols(pieces, loose=loose):
        bit = 1 << position
        if isinstance(symbol, str):
            letters[symbol] = letters.get(symbol, 0) | bit
        elif isinstance(symbol, _WILDCARDS):
            wild[type(symbol), symbol.value] |= bit
        else:
            for letter in _spellings(symbol):
                letters[letter] = letters.get(letter, 0) | bit
        position += not isinstance(symbol, Run)
        symbols.append(symbol.text if isinstance(symbol, AnyCase) else symbol)
    folded = any(isinstance(piece, AnyCase) for piece in pieces)
    return Automaton(
        symbols=tuple(symbols),
        final=1 << position,
        runs=wild[Run, Reach.ANYWHERE],
        segment_runs=wild[Run, Reach.SEGMENT],
        ones=wild[One, Reach.ANYWHERE],
        segment_ones=wild[One, Reach.SEGMENT],
        letters=letters,
        prefix="" if folded else _literal_start(symbols),
        suffix="" if folded else _literal_start(symbols[::-1])[::-1],
    )


def _symbols(pieces: Iterable[Piece], *, loose: bool) -> Iterable[Symbol | AnyCase]:
    for piece in pieces:
        if isinstance(piece, AnyCase):
            yield from map(AnyCase, piece.text)
        elif isinstance(piece, str):
            yield from piece
        elif isinstance(piece, Variable) and loose:
            yield Run(Reach.ANYWHERE)
        else:
            yield piece


def _spellings(symbol: AnyCase | Variable) -> set[str | Variable]:
    if not isinstance(symbol, AnyCase):
        return {symbol}
    lower = symbol.text.lower()
    same = {lower, lower.upper(), *(sign for sign in _SIGNS if sign.lower() == lower)}
    return {one for one in same if len(one) == 1 and one.lower() == lower} or {symbol.text}


def _literal_start(symbols: Sequence[Symbol]) -> str:
    start: list[str] = []
    for symbol in symbols:
        if not isinstance(symbol, str):
            break
        start.append(symbol)
    return "".join(start)


def covers(wide: Automaton, narrow: Automaton) -> bool:
    """Whether every text of `narrow` surely is one of `wide`: its wildcards are letters that only wildcards take."""
    if not (narrow.prefix.startswith(wide.prefix) and narrow.suffix.endswith(wide.suffix)):
        return False
    within = wide.runs | wide.segment_runs
    state = 1
    for symbol in narrow.symbols:
        if isinstance(symbol, str):
            state = wide.after(state, symbol)
        elif isinstance(symbol, Run):
            state &= wide.runs if symbol.value is Reach.ANYWHERE else within
        elif isinstance(symbol, Variable):
            state = (state & wide.runs) | ((state & wide.letters.get(symbol, 0)) << 1)
        elif symbol.value is Reach.ANYWHERE:
            state = (state & wide.runs) | ((state & wide.ones) << 1)
        else:
            state = (state & within) | ((state & (wide.ones | wide.segment_ones)) << 1)
        if not state:
            return False
    return bool(state & wide.final)


def overlaps(one: Automaton, other: Automaton) -> bool:
    """Whether a text could match both, if every wildcard ranged anywhere; variables must have been read as loose."""
    length = min(len(one.prefix), len(other.prefix))
    if one.prefix[:length] != other.prefix[:length]:
        return False
    length = min(len(one.suffix), len(other.suffix))
    if length and one.suffix[-length:] != other.suffix[-length:]:
        return False
    stay, step = one.runs | one.segment_runs, one.ones | one.segment_ones
    everything = (one.final << 1) - 1
    state = 1
    for symbol in other.symbols:
        if isinstance(symbol, str):
            state = (state & stay) | ((state & (step | one.letters.get(symbol, 0))) << 1)
        elif isinstance(symbol, One):
            state = (state & stay) | ((state & ~one.final) << 1)
        else:
            state = everything & ~((state & -state) - 1)
        if not state:
            return False
    return bool(state & one.final)
