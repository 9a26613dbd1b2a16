"""One identity's remediation, wired to AWS: gate, lock, plan, prove, propose or apply, tell. Everything is re-read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.core import (
    is_applied,
    may_apply,
    newly_used,
    outcome_event,
    parking,
    parking_of,
    proposed_event,
    refusal,
    skipped_event,
)
from services.remediator.derive import Evidence, Knowledge, Options, derive_plan
from services.remediator.fingerprint import take_snapshot
from services.remediator.history import ENDED, FAILED, UNDER_WAY, History, carried_plan, history_of, stack_of, taken_off
from services.remediator.saga import Saga, StopError
from services.remediator.settings import RemediationSettings
from shared.aws import clients
from shared.aws.account_snapshots import AccountSnapshots
from shared.aws.account_surroundings import Found, StoredSurroundings
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.iam import IamReader
from shared.aws.iam_changes import IamChanges
from shared.aws.journal import Current, Journal
from shared.aws.last_accessed import LastAccessedReader
from shared.aws.score_table import ScoreTable
from shared.aws.ssm import read_mode
from shared.aws.usage_ledger import UsageLedger
from shared.errors import ConflictError, InputError
from shared.events import Service
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Mode, Plan, PlanRecord, PlanStatus, Reason, ReasonCode
from shared.model.score import StoredScore
from shared.model.usage import IdentityKey, Usage
from shared.observability import logger, metrics, utc_now
from shared.pci.score import ScoreParameters
from shared.protection import protection_of

LEASE_MARGIN = timedelta(minutes=1)  # a function can't outlive its timeout; clocks may differ a little
LOCK_PATIENCE_SECONDS = 45  # most changes take less
MIN_SECONDS_TO_WAIT = 120.0  # so that a plan can still be carried out afterwards
MAX_CHANGES_PER_HOUR = 25  # begun without a person, in the whole account
KILLED = Reason(code=ReasonCode.KILL_SWITCH, message="the mode is off")


class Outcome(NamedTuple):
    """How a request ended: PROPOSED, APPLIED, SKIPPED, ROLLED_BACK or QUARANTINED, with plan and reason."""

    outcome: str
    plan_id: str = ""
    reason: str = ""
    detail: str = ""


class Wish(NamedTuple):
    """Who wants an identity right-sized, and how far the mode lets them."""

    mode: Mode
    trigger: str
    asked_by_person: bool
    approved_plan: str | None


class Case(NamedTuple):
    """One identity that was asked about: its score, who asks, what speaks against acting, and the lock's token."""

    stored: StoredScore
    wish: Wish
    refused: Reason | None
    token: int


class Remediation:
    """Acts on identities for one cause (the id of an event or request), each under its lock."""

    def __init__(self, settings: RemediationSettings, context: LambdaContext, *, cause: str) -> None:
        dynamodb = clients.dynamodb()
        self._settings = settings
        self._context = context
        self._cause = cause
        self._iam = IamReader(clients.iam())
        self._journal = Journal(Table(dynamodb, settings.journal_table))
        scores = Table(dynamodb, settings.scores_table)
        self._scores = ScoreTable(scores)
        self._surroundings = StoredSurroundings(
            AccountSnapshots(scores), settings.account_id, has_inventory=settings.has_inventory, note=_note
        )
        self._ledger = UsageLedger(Table(dynamodb, settings.usage_table))
        self._publisher = Publisher(clients.events(), settings.event_bus, Service.REMEDIATOR)

    def remediate(
        self, identity_id: str, *, trigger: str, asked_by_person: bool, approved_plan: str | None = None
    ) -> Outcome:
        """Right-size an identity as far as the mode allows; every way out is told as an event.

        With `approved_plan`, only exactly that plan is applied: where the identity or its usage changed since, the new
        plan is proposed instead. What an earlier delivery left half done is finished first, whatever the score says.
        """
        mode = self._mode()
        stored = self._score(identity_id)
        identity = stored.score.identity
        if mode is Mode.OFF:
            return self._skip(identity, KILLED)
        max_age = self._settings.score_max_age_hours * 3600.0
        refused = refusal(stored, threshold=self._settings.threshold, max_age_seconds=max_age, now=utc_now())
        if refused and not self._is_unfinished(stored):
            return self._skip(identity, refused)
        with self._locked(identity) as token:
            wish = Wish(mode, trigger, asked_by_person, approved_plan)
            return self._under_lock(Case(stored, wish, refused, token))

    def finish(self, identity_id: str) -> Outcome | None:
        """Finish what was left half done for an identity that gives no reason to act; None where there is nothing.

        Whoever holds the lock is at work on it: their own delivery comes again if they fail.
        """
        stored = self._scores.get(self._settings.account_id, identity_id)
        if stored is None or not self._is_unfinished(stored) or self._mode() is Mode.OFF:
            return None
        identity = stored.score.identity
        if self._journal.is_claimed(identity, now=utc_now()):
            return None
        with self._locked(identity) as token:
            known = self._history(identity)
            gone, detail = self._look(identity, token)
            if detail is None:
                return self._clear(known.applied, known.record, gone, token)
            if known.record is None or not known.is_under_way:
                return None
            if protected := self._protection(detail):
                return self._skip(identity, protected, plan_id=known.record.plan.plan_id)
            return self._resume(known.record, detail, token)

    def approve(self, plan_id: str, *, trigger: str) -> Outcome:
        """Apply a proposed plan because a person approved it, unless it expired (F4)."""
        plan = self._record(plan_id).plan
        if self._record(plan_id).status is PlanStatus.PROPOSED and utc_now() >= plan.expires_at:
            message = f"plan {plan_id} expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC; ask for a new one"
            return self._skip(plan.identity, Reason(code=ReasonCode.EXPIRED, message=message), plan_id=plan_id)
        return self.remediate(plan.identity.identity_id, trigger=trigger, asked_by_person=True, approved_plan=plan_id)

    def roll_back(self, plan_id: str) -> Outcome:
        """Take an applied plan back because a person asked, and leave the identity alone from then on."""
        identity = self._record(plan_id).plan.identity
        if self._mode() is Mode.OFF:
            return self._skip(identity, KILLED, plan_id=plan_id)
        with self._locked(identity) as token:
            record = self._record(plan_id)
            if reason := self._no_rollback(record, token):
                return self._skip(identity, reason, plan_id=plan_id)
            reason = Reason(code=ReasonCode.REQUESTED, message="a person asked for it")
            return self._tell(self._saga(token).roll_back(record, reason))

    def _no_rollback(self, record: PlanRecord, token: int) -> Reason | None:
        """Why a plan can't be taken back now, or None."""
        plan = record.plan
        if record.status not in {PlanStatus.APPLIED, *UNDER_WAY, PlanStatus.QUARANTINED}:
            message = f"plan {plan.plan_id} is {record.status}: there is nothing to take back"
            return Reason(code=ReasonCode.DUPLICATE, message=message)
        _, detail = self._look(plan.identity, token)
        if detail is None:
            return None
        carried = carried_plan(detail)
        under = {one.plan.plan_id for one in stack_of(carried, self._journal.get)} - {carried}
        if plan.plan_id in under:
            message = f"plan {carried} was applied on top of plan {plan.plan_id}: take that one back first"
            return Reason(code=ReasonCode.LOCKED, message=message)
        return self._protection(detail)

    def _record(self, plan_id: str) -> PlanRecord:
        record = self._journal.get(plan_id)
        if record is None:
            raise InputError(f"there is no plan {plan_id}")
        return record

    def _score(self, identity_id: str) -> StoredScore:
        stored = self._scores.get(self._settings.account_id, identity_id)
        if stored is None:
            raise InputError(f"{identity_id} was never scored")
        return stored

    def _mode(self) -> Mode:
        return read_mode(clients.ssm(), self._settings.mode_parameter)

    def _history(self, identity: IdentityRef) -> History:
        current = self._journal.current(identity)
        return history_of(current.plan_id, current.parked, self._journal.get) if current else History()

    def _is_unfinished(self, stored: StoredScore) -> bool:
        known = self._history(stored.score.identity)
        return known.is_under_way or bool(known.applied and not stored.present)

    def _look(self, identity: IdentityRef, token: int) -> tuple[Reason, IdentityDetail | None]:
        """The identity as IAM has it; None with the reason where several reads agree that it is gone."""
        try:
            return Reason(code=ReasonCode.REQUESTED, message=""), self._saga(token).look(identity)
        except StopError as error:
            return error.reason, None

    def _protection(self, detail: IdentityDetail) -> Reason | None:
        return protection_of(detail, stack_name=self._settings.stack_name)

    def _under_lock(self, case: Case) -> Outcome:
        identity, token = case.stored.score.identity, case.token
        known = self._history(identity)
        gone, detail = self._look(identity, token)
        if detail is None:
            return self._clear(known.applied, known.record, gone, token) or self._skip(identity, gone)
        if protected := self._protection(detail):
            return self._skip(identity, protected)
        if known.record and known.is_under_way:
            return self._resume(known.record, detail, token)
        if lost := self._lost(known, detail, token):
            message = f"somebody took off the boundary of plan {lost[0].plan.plan_id}, which wins"
            self._journal.set_current(identity, Current(lost[0].plan.plan_id, message), now=utc_now())
            drift = Reason(code=ReasonCode.DRIFT, message=message)
            return self._clear(lost, None, drift, token) or self._skip(identity, drift)
        return self._decide(case, detail, known)

    def _decide(self, case: Case, detail: IdentityDetail, known: History) -> Outcome:
        record, wish = known.record, case.wish
        if record and record.status in ENDED and record.reason:
            self._publisher.publish(outcome_event(record))  # again, for a delivery that could not: the same event
        if record and is_applied(record, detail) and case.stored.score.scored_at <= record.updated_at:
            return self._tell(record)
        if case.refused:
            return self._skip(detail.ref, case.refused)
        if not wish.asked_by_person and (parked := parking(known.parked, record)):
            return self._skip(detail.ref, Reason(code=ReasonCode.PARKED, message=parked))
        plan = self._plan(detail)
        if isinstance(plan, Reason):
            return self._skip(detail.ref, plan)
        return self._propose_and_apply(plan, detail, wish, case.token)

    def _propose_and_apply(self, plan: Plan, detail: IdentityDetail, wish: Wish, token: int) -> Outcome:
        record = self._propose(plan, detail, wish)
        if wish.approved_plan not in {None, plan.plan_id}:
            message = f"things changed since plan {wish.approved_plan} was proposed; this plan takes its place"
            return self._waits(plan, message)
        if not may_apply(wish.mode, asked_by_person=wish.asked_by_person):
            return self._waits(plan, f"not applied, the mode is {wish.mode}")
        if not wish.asked_by_person and not self._journal.spend(
            plan.identity.account_id, now=utc_now(), limit=MAX_CHANGES_PER_HOUR
        ):
            return self._waits(plan, f"{MAX_CHANGES_PER_HOUR} changes were begun in this hour")
        return self._tell(self._saga(token).apply(record))

    def _lost(self, known: History, detail: IdentityDetail, token: int) -> tuple[PlanRecord, ...]:
        lost = taken_off(known, detail)
        return lost if lost and self._saga(token).has_lost(lost[0]) else ()

    def _clear(
        self, applied: tuple[PlanRecord, ...], record: PlanRecord | None, reason: Reason, token: int
    ) -> Outcome | None:
        """End plans that nothing stands on any more and remove their policies; None where there are none."""
        under_way = [record] if record and record.status in UNDER_WAY else []
        outcomes = [self._tell(self._saga(token).roll_back(one, reason)) for one in (*under_way, *applied)]
        return outcomes[0] if outcomes else None

    def _resume(self, record: PlanRecord, detail: IdentityDetail, token: int) -> Outcome:
        """Go on with what an earlier delivery could not finish; take back what would cost a use seen since."""
        saga = self._saga(token)
        if record.status is PlanStatus.ROLLING_BACK and record.reason:
            return self._tell(saga.roll_back(record, record.reason))
        usage = self._usage(detail)
        if wanted := newly_used(record.plan, usage):
            message = f"used since the plan was made: {', '.join(wanted[:5])}"
            return self._tell(saga.roll_back(record, Reason(code=ReasonCode.DRIFT, message=message)))
        return self._tell(saga.apply(record))

    def _usage(self, detail: IdentityDetail) -> Usage:
        since = utc_now() - timedelta(days=self._settings.window_days)
        return self._ledger.read(IdentityKey(self._settings.account_id, detail.ref.identity_id), since=since)

    def _plan(self, detail: IdentityDetail) -> Plan | Reason:
        settings, now = self._settings, utc_now()
        evidence = Evidence(self._usage(detail), LastAccessedReader(clients.iam()).read(detail.ref.arn))
        knowledge = Knowledge(load_catalogue(), load_risk(), ScoreParameters())
        options = Options(
            strategy=settings.strategy,
            window_days=settings.window_days,
            threshold=settings.threshold,
            min_observed_days=settings.min_observed_days,
            ttl=timedelta(hours=settings.plan_ttl_hours),
        )
        around = self._surroundings.remembered()
        return derive_plan(detail, evidence, knowledge, options, now=now, surroundings=around)

    def _propose(self, plan: Plan, detail: IdentityDetail, wish: Wish) -> PlanRecord:
        """Put the plan on paper; one that was proposed before, or that ended, is opened again as it now is."""
        known = self._journal.get(plan.plan_id)
        record = self._journal.save(
            PlanRecord(
                plan=plan,
                snapshot=take_snapshot(detail),
                status=PlanStatus.PROPOSED,
                trigger=wish.trigger,
                updated_at=utc_now(),
                version=known.version if known else 0,
            )
        )
        self._journal.set_current(plan.identity, Current(plan.plan_id, parked=""), now=utc_now())
        self._publisher.publish(proposed_event(plan, wish.mode))
        return record

    def _waits(self, plan: Plan, why: str) -> Outcome:
        return self._end(Outcome(PlanStatus.PROPOSED, plan.plan_id, detail=why), plan.identity)

    def _tell(self, record: PlanRecord) -> Outcome:
        """Publish how a plan ended; after a failure the identity is left alone until a person asks again."""
        plan, reason = record.plan, record.reason
        if record.status in FAILED:
            self._journal.set_current(plan.identity, Current(plan.plan_id, parking_of(record)), now=utc_now())
        self._publisher.publish(outcome_event(record))
        code, message = (reason.code, reason.message) if reason else ("", "")
        return self._end(Outcome(record.status, plan.plan_id, code, message), plan.identity)

    def _skip(self, identity: IdentityRef, reason: Reason, *, plan_id: str | None = None) -> Outcome:
        told = skipped_event(identity, reason, cause=self._cause, now=utc_now(), plan_id=plan_id)
        self._publisher.publish(told)
        return self._end(Outcome(PlanStatus.SKIPPED, plan_id or "", reason.code, reason.message), identity)

    def _end(self, outcome: Outcome, identity: IdentityRef) -> Outcome:
        """Count and log how a verdict or request ended: every one ends here, exactly once."""
        metrics.add_metric(f"Remediation{outcome.outcome.title().replace('_', '')}", MetricUnit.Count, 1)
        logger.info("remediation ended", arn=identity.arn, **outcome._asdict())
        return outcome

    def _saga(self, token: int) -> Saga:
        return Saga(
            reads=self._iam,
            changes=IamChanges(clients.iam()),
            journal=self._journal,
            clock=utc_now,
            sleep=time.sleep,
            remaining_seconds=self._remaining_seconds,
            halted=lambda: self._mode() is Mode.OFF,
            protection=self._protection,
            dwell_seconds=self._settings.dwell_seconds,
            token=token,
        )

    @contextmanager
    def _locked(self, identity: IdentityRef) -> Iterator[int]:
        """Hold the identity's lock; ConflictError sends the message back to its queue while another delivery has it."""
        token = self._claim(identity)
        try:
            yield token
        finally:
            self._journal.release(identity, token, now=utc_now())

    def _claim(self, identity: IdentityRef) -> int:
        """Wait a little for whoever is at work: a change makes verdicts of its own, which come while it is verified."""
        for _ in range(LOCK_PATIENCE_SECONDS):
            lease = timedelta(seconds=self._remaining_seconds()) + LEASE_MARGIN
            try:
                return self._journal.claim(identity, self._context.aws_request_id, now=utc_now(), lease=lease)
            except ConflictError:
                if self._remaining_seconds() < MIN_SECONDS_TO_WAIT:
                    raise
                time.sleep(1)
        raise ConflictError(f"{identity.arn} is still being changed by another delivery")

    def _remaining_seconds(self) -> float:
        return self._context.get_remaining_time_in_millis() / 1000


def _note(found: Found) -> None:
    """What this version can't read counts as never stored, until the next sweep stores it anew."""
    if found.is_of_another_version:
        metrics.add_metric("SnapshotsUnread", MetricUnit.Count, 1)
        logger.warning("a stored snapshot is of another version", snapshot=found.name)
