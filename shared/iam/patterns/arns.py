"""Patterns of ARNs: the Resource element, and the Arn condition operators, which read wildcards more narrowly.

Source: IAM user guide, "IAM JSON policy elements: Resource" (wildcards in ARNs) and "Condition operators" (ARN).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.iam.patterns.globs import Wild
from shared.iam.patterns.variables import Part, Parts, has_variables, parts_of
from shared.iam.patterns.wildcards import Reach, Test, Token, Tokens, compile_texts, wildcard

PREFIX = "arn:"
HEADER_SEGMENTS = 5


class ResourceTest(NamedTuple):
    """Whether a Resource element reaches a resource.

    `always`: it reaches every one. `variables`: that may depend on the context. `test(resource, context)` decides.
    """

    always: bool
    variables: bool
    test: Test


def compile_resource(pattern: str) -> ResourceTest:
    """One pattern of a Resource or NotResource element."""
    return compile_resources((pattern,))


def compile_resources(patterns: Iterable[str]) -> ResourceTest:
    """A whole Resource or NotResource element: one test of all of its patterns.

    >>> compile_resources(["arn:aws:s3:::b/${aws:username}/*"]).test("arn:aws:s3:::b/al/x", {"aws:username": ("al",)})
    True
    """
    texts = [parts_of(pattern) for pattern in patterns]
    return ResourceTest(
        always=any(text and all(part is Wild.RUN for part in text) for text in texts),
        variables=any(has_variables(text) for text in texts),
        test=compile_texts(texts, as_resource),
    )


def as_resource(parts: Parts) -> Tokens:
    """Read wildcards of the first five segments as staying within theirs, those that follow as any characters.

    A `*` that is the last character of its segment may run on over colons, as the guide says.
    """
    tokens: list[Token] = []
    segment = 0
    for place, part in enumerate(parts):
        crosses = segment >= HEADER_SEGMENTS or (part is Wild.RUN and _ends_segment(parts[place + 1 :]))
        tokens.append(_token(part, Reach.ANYWHERE if crosses else Reach.SEGMENT))
        segment += part.count(":") if isinstance(part, str) else 0
    return tuple(tokens)


def as_arn(parts: Parts) -> Tokens | None:
    """Read a pattern of an Arn operator: six segments, each matched by itself, the sixth with any colons that follow.

    None where the pattern is none of an ARN.
    """
    tokens: list[Token] = []
    segment = 0
    for part in parts:
        tokens.append(_token(part, Reach.ANYWHERE if segment >= HEADER_SEGMENTS else Reach.SEGMENT))
        segment += part.count(":") if isinstance(part, str) else 0
    first = parts[0] if parts else ""
    other_kind = isinstance(first, str) and ":" in first and not first.startswith(PREFIX)
    return None if segment < HEADER_SEGMENTS or other_kind else tuple(tokens)


def _token(part: Part, reach: Reach) -> Token:
    return wildcard(part, reach) if isinstance(part, Wild) else part


def _ends_segment(following: Sequence[Part]) -> bool:
    return not following or (isinstance(following[0], str) and following[0].startswith(":"))
