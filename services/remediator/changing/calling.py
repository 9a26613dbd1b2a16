"""One mutating call: its intent on paper before it, then the last look, then the call, then its outcome on paper."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from services.remediator.changing.looking import Looks
from services.remediator.changing.ports import Changes, Halted, Writes
from services.remediator.changing.stopping import MIN_SECONDS_LEFT, REFUSED, StopError
from shared.errors import DependencyError, NotFoundError
from shared.model.call_outcome import CallOutcome
from shared.model.plan import PlanRecord, ReasonCode, Step

TAKEN_BACK = "not done any more: taken back"


class Call(NamedTuple):
    """A step under its number in the journal; `in_doubt` where an earlier delivery may have made it already."""

    number: int
    step: Step
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes the calls of a plan for whoever holds the identity's lock (`token`)."""

    changes: Changes
    journal: Writes
    looks: Looks
    halted: Halted
    token: int

    def perform(self, record: PlanRecord, call: Call, is_due: Callable[[], bool], *, tries: int) -> CallOutcome | None:
        """Make one call if it `is_due`, which is asked as late as can be: IAM itself has no compare-and-set.

        None says that it was not due, or that AWS refused it and somebody else's change made it needless meanwhile.
        A call that names what doesn't show (a policy that was just created) is made again, `tries` times in all. Raises
        NotFoundError where it still doesn't show, StopError where IAM has no room or lets nobody change the identity,
        what AWS refused, and DependencyError to be called again later.
        """
        plan, step = record.plan, call.step
        for left in reversed(range(tries)):
            self._check_may_go_on(f"plan {plan.plan_id}: {step.kind}")
            self.journal.intend(plan, call.number, step, token=self.token, now=self.looks.clock())
            try:
                outcome = self._call(record, step, is_due)
            except REFUSED as error:
                self._note_failure(record, call, error)
                if isinstance(error, StopError) or is_due():
                    raise
                return None
            except NotFoundError as error:
                if not left:
                    self._note_failure(record, call, error)
                    raise
                self.looks.wait()  # whether the identity is gone, the next look tells
                continue
            self.note(record, call, outcome or CallOutcome.DONE)
            self._check_outcome(outcome, step)
            return outcome
        raise AssertionError("the last try returns or raises")

    def note(self, record: PlanRecord, call: Call, outcome: str) -> None:
        """Write down how a call ended."""
        self.journal.note(record.plan, call.number, call.step, outcome, token=self.token, now=self.looks.clock())

    def _note_failure(self, record: PlanRecord, call: Call, error: Exception) -> None:
        """What an earlier delivery may have done stays to be taken back, though this one did nothing."""
        self.note(record, call, f"{'in doubt' if call.in_doubt else 'not done'}: {type(error).__name__}")

    def _call(self, record: PlanRecord, step: Step, is_due: Callable[[], bool]) -> CallOutcome | None:
        if not is_due():
            return None
        return self.changes.perform(record.plan.identity, step, plan_id=record.plan.plan_id)

    def _check_may_go_on(self, what: str) -> None:
        if self.halted():
            raise DependencyError(f"{what} is not made: the mode is off")
        if self.looks.remaining_seconds() < MIN_SECONDS_LEFT:
            raise DependencyError(f"{what}: no time left; it goes on at the next delivery")

    def _check_outcome(self, outcome: CallOutcome | None, step: Step) -> None:
        if outcome is CallOutcome.OVER_QUOTA:
            raise StopError(ReasonCode.QUOTA, f"{step.kind} of {step.target}: a quota of IAM leaves no room")
        if outcome is CallOutcome.UNMODIFIABLE:
            raise StopError(ReasonCode.PROTECTED, f"{step.kind} of {step.target}: only AWS may change this identity")
