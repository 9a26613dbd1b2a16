"""Does a new set of policies grant anything that an old one didn't? A proof, a counterexample, or "not proven".

`no_new_access` is said only where every request that the new policies let pass was let pass by the old ones, whatever
its action (known, unknown or not invented yet), resource, context and caller. `new_access` comes with a request that
`evaluate` allows under the new policies and not under the old ones. What can't be decided either way is `not_proven`,
with what it was: a policy variable held against fixed text, tests of different kinds on one key, a key that would have
to hold several values, a wildcard in the head of an ARN whose range the documentation leaves open, or too many steps.

Both sides are identity policies (also boundaries, SCPs) or both are policies of the same resource. For these a caller
counts as granted more where it is named more closely than before, for then less of its own policies limits it. What
either side grants is judged by itself: a Deny that goes missing where nothing is allowed beside it grants nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.errors import InputError
from shared.iam.catalogue import Catalogue
from shared.iam.comparison.counterexamples import Confirmation, Counterexample
from shared.iam.comparison.gap import Question
from shared.iam.comparison.questions import Finding, Memory, admits_all, findings
from shared.iam.comparison.reach import Rule, rule_of
from shared.iam.comparison.regions import repeats
from shared.iam.comparison.representatives import Grade
from shared.iam.comparison.situations import Situation, situations
from shared.iam.patterns.language import Budget, BudgetSpentError
from shared.iam.policy import Statement, parse_document
from shared.model.proof import ProofVerdict

__all__ = ["Comparison", "Counterexample", "compare"]

MAX_STEPS = 500_000
"""Steps that a comparison may take by default, of about a microsecond each."""


class Comparison(NamedTuple):
    """Outcome of a comparison; whatever acts on it treats everything but `no_new_access` as no."""

    verdict: ProofVerdict
    reason: str
    counterexample: Counterexample | None = None


def compare(
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
    catalogue: Catalogue,
    *,
    max_steps: int = MAX_STEPS,
) -> Comparison:
    """Compare the policies `new` with the policies `old`; each is a sequence of documents.

    Raises PolicyDocumentError on an unreadable document, InputError where only some statements name principals.
    """
    before, after = ([parse_document(document) for document in documents] for documents in (old, new))
    budget = Budget(max_steps)
    sides = _Sides(before, after)
    first: Finding | None = None
    try:
        confirmation = Confirmation(sides.old, sides.new, budget)
        for finding, situation in sides.findings(catalogue, budget):
            example = confirmation.confirmed(finding, situation)
            if example is not None:
                return Comparison(ProofVerdict.NEW_ACCESS, sides.found(finding, example), example)
            first = first or finding
    except BudgetSpentError:
        return Comparison(ProofVerdict.NOT_PROVEN, f"not decided within {max_steps:,} steps")
    if first is not None:
        return Comparison(ProofVerdict.NOT_PROVEN, sides.undecided(first))
    return Comparison(ProofVerdict.NO_NEW_ACCESS, sides.proven(budget))


class _Sides:
    """The statements of both sides, as rules that are numbered through."""

    def __init__(self, before: Sequence[Sequence[Statement]], after: Sequence[Sequence[Statement]]) -> None:
        statements = [statement for document in (*before, *after) for statement in document]
        if len({statement.principals is None for statement in statements}) > 1:
            raise InputError("policies of identities and of resources can't be compared with each other")
        rules = [rule_of(number, statement) for number, statement in enumerate(statements)]
        first = sum(map(len, before))
        self.old, self.new = rules[:first], rules[first:]

    def findings(self, catalogue: Catalogue, budget: Budget) -> Iterator[tuple[Finding, Situation]]:
        """What may be new, allow by allow, for every situation that a caller can be in."""
        memory = Memory()
        old = [rule for rule in self.old if not (rule.allows and _void_for_keys(rule))]
        new = [rule for rule in self.new if rule.allows or not _void_for_keys(rule)]
        repeating = self._repeating(old, new, budget)
        for situation in situations([*self.old, *self.new]):
            closeness = situation.closeness
            denies = tuple(rule for rule in new if not rule.allows and closeness[rule.number])
            former = tuple(
                rule
                for rule in old
                if not rule.allows
                and closeness[rule.number]
                and not any(closeness[number] for number in repeating[rule.number])
            )
            for allow in new:
                if allow.allows and closeness[allow.number]:
                    allows = (rule for rule in old if rule.allows and closeness[rule.number] >= closeness[allow.number])
                    question = Question(allow, tuple(allows), denies, former)
                    for finding in findings(question, catalogue, memory, budget):
                        yield finding, situation

    def _repeating(self, old: Sequence[Rule], new: Sequence[Rule], budget: Budget) -> dict[int, list[int]]:
        """By the number of each Deny of the old side, the new Denies that each deny all that it does."""
        denies = [rule for rule in new if not rule.allows]
        return {
            former.number: [
                deny.number for deny in denies if admits_all(deny, former) and repeats(deny, former, budget)
            ]
            for former in old
            if not former.allows
        }

    def proven(self, budget: Budget) -> str:
        """What was proven, for people; a Deny that is gone from a resource's policy concerns other policies, too."""
        proven = "every allow of the new policies lies within the old ones"
        of_resource = any(rule.statement.principals is not None for rule in self.new)
        try:
            gone = of_resource and not all(self._repeating(self.old, self.new, budget).values())
        except BudgetSpentError:
            gone = True
        return f"{proven}; a deny is gone, so that policies of callers may allow more" if gone else proven

    def found(self, finding: Finding, example: Counterexample) -> str:
        """Why access is new, for people."""
        held = f" with {_spelled(example.context)}" if example.context else ""
        caller = f" by {example.principal}" if example.principal else ""
        request = f"{example.action} on {example.resource}{caller}{held}"
        return f"{self._named(finding)} allows {request}, unlike the old policies"

    def undecided(self, finding: Finding) -> str:
        """What could not be decided, for people."""
        gap = finding.gap
        keys = ", ".join(gap.context.doubtful)
        if gap.doubt:
            why = gap.doubt
        elif gap.context.grade is Grade.UNDECIDED:
            why = f"depends on {keys}, which can't be decided"
        elif gap.context.grade is Grade.DOUBTFUL:
            why = f"only if {keys} could hold several values at once, or such text"
        else:
            why = "no request was found that shows it"
        return f"{self._named(finding)}: {finding.actions[0]} on {gap.part.pattern} may be new ({why})"

    def _named(self, finding: Finding) -> str:
        place = finding.gap.allow.number - len(self.old)
        sid = finding.gap.allow.statement.sid
        return f"statement {place + 1} of the new policies" + (f" ({sid})" if sid else "")


def _void_for_keys(rule: Rule) -> bool:
    """Whether a rule counts for nothing in a key policy, for lack of a Resource, and so can't be relied on.

    It then counts only against the new side, which may leave what is the same on both sides unproven.
    """
    if rule.statement.resources or rule.statement.not_resources:
        return False
    return not rule.actions.cover("kms:*") if rule.but_actions else rule.actions.may_share("kms:*")


def _spelled(context: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in context.items())
