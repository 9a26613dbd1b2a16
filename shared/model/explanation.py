"""Why a score is what it is: everything that is needed to redo it by hand, and what would lower it.

The JSON of `leastwise explain --json` is these models as they stand. Numbers are not rounded, apart from the PCI and
what is derived from it (6 digits), so that the arithmetic can be redone from the JSON alone:
chance = max(α · (1 − exp(−(mass / κ)^γ)), α if by_path else 0), PCI = 100 · (1 − Π (1 − chance)).
"""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.model.finding import EvidenceCode, Standing
from shared.model.identity import IdentityType
from shared.model.plan import Compliance
from shared.model.score import Band, CoverageSummary, ReachSource, RiskClass
from shared.model.sources import PolicyKind


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Source(_Frozen):
    """The statement that grants a permission: `statement` counts from 1, `resources` are the first of its patterns."""

    kind: PolicyKind
    policy: str
    arn: str | None = None
    group: str | None = None
    statement: int = Field(ge=1)
    sid: str | None = None
    resources: tuple[str, ...] = ()
    resources_left_out: int = 0
    conditional: bool = False


class ClassTerm(_Frozen):
    """One factor of the product: what the unused permissions of one risk class add, worst class first.

    `mass` is Σ ρ over them; `chance` is s, α itself where a completed escalation path counts for the class (`by_path`),
    and `survival` is 1 − s.
    """

    risk: RiskClass
    unused: int
    mass: float
    alpha: float
    kappa: float
    by_path: bool = False
    chance: float
    survival: float


class Arithmetic(_Frozen):
    """The formula with its numbers: `survival` is the product over `classes`, the PCI 100 · (1 − survival)."""

    gamma: float
    classes: tuple[ClassTerm, ...]
    survival: float
    pci: float


class PathPermission(_Frozen):
    """One permission that a path needs, whether it stands as unused, and which statements grant it."""

    action: str
    unused: bool
    sources: tuple[Source, ...]


class ExplainedPath(_Frozen):
    """A completed escalation path; `via` is the ARN of who or what in the account makes it possible, where known."""

    id: str
    name: str
    category: str
    via: str | None
    permissions: tuple[PathPermission, ...]


class Contributor(_Frozen):
    """An unused permission that adds to the score.

    `reach` is its ρ, `alone` the PCI if all other permissions were used, `marginal` by how much the PCI falls
    without it. `resources` is how many resources of the inventory it reaches; None where that says nothing
    (`by_pattern`).
    """

    action: str
    risk: RiskClass
    reach: float
    by_pattern: bool
    resources: int | None
    conditional: bool
    paths: tuple[str, ...]
    alone: float
    marginal: float
    sources: tuple[Source, ...]


class ServicePermissions(_Frozen):
    """The granted permissions of one service; the other numbers add up to `granted`."""

    service: str
    granted: int
    used: int
    unused: int
    possible: int
    unobservable: int
    used_actions: tuple[str, ...]


class EvidenceReason(_Frozen):
    """Why so many granted permissions stand as they do.

    `counted_unused` tells that the score takes them for unused, though their standing is that nobody could know:
    without any observed day the score is the whole potential.
    """

    code: EvidenceCode
    standing: Standing
    text: str
    permissions: int
    counted_unused: bool = False


class ReachSummary(_Frozen):
    """How far the unused permissions reach: `mean` ρ, and where there is an inventory how many of its resources."""

    source: ReachSource
    mean: float
    resources: int | None
    resources_in_account: int | None
    by_pattern: int


class ConfidenceLevel(StrEnum):
    """How far a score can be relied on."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ConfidenceCode(StrEnum):
    """What a score's confidence rests on."""

    NOTHING_OBSERVED = "nothing_observed"
    DAYS_OBSERVED = "days_observed"
    LONG_GAP = "long_gap"
    READS_NOT_RECORDED = "reads_not_recorded"
    COULD_BE_HIGHER = "could_be_higher"
    REACH_BY_PATTERN = "reach_by_pattern"
    PREREQUISITES_ASSUMED = "prerequisites_assumed"
    UNKNOWN_PERMISSIONS = "unknown_permissions"


class ConfidenceReason(_Frozen):
    """One reason, and the highest level that it leaves possible."""

    code: ConfidenceCode
    at_most: ConfidenceLevel
    text: str


class Confidence(_Frozen):
    """The level is the lowest that a reason allows. `pci_at_most` is the PCI if nothing unobservable was used."""

    level: ConfidenceLevel
    reasons: tuple[ConfidenceReason, ...]
    pci_at_most: float


class ChangeKind(StrEnum):
    """What could be changed, as it would be said to whoever has to do it."""

    DETACH_POLICY = "detach_policy"
    DELETE_INLINE_POLICY = "delete_inline_policy"
    LEAVE_GROUP = "leave_group"
    DETACH_FROM_GROUP = "detach_from_group"
    DELETE_GROUP_POLICY = "delete_group_policy"
    REMOVE_STATEMENT = "remove_statement"
    REMOVE_UNUSED_OF_SERVICE = "remove_unused_of_service"
    REMOVE_UNUSED_OF_CLASS = "remove_unused_of_class"
    REMOVE_UNUSED_OF_PATHS = "remove_unused_of_paths"
    REMOVE_ALL_UNUSED = "remove_all_unused"


class Affects(StrEnum):
    """Whom else a change concerns."""

    IDENTITY = "identity"
    GROUP = "group"
    HOLDERS = "holders"  # everyone who holds the policy


class Change(_Frozen):
    """One change, the PCI after it, and what it would take away.

    `removes` counts granted permissions that are gone after it. `loses_used` are used permissions among these;
    `narrows_used` are used permissions that stay, but on fewer resources or under more conditions, as far as can be
    told; `loses_unobservable` counts those that nobody knows the use of.
    """

    kind: ChangeKind
    title: str
    affects: Affects
    pci_after: float
    lowers_by: float
    removes: int
    loses_used: tuple[str, ...] = ()
    narrows_used: tuple[str, ...] = ()
    loses_unobservable: int = 0

    @property
    def keeps_all_used(self) -> bool:
        """Whether nothing that was used would be lost or narrowed."""
        return not (self.loses_used or self.narrows_used)


class Changes(_Frozen):
    """Which change would lower the score most: those that lose nothing used come first, then by the PCI after.

    `ranked` holds the best ten, at most three of a kind. `strongest` is the one with the lowest PCI, whatever it would
    take away; `all_unused` is right-sizing as a whole. `without_effect` are changes of whole policies that would not
    lower it: by title, with what they take away nevertheless. `left_out` counts candidates that were not computed,
    since there are so many.
    """

    ranked: tuple[Change, ...]
    strongest: Change | None
    all_unused: Change | None
    without_effect: tuple[Change, ...] = ()
    considered: int
    left_out: int


class StoredComparison(_Frozen):
    """How the score that the deployed system stores compares to this one, and why they differ."""

    pci: float
    scored_at: AwareDatetime
    same: bool
    differences: tuple[str, ...]


class Explanation(_Frozen):
    """A score, explained. `possible` and `unobservable` permissions are neither used nor unused."""

    arn: str
    identity_id: str
    identity_type: IdentityType
    pci: float
    band: Band
    threshold: float
    compliance: Compliance
    exempt: str | None
    model_version: str
    catalogue_version: str
    scored_at: AwareDatetime
    granted: int
    used: int
    unused: int
    possible: int
    unobservable: int
    unknown_patterns: tuple[str, ...]
    arithmetic: Arithmetic
    paths: tuple[ExplainedPath, ...]
    contributors: tuple[Contributor, ...]
    services: tuple[ServicePermissions, ...]
    evidence: tuple[EvidenceReason, ...]
    reach: ReachSummary
    coverage: CoverageSummary
    confidence: Confidence
    changes: Changes
    stored: StoredComparison | None = None
