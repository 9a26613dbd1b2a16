"""Giving back what plans took, by a plan that restores some actions or by taking plans back; and telling the end."""

from collections.abc import Sequence

from aws_lambda_powertools.metrics import MetricUnit

from services.remediator.changing.ports import Protection
from services.remediator.deriving.inputs import Evidence
from services.remediator.deriving.restore import derive_restoration
from services.remediator.planning.edge import Planner
from services.remediator.watching.lines import Line
from services.remediator.watching.tellings import regretted_event, restored_event
from services.remediator.working.edge import Outcome, Work
from shared.model.identity import IdentityDetail
from shared.model.plan import Plan, PlanRecord, PlanStatus, Reason, ReasonCode, Regret, RegretResponse
from shared.observability import metrics

GIVEN_BACK = "regret"  # what triggers a plan that gives back by itself


class GivingBack:
    """Changes one identity whose lock (`token`) the caller holds."""

    def __init__(self, work: Work, token: int) -> None:
        self._work = work
        self._wiring = work.wiring
        self._planner = Planner(work)
        self.token = token

    def restore(
        self, line: Line, lost: Sequence[str], regrets: Sequence[Regret], detail: IdentityDetail, *, by: str = ""
    ) -> Outcome:
        """Apply a proven plan that takes the place of the one in force and gives these actions back, and no others.

        `by` is the person who asked, if one did. What can't be proven or applied is told to people instead.
        """
        plan = self._restoration(line, lost, detail)
        if isinstance(plan, Reason):
            return self.refuse(line, regrets, plan)
        record = self._work.put(plan, detail, trigger="request" if by else GIVEN_BACK, approved_by=by)
        return self._apply(line, regrets, record, protection=self.protection if by else None)

    def resume(self, line: Line, regrets: Sequence[Regret], record: PlanRecord) -> Outcome | None:
        """Go on with a restoration that was interrupted; None where something else is under way, which comes again."""
        if record.status is not PlanStatus.APPLYING or not record.plan.amends:
            return None
        return self._apply(line, regrets, record, protection=self.protection if record.approved_by else None)

    def take_back(self, records: Sequence[PlanRecord], reason: Reason) -> Outcome:
        """Roll plans back, newest first, as far as that succeeds; the outcome is the last one's."""
        return self._tell_all(self._taken_back(records, reason))

    def take_back_line(self, line: Line, regrets: Sequence[Regret], reason: Reason) -> Outcome:
        """Roll a whole line back because of regrets."""
        ended = self._taken_back(line.plans, reason)
        outcome = self._tell_all(ended)
        self._tell_end(line, ended[-1], PlanStatus.ROLLED_BACK, regrets)
        return outcome

    def refuse(self, line: Line, regrets: Sequence[Regret], reason: Reason) -> Outcome:
        """Nothing can be given back by itself: say why, and to people that it is theirs to do.

        The identity is left alone until they do, so that a flood of refusals can't ask the same again and again.
        """
        identity, plan_id = line.root.plan.identity, line.root.plan.plan_id
        self._alert(line, regrets)
        if regrets:
            self._work.point_to(identity, line.in_force.plan.plan_id, parked=f"not given back: {reason.message}"[:400])
        return self._work.skip(identity, reason, plan_id=plan_id)

    def protection(self, detail: IdentityDetail) -> Reason | None:
        """What protects an identity even from getting back what we took: anything but an exemption."""
        found = self._work.protection(detail)
        return None if found and found.code is ReasonCode.EXEMPT else found

    def _restoration(self, line: Line, lost: Sequence[str], detail: IdentityDetail) -> Plan | Reason:
        """The proven plan; Access Analyzer, where it is asked, compares it with what the identity had at first."""
        planner, before = self._planner, line.root.snapshot
        plan = derive_restoration(
            line.base,
            detail,
            lost,
            Evidence(planner.usage(detail.ref.identity_id), None),
            planner.knowledge(),
            planner.options(detail),
            now=self._wiring.clock(),
            surroundings=planner.surroundings(),
        )
        if isinstance(plan, Reason):
            return plan
        had = detail.model_copy(update={"policies": before.policies, "boundary": before.boundary})
        return planner.doubt(plan, had) or plan

    def _apply(
        self, line: Line, regrets: Sequence[Regret], record: PlanRecord, *, protection: Protection | None
    ) -> Outcome:
        record = self._work.saga(self.token, protection=protection).apply(record)
        outcome = self._work.tell(record)
        self._tell_end(line, record, PlanStatus.APPLIED, regrets)
        return outcome

    def _taken_back(self, records: Sequence[PlanRecord], reason: Reason) -> list[PlanRecord]:
        """Roll back as far as that succeeds; nothing is told before the end.

        Telling parks the identity: after a crash half way nobody would go on with the rest.
        """
        saga = self._work.saga(self.token, protection=self.protection)
        ended: list[PlanRecord] = []
        for record in records:
            ended.append(saga.roll_back(record, reason))
            if ended[-1].status not in {PlanStatus.ROLLED_BACK, PlanStatus.SKIPPED}:
                break
        return ended

    def _tell_all(self, ended: Sequence[PlanRecord]) -> Outcome:
        for record in ended[:-1]:
            self._work.announce(record)
        return self._work.tell(ended[-1])

    def _tell_end(self, line: Line, ended: PlanRecord, hoped: PlanStatus, regrets: Sequence[Regret]) -> None:
        """Tell that the regrets are over, or that they are not and a person must act."""
        if ended.status is not hoped:
            self._alert(line, regrets)
        elif regrets:
            told = restored_event(line, ended, regrets)
            self._work.publish(told)
            metrics.add_metric("SecondsToRestore", MetricUnit.Seconds, told.seconds_to_restore)

    def _alert(self, line: Line, regrets: Sequence[Regret]) -> None:
        if not regrets:
            return  # a person asked, and has the answer
        self._work.publish(regretted_event(line, regrets, RegretResponse.ALERT, now=self._wiring.clock()))
        metrics.add_metric("RestorationsFailed", MetricUnit.Count, 1)
