"""One identity's remediation, wired to AWS: gate, lock, plan, prove, propose or apply, tell. Everything is re-read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.remediator.core import (
    is_applied,
    may_apply,
    outcome_event,
    proposed_event,
    refusal,
    skipped_event,
)
from services.remediator.derive import Evidence, Knowledge, Options, derive_plan
from services.remediator.fingerprint import take_snapshot
from services.remediator.saga import Saga
from services.remediator.settings import RemediationSettings
from shared.aws import clients
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.iam import IamReader
from shared.aws.iam_changes import IamChanges
from shared.aws.journal import Current, Journal
from shared.aws.score_table import ScoreTable
from shared.aws.ssm import read_mode
from shared.aws.usage_ledger import UsageLedger
from shared.errors import InputError, NotFoundError
from shared.events import Service
from shared.knowledge import load_catalogue, load_risk
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Mode, Plan, PlanRecord, PlanStatus, Reason, ReasonCode
from shared.observability import logger, utc_now
from shared.pci.score import ScoreParameters
from shared.protection import protection_of

LEASE = timedelta(minutes=15)  # at least the functions' timeout
UNDER_WAY = frozenset({PlanStatus.APPLYING, PlanStatus.ROLLING_BACK})
FAILED = frozenset({PlanStatus.ROLLED_BACK, PlanStatus.QUARANTINED})


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


class Remediation:
    """Acts on identities for one cause (the id of an event or request), each under its lock."""

    def __init__(self, settings: RemediationSettings, context: LambdaContext, *, cause: str) -> None:
        dynamodb = clients.dynamodb()
        self._settings = settings
        self._context = context
        self._cause = cause
        self._iam = IamReader(clients.iam())
        self._journal = Journal(Table(dynamodb, settings.journal_table))
        self._scores = ScoreTable(Table(dynamodb, settings.scores_table))
        self._ledger = UsageLedger(Table(dynamodb, settings.usage_table))
        self._publisher = Publisher(clients.events(), settings.event_bus, Service.REMEDIATOR)

    def remediate(
        self, identity_id: str, *, trigger: str, asked_by_person: bool, approved_plan: str | None = None
    ) -> Outcome:
        """Right-size an identity as far as the mode allows; every way out is told as an event.

        With `approved_plan`, only exactly that plan is applied: where the identity or its usage changed since, the new
        plan is proposed instead.
        """
        now = utc_now()
        mode = read_mode(clients.ssm(), self._settings.mode_parameter)
        stored = self._scores.get(self._settings.account_id, identity_id)
        max_age = self._settings.score_max_age_hours * 3600.0
        reason = refusal(stored, threshold=self._settings.threshold, max_age_seconds=max_age, now=now)
        if stored is None:
            raise InputError(f"{identity_id} was never scored")
        identity = stored.score.identity
        if mode is Mode.OFF:
            reason = Reason(code=ReasonCode.KILL_SWITCH, message="the mode is off")
        if reason:
            return self._skip(identity, reason)
        with self._locked(identity) as token:
            wish = Wish(mode, trigger, asked_by_person, approved_plan)
            return self._under_lock(identity, wish, token)

    def approve(self, plan_id: str, *, trigger: str) -> Outcome:
        """Apply a proposed plan because a person approved it."""
        identity = self._record(plan_id).plan.identity
        return self.remediate(identity.identity_id, trigger=trigger, asked_by_person=True, approved_plan=plan_id)

    def roll_back(self, plan_id: str) -> Outcome:
        """Take an applied plan back because a person asked, and leave the identity alone from then on."""
        mode = read_mode(clients.ssm(), self._settings.mode_parameter)
        record = self._record(plan_id)
        if mode is Mode.OFF:
            return self._skip(record.plan.identity, Reason(code=ReasonCode.KILL_SWITCH, message="the mode is off"))
        if record.status not in {PlanStatus.APPLIED, *UNDER_WAY, PlanStatus.QUARANTINED}:
            message = f"plan {plan_id} is {record.status}: there is nothing to take back"
            return self._skip(record.plan.identity, Reason(code=ReasonCode.DUPLICATE, message=message))
        identity = record.plan.identity
        with self._locked(identity) as token:
            reason = Reason(code=ReasonCode.REQUESTED, message="a person asked for it")
            return self._tell(self._saga(token).roll_back(record, reason))

    def _record(self, plan_id: str) -> PlanRecord:
        record = self._journal.get(plan_id)
        if record is None:
            raise InputError(f"there is no plan {plan_id}")
        return record

    def _under_lock(self, identity: IdentityRef, wish: Wish, token: int) -> Outcome:
        try:
            detail = self._iam.verified(identity, now=utc_now())
        except NotFoundError as error:
            return self._skip(identity, Reason(code=ReasonCode.GONE, message=str(error)))
        if protected := protection_of(detail, stack_name=self._settings.stack_name):
            return self._skip(identity, protected)
        current = self._journal.current(identity)
        record = self._journal.get(current.plan_id) if current else None
        if record and record.status in UNDER_WAY:
            return self._resume(record, token)
        if record and is_applied(record, detail):
            return self._tell(record)
        if current and current.parked and not wish.asked_by_person:
            return self._skip(identity, Reason(code=ReasonCode.PARKED, message=current.parked))
        return self._plan_and_apply(detail, wish, token)

    def _resume(self, record: PlanRecord, token: int) -> Outcome:
        """Go on with what an earlier delivery could not finish."""
        if record.status is PlanStatus.ROLLING_BACK and record.reason:
            return self._tell(self._saga(token).roll_back(record, record.reason))
        return self._tell(self._saga(token).apply(record))

    def _plan_and_apply(self, detail: IdentityDetail, wish: Wish, token: int) -> Outcome:
        plan = self._plan(detail)
        if isinstance(plan, Reason):
            return self._skip(detail.ref, plan)
        record = self._propose(plan, detail, wish)
        if wish.approved_plan not in {None, plan.plan_id}:
            message = f"things changed since plan {wish.approved_plan} was proposed; this plan takes its place"
            return Outcome(PlanStatus.PROPOSED, plan.plan_id, detail=message)
        if not may_apply(wish.mode, asked_by_person=wish.asked_by_person):
            return Outcome(PlanStatus.PROPOSED, plan.plan_id, detail=f"the mode is {wish.mode}")
        return self._tell(self._saga(token).apply(record))

    def _plan(self, detail: IdentityDetail) -> Plan | Reason:
        settings, now = self._settings, utc_now()
        since = now - timedelta(days=settings.window_days)
        usage = self._ledger.read(detail.ref.identity_id, settings.account_id, since=since)
        evidence = Evidence(usage, self._iam.services_last_accessed(detail.ref.arn))
        knowledge = Knowledge(load_catalogue(), load_risk(), ScoreParameters())
        options = Options(
            strategy=settings.strategy,
            window_days=settings.window_days,
            threshold=settings.threshold,
            min_observed_days=settings.min_observed_days,
            ttl=timedelta(hours=settings.plan_ttl_hours),
        )
        return derive_plan(detail, evidence, knowledge, options, now=now)

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

    def _tell(self, record: PlanRecord) -> Outcome:
        """Publish how a plan ended; after a failure the identity is left alone until a person asks again."""
        self._publisher.publish(outcome_event(record))
        if record.status in FAILED and record.reason:
            parked = f"plan {record.plan.plan_id} is {record.status}: {record.reason.message}"[:400]
            self._journal.set_current(record.plan.identity, Current(record.plan.plan_id, parked), now=utc_now())
        logger.info("plan ended", plan_id=record.plan.plan_id, status=record.status, arn=record.plan.identity.arn)
        reason = record.reason
        return Outcome(
            record.status, record.plan.plan_id, reason.code if reason else "", reason.message if reason else ""
        )

    def _skip(self, identity: IdentityRef, reason: Reason) -> Outcome:
        self._publisher.publish(skipped_event(identity, reason, cause=self._cause, now=utc_now()))
        logger.info("skipped", arn=identity.arn, reason=reason.code, detail=reason.message)
        return Outcome(PlanStatus.SKIPPED, reason=reason.code, detail=reason.message)

    def _saga(self, token: int) -> Saga:
        return Saga(
            reads=self._iam,
            changes=IamChanges(clients.iam()),
            journal=self._journal,
            clock=utc_now,
            sleep=time.sleep,
            remaining_seconds=lambda: self._context.get_remaining_time_in_millis() / 1000,
            dwell_seconds=self._settings.dwell_seconds,
            token=token,
        )

    @contextmanager
    def _locked(self, identity: IdentityRef) -> Iterator[int]:
        """Hold the identity's lock; ConflictError sends the message back to its queue while another delivery has it."""
        token = self._journal.claim(identity, self._context.aws_request_id, now=utc_now(), lease=LEASE)
        try:
            yield token
        finally:
            self._journal.release(identity, token, now=utc_now())
