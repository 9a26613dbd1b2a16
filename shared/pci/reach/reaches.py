"""How much of an account a permission reaches: ρ ∈ [0, 1], by an inventory of the account or by breadth of patterns.

By pattern: the widest of the action's grants, everything (1), many (0.3) or one resource (0.02), half of that under a
condition. NotResource reaches everything.

By inventory: of the N resources of the action's types (inventory_types.py), those in U are covered by a
grant without conditions and those in C by a conditional one: ρ = (|U| + ½·|C∖U|) / N. A resource is covered by a grant
if one of its patterns matches (a policy variable stands for any text) or, for what lies inside of a listed one, could
match something inside; it must lie in every scope of the grant's boundary, and outside of every unconditional Deny that
surely covers it. What doesn't exist yet could be created tomorrow, so that ρ is at least min(0.02, ρ by pattern).

Whether an action is measured by inventory depends on the action and the inventory alone, never on the grants: it is
where the inventory holds resources of its types.
"""

from collections.abc import Iterable, Sequence

from shared.iam.actions import ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant
from shared.iam.patterns import globs
from shared.model.inventory import Inventory
from shared.pci.reach.account_reach import account_reach
from shared.pci.reach.inventory_types import ResourceTemplates

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

    def __init__(
        self, catalogue: Catalogue, inventory: Inventory | None = None, templates: ResourceTemplates | None = None
    ) -> None:
        """Measure by inventory where there is one; `templates` (the OperationMap) say which resources an action is on.

        Without them nothing can be measured: then every reach is by pattern, and said to be.
        """
        self._account = account_reach(inventory, catalogue, templates) if inventory and templates else None
        self._known: dict[tuple[int, bool], tuple[tuple[str, ...], float]] = {}

    def parts(self, actions: ActionSet, grants: Sequence[Grant]) -> Sequence[tuple[ActionSet, float, bool]]:
        """Actions that the same grants grant, parted by reach: (actions, ρ, whether by pattern)."""
        by_pattern = self.of(grants)
        if self._account is None:
            return [(actions, by_pattern, True)]
        measured = actions.known & self._account.measured
        others = actions - ActionSet(measured)
        least = min(REACH_OF_ONE, by_pattern)
        by_reach: dict[float, int] = {}
        for some, share in self._account.shares(measured, grants) if measured else ():
            reach = max(share, least)
            by_reach[reach] = by_reach.get(reach, 0) | some
        parts = [(ActionSet(some), reach, False) for reach, some in sorted(by_reach.items())]
        return [*parts, (others, by_pattern, True)] if others else parts

    def resources(self, parts: Iterable[tuple[ActionSet, Sequence[Grant]]]) -> int | None:
        """How many distinct resources these grants reach; None without an inventory.

        One that fits no known resource type is reached by no action.
        """
        if self._account is None:
            return None
        reached = 0
        for actions, grants in parts:
            if measured := actions.known & self._account.measured:
                reached |= self._account.resources(measured, grants)
        return reached.bit_count()

    def of(self, grants: Sequence[Grant]) -> float:
        """Reach of one action by pattern: the widest of its grants."""
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
