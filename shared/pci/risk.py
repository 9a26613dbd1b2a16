"""What each action could do in the wrong hands: its one risk class, and the escalation paths that actions complete.

Precedence of classes, worst first, so that an action which several sources name counts once and for its worst:

1. escalation: sensitive_iam_actions' PrivEsc, except what BOUNDED_BY_AWS says
2. credential exposure: its CredentialExposure
3. resource exposure: its ResourceExposure, and every action of access level "Permissions management"
4. data access: its DataAccess
5. by access level: Write is destructive if its name begins with one of DESTRUCTIVE_VERBS, else write; Tagging, Read,
   List are themselves

The actions of a path from pathfinding.cloud keep their own classes; a path that is completed counts as a whole.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from shared.iam.catalogue import AccessLevel, Catalogue
from shared.model.score import RiskClass

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


class PathRule(StrEnum):
    """What completes a path: how far its permissions must reach."""

    ANYWHERE = "anywhere"  # on any resource
    BROADLY = "broadly"  # on more than single named resources


# Which categories of pathfinding.cloud count as a whole. Self-escalation ends in the identity itself, so its reach
# doesn't matter. Access to a further principal, or passing a role, is worth as much as that principal, which the
# identity's own policies can't tell: it counts where the permissions aren't tied to single named resources. The
# remaining category, existing-passrole, needs a privileged workload that already runs; its actions count by themselves.
RULE_OF_CATEGORY: Mapping[str, PathRule] = {
    "self-escalation": PathRule.ANYWHERE,
    "principal-access": PathRule.BROADLY,
    "new-passrole": PathRule.BROADLY,
}


class EscalationPath(NamedTuple):
    """A combination of permissions (lower-case) that gives an identity power that it wasn't given."""

    id: str
    rule: PathRule
    required: frozenset[str]


class RiskTable:
    """Risk class of every action, and the escalation paths."""

    def __init__(self, artefact: Mapping[str, Any], catalogue: Catalogue) -> None:
        """Take the parsed artefact: `{"classes": {list: [action]}, "paths": [{"id", "category", "required"}]}`."""
        self._listed: dict[str, RiskClass] = {}
        for name, risk in CLASS_OF_LIST.items():
            for key in artefact["classes"].get(name, ()):
                if risk is not RiskClass.ESCALATION or key not in BOUNDED_BY_AWS:
                    self._listed.setdefault(key, risk)
        self._catalogue = catalogue
        self._classes: dict[str, RiskClass] = {}
        self.paths: tuple[EscalationPath, ...] = tuple(
            EscalationPath(path["id"], RULE_OF_CATEGORY[path["category"]], frozenset(path["required"]))
            for path in artefact["paths"]
            if path["category"] in RULE_OF_CATEGORY
        )

    def risk_of(self, key: str) -> RiskClass:
        """Class of a lower-case action; one that nobody knows is taken for a write."""
        known = self._classes.get(key)
        if known is None:
            known = self._classes[key] = self._classify(key)
        return known

    def completed(self, held: Callable[[str, PathRule], bool]) -> Iterable[EscalationPath]:
        """Paths of which every permission is held, in order of their ids; `held` judges one action under a rule."""
        return (path for path in self.paths if all(held(key, path.rule) for key in path.required))

    def _classify(self, key: str) -> RiskClass:
        level = self._catalogue.access_level(key) or AccessLevel.WRITE
        listed = self._listed.get(key)
        if level is AccessLevel.PERMISSIONS_MANAGEMENT and listed not in _WORSE_THAN_RESOURCE_EXPOSURE:
            return RiskClass.RESOURCE_EXPOSURE
        if listed is not None:
            return listed
        verb_first = self._catalogue.name(key).partition(":")[2]
        if level is AccessLevel.WRITE and verb_first.startswith(DESTRUCTIVE_VERBS):
            return RiskClass.DESTRUCTIVE
        return CLASS_OF_LEVEL[level]


_WORSE_THAN_RESOURCE_EXPOSURE = frozenset({RiskClass.ESCALATION, RiskClass.CREDENTIAL_EXPOSURE})
