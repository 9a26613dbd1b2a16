"""The applied plans of an identity as they stand on each other: which is in force, and what is taken back with what.

Pure. A plan that gives back what another took too much amends that one: both are one line, and go together.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.remediator.watching.regrets import is_watched
from shared.model.plan import PlanRecord, PlanStatus

TO_TAKE_BACK = frozenset({PlanStatus.APPLIED, PlanStatus.APPLYING, PlanStatus.ROLLING_BACK, PlanStatus.QUARANTINED})


class Line(NamedTuple):
    """Applied plans, newest first, down to the oldest one whose soak period runs, which regrets are measured by."""

    plans: tuple[PlanRecord, ...]

    @property
    def in_force(self) -> PlanRecord:
        """The newest plan: what the identity is left with."""
        return self.plans[0]

    @property
    def root(self) -> PlanRecord:
        """The oldest plan: what the identity had before."""
        return self.plans[-1]

    @property
    def base(self) -> PlanRecord:
        """The plan in force with the snapshot of the root: how much may be given back at most."""
        return self.root.model_copy(update={"plan": self.in_force.plan})


def watched_line(applied: Sequence[PlanRecord], now: datetime) -> Line | None:
    """The line of applied plans (newest first) that is watched now, or None."""
    watched = [place for place, record in enumerate(applied) if is_watched(record, now)]
    return _down_to(watched[-1], applied) if watched else None


def line_to(plan_id: str, applied: Sequence[PlanRecord]) -> Line | None:
    """The line of applied plans (newest first) down to this one; None where it is not among them."""
    places = [place for place, record in enumerate(applied) if record.plan.plan_id == plan_id]
    return _down_to(places[0], applied) if places else None


def _down_to(place: int, applied: Sequence[PlanRecord]) -> Line:
    """The plans down to one of them, and to what that amends: only there stands what the identity had before."""
    while applied[place].plan.amends in {record.plan.plan_id for record in applied[place + 1 :]}:
        place += 1
    return Line(tuple(applied[: place + 1]))


def taken_back_with(plan_id: str, stack: Sequence[PlanRecord]) -> tuple[tuple[PlanRecord, ...], PlanRecord | None]:
    """What has to be taken back before a plan, newest first; or the plan on top that a person must decide on first.

    `stack` are the plans of an identity, newest first. Those that amend the plan go with it, also half done; one that
    was never begun, or has ended, stands in nobody's way.
    """
    ids = [record.plan.plan_id for record in stack]
    above = stack[: ids.index(plan_id)] if plan_id in ids else ()
    line = {plan_id}
    for record in reversed(above):
        if record.plan.amends in line:
            line.add(record.plan.plan_id)
        elif record.status in TO_TAKE_BACK:
            return (), record
    return tuple(record for record in above if record.status in TO_TAKE_BACK), None
