"""What an invocation of the rule is answered, from scores and verdicts. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from services.evaluator.core import Judgement, fitting, is_fresh, judge, reserved_reason, verdict_on_the_gone
from services.evaluator.invocation import JUDGED_TYPES, ConfigurationItem, Invocation
from shared.errors import InputError
from shared.model.identity import IdentityRef
from shared.model.plan import Compliance, Verdict
from shared.model.score import StoredScore


class Statement(NamedTuple):
    """What AWS Config is told of one resource."""

    resource_type: str
    resource_id: str
    compliance: Compliance
    annotation: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered on one identity; all None where there is nothing to say.

    `judgement` is what the statement rests on, where it rests on a score. `unscored` has no fresh score, and needs one.
    """

    statement: Statement | None = None
    judgement: Judgement | None = None
    unscored: IdentityRef | None = None


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What scores are judged by, and when."""

    threshold: float
    max_age_hours: int
    now: datetime

    def may_judge(self, stored: StoredScore) -> bool:
        """Whether there is somebody to judge, by a score that is recent enough."""
        return stored.present and is_fresh(stored.score, now=self.now, max_age_hours=self.max_age_hours)

    def judge(self, stored: StoredScore, previous: Verdict | None) -> Judgement:
        """The verdict by a current score."""
        return Judgement(judge(stored.score, previous, threshold=self.threshold, now=self.now), previous)

    def answer_on(self, identity: IdentityRef, stored: StoredScore | None, previous: Verdict | None) -> Answer:
        """The verdict by the current score; without a fresh one only what needs none."""
        if stored is not None and self.may_judge(stored):
            return _resting_on(self.judge(stored, previous))
        reason = reserved_reason(identity, now=self.now)
        if reason is None:
            return Answer(unscored=identity)
        kind, annotation = identity.type.config_resource_type, fitting(f"Not judged: {reason}")
        return Answer(Statement(kind, identity.identity_id, Compliance.NOT_APPLICABLE, annotation))

    def answer_on_the_gone(self, previous: Verdict) -> Answer:
        """Take back what was said of an identity that was deleted; once is enough."""
        if previous.compliance is Compliance.NOT_APPLICABLE:
            return Answer()
        return _resting_on(Judgement(verdict_on_the_gone(previous, now=self.now), previous))

    def answer_on_all(self, known: Iterable[tuple[StoredScore | None, Verdict | None]]) -> Iterable[Answer]:
        """The answers to the schedule, from the score and the verdict of each identity; one without score is gone."""
        for stored, previous in known:
            if stored is not None:
                yield self.answer_on(stored.score.identity, stored, previous)
            elif previous is not None:
                yield self.answer_on_the_gone(previous)


def _resting_on(judgement: Judgement) -> Answer:
    verdict = judgement.verdict
    kind, identity_id = verdict.identity.type.config_resource_type, verdict.identity.identity_id
    return Answer(Statement(kind, identity_id, verdict.compliance, verdict.annotation), judgement)


def answer_on_absent(invocation: Invocation, item: ConfigurationItem) -> Answer:
    """Take back what was said of an item that left the rule's scope."""
    return Answer(
        Statement(item.resource_type, item.resource_id, Compliance.NOT_APPLICABLE, fitting(invocation.absence))
    )


def check_type(item: ConfigurationItem) -> None:
    """Raise InputError for a resource that the rule doesn't judge."""
    if item.resource_type not in JUDGED_TYPES:
        raise InputError(f"AWS Config sent a {item.resource_type}; the rule judges users and roles")


def identity_of(item: ConfigurationItem, stored: StoredScore | None, *, account_id: str) -> IdentityRef:
    """Whom an item is about; the summary of an oversized item may lack the ARN, which the stored score then knows.

    Raises InputError where neither does, or where the item contradicts itself or the account.
    """
    if item.arn:
        identity = _identity_by_arn(item, item.arn, account_id)
    elif stored is not None:
        identity = stored.score.identity
    else:
        raise InputError("AWS Config's configuration item has no ARN, and nobody of its id was scored")
    if identity.type.config_resource_type != item.resource_type:
        raise InputError(f"AWS Config's item {item.resource_type} has another kind's id")
    return identity


def _identity_by_arn(item: ConfigurationItem, arn: str, account_id: str) -> IdentityRef:
    try:
        identity = IdentityRef(account_id=account_id, identity_id=item.resource_id, arn=arn)
    except ValueError:
        raise InputError(f"AWS Config's item {item.resource_type} has no usable resourceId or ARN") from None
    if arn.split(":")[4] != account_id:
        raise InputError(f"AWS Config's item {item.resource_type} has another account's ARN")
    return identity
