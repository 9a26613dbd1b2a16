"""Which granted actions can be used at all on the resources that they are granted on: `sqs:*` on a bucket is nothing.

By the service that an ARN names in its third segment, and only what is sure: an action whose resource types are all of
other services can't be used on a pattern of this one. One without resource types, whose resource is `*`, stays on
patterns of its own service: AWS's own policies grant some in that way, so that the reference can't be taken for whole.
A pattern that doesn't spell the service out, and an action that the reference doesn't know, fit anything.

Where a boundary's pattern and the identity's own only overlap, an action must fit both.

Source of the resource types: AWS service reference (shared/iam/data/SOURCE.md).
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from shared.iam import scopes
from shared.iam.actions import NO_ACTIONS, ActionSet
from shared.iam.catalogue import Catalogue
from shared.iam.grants import Grant, Grants
from shared.iam.operations import OperationMap
from shared.iam.scopes import Scope

_SERVICE = 2  # segment of an ARN
_NOT_LITERAL = frozenset("*?${}")  # wildcards, and what policy variables and a template's are made of
_REMEMBERED = 1024  # patterns, and lists of patterns with what is granted on them


class _Service(NamedTuple):
    """One service's actions, as masks: all, by the service of the ARNs that they fit, and those that fit any."""

    actions: int
    fitting: Mapping[str, int]
    anywhere: int

    def on(self, service: str | None) -> int:
        """Those that could be used on ARNs of a service; of any, where that is None."""
        return self.actions if service is None else self.anywhere | self.fitting.get(service, 0)


class Applicable:
    """Leaves of grants what can be used; reads a service's resource types the first time that a grant names it."""

    def __init__(self, catalogue: Catalogue, templates: OperationMap) -> None:
        self._catalogue = catalogue
        self._templates = templates
        self._service = functools.cache(self._read)
        self._parted = functools.lru_cache(_REMEMBERED)(self._part)

    def narrowed(self, grants: Grants) -> Grants:
        """The same without actions that surely can't be used on any resource of their grant.

        A grant on resources of several services becomes one for each list of its patterns that the same actions fit,
        so that it doesn't matter how statements are split.
        """
        pieces = tuple(piece for grant in grants.grants for piece in self._pieces(grant))
        return Grants(pieces, grants.unknown_patterns, grants.catalogue)

    def _pieces(self, grant: Grant) -> Iterable[Grant]:
        known, unknown = grant.actions
        for scope in grant.within:
            known = self._fitting(known, scope)
        if not grant.resources or scopes.reaches_everything(grant):
            actions = ActionSet(known, unknown)
            return (grant._replace(actions=actions),) if actions else ()
        left = {resources: ActionSet(some) for resources, some in self._parted(known, grant.resources).items()}
        if unknown:
            left[grant.resources] = left.get(grant.resources, NO_ACTIONS) | ActionSet(0, unknown)
        return tuple(grant._replace(actions=actions, resources=resources) for resources, actions in left.items())

    def _fitting(self, actions: int, scope: Scope) -> int:
        """Known actions that fit any pattern of a scope."""
        if not scope.resources or scopes.reaches_everything(scope):
            return actions
        return functools.reduce(int.__or__, self._parted(actions, scope.resources).values(), 0)

    def _part(self, actions: int, resources: tuple[str, ...]) -> Mapping[tuple[str, ...], int]:
        """Known actions by those of the patterns that they fit, without those that fit none."""
        places = tuple(map(_service_of, resources))
        named = tuple(self._named(actions))
        parts: dict[frozenset[str | None], int] = {frozenset(): actions}
        for place in dict.fromkeys(places):
            fitting = functools.reduce(int.__or__, (service.on(place) for service in named), 0)
            before, parts = parts, {}
            for fitted, some in before.items():
                for key, own in ((fitted | {place}, some & fitting), (fitted, some & ~fitting)):
                    if own:
                        parts[key] = own
        return {
            tuple(one for one, place in zip(resources, places, strict=True) if place in fitted): some
            for fitted, some in parts.items()
            if fitted
        }

    def _named(self, actions: int) -> Iterator[_Service]:
        """The services of some actions."""
        while actions:
            (key,) = self._catalogue.keys_of(actions & -actions)
            service = self._service(key.partition(":")[0])
            yield service
            actions &= ~service.actions

    def _read(self, prefix: str) -> _Service:
        whole = self._catalogue.mask(f"{prefix}:*")
        fitting: dict[str | None, list[str]] = defaultdict(list)
        untyped: list[str] = []
        for name in self._catalogue.names_of(whole):
            found = {_service_of(template) for template in self._templates.resource_templates(name)}
            for service in found:
                fitting[service].append(name)
            if not found:
                (untyped if self._templates.has_action(name) else fitting[None]).append(name)
        anywhere = fitting.pop(None, [])
        most = max(sorted(map(str, fitting)), key=lambda service: len(fitting[service]), default=prefix)
        for own in {prefix, most}:  # ARNs of AWS Service Catalog name the service `catalog`
            fitting[own] += untyped
        mask = self._catalogue.mask_any
        return _Service(whole, {str(service): mask(names) for service, names in fitting.items()}, mask(anywhere))


@functools.lru_cache(2)
def applicable_of(catalogue: Catalogue, templates: OperationMap) -> Applicable:
    """The one of this process, which remembers what many identities share."""
    return Applicable(catalogue, templates)


@functools.lru_cache(_REMEMBERED)
def _service_of(pattern: str) -> str | None:
    """The service that an ARN pattern, or a template, spells out.

    The partition may be a wildcard: no ARN of one service holds the beginning of another's.
    """
    segments = pattern.split(":", _SERVICE + 1)
    literal = len(segments) > _SERVICE + 1 and not _NOT_LITERAL & set(segments[_SERVICE])
    return segments[_SERVICE] if literal else None
