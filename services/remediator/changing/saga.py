"""Applying a plan and taking it back: a journalled saga that can stop and resume at any call.

Before each call: enough time left, the kill switch is not thrown, the intent is on paper, and then, as late as can be,
the identity is as the plan knew it (compare-and-set on its whole state: IAM itself offers none). After each: the
outcome is on paper. After the last: the change is read back until it stays, and verified. What fails half way goes on
later (DependencyError) or is taken back (everything else).
"""

from dataclasses import dataclass
from datetime import timedelta

from services.remediator.changing.applying import Application
from services.remediator.changing.calling import Calls
from services.remediator.changing.looking import Looks
from services.remediator.changing.ports import (
    Changes,
    Clock,
    Halted,
    Protection,
    Reads,
    RemainingSeconds,
    Sleep,
    Writes,
)
from services.remediator.changing.steps import OLD_TAKEN_OFF, apply_steps, carries, own_arns
from services.remediator.changing.stopping import REFUSED, STABLE_READS, StopError, reason_of
from services.remediator.changing.taking_back import TakingBack
from shared.errors import SafetyError
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, Strategy

__all__ = ["Saga", "StopError"]
UNTOUCHED = frozenset({ReasonCode.GONE, ReasonCode.DRIFT, ReasonCode.EXPIRED, ReasonCode.PROTECTED, ReasonCode.EXEMPT})


@dataclass(frozen=True, slots=True)
class Saga:
    """Applies and takes back plans of identities whose lock (`token`) the caller holds.

    Only whoever `may_restore` gives others' policies back; `soak` is for how long an applied plan is watched.
    """

    reads: Reads
    changes: Changes
    journal: Writes
    clock: Clock
    sleep: Sleep
    remaining_seconds: RemainingSeconds
    halted: Halted
    protection: Protection
    dwell_seconds: float
    token: int
    may_restore: bool
    soak: timedelta

    def apply(self, record: PlanRecord) -> PlanRecord:
        """Carry out a proven plan, or go on with one that was interrupted.

        Returns the record as APPLIED, or as `roll_back` leaves it. Raises DependencyError to be called again later, and
        SafetyError for a plan that is not to be applied at all: a PATCH, or one that isn't proven.
        """
        plan = record.plan
        if plan.strategy is Strategy.PATCH or not plan.proofs.hold or plan.fingerprint != record.snapshot.fingerprint:
            raise SafetyError(f"plan {plan.plan_id} ({plan.strategy}) is not to be applied: not proven, or a patch")
        application = Application(record, self._calls, self.protection)
        application.begin()
        afresh = {"reason": None, "policy_arns": (), "applied_at": None, "soak_until": None, "drift": ()}
        record = self._save(record.model_copy(update=afresh), PlanStatus.APPLYING)
        try:
            application.carry_out()
        except REFUSED as error:
            return self.roll_back(record, reason_of(error))
        now = self.clock()
        done = {"policy_arns": own_arns(plan), "applied_at": now, "soak_until": now + self.soak}
        return self._save(record.model_copy(update=done), PlanStatus.APPLIED)

    def roll_back(self, record: PlanRecord, reason: Reason) -> PlanRecord:
        """Put the identity back as if the plan had never touched it, leaving alone what others changed since.

        The decision is on paper before the first call, so that whoever resumes goes on taking back. Returns the record
        as ROLLED_BACK, as SKIPPED where others or the identity's end came first, as QUARANTINED where a person has to
        look, or still as ROLLING_BACK where it takes somebody who may restore.
        """
        record = self._save(record.model_copy(update={"reason": reason}), PlanStatus.ROLLING_BACK)
        begun = self._begun(record)
        if not self.may_restore and reason.code is not ReasonCode.GONE and _took_old_off(record, begun):
            return record
        try:
            drift = TakingBack(record, self._calls, begun).carry_out()
        except REFUSED as error:
            stuck = Reason(code=reason.code, message=f"{reason.message}; taking it back failed: {error}"[:1000])
            return self._save(record.model_copy(update={"reason": stuck}), PlanStatus.QUARANTINED)
        ended = PlanStatus.SKIPPED if reason.code in UNTOUCHED else PlanStatus.ROLLED_BACK
        return self._save(record.model_copy(update={"drift": drift}), ended)

    def look(self, identity: IdentityRef) -> IdentityDetail:
        """Read an identity. Raises StopError (gone) where several reads agree that it does not exist any more."""
        return self._looks.look(identity)

    def has_lost(self, record: PlanRecord) -> bool:
        """Whether several reads agree that the identity does not carry what an applied plan gave it any more."""
        for _ in range(STABLE_READS + 1):
            if carries(self.look(record.plan.identity), record.plan):
                return False
            self._looks.wait()
        return True

    @property
    def _looks(self) -> Looks:
        return Looks(self.reads, self.clock, self.sleep, self.remaining_seconds, self.dwell_seconds)

    @property
    def _calls(self) -> Calls:
        return Calls(self.changes, self.journal, self._looks, self.halted, self.token)

    def _begun(self, record: PlanRecord) -> frozenset[int]:
        """Numbers of the calls that were made, or perhaps made; every step's where the plan was applied."""
        begun = self.journal.begun(record.plan.plan_id)
        if record.policy_arns or record.applied_at:
            begun |= frozenset(range(len(apply_steps(record.plan, record.snapshot))))
        return begun

    def _save(self, record: PlanRecord, status: PlanStatus) -> PlanRecord:
        changes = {"status": status, "updated_at": self.clock(), "fencing_token": self.token}
        return self.journal.save(record.model_copy(update=changes))


def _took_old_off(record: PlanRecord, begun: frozenset[int]) -> bool:
    steps = apply_steps(record.plan, record.snapshot)
    return any(number in begun and step.kind in OLD_TAKEN_OFF for number, step in enumerate(steps))
