"""Which actions of a new Allow meet which other statements: each different meeting is one question to be answered.

Actions are whatever text of the form `service:name` the statements may ever be held against, not only those that the
catalogue knows: a wildcard also admits the actions that AWS will add. A wildcard is first asked about as a whole, with
only what surely admits all of it on the favourable side. Where that isn't enough, its known actions are divided by the
statements that admit them (as masks), and its unknown ones by automata.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from shared.iam.catalogue import Catalogue
from shared.iam.comparison.gap import Gap, Question
from shared.iam.comparison.reach import Rule
from shared.iam.comparison.regions import gaps, is_plain
from shared.iam.patterns.action_patterns import ActionPatterns, action_automaton, action_patterns, is_wild
from shared.iam.patterns.language import Automaton, Budget, automaton
from shared.iam.patterns.product import Product
from shared.iam.patterns.wildcards import One, Reach, Run

EVERYTHING = "*"
MAX_NAMES = 3
_ACTION_SHAPE = automaton([One(Reach.SEGMENT), Run(Reach.SEGMENT), ":", One(Reach.SEGMENT), Run(Reach.SEGMENT)])


class Finding(NamedTuple):
    """A gap, and some of the actions that it is there for."""

    actions: tuple[str, ...]
    gap: Gap


class Memory:
    """What one comparison remembers: which questions have no gap, and by rule the known actions that it admits."""

    def __init__(self) -> None:
        self.safe: dict[object, bool] = {}
        self.masks: dict[int, int] = {}


def findings(question: Question, catalogue: Catalogue, memory: Memory, budget: Budget) -> Iterator[Finding]:
    """Every gap of an Allow against all other statements, of which each concerns some of its actions.

    Raises BudgetSpentError.
    """
    yield from _Division(question, catalogue, memory, budget).findings()


class _Division:
    """The actions of one Allow, divided."""

    def __init__(self, question: Question, catalogue: Catalogue, memory: Memory, budget: Budget) -> None:
        self._question = question
        self._catalogue = catalogue
        self._memory = memory
        self._budget = budget

    def findings(self) -> Iterator[Finding]:
        statement = self._question.allow.statement
        if self._lies_within_one():
            return
        spared = action_patterns(statement.not_actions)
        open_patterns = [EVERYTHING] if spared.patterns and not self._is_safe(self._at_worst_outside(spared)) else []
        named = _named(self._catalogue, statement.actions)
        self._budget.spend(len(statement.actions))
        for literal in named.foreign:
            yield from self._found(self._at_worst(literal), functools.partial(_alone, literal))
        open_patterns += [pattern for pattern in named.wild if not self._is_safe(self._at_worst(pattern))]
        yield from self._known(named.known | self._catalogue.mask_any(open_patterns))
        for pattern in open_patterns:
            yield from self._unknown(pattern, spared)

    def _lies_within_one(self) -> bool:
        """Whether single statements of the old side surely allow all of it: cheap to see, and so in most cases."""
        asked = self._question
        self._budget.spend(1 + len(asked.old_allows))
        wider = tuple(rule for rule in asked.old_allows if admits_all(rule, asked.allow))
        return bool(wider) and not asked.old_denies and is_plain(self._divided(wider, (), ()), self._budget)

    def _is_safe(self, question: Question) -> bool:
        known = self._memory.safe.get(question.key)
        if known is None:
            known = next(gaps(question, "s3", self._budget), None) is None
            self._memory.safe[question.key] = known
        return known

    def _found(self, question: Question, actions: Callable[[], Sequence[str]]) -> Iterator[Finding]:
        if self._memory.safe.get(question.key):
            return
        named = tuple(actions())
        safe = True
        for gap in gaps(question, named[0].partition(":")[0], self._budget):
            safe = False
            yield Finding(named, gap)
        self._memory.safe[question.key] = safe

    def _divided(self, old_allows: "_Chosen", new_denies: "_Chosen", old_denies: "_Chosen") -> Question:
        return Question(self._question.allow, old_allows, new_denies, old_denies)

    def _at_worst(self, pattern: str) -> Question:
        """The question of a pattern as a whole: what surely admits all of it, and what may take from it."""
        asked = self._question
        self._budget.spend(len(asked.old_allows) + len(asked.new_denies) + len(asked.old_denies))
        return self._divided(
            tuple(rule for rule in asked.old_allows if _surely_admits(rule, pattern)),
            tuple(rule for rule in asked.new_denies if _surely_admits(rule, pattern)),
            tuple(rule for rule in asked.old_denies if _may_admit(rule, pattern)),
        )

    def _at_worst_outside(self, spared: ActionPatterns) -> Question:
        """The same for every action but those of some patterns."""
        asked = self._question
        self._budget.spend(1 + len(spared.patterns) * (len(asked.old_allows) + len(asked.old_denies)))
        return self._divided(
            tuple(rule for rule in asked.old_allows if _admits_rest(rule, spared)),
            tuple(rule for rule in asked.new_denies if _admits_rest(rule, spared)),
            tuple(rule for rule in asked.old_denies if _may_admit_rest(rule, spared)),
        )

    def _known(self, mask: int) -> Iterator[Finding]:
        """Known actions, by the statements that admit them."""
        asked = self._question
        rules = (*asked.old_allows, *asked.new_denies, *asked.old_denies)
        left = mask & self._mask(asked.allow) if mask else 0
        classes = {0: left} if left else {}  # by the rules that admit them, as bits
        for place, rule in enumerate(rules if left else ()):
            admitted = self._mask(rule)
            self._budget.spend(2 * len(classes))
            for met, actions in list(classes.items() if admitted & left else ()):
                meeting = actions & admitted
                if meeting:
                    classes[met | 1 << place] = meeting
                    classes[met] = actions ^ meeting
        classes = {met: actions for met, actions in classes.items() if actions}
        for met, actions in classes.items():
            numbers = {rule.number for place, rule in enumerate(rules) if met >> place & 1}
            yield from self._found(self._meeting(numbers), functools.partial(self._names, actions))

    def _meeting(self, numbers: set[int]) -> Question:
        asked = self._question
        sides = (asked.old_allows, asked.new_denies, asked.old_denies)
        return self._divided(*(tuple(rule for rule in side if rule.number in numbers) for side in sides))

    def _mask(self, rule: Rule) -> int:
        mask = self._memory.masks.get(rule.number)
        if mask is None:
            statement = rule.statement
            mask = _mask_of(self._catalogue, statement.actions or statement.not_actions)
            mask = self._catalogue.everything & ~mask if rule.but_actions else mask
            self._memory.masks[rule.number] = mask
        return mask

    def _names(self, actions: int) -> list[str]:
        """The first few actions of a mask in canonical spelling."""
        left = actions
        for _ in range(MAX_NAMES):
            left &= left - 1 if left else 0
        return self._catalogue.names_of(actions ^ left)

    def _unknown(self, pattern: str, spared: ActionPatterns) -> Iterator[Finding]:
        """Every action that a pattern admits, by the sets of statements that automata tell apart."""
        asked = self._question
        rules = (*asked.old_allows, *asked.new_denies, *asked.old_denies)
        automata: list[Automaton] = [action_automaton(pattern), _ACTION_SHAPE]
        owned: list[list[int]] = []
        for patterns in (spared, *(rule.actions for rule in rules)):
            self._budget.spend(1 + len(patterns.patterns))
            sharing = list(patterns.sharing(pattern))
            owned.append(list(range(len(automata), len(automata) + len(sharing))))
            automata += map(action_automaton, sharing)
        product = Product(automata, within=(0, 1))
        groups: dict[int, int] = {}
        for own in ([0], *owned):
            span = sum(product.spans[place] for place in own)
            groups |= {product.finals[place]: span for place in own if product.endless(place)}
        excluded, *places = owned
        product.exclude([product.finals[place] for place in excluded])
        product.settle(groups, sum(product.finals[place] for place in excluded if product.endless(place)))
        finals = [sum(product.finals[place] for place in own) for own in places]
        for cell in product.cells(self._budget):
            numbers = {
                rule.number
                for rule, own in zip(rules, finals, strict=True)
                if bool(cell.accepted & own) is not rule.but_actions
            }
            action = "".join(map(str, cell.text))
            yield from self._found(self._meeting(numbers), functools.partial(_alone, action))


def _alone(action: str) -> Sequence[str]:
    return (action,)


_Chosen = tuple[Rule, ...]


class _Named(NamedTuple):
    """What an Action element names: known actions as a mask, others in lower case, and wildcards."""

    known: int
    foreign: tuple[str, ...]
    wild: tuple[str, ...]


@functools.lru_cache(1024)
def _named(catalogue: Catalogue, patterns: tuple[str, ...]) -> _Named:
    lowered = dict.fromkeys(pattern.lower() for pattern in patterns)
    literals = [pattern for pattern in lowered if not is_wild(pattern)]
    return _Named(
        known=catalogue.mask_of_keys(literals),
        foreign=tuple(literal for literal in literals if literal not in catalogue),
        wild=tuple(pattern for pattern in lowered if is_wild(pattern)),
    )


@functools.lru_cache(1024)
def _mask_of(catalogue: Catalogue, patterns: tuple[str, ...]) -> int:
    return catalogue.mask_any(patterns)


def admits_all(wide: Rule, narrow: Rule) -> bool:
    """Whether a rule surely speaks of every action that another one speaks of."""
    if narrow.but_actions:
        return _admits_rest(wide, narrow.actions)
    if not wide.but_actions:
        return wide.actions.cover_all(narrow.actions)
    return all(_surely_admits(wide, pattern) for pattern in narrow.actions.patterns)


def _surely_admits(rule: Rule, pattern: str) -> bool:
    """Whether a rule speaks of every action of a pattern."""
    return not rule.actions.may_share(pattern) if rule.but_actions else rule.actions.cover(pattern)


def _may_admit(rule: Rule, pattern: str) -> bool:
    """Whether a rule could speak of some action of a pattern."""
    return not rule.actions.cover(pattern) if rule.but_actions else rule.actions.may_share(pattern)


def _admits_rest(rule: Rule, spared: ActionPatterns) -> bool:
    """Whether a rule speaks of every action outside some patterns."""
    if rule.but_actions:
        return all(spared.cover(pattern) for pattern in rule.actions.patterns)
    return rule.actions.cover(EVERYTHING)


def _may_admit_rest(rule: Rule, spared: ActionPatterns) -> bool:
    """Whether a rule could speak of some action outside some patterns."""
    return rule.but_actions or not all(spared.cover(pattern) for pattern in rule.actions.patterns)
