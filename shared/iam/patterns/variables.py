"""Policy variables: text such as `${aws:username}` that is only known once a request is.

`${key}` stands for the value that the request holds for that context key, `${key, 'default'}` for the default where the
request doesn't hold the key; `${*}`, `${?}` and `${$}` are those very characters. What is put in is literal: a `*` in a
value is no wildcard. A `${` that is never closed is plain text.

A variable without a value matches nothing, whatever text it stands in: a positive operator is false, a negated one
true, and a Resource or NotResource pattern matches no resource.

Source: IAM user guide, "IAM policy elements: Variables and tags".
"""

import functools
import re
from typing import NamedTuple

from shared.iam.patterns.globs import Wild
from shared.iam.request import MULTIVALUED_KEYS, Context

_CACHE = 16_384
_WILD_CHARACTERS = frozenset("*?")
_SPECIAL = re.compile(r"\$\{([^}]*)\}|[*?]")
_WILD = re.compile("[*?]")
_ESCAPED = frozenset("*?$")


class Variable(NamedTuple):
    """A reference to a context key (lower-case), with the text that stands in where the request doesn't hold it."""

    key: str
    default: str | None = None

    def value(self, context: Context) -> str | None:
        """The value in a request; None where it holds none or, since that can't be put into text, several."""
        values = context.get(self.key)
        if not values:
            return self.default
        return values[0] if len(values) == 1 and self.key not in MULTIVALUED_KEYS else None


Part = str | Wild | Variable  # literal text (never empty), a wildcard, or a variable
Parts = tuple[Part, ...]


@functools.lru_cache(_CACHE)
def parts_of(text: str) -> Parts:
    """Split text into literal text, wildcards and variables, in order.

    >>> parts_of("home/${aws:username}/${*}*")
    ('home/', Variable(key='aws:username', default=None), '/*', <Wild.RUN: '*'>)
    """
    parts: list[Part] = []
    position = 0
    closed = text.rfind("}") + 1  # beyond it no variable ends, and looking for an end from each `${` would be slow
    for special in (*_SPECIAL.finditer(text, 0, closed), *_WILD.finditer(text, closed)):
        _add(parts, text[position : special.start()])
        _add(parts, _read(special))
        position = special.end()
    _add(parts, text[position:])
    return tuple(parts)


def has_variables(parts: Parts) -> bool:
    """Whether some of the text is only known at request time."""
    return any(isinstance(part, Variable) for part in parts)


def resolve(text: str, context: Context) -> str | None:
    """A pattern without variables, what was put in being escaped; None where a variable has no value.

    >>> resolve("home/${aws:username}/*", {"aws:username": ("a*",)})
    'home/a${*}/*'
    """
    known: list[str] = []
    for part in parts_of(text):
        value = part.value(context) if isinstance(part, Variable) else part
        if value is None:
            return None
        known.append(value.value if isinstance(value, Wild) else _escaped(value))
    return "".join(known)


def _read(special: re.Match[str]) -> Part:
    if special[0] in _WILD_CHARACTERS:
        return Wild(special[0])
    name: str = special[1]
    if name in _ESCAPED:
        return name
    key, comma, rest = name.partition(",")
    default = rest.strip()
    if comma and len(default) > 1 and default[0] == default[-1] == "'":
        return Variable(key.rstrip().lower(), default[1:-1])
    return Variable(name.lower())


def _add(parts: list[Part], part: Part) -> None:
    if isinstance(part, str) and parts and isinstance(parts[-1], str):
        parts[-1] += part
    elif part != "":
        parts.append(part)


def _escaped(literal: str) -> str:
    return re.sub(r"[*?$]", lambda special: f"${{{special[0]}}}", literal)
