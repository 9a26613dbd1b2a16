"""What tests of one context key can come out as together, with values of the key for each.

Infinitely many values fall into finitely many classes that the tests at hand can't tell apart, so that one value of
each is enough (see `representatives`). A key may also be missing, and where it can hold several values, each
combination of classes is a class of its own. What holds for each is asked of the compiled tests themselves.

What can't be decided is assumed to come out either way: a test against a policy variable, and tests of different kinds
on the same key.

Source: IAM user guide, "Condition operators", "Single-valued vs. multivalued context keys" and "AWS global condition
context keys" (which of them hold several values).
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shared.iam.comparison.representatives import Grade, is_variable, kind_of, representatives
from shared.iam.conditions.matching import ContextTest, compile_condition
from shared.iam.conditions.model import Condition
from shared.iam.patterns.language import Budget, BudgetSpentError
from shared.iam.request import MULTIVALUED_KEYS

ALWAYS_THERE = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principaltype",
        "aws:resourceaccount",
    }
)
"""Keys that are in the context of every signed request."""

MAX_STEPS = 60_000
MAX_OUTCOMES = 4096


class Outcome(NamedTuple):
    """One way that the tests come out: bit i is set where the i-th holds. `values` is None where the key is missing."""

    holding: int
    values: tuple[str, ...] | None
    grade: Grade


class Outcomes(NamedTuple):
    """Every way that the tests of a key can come out, surest first, and the steps that finding them took."""

    found: tuple[Outcome, ...]
    steps: int


@functools.lru_cache(4096)
def outcomes(key: str, tests: tuple[Condition, ...]) -> Outcomes | None:
    """How tests of one key can come out together; None where finding that out would take too many steps."""
    budget = Budget(MAX_STEPS)
    try:
        found = _found(key, tests, budget)
    except BudgetSpentError:
        return None
    return Outcomes(tuple(sorted(found, key=lambda one: one.grade)), MAX_STEPS - budget.left)


def _found(key: str, tests: tuple[Condition, ...], budget: Budget) -> list[Outcome]:
    kinds = [kind_of(test) for test in tests]
    counted = [kind for kind in kinds if kind is not None]
    main = max(dict.fromkeys(counted), key=counted.count) if counted else None
    variable = [is_variable(test) or _folds_oddly(test) for test in tests]
    open_tests = [place for place, kind in enumerate(kinds) if variable[place] or kind not in (None, main)]
    compiled = [compile_condition(test) for test in tests]
    table = _Table(key, compiled, budget)
    table.add(None, Grade.DOUBTFUL if key in ALWAYS_THERE else Grade.SURE)
    values = representatives(tests, variable, budget)
    values.append(("", Grade.DOUBTFUL))  # counts as no value for some tests, and is in no class with other text
    if not any(variable):
        for value, grade in values:
            table.add((value,), grade)
    if open_tests:
        table.add_open(values, open_tests)
    if _may_hold_several(key):
        quantified = any(test.quantifier is not None for test in tests) or key in MULTIVALUED_KEYS
        table.add_sets(Grade.SURE if quantified else Grade.DOUBTFUL, open_tests)
    return table.outcomes()


def _folds_oddly(test: Condition) -> bool:
    """Whether letters are compared without case of which more than two are the same: what matches isn't worked out."""
    return "IgnoreCase" in test.operator.value and not all(value.isascii() for value in test.values)


def _may_hold_several(key: str) -> bool:
    """Whether a key can hold several values: of the global keys the documentation says so, of others it may not."""
    return key in MULTIVALUED_KEYS or not key.startswith("aws:")


class _Table:
    """Outcomes as they are found; of several ways to the same one the surest is kept."""

    def __init__(self, key: str, compiled: Sequence[ContextTest], budget: Budget) -> None:
        self._key = key
        self._compiled = compiled
        self._budget = budget
        self._rows: dict[int, tuple[Grade, tuple[str, ...] | None]] = {}
        self._singles: dict[int, str] = {}

    def outcomes(self) -> list[Outcome]:
        return [Outcome(holding, values, grade) for holding, (grade, values) in self._rows.items()]

    def add(self, values: tuple[str, ...] | None, grade: Grade) -> int:
        self._budget.spend(1 + len(self._compiled))
        context = {} if values is None else {self._key: values}
        holding = sum(1 << place for place, test in enumerate(self._compiled) if test(context))
        self._keep(holding, values, grade)
        if values is not None and len(values) == 1:
            self._singles.setdefault(self._in_sets(values[0], holding), values[0])
        return holding

    def _keep(self, holding: int, values: tuple[str, ...] | None, grade: Grade) -> None:
        known = self._rows.get(holding)
        if known is None or grade < known[0]:
            self._rows[holding] = (grade, values)
            if len(self._rows) > MAX_OUTCOMES:
                raise BudgetSpentError

    def add_open(self, values: Iterable[tuple[str, Grade]], open_tests: Sequence[int]) -> None:
        """Assume that the open tests come out in every way for each value."""
        for value, grade in values:
            holding = self._holding((value,), open_tests)
            for chosen in _subsets(open_tests):
                self._budget.spend(1)
                self._keep(holding | chosen, (value,), max(grade, Grade.UNDECIDED))
                self._singles.setdefault(self._in_sets(value, holding, open_tests) | chosen, value)

    def _in_sets(self, value: str, holding: int, open_tests: Sequence[int] = ()) -> int:
        """What holds for a value among others: an empty text by itself counts as no value for some tests."""
        if value:
            return holding
        return self._holding((value, value), open_tests)

    def _holding(self, values: tuple[str, ...], open_tests: Sequence[int]) -> int:
        self._budget.spend(1 + len(self._compiled))
        context = {self._key: values}
        return sum(1 << place for place, test in enumerate(self._compiled) if place not in open_tests and test(context))

    def add_sets(self, grade: Grade, open_tests: Sequence[int]) -> None:
        """Let the key hold several of the values found so far, or none though it is there.

        Every test of several values asks whether all or whether any of them pass by themselves, so that two sets that
        agree in both are one.
        """
        singles = list(self._singles.items())
        self.add((), grade)
        sets: dict[tuple[int, int], tuple[str, ...]] = {(holding, holding): (value,) for holding, value in singles}
        waiting = list(sets)
        while waiting:
            every, some = waiting.pop()
            for holding, value in singles:
                self._budget.spend(1)
                wider = (every & holding, some | holding)
                if wider not in sets:
                    sets[wider] = (*sets[every, some], value)
                    waiting.append(wider)
        for values in sets.values():
            if len(values) == 1:
                continue
            if not open_tests:
                self.add(values, grade)
                continue
            holding = self._holding(values, open_tests)
            for chosen in _subsets(open_tests):
                self._budget.spend(1)
                self._keep(holding | chosen, values, Grade.UNDECIDED)


def _subsets(places: Sequence[int]) -> Iterator[int]:
    for chosen in itertools.product((False, True), repeat=len(places)):
        yield sum(1 << place for place, on in zip(places, chosen, strict=True) if on)
