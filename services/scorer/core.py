"""From a score to what is stored and told: digests, events, the account's score. Pure."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from shared.events import AccountScored, IdentityScored, event_id_of
from shared.model.score import AccountScore, Score, StoredScore

PASSING = {"scored_at", "coverage"}  # what changes from day to day without a change of the score
MAX_TOP = 5


def digest_of(score: Score) -> str:
    """Name what a score says, apart from when it was made: the same digest tells nothing new."""
    content = json.dumps(score.model_dump(mode="json", exclude=PASSING), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def successor(previous: StoredScore | None, score: Score) -> StoredScore:
    """The record to store after `previous`; what was announced stays until the new score is."""
    if previous is None:
        return StoredScore(score)
    return StoredScore(score, previous.version, previous.announced, previous.announcements)


def announcement(stored: StoredScore, previous: StoredScore | None) -> IdentityScored | None:
    """The event that tells a stored score, or None where it says nothing that was not told before."""
    if digest_of(stored.score) == stored.announced:
        return None
    score = stored.score
    return IdentityScored.about(
        score.identity,
        stored.announcements + 1,
        occurred_at=score.scored_at,
        score_version=stored.announcements + 1,
        pci=score.pci,
        previous_pci=previous.score.pci if previous and previous.announced else None,
        band=score.band,
        granted=score.granted,
        used=score.used,
        unused=score.unused,
        unobservable=score.unobservable,
        observed_days=score.coverage.observed_days,
        top=top_permissions(score),
    )


def top_permissions(score: Score) -> tuple[str, ...]:
    """The unused permissions that add most to the score, worst first."""
    by_chance = sorted(score.contributions, key=lambda contribution: -contribution.chance)
    examples = [example for contribution in by_chance for example in contribution.examples]
    return tuple(dict.fromkeys(examples))[:MAX_TOP]


def account_event(account: AccountScore, *, sweep_found: int, now: datetime) -> AccountScored:
    """The event at the end of a sweep."""
    return AccountScored(
        event_id=event_id_of("AccountScored", account.account_id, now.isoformat()),
        occurred_at=now,
        account_id=account.account_id,
        pci=account.pci,
        identities=account.identities,
        excluded=account.excluded,
        by_band=account.by_band,
        sweep_found=sweep_found,
    )


def scored(scores: Sequence[Score]) -> tuple[list[Score], int]:
    """Scores that count for the account, and how many are excluded."""
    counted = [score for score in scores if score.exempt is None]
    return counted, len(scores) - len(counted)
