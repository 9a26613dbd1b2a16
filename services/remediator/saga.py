"""Applying a plan and taking it back: a journalled saga that can stop and resume at any call.

Before each call: enough time left, the identity is as the plan knew it (compare-and-set on its fingerprint), the intent
is on paper. After each: the outcome is on paper. After the last: the change is read back until it stays, and verified.
What fails half way goes on later (DependencyError) or is taken back (everything else).
"""

from dataclasses import dataclass

from services.remediator.fingerprint import fingerprint, permissions_of
from services.remediator.ports import Changes, Clock, Reads, RemainingSeconds, Sleep, Writes
from services.remediator.steps import apply_steps, rollback_steps
from shared.errors import DeniedError, DependencyError, InputError, NotFoundError, SafetyError
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, Step, StepKind

MIN_SECONDS_LEFT = 15.0  # for one more step, its read-back and the journal
STABLE_READS = 2
MAX_READS = 12
FIRST_ROLLBACK_STEP = 100  # steps of the rollback are numbered after those of the application


class DriftError(SafetyError):
    """Someone else changed the identity since the plan was made: their change wins."""


@dataclass(frozen=True, slots=True)
class Saga:
    """Applies and takes back plans of identities whose lock (`token`) the caller holds."""

    reads: Reads
    changes: Changes
    journal: Writes
    clock: Clock
    sleep: Sleep
    remaining_seconds: RemainingSeconds
    dwell_seconds: float
    token: int

    def apply(self, record: PlanRecord) -> PlanRecord:
        """Carry out a proven plan, or go on with one that was interrupted.

        Returns the record as APPLIED, or as SKIPPED or ROLLED_BACK with the reason, or as QUARANTINED where even
        taking it back failed. Raises DependencyError to be called again later.
        """
        record = self._save(record, PlanStatus.APPLYING)
        try:
            arns = self._carry_out(record)
        except NotFoundError as error:
            return self._undo(record, PlanStatus.SKIPPED, Reason(code=ReasonCode.GONE, message=str(error)))
        except DriftError as error:
            return self._undo(record, PlanStatus.SKIPPED, Reason(code=ReasonCode.DRIFT, message=str(error)))
        except (DeniedError, InputError, SafetyError) as error:
            reason = Reason(code=ReasonCode.VERIFICATION_FAILED, message=str(error))
            return self._undo(record, PlanStatus.ROLLED_BACK, reason)
        return self._save(record.model_copy(update={"policy_arns": arns}), PlanStatus.APPLIED)

    def roll_back(self, record: PlanRecord, reason: Reason) -> PlanRecord:
        """Put the identity back as its snapshot has it, leaving alone what others changed since."""
        record = self._save(record.model_copy(update={"reason": reason}), PlanStatus.ROLLING_BACK)
        return self._undo(record, PlanStatus.ROLLED_BACK, reason)

    def _carry_out(self, record: PlanRecord) -> tuple[str, ...]:
        steps = apply_steps(record.plan)
        for number, step in enumerate(steps):
            self._check_unchanged(record)
            self._perform(record, number, step)
        self._read_back(record, expected_boundary=steps[-1].policy_arn)
        return tuple(step.policy_arn for step in steps if step.kind is StepKind.CREATE_POLICY)

    def _undo(self, record: PlanRecord, status: PlanStatus, reason: Reason) -> PlanRecord:
        try:
            self._take_back(record)
        except (DeniedError, InputError, SafetyError) as error:
            stuck = Reason(code=reason.code, message=f"{reason.message}; taking it back failed: {error}"[:1000])
            return self._save(record.model_copy(update={"reason": stuck}), PlanStatus.QUARANTINED)
        return self._save(record.model_copy(update={"reason": reason}), status)

    def _take_back(self, record: PlanRecord) -> None:
        try:
            detail = self._read(record)
        except NotFoundError:
            detail = None  # the identity is gone: only our policy is left to remove
        steps = rollback_steps(record.plan, record.snapshot, boundary_now=_boundary(detail) if detail else None)
        for number, step in enumerate(steps, start=FIRST_ROLLBACK_STEP):
            self._perform(record, number, step)
            if step.kind is not StepKind.DELETE_POLICY:
                self._read_back(record, expected_boundary=record.snapshot.boundary_arn)

    def _perform(self, record: PlanRecord, number: int, step: Step) -> None:
        plan = record.plan
        if self.remaining_seconds() < MIN_SECONDS_LEFT:
            raise DependencyError(f"plan {plan.plan_id}: no time left for {step.kind}; it goes on at the next delivery")
        self.journal.intend(plan.plan_id, number, step, token=self.token, now=self.clock())
        self.changes.perform(plan.identity, step, plan_id=plan.plan_id)
        self.journal.note(plan.plan_id, number, step, "done", token=self.token, now=self.clock())

    def _check_unchanged(self, record: PlanRecord) -> None:
        """Compare-and-set: the identity is as the plan knew it, or already carries the plan's own boundary."""
        detail = self._read(record)
        if fingerprint(detail) == record.plan.fingerprint:
            return
        same_policies = permissions_of(detail) == [entry for entry in record.snapshot.policies if "source" in entry]
        if same_policies and _boundary(detail) == apply_steps(record.plan)[-1].policy_arn:
            return
        raise DriftError(f"{record.plan.identity.arn} was changed since the plan was made")

    def _read_back(self, record: PlanRecord, *, expected_boundary: str | None) -> None:
        """Read until the boundary is as expected and stays so over the dwell: IAM is eventually consistent."""
        stable = 0
        pause = self.dwell_seconds / STABLE_READS
        for _ in range(MAX_READS):
            stable = stable + 1 if _boundary(self._read(record)) == expected_boundary else 0
            if stable > STABLE_READS:
                return
            self.sleep(pause or 0.05)
        raise SafetyError(f"{record.plan.identity.arn}: the change did not show after {MAX_READS} reads")

    def _read(self, record: PlanRecord) -> IdentityDetail:
        return self.reads.verified(record.plan.identity, now=self.clock())

    def _save(self, record: PlanRecord, status: PlanStatus) -> PlanRecord:
        return self.journal.save(record.model_copy(update={"status": status, "updated_at": self.clock()}))


def _boundary(detail: IdentityDetail) -> str | None:
    return detail.boundary.source.arn if detail.boundary else None
