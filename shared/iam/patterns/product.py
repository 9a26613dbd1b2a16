"""Which sets of patterns a text can match at once, with an example of each: automata side by side, searched in full.

The automata stand in one integer, each with its own bits. From the start, every letter that makes a difference is
tried: those of the patterns, one that no pattern names, and the colon, which some wildcards stop at. Variables occur
only where the first pattern of `within` has them. The search goes breadth first, so that examples are short, and only
where every pattern of `within` can still match.
"""

import functools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.iam.patterns.language import COLON, Automaton, Budget
from shared.iam.patterns.variables import Variable

OTHERS = "x0abcdefghijklmnopqrstuvwyz123456789-_~"  # to spell "any other letter" with, the first that no pattern names
_LAST_RESORT = range(0xE000, 0xF8FF)
_BITS_A_STEP = 1024

Letter = str | Variable


class Cell(NamedTuple):
    """A set of patterns that some text matches, as the accepting bits of those patterns, and such a text."""

    accepted: int
    text: tuple[Letter, ...]


class Product:
    """Automata side by side. `finals[i]` is the accepting bit of the i-th; `spans[i]` are all of its bits."""

    def __init__(self, automata: Sequence[Automaton], within: Sequence[int], loose: Sequence[int] = ()) -> None:
        """Take automata; `within` are the places of those that a text must match, `loose` of those read loosely."""
        self.finals: list[int] = []
        self.spans: list[int] = []
        self._runs = self._segment_runs = self._ones = self._segment_ones = self._start = 0
        self._letters: dict[Letter, int] = {}
        offset = 0
        for one in automata:
            self._start |= 1 << offset
            self.finals.append(one.final << offset)
            self.spans.append(((one.final << 1) - 1) << offset)
            self._runs |= one.runs << offset
            self._segment_runs |= one.segment_runs << offset
            self._ones |= one.ones << offset
            self._segment_ones |= one.segment_ones << offset
            for letter, places in one.letters.items():
                self._letters[letter] = self._letters.get(letter, 0) | places << offset
            offset += one.final.bit_length()
        self._size = offset
        self._accepting = sum(self.finals)
        self._within = [(self.spans[place], self.finals[place]) for place in within]
        self._loose = [self.spans[place] for place in loose]
        self._other = self._unnamed()
        self._moves: dict[str, tuple[int, int]] = {}  # by letter: positions to stay at, and to step from
        self._groups: Mapping[int, int] = {}
        self._merging = self._settled = 0
        self._excluded = 0
        first = self.spans[within[0]]
        self._first = first
        self._first_wild = first & (self._runs | self._segment_runs | self._ones | self._segment_ones)
        self._first_letters = [(letter, places & first) for letter, places in self._letters.items() if places & first]

    def endless(self, place: int) -> bool:
        """Whether a pattern, once matched, matches every longer text."""
        return bool(self.finals[place] & self._runs)

    def endless_of(self, finals: int) -> int:
        """Those of some accepting bits whose patterns are endless."""
        return finals & self._runs

    def exclude(self, finals: Sequence[int]) -> None:
        """Say which accepting bits a text must not reach in the end."""
        self._excluded = sum(finals)

    def contains(self, accepted: int) -> bool:
        """Whether a text with these accepting bits matches all patterns of `within` and none that is excluded."""
        return not accepted & self._excluded and all(accepted & final for _, final in self._within)

    def settle(self, groups: Mapping[int, int], settled: int) -> None:
        """Say what the search may skip.

        `groups` are, by the accepting bit of an endless pattern, all bits of the patterns of which one is as good as
        another; nothing is of interest once one of the accepting bits of endless patterns in `settled` is reached.
        """
        self._groups = {final: group for final, group in groups.items() if group != final}
        self._merging = functools.reduce(int.__or__, self._groups, 0)
        self._settled = settled

    def cells(self, budget: Budget) -> Iterator[Cell]:
        """Each set of patterns that a text matches, once. Raises BudgetSpentError."""
        start = self._merged(self._start)
        if start & self._settled:
            return
        reached: dict[int, tuple[int, Letter] | None] = {start: None}
        waiting = deque([start])
        seen: set[int] = set()
        cost = 2 + self._size // _BITS_A_STEP
        while waiting:
            state = waiting.popleft()
            accepted = state & self._accepting
            if accepted not in seen and self.contains(accepted):
                seen.add(accepted)
                yield Cell(accepted, _spelled(state, reached))
            for letter in self._relevant(state):
                budget.spend(cost)
                following = self._after(state, letter)
                if following in reached or following & self._settled:
                    continue
                if all(following & span for span, _ in self._within):
                    reached[following] = (state, letter)
                    waiting.append(following)

    def accepted(self, text: Sequence[Letter], budget: Budget) -> int:
        """Accepting bits of the patterns that a text matches, merged as `settle` says; 0 too where it is settled."""
        budget.spend(len(text) * (1 + self._size // _BITS_A_STEP))
        state = self._merged(self._start)
        lasting = 0 if Variable in map(type, text) else self._accepting & self._runs
        for letter in text:
            if not state & ~lasting:
                break  # whatever follows leads nowhere else
            state = self._after(state, letter)
        return 0 if state & self._settled else state & self._accepting

    def _relevant(self, state: int) -> Iterator[Letter]:
        """Letters after which the state can differ: unnamed here, they do what any other letter does."""
        if not state & self._first_wild:
            yield from (letter for letter, places in self._first_letters if places & state)
            return
        yield self._other
        colon = COLON in self._letters and self._letters[COLON] & state
        if colon or state & (self._segment_runs | self._segment_ones):
            yield COLON
        for letter, places in self._letters.items():
            at = places & state
            if at and letter != COLON and (isinstance(letter, str) or at & self._first):
                yield letter

    def _after(self, state: int, letter: Letter) -> int:
        if isinstance(letter, Variable):
            following = self._after_variable(state, letter)
        else:
            stay, step = self._moves.get(letter) or self._move(letter)
            following = (state & stay) | ((state & step) << 1)
        return self._merged(following) if following & self._merging else following

    def _after_variable(self, state: int, variable: Variable) -> int:
        following = (state & self._runs & ~self._first) | ((state & self._letters.get(variable, 0)) << 1)
        for span in self._loose:
            own = state & span
            following = (following & ~span) | (span & ~((own & -own) - 1) if own else 0)
        return following

    def _move(self, letter: str) -> tuple[int, int]:
        stay, step = self._runs, self._ones | self._letters.get(letter, 0)
        if letter != COLON:
            stay |= self._segment_runs
            step |= self._segment_ones
        self._moves[letter] = stay, step
        return stay, step

    def _merged(self, state: int) -> int:
        """Forget what can't matter any more: where an endless pattern matches, the rest of its group."""
        hits = state & self._merging
        while hits:
            final = hits & -hits
            group = self._groups[final]
            state = (state & ~group) | final
            hits &= ~(group | final)
        return state

    def _unnamed(self) -> str:
        for letter in OTHERS:
            if letter not in self._letters:
                return letter
        return next(chr(code) for code in _LAST_RESORT if chr(code) not in self._letters)


def _spelled(state: int, reached: Mapping[int, tuple[int, Letter] | None]) -> tuple[Letter, ...]:
    letters: list[Letter] = []
    while (before := reached[state]) is not None:
        state, letter = before
        letters.append(letter)
    return tuple(reversed(letters))
