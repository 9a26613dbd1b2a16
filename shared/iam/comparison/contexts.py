"""Is there a request context in which some statements apply and others don't? Exact, with that context.

A statement applies where all of its conditions hold. For each key that they test, `possible` lists the ways
in which the tests can come out together, as far as values can tell. Keys are taken to be independent of each other,
which can only add contexts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from shared.iam.comparison.possible import Outcomes, outcomes
from shared.iam.comparison.representatives import Grade
from shared.iam.conditions.model import Condition
from shared.iam.patterns.language import Budget, BudgetSpentError

Conditions = tuple[Condition, ...]
Domains = dict[str, int]  # by key, the outcomes that are still possible, as a mask


class Found(NamedTuple):
    """A context: values by lower-case key (None: the key is missing), and how sure it is that it can occur.

    `doubtful` are the keys because of which it isn't.
    """

    values: Mapping[str, tuple[str, ...] | None]
    grade: Grade
    doubtful: tuple[str, ...] = ()


ANY_CONTEXT = Found({}, Grade.SURE)


def implies(narrow: Conditions, wide: Conditions, budget: Budget) -> bool:
    """Whether `wide` surely holds wherever `narrow` does. Raises BudgetSpentError."""
    return not wide or set(wide) <= set(narrow) or find([narrow], [wide], budget) is None


def find(applying: Sequence[Conditions], failing: Sequence[Conditions], budget: Budget) -> Found | None:
    """A context in which all of `applying` hold and none of `failing` does, the surest one; None where there is none.

    Raises BudgetSpentError.
    """
    given = {condition for conditions in applying for condition in conditions}
    if any(given.issuperset(conditions) for conditions in failing):
        return None
    if not given and not failing:
        return ANY_CONTEXT
    space = _Space(applying, failing, budget)
    if space.search(Grade.UNDECIDED) is None:
        return None
    for grade in Grade:
        domains = space.search(grade)
        if domains is not None:
            return space.example(domains)
    return None


class _Space:
    """The possible outcomes of every key that the statements test."""

    def __init__(self, applying: Sequence[Conditions], failing: Sequence[Conditions], budget: Budget) -> None:
        self._budget = budget
        by_key: dict[str, dict[Condition, None]] = {}
        for conditions in (*applying, *failing):
            for condition in conditions:
                by_key.setdefault(condition.key, {})[condition] = None
        tests = {key: tuple(found) for key, found in by_key.items()}
        self._outcomes = {key: self._look_up(key, listed) for key, listed in tests.items()}
        self._where: dict[Condition, int] = {}
        for key, listed in tests.items():
            for place, condition in enumerate(listed):
                self._where[condition] = sum(
                    1 << row for row, outcome in enumerate(self._outcomes[key].found) if outcome.holding >> place & 1
                )
        self._applying = [self._domains_of(conditions) for conditions in applying]
        self._failing = [self._domains_of(conditions) for conditions in failing]

    def _look_up(self, key: str, tests: Conditions) -> Outcomes:
        found = outcomes(key, tests)
        if found is None:
            raise BudgetSpentError
        self._budget.spend(found.steps // 4)
        return found

    def _domains_of(self, conditions: Iterable[Condition]) -> Domains:
        domains: Domains = {}
        for condition in conditions:
            domains[condition.key] = domains.get(condition.key, -1) & self._where[condition]
        return domains

    def search(self, grade: Grade) -> Domains | None:
        """Outcomes of at most this grade by key, any combination of which does."""
        domains = {
            key: sum(1 << row for row, outcome in enumerate(listed.found) if outcome.grade <= grade)
            for key, listed in self._outcomes.items()
        }
        for statement in self._applying:
            for key, mask in statement.items():
                domains[key] &= mask
        return self._refute(domains, 0) if all(domains.values()) else None

    def _refute(self, domains: Domains, first: int) -> Domains | None:
        """Narrow the domains until every statement that must fail does, the first of them being decided already.

        Each key is tried as the one that makes a statement fail, those before it then being known to hold.
        """
        self._budget.spend(1 + len(domains))
        for place in range(first, len(self._failing)):
            statement = self._failing[place]
            if any(not domains[key] & mask for key, mask in statement.items()):
                continue
            for key, mask in statement.items():
                failed = domains[key] & ~mask
                if failed:
                    found = self._refute({**domains, key: failed}, place + 1)
                    if found is not None:
                        return found
                domains = {**domains, key: domains[key] & mask}
            return None
        return domains

    def example(self, domains: Domains) -> Found:
        """The surest outcome of each key."""
        chosen = {key: self._outcomes[key].found[(mask & -mask).bit_length() - 1] for key, mask in domains.items()}
        return Found(
            {key: outcome.values for key, outcome in chosen.items()},
            max((outcome.grade for outcome in chosen.values()), default=Grade.SURE),
            tuple(sorted(key for key, outcome in chosen.items() if outcome.grade is not Grade.SURE)),
        )
