"""IAM's pattern language: `*` is any run of characters, `?` is any one character, and nothing else is special.

Three questions are asked of patterns: does a value match (`matches`), is everything that one pattern admits also
admitted by another (`covers`), and could any value match both (`overlaps`). A policy variable (`${aws:username}`)
stands for text that is only known at request time: `matches` and `covers` never assume what it is, `might_match` and
`overlaps` assume that it could be anything, so that each answer errs on its safe side. `${*}`, `${?}` and `${$}` are
the literal characters. Comparison is case-sensitive; callers lower actions first.

Source: IAM user guide, "IAM JSON policy elements: Resource" and "Variables and tags".
"""

import functools
import re
from enum import Enum

_CACHE = 65_536
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ESCAPED = frozenset("*?$")


class Wild(Enum):
    """The two wildcards."""

    RUN = "*"
    ONE = "?"


Token = Wild | str  # a literal character, a wildcard, or a whole variable such as "${aws:username}"
Tokens = tuple[Token, ...]


@functools.lru_cache(_CACHE)
def tokens(pattern: str) -> Tokens:
    """Read a pattern; in a run of wildcards every `?` comes first and one `*` last, which admits the same values."""
    read: list[Token] = []
    position = 0
    for variable in _VARIABLE.finditer(pattern):
        read += _plain(pattern[position : variable.start()])
        name = variable.group(1)
        read.append(name if name in _ESCAPED else variable.group(0))
        position = variable.end()
    read += _plain(pattern[position:])
    return _normalised(read)


def _plain(text: str) -> list[Token]:
    return [Wild(char) if char in "*?" else char for char in text]


def _normalised(read: list[Token]) -> Tokens:
    normal: list[Token] = []
    pending_run = False
    for token in read:
        if token is Wild.RUN:
            pending_run = True
            continue
        if pending_run and token is not Wild.ONE:
            normal.append(Wild.RUN)
            pending_run = False
        normal.append(token)
    if pending_run:
        normal.append(Wild.RUN)
    return tuple(normal)


@functools.lru_cache(_CACHE)
def is_wild(pattern: str) -> bool:
    """Whether the pattern can admit more than one value, policy variables aside."""
    return any(isinstance(token, Wild) for token in tokens(pattern))


def is_everything(pattern: str) -> bool:
    """Whether the pattern admits every value."""
    return tokens(pattern) == (Wild.RUN,)


@functools.lru_cache(_CACHE)
def compiled(pattern: str, *, variables_match: bool = False) -> re.Pattern[str]:
    """Regular expression of a pattern, to be used with `fullmatch`."""
    pieces = [""]  # between two `*`, the first place that fits is as good as any: an atomic group never tries another
    for token in tokens(pattern):
        if token is Wild.RUN or (variables_match and _is_variable(token)):
            pieces.append("")
        else:
            pieces[-1] += "." if token is Wild.ONE else re.escape(str(token))
    first, *others = pieces
    parts = [first, *(f"(?>.*?{piece})" for piece in others[:-1]), *(f".*{piece}" for piece in others[-1:])]
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """Whether the value surely matches; a variable matches nothing but its own spelling.

    >>> matches("arn:aws:s3:::logs-?/*", "arn:aws:s3:::logs-1/a/b")
    True
    """
    return compiled(pattern).fullmatch(value) is not None


def might_match(pattern: str, value: str) -> bool:
    """Whether the value could match, whatever the pattern's variables turn out to be."""
    return compiled(pattern, variables_match=True).fullmatch(value) is not None


@functools.lru_cache(_CACHE)
def covers(wider: str, narrower: str) -> bool:
    """Whether every value of `narrower` is surely a value of `wider`.

    Sound always. Complete where `wider` has no `?` and no variable, since outside the letters that two patterns name
    there is always another one that only a wildcard admits; `covers("?*", "*a")`, for one, holds but isn't found.

    >>> covers("s3:get*", "s3:getobject*"), covers("s3:get?bject", "s3:get*")
    (True, False)
    """
    wide, narrow = tokens(wider), tokens(narrower)
    reachable = _closure({0}, wide)
    for token in narrow:
        stepped: set[int] = set()
        for state in reachable:
            if state < len(wide) and wide[state] is Wild.RUN:
                stepped.add(state)
            elif state < len(wide) and _admits(wide[state], token):
                stepped.add(state + 1)
        reachable = _closure(stepped, wide)
        if not reachable:
            return False
    return len(wide) in reachable


def _admits(wide: Token, narrow: Token) -> bool:
    if wide is Wild.ONE:
        return narrow is Wild.ONE or (isinstance(narrow, str) and len(narrow) == 1)
    return wide == narrow


def _closure(states: set[int], wide: Tokens) -> set[int]:
    """Add the states that are reached by letting a `*` admit nothing."""
    closed = set(states)
    for state in states:
        following = state
        while following < len(wide) and wide[following] is Wild.RUN:
            following += 1
            closed.add(following)
    return closed


@functools.lru_cache(_CACHE)
def overlaps(one: str, other: str) -> bool:
    """Whether some value could match both patterns; a variable could hold anything.

    >>> overlaps("arn:aws:s3:::a*", "arn:aws:s3:::*z"), overlaps("a*", "b*")
    (True, False)
    """
    left, right = tokens(one), tokens(other)
    row = [True] + [False] * len(right)
    for column, token in enumerate(right, start=1):
        row[column] = row[column - 1] and _is_run(token)
    for token in left:
        above, row = row, [row[0] and _is_run(token)] + [False] * len(right)
        for column, facing in enumerate(right, start=1):
            if _is_run(token) or _is_run(facing):  # the run admits nothing, or what faces it
                row[column] = above[column] or row[column - 1]
            else:
                row[column] = above[column - 1] and (Wild.ONE in (token, facing) or token == facing)
    return row[-1]


def _is_run(token: Token) -> bool:
    return token is Wild.RUN or _is_variable(token)


def _is_variable(token: Token) -> bool:
    return isinstance(token, str) and len(token) > 1
