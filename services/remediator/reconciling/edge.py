"""The reconciler: finds by the journal, the ledger and IAM what a lost message or a crash left undone, and asks for it.

It changes no identity: it tells the two functions that may, and deletes policies of ours that nothing stands on. Each
run does a bounded part, and begins with what waited longest, so that the next run goes on.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from aws_lambda_powertools.metrics import MetricUnit

from services.remediator.changing.steps import plan_of
from services.remediator.core import UNRECORDED, restoration_due
from services.remediator.history import reversion_of
from services.remediator.reconciling.due import Due, due_of, expired, plan_due
from services.remediator.reconciling.orphans import Belonging, OwnPolicy, belonging_of, may_be_idle
from services.remediator.watching.lines import Line, watched_line
from services.remediator.watching.reading.edge import read_regrets
from services.remediator.watching.tellings import telling_of
from services.remediator.wiring.edge import Wiring
from services.remediator.working.edge import OUTCOMES, TOLD_WITHIN, Work
from shared.errors import ConflictError, DependencyError, InputError
from shared.model.plan import Mode, PlanRecord, PlanStatus, Reason, ReasonCode, RegretResponse
from shared.observability import logger, metrics

T = TypeVar("T")

MIN_SECONDS_LEFT = 20.0  # for one more plan, and to report
MAX_OF_A_KIND = 500  # things that one run does of each kind
REGRETTED = "it was refused what the plan took away"
COUNTED = (  # always told, so that an alarm on one of them has data
    "PlansInterrupted",
    "NoticesOver",
    "ProposalsExpired",
    "OutcomesUntold",
    "RegretsMissed",
    "OrphansDeleted",
    "PlansDeserted",
    "ReconcileFailures",
    "ReconcileLeft",
)


class Reconciler:
    """One run over an account."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._journal = wiring.journal
        self._account = wiring.settings.account_id
        self._work = Work(wiring, cause=f"reconcile/{wiring.owner}")
        self._counts = Counter[str](dict.fromkeys(COUNTED, 0))

    def run(self) -> dict[str, int]:
        """Look through everything once; gives how much was found of each kind.

        While the mode is off nothing is asked for and nothing deleted. Raises DependencyError where mode, journal or
        IAM can't be read at all.
        """
        mode = self._wiring.mode()
        if mode is not Mode.OFF:
            self._each(self._unfinished(), lambda record: self._settle(record, mode))
            self._each(self._with(PlanStatus.PROPOSED, oldest_first=True), lambda record: self._settle(record, mode))
            self._each(self._ended(), self._tell)
            self._each(self._lines(), self._watch)
            self._each(self._idle_policies(), self._collect)
        for name, count in self._counts.items():
            metrics.add_metric(name, MetricUnit.Count, count)
        logger.info("reconciled", mode=mode, counts=dict(self._counts))
        return dict(self._counts)

    def _each(self, things: Iterable[T], act: Callable[[T], bool]) -> None:
        """Act on one thing after the other; one that fails stops no other, and comes again in the next run.

        Only where something was done, as `act` tells, it counts: what need not be done must not keep the rest waiting.
        """
        done = 0
        for thing in things:
            if done == MAX_OF_A_KIND or self._wiring.remaining_seconds() < MIN_SECONDS_LEFT:
                self._counts["ReconcileLeft"] += 1
                return
            try:
                done += act(thing)
            except (DependencyError, InputError) as error:
                self._failed(error)

    def _failed(self, error: DependencyError | InputError) -> None:
        self._counts["ReconcileFailures"] += 1
        logger.warning("not reconciled", error=type(error).__name__, reason=str(error))

    def _with(
        self, status: PlanStatus, *, since: datetime | None = None, oldest_first: bool = False
    ) -> Iterator[PlanRecord]:
        return self._journal.with_status(
            self._account, status, since=since, oldest_first=oldest_first, unreadable=self._failed
        )

    def _unfinished(self) -> Iterator[PlanRecord]:
        for status in (PlanStatus.APPLYING, PlanStatus.ROLLING_BACK):
            yield from self._with(status, oldest_first=True)

    def _settle(self, listed: PlanRecord, mode: Mode) -> bool:
        """Ask for what is due for a plan; what the index says is checked against the journal itself."""
        if not self._may_be_due(listed, mode):
            return False
        record = self._journal.get(listed.plan.plan_id)
        due = self._due(record, mode, is_current=self._is_current(record)) if record else Due.NOTHING
        if record is None or due is Due.NOTHING:
            return False
        now = self._wiring.clock()
        if due is Due.EXPIRE:
            self._end(expired(record, now=now))
        elif due is Due.TAKE_BACK:
            self._work.publish(restoration_due(record, record.reason or UNRECORDED, now=now))
            self._counts["PlansInterrupted"] += 1
        else:
            self._work.publish(plan_due(record, due, now=now))
            self._counts["PlansInterrupted" if due is Due.RESUME else "NoticesOver"] += 1
        return True

    def _end(self, record: PlanRecord) -> None:
        """End a proposal, unless somebody wrote to it in this moment: then it is looked at again in the next run."""
        try:
            saved = self._journal.save(record)
        except ConflictError:
            return
        self._work.announce(saved)
        self._counts["ProposalsExpired"] += 1

    def _may_be_due(self, record: PlanRecord, mode: Mode) -> bool:
        """Whether a plan is worth two reads: current or not, something may be due."""
        return any(self._due(record, mode, is_current=current) is not Due.NOTHING for current in (True, False))

    def _due(self, record: PlanRecord, mode: Mode, *, is_current: bool) -> Due:
        notice = timedelta(hours=self._wiring.settings.notice_hours)
        return due_of(record, mode=mode, notice=notice, is_current=is_current, now=self._wiring.clock())

    def _is_current(self, record: PlanRecord | None) -> bool:
        current = self._journal.current(record.plan.identity) if record else None
        return record is not None and current is not None and current.plan_id == record.plan.plan_id

    def _ended(self) -> Iterator[PlanRecord]:
        since = self._wiring.clock() - TOLD_WITHIN
        for status in sorted(OUTCOMES):
            yield from self._with(status, since=since)

    def _tell(self, listed: PlanRecord) -> bool:
        """Tell how a plan ended, where whoever ended it could not."""
        record = self._journal.get(listed.plan.plan_id)
        told = record is not None and self._work.tell_again(record)
        self._counts["OutcomesUntold"] += told
        return told

    def _lines(self) -> Iterator[Line]:
        """The plans in force that are watched now, one line an identity; each run begins with another one of them."""
        now, by_identity = self._wiring.clock(), defaultdict[str, list[PlanRecord]](list)
        for record in self._with(PlanStatus.APPLIED, since=now - timedelta(days=self._wiring.settings.soak_days + 1)):
            by_identity[record.plan.identity.identity_id].append(record)
        lines = [line for records in by_identity.values() if (line := watched_line(records, now))]
        start = int(now.timestamp() // 3600) * MAX_OF_A_KIND % len(lines) if lines else 0
        yield from (*lines[start:], *lines[:start])

    def _watch(self, line: Line) -> bool:
        """Ask for a closer look where the ledger tells of a regret: its message may be lost, or still to come."""
        regrets = read_regrets(self._wiring, line)
        if not regrets:
            return False
        told = self._journal.told(line.root.plan.plan_id)
        missed = [regret for regret in regrets if telling_of(line, regret) not in told]
        self._counts["RegretsMissed"] += len(missed)
        if not missed and self._wiring.settings.on_regret is RegretResponse.ALERT:
            return False
        reason = Reason(code=ReasonCode.REGRET, message=REGRETTED)
        self._work.publish(restoration_due(line.root, reason, now=self._wiring.clock()))
        return True

    def _idle_policies(self) -> Iterator[OwnPolicy]:
        now = self._wiring.clock()
        return (policy for policy in self._wiring.own_policies.list() if may_be_idle(policy, now=now))

    def _is_on_top(self, record: PlanRecord) -> bool:
        """Whether a plan is the latest one of its identity that is in force, as far as the journal knows."""
        known = self._work.history(record.plan.identity)
        on_top = known.applied[0].plan.plan_id if known.applied else ""
        return record.plan.plan_id == on_top and reversion_of(record) not in known.reversions

    def _collect(self, policy: OwnPolicy) -> bool:
        """Delete a policy of ours that no plan needs, with the intent on paper first (I10); IAM spares one in use."""
        plan_id, now = plan_of(policy.arn), self._wiring.clock()
        record = self._journal.get(plan_id)
        belonging = belonging_of(record, is_on_top=record is not None and self._is_on_top(record))
        if record and belonging is Belonging.DESERTED:
            self._work.publish(plan_due(record, Due.RESUME, now=now))
            self._counts["PlansDeserted"] += 1
            return True
        if belonging is not Belonging.ORPHAN or (record and self._journal.is_claimed(record.plan.identity, now=now)):
            return False
        self._journal.note_orphan(plan_id, policy.arn, "", now=now)
        deleted = self._wiring.own_policies.delete(policy.arn)
        self._journal.note_orphan(plan_id, policy.arn, "done" if deleted else "not done: in use", now=now)
        self._counts["OrphansDeleted"] += deleted
        logger.info("orphan collected", policy_arn=policy.arn, deleted=deleted)
        return True
