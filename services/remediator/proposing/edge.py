"""Putting a plan on paper, and from there into force: with notice, approval, holds and limits in between."""

from datetime import timedelta

from services.remediator.core import proposed_event
from services.remediator.gating.gates import Wish, changed_by_code, held, waiting
from services.remediator.gating.limits import Limits, over_limit
from services.remediator.gating.notice import applies_from, approved_by, noticed_at, unserved_notice
from services.remediator.working.edge import Outcome, Work
from shared.knowledge import load_catalogue
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Compliance, Plan, PlanRecord, PlanStatus


class Proposals:
    """Proposes plans, and applies those that need not wait."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._wiring = work.wiring
        self._settings = work.wiring.settings

    def propose(self, plan: Plan, detail: IdentityDetail, wish: Wish, former: PlanRecord | None) -> PlanRecord:
        """Tell a plan, and put it on paper with since when people know of it, and who approved it.

        In this order, so that no notice runs of which nobody was told; a crash in between tells it twice.
        """
        approves = wish.asked_by_person and wish.approves and not wish.propose_only
        exactly = wish.approved_plan in {None, plan.plan_id}
        hours, now = self._settings.notice_hours, self._wiring.clock()
        since = noticed_at(plan, former, wish.mode, load_catalogue(), notice=timedelta(hours=hours), now=now)
        over_at = applies_from(since, hours=hours)
        self._work.publish(proposed_event(plan, wish.mode, applies_from=over_at))
        return self._work.put(
            plan,
            detail,
            trigger=wish.trigger,
            noticed_at=since,
            approved_by=(wish.by or "a person") if approves and exactly else approved_by(plan, former),
        )

    def go(self, record: PlanRecord, wish: Wish, token: int) -> Outcome:
        """Apply a proposed plan if nothing says that it has to wait; the caller holds the lock (`token`)."""
        now = self._wiring.clock()
        plan_id, identity = record.plan.plan_id, record.plan.identity
        if reason := changed_by_code(record, wish):
            return self._work.skip(identity, reason, plan_id=plan_id)
        why = waiting(record, wish)
        if not why and not wish.asked_by_person:
            why = unserved_notice(record, hours=self._settings.notice_hours, now=now)
            if not why and (hold := held(self._work.safeguards, now=now)):
                return self._work.skip(identity, hold, plan_id=plan_id)
            why = why or self._spend(identity)
        if why:
            return self._work.end(Outcome(PlanStatus.PROPOSED, plan_id, detail=why), identity)
        return self._work.tell(self._work.saga(token).apply(record))

    def _spend(self, identity: IdentityRef) -> str:
        """Take a change out of the budget; why that is not possible, or ""."""
        limits = Limits(self._settings.max_changes_per_hour, self._settings.max_changed_percent)
        account, now = identity.account_id, self._wiring.clock()
        return self._wiring.journal.spend(
            account, now=now, refusal=lambda spent: over_limit(spent, limits, self._population, now=now)
        )

    def _population(self) -> int:
        """How many identities are judged: exempt ones and those that are gone don't count."""
        verdicts = self._wiring.scores.verdicts(self._settings.account_id)
        return sum(verdict.compliance is not Compliance.NOT_APPLICABLE for verdict in verdicts)
