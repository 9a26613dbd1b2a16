"""The evaluator wired to AWS: reads current scores and verdicts, says what AWS Config and the bus are to be told."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.evaluator.core import evaluated_event, is_fresh, judge, request_key
from services.evaluator.invocation import JUDGED_TYPES, Invocation
from services.evaluator.settings import EvaluateSettings, VerdictSettings
from shared.aws import clients
from shared.aws.config import ConfigRules, Evaluation
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.score_table import ScoreTable
from shared.aws.sqs import send_delayed
from shared.errors import ConflictError, InputError
from shared.events import ScoreRequested, Service
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance
from shared.observability import logger

REEVALUATE = "leastwise.reevaluate"  # body of the delayed message that an evaluator sends to itself


def judge_identity(judging: "Judging", settings: EvaluateSettings, identity: IdentityRef) -> None:
    """Judge an identity by its current score; where the verdict changed, tell it and have AWS Config look soon.

    Crossings within the delay share one delayed message to ourselves. The verdict is stored last, so that a crash
    before it is made good by the next delivery.
    """
    stored = judging.scores.get(identity.account_id, identity.identity_id)
    if stored is None or not stored.present:
        return
    previous = judging.scores.verdict(identity)
    verdict = judge(stored.score, previous, threshold=settings.threshold, now=judging.now)
    if previous is None or previous.compliance is not verdict.compliance:
        judging.publisher.publish(evaluated_event(verdict))
        delay = timedelta(seconds=settings.reevaluation_delay_seconds)
        rule, account_id = settings.config_rule_name, settings.account_id
        if rule and judging.scores.claim_reevaluation(account_id, now=judging.now, delay=delay):
            send_delayed(clients.sqs(), settings.evaluator_queue_url, REEVALUATE, delay=delay)
        logger.info("verdict", arn=identity.arn, compliance=verdict.compliance, pci=verdict.pci)
    try:
        judging.scores.put_verdict(verdict)
    except ConflictError:
        logger.info("a later verdict exists", arn=identity.arn)


def reevaluate(judging: "Judging", settings: EvaluateSettings) -> None:
    """Have AWS Config evaluate the rule now; the claim is closed first, so that a later crossing asks again."""
    judging.scores.close_reevaluation(settings.account_id, now=judging.now)
    ConfigRules(clients.config()).start_evaluation(settings.config_rule_name)
    logger.info("re-evaluation requested", rule=settings.config_rule_name)


class Judging:
    """Reads current scores and verdicts as of `now`, and says what AWS Config and the bus are to be told."""

    def __init__(self, settings: VerdictSettings, now: datetime) -> None:
        self.now = now
        self.scores = ScoreTable(Table(clients.dynamodb(), settings.scores_table))
        self.publisher = Publisher(clients.events(), settings.event_bus, Service.EVALUATOR)
        self._settings = settings

    def repeat(self, swept_at: datetime) -> None:
        """Tell every standing NON_COMPLIANT verdict again, so that one that got lost is acted on after all."""
        account_id = self._settings.account_id
        present = {stored.score.identity.identity_id for stored in self.scores.scores(account_id)}
        self.publisher.publish(
            *(
                evaluated_event(verdict, repeated_at=swept_at)
                for verdict in self.scores.verdicts(account_id)
                if verdict.compliance is Compliance.NON_COMPLIANT and verdict.identity.identity_id in present
            )
        )

    def evaluations(self, invocation: Invocation) -> Iterable[Evaluation]:
        """What AWS Config is to be told; nothing for an identity without a fresh score, which is requested instead."""
        item = invocation.item
        if item is None:
            for stored in self.scores.scores(self._settings.account_id):
                yield from self._evaluation(stored.score.identity, invocation)
        elif item.resource_type not in JUDGED_TYPES:
            raise InputError(f"AWS Config sent a {item.resource_type}; the rule judges users and roles")
        elif invocation.left_scope:
            yield Evaluation(
                item.resource_type, item.resource_id, Compliance.NOT_APPLICABLE, "Deleted", invocation.ordering_time
            )
        else:
            yield from self._evaluation(_ref_of(invocation), invocation)

    def _evaluation(self, identity: IdentityRef, invocation: Invocation) -> Iterable[Evaluation]:
        stored = self.scores.get(identity.account_id, identity.identity_id)
        max_age = self._settings.score_max_age_hours
        if stored is None or not stored.present or not is_fresh(stored.score, now=self.now, max_age_hours=max_age):
            self._request_score(identity)
            return
        previous = self.scores.verdict(identity)
        verdict = judge(stored.score, previous, threshold=self._settings.threshold, now=self.now)
        yield Evaluation(
            identity.type.config_resource_type,
            identity.identity_id,
            verdict.compliance,
            verdict.annotation,
            invocation.ordering_time,
        )

    def _request_score(self, identity: IdentityRef) -> None:
        self.publisher.publish(
            ScoreRequested.about(
                identity,
                request_key(identity, self.now),
                occurred_at=self.now,
                reason="AWS Config asked and there is no fresh score",
            )
        )


def _ref_of(invocation: Invocation) -> IdentityRef:
    item = invocation.item
    if item is None or not item.arn:
        raise InputError("AWS Config's configuration item has no ARN")
    try:
        return IdentityRef(account_id=invocation.account_id, identity_id=item.resource_id, arn=item.arn)
    except ValueError:
        raise InputError(f"AWS Config's item {item.resource_type} has no usable resourceId or ARN") from None
