"""The permissions of an identity by service: granted, used, unused, and what nobody can know. Pure."""

from collections.abc import Mapping
from functools import cached_property

from cli.reporting.model import ServiceUse
from shared.iam.actions import NO_ACTIONS, ActionSet
from shared.iam.catalogue import Catalogue
from shared.pci.score import Weighed


class ServiceCounts:
    """Counts by service for many identities; remembers which actions are whose."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def of(self, weighed: Weighed) -> tuple[ServiceUse, ...]:
        """What an identity holds of each service, that with the most unused permissions first."""
        unused = NO_ACTIONS
        for part in weighed.unused:
            unused |= part.actions
        granted = weighed.grants.actions
        known = [
            self._of_service(name, mask, weighed, unused) for name, mask in self._masks.items() if granted.known & mask
        ]
        new = {key.partition(":")[0] for key in granted.unknown} - {one.service for one in known}
        known += [
            self._of_service(name, 0, weighed, unused) for name in new
        ]  # the catalogue may know it, but no action
        return tuple(sorted(known, key=lambda one: (-one.unused, -one.granted, one.service)))

    def _of_service(self, service: str, mask: int, weighed: Weighed, unused: ActionSet) -> ServiceUse:
        def count(actions: ActionSet) -> int:
            known = (actions.known & mask).bit_count()
            return known + sum(key.startswith(f"{service}:") for key in actions.unknown) if actions.unknown else known

        return ServiceUse(
            service=service,
            granted=count(weighed.grants.actions),
            used=count(weighed.used),
            unused=count(unused),
            unknown=count(weighed.unobservable),
        )

    @cached_property
    def _masks(self) -> Mapping[str, int]:
        catalogue = self._catalogue
        return {name: catalogue.mask_of_keys(catalogue.of_service(name)) for name in sorted(catalogue.services)}
