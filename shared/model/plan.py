"""From verdict to change: plans, their proofs, the snapshot and the journal of a change."""

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.model.identity import IdentityRef
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary


class Compliance(StrEnum):
    """AWS Config's words for a verdict."""

    COMPLIANT = "COMPLIANT"
    NON_COMPLIANT = "NON_COMPLIANT"
    NOT_APPLICABLE = "NOT_APPLICABLE"

    @classmethod
    def of(cls, pci: float, threshold: float, exempt: str | None) -> "Compliance":
        """As AWS Config shows it for a first verdict: from the threshold on, nobody complies who isn't exempt."""
        if exempt is not None:
            return cls.NOT_APPLICABLE
        return cls.NON_COMPLIANT if pci >= threshold else cls.COMPLIANT


POLICY_PATH = "/leastwise/"  # IAM path of every policy that a plan creates; nothing else may be touched
HYSTERESIS = 2.0  # PCI points below the threshold before a non-compliant identity is compliant again


class Verdict(BaseModel):
    """Whether an identity's PCI is acceptable, and why, in at most 256 characters."""

    model_config = ConfigDict(frozen=True)

    identity: IdentityRef
    compliance: Compliance
    pci: float
    threshold: float
    annotation: str
    scored_at: AwareDatetime
    judged_at: AwareDatetime


class Strategy(StrEnum):
    """How a plan takes permissions away."""

    BOUNDARY = "boundary"


class Mode(StrEnum):
    """How far the remediator may go by itself; OFF is the kill switch."""

    OFF = "off"
    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"


class ReasonCode(StrEnum):
    """Why nothing was changed, or why a change was taken back: the catalogued reasons."""

    KILL_SWITCH = "kill_switch"
    PROTECTED = "protected"
    EXEMPT = "exempt"
    GONE = "gone"
    COMPLIANT = "compliant"
    STALE_SCORE = "stale_score"
    TOO_LITTLE_EVIDENCE = "too_little_evidence"
    STALE_EVIDENCE = "stale_evidence"
    NO_EVIDENCE = "no_evidence"
    FOREIGN_BOUNDARY = "foreign_boundary"
    NOT_PROVEN = "not_proven"
    OUTSIDE_GRANTS = "outside_grants"
    TOO_LARGE = "too_large"
    IRREDUCIBLE = "irreducible"
    NOTHING_TO_REMOVE = "nothing_to_remove"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    DRIFT = "drift"
    LOCKED = "locked"
    EXPIRED = "expired"
    REQUESTED = "requested"
    VERIFICATION_FAILED = "verification_failed"


class Reason(BaseModel):
    """One catalogued reason and what it means in this case."""

    model_config = ConfigDict(frozen=True)

    code: ReasonCode
    message: str


class Proofs(BaseModel):
    """What was proven of a plan before anything is applied."""

    model_config = ConfigDict(frozen=True)

    no_new_access: ProofVerdict
    replay: bool
    replayed_uses: int
    detail: str = ""

    @property
    def hold(self) -> bool:
        """Whether the plan may be applied."""
        return self.no_new_access is ProofVerdict.NO_NEW_ACCESS and self.replay


class PlannedPolicy(BaseModel):
    """A policy that the plan creates: deterministic name under the path /leastwise/, and its document."""

    model_config = ConfigDict(frozen=True)

    name: str
    document: dict[str, Any]


class Plan(BaseModel):
    """A proven way to take unused permissions away from one identity.

    `plan_id` is a digest of its inputs: the same identity, snapshot and policies give the same plan.
    `fingerprint` is the digest of the identity's permissions that the plan was derived from. `removes` names the worst
    permissions first.
    """

    model_config = ConfigDict(frozen=True)

    plan_id: str
    identity: IdentityRef
    strategy: Strategy
    fingerprint: str
    policies: tuple[PlannedPolicy, ...]
    removes: tuple[str, ...]
    keeps: tuple[str, ...]
    proofs: Proofs
    pci_before: float
    pci_after: float
    coverage: CoverageSummary
    created_at: AwareDatetime
    expires_at: AwareDatetime


class Snapshot(BaseModel):
    """Everything that is needed to put an identity back as it was: documents, not only ARNs."""

    model_config = ConfigDict(frozen=True)

    identity: IdentityRef
    taken_at: AwareDatetime
    fingerprint: str
    policies: tuple[dict[str, Any], ...]
    boundary_arn: str | None


class PlanStatus(StrEnum):
    """Life of a plan: PROPOSED waits, APPLYING and ROLLING_BACK are under way, the last four are terminal."""

    PROPOSED = "PROPOSED"
    APPLYING = "APPLYING"
    ROLLING_BACK = "ROLLING_BACK"
    APPLIED = "APPLIED"
    SKIPPED = "SKIPPED"
    ROLLED_BACK = "ROLLED_BACK"
    QUARANTINED = "QUARANTINED"


class PlanRecord(BaseModel):
    """A plan in the journal: its state, the snapshot to go back to, and who wanted it. `version` counts writes."""

    model_config = ConfigDict(frozen=True)

    plan: Plan
    snapshot: Snapshot
    status: PlanStatus
    trigger: str
    reason: Reason | None = None
    policy_arns: tuple[str, ...] = ()
    updated_at: AwareDatetime
    version: int = 0


class StepKind(StrEnum):
    """The mutating calls that a plan may consist of."""

    CREATE_POLICY = "create_policy"
    PUT_BOUNDARY = "put_boundary"
    DELETE_BOUNDARY = "delete_boundary"
    DELETE_POLICY = "delete_policy"


class Step(BaseModel):
    """One mutating call: on which policy ARN, with which document where it creates one."""

    model_config = ConfigDict(frozen=True)

    kind: StepKind
    policy_arn: str
    policy: PlannedPolicy | None = None
