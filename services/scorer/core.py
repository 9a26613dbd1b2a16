"""From a score to what is stored and told: digests and events. Pure."""

import hashlib
import json
import math
from collections.abc import Iterable
from datetime import datetime

from shared.events import AccountScored, IdentityScored, ScoreRequested, SweepPaused, event_id_of
from shared.model.identity import IdentityRef
from shared.model.score import AccountScore, Provider, Score, StoredScore
from shared.model.sweep import SweepProgress

# What changes from day to day though nothing happened to the identity: the inventory grows a little, days pass.
PASSING = {"scored_at", "coverage", "pci", "reach", "resources", "contributions"}
MAX_TOP = 5


def digest_of(score: Score) -> str:
    """Name what a score says, apart from when it was made: the same digest tells nothing new.

    The PCI counts in whole tenths, cut off: one that crosses a threshold of at most one decimal is always news. What a
    new resource of the account moves is mostly less than a tenth, and news only where it crosses a tenth's border or
    turns the order of contributions.
    """
    content = score.model_dump(mode="json", exclude=PASSING)
    if score.provider is Provider.NATIVE:
        del content["provider"]  # older scores have none
    content["tenths"] = math.floor(round(score.pci * 10, 6))
    content["contributions"] = [[one.risk, one.path, one.unused, one.examples] for one in score.contributions]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def successor(previous: StoredScore | None, score: Score) -> StoredScore:
    """The record to store after `previous`; what was announced stays until the new score is."""
    if previous is None:
        return StoredScore(score)
    return StoredScore(score, previous.version, previous.announced, previous.announcements)


def announcement(stored: StoredScore, previous: StoredScore | None) -> IdentityScored | None:
    """The event that tells a stored score, or None where it says nothing that was not told before.

    What it says is part of its natural key: two scorers at once may each tell another score under one number.
    """
    score = stored.score
    digest = digest_of(score)
    if digest == stored.announced:
        return None
    return IdentityScored.about(
        score.identity,
        stored.announcements + 1,
        digest,
        occurred_at=score.scored_at,
        score_version=stored.announcements + 1,
        pci=score.pci,
        previous_pci=previous.score.pci if previous and previous.announced else None,
        band=score.band,
        provider=score.provider,
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


def account_event(account: AccountScore, sweep: SweepProgress) -> AccountScored:
    """The event at the end of a sweep; the same for a sweep whose end was reached twice."""
    return AccountScored(
        event_id=event_id_of("AccountScored", account.account_id, sweep.started_at.isoformat()),
        occurred_at=account.scored_at,
        account_id=account.account_id,
        pci=account.pci,
        identities=account.identities,
        excluded=account.excluded,
        by_band=account.by_band,
        sweep_found=sweep.found,
    )


def pause_event(sweep: SweepProgress, *, now: datetime) -> SweepPaused:
    """The event that has a new invocation go on with a sweep."""
    return SweepPaused(
        event_id=event_id_of("SweepPaused", sweep.account_id, sweep.started_at.isoformat(), sweep.version),
        occurred_at=now,
        account_id=sweep.account_id,
        started_at=sweep.started_at,
        pages=sweep.pages,
        identities=sweep.identities,
    )


def score_requests(
    identities: Iterable[IdentityRef], *, cause: str, reason: str, now: datetime
) -> list[ScoreRequested]:
    """One request for each identity that a change concerns; `cause` is the id of the event that told of the change."""
    return [ScoreRequested.about(ref, "fan-out", cause, occurred_at=now, reason=reason) for ref in identities]
