"""What all work of the remediator shares: the kill switch, an identity's lock, a look at it, the saga, its ending."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple

from aws_lambda_powertools.metrics import MetricUnit

from services.remediator.changing.fingerprint import take_snapshot
from services.remediator.changing.ports import Protection
from services.remediator.changing.saga import Saga, StopError
from services.remediator.core import (
    UNRECORDED,
    counts_as_failed,
    outcome_event,
    parking_of,
    restoration_due,
    skipped_event,
)
from services.remediator.history import ENDED, History, history_of, stack_of
from services.remediator.wiring.edge import Wiring
from shared.aws.journal import Current
from shared.errors import ConflictError
from shared.events import DomainEvent
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Mode, Plan, PlanRecord, PlanStatus, Reason, ReasonCode
from shared.model.safeguards import Safeguards
from shared.observability import logger, metrics
from shared.protection import EXPIRY_GRACE, protection_of

OUTCOMES = ENDED | {PlanStatus.APPLIED}
LEASE_MARGIN = timedelta(minutes=1)  # a function can't outlive its timeout; clocks may differ a little
LOCK_PATIENCE_SECONDS = 45  # most changes take less
TOLD_WITHIN = timedelta(days=1)  # an outcome that could not be told is told again for so long
MIN_SECONDS_TO_WAIT = 120.0  # so that a plan can still be carried out afterwards


class Outcome(NamedTuple):
    """How a message or request ended: a PlanStatus, with plan and reason."""

    outcome: str
    plan_id: str = ""
    reason: str = ""
    detail: str = ""


class Work:
    """The work on one message or request, whose id is `cause`."""

    def __init__(self, wiring: Wiring, *, cause: str) -> None:
        self.wiring = wiring
        self.cause = cause
        self._token = 0

    @cached_property
    def safeguards(self) -> Safeguards:
        """The team's safeguards, read once a message; raises DependencyError or SettingsError where they can't be."""
        return self.wiring.safeguards()

    def is_off(self) -> bool:
        """Whether the kill switch is thrown now; raises DependencyError or SettingsError where nobody can tell."""
        return self.wiring.mode() is Mode.OFF

    @contextmanager
    def locked(self, identity: IdentityRef) -> Iterator[int]:
        """Hold the identity's lock; ConflictError sends the message back to its queue while another delivery has it."""
        token = self._token = self._claim(identity)
        try:
            yield token
        finally:
            self.wiring.journal.release(identity, token, now=self.wiring.clock())

    def saga(self, token: int, *, protection: Protection | None = None) -> Saga:
        """The saga of whoever holds the lock; `protection` takes the place of the usual one."""
        wiring = self.wiring
        return Saga(
            reads=wiring.iam,
            changes=wiring.changes,
            journal=wiring.journal,
            clock=wiring.clock,
            sleep=wiring.sleep,
            remaining_seconds=wiring.remaining_seconds,
            halted=self.is_off,
            protection=protection or self.protection,
            dwell_seconds=wiring.settings.dwell_seconds,
            token=token,
            may_restore=wiring.settings.may_restore,
            soak=timedelta(days=wiring.settings.soak_days),
        )

    def look(self, identity: IdentityRef, token: int) -> tuple[Reason, IdentityDetail | None]:
        """The identity as IAM has it; None with the reason where several reads agree that it is gone."""
        try:
            return Reason(code=ReasonCode.REQUESTED, message=""), self.saga(token).look(identity)
        except StopError as error:
            return error.reason, None

    def history(self, identity: IdentityRef) -> History:
        """What the journal knows of an identity."""
        journal = self.wiring.journal
        current = journal.current(identity)
        if current is None:
            return History()
        return history_of(current.plan_id, current.parked, journal.get, reversions=current.reversions)

    def protection(self, detail: IdentityDetail) -> Reason | None:
        """Why nothing may be changed on an identity, or None; an exemption that ended protects for a while yet."""
        return protection_of(
            detail,
            stack_name=self.wiring.settings.stack_name,
            safeguards=self.safeguards,
            now=self.wiring.clock(),
            grace=EXPIRY_GRACE,
        )

    def put(self, plan: Plan, detail: IdentityDetail, *, trigger: str, **fields: object) -> PlanRecord:
        """Put a plan on paper as the identity's latest; one that was there before, or ended, is opened again.

        `fields` are further ones of the record. Asked for anew, an identity is not parked any more.
        """
        journal, now = self.wiring.journal, self.wiring.clock()
        known = journal.get(plan.plan_id)
        record = PlanRecord(
            plan=plan,
            snapshot=take_snapshot(detail),
            status=PlanStatus.PROPOSED,
            trigger=trigger,
            updated_at=now,
            version=known.version if known else 0,
            fencing_token=self._token,
        )
        saved = journal.save(PlanRecord.model_validate(dict(record) | fields))
        self.point_to(plan.identity, plan.plan_id)
        return saved

    def point_to(self, identity: IdentityRef, plan_id: str, *, parked: str = "", reversion: str = "") -> None:
        """Note an identity's latest plan, and why it is left alone from now on; `reversion` adds to those counted."""
        journal = self.wiring.journal
        before = journal.current(identity)
        reversions = before.reversions if before else ()
        if reversion and reversion not in reversions:
            reversions = (*reversions, reversion)
        latest = Current(plan_id, parked, reversions)
        journal.set_current(identity, latest, now=self.wiring.clock(), token=self._token)

    def publish(self, *events: DomainEvent) -> None:
        """Tell events."""
        self.wiring.publisher.publish(*events)

    def tell(self, record: PlanRecord) -> Outcome:
        """Announce how a plan ended, as the end of this piece of work."""
        self.announce(record)
        reason = record.reason
        code, message = (reason.code, reason.message) if reason else ("", "")
        return self.end(Outcome(record.status, record.plan.plan_id, code, message), record.plan.identity)

    def announce(self, record: PlanRecord) -> None:
        """Publish how a plan ended; after a failure the identity is left alone until a person asks again.

        A plan that this function may not take back itself is handed over to the one that may.
        """
        plan = record.plan
        if parked := parking_of(record):
            self._park(record, parked)
        if counts_as_failed(record):
            self.wiring.journal.note_failure(plan.identity.account_id, now=self.wiring.clock())
        if record.status is PlanStatus.ROLLING_BACK:
            self.publish(restoration_due(record, record.reason or UNRECORDED, now=record.updated_at))
        else:
            self._tell_outcome(record)

    def tell_again(self, record: PlanRecord) -> bool:
        """Publish how a plan ended if whoever ended it could not; whether that was so.

        It is noted what was told, so that the messages that come of an outcome don't have it told for ever. Whoever
        holds the identity's lock may be just about to tell it.
        """
        journal, now = self.wiring.journal, self.wiring.clock()
        if record.status not in OUTCOMES or now - record.updated_at > TOLD_WITHIN:
            return False
        if journal.is_claimed(record.plan.identity, now=now) or _outcome(record) in journal.told(record.plan.plan_id):
            return False
        self._tell_outcome(record)
        return True

    def skip(self, identity: IdentityRef, reason: Reason, *, plan_id: str | None = None) -> Outcome:
        """Tell that nothing is changed, and why."""
        now = self.wiring.clock()
        self.publish(skipped_event(identity, reason, cause=self.cause, now=now, plan_id=plan_id))
        return self.end(Outcome(PlanStatus.SKIPPED, plan_id or "", reason.code, reason.message), identity)

    def end(self, outcome: Outcome, identity: IdentityRef | str) -> Outcome:
        """Count and log how a message or request ended: every one ends here, exactly once."""
        metrics.add_metric(f"Remediation{outcome.outcome.title().replace('_', '')}", MetricUnit.Count, 1)
        who = identity if isinstance(identity, str) else identity.arn
        logger.info("remediation ended", who=who, **outcome._asdict())
        return outcome

    def _tell_outcome(self, record: PlanRecord) -> None:
        self.publish(outcome_event(record))
        self.wiring.journal.note_told(record.plan.plan_id, _outcome(record), now=self.wiring.clock())

    def _park(self, record: PlanRecord, why: str) -> None:
        """Leave an identity alone because of how a plan ended; one that it did not carry hides none that is in force.

        A plan that the latest one stands on takes its place: both were taken back.
        """
        identity, plan_id = record.plan.identity, record.plan.plan_id
        current = self.wiring.journal.current(identity)
        if current:
            stack = {one.plan.plan_id for one in stack_of(current.plan_id, self.wiring.journal.get)}
            plan_id = plan_id if plan_id in stack else current.plan_id
        self.point_to(identity, plan_id, parked=why)

    def _claim(self, identity: IdentityRef) -> int:
        """Wait a little for whoever is at work: a change makes verdicts of its own, which come while it is verified."""
        wiring = self.wiring
        for _ in range(LOCK_PATIENCE_SECONDS):
            lease = timedelta(seconds=wiring.remaining_seconds()) + LEASE_MARGIN
            try:
                return wiring.journal.claim(identity, wiring.owner, now=wiring.clock(), lease=lease)
            except ConflictError:
                if wiring.remaining_seconds() < MIN_SECONDS_TO_WAIT:
                    raise
                wiring.sleep(1)
        raise ConflictError(f"{identity.arn} is still being changed by another delivery")


def _outcome(record: PlanRecord) -> str:
    """Under what it is noted in the journal that an outcome was told."""
    return f"outcome/{record.version}"
