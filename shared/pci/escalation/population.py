"""ARNs of one kind, and which of them a pattern reaches, as masks: bit i stands for the i-th ARN in sorted order."""

import bisect
import functools
from collections.abc import Iterable
from enum import Enum

from shared.iam.catalogue import LAST_CHARACTER
from shared.iam.patterns import globs

_REMEMBERED = 2048  # patterns; a mask of 5,000 ARNs takes 0.7 KB


class Certainty(Enum):
    """How a policy variable is read, whose text is known only at request time."""

    SURE = "it matches nothing"
    POSSIBLE = "it could be anything"


class Population:
    """Some ARNs, sorted, and the masks of those that patterns reach. It only remembers answers."""

    def __init__(self, arns: Iterable[str]) -> None:
        self.arns = tuple(sorted(set(arns)))
        self.everyone = (1 << len(self.arns)) - 1
        self._places = {arn: place for place, arn in enumerate(self.arns)}
        self.reached = functools.lru_cache(_REMEMBERED)(self._reached)

    def only(self, arn: str) -> int:
        """Mask of one ARN, 0 where it isn't among them."""
        place = self._places.get(arn)
        return 0 if place is None else 1 << place

    def mask(self, arns: Iterable[str]) -> int:
        """Mask of several ARNs, of those that are among them."""
        return functools.reduce(int.__or__, map(self.only, arns), 0)

    def first(self, mask: int) -> str | None:
        """The first ARN of a mask, None of an empty one."""
        return self.arns[(mask & -mask).bit_length() - 1] if mask else None

    def chosen(self, mask: int) -> list[str]:
        """The ARNs of a mask, sorted."""
        return [arn for place, arn in enumerate(self.arns) if mask >> place & 1]

    def _reached(self, pattern: str, certainty: Certainty) -> int:
        """Mask of the ARNs that one pattern of a Resource element matches."""
        if globs.is_everything(pattern):
            return self.everyone
        matches = globs.compiled(pattern, variables_match=certainty is Certainty.POSSIBLE).fullmatch
        stem = _stem(pattern)
        first = bisect.bisect_left(self.arns, stem)
        end = bisect.bisect_right(self.arns, stem + LAST_CHARACTER, lo=first)
        return functools.reduce(int.__or__, (1 << place for place in range(first, end) if matches(self.arns[place])), 0)


def _stem(pattern: str) -> str:
    """The literal text that a pattern begins with."""
    stem = []
    for token in globs.tokens(pattern):
        if not isinstance(token, str) or len(token) > 1:  # a wildcard or a variable
            break
        stem.append(token)
    return "".join(stem)
