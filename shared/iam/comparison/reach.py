"""How far a statement's Resource element reaches, compared by patterns: surely all of a part, possibly some of it.

IAM's documentation says both that wildcards stay within their segment of an ARN and that a `*` at the end of one may
run on over colons. Nothing here counts as sure unless it holds under both readings.

Source: IAM user guide, "IAM JSON policy elements: Resource".
"""

import functools
import re
from enum import Enum
from typing import NamedTuple

from shared.iam.conditions.model import Condition
from shared.iam.patterns.action_patterns import ActionPatterns, action_patterns
from shared.iam.patterns.arns import HEADER_SEGMENTS, as_resource
from shared.iam.patterns.globs import Wild
from shared.iam.patterns.language import Automaton, automaton, covers, overlaps
from shared.iam.patterns.variables import Parts, has_variables, parts_of
from shared.iam.patterns.wildcards import Reach, Run, Token, Tokens, wildcard
from shared.iam.policy import Effect, Statement

EVERYTHING = "*"
_CACHE = 65_536
_SPECIAL = re.compile(r"[*?$]")


class Reading(Enum):
    """How a Resource pattern is read: how far a wildcard in the first five segments ranges."""

    ACROSS = "a * at the end of a segment runs on over colons"
    WITHIN = "every wildcard stays within its segment, and segments that are missing are wildcards"


class Rule(NamedTuple):
    """A statement as the comparison needs it. `number` tells rules apart; a missing Resource reaches everything."""

    number: int
    statement: Statement
    allows: bool
    actions: ActionPatterns  # those of NotAction where `but_actions`
    but_actions: bool
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[Condition, ...]


class Part(NamedTuple):
    """Resources of a statement: those of one pattern, or everything but `excluded` where `pattern` is `*`."""

    pattern: str
    excluded: tuple[str, ...] = ()


def rule_of(number: int, statement: Statement) -> Rule:
    """A statement, numbered."""
    return Rule(
        number=number,
        statement=statement,
        allows=statement.effect is Effect.ALLOW,
        actions=action_patterns(statement.actions or statement.not_actions),
        but_actions=bool(statement.not_actions),
        resources=statement.resources or (() if statement.not_resources else (EVERYTHING,)),
        not_resources=statement.not_resources,
        conditions=statement.conditions,
    )


def parts(rule: Rule) -> list[Part]:
    """A rule's resources one pattern at a time; a NotResource is one part."""
    if rule.not_resources:
        return [Part(EVERYTHING, rule.not_resources)]
    return [Part(pattern) for pattern in rule.resources]


def reaches_all(rule: Rule, part: Part) -> bool:
    """Whether a rule surely reaches every resource of a part."""
    if EVERYTHING in rule.resources:
        return True
    if part.excluded:
        return bool(rule.not_resources) and all(
            any(pattern_covers(out, spared) for out in part.excluded) for spared in rule.not_resources
        )
    if rule.resources:
        return part.pattern in rule.resources or any(pattern_covers(own, part.pattern) for own in rule.resources)
    return not any(may_share(spared, part.pattern) for spared in rule.not_resources)


def may_reach(rule: Rule, part: Part) -> bool:
    """Whether a rule could reach some resource of a part; false only where that is sure."""
    if part.excluded:
        return not rule.resources or any(
            not any(pattern_covers(out, own) for out in part.excluded) for own in rule.resources
        )
    if rule.resources:
        return any(may_share(own, part.pattern) for own in rule.resources)
    return not any(pattern_covers(spared, part.pattern) for spared in rule.not_resources)


@functools.lru_cache(_CACHE)
def pattern_covers(wide: str, narrow: str) -> bool:
    """Whether every resource of one pattern surely is one of another, under both readings."""
    if wide in (narrow, EVERYTHING):
        return True
    return narrow.startswith(_stem(wide)) and all(
        covers(pattern_automaton(wide, reading), pattern_automaton(narrow, reading))
        for reading in _readings(wide, narrow)
    )


@functools.lru_cache(_CACHE)
def may_share(one: str, other: str) -> bool:
    """Whether two patterns could have a resource in common, whatever their variables are."""
    if EVERYTHING in (one, other):
        return True
    stem, facing = _stem(one), _stem(other)
    return (stem.startswith(facing) or facing.startswith(stem)) and any(
        overlaps(*(pattern_automaton(pattern, reading, loose=True) for pattern in (one, other)))
        for reading in _readings(one, other)
    )


def _stem(pattern: str) -> str:
    """The text that everything of a pattern begins with, as far as it holds nothing special: a quick look."""
    special = _SPECIAL.search(pattern)
    return pattern if special is None else pattern[: special.start()]


def _readings(one: str, other: str) -> tuple[Reading, ...]:
    """Both readings, or one where they are the same for two patterns."""
    return tuple(Reading) if reading_matters(one) or reading_matters(other) else (Reading.ACROSS,)


@functools.lru_cache(_CACHE)
def pattern_automaton(pattern: str, reading: Reading, *, loose: bool = False) -> Automaton:
    """The automaton of a Resource pattern; `loose` reads variables as any text."""
    read = as_resource if reading is Reading.ACROSS else within_segments
    return automaton(read(parts_of(pattern)), loose=loose)


@functools.lru_cache(_CACHE)
def reading_matters(pattern: str) -> bool:
    """Whether the two readings of a pattern differ."""
    read = parts_of(pattern)
    return as_resource(read) != within_segments(read)


@functools.lru_cache(_CACHE)
def variable(pattern: str) -> bool:
    """Whether a pattern holds policy variables."""
    return has_variables(parts_of(pattern))


def within_segments(read: Parts) -> Tokens:
    """Read wildcards of the first five segments as staying within theirs; segments that are missing admit anything."""
    if read and all(part is Wild.RUN for part in read):
        return (Run(Reach.ANYWHERE),)
    tokens: list[Token] = []
    segment = 0
    for part in read:
        reach = Reach.ANYWHERE if segment >= HEADER_SEGMENTS else Reach.SEGMENT
        tokens.append(wildcard(part, reach) if isinstance(part, Wild) else part)
        segment += part.count(":") if isinstance(part, str) else 0
    for missing in range(segment, HEADER_SEGMENTS):
        tokens += [":", Run(Reach.ANYWHERE if missing + 1 == HEADER_SEGMENTS else Reach.SEGMENT)]
    return tuple(tokens)
