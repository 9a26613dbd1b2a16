"""From score to verdict: threshold, hysteresis, annotation. Pure."""

from datetime import datetime, timedelta

from shared.events import IdentityEvaluated
from shared.model.identity import IdentityRef
from shared.model.plan import HYSTERESIS, Compliance, Verdict
from shared.model.score import Score

MAX_ANNOTATION = 256  # characters, AWS Config's limit


def judge(score: Score, previous: Verdict | None, *, threshold: float, now: datetime) -> Verdict:
    """Say whether a score is acceptable.

    At or above the threshold it is not. An identity that was NON_COMPLIANT becomes COMPLIANT only HYSTERESIS points
    below, so that a score around the threshold does not flap. Exempt identities are NOT_APPLICABLE.
    """
    if score.exempt is not None:
        compliance = Compliance.NOT_APPLICABLE
    elif score.pci >= threshold - (HYSTERESIS if _was_refused(previous, threshold) else 0.0):
        compliance = Compliance.NON_COMPLIANT
    else:
        compliance = Compliance.COMPLIANT
    return Verdict(
        identity=score.identity,
        compliance=compliance,
        pci=score.pci,
        threshold=threshold,
        annotation=annotation_of(score),
        scored_at=score.scored_at,
        judged_at=now,
    )


def _was_refused(previous: Verdict | None, threshold: float) -> bool:
    return previous is not None and previous.compliance is Compliance.NON_COMPLIANT and previous.threshold == threshold


def annotation_of(score: Score) -> str:
    """Why, for AWS Config's console, for instance `PCI 87 (high): 212 of 230 permissions unused; top: iam:PassRole`."""
    if score.exempt is not None:
        return f"Not judged: {score.exempt}"[:MAX_ANNOTATION]
    text = f"PCI {score.pci:.0f} ({score.band}): {score.unused} of {score.granted} permissions unused"
    worst = max(score.contributions, key=lambda contribution: contribution.chance, default=None)
    if worst and worst.examples:
        text += f"; top: {worst.examples[0]}"
    return text[:MAX_ANNOTATION]


def is_fresh(score: Score, *, now: datetime, max_age_hours: int) -> bool:
    """Whether a score is recent enough to be judged."""
    return now - score.scored_at <= timedelta(hours=max_age_hours)


def evaluated_event(verdict: Verdict, *, repeated_at: datetime | None = None) -> IdentityEvaluated:
    """The event that tells a verdict; a standing one that is told again after a sweep says when."""
    return IdentityEvaluated.about(
        verdict.identity,
        (repeated_at or verdict.scored_at).isoformat(),
        verdict.compliance,
        occurred_at=repeated_at or verdict.judged_at,
        compliance=verdict.compliance,
        pci=verdict.pci,
        threshold=verdict.threshold,
        annotation=verdict.annotation,
        repeated=repeated_at is not None,
    )


def request_key(identity: IdentityRef, now: datetime) -> str:
    """Natural key of a request for a score: one an hour and identity is enough."""
    return f"{identity.identity_id}/{now:%Y-%m-%dT%H}"
