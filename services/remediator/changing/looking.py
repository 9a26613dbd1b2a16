"""Looking at an identity so that no single answer of IAM decides: it is eventually consistent."""

from collections.abc import Callable
from dataclasses import dataclass

from services.remediator.changing.ports import Clock, Reads, RemainingSeconds, Sleep
from services.remediator.changing.stopping import MAX_READS, MIN_SECONDS_LEFT, STABLE_READS, StopError
from shared.errors import ConflictError, DependencyError, NotFoundError
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import ReasonCode


@dataclass(frozen=True, slots=True)
class Looks:
    """Reads identities, again after a while where an answer isn't what was expected. `dwell_seconds` is how long."""

    reads: Reads
    clock: Clock
    sleep: Sleep
    remaining_seconds: RemainingSeconds
    dwell_seconds: float

    def look(self, identity: IdentityRef) -> IdentityDetail:
        """Read an identity. Raises StopError (gone) where several reads agree that it does not exist any more.

        One such answer proves nothing: a policy that somebody removes between two calls of the reading looks the same.
        """
        for _ in range(STABLE_READS):
            try:
                return self.reads.verified(identity, now=self.clock())
            except (ConflictError, NotFoundError):
                self.wait()
        try:
            return self.reads.verified(identity, now=self.clock())
        except NotFoundError as error:
            raise StopError(ReasonCode.GONE, str(error)) from error

    def is_stable(self, holds: Callable[[], bool]) -> bool:
        """Whether what is looked at stays so over the dwell; False where it did not within MAX_READS looks."""
        stable = 0
        for _ in range(MAX_READS):
            stable = stable + 1 if holds() else 0
            if stable > STABLE_READS:
                return True
            self.wait()
        return False

    def wait(self) -> None:
        """Give IAM time. Raises DependencyError where there is none left."""
        if self.remaining_seconds() < MIN_SECONDS_LEFT:
            raise DependencyError("no time left to wait for IAM; it goes on at the next delivery")
        self.sleep(self.dwell_seconds / STABLE_READS or 0.05)
