"""Carrying a plan out: each call only on exactly the state that the plan predicts before it, new before old."""

from services.remediator.changing.calling import TAKEN_BACK, Call, Calls
from services.remediator.changing.ports import Protection
from services.remediator.changing.state import IdentityState, Standing, standing, state_of, states_along
from services.remediator.changing.steps import OLD_TAKEN_OFF, TAKING_AWAY, apply_steps, own_arns
from services.remediator.changing.stopping import MAX_READS, STABLE_READS, StopError
from shared.errors import NotFoundError, SafetyError
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, PlanStatus, ReasonCode, StepKind


class Application:
    """One run of applying a plan; what an earlier run did is seen in IAM and in the journal, and not done again."""

    def __init__(self, record: PlanRecord, calls: Calls, protection: Protection) -> None:
        self._record = record
        self._plan = record.plan
        self._calls = calls
        self._looks = calls.looks
        self._protection = protection
        self._steps = apply_steps(record.plan, record.snapshot)
        self._states = states_along(record.plan, record.snapshot)
        self._begun: frozenset[int] = frozenset()
        self._seen: IdentityState | None = None  # by the last look, if nothing was changed since

    def begin(self) -> None:
        """Find out what earlier runs began; what a plan that was just proposed did in a former life is over."""
        begun = self._calls.journal.begun(self._plan.plan_id)
        self._begun = frozenset(number for number in begun if number < len(self._steps))
        if self._record.status is PlanStatus.PROPOSED:
            for number in sorted(self._begun):
                self._calls.note(self._record, Call(number, self._steps[number]), TAKEN_BACK)
            self._begun = frozenset()

    def carry_out(self) -> None:
        """Make the calls from the last one that was begun, then read the whole state back until it stays.

        Raises StopError and REFUSED where the plan is to be taken back, DependencyError to be called again later.
        """
        for number in range(max(self._begun, default=0), len(self._steps)):
            if number == self._barrier and number not in self._begun:
                self._await(self._states[number])
            self._perform(Call(number, self._steps[number], in_doubt=number in self._begun))
        self._await(self._states[-1])

    @property
    def _barrier(self) -> int | None:
        """The first step that takes something old off: by then everything new has to be in force."""
        return next((number for number, step in enumerate(self._steps) if step.kind in OLD_TAKEN_OFF), None)

    def _perform(self, call: Call) -> None:
        try:
            self._calls.perform(self._record, call, lambda: self._is_due(call), tries=MAX_READS)
        except NotFoundError as error:
            message = f"somebody deleted what {call.step.kind} of {call.step.target} needs: {error}"
            raise StopError(ReasonCode.DRIFT, message) from error
        if call.step.kind is not StepKind.CREATE_POLICY:
            self._seen = None

    def _is_due(self, call: Call) -> bool:
        """Compare-and-set: True if the identity is as before this step, False if it is beyond it.

        What takes permissions away needs two looks in succession that agree. An old answer of IAM, or a mixture of old
        and new, is read again; what stays otherwise is somebody else's change.
        """
        strange = 0
        for _ in range(MAX_READS):
            before = self._seen
            detail = self._looks.look(self._plan.identity)
            self._seen = state_of(detail)
            match standing(self._seen, self._states, call.number):
                case Standing.BEYOND:
                    return False
                case Standing.DUE if call.step.kind not in TAKING_AWAY or self._seen == before:
                    self._check_still_wanted(detail)
                    return True
                case Standing.DUE:
                    continue
                case Standing.SHORT:
                    strange = 0
                case Standing.STRANGE:
                    strange += 1
            if strange > STABLE_READS:
                break
            self._looks.wait()
        raise self._drift()

    def _await(self, wanted: IdentityState) -> None:
        """Read until the identity is in a state, documents included, and stays so over the dwell."""
        stable = strange = 0
        for _ in range(MAX_READS):
            self._seen = state_of(self._looks.look(self._plan.identity))
            stable = stable + 1 if self._seen == wanted else 0
            strange = 0 if self._seen in self._states else strange + 1
            if stable > STABLE_READS:
                return
            if strange > STABLE_READS:
                raise self._drift()
            self._looks.wait()
        raise SafetyError(f"{self._plan.identity.arn}: the change did not show after {MAX_READS} reads")

    def _check_still_wanted(self, detail: IdentityDetail) -> None:
        plan = self._plan
        if self._looks.clock() >= plan.expires_at:
            raise StopError(ReasonCode.EXPIRED, f"plan {plan.plan_id} expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC")
        if reason := self._protection(detail):
            raise StopError(reason.code, reason.message)

    def _drift(self) -> SafetyError:
        """Somebody else's change wins; a policy of ours with another document than the proven one is an alarm."""
        arn = self._plan.identity.arn
        if self._seen and (tampered := _tampered(self._seen, self._states[-1], own_arns(self._plan))):
            return SafetyError(f"{arn}: {tampered} has another document than the one that was proven")
        return StopError(ReasonCode.DRIFT, f"{arn} was changed since the plan was made")


def _tampered(seen: IdentityState, wanted: IdentityState, arns: tuple[str, ...]) -> str:
    held = {**seen.attached, **(dict([seen.boundary]) if seen.boundary else {})}
    expected = {**wanted.attached, **(dict([wanted.boundary]) if wanted.boundary else {})}
    return next((arn for arn in arns if arn in held and held[arn] != expected.get(arn)), "")
