"""The scorer wired to AWS: reads what a score needs, keeps the current scores, tells what changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import cached_property

from aws_lambda_powertools.metrics import MetricUnit

from services.scorer.changes import Changed
from services.scorer.core import account_event, announcement, digest_of, scored, successor
from services.scorer.settings import ScoreSettings
from shared.aws import clients
from shared.aws.cloudtrail import TrailReader
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.iam import IamReader, NamedIdentity
from shared.aws.score_table import ScoreTable
from shared.aws.usage_ledger import UsageLedger
from shared.errors import ConflictError, DependencyError, LeastwiseError, NotFoundError
from shared.events import Service
from shared.iam.data_events import recorded_prefixes
from shared.knowledge import load_catalogue, load_data_event_types, load_risk
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.score import Score, StoredScore
from shared.model.usage import TRAIL_FEED, Coverage, IdentityKey
from shared.observability import logger, metrics
from shared.pci.score import ScoreParameters, score_account, score_identity
from shared.protection import protection_of

MAX_ATTEMPTS = 5  # of storing one score while others store it too


class Scorer:
    """Reads what a score needs, keeps the current scores and tells what changed; one per message or sweep."""

    def __init__(self, settings: ScoreSettings, now: datetime) -> None:
        dynamodb = clients.dynamodb()
        self._settings = settings
        self._now = now
        self._iam = IamReader(clients.iam())
        self._ledger = UsageLedger(Table(dynamodb, settings.usage_table))
        self._scores = ScoreTable(Table(dynamodb, settings.scores_table))
        self._publisher = Publisher(clients.events(), settings.event_bus, Service.SCORER)

    def affected(self, changed: Changed) -> list[IdentityDetail]:
        """Everyone whose permissions a change may have altered, as IAM says now; those who are gone are retired."""
        details = []
        for who in self._named(changed):
            try:
                details.append(self._iam.identity(who, now=self._now))
            except NotFoundError:
                logger.info("identity is gone", identity_type=who.type, identity_name=who.name)
                self._retire(lambda ref, who=who: (ref.type, ref.name) == who)  # type: ignore[misc]
        return details

    def score(self, detail: IdentityDetail) -> tuple[Score, bool]:
        """Score one identity, store it, and publish it where it says something new; returns (score, was new).

        A score from a later look at IAM is never replaced by one from an earlier look.
        """
        score = self._compute(detail)
        for _ in range(MAX_ATTEMPTS):
            previous = self._scores.get(self._settings.account_id, detail.ref.identity_id)
            if previous and previous.present and previous.score.scored_at > self._now:
                return previous.score, False
            try:
                return score, self._store(successor(previous, score), previous)
            except ConflictError:
                continue
        raise ConflictError(f"score of {detail.ref.arn}: other writers won {MAX_ATTEMPTS} times")

    def sweep(self, *, trail_log_bucket: str = "") -> dict[str, float | int]:
        """Score all identities from one listing, retire those that are gone, and publish the account's score.

        One that can't be scored stops nobody else and is not retired; at the end it is an error all the same.
        `trail_log_bucket` is where the log files come from that are read here; empty where none are.
        """
        self._note_data_events(trail_log_bucket)
        failed: dict[str, LeastwiseError] = {}
        outcomes = []
        for detail in self._iam.account(now=self._now, on_error=failed.__setitem__):
            try:
                outcomes.append(self.score(detail))
            except LeastwiseError as error:
                failed[detail.ref.identity_id] = error
        present = {score.identity.identity_id for score, _ in outcomes} | set(failed)
        self._retire(lambda identity: identity.identity_id not in present)
        counted, excluded = scored([score for score, _ in outcomes])
        account = score_account(counted, self._settings.account_id, excluded=excluded, now=self._now)
        found = sum(was_new for _, was_new in outcomes)
        self._publisher.publish(account_event(account, sweep_found=found, now=self._now))
        metrics.add_metric("AccountPci", MetricUnit.NoUnit, account.pci)
        metrics.add_metric("SweepFound", MetricUnit.Count, found)
        logger.info("account scored", pci=account.pci, identities=account.identities, sweep_found=found)
        if failed:
            metrics.add_metric("SweepFailed", MetricUnit.Count, len(failed))
            reasons = "; ".join(f"{identity_id}: {error}" for identity_id, error in list(failed.items())[:5])
            raise DependencyError(f"{len(failed)} identities could not be scored: {reasons}"[:1500])
        return {"pci": account.pci, "identities": account.identities, "excluded": excluded, "sweep_found": found}

    def _note_data_events(self, trail_log_bucket: str) -> None:
        """Note for today which services' data events are all recorded and come in by the log files of this bucket.

        Only on a day on which log files came: a bucket that tells nobody of them brings no data events. Where trails
        can't be read nothing is noted, so that what their data events would show counts as not to be known.
        """
        if not trail_log_bucket:
            return
        midnight = datetime.combine(self._now, time.min, tzinfo=self._now.tzinfo)
        try:
            recording = TrailReader(clients.cloudtrail).recording(trail_log_bucket, since=midnight)
        except LeastwiseError as error:
            metrics.add_metric("TrailsUnread", MetricUnit.Count, 1)
            logger.warning("trails could not be read, so no data events count as recorded", error=str(error))
            return
        prefixes = recorded_prefixes(recording.data_event_types, load_data_event_types())
        account_id, today = self._settings.account_id, self._now.date()
        seen = self._ledger.read_coverage(account_id, since=midnight).seen.get(today)
        brought = seen is not None and TRAIL_FEED in seen.feeds
        if prefixes and brought:
            self._ledger.merge_coverage(account_id, Coverage.of([today], data_events=prefixes, reads=False))
        logger.info("trails read", data_events=sorted(prefixes), noted=brought, missing=recording.management_gaps)

    def _store(self, successor: StoredScore, previous: StoredScore | None) -> bool:
        stored = self._scores.put(successor)
        told = announcement(stored, previous)
        if told is None:
            return False
        self._publisher.publish(told)
        self._scores.put(replace(stored, announced=digest_of(stored.score), announcements=stored.announcements + 1))
        metrics.add_metric("IdentitiesScored", MetricUnit.Count, 1)
        logger.info("identity scored", arn=told.identity.arn, pci=told.pci, unused=told.unused, granted=told.granted)
        return True

    @property
    def _since(self) -> datetime:
        return self._now - timedelta(days=self._settings.window_days)

    @cached_property
    def _coverage(self) -> Coverage:
        """What the account's trail showed: the same for everyone who is scored at this time."""
        return self._ledger.read_coverage(self._settings.account_id, since=self._since)

    def _compute(self, detail: IdentityDetail) -> Score:
        window = self._settings.window_days
        key = IdentityKey(self._settings.account_id, detail.ref.identity_id)
        usage = self._ledger.read(key, since=self._since, coverage=self._coverage)
        score = score_identity(
            detail, usage, load_catalogue(), load_risk(), ScoreParameters(), now=self._now, window_days=window
        )
        protection = protection_of(detail, stack_name=self._settings.stack_name)
        return score.model_copy(update={"exempt": protection.message}) if protection else score

    def _named(self, changed: Changed) -> list[NamedIdentity]:
        if changed.ref:
            return [NamedIdentity(changed.ref.type, changed.ref.name)]
        if changed.named:
            return [NamedIdentity(*changed.named)]
        if changed.group:
            return self._iam.members_of_group(changed.group)
        return self._iam.holders_of_policy(changed.policy_arn) if changed.policy_arn else []

    def _retire(self, gone: Callable[[IdentityRef], bool]) -> None:
        for stored in list(self._scores.scores(self._settings.account_id)):
            if not gone(stored.score.identity) or stored.score.scored_at > self._now:
                continue
            try:
                self._scores.put(replace(stored, present=False))
            except ConflictError:
                logger.info("a later score exists", arn=stored.score.identity.arn)
