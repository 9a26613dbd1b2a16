"""The evaluator wired to AWS: reads current scores and verdicts, says what AWS Config and the bus are to be told."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit

from services.evaluator.answers import Answer, Yardstick, answer_on_absent, check_type, identity_of
from services.evaluator.core import (
    MAX_BUSY,
    MAX_REQUESTS,
    Judgement,
    evaluated_event,
    reevaluation_message,
    request_key,
)
from services.evaluator.invocation import Invocation
from services.evaluator.settings import EvaluateSettings, VerdictSettings
from shared.aws import clients
from shared.aws.config import ConfigRules, asking_once
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.reevaluations import Reevaluations
from shared.aws.score_requests import ScoreRequests
from shared.aws.score_table import ScoreTable
from shared.aws.sqs import send_delayed
from shared.errors import ConflictError, DependencyError, LeastwiseError
from shared.events import ScoreRequested, Service
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, Verdict
from shared.model.score import StoredScore
from shared.observability import logger, metrics

BUSY_DELAY = timedelta(seconds=90)  # before a busy rule is asked again; AWS Config takes one request a minute
CLAIM_GRACE = BUSY_DELAY + timedelta(minutes=1)  # that a claim outlives its delay, whichever of the two that is


def judge_identity(judging: "Judging", identity: IdentityRef) -> None:
    """Judge an identity by its current score; where the verdict changed, tell it and have AWS Config look soon."""
    stored = judging.scores.get(identity.account_id, identity.identity_id)
    if stored is None or not judging.yardstick.may_judge(stored):
        return
    previous = judging.scores.verdict(identity)
    judging.settle([judging.yardstick.judge(stored, previous)])


def judge_everyone(judging: "Judging", *, swept_at: datetime) -> None:
    """Judge the whole account after a sweep, and tell every standing NON_COMPLIANT verdict again.

    A verdict that got lost, whose score got lost or whose threshold was changed is thus made good by the next sweep.
    The verdict on a deleted identity is taken back only where AWS Config is off: else in the answer to its schedule,
    which says nothing of who was taken back before.
    """
    known = (one for one in judging.everyone() if one[0] is not None or not judging.has_config)
    judgements = [answer.judgement for answer in judging.yardstick.answer_on_all(known) if answer.judgement]
    judging.settle(judgements)
    standing = [
        judgement.verdict
        for judgement in judgements
        if judgement.verdict.compliance is Compliance.NON_COMPLIANT and not judgement.is_news
    ]
    judging.publisher.publish(*(evaluated_event(verdict, repeated_at=swept_at) for verdict in standing))
    counts = Counter(judgement.verdict.compliance for judgement in judgements)
    metrics.add_metric("CompliantIdentities", MetricUnit.Count, counts[Compliance.COMPLIANT])
    metrics.add_metric("NonCompliantIdentities", MetricUnit.Count, counts[Compliance.NON_COMPLIANT])
    metrics.add_metric("NotApplicableIdentities", MetricUnit.Count, counts[Compliance.NOT_APPLICABLE])
    logger.info("account judged", identities=counts.total(), non_compliant=counts[Compliance.NON_COMPLIANT])


def reevaluate(judging: "Judging", settings: EvaluateSettings, *, times_busy: int) -> None:
    """Have AWS Config evaluate the rule now, or later where it is busy.

    The claim is closed first, so that a crossing that comes after the start asks again. Where AWS Config is still busy
    after MAX_BUSY messages, DependencyError leaves the last one to the queue, which delivers it again more slowly.
    """
    if not settings.config_rule_name:
        return  # AWS Config was switched off while the message waited
    judging.reevaluations.close(settings.account_id, now=judging.now)
    if ConfigRules(asking_once(clients.config())).start_evaluation(settings.config_rule_name):
        logger.info("re-evaluation requested", rule=settings.config_rule_name)
        return
    metrics.add_metric("ReevaluationsPutOff", MetricUnit.Count, 1)
    if times_busy >= MAX_BUSY:
        raise DependencyError(f"AWS Config was too busy {times_busy + 1} times to evaluate the rule")
    delay = max(BUSY_DELAY, timedelta(seconds=settings.reevaluation_delay_seconds))
    judging.ask_for_a_look(delay, times_busy=times_busy + 1)
    logger.info("AWS Config is busy and is asked again later", rule=settings.config_rule_name)


class Judging:
    """Reads current scores and verdicts as of `now`, and says what AWS Config and the bus are to be told.

    `cause` is the id of the message or invocation that is worked on; it stays the same when that is tried again.
    """

    def __init__(self, settings: VerdictSettings, now: datetime, *, cause: str, has_config: bool) -> None:
        table = Table(clients.dynamodb(), settings.scores_table)
        self.now = now
        self.has_config = has_config
        self.reevaluations = Reevaluations(table)
        self.scores = ScoreTable(table)
        self.publisher = Publisher(clients.events(), settings.event_bus, Service.EVALUATOR)
        self.yardstick = Yardstick(settings.threshold, settings.score_max_age_hours, now)
        self._requests = ScoreRequests(table)
        self._settings = settings
        self._cause = cause

    def everyone(self) -> Iterator[tuple[StoredScore | None, Verdict | None]]:
        """Score and verdict of every identity by two queries; of one that was deleted only the verdict.

        Verdicts are read first: who has one then and no score later is gone, since scores come before verdicts. Its
        own score must say so too, as one that can't be read is no deletion.
        """
        account_id = self._settings.account_id
        verdicts = {verdict.identity.identity_id: verdict for verdict in self.scores.verdicts(account_id)}
        for stored in self.scores.scores(account_id):
            yield stored, verdicts.pop(stored.score.identity.identity_id, None)
        for verdict in verdicts.values():
            if verdict.compliance is not Compliance.NOT_APPLICABLE and self._is_gone(verdict.identity):
                yield None, verdict

    def _is_gone(self, identity: IdentityRef) -> bool:
        stored = self.scores.get(identity.account_id, identity.identity_id)
        return stored is not None and not stored.present

    def settle(self, judgements: Sequence[Judgement]) -> None:
        """Tell each verdict that changed, have AWS Config look where one did, and store them.

        AWS Config looks even where a verdict is an answer to itself: an earlier answer may have a later time, and
        outrank it. Verdicts are stored last, so that a crash before that is made good by the next delivery.
        """
        news = [judgement.verdict for judgement in judgements if judgement.is_news]
        self.publisher.publish(*map(evaluated_event, news))
        metrics.add_metric("VerdictsChanged", MetricUnit.Count, len(news))
        if news:
            self.ask_for_a_look(timedelta(seconds=self._settings.reevaluation_delay_seconds))
        for verdict in news:
            logger.info("verdict", arn=verdict.identity.arn, compliance=verdict.compliance, pci=verdict.pci)
        for judgement in judgements:
            if judgement.is_worth_storing:
                self._store(judgement.verdict)

    def _store(self, verdict: Verdict) -> None:
        try:
            self.scores.put_verdict(verdict)
        except ConflictError:
            logger.info("a later verdict exists", arn=verdict.identity.arn)

    def ask_for_a_look(self, delay: timedelta, *, times_busy: int = 0) -> None:
        """Have AWS Config evaluate the rule after `delay`; all who ask within it share one delayed message.

        A claim whose message can't be sent is closed again: nobody else may rely on it.
        """
        account_id, void_after = self._settings.account_id, delay + CLAIM_GRACE
        if not self.has_config or not self.reevaluations.claim(
            account_id, self._cause, now=self.now, void_after=void_after
        ):
            return
        body = reevaluation_message(times_busy)
        try:
            send_delayed(clients.sqs(), self._settings.evaluator_queue_url, body, delay=delay)
        except LeastwiseError:
            self.reevaluations.close(account_id, now=self.now)
            raise

    def answers(self, invocation: Invocation) -> list[Answer]:
        """What AWS Config is to be told: of one identity, or on schedule of all."""
        item = invocation.item
        if item is None:
            return list(self.yardstick.answer_on_all(self.everyone()))
        check_type(item)
        if invocation.left_scope:
            return [answer_on_absent(invocation, item)]
        account_id = self._settings.account_id
        stored = self.scores.get(account_id, item.resource_id)
        identity = identity_of(item, stored, account_id=account_id)
        return [self.yardstick.answer_on(identity, stored, self.scores.verdict(identity))]

    def conclude(self, answers: Sequence[Answer]) -> None:
        """After AWS Config was told: tell and store the verdicts that it learnt first, and request missing scores."""
        self.settle([answer.judgement for answer in answers if answer.judgement])
        unscored = [answer.unscored for answer in answers if answer.unscored]
        metrics.add_metric("ScoresNotFresh", MetricUnit.Count, len(unscored))
        if unscored:
            self._request_scores(unscored)

    def _request_scores(self, identities: list[IdentityRef]) -> None:
        """Request each score once an hour, and only so many in all: thousands of missing ones are a sweep's work."""
        asked = self._requests.of_this_hour(self._settings.account_id, now=self.now, limit=MAX_REQUESTS)
        due = [identity for identity in identities if identity.identity_id not in asked][: MAX_REQUESTS - len(asked)]
        reason = "AWS Config asked and there is no fresh score"
        requests = [
            ScoreRequested.about(who, request_key(who, self.now), occurred_at=self.now, reason=reason) for who in due
        ]
        self.publisher.publish(*requests)
        for who in due:
            self._requests.note(who, now=self.now)
