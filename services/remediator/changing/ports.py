"""What the saga needs from outside, as protocols: the adapters in shared/aws fit them, and fakes in tests."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from shared.model.call_outcome import CallOutcome
from shared.model.identity import IdentityDetail, IdentityRef
from shared.model.plan import Plan, PlanRecord, Reason, Step


class Reads(Protocol):
    """Reads an identity's policies as they are now."""

    def verified(self, ref: IdentityRef, *, now: datetime) -> IdentityDetail:
        """The identity that `ref` means, by unique id; NotFoundError when it is gone, or a policy of it just went."""
        ...


class Changes(Protocol):
    """Makes one idempotent call to IAM."""

    def perform(self, identity: IdentityRef, step: Step, *, plan_id: str) -> CallOutcome:
        """Make the call; NotFoundError where what it names doesn't show (any more)."""
        ...


class Writes(Protocol):
    """Keeps the journal."""

    def save(self, record: PlanRecord) -> PlanRecord:
        """Store the record's next state; ConflictError where somebody else wrote in between."""
        ...

    def intend(self, plan: Plan, number: int, step: Step, *, token: int, now: datetime) -> None:
        """Write down a call before it is made; ConflictError for whoever lost the identity's lock."""
        ...

    def note(self, plan: Plan, number: int, step: Step, outcome: str, *, token: int, now: datetime) -> None:
        """Write down how it ended."""
        ...

    def begun(self, plan_id: str) -> frozenset[int]:
        """Numbers of the calls that were intended and whose outcome isn't `not done…`: made, or perhaps made."""
        ...


Clock = Callable[[], datetime]
Sleep = Callable[[float], None]
RemainingSeconds = Callable[[], float]
Halted = Callable[[], bool]
Protection = Callable[[IdentityDetail], Reason | None]
