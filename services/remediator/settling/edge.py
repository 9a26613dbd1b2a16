"""What was begun before comes first: finish it, take it back, or yield to whoever undid it."""

from collections.abc import Callable

from services.remediator.core import newly_used
from services.remediator.gating.gates import called_off
from services.remediator.history import History, reversion_of, taken_off, undone
from services.remediator.working.edge import Outcome, Work
from shared.aws.journal import was_made
from shared.model.identity import IdentityDetail
from shared.model.plan import PlanRecord, PlanStatus, Reason, ReasonCode, StepKind
from shared.model.usage import Usage

MAX_REVERSIONS = 2  # plans of one identity that others undid: from then on something puts back by itself


class Settlement:
    """Settles what the journal knows of an identity whose lock (`token`) the caller holds; `usage` reads a ledger."""

    def __init__(self, work: Work, usage: Callable[[str], Usage]) -> None:
        self._work = work
        self._usage = usage

    def settled(self, known: History, detail: IdentityDetail, token: int) -> Outcome | None:
        """Go on with what is half done, and yield to whoever undid an applied plan; None where there is neither."""
        if known.is_under_way:
            return self._resume(known.under_way[0], detail, token)
        lost = taken_off(known, detail)
        if lost and self._work.saga(token).has_lost(lost[0]):
            return self._yield(lost[0], lost, known, token)
        record = known.record
        if record is None or reversion_of(record) in known.reversions or not undone(record, detail):
            return None
        _, again = self._work.look(detail.ref, token)  # one read alone may be an old one
        return self._yield(record, (), known, token) if again and undone(record, again) else None

    def reconsidered(self, known: History) -> History:
        """A plan that was begun, but changed nothing yet, is a proposal again where mode or holds speak against it."""
        record, wiring = known.record, self._work.wiring
        if record is None or record.status is not PlanStatus.APPLYING or self._has_changed(record):
            return known
        if not called_off(record, wiring.mode(), self._work.safeguards, now=wiring.clock()):
            return known
        changes = {"status": PlanStatus.PROPOSED, "updated_at": wiring.clock()}
        saved = wiring.journal.save(record.model_copy(update=changes))
        return known._replace(record=saved, under_way=known.under_way[1:])

    def _has_changed(self, record: PlanRecord) -> bool:
        """Whether a call of a plan may have changed the identity: creating a policy does not."""
        made = [step for step in self._work.wiring.journal.steps(record.plan.plan_id) if was_made(step)]
        return any(step["kind"] != StepKind.CREATE_POLICY for step in made)

    def _yield(self, record: PlanRecord, lost: tuple[PlanRecord, ...], known: History, token: int) -> Outcome:
        """Somebody undid a plan (`record`): they win, and the identity is left alone.

        What hangs on nobody any more is collected (`lost`). A replaced policy that is back, or a new one that was
        taken off, stays as they want it: giving back the rest as well may be the last thing that they want.
        """
        reversion = reversion_of(record)
        flapping = len({*known.reversions, reversion}) >= MAX_REVERSIONS
        message = f"somebody undid plan {record.plan.plan_id}, and wins"
        if flapping:
            message += ": not for the first time, so look for what puts back by itself"
        reason = Reason(code=ReasonCode.FLAPPING if flapping else ReasonCode.DRIFT, message=message)
        self._work.point_to(record.plan.identity, record.plan.plan_id, parked=message, reversion=reversion)
        drift = Reason(code=ReasonCode.DRIFT, message=message)
        ended = [self._work.saga(token).roll_back(one, drift) for one in lost]
        if not ended or flapping:
            return self._work.skip(record.plan.identity, reason, plan_id=record.plan.plan_id)
        return self._told_all(ended)

    def clear(self, known: History, reason: Reason, token: int) -> Outcome | None:
        """End plans that nothing stands on any more and remove their policies; None where there are none."""
        ended = [self._work.saga(token).roll_back(one, reason) for one in (*known.under_way, *known.applied)]
        return self._told_all(ended) if ended else None

    def hand_over(self, known: History, reason: Reason) -> Outcome | None:
        """Have what is half done taken back, for this reason, by the function that gives back; None where nothing is.

        Where an exemption came midway, IAM lets no role that takes away touch the identity any more.
        """
        if not known.is_under_way:
            return None
        record = known.under_way[0]
        if record.status is not PlanStatus.ROLLING_BACK:
            wiring = self._work.wiring
            changes = {"status": PlanStatus.ROLLING_BACK, "reason": reason, "updated_at": wiring.clock()}
            record = wiring.journal.save(record.model_copy(update=changes))
        return self._work.tell(record)

    def _told_all(self, records: list[PlanRecord]) -> Outcome:
        for record in records[1:]:
            self._work.announce(record)
        return self._work.tell(records[0])

    def _resume(self, record: PlanRecord, detail: IdentityDetail, token: int) -> Outcome:
        """Go on with what an earlier delivery could not finish; take back what would cost a use seen since."""
        saga = self._work.saga(token)
        if record.status is PlanStatus.ROLLING_BACK and record.reason:
            if record.reason.code is ReasonCode.REGRET:
                return self._work.tell(record)  # its whole line goes, which the function that gives back sees to
            return self._work.tell(saga.roll_back(record, record.reason))
        if wanted := newly_used(record.plan, self._usage(detail.ref.identity_id)):
            message = f"used since the plan was made: {', '.join(wanted[:5])}"
            return self._work.tell(saga.roll_back(record, Reason(code=ReasonCode.DRIFT, message=message)))
        return self._work.tell(saga.apply(record))
