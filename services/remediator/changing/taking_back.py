"""Taking a plan back, by the rules of applying it: give back, see that it shows, take ours off, delete ours."""

from collections.abc import Callable
from functools import partial

from services.remediator.changing.calling import TAKEN_BACK, Call, Calls
from services.remediator.changing.state import IdentityState, state_of
from services.remediator.changing.steps import TAKING_AWAY
from services.remediator.changing.stopping import MAX_READS, STABLE_READS, StopError
from services.remediator.changing.undo import Undo, Undoing
from shared.errors import DependencyError, NotFoundError, SafetyError
from shared.model.call_outcome import CallOutcome
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, StepKind

MAX_ROUNDS = 4  # of giving back: what is found gone on the way comes back as a copy in the next one
MAX_REMOVALS = 4  # tries to delete a policy that IAM still holds to be in use
SEEN_LATER = "done, or needless: seen later"


class TakingBack:
    """One run of taking a plan back: what is left to do is read from IAM, again before each call."""

    def __init__(self, record: PlanRecord, calls: Calls, begun: frozenset[int]) -> None:
        self._record = record
        self._calls = calls
        self._looks = calls.looks
        self._begun = begun
        self._undo = Undo.of(record.plan, record.snapshot, begun)
        self._gone: set[str] = set()  # policies and groups that IAM says don't exist any more
        self._made: set[str] = set()  # policies that were made again, so that they are bound to show
        self._given: dict[int, Call] = {}  # what IAM said that it gave back: again would be against others
        self._shown: set[int] = set()  # those of it that were seen, or long enough not seen for somebody's doing
        self._missing: set[int] = set()  # what the last look didn't see
        self._answered: set[int] = set()  # numbers of the calls whose outcome this run put on paper
        self._seen: IdentityState | None = None
        self._is_gone = False

    def carry_out(self) -> tuple[str, ...]:
        """Make the calls that are left; returns what could not be put back as it was, a sentence each.

        Raises REFUSED where a person has to look, DependencyError to be called again later.
        """
        if not self._undo.steps:
            return ()
        for _ in range(MAX_REMOVALS):
            if any(call.step.kind in TAKING_AWAY for call in self._undo.steps):
                self._give_back()
            left = self._take_off()
            if self._delete(left):
                self._note_taken_back()
                return (*left.drift, *self._taken_off_again())
            self._looks.wait()  # a policy is in use that wasn't seen in use: an old answer, or somebody else's use
        raise SafetyError("a policy of the plan is still in use, by whom we do not know")

    def _give_back(self) -> None:
        for _ in range(MAX_ROUNDS):
            found_gone = len(self._gone)
            for call in self._left().give:
                self._give(call)
            if len(self._gone) > found_gone:
                continue
            if self._looks.is_stable(self._is_given_back):
                return
            self._shown |= self._missing & self._given.keys()
        raise SafetyError(f"{self._record.plan.identity.arn}: what was given back doesn't show after {MAX_READS} reads")

    def _give(self, call: Call) -> None:
        target = call.step.target
        tries = MAX_READS if target in self._made else STABLE_READS + 1
        try:
            if self._perform(call, lambda: self._is_missing(call), tries=tries):
                self._given[call.number] = call
        except NotFoundError:
            if target in self._made:
                raise
            self._gone.add(target)
        if call.step.kind is StepKind.CREATE_POLICY:
            self._made.add(target)

    def _is_given_back(self) -> bool:
        return not self._left().give and not self._awaited

    @property
    def _awaited(self) -> set[int]:
        """What was given back and doesn't show yet."""
        return (self._missing & self._given.keys()) - self._shown

    def _taken_off_again(self) -> list[str]:
        again = (call.step.target for number, call in self._given.items() if number in self._missing)
        return [f"somebody took {target} off again" for target in again]

    def _is_missing(self, call: Call) -> bool:
        """Whether a call is still to be made; two looks have to agree where it could write over somebody else's."""
        for _ in range(MAX_READS):
            before, left = self._seen, self._left()
            if call not in left.give:
                return False
            if call.step.kind is not StepKind.PUT_INLINE or self._seen == before:
                return True
        raise DependencyError(f"{self._record.plan.identity.arn} keeps changing while it is read")

    def _take_off(self) -> Undoing:
        """Detach our policies, each on two looks that agree that nothing is missing without it."""
        left = self._left()
        for call in left.take_off:
            self._perform(call, partial(self._is_needless, call))
        if left.take_off and not self._looks.is_stable(lambda: not self._left().take_off):
            raise DependencyError(f"{self._record.plan.identity.arn}: our policies still show as attached")
        return self._left() if left.take_off else left

    def _is_needless(self, call: Call) -> bool:
        for _ in range(MAX_READS):
            before, left = self._seen, self._left()
            if call not in left.take_off:
                return False
            is_given_back = not left.give and not self._awaited
            if is_given_back and self._seen == before:
                return True
            if not is_given_back:
                self._looks.wait()
        raise DependencyError(f"{self._record.plan.identity.arn}: something that was given back is missing again")

    def _delete(self, left: Undoing) -> bool:
        """Delete the plan's policies; False where one is still in use."""
        outcomes = [self._perform(call, lambda: True) for call in left.delete]
        return CallOutcome.IN_USE not in outcomes

    def _perform(self, call: Call, is_due: Callable[[], bool], *, tries: int = 1) -> CallOutcome | None:
        outcome = self._calls.perform(self._record, call, is_due, tries=tries)
        self._answered.add(call.number)
        return outcome

    def _note_taken_back(self) -> None:
        """Leave no intent without an outcome; and so that the same plan, should it be made again, starts afresh."""
        for call in self._undo.calls():
            if call.number in self._begun - self._answered:
                self._calls.note(self._record, call, SEEN_LATER)
        for call in self._undo.steps:
            self._calls.note(self._record, call, TAKEN_BACK)

    def _left(self) -> Undoing:
        detail = self._look()
        self._seen = state_of(detail) if detail else None
        left = self._undo.left(self._seen, self._gone)
        self._missing = {call.number for call in left.give}
        self._shown |= self._given.keys() - self._missing
        return left._replace(give=tuple(call for call in left.give if call.number not in self._given))

    def _look(self) -> IdentityDetail | None:
        """The identity; None where it is gone, so that only our policies are left to delete."""
        try:
            return None if self._is_gone else self._looks.look(self._record.plan.identity)
        except StopError:
            self._is_gone = True
            return None
