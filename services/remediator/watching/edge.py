"""Giving back: looks for regrets of one identity, tells them, and restores or rolls back; and what a person asks for.

Everything is read again: a message only says whom to look at. Most looks end with the first read, since few identities
have a plan at all, and fewer one that is watched.
"""

from collections.abc import Sequence

from aws_lambda_powertools.metrics import MetricUnit

from services.remediator.history import History, carried_plans, history_of, stack_of
from services.remediator.watching.giving_back.edge import GIVEN_BACK, GivingBack
from services.remediator.watching.lines import TO_TAKE_BACK, Line, line_to, taken_back_with, watched_line
from services.remediator.watching.reading.edge import read_regrets
from services.remediator.watching.refusals import locked, requested, restores, unfinished
from services.remediator.watching.requests import wanted_of
from services.remediator.watching.tellings import lost_of, regretted_event, response_of, restored_event, telling_of
from services.remediator.wiring.edge import Wiring
from services.remediator.working.edge import Outcome, Work
from shared.errors import InputError
from shared.events import RestorationDue
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, Regret, RegretResponse
from shared.observability import logger, metrics

KILLED = Reason(code=ReasonCode.KILL_SWITCH, message="the mode is off")
ALERT, ROLL_BACK = RegretResponse.ALERT, RegretResponse.ROLL_BACK
MAX_NAMED = 5  # actions that a reason names


class Restoration:
    """Gives back what plans took, for one message or request (`cause`), each identity under its lock."""

    def __init__(self, wiring: Wiring, *, cause: str) -> None:
        self._wiring = wiring
        self._work = Work(wiring, cause=cause)

    def denied(self, identity_id: str) -> Outcome | None:
        """Look whether an identity was refused what its plan took; tell it, and respond as the stack is set up to.

        An identity that is parked is left to people. None where there is nothing to regret. Raises DependencyError to
        be called again later.
        """
        history, line = self._watched(identity_id)
        if history.is_under_way and history.under_way[0].status is PlanStatus.ROLLING_BACK:
            return self._go_on_taking_back(history.under_way[0])
        self._tell_restored_again(history)
        regrets = read_regrets(self._wiring, line) if line else ()
        if line is None or not regrets:
            return None
        response = ALERT if history.parked else response_of(self._wiring.settings.on_regret, self._wiring.mode())
        self._tell_new(line, regrets, response)
        if response is ALERT:
            return None
        with self._work.locked(line.root.plan.identity) as token:
            return self._respond(identity_id, response, GivingBack(self._work, token))

    def due(self, event: RestorationDue) -> Outcome | None:
        """Go on with taking a plan back that was handed over or interrupted; else look for regrets of its identity."""
        record = self._wiring.journal.get(event.plan_id)
        if record is None:
            logger.info("no such plan", plan_id=event.plan_id)
            return None
        if record.status is PlanStatus.ROLLING_BACK:
            return self._go_on_taking_back(record)
        self._work.tell_again(record)
        return self.denied(record.plan.identity.identity_id)

    def roll_back(self, plan_id: str, *, by: str) -> Outcome:
        """Take a plan back because a person asked, and leave the identity alone from then on.

        Plans that amend it go with it. An exemption does not stand in the way, since it asks for the same: that what
        was taken is given back. Raises InputError for a plan that does not exist.
        """
        identity = self._record(plan_id).plan.identity
        if self._work.is_off():
            return self._work.skip(identity, KILLED, plan_id=plan_id)
        with self._work.locked(identity) as token:
            record = self._record(plan_id)
            if record.status not in TO_TAKE_BACK:
                message = f"plan {plan_id} is {record.status}: there is nothing to take back"
                return self._work.skip(identity, Reason(code=ReasonCode.DUPLICATE, message=message), plan_id=plan_id)
            giving = GivingBack(self._work, token)
            _, detail = self._work.look(identity, token)
            above: tuple[PlanRecord, ...] = ()
            if detail is not None:
                above, on_top = taken_back_with(plan_id, self._stack(plan_id, detail))
                others = self._under_way(identity.identity_id, record, *above)
                if refused := locked(plan_id, on_top) or unfinished(others) or giving.protection(detail):
                    return self._work.skip(identity, refused, plan_id=plan_id)
            return giving.take_back([*above, record], requested(by))

    def restore(self, plan_id: str, actions: Sequence[str], *, by: str) -> Outcome:
        """Give some actions back that an applied plan took, because a person asked; the rest of the plan stays.

        Raises InputError for a plan that does not exist, or did not take these actions.
        """
        record = self._record(plan_id)
        identity, wanted = record.plan.identity, wanted_of(record.plan, actions)
        if self._work.is_off():
            return self._work.skip(identity, KILLED, plan_id=plan_id)
        with self._work.locked(identity) as token:
            history = self._history(identity.identity_id)
            line = line_to(plan_id, history.applied)
            _, detail = self._work.look(identity, token)
            if line is None or detail is None:
                message = f"plan {plan_id} is not in force: there is nothing to give back"
                return self._work.skip(identity, Reason(code=ReasonCode.DUPLICATE, message=message), plan_id=plan_id)
            giving = GivingBack(self._work, token)
            begun = tuple(one for one in history.under_way if restores(one, wanted))
            if refused := giving.protection(detail) or (None if begun else unfinished(history.under_way)):
                return self._work.skip(identity, refused, plan_id=plan_id)
            regrets = self._regrets_over(line, wanted)
            again = giving.resume(line, regrets, begun[0]) if begun else None
            return again or giving.restore(line, wanted, regrets, detail, by=by or "a person")

    def _go_on_taking_back(self, record: PlanRecord) -> Outcome | None:
        """Finish what was handed over or interrupted; None while somebody is at work on it.

        What is taken back because of a regret takes the plans of its line along that are in force still.
        """
        identity, plan_id = record.plan.identity, record.plan.plan_id
        if self._work.is_off():
            return self._work.skip(identity, KILLED, plan_id=plan_id)
        if self._wiring.journal.is_claimed(identity, now=self._wiring.clock()):
            return None
        with self._work.locked(identity) as token:
            record = self._record(plan_id)
            if record.status is not PlanStatus.ROLLING_BACK or record.reason is None:
                return None
            history, line = self._watched(identity.identity_id)
            is_of_line = plan_id in {one.plan.plan_id for one in history.under_way}
            rest = line.plans if line and is_of_line and record.reason.code is ReasonCode.REGRET else ()
            return GivingBack(self._work, token).take_back([record, *rest], record.reason)

    def _respond(self, identity_id: str, response: RegretResponse, giving: GivingBack) -> Outcome | None:
        """Give back what is still regretted, now that nobody else can change the identity."""
        history, line = self._watched(identity_id)
        regrets = read_regrets(self._wiring, line) if line else ()
        if line is None or not regrets:
            return None
        _, detail = self._work.look(line.root.plan.identity, giving.token)
        if detail is None:
            return None  # what is left of the plan, the remediator clears
        if protected := self._work.protection(detail):
            return giving.refuse(line, regrets, protected)
        if history.is_under_way:
            return giving.resume(line, regrets, history.under_way[0])
        if response is ROLL_BACK:
            reason = Reason(code=ReasonCode.REGRET, message=f"it was refused {', '.join(lost_of(regrets)[:MAX_NAMED])}")
            return giving.take_back_line(line, regrets, reason)
        return giving.restore(line, lost_of(regrets), regrets, detail)

    def _tell_new(self, line: Line, regrets: Sequence[Regret], response: RegretResponse) -> None:
        """Tell each regret once, and write down that it was told: in this order, so that none is lost by a crash."""
        journal, now = self._wiring.journal, self._wiring.clock()
        plan_id = line.root.plan.plan_id
        told = journal.told(plan_id)
        new = [regret for regret in regrets if telling_of(line, regret) not in told]
        if not new:
            return
        self._work.publish(regretted_event(line, new, response, now=now))
        metrics.add_metric("RegretsFound", MetricUnit.Count, len(new))
        for regret in new:
            journal.note_told(plan_id, telling_of(line, regret), now=now)

    def _tell_restored_again(self, history: History) -> None:
        """Tell that a regret is over, where the delivery that gave back by itself could not."""
        record = history.record
        if record is None or record.trigger != GIVEN_BACK or not self._work.tell_again(record):
            return
        line = line_to(record.plan.amends, [one for one in history.applied if one is not record])
        regrets = self._regrets_over(line, record.plan.restores) if line else ()
        if line and regrets:
            self._work.publish(restored_event(line, record, regrets))

    def _regrets_over(self, line: Line, given_back: Sequence[str]) -> tuple[Regret, ...]:
        """The regrets of a line that are over where these actions are given back."""
        return tuple(one for one in read_regrets(self._wiring, line) if set(one.lost) <= set(given_back))

    def _watched(self, identity_id: str) -> tuple[History, Line | None]:
        history = self._history(identity_id)
        return history, watched_line(history.applied, self._wiring.clock())

    def _history(self, identity_id: str) -> History:
        current = self._wiring.journal.current(identity_id)
        return history_of(current.plan_id, current.parked, self._wiring.journal.get) if current else History()

    def _under_way(self, identity_id: str, *but: PlanRecord) -> tuple[PlanRecord, ...]:
        """The identity's plans that are half done, but these."""
        ids = {record.plan.plan_id for record in but}
        return tuple(one for one in self._history(identity_id).under_way if one.plan.plan_id not in ids)

    def _stack(self, plan_id: str, detail: IdentityDetail) -> list[PlanRecord]:
        """The plans that lead from the latest one, or from one that the identity carries, to this one, newest first."""
        current = self._wiring.journal.current(detail.ref)
        for top in (*([current.plan_id] if current else []), *carried_plans(detail)):
            stack = stack_of(top, self._wiring.journal.get)
            if any(record.plan.plan_id == plan_id for record in stack):
                return stack
        return []

    def _record(self, plan_id: str) -> PlanRecord:
        record = self._wiring.journal.get(plan_id)
        if record is None:
            raise InputError(f"there is no plan {plan_id}")
        return record
