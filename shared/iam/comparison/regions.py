"""Where does one Allow of the new policies reach, in which context, that the old policies don't? Exact over resources.

For actions that all of a question's statements admit, resources fall into cells of which the statements match the same
patterns; for each cell it is then asked whether a context makes the new side allow and the old side not.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.iam.comparison.contexts import Found, implies
from shared.iam.comparison.gap import Gap, Question, Text, context_of_gap, is_resource, made_up
from shared.iam.comparison.reach import (
    Part,
    Reading,
    Rule,
    may_reach,
    may_share,
    parts,
    pattern_automaton,
    reaches_all,
    reading_matters,
    variable,
    within_segments,
)
from shared.iam.patterns.language import Automaton, Budget, automaton
from shared.iam.patterns.product import Product
from shared.iam.patterns.variables import parts_of

_ARN_SHAPE = automaton(within_segments(parts_of("arn:?*:?*:*:*:?*")), loose=True)


def gaps(question: Question, service: str, budget: Budget) -> Iterator[Gap]:
    """Every gap of a question, none if the old policies surely allow whatever this Allow does.

    `service` is an action's, to make up a resource with. Raises BudgetSpentError.
    """
    for part in parts(question.allow):
        left = _relevant(question, part, budget)
        if left is not None:
            yield from _Search(left, part, service, budget).gaps()


def is_plain(question: Question, budget: Budget) -> bool:
    """Whether there is no gap for a plain reason: each pattern of resources lies within a single statement."""
    return all(_relevant(question, part, budget) is None for part in parts(question.allow))


def _relevant(question: Question, part: Part, budget: Budget) -> Question | None:
    """The statements that matter for a part of the Allow's resources; None where nothing is left to show."""
    given = question.allow.conditions
    budget.spend(4 + len(question.old_allows) + len(question.new_denies) + len(question.old_denies))
    denies = tuple(rule for rule in question.new_denies if may_reach(rule, part))
    if any(reaches_all(rule, part) and implies(given, rule.conditions, budget) for rule in denies):
        return None
    former = tuple(
        rule
        for rule in question.old_denies
        if may_reach(rule, part) and not any(repeats(deny, rule, budget) for deny in question.new_denies)
    )
    if not former and any(
        reaches_all(rule, part) and implies(given, rule.conditions, budget) for rule in question.old_allows
    ):
        return None
    allows = tuple(rule for rule in question.old_allows if may_reach(rule, part))
    return Question(question.allow, allows, denies, former)


def repeats(deny: Rule, former: Rule, budget: Budget) -> bool:
    """Whether a Deny surely denies all that a former one did, of the actions that both admit."""
    return all(reaches_all(deny, part) for part in parts(former)) and implies(
        former.conditions, deny.conditions, budget
    )


class _Entry(NamedTuple):
    """A rule in a search: the accepting bits of its patterns, and whether it reaches what matches none of them."""

    rule: Rule
    finals: int
    negated: bool

    def reaches(self, accepted: int) -> bool:
        return bool(accepted & self.finals) is not self.negated


class _Search:
    """The cells of one part of an Allow's resources."""

    def __init__(self, question: Question, part: Part, service: str, budget: Budget) -> None:
        self._question = question
        self._part = part
        self._service = service
        self._budget = budget
        self._answers: dict[tuple[int, ...], Found | None] = {}

    def gaps(self) -> Iterator[Gap]:
        proven = True
        compared = self._rules() or self._part.excluded
        for gap in self._gaps_read(Reading.ACROSS) if compared else self._gaps_alone():
            proven = False
            yield gap
        if proven and self._reading_matters():
            yield from (
                gap._replace(resource=None, doubt="depends on how far wildcards in the head of an ARN range")
                for gap in self._gaps_read(Reading.WITHIN)
            )

    def _gaps_alone(self) -> Iterator[Gap]:
        """Gaps where no other statement tells one resource of the part from another."""
        texts = [text for text in made_up(self._part.pattern, self._service) if is_resource(text)]
        for text in texts:
            yield from self._gap((), 0, text)
        if not texts:
            yield from self._gaps_read(Reading.ACROSS)

    def _reading_matters(self) -> bool:
        rules = (*self._question.old_allows, *self._question.new_denies, *self._question.old_denies)
        patterns = [pattern for rule in rules for pattern in (*rule.resources, *rule.not_resources)]
        return any(map(reading_matters, (self._part.pattern, *self._part.excluded, *patterns)))

    def _gaps_read(self, reading: Reading) -> Iterator[Gap]:
        product, entries = self._product(reading, shaped=False)
        tried = set()
        for text in made_up(self._part.pattern, self._service):
            accepted = product.accepted(text, self._budget)
            if is_resource(text) and product.contains(accepted):
                tried.add(accepted)
                yield from self._gap(entries, accepted, text)
        strange = None
        for cell in product.cells(self._budget):
            if cell.accepted in tried:
                continue
            for gap in self._gap(entries, cell.accepted, cell.text):
                if is_resource(cell.text):
                    yield gap
                else:
                    strange = gap
        if strange is not None:
            yield from self._shaped(reading, strange)

    def _shaped(self, reading: Reading, strange: Gap) -> Iterator[Gap]:
        """Gaps on texts of the form of an ARN, after some on texts that aren't."""
        product, entries = self._product(reading, shaped=True)
        none = True
        for cell in product.cells(self._budget):
            for gap in self._gap(entries, cell.accepted, cell.text):
                none = False
                yield gap
        if none:
            yield strange._replace(resource=None, doubt="only for texts that are no ARNs")

    def _gap(self, entries: Sequence[_Entry], accepted: int, text: Text) -> Iterator[Gap]:
        found = self._answer([entry.rule for entry in entries if entry.reaches(accepted)])
        if found is not None:
            yield Gap(self._question.allow, self._part, text, found)

    def _answer(self, rules: Sequence[Rule]) -> Found | None:
        """A context in which the Allow lets pass what the old side doesn't, where these statements reach."""
        key = tuple(rule.number for rule in rules)
        if key not in self._answers:
            reached = set(key)
            left = Question(
                self._question.allow,
                *(
                    tuple(rule for rule in side if rule.number in reached)
                    for side in (self._question.old_allows, self._question.new_denies, self._question.old_denies)
                ),
            )
            self._answers[key] = context_of_gap(left, self._budget)
        return self._answers[key]

    def _product(self, reading: Reading, *, shaped: bool) -> tuple[Product, list[_Entry]]:
        """The automata of every pattern that matters, after those that a resource must match."""
        automata = [pattern_automaton(self._part.pattern, reading)]
        loose: list[int] = []
        if shaped:
            automata.append(_ARN_SHAPE)
            loose.append(1)
        within = range(len(automata))
        owned = [self._add(automata, loose, reading, patterns, taken=taken) for patterns, taken in self._patterns()]
        product = Product(automata, within, loose)
        excluded, *places = owned
        entries = [
            _Entry(rule, sum(product.finals[place] for place in own), bool(rule.not_resources))
            for rule, own in zip(self._rules(), places, strict=True)
        ]
        groups: dict[int, int] = {}
        for own in ([0], *owned):
            span = sum(product.spans[place] for place in own)
            groups |= {product.finals[place]: span for place in own if product.endless(place)}
        product.exclude([product.finals[place] for place in excluded])
        product.settle(groups, self._settled(product, entries, excluded))
        return product, entries

    def _rules(self) -> tuple[Rule, ...]:
        question = self._question
        return (*question.old_allows, *question.new_denies, *question.old_denies)

    def _patterns(self) -> Iterator[tuple[Sequence[str], bool]]:
        """Patterns of the part's exclusion and of each rule, and whether variables must be taken for any text.

        They are where a match takes from what the old side surely allows or the new side surely denies.
        """
        yield self._part.excluded, False
        for rule in self._rules():
            taking = rule in self._question.old_denies
            if rule.not_resources:
                yield rule.not_resources, not taking
            else:
                yield rule.resources, taking

    def _add(
        self, automata: list[Automaton], loose: list[int], reading: Reading, patterns: Sequence[str], *, taken: bool
    ) -> list[int]:
        places = []
        for pattern in patterns:
            if not self._part.excluded and not may_share(pattern, self._part.pattern):
                continue
            if taken:
                loose.append(len(automata))
            places.append(len(automata))
            automata.append(pattern_automaton(pattern, reading, loose=taken and variable(pattern)))
        self._budget.spend(1 + len(patterns))
        return places

    def _settled(self, product: Product, entries: Sequence[_Entry], excluded: Sequence[int]) -> int:
        """Accepting bits of endless patterns after which there can be no gap."""
        settled = sum(product.finals[place] for place in excluded if product.endless(place))
        old, taking = self._question.old_allows, self._question.old_denies
        for entry in entries:
            decides = entry.rule in self._question.new_denies or (entry.rule in old and not taking)
            if decides and not entry.negated:
                endless = product.endless_of(entry.finals)
                if endless and implies(self._question.allow.conditions, entry.rule.conditions, self._budget):
                    settled |= endless
        return settled
