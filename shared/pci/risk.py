"""What each action could do in the wrong hands: its one risk class, and the escalation paths that actions complete.

Precedence of classes, worst first, so that an action which several sources name counts once and for its worst:

1. escalation: sensitive_iam_actions' PrivEsc, except what BOUNDED_BY_AWS says
2. credential exposure: its CredentialExposure
3. resource exposure: its ResourceExposure, and every action of access level "Permissions management"
4. data access: its DataAccess
5. by access level: Write is destructive if its name begins with one of DESTRUCTIVE_VERBS, else write; Tagging, Read,
   List are themselves

Where no list names an action that does what a listed one does, CORRECTIONS says its class, as if a list had it.

The actions of a path from pathfinding.cloud keep their own classes; a path that is completed counts as a whole.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shared.iam.actions import ActionSet
from shared.iam.catalogue import AccessLevel, Catalogue
from shared.model.identity import IdentityType
from shared.model.score import RiskClass
from shared.pci.corrections import CORRECTIONS, Correction
from shared.pci.known_paths import RULE_OF_CATEGORY, EscalationPath, Prerequisites

# In order of precedence: the lists of sensitive_iam_actions and the class that each stands for.
CLASS_OF_LIST: Mapping[str, RiskClass] = {
    "PrivEsc": RiskClass.ESCALATION,
    "CredentialExposure": RiskClass.CREDENTIAL_EXPOSURE,
    "ResourceExposure": RiskClass.RESOURCE_EXPOSURE,
    "DataAccess": RiskClass.DATA_ACCESS,
}

CLASS_OF_LEVEL: Mapping[AccessLevel, RiskClass] = {
    AccessLevel.READ: RiskClass.READ,
    AccessLevel.LIST: RiskClass.LIST,
    AccessLevel.TAGGING: RiskClass.TAGGING,
    AccessLevel.WRITE: RiskClass.WRITE,
    AccessLevel.PERMISSIONS_MANAGEMENT: RiskClass.RESOURCE_EXPOSURE,
}

# Named under PrivEsc, but AWS alone decides what the role that it creates may do: it stays under ResourceExposure.
BOUNDED_BY_AWS = frozenset({"iam:createservicelinkedrole"})

DESTRUCTIVE_VERBS = (
    "Delete",
    "BatchDelete",
    "Terminate",
    "Remove",
    "Stop",
    "Purge",
    "Destroy",
    "Disable",
    "Detach",
    "Deregister",
    "Revoke",
    "Cancel",
    "Reset",
    "Disassociate",
)


class RiskTable:
    """Risk class of every action of `catalogue`, the actions of class escalation, and the escalation paths."""

    def __init__(
        self,
        artefact: Mapping[str, Any],
        catalogue: Catalogue,
        corrections: Mapping[str, Correction] = CORRECTIONS,
    ) -> None:
        """Take the parsed artefact: `{"classes": {list: [action]}, "paths": [{"id", "name", "category", "required"}]}`.

        A path may have `needs`, the fields of Prerequisites that aren't at their defaults.
        """
        self._listed: dict[str, RiskClass] = {}
        for name, risk in CLASS_OF_LIST.items():
            for key in artefact["classes"].get(name, ()):
                if risk is not RiskClass.ESCALATION or key not in BOUNDED_BY_AWS:
                    self._listed.setdefault(key, risk)
        for action, correction in corrections.items():
            self._listed.setdefault(action.lower(), correction.risk)
        self.catalogue = catalogue
        self._classes: dict[str, RiskClass] = {}
        self.paths: tuple[EscalationPath, ...] = tuple(
            _path(path) for path in artefact["paths"] if path["category"] in RULE_OF_CATEGORY
        )

    def risk_of(self, key: str) -> RiskClass:
        """Class of a lower-case action; one that nobody knows is taken for a write."""
        known = self._classes.get(key)
        if known is None:
            known = self._classes[key] = self._classify(key)
        return known

    @cached_property
    def masks(self) -> Mapping[RiskClass, int]:
        """Mask of the catalogue's actions of each class."""
        keys: dict[RiskClass, list[str]] = {kind: [] for kind in RiskClass}
        for key in self.catalogue.keys:
            keys[self.risk_of(key)].append(key)
        return {kind: self.catalogue.mask_of_keys(own) for kind, own in keys.items()}

    def of_class(self, kind: RiskClass, actions: ActionSet) -> ActionSet:
        """Those of some actions that are of one class, be they in the catalogue or not."""
        known, others = actions
        unknown = frozenset(key for key in others if self.risk_of(key) is kind) if others else others
        return ActionSet(known & self.masks[kind], unknown)

    def _classify(self, key: str) -> RiskClass:
        level = self.catalogue.access_level(key) or AccessLevel.WRITE
        listed = self._listed.get(key)
        if level is AccessLevel.PERMISSIONS_MANAGEMENT and listed not in _WORSE_THAN_RESOURCE_EXPOSURE:
            return RiskClass.RESOURCE_EXPOSURE
        if listed is not None:
            return listed
        verb_first = self.catalogue.name(key).partition(":")[2]
        if level is AccessLevel.WRITE and verb_first.startswith(DESTRUCTIVE_VERBS):
            return RiskClass.DESTRUCTIVE
        return CLASS_OF_LEVEL[level]


def _path(raw: Mapping[str, Any]) -> EscalationPath:
    needs = raw.get("needs", {})
    principal = needs.get("principal")
    return EscalationPath(
        id=raw["id"],
        category=raw["category"],
        required=frozenset(raw["required"]),
        name=raw.get("name", ""),
        needs=Prerequisites(
            services=tuple(needs.get("services", ())),
            privileged=needs.get("privileged", False),
            principal=IdentityType(principal) if principal else None,
            instance_profile=needs.get("instance_profile", False),
        ),
    )


_WORSE_THAN_RESOURCE_EXPOSURE = frozenset({RiskClass.ESCALATION, RiskClass.CREDENTIAL_EXPOSURE})
