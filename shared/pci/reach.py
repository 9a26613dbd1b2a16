"""How much of an account a grant reaches, as far as its patterns tell: ρ ∈ [0, 1]."""

from collections.abc import Sequence

from shared.iam.grants import Grant
from shared.iam.patterns import globs

REACH_OF_EVERYTHING = 1.0
REACH_OF_PATTERN = 0.3
REACH_OF_ONE = 0.02
CONDITION_FACTOR = 0.5


def reach_of_pattern(pattern: str) -> float:
    """Reach of one ARN pattern: everything, many, or one resource.

    >>> [reach_of_pattern(p) for p in ("*", "arn:aws:s3:::logs/*", "arn:aws:s3:::logs")]
    [1.0, 0.3, 0.02]
    """
    if globs.is_everything(pattern):
        return REACH_OF_EVERYTHING
    return REACH_OF_PATTERN if globs.is_wild(pattern) else REACH_OF_ONE


class Reaches:
    """Reach of grants, remembered per scope: the thousands of actions of one statement share their resources."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], tuple[tuple[str, ...], float]] = {}

    def of(self, grants: Sequence[Grant]) -> float:
        """Reach of one action: the widest of its grants."""
        return self.of_grant(grants[0]) if len(grants) == 1 else max(map(self.of_grant, grants))

    def of_grant(self, grant: Grant) -> float:
        """The widest of a grant's patterns; NotResource reaches nearly everything; a condition halves it."""
        if not grant.resources:
            return REACH_OF_EVERYTHING * (CONDITION_FACTOR if grant.conditional else 1.0)
        scope = (id(grant.resources), grant.conditional)
        known = self._known.get(scope)
        if known is None:  # the entry holds on to the tuple, so that its id stays its own
            widest = max(map(reach_of_pattern, grant.resources))
            known = (grant.resources, widest * (CONDITION_FACTOR if grant.conditional else 1.0))
            self._known[scope] = known
        return known[1]
