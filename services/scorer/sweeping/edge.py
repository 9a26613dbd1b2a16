"""The sweep wired to AWS: every identity of an account page by page, resumable after a pause or a crash."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.scorer.core import pause_event
from services.scorer.edge import Outcome, Scorer
from services.scorer.settings import SweepSettings
from services.scorer.surroundings.edge import SurroundingsStore
from services.scorer.sweeping.data_events.edge import note_data_events
from services.scorer.sweeping.ending.edge import count_sweep, score_account_of
from services.scorer.sweeping.progress import (
    Beginning,
    after_page,
    begin,
    ended_with_failures,
    finished,
    interval_of,
    is_patient,
    listing_afresh,
    moved_on,
    released,
    with_failure,
    with_success,
)
from shared.aws import clients
from shared.aws.account_listing import AccountListing, IdentityPage
from shared.aws.dynamodb import Table
from shared.aws.eventbridge import Publisher
from shared.aws.iam import IamReader, MarkerRefusedError
from shared.aws.score_table import ScoreTable
from shared.aws.sweep_table import SweepTable
from shared.errors import ConflictError, DependencyError, InputError, LeastwiseError
from shared.events import Service
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.sweep import SweepProgress
from shared.observability import logger

RESERVE_SECONDS = 15.0  # of an invocation, to pause in an orderly way
Answer = dict[str, Any]


class Sweep:
    """One invocation of a sweep; `remaining` says how many seconds it has left, `request_id` is its own."""

    def __init__(
        self, settings: SweepSettings, now: datetime, remaining: Callable[[], float], *, request_id: str = ""
    ) -> None:
        table = Table(clients.dynamodb(), settings.scores_table)
        self._settings = settings
        self._account_id = settings.account_id
        self._now = now
        self._remaining = remaining
        self._request_id = request_id
        self._sweeps = SweepTable(table)
        self._scores = ScoreTable(table)
        self._listing = AccountListing(IamReader(clients.iam()), now=now)
        self._publisher = Publisher(clients.events(), settings.event_bus, Service.SCORER)
        self._slowest = 0.0  # seconds that one step took
        self._remaining_at_first = remaining()
        self._counted_until = self._remaining_at_first  # seconds of work before that are in the progress

    def run(self, paused: datetime | None = None) -> Answer:
        """Begin a sweep, or resume the one that did not end; `paused` is the start of the one to go on with, only.

        Answers how it ended: `completed` with the account's score, `paused` (another invocation goes on), `busy`
        (somebody else is at work on it), or `done` (there was nothing to go on with). One identity that can't be
        scored stops nobody else and is not retired; at the end it is an error all the same.
        """
        previous = self._sweeps.get(self._account_id)
        if previous is not None and ended_with_failures(previous, self._request_id):
            raise _failure(previous)
        begun = begin(
            previous,
            account_id=self._account_id,
            now=self._now,
            lease=timedelta(seconds=self._remaining()),
            interval=interval_of(self._settings.sweep_schedule),
            paused=paused,
        )
        if begun.progress is None:
            return self._idle(begun.beginning, previous)
        try:
            self._progress = self._sweeps.put(begun.progress)
        except ConflictError:
            return self._idle(Beginning.BUSY, previous)
        logger.info("sweep", beginning=begun.beginning, started_at=self._progress.started_at, page=self._progress.pages)
        try:
            return self._work()
        finally:
            self._release()

    def _idle(self, beginning: Beginning, previous: SweepProgress | None) -> Answer:
        logger.info("no sweep", reason=beginning)
        return {"outcome": beginning.value, "started_at": previous.started_at.isoformat() if previous else None}

    def _work(self) -> Answer:
        if self._progress.pages == 0 and not self._progress.listed:
            note_data_events(self._settings, self._now)
        store = SurroundingsStore(self._settings)
        surroundings = store.swept(
            self._listing,
            started_at=self._progress.started_at,
            now=self._now,
            out_of_time=lambda: self._progress.pages > 0 or self._remaining() < self._remaining_at_first / 2,
        )
        self._scorer = Scorer(self._settings, self._now, self._remaining, surroundings)
        self._grants = {} if self._progress.listed else self._scorer.known_grants()
        try:
            done = self._score_pages()
        except MarkerRefusedError:
            logger.warning("the marker of the listing is refused; listing from its start")
            self._checkpoint(listing_afresh(self._progress))
            done = self._score_pages()
        if not done or not self._look_for_the_unseen():
            return self._pause()
        return self._finish()

    def _score_pages(self) -> bool:
        """Score page after page, with a checkpoint after each; False when the time is short."""
        if self._progress.listed:
            return True
        before = self._remaining()
        for page in self._listing.pages(marker=self._progress.marker):
            self._score_page(page)
            count, seconds = len(page.details) + len(page.unreadable), self._worked()
            self._checkpoint(after_page(self._progress, marker=page.marker, identities=count, seconds=seconds))
            self._slowest = max(self._slowest, before - self._remaining())
            if self._is_short_of_time():
                return False
            before = self._remaining()
        return True

    def _score_page(self, page: IdentityPage) -> None:
        """Score one page. Who can't be scored by the listing, or was looked at since it began, is looked at again."""
        for detail in page.details:
            if self._try(detail.ref, partial(self._score_listed, detail)) is Outcome.OVERTAKEN:
                self._look_again(detail.ref)
        for identity_id, error in page.unreadable.items():
            if identity_id in page.named:
                self._look_again(page.named[identity_id])
            else:
                self._progress = with_failure(self._progress, identity_id, str(error))

    def _score_listed(self, detail: IdentityDetail) -> Outcome:
        self._scorer.note_grants(detail, self._grants.get(detail.ref.identity_id))
        return self._scorer.score(detail)

    def _look_again(self, ref: IdentityRef) -> None:
        self._try(ref, partial(self._look, ref))

    def _look(self, ref: IdentityRef) -> Outcome:
        """Look at one identity by itself; once more where it changed while it was read."""
        try:
            return self._scorer.look_again(ref, now=self._time())
        except ConflictError:
            return self._scorer.look_again(ref, now=self._time())

    def _time(self) -> datetime:
        return self._now + timedelta(seconds=self._remaining_at_first - self._remaining())

    def _try(self, ref: IdentityRef, look: Callable[[], Outcome]) -> Outcome | None:
        """Note what comes of a look, None where it fails for good.

        Where AWS fails, the rest is left for the next invocation; not for ever, lest one identity holds up all others.
        """
        passed_over = ConflictError if is_patient(self._progress) else DependencyError
        try:
            outcome = look()
        except (InputError, passed_over) as error:
            self._progress = with_failure(self._progress, ref.identity_id, str(error))
            return None
        self._progress = with_success(self._progress, ref.identity_id, news=outcome is Outcome.NEWS)
        return outcome

    def _look_for_the_unseen(self) -> bool:
        """Ask IAM for each identity that has a score from before the sweep; False when the time is short.

        The gone are retired. Who is there all the same is scored. Who was listed and could not be scored is left alone:
        the name that is stored may be an old one.
        """
        if self._progress.identities == 0:
            raise DependencyError("GetAccountAuthorizationDetails listed no user and no role")  # our own would be there
        for ref in self._unseen():
            before = self._remaining()
            self._look_again(ref)
            self._slowest = max(self._slowest, before - self._remaining())
            if self._is_short_of_time():
                self._checkpoint(moved_on(self._progress))
                return False
        return True

    def _unseen(self) -> list[IdentityRef]:
        scores = (stored.score for stored in self._scores.scores(self._account_id))
        unseen = (score.identity for score in scores if score.scored_at < self._progress.started_at)
        return [ref for ref in unseen if ref.identity_id not in self._progress.failed]

    def _finish(self) -> Answer:
        account, tally = score_account_of(self._settings, self._progress, self._now)
        seconds = self._worked()
        self._checkpoint(finished(self._progress, now=self._now, seconds=seconds, request_id=self._request_id))
        count_sweep(self._progress, account, tally)
        if self._progress.failures:
            raise _failure(self._progress)
        return {
            "outcome": "completed",
            "pci": account.pci,
            "identities": account.identities,
            "excluded": account.excluded,
            "sweep_found": self._progress.found,
            "pages": self._progress.pages,
        }

    def _worked(self) -> float:
        """Seconds of work since the last time that this was asked."""
        now = self._remaining()
        seconds, self._counted_until = self._counted_until - now, now
        return seconds

    def _is_short_of_time(self) -> bool:
        return self._remaining() < RESERVE_SECONDS + 2 * self._slowest

    def _pause(self) -> Answer:
        self._checkpoint(released(self._progress))
        self._publisher.publish(pause_event(self._progress, now=self._now))
        logger.info("sweep paused", pages=self._progress.pages, identities=self._progress.identities)
        return {"outcome": "paused", "pages": self._progress.pages, "identities": self._progress.identities}

    def _checkpoint(self, progress: SweepProgress) -> None:
        """Store how far the sweep came. Raises ConflictError when its lease ran out and somebody else took over."""
        self._progress = self._sweeps.put(progress)

    def _release(self) -> None:
        """Let others at it at once after a failure; where that fails too, they wait for the end of the lease."""
        if self._progress.lease_until is not None:
            with suppress(LeastwiseError):
                self._checkpoint(released(self._progress))


def _failure(progress: SweepProgress) -> DependencyError:
    reasons = "; ".join(f"{identity_id}: {why}" for identity_id, why in list(progress.failed.items())[:5])
    return DependencyError(f"{progress.failures} identities could not be scored: {reasons}"[:1500])
