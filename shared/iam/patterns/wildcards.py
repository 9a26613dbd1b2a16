"""Patterns compiled into tests of text, fast for the common forms and never slow for the worst ones.

A literal becomes set membership, a pattern whose only wildcard is a `*` at its end a test of the beginning, and all
others together one regular expression. What stands between two `*` is matched at the first place where it fits and
never tried elsewhere (an atomic group). That finds a match whenever there is one, since an earlier end leaves more text
for the rest, and it keeps the time within the product of the lengths of pattern and text: `a*a*a*…b` cannot blow up.
"""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from shared.iam.patterns.globs import Wild
from shared.iam.patterns.variables import Parts, Variable
from shared.iam.request import Context

_CACHE = 4_096

Test = Callable[[str, Context], bool]
"""Whether a text of a request matches; the context is what variables are taken from."""


Filler = Callable[[Context], str | None]
"""A text with the values of a request put in; None where a variable has no value."""


class Reach(Enum):
    """What a wildcard may stand for, as a regular expression of one character."""

    ANYWHERE = "."
    SEGMENT = "[^:]"


class Run(Enum):
    """A `*`, by its reach."""

    ANYWHERE = Reach.ANYWHERE
    SEGMENT = Reach.SEGMENT


class One(Enum):
    """A `?`, by its reach."""

    ANYWHERE = Reach.ANYWHERE
    SEGMENT = Reach.SEGMENT


_WILDCARDS = (Run, One)
Token = str | Run | One | Variable
Tokens = tuple[Token, ...]
Reading = Callable[[Parts], Tokens | None]
"""How the wildcards of a pattern are read; None where the pattern can match nothing."""


def anywhere(parts: Parts) -> Tokens:
    """Read each wildcard as any characters."""
    return tuple(wildcard(part, Reach.ANYWHERE) if isinstance(part, Wild) else part for part in parts)


def literally(parts: Parts) -> Tokens:
    """Read wildcards as the characters that they are."""
    return tuple(part.value if isinstance(part, Wild) else part for part in parts)


def wildcard(wild: Wild, reach: Reach) -> Run | One:
    """One wildcard with its reach."""
    return Run(reach) if wild is Wild.RUN else One(reach)


def compile_texts(texts: Iterable[Parts], reading: Reading) -> Test:
    """One test for all patterns, of which any may match."""
    patterns = [tokens for text in texts if (tokens := reading(text)) is not None]
    known = [tokens for tokens in patterns if not is_open(tokens)]
    return _any_of(_known_tests(known) + [_open_test(tokens) for tokens in patterns if is_open(tokens)])


def literal_texts(texts: Iterable[Parts], reading: Reading) -> frozenset[str] | None:
    """The texts that match, where there are finitely many and the context has no say in it; else None."""
    patterns = [tokens for text in texts if (tokens := reading(text)) is not None]
    return frozenset(map(_text, patterns)) if all(map(_is_literal, patterns)) else None


def is_open(tokens: Tokens) -> bool:
    """Whether some of the text is only known at request time."""
    return any(isinstance(token, Variable) for token in tokens)


def filler(tokens: Tokens) -> Filler:
    """What replaces the variables of a text without wildcards by the values of a request."""
    variables = [token for token in tokens if isinstance(token, Variable)]
    if len(variables) != 1:
        return lambda context: _filled(tokens, context)
    variable, place = variables[0], tokens.index(variables[0])
    before, after = _text(tokens[:place]), _text(tokens[place + 1 :])

    def fill(context: Context) -> str | None:
        value = variable.value(context)
        return None if value is None else before + value + after

    return fill


def _filled(tokens: Tokens, context: Context) -> str | None:
    values = [token.value(context) if isinstance(token, Variable) else token for token in tokens]
    return None if None in values else "".join(map(str, values))


def _any_of(tests: Sequence[Test]) -> Test:
    """Halved again and again, since a loop costs more than the tests and a long chain would nest too deep."""
    if not tests:
        return lambda _text, _context: False
    if len(tests) == 1:
        return tests[0]
    middle = len(tests) // 2
    first, second = _any_of(tests[:middle]), _any_of(tests[middle:])
    return lambda text, context: first(text, context) or second(text, context)


def _known_tests(patterns: Sequence[Tokens]) -> list[Test]:
    """Tests of patterns without variables: the literals, the beginnings, and the others."""
    literals: list[str] = []
    beginnings: list[str] = []
    others: list[str] = []
    for tokens in patterns:
        if _is_literal(tokens):
            literals.append(_text(tokens))
        elif _is_beginning(tokens):
            beginnings.append(_text(tokens[:-1]))
        else:
            others.append(_source(tokens))
    return [
        *([_one_of(frozenset(literals))] if literals else []),
        *([_beginning_with(tuple(beginnings))] if beginnings else []),
        *([_matching(re.compile("|".join(others), re.DOTALL))] if others else []),
    ]


def _one_of(literals: frozenset[str]) -> Test:
    return lambda text, _context: text in literals


def _beginning_with(beginnings: tuple[str, ...]) -> Test:
    return lambda text, _context: text.startswith(beginnings)


def _matching(pattern: re.Pattern[str]) -> Test:
    match = pattern.match
    return lambda text, _context: match(text) is not None


def _open_test(tokens: Tokens) -> Test:
    """Test of a pattern with variables."""
    if not any(isinstance(token, _WILDCARDS) for token in tokens):
        fill = filler(tokens)
        return lambda text, context: text == fill(context)
    if _runs_anywhere(tokens[-1]) and not any(isinstance(token, _WILDCARDS) for token in tokens[:-1]):
        fill = filler(tokens[:-1])

        def begins(text: str, context: Context) -> bool:
            beginning = fill(context)
            return beginning is not None and text.startswith(beginning)

        return begins

    def matches(text: str, context: Context) -> bool:
        values = tuple(token.value(context) if isinstance(token, Variable) else token for token in tokens)
        return None not in values and _compiled(values).match(text) is not None

    return matches


@functools.lru_cache(_CACHE)
def _compiled(tokens: tuple[Token | None, ...]) -> re.Pattern[str]:
    return re.compile(_source([token for token in tokens if token is not None]), re.DOTALL)


def _runs_anywhere(token: Token) -> bool:
    return isinstance(token, Run) and token.value is Reach.ANYWHERE


def _is_literal(tokens: Sequence[Token]) -> bool:
    return all(isinstance(token, str) for token in tokens)


def _is_beginning(tokens: Tokens) -> bool:
    return bool(tokens) and _runs_anywhere(tokens[-1]) and _is_literal(tokens[:-1])


def _text(tokens: Sequence[Token]) -> str:
    return "".join(token for token in tokens if isinstance(token, str))


def _source(tokens: Sequence[Token]) -> str:
    r"""Regular expression for `match`, with DOTALL.

    Where a `*` that reaches anywhere stands within the first segments of an ARN, a colon must follow: then what comes
    between it and the next such `*` ends the earlier the earlier it begins, however wildcards within segments match.

    >>> _source(("a", Run(Reach.ANYWHERE), "b", Run(Reach.ANYWHERE), "c"))
    'a(?>.*?b)(?>.*?c\\Z)'
    """
    chunks: list[list[str]] = [[""]]
    for token in tokens:
        if _runs_anywhere(token):
            chunks.append([""])
        elif isinstance(token, Run):
            chunks[-1].append("")
        elif isinstance(token, One):
            chunks[-1][-1] += token.value.value
        else:
            chunks[-1][-1] += re.escape(str(token))
    if len(chunks) == 1 or chunks[-1] != [""]:
        chunks[-1][-1] += r"\Z"
    within = ["".join([first, *(f"(?>[^:]*?{rest})" for rest in others)]) for first, *others in chunks]
    return "".join([within[0], *(f"(?>.*?{chunk})" for chunk in within[1:] if chunk)])
