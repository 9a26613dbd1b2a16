"""The scorer wired to AWS: reads what a score needs, keeps the current scores, tells what changed."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from aws_lambda_powertools.metrics import MetricUnit

from services.scorer.changes import Changed
from services.scorer.core import announcement, digest_of, score_requests, successor
from services.scorer.settings import ScoreSettings
from services.scorer.surroundings.edge import known_surroundings
from shared.aws import clients
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.grant_dates import GrantDates
from shared.aws.iam import IamReader, NamedIdentity
from shared.aws.score_table import ScoreTable
from shared.aws.score_trend import ScoreTrend
from shared.aws.usage_ledger import UsageLedger
from shared.errors import ConflictError, NotFoundError, ProviderError
from shared.events import Service
from shared.knowledge import load_catalogue, load_risk
from shared.model.grant_dates import SeenGrants
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.score import Score, StoredScore
from shared.model.trend import Reading
from shared.model.usage import Coverage, IdentityKey
from shared.observability import logger, metrics
from shared.pci.score import ScoreParameters, Scoring, Surroundings
from shared.protection import protection_of
from shared.providers.choice import score_provider

MAX_ATTEMPTS = 10  # of storing one score while others store it too
MAX_LOOKS = 3  # at an identity that changes while it is read
MAX_AT_ONCE = 25  # identities that one change may concern; for more, each gets a message of its own


class Outcome(StrEnum):
    """What came of a look at an identity."""

    NEWS = "news"  # scored and told
    KNOWN = "known"  # scored, and nothing new
    OVERTAKEN = "overtaken"  # a later look was stored before
    GONE = "gone"  # there is no such identity (any more)


class Scorer:
    """Reads what a score needs, keeps the current scores and tells what changed.

    One per batch or sweep, which began at `now`. Every look at IAM is later than the time that it is stored with, so
    that of two scores the later one knows more. Without `surroundings` those that the last sweep stored are taken.
    `remaining` says how many seconds the function has left, within which an outside provider has to answer.
    """

    def __init__(
        self,
        settings: ScoreSettings,
        now: datetime,
        remaining: Callable[[], float],
        surroundings: Surroundings | None = None,
    ) -> None:
        dynamodb = clients.dynamodb()
        self._settings = settings
        self._now = now
        self._surroundings = surroundings
        self._iam = IamReader(clients.iam())
        self._ledger = UsageLedger(Table(dynamodb, settings.usage_table))
        self._scores = ScoreTable(Table(dynamodb, settings.scores_table))
        self._grants = GrantDates(Table(dynamodb, settings.scores_table))
        self._trend = ScoreTrend(Table(dynamodb, settings.scores_table), retention_days=settings.retention_days)
        self._publisher = Publisher(clients.events(), settings.event_bus, Service.SCORER)
        self._provider = score_provider(settings, remaining)

    def rescore(self, changed: Changed, *, cause: str) -> None:
        """Score everyone whose permissions a change may have altered, as IAM says now; the gone are retired.

        Where these are many, each is asked for by an event instead. `cause` is the id of the event that told of it.
        """
        named = self._named(changed)
        if len(named) > MAX_AT_ONCE:
            self._request(named, changed, cause)
            return
        for who in named:
            self._rescore(who)

    def score(self, detail: IdentityDetail) -> Outcome:
        """Score one identity, store it as of the time that it was read at, and publish it where it says something new.

        A score from a later look at IAM is never replaced by one from an earlier look, and who was found to be gone
        later is not brought back.
        """
        score = self._compute(detail)
        for _ in range(MAX_ATTEMPTS):
            previous = self._scores.get(self._settings.account_id, detail.ref.identity_id)
            if previous and previous.looked_at > score.scored_at:
                return Outcome.OVERTAKEN
            try:
                told = self._store(successor(previous, score), previous)
            except ConflictError:
                continue
            self._keep_name(detail)
            return Outcome.NEWS if told else Outcome.KNOWN
        raise ConflictError(f"score of {detail.ref.arn}: other writers won {MAX_ATTEMPTS} times")

    def look_again(self, ref: IdentityRef, *, now: datetime) -> Outcome:
        """Score an identity by a look of its own, or retire it where IAM has it no more."""
        try:
            detail = self._iam.verified(ref, now=now)
        except NotFoundError:
            self._retire(ref, now=now)
            return Outcome.GONE
        return self._noted_and_scored(detail)

    def known_grants(self) -> dict[str, SeenGrants]:
        """What was noted of everybody's grants, by unique id: read at once, for whoever looks at a whole account."""
        return self._grants.read_all(self._settings.account_id)

    def note_grants(self, detail: IdentityDetail, before: SeenGrants | None) -> None:
        """Note since when the identity has had its policies, where that is not what was noted `before`."""
        self._grants.note(detail, before)

    def _rescore(self, who: NamedIdentity) -> None:
        try:
            detail = self._look(who)
        except NotFoundError:
            logger.info("identity is gone", identity_type=who.type, identity_name=who.name)
            if known := self._scores.holder(self._settings.account_id, *who):
                self._retire(known, now=self._now)
            return
        if self._noted_and_scored(detail) is Outcome.OVERTAKEN and self._is_retired(detail.ref):
            raise ConflictError(
                f"{detail.ref.arn} was taken for gone meanwhile"
            )  # the message comes back for a new look

    def _look(self, who: NamedIdentity) -> IdentityDetail:
        """Read an identity, again where it changed meanwhile: its message would wait half an hour for the next try.

        Raises NotFoundError when it is gone, ConflictError when it changed each time.
        """
        for attempt in range(1, MAX_LOOKS):
            try:
                return self._iam.identity(who, now=self._now)
            except ConflictError:
                time.sleep(random.uniform(0, 0.5 * 2**attempt))  # noqa: S311 jitter, not a secret
        return self._iam.identity(who, now=self._now)

    def _noted_and_scored(self, detail: IdentityDetail) -> Outcome:
        self.note_grants(detail, self._grants.read(detail.ref.account_id, detail.ref.identity_id))
        return self.score(detail)

    def _is_retired(self, ref: IdentityRef) -> bool:
        stored = self._scores.get(ref.account_id, ref.identity_id)
        return stored is not None and not stored.present

    def _keep_name(self, detail: IdentityDetail) -> None:
        """Note whose the name is, so that events can be understood that tell the name of somebody who is gone."""
        ref = detail.ref
        known = self._scores.holder(ref.account_id, ref.type, ref.name)
        if known == ref:
            return
        if known and known.identity_id != ref.identity_id:  # a name belongs to one at a time
            self._retire(known, now=detail.read_at)
        with suppress(ConflictError):  # it is somebody else's by now
            self._scores.put_holder(ref, seen_at=detail.read_at)

    def _request(self, named: list[NamedIdentity], changed: Changed, cause: str) -> None:
        """Ask for a score of each; whoever has none yet is looked up, since an event names identities for good."""
        refs = []
        for who in named:
            try:
                refs.append(self._scores.holder(self._settings.account_id, *who) or self._iam.reference(who))
            except NotFoundError:
                logger.info("identity is gone", identity_type=who.type, identity_name=who.name)
        shared = f"group {changed.group}" if changed.group else f"policy {changed.policy_arn}"
        reason = f"{shared} changed, which {len(named)} identities share"
        self._publisher.publish(*score_requests(refs, cause=cause, reason=reason, now=self._now))
        logger.info("scores requested", identities=len(refs), reason=reason)

    def _store(self, successor: StoredScore, previous: StoredScore | None) -> bool:
        stored = self._scores.put(successor)
        told = announcement(stored, previous)
        if told is None:
            return False
        self._publisher.publish(told)
        identity = stored.score.identity
        self._trend.add(identity.account_id, Reading.of(stored.score), identity_id=identity.identity_id)
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

    @cached_property
    def _scoring(self) -> Scoring:
        return Scoring(
            load_catalogue(),
            load_risk(),
            ScoreParameters(),
            now=self._now,
            window_days=self._settings.window_days,
            surroundings=self._surroundings or known_surroundings(self._settings),
        )

    def _compute(self, detail: IdentityDetail) -> Score:
        key = IdentityKey(self._settings.account_id, detail.ref.identity_id)
        usage = self._ledger.read(key, since=self._since, coverage=self._coverage)
        score = self._scoring.score(detail, usage)
        protection = protection_of(detail, stack_name=self._settings.stack_name)
        exempt = protection.message if protection else None
        own = score.model_copy(update={"scored_at": detail.read_at, "exempt": exempt})
        return self._judged(own)

    def _judged(self, own: Score) -> Score:
        """The score that counts; an outside provider's failure is counted, and leaves the stored score as it is."""
        try:
            score = self._provider.judge(own)
        except ProviderError:
            metrics.add_metric("ProviderFailed", MetricUnit.Count, 1)
            raise
        if score.provider is not self._settings.provider:
            metrics.add_metric("IdentitiesUnscored", MetricUnit.Count, 1)
            logger.info("the provider gives no score", arn=score.identity.arn, provider=self._settings.provider)
        return score

    def _named(self, changed: Changed) -> list[NamedIdentity]:
        if changed.ref:
            return [NamedIdentity(changed.ref.type, changed.ref.name)]
        if changed.named:
            return [NamedIdentity(*changed.named)]
        if changed.group:
            return self._iam.members_of_group(changed.group)
        return self._iam.holders_of_policy(changed.policy_arn) if changed.policy_arn else []

    def _retire(self, ref: IdentityRef, *, now: datetime) -> None:
        """Mark the score of whoever was not there at `now`, unless by then another name was known or a later look."""
        stored = self._scores.get(ref.account_id, ref.identity_id)
        if stored is None or not stored.present or stored.looked_at > now or stored.score.identity.name != ref.name:
            return
        try:
            self._scores.put(replace(stored, present=False, retired_at=now))
        except ConflictError:
            logger.info("a later score exists", arn=ref.arn)
