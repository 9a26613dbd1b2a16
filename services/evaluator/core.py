"""From score to verdict: threshold, hysteresis, annotation, and what a verdict makes necessary. Pure."""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.events import IdentityEvaluated
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import HYSTERESIS, Compliance, Verdict
from shared.model.score import Provider, Score
from shared.protection import protection_of

MAX_ANNOTATION = 256  # characters, AWS Config's limit
MAX_REQUESTS = 200  # scores requested in one hour; where more are missing, the sweep is the way to make them
ELLIPSIS = "..."
REEVALUATE = "leastwise.reevaluate"  # body of the delayed message that an evaluator sends to itself
MAX_BUSY = 10  # messages in a row; Lambda stops a function whose messages start it more than 16 times


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the one that stood before it; None where there was none."""

    verdict: Verdict
    previous: Verdict | None

    @property
    def is_news(self) -> bool:
        """Whether it says something else than before: it is told, and AWS Config has to look."""
        return self.previous is None or self.previous.compliance is not self.verdict.compliance

    @property
    def is_worth_storing(self) -> bool:
        """Whether it differs from what is stored in more than its times."""
        times = {"scored_at", "judged_at"}
        return self.previous is None or self.previous.model_dump(exclude=times) != self.verdict.model_dump(
            exclude=times
        )


def judge(score: Score, previous: Verdict | None, *, threshold: float, now: datetime) -> Verdict:
    """Say whether a score is acceptable.

    At or above the threshold it is not. An identity that was NON_COMPLIANT becomes COMPLIANT only HYSTERESIS points
    below, so that a score around the threshold does not flap. Exempt identities are NOT_APPLICABLE.
    """
    floor = threshold - (HYSTERESIS if _was_refused(previous, threshold) else 0.0)
    if score.exempt is not None:
        compliance = Compliance.NOT_APPLICABLE
    elif score.pci >= floor:
        compliance = Compliance.NON_COMPLIANT
    else:
        compliance = Compliance.COMPLIANT
    is_held = compliance is Compliance.NON_COMPLIANT and score.pci < threshold
    return Verdict(
        identity=score.identity,
        compliance=compliance,
        pci=score.pci,
        threshold=threshold,
        annotation=annotation_of(score, threshold=threshold, compliant_below=floor if is_held else None),
        scored_at=score.scored_at,
        judged_at=now,
    )


def _was_refused(previous: Verdict | None, threshold: float) -> bool:
    return previous is not None and previous.compliance is Compliance.NON_COMPLIANT and previous.threshold == threshold


def annotation_of(score: Score, *, threshold: float | None = None, compliant_below: float | None = None) -> str:
    """Why, for AWS Config's console, for instance `PCI 87 (high): 212 of 230 permissions unused; top: iam:PassRole`.

    A PCI just below the threshold is never rounded up to it, and `compliant_below` says what a verdict waits for that
    stands although the score is below the threshold: the annotation must explain the compliance beside it.
    """
    if score.exempt is not None:
        return fitting(f"Not judged: {score.exempt}")
    by = "" if score.provider is Provider.NATIVE else f" by {score.provider}"
    text = (
        f"PCI {_shown(score.pci, threshold)}{by} ({score.band}): {score.unused} of {score.granted} permissions unused"
    )
    worst = max(score.contributions, key=lambda contribution: contribution.chance, default=None)
    if worst and worst.examples:
        text += f"; top: {worst.examples[0]}"
    held = "" if compliant_below is None else f"; compliant again below {compliant_below:g}"
    return fitting(text, keep=held)


def _shown(pci: float, threshold: float | None) -> str:
    if threshold is not None and pci < threshold <= round(pci):
        return f"{math.floor(pci * 10) / 10:.1f}"
    return f"{pci:.0f}"


def fitting(text: str, *, keep: str = "") -> str:
    """Make an annotation that AWS Config takes: 1 to 256 printable ASCII characters, `keep` at its end whole."""
    plain = "".join(character if character.isascii() and character.isprintable() else "?" for character in text)
    room = MAX_ANNOTATION - len(keep)
    return (plain if len(plain) <= room else plain[: room - len(ELLIPSIS)] + ELLIPSIS) + keep


def reserved_reason(identity: IdentityRef, *, now: datetime) -> str | None:
    """Why an identity is never judged as far as its name and path say it, or None: no score is needed for that."""
    reason = protection_of(IdentityDetail(ref=identity, created_at=now, read_at=now))
    return reason.message if reason else None


def verdict_on_the_gone(previous: Verdict, *, now: datetime) -> Verdict:
    """What becomes of the verdict on an identity that was deleted."""
    changes = {"compliance": Compliance.NOT_APPLICABLE, "annotation": "Deleted", "judged_at": now}
    return previous.model_copy(update=changes)


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


def reevaluation_message(times_busy: int) -> str:
    """Body of our own message, which counts how often in a row AWS Config was too busy to evaluate the rule."""
    return f"{REEVALUATE}/{times_busy}" if times_busy else REEVALUATE


def times_busy_of(body: str) -> int | None:
    """The count that our own message bears; None where a message is something else."""
    found = re.fullmatch(re.escape(REEVALUATE) + "(?:/([0-9]{1,2}))?", body)
    return None if found is None else int(found[1] or 0)
