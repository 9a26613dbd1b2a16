"""How patterns begin, and what text an ARN must hold to match one: what Covering finds its candidates by."""

import functools
import itertools
import re

from shared.iam.patterns import globs
from shared.iam.patterns.globs import Tokens, Wild

END = "\n"  # of an ARN, in a text of many
_HEAD = 5  # colons before an ARN's resource
_REMEMBERED_PATTERNS = 8_192
_ESCAPES = {letter: f"${{{letter}}}" for letter in "*?$"}


@functools.lru_cache(_REMEMBERED_PATTERNS)
def split(pattern: str) -> tuple[str, Tokens]:
    """Literal text that a pattern begins with, and the tokens from its first wildcard or variable on."""
    read = globs.tokens(pattern)
    place = next((place for place, token in enumerate(read) if not _is_letter(token)), len(read))
    return "".join(str(token) for token in read[:place]), read[place:]


@functools.lru_cache(_REMEMBERED_PATTERNS)
def beginnings(pattern: str, sign: str) -> tuple[tuple[str, int], ...]:
    """Patterns of what a pattern could begin with, up to a sign that more can follow.

    Its head is part of each, and not all of any. From the first `*` after the head on anything can follow. A run of `?`
    counts once: as its first, and how many it has.

    >>> beginnings("arn:*:s3:::logs/2026??*", "/")
    (('arn:*:s3:::logs/', 1), ('arn:*:s3:::logs/2026?', 2), ('arn:*:s3:::logs/2026??*', 1))
    """
    read = globs.tokens(pattern)
    colons = [place for place, letter in enumerate(read, start=1) if letter == ":"]
    head = colons[_HEAD - 1] if len(colons) >= _HEAD else 0
    free = next((place for place in range(head, len(read)) if _is_run(read[place])), None)
    found, end = [], head
    for one, run in itertools.groupby(read[head : len(read) - 1 if free is None else free]):
        many = len(list(run))
        if one is Wild.ONE:
            found.append((written(read[: end + 1]), many))
        elif one == sign:
            found += [(written(read[: end + count]), 1) for count in range(1, many + 1)]
        end += many
    return tuple(found) if free is None else (*found, (f"{written(read[:free])}*", 1))


def written(tokens: Tokens) -> str:
    """The pattern that reads as these tokens."""
    return "".join(one.value if isinstance(one, Wild) else _ESCAPES.get(one, one) for one in tokens)


def compiled(pattern: str, ones: int) -> re.Pattern[str]:
    """Regular expression of a pattern; a `?` at its end is up to that many."""
    once = globs.compiled(pattern, variables_match=True)
    return once if ones == 1 else re.compile(f"{once.pattern}{{1,{ones}}}", once.flags)


def needle(rest: Tokens) -> str:
    """Text that an ARN must hold if with a sign it matches tokens that end in it, or in a `?`."""
    if rest[-1] is Wild.ONE:
        return longest(rest)
    letters = itertools.takewhile(_is_letter, reversed(rest[:-1]))
    return "".join(map(str, letters))[::-1] + END


def varies(pattern: str) -> bool:
    """Whether it names a policy variable."""
    return any(map(_is_variable, globs.tokens(pattern)))


def longest(tokens: Tokens) -> str:
    """The longest literal text among tokens."""
    runs = itertools.groupby(tokens, key=_is_letter)
    return max(("".join(map(str, run)) for letters, run in runs if letters), key=len, default="")


def _is_letter(token: globs.Token) -> bool:
    return isinstance(token, str) and len(token) == 1


def _is_variable(token: globs.Token) -> bool:
    return isinstance(token, str) and len(token) > 1


def _is_run(token: globs.Token) -> bool:
    """Whether any text could stand there: a `*`, or a variable."""
    return token is Wild.RUN or _is_variable(token)
