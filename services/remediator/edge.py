"""One identity's remediation, wired to AWS: gate, lock, plan, prove, propose or apply, tell. Everything is re-read."""

from typing import NamedTuple

from services.remediator.core import expired_event, outcome_event, parking
from services.remediator.gating.gates import Wish, refusal, soaking
from services.remediator.history import ENDED, History, is_applied
from services.remediator.planning.edge import Planner
from services.remediator.proposing.edge import Proposals
from services.remediator.settling.edge import Settlement
from services.remediator.wiring.edge import Wiring
from services.remediator.working.edge import Outcome, Work
from shared.errors import InputError
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Mode, PlanRecord, PlanStatus, Reason, ReasonCode
from shared.model.score import StoredScore
from shared.protection import exempted

KILLED = Reason(code=ReasonCode.KILL_SWITCH, message="the mode is off")
NOTHING_DUE = Reason(code=ReasonCode.COMPLIANT, message="nothing is half done, and nothing else was asked for")


class Case(NamedTuple):
    """One identity that was asked about: who it is, who asks, what speaks against acting, and the lock's token."""

    stored: StoredScore
    wish: Wish
    refused: Reason | None
    token: int


class Remediation:
    """Takes permissions away for one cause (the id of an event or request), each identity under its lock."""

    def __init__(self, wiring: Wiring, *, cause: str) -> None:
        self._wiring = wiring
        self._settings = wiring.settings
        self._work = Work(wiring, cause=cause)
        self._planner = Planner(self._work)
        self._proposals = Proposals(self._work)
        self._settlement = Settlement(self._work, self._planner.usage)

    def remediate(
        self,
        identity_id: str,
        *,
        trigger: str,
        asked_by_person: bool,
        approved_plan: str | None = None,
        approves: bool = True,
        propose_only: bool = False,
        by: str = "",
    ) -> Outcome:
        """Right-size an identity as far as mode, limits and safeguards allow; every way out is told as an event.

        With `approved_plan`, only exactly that plan is applied: where the identity or its usage changed since, the new
        plan is proposed instead. What an earlier delivery left half done is finished first, whatever the score says.
        """
        mode = self._wiring.mode()
        wish = Wish(mode, trigger, asked_by_person, approved_plan, approves, propose_only, by)
        stored = self._score(identity_id)
        identity = stored.score.identity
        if mode is Mode.OFF:
            return self._work.skip(identity, KILLED)
        max_age = self._settings.score_max_age_hours * 3600.0
        now = self._wiring.clock()
        threshold, provider = self._settings.threshold, self._settings.provider
        refused = refusal(stored, threshold=threshold, max_age_seconds=max_age, now=now, provider=provider)
        if refused and not self._is_unfinished(identity):
            return self._work.skip(identity, refused)
        with self._work.locked(identity) as token:
            return self._under_lock(Case(stored, wish, refused, token))

    def finish(self, identity_id: str, *, look: bool = False) -> Outcome:
        """Finish what was left half done for an identity that gives no reason to act; most often there is nothing.

        With `look`, IAM is asked even where the journal knows of nothing: somebody may have undone an applied plan.
        Whoever holds the lock is at work on it: their own delivery comes again if they fail.
        """
        current = self._wiring.journal.current(identity_id)
        record = self._wiring.journal.get(current.plan_id) if current else None
        if record is None:
            return self._nothing(identity_id)
        identity = record.plan.identity
        if self._wiring.mode() is Mode.OFF or self._wiring.journal.is_claimed(identity, now=self._wiring.clock()):
            return self._nothing(identity)
        self._work.tell_again(record)
        if not (look or self._is_unfinished(identity)):
            return self._nothing(identity)
        with self._work.locked(identity) as token:
            known = self._work.history(identity)
            gone, detail = self._work.look(identity, token)
            if detail is None:
                return self._settlement.clear(known, gone, token) or self._nothing(identity)
            if (known.is_under_way or look) and (protected := self._protected(detail)):
                return self._left_alone(identity, known, protected, plan_id=record.plan.plan_id)
            known = self._settlement.reconsidered(known)
            return self._settlement.settled(known, detail, token) or self._nothing(identity)

    def approve(self, plan_id: str, *, trigger: str, by: str = "") -> Outcome:
        """Apply a proposed plan because a person approved it, unless it expired (F4)."""
        return self._carry_out(plan_id, trigger=trigger, by=by, approves=True)

    def apply(self, plan_id: str, *, trigger: str, by: str = "") -> Outcome:
        """Carry out now, for a person, a plan that was approved, that people had notice of, or that was interrupted."""
        return self._carry_out(plan_id, trigger=trigger, by=by, approves=False)

    def reject(self, plan_id: str, *, by: str = "") -> Outcome:
        """End a proposed plan because a person doesn't want it, and leave the identity alone until a person asks.

        The kill switch doesn't stop that: it only prevents a change.
        """
        identity = self._record(plan_id).plan.identity
        with self._work.locked(identity):
            record, known = self._record(plan_id), self._work.history(identity)
            if record.status is PlanStatus.SKIPPED and record.reason and record.reason.code is ReasonCode.REJECTED:
                return self._work.tell(record)  # again: the same event
            if reason := _no_rejection(record, known):
                return self._work.skip(identity, reason, plan_id=plan_id)
            message = f"rejected by {by}" if by else "a person rejected it"
            changes = {
                "status": PlanStatus.SKIPPED,
                "reason": Reason(code=ReasonCode.REJECTED, message=message),
                "updated_at": self._wiring.clock(),
            }
            return self._work.tell(self._wiring.journal.save(record.model_copy(update=changes)))

    def _carry_out(self, plan_id: str, *, trigger: str, by: str, approves: bool) -> Outcome:
        record = self._record(plan_id)
        plan = record.plan
        if record.status is PlanStatus.PROPOSED and self._wiring.clock() >= plan.expires_at:
            message = f"plan {plan_id} expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC; ask for a new one"
            return self._work.skip(plan.identity, Reason(code=ReasonCode.EXPIRED, message=message), plan_id=plan_id)
        return self.remediate(
            plan.identity.identity_id,
            trigger=trigger,
            asked_by_person=True,
            approved_plan=plan_id,
            approves=approves,
            by=by,
        )

    def _record(self, plan_id: str) -> PlanRecord:
        record = self._wiring.journal.get(plan_id)
        if record is None:
            raise InputError(f"there is no plan {plan_id}")
        return record

    def _score(self, identity_id: str) -> StoredScore:
        stored = self._wiring.scores.get(self._settings.account_id, identity_id)
        if stored is None:
            raise InputError(f"{identity_id} was never scored")
        return stored

    def _is_unfinished(self, identity: IdentityRef) -> bool:
        known = self._work.history(identity)
        if known.is_under_way or not known.applied:
            return known.is_under_way
        stored = self._wiring.scores.get(self._settings.account_id, identity.identity_id)
        return stored is not None and not stored.present

    def _nothing(self, identity: IdentityRef | str) -> Outcome:
        """Nothing was due: counted, but not told, since nobody asked for a change."""
        return self._work.end(Outcome(PlanStatus.SKIPPED, "", NOTHING_DUE.code, NOTHING_DUE.message), identity)

    def _protected(self, detail: IdentityDetail) -> Reason | None:
        """Why the identity is left alone; an exemption that is over is told while it still holds a little longer."""
        reason = self._work.protection(detail)
        if reason and reason.code is ReasonCode.EXEMPT and (one := exempted(detail, self._work.safeguards)):
            told = expired_event(detail.ref, one, now=self._wiring.clock())
            if told:
                self._work.publish(told)
        return reason

    def _under_lock(self, case: Case) -> Outcome:
        identity, token = case.stored.score.identity, case.token
        known = self._work.history(identity)
        gone, detail = self._work.look(identity, token)
        if detail is None:
            return self._settlement.clear(known, gone, token) or self._work.skip(identity, gone)
        if protected := self._protected(detail):
            return self._left_alone(identity, known, protected)
        known = self._settlement.reconsidered(known)
        return self._settlement.settled(known, detail, token) or self._decide(case, detail, known)

    def _left_alone(
        self, identity: IdentityRef, known: History, protected: Reason, *, plan_id: str | None = None
    ) -> Outcome:
        """Nothing is changed; but an exemption wants the identity as it was, so what is half done is given back."""
        handed_over = self._settlement.hand_over(known, protected) if protected.code is ReasonCode.EXEMPT else None
        return handed_over or self._work.skip(identity, protected, plan_id=plan_id)

    def _decide(self, case: Case, detail: IdentityDetail, known: History) -> Outcome:
        record = known.record
        if record and record.status in ENDED and record.reason:
            self._work.publish(outcome_event(record))  # again, for a delivery that could not: the same event
        if record and is_applied(record, detail) and case.stored.score.scored_at <= record.updated_at:
            return self._work.tell(record)
        if reason := case.refused or self._not_without_a_person(case.wish, known):
            return self._work.skip(detail.ref, reason)
        plan = self._planner.plan(detail)
        if isinstance(plan, Reason):
            return self._work.skip(detail.ref, plan)
        proposed = self._proposals.propose(plan, detail, case.wish, known.record)
        return self._proposals.go(proposed, case.wish, case.token)

    def _not_without_a_person(self, wish: Wish, known: History) -> Reason | None:
        if wish.asked_by_person:
            return None
        if parked := parking(known.parked, known.record):
            return Reason(code=ReasonCode.PARKED, message=parked)
        return soaking(known.applied, now=self._wiring.clock())


def _no_rejection(record: PlanRecord, known: History) -> Reason | None:
    """Why a plan can't be rejected, or None."""
    plan_id = record.plan.plan_id
    if record.status is not PlanStatus.PROPOSED:
        message = f"plan {plan_id} is {record.status}: only a proposed plan can be rejected"
        return Reason(code=ReasonCode.DUPLICATE, message=message)
    if known.record and known.record.plan.plan_id != plan_id:
        message = f"plan {known.record.plan.plan_id} took the place of plan {plan_id}: reject that one"
        return Reason(code=ReasonCode.DUPLICATE, message=message)
    return None
