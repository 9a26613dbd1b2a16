"""Which single change would lower an identity's score most, and what it would take away. Pure.

A change of policies is weighed anew, exactly as the changed identity would be; taking away unused permissions alone
needs no new weighing (shared/pci/explanation/whatif.py). Nothing here changes anything.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared.iam import scopes
from shared.iam.actions import NO_ACTIONS, ActionSet, actions_of
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant
from shared.model.explanation import Affects, Change, ChangeKind, Changes
from shared.model.identity import IdentityDetail
from shared.pci.explanation.candidates import Candidate, candidates_of
from shared.pci.explanation.whatif import WhatIf
from shared.pci.parameters import PCI_DIGITS
from shared.pci.score import Weighed

MAX_WEIGHED = 100
MAX_GRANTS_WEIGHED = 20_000  # in all: a weighing takes as much longer as there are more of them
RANKED = 10
RANKED_OF_A_KIND = 3  # else the services would fill the ranks
_NEGLIGIBLE = 1e-6  # of the PCI: what lowers it by less is no change of the score

OF_WHOLE_POLICIES = frozenset(
    {
        ChangeKind.DETACH_POLICY,
        ChangeKind.DELETE_INLINE_POLICY,
        ChangeKind.LEAVE_GROUP,
        ChangeKind.DETACH_FROM_GROUP,
        ChangeKind.DELETE_GROUP_POLICY,
    }
)

Weigh = Callable[[IdentityDetail], Weighed]
Measure = Callable[[Weighed], WhatIf]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the changes of one identity are computed from."""

    weighed: Weighed
    now: WhatIf
    weigh: Weigh
    measure: Measure
    catalogue: Catalogue
    pci: float = field(kw_only=True)


def changes_of(asked: Asked) -> Changes:
    """Compute what every candidate would do, as far as those that need a new weighing aren't too many."""
    found = list(candidates_of(asked.weighed))
    max_weighed = min(MAX_WEIGHED, max(1, MAX_GRANTS_WEIGHED // max(1, len(asked.weighed.grants.grants))))
    changes = [*_of_policies(asked, found[:max_weighed]), *_of_unused(asked)]
    helpful = [change for change in changes if change.lowers_by > _NEGLIGIBLE]
    return Changes(
        ranked=tuple(_ranked(helpful)),
        strongest=min(helpful, key=lambda change: (change.pci_after, *_rank(change)), default=None),
        all_unused=_removal(asked, ChangeKind.REMOVE_ALL_UNUSED, "keep only what is used or cannot be observed", None),
        without_effect=tuple(
            sorted(
                (one for one in changes if one.kind in OF_WHOLE_POLICIES and one.lowers_by <= _NEGLIGIBLE),
                key=lambda one: one.title,
            )
        ),
        considered=len(changes),
        left_out=max(0, len(found) - max_weighed),
    )


def _rank(change: Change) -> tuple[int, float, int, int, str]:
    """Those that lose nothing used first, then those that narrow it; then by the PCI after, then the smaller ones."""
    loss = 2 if change.loses_used else 1 if change.narrows_used else 0
    return (loss, change.pci_after, change.loses_unobservable, change.removes, change.title)


def _ranked(changes: Iterable[Change]) -> Iterator[Change]:
    """The best changes, few of each kind."""
    taken: Counter[ChangeKind] = Counter()
    for change in sorted(changes, key=_rank):
        if taken.total() < RANKED and taken[change.kind] < RANKED_OF_A_KIND:
            taken[change.kind] += 1
            yield change


def _of_policies(asked: Asked, candidates: Iterable[Candidate]) -> Iterator[Change]:
    for candidate in candidates:
        after = asked.weigh(candidate.detail)
        held, left = asked.weighed.grants.actions, after.grants.actions
        pci_after = asked.measure(after).pci()
        yield Change(
            kind=candidate.kind,
            title=candidate.title,
            affects=candidate.affects,
            pci_after=pci_after,
            lowers_by=round(asked.pci - pci_after, PCI_DIGITS),
            removes=(held - left).size,
            loses_used=tuple((asked.weighed.used - left).names(asked.catalogue)),
            narrows_used=tuple(_narrowed(asked.weighed, after, candidate).names(asked.catalogue)),
            loses_unobservable=(asked.weighed.unobservable - left).size,
        )


def _narrowed(before: Weighed, after: Weighed, candidate: Candidate) -> ActionSet:
    """Used actions that stay granted, but of which a grant is gone that no other grant surely covers."""
    used = before.used & after.grants.actions
    narrowed = NO_ACTIONS
    for grant in before.grants.grants:
        left = grant.actions & used - narrowed if candidate.takes(grant) else NO_ACTIONS
        for other in after.grants.grants:
            if not left:
                break
            if left & other.actions and _covers(other, grant):
                left -= other.actions
        narrowed |= left
    return narrowed


def _covers(other: Grant, grant: Grant) -> bool:
    """Whether a grant surely allows all that another one allows, action aside."""
    limits = (other.conditions, other.within, other.unless)
    if any(limits) and limits != (grant.conditions, grant.within, grant.unless):
        return False
    return scopes.covers_scope(other, grant)


def _of_unused(asked: Asked) -> Iterator[Change]:
    """Taking away unused permissions of one service, of one class, or those that complete escalation paths."""
    unused = asked.now.unused
    for service in sorted({key.partition(":")[0] for key in unused.keys(asked.catalogue)}):
        known = asked.catalogue.mask(f"{service}:*")
        own = ActionSet(known, frozenset(key for key in unused.unknown if key.startswith(f"{service}:")))
        title = f"remove the unused permissions of {service}"
        yield _removal(asked, ChangeKind.REMOVE_UNUSED_OF_SERVICE, title, unused & own)
    for risk, actions in asked.now.by_class(unused):
        title = f"remove the unused permissions of class {risk.replace('_', ' ')}"
        yield _removal(asked, ChangeKind.REMOVE_UNUSED_OF_CLASS, title, actions)
    if asked.weighed.paths:
        required = frozenset[str]().union(*(one.path.required for one in asked.weighed.paths))
        title = "remove the unused permissions of the completed escalation paths"
        yield _removal(asked, ChangeKind.REMOVE_UNUSED_OF_PATHS, title, unused & actions_of(required, asked.catalogue))


def _removal(asked: Asked, kind: ChangeKind, title: str, actions: ActionSet | None) -> Change:
    """Taking away some unused permissions, or all of them."""
    removed = asked.now.unused if actions is None else actions
    pci_after = asked.now.pci(removed)
    return Change(
        kind=kind,
        title=title,
        affects=Affects.IDENTITY,
        pci_after=pci_after,
        lowers_by=round(asked.pci - pci_after, PCI_DIGITS),
        removes=removed.size,
    )
