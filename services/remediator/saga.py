"""Applying a plan and taking it back: a journalled saga that can stop and resume at any call.

Before each call: enough time left, the kill switch is not thrown, the intent is on paper, and then, as late as can be,
the identity is as the plan knew it (compare-and-set on its fingerprint: IAM itself offers none). After each: the
outcome is on paper. After the last: the change is read back until it stays, and verified. What fails half way goes on
later (DependencyError) or is taken back (everything else).
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.remediator.fingerprint import canonical, fingerprint, permissions_of
from services.remediator.ports import Changes, Clock, Halted, Protection, Reads, RemainingSeconds, Sleep, Writes
from services.remediator.steps import apply_steps, boundary_arn, removal_step, restore_steps
from shared.errors import ConflictError, DeniedError, DependencyError, InputError, NotFoundError, SafetyError
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, Step

MIN_SECONDS_LEFT = 15.0  # for one more step, its read-back and the journal
STABLE_READS = 2  # reads that must agree with the first one, over the dwell
MAX_READS = 12
MAX_REMOVALS = 4  # tries to delete a policy that IAM still holds to be in use
FIRST_ROLLBACK_STEP = 100  # steps of the rollback are numbered after those of the application
REMOVAL_STEP = 109
UNTOUCHED = frozenset({ReasonCode.GONE, ReasonCode.DRIFT, ReasonCode.EXPIRED, ReasonCode.PROTECTED, ReasonCode.EXEMPT})
REFUSED = (DeniedError, InputError, SafetyError)


class StopError(SafetyError):
    """The plan is to be taken back, for the catalogued `reason`: someone else's change wins, or it is too late."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code=code, message=message)


@dataclass(frozen=True, slots=True)
class Saga:
    """Applies and takes back plans of identities whose lock (`token`) the caller holds."""

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

    def apply(self, record: PlanRecord) -> PlanRecord:
        """Carry out a proven plan, or go on with one that was interrupted.

        Returns the record as APPLIED, or as SKIPPED or ROLLED_BACK with the reason, or as QUARANTINED where even
        taking it back failed. Raises DependencyError to be called again later.
        """
        record = self._save(record.model_copy(update={"reason": None}), PlanStatus.APPLYING)
        try:
            self._carry_out(record)
        except StopError as error:
            return self.roll_back(record, error.reason)
        except REFUSED as error:
            return self.roll_back(record, Reason(code=ReasonCode.VERIFICATION_FAILED, message=str(error)))
        arns = (boundary_arn(record.plan),)
        return self._save(record.model_copy(update={"policy_arns": arns}), PlanStatus.APPLIED)

    def roll_back(self, record: PlanRecord, reason: Reason) -> PlanRecord:
        """Put the identity back as its snapshot has it, leaving alone what others changed since.

        The decision is on paper before the first call, so that whoever resumes goes on taking back.
        """
        record = self._save(record.model_copy(update={"reason": reason}), PlanStatus.ROLLING_BACK)
        try:
            self._take_back(record)
        except REFUSED as error:
            stuck = Reason(code=reason.code, message=f"{reason.message}; taking it back failed: {error}"[:1000])
            return self._save(record.model_copy(update={"reason": stuck}), PlanStatus.QUARANTINED)
        return self._save(record, PlanStatus.SKIPPED if reason.code in UNTOUCHED else PlanStatus.ROLLED_BACK)

    def look(self, identity: IdentityRef) -> IdentityDetail:
        """Read an identity. Raises StopError (gone) where several reads agree that it does not exist any more.

        One such answer proves nothing: IAM is eventually consistent, and a policy that somebody removes between two
        calls of the reading looks the same.
        """
        for _ in range(STABLE_READS):
            try:
                return self.reads.verified(identity, now=self.clock())
            except (ConflictError, NotFoundError):
                self._wait()
        try:
            return self.reads.verified(identity, now=self.clock())
        except NotFoundError as error:
            raise StopError(ReasonCode.GONE, str(error)) from error

    def has_lost(self, record: PlanRecord) -> bool:
        """Whether several reads agree that the identity does not carry an applied plan's boundary any more."""
        for _ in range(STABLE_READS + 1):
            if _boundary(self.look(record.plan.identity)) == boundary_arn(record.plan):
                return False
            self._wait()
        return True

    def _carry_out(self, record: PlanRecord) -> None:
        for number, step in enumerate(apply_steps(record.plan)):
            self._perform(record, number, step, lambda: self._is_due(record))
        self._verify(record)

    def _is_due(self, record: PlanRecord) -> bool:
        """Compare-and-set: True if the identity is as the plan knew it, False if it carries the plan's boundary."""
        plan = record.plan
        detail = self.look(plan.identity)
        same_policies = permissions_of(detail) == [entry for entry in record.snapshot.policies if "source" in entry]
        if same_policies and _boundary(detail) == boundary_arn(plan):
            return False
        if fingerprint(detail) != plan.fingerprint:
            raise StopError(ReasonCode.DRIFT, f"{plan.identity.arn} was changed since the plan was made")
        if self.clock() >= plan.expires_at:
            raise StopError(ReasonCode.EXPIRED, f"plan {plan.plan_id} expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC")
        if reason := self.protection(detail):
            raise StopError(reason.code, reason.message)
        return True

    def _verify(self, record: PlanRecord) -> None:
        """Read until the boundary is the plan's, document included, and stays so over the dwell."""
        plan = record.plan
        detail: IdentityDetail | None = None
        stable = 0
        for _ in range(MAX_READS):
            detail = self.look(plan.identity)
            stable = stable + 1 if _carries(detail, record) else 0
            if stable > STABLE_READS:
                return
            self._wait()
        found = _boundary(detail) if detail else None
        if found not in {boundary_arn(plan), record.snapshot.boundary_arn}:
            raise StopError(ReasonCode.DRIFT, f"{plan.identity.arn} was given another boundary: {found}")
        raise SafetyError(f"{plan.identity.arn}: the change did not show after {MAX_READS} reads")

    def _take_back(self, record: PlanRecord) -> None:
        """Restore the boundary and remove the policy; IAM's refusal tells where a read was stale."""
        for _ in range(MAX_REMOVALS):
            self._restore(record)
            if self._perform(record, REMOVAL_STEP, removal_step(record.plan)):
                return
            self._wait()
        raise SafetyError(f"{boundary_arn(record.plan)} is still in use, by whom we do not know")

    def _restore(self, record: PlanRecord) -> None:
        """Put the former boundary back, unless it is somebody else's by now or the identity is gone."""
        if not self._carries_ours(record):
            return
        for number, step in enumerate(restore_steps(record.plan, record.snapshot), start=FIRST_ROLLBACK_STEP):
            self._perform(record, number, step, lambda: self._carries_ours(record))
        stable = 0
        for _ in range(MAX_READS):
            stable = 0 if self._carries_ours(record) else stable + 1
            if stable > STABLE_READS:
                return
            self._wait()
        raise SafetyError(f"{record.plan.identity.arn}: the restored boundary did not show after {MAX_READS} reads")

    def _carries_ours(self, record: PlanRecord) -> bool:
        try:
            return _boundary(self.look(record.plan.identity)) == boundary_arn(record.plan)
        except StopError:
            return False  # the identity is gone: only our policy is left to remove

    def _perform(self, record: PlanRecord, number: int, step: Step, is_due: Callable[[], bool] = lambda: True) -> bool:
        """Make one call with its intent and outcome on paper; False where IAM says that the policy is in use.

        A call that names what IAM does not show yet (a policy that was just created) is made again for a while.
        """
        plan = record.plan
        for _ in range(MAX_READS):
            self._check_may_go_on(f"plan {plan.plan_id}: {step.kind}")
            self.journal.intend(plan, number, step, token=self.token, now=self.clock())
            try:
                made = self.changes.perform(plan.identity, step, plan_id=plan.plan_id) if is_due() else True
            except REFUSED as error:
                self._note(record, number, step, f"not done: {type(error).__name__}")
                if isinstance(error, StopError) or is_due():
                    raise
                return True  # refused because somebody else's change came first, and made it needless
            except NotFoundError:
                self._wait()  # whether the identity is gone, the next look tells
                continue
            self._note(record, number, step, "done" if made else "not done: in use")
            return made
        raise DependencyError(f"plan {plan.plan_id}: {step.kind} names what IAM does not show yet")

    def _check_may_go_on(self, what: str) -> None:
        if self.halted():
            raise DependencyError(f"{what} is not made: the mode is off")
        if self.remaining_seconds() < MIN_SECONDS_LEFT:
            raise DependencyError(f"{what}: no time left; it goes on at the next delivery")

    def _wait(self) -> None:
        if self.remaining_seconds() < MIN_SECONDS_LEFT:
            raise DependencyError("no time left to wait for IAM; it goes on at the next delivery")
        self.sleep(self.dwell_seconds / STABLE_READS or 0.05)

    def _note(self, record: PlanRecord, number: int, step: Step, outcome: str) -> None:
        self.journal.note(record.plan, number, step, outcome, token=self.token, now=self.clock())

    def _save(self, record: PlanRecord, status: PlanStatus) -> PlanRecord:
        return self.journal.save(record.model_copy(update={"status": status, "updated_at": self.clock()}))


def _boundary(detail: IdentityDetail) -> str | None:
    return detail.boundary.source.arn if detail.boundary else None


def _carries(detail: IdentityDetail, record: PlanRecord) -> bool:
    """Whether the identity has the plan's boundary, with the document that was proven."""
    (policy,) = record.plan.policies
    return (
        detail.boundary is not None
        and detail.boundary.source.arn == boundary_arn(record.plan)
        and canonical(detail.boundary.document) == canonical(policy.document)
    )
