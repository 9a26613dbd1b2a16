"""From verdict to change: plans, their proofs, the snapshot and the journal of a change."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from shared.model.identity import IdentityRef, Policy
from shared.model.proof import ProofVerdict
from shared.model.score import CoverageSummary
from shared.model.sources import PolicySource


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
    """How a plan takes permissions away.

    BOUNDARY sets a permissions boundary; REPLACE attaches narrower policies and then takes the old ones off; PATCH
    changes nothing, but says what to change in the code that manages the identity.
    """

    BOUNDARY = "boundary"
    REPLACE = "replace"
    PATCH = "patch"


class ResourceScope(StrEnum):
    """Which resources a kept permission still reaches: those of its statement, or those that it was used on."""

    KEEP = "keep"
    OBSERVED = "observed"


class RegretResponse(StrEnum):
    """What a regret leads to by itself: nothing but an alert, the lost actions given back, or the whole plan undone."""

    ALERT = "alert"
    RESTORE = "restore"
    ROLL_BACK = "roll_back"


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
    TOO_YOUNG = "too_young"
    HELD = "held"
    QUOTA = "quota"
    REJECTED = "rejected"
    REGRET = "regret"
    FLAPPING = "flapping"
    SOAKING = "soaking"
    CHANGED_BY_CODE = "changed_by_code"
    UNSCORED = "unscored"
    PROVIDER_FAILED = "provider_failed"
    NO_PROPOSAL = "no_proposal"


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
    """A policy that the plan creates: deterministic name under the path /leastwise/, and its document.

    In a PATCH, `source` is the policy in force that the document is to take the place of.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    document: dict[str, Any]
    source: PolicySource | None = None


class Plan(BaseModel):
    """A proven way to take unused permissions away from one identity.

    `plan_id` is a digest of its inputs: the same identity, snapshot and policies give the same plan. `fingerprint`
    is the digest of the identity's permissions that the plan was derived from. `removes` names the worst
    permissions first; `narrows` are kept ones that reach fewer resources than before. A plan that gives back what an
    applied one took too much names that one as `amends` and the actions as `restores`; it `removes` what is taken away
    still. Of the policies in force, `stays` are those that REPLACE and PATCH leave as they are, and `drops` those that
    a PATCH takes off and puts nothing in place of; REPLACE takes off all that don't stay. `notes` are what a person
    should know before approving, a sentence each.
    """

    model_config = ConfigDict(frozen=True)

    plan_id: str
    identity: IdentityRef
    strategy: Strategy
    fingerprint: str
    policies: tuple[PlannedPolicy, ...]
    removes: tuple[str, ...]
    keeps: tuple[str, ...]
    narrows: tuple[str, ...] = ()
    restores: tuple[str, ...] = ()
    amends: str = ""
    stays: tuple[PolicySource, ...] = ()
    drops: tuple[PolicySource, ...] = ()
    notes: tuple[str, ...] = ()
    proofs: Proofs
    pci_before: float
    pci_after: float
    coverage: CoverageSummary
    created_at: AwareDatetime
    expires_at: AwareDatetime


class Snapshot(BaseModel):
    """Everything that is needed to put an identity back as it was: documents, not only ARNs.

    `policies` are those in force beside the boundary, in an order that doesn't depend on how AWS listed them; `groups`
    are the names of a user's groups, those without policies, too.
    """

    model_config = ConfigDict(frozen=True)

    identity: IdentityRef
    taken_at: AwareDatetime
    fingerprint: str
    policies: tuple[Policy, ...]
    boundary: Policy | None = None
    groups: tuple[str, ...] = ()

    @property
    def boundary_arn(self) -> str | None:
        """ARN of the permissions boundary, or None where there was none."""
        return self.boundary.source.arn if self.boundary else None

    @model_validator(mode="before")
    @classmethod
    def _of_first_form(cls, raw: Any) -> Any:
        """Read what version 1 wrote: the boundary as one of the policies, sources as lists (F72)."""
        if not isinstance(raw, Mapping) or "boundary_arn" not in raw:
            return raw
        entries = raw["policies"]
        boundary = next((entry["boundary"] for entry in entries if "boundary" in entry), None)
        policies = [entry for entry in entries if "boundary" not in entry]
        fields = {key: value for key, value in raw.items() if key != "boundary_arn"}
        return fields | {"policies": policies, "boundary": boundary}


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
    """A plan in the journal: its state, the snapshot to go back to, and who wanted it. `version` counts writes.

    `noticed_at` is since when people have known of a plan that takes at least as much away; `approved_by` who said yes
    (as they called themselves); `applied_at` when it was verified, `soak_until` until when its regrets are watched.
    `drift` says what a rollback could not put back as it was, a sentence each. `fencing_token` is of who wrote it
    last under the identity's lock: who held the lock before can't write it any more.
    """

    model_config = ConfigDict(frozen=True)

    plan: Plan
    snapshot: Snapshot
    status: PlanStatus
    trigger: str
    reason: Reason | None = None
    policy_arns: tuple[str, ...] = ()
    noticed_at: AwareDatetime | None = None
    approved_by: str = ""
    applied_at: AwareDatetime | None = None
    soak_until: AwareDatetime | None = None
    drift: tuple[str, ...] = ()
    fencing_token: int = 0
    updated_at: AwareDatetime
    version: int = 0


class StepKind(StrEnum):
    """The mutating calls that a plan may consist of."""

    CREATE_POLICY = "create_policy"
    PUT_BOUNDARY = "put_boundary"
    DELETE_BOUNDARY = "delete_boundary"
    DELETE_POLICY = "delete_policy"
    ATTACH_POLICY = "attach_policy"
    DETACH_POLICY = "detach_policy"
    PUT_INLINE = "put_inline"
    DELETE_INLINE = "delete_inline"
    ADD_TO_GROUP = "add_to_group"
    REMOVE_FROM_GROUP = "remove_from_group"


class Step(BaseModel):
    """One mutating call.

    `target` is a managed policy's ARN, an inline policy's name, or a group's name; `policy` the document where the call
    creates one.
    """

    model_config = ConfigDict(frozen=True)

    kind: StepKind
    target: str
    policy: PlannedPolicy | None = None


class Regret(BaseModel):
    """An identity was refused, after a change, what its snapshot allowed.

    `action` is what was refused; `lost` are the actions that the plan took away and that explain it: the action itself,
    or what it depends on.
    """

    model_config = ConfigDict(frozen=True)

    action: str
    denied_at: AwareDatetime
    lost: tuple[str, ...]
