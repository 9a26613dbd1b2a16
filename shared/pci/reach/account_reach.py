"""What share of an account's resources grants cover, kind of action by kind; `reaches.py` says the rule."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.iam.actions import action_set
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant
from shared.iam.policy import Statement
from shared.iam.scopes import Scope, reaches_everything
from shared.model.inventory import Inventory
from shared.pci.reach.covering import NOTHING, Covering, Facets, facets_to_remember
from shared.pci.reach.inventory_types import Kind, ResourceTemplates, service_kinds

_INVENTORIES = 2  # an account's current inventory, and the one before it
_SHARES = 8_192  # combinations of scopes of which the shares are remembered
_DENIES = 4_096


class _Asked(NamedTuple):
    """What decides which resources are covered: (scope, conditional, within) of each grant, and the Denies' scopes."""

    grants: tuple[tuple[Scope, bool, tuple[Scope, ...]], ...]
    denies: frozenset[Scope]


class _Covered(NamedTuple):
    """Resources that are covered without conditions, and those that are by any grant."""

    surely: Facets
    somehow: Facets


class AccountReach:
    """Shares of one inventory. An instance never changes what it answers; it remembers answers."""

    def __init__(self, inventory: Inventory, catalogue: Catalogue, templates: ResourceTemplates) -> None:
        """Build the index: once per inventory, as `account_reach` does (about half a second for 100,000 resources)."""
        self._catalogue = catalogue
        self._covering = Covering(inventory.arns)
        self._services = service_kinds(inventory.arns, catalogue, templates)
        self.measured = functools.reduce(int.__or__, (service.actions for service in self._services), 0)
        self._shares = functools.lru_cache(_SHARES)(_no_shares)
        self._covered = functools.lru_cache(facets_to_remember(len(inventory.arns)) // 2)(self._cover)
        self._denied: dict[int, tuple[Statement, int]] = {}

    def shares(self, actions: int, grants: Sequence[Grant]) -> Iterator[tuple[int, float]]:
        """Share of the resources that the grants of measured actions (a mask) cover, with the actions of each."""
        if not any(grant.unless for grant in grants) and any(map(_covers_all, grants)):
            yield actions, 1.0
            return
        for some, asked in self._asked(actions, grants):
            known = self._shares(asked)
            for own, kind in self._kinds(some):
                if (share := known.get(kind.number)) is None:
                    share = known[kind.number] = _share(kind, self._covered(asked))
                yield own, share

    def resources(self, actions: int, grants: Sequence[Grant]) -> int:
        """Mask of the resources that measured actions reach by their grants."""
        reached = 0
        for some, asked in self._asked(actions, grants):
            somehow = self._covered(asked).somehow
            for _, kind in self._kinds(some):
                reached |= (kind.facets & somehow).union
        return reached

    def _kinds(self, actions: int) -> Iterator[tuple[int, Kind]]:
        """The kinds of actions, each with those of the actions."""
        for service in self._services:
            if some := service.actions & actions:
                for kind in service.kinds:
                    if own := kind.actions & some:
                        yield own, kind

    def _asked(self, actions: int, grants: Sequence[Grant]) -> Iterator[tuple[int, _Asked]]:
        """The actions, parted by the unconditional Denies that hold for them."""
        scopes = tuple((_scope(grant), grant.conditional, grant.within) for grant in grants)
        parts: dict[frozenset[Scope], int] = {frozenset(): actions}
        for deny in _denies(grants):
            before, parts, denied = parts, {}, self._actions_of(deny)
            for denies, some in before.items():
                for key, kept in ((denies | {_scope(deny)}, some & denied), (denies, some & ~denied)):
                    if kept:
                        parts[key] = parts.get(key, 0) | kept
        return ((some, _Asked(scopes, denies)) for denies, some in parts.items())

    def _actions_of(self, deny: Statement) -> int:
        known = self._denied.get(id(deny))
        if known is None:
            if len(self._denied) >= _DENIES:
                self._denied.clear()
            known = self._denied[id(deny)] = (deny, action_set(deny, self._catalogue).known)
        return known[1]  # the entry holds on to the statement, so that its id stays its own

    def _cover(self, asked: _Asked) -> _Covered:
        surely, perhaps = NOTHING, NOTHING
        for scope, conditional, within in asked.grants:
            covered = self._covering.may_cover(scope)
            for limit in within:
                covered &= self._covering.may_cover(limit)
            if conditional:
                perhaps |= covered
            else:
                surely |= covered
        denied = functools.reduce(Facets.__or__, map(self._covering.surely_covers, asked.denies), NOTHING)
        return _Covered(surely - denied, (surely | perhaps) - denied)


@functools.lru_cache(_INVENTORIES)
def account_reach(inventory: Inventory, catalogue: Catalogue, templates: ResourceTemplates) -> AccountReach:
    """The index of an inventory, built once while the inventory is in use."""
    return AccountReach(inventory, catalogue, templates)


def _no_shares(asked: _Asked) -> dict[int, float]:
    """Shares by the kind's number, to be filled in as they are asked for."""
    del asked
    return {}


def _share(kind: Kind, covered: _Covered) -> float:
    surely = (kind.facets & covered.surely).union.bit_count()
    somehow = (kind.facets & covered.somehow).union.bit_count()
    return (surely + somehow) / (2 * kind.resources.bit_count())


def _scope(scoped: Grant | Statement) -> Scope:
    return Scope(scoped.resources, scoped.not_resources)


def _covers_all(grant: Grant) -> bool:
    return reaches_everything(grant) and not grant.conditional and not grant.within


def _denies(grants: Iterable[Grant]) -> Iterable[Statement]:
    """The Denies without conditions that could apply to some of the grants, each once."""
    found: Mapping[int, Statement] = {
        id(deny): deny for grant in grants for deny in grant.unless if not deny.conditional
    }
    return found.values()
