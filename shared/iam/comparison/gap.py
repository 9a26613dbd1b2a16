"""What the comparison asks and finds: a question about some actions, and a gap, access that the old side lacks."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.iam.comparison.contexts import Found, find
from shared.iam.comparison.reach import EVERYTHING, Part, Rule
from shared.iam.comparison.representatives import EXAMPLE, Grade
from shared.iam.patterns.globs import Wild
from shared.iam.patterns.language import Budget
from shared.iam.patterns.product import Letter
from shared.iam.patterns.variables import parts_of

ACCOUNT = "111122223333"
REGION = "us-east-1"
MAX_ARN = 2048  # characters of the longest ARN
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)

Text = tuple[Letter, ...]


class Question(NamedTuple):
    """An Allow of the new policies, and the statements of both sides that some actions meet besides."""

    allow: Rule
    old_allows: tuple[Rule, ...]
    new_denies: tuple[Rule, ...]
    old_denies: tuple[Rule, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """What tells questions apart, cheaply."""
        sides = (self.old_allows, self.new_denies, self.old_denies)
        return (self.allow.number, *(tuple(rule.number for rule in rules) for rules in sides))


class Gap(NamedTuple):
    """A resource and context that the new policies let pass and the old ones, it seems, don't.

    `resource` is None where no ARN is in reach; `doubt` says why the gap may be none, if it may.
    """

    allow: Rule
    part: Part
    resource: Text | None
    context: Found
    doubt: str = ""


def context_of_gap(question: Question, budget: Budget) -> Found | None:
    """The surest context in which the new Allow applies and no new Deny, and in which the old side does not allow."""
    given = question.allow.conditions
    denies = [rule.conditions for rule in question.new_denies]
    found = [find([given], [*denies, *(rule.conditions for rule in question.old_allows)], budget)]
    for rule in question.old_denies:
        if found[-1] is not None and found[-1].grade is Grade.SURE:
            break
        found.append(find([given, rule.conditions], denies, budget))
    return min((one for one in found if one is not None), key=lambda one: one.grade, default=None)


def made_up(pattern: str, service: str) -> Iterator[Text]:
    """Resources of a pattern that people recognise; one of the service for `*`."""
    if pattern == EVERYTHING:
        yield tuple(f"arn:aws:{service}:{REGION}:{ACCOUNT}:{EXAMPLE}")
        yield (EVERYTHING,)
        return
    text: list[Letter] = []
    read = parts_of(pattern)
    if len(pattern) + len(read) * len(EXAMPLE) > MAX_ARN:
        return
    for part in read:
        if isinstance(part, Wild):
            text += _filling(text) if part is Wild.RUN else "x"
        else:
            text += part if isinstance(part, str) else [part]
    yield tuple(text)


def _filling(before: Sequence[Letter]) -> str:
    """What a `*` may stand for at this place of an ARN."""
    segment = before.count(":")
    starts = bool(before) and before[-1] == ":"
    return {3: REGION, 4: ACCOUNT}.get(segment, EXAMPLE) if starts else EXAMPLE


def is_resource(text: Text) -> bool:
    """Whether a text has the form of an ARN, or is `*`, which requests for no resource in particular name."""
    spelled = "".join([letter if isinstance(letter, str) else "x" for letter in text])
    return spelled == EVERYTHING or _ARN.fullmatch(spelled) is not None
