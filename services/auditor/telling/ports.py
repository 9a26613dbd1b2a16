"""What telling people needs from outside, so that it can be tried without AWS. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from shared.model.notification import KeptNotification, Notification


class OutboxPort(Protocol):
    """Messages that are to be sent, kept until they are; `shared.aws.outbox.Outbox` is the real one."""

    def keep(self, kept: KeptNotification) -> bool:
        """Keep a message for good until it is sent; False where the event's message was kept before."""

    def waiting(self, *, limit: int) -> Iterator[KeptNotification]:
        """Messages that were kept and not yet sent, at most so many, those that wait longest first."""

    def forget(self, sent: Sequence[KeptNotification]) -> None:
        """Take messages out that were sent; that they were kept once stays known."""

    def count(self, window: str, *, now: datetime) -> int:
        """Count one more message in a window, and say how many that makes."""

    def take_turn(self, holder: str, *, now: datetime, until: datetime) -> bool:
        """Be the only one who sends what waits, until then; False where somebody else is."""

    def end_turn(self, holder: str) -> None:
        """Let others send what waits."""


class SenderPort(Protocol):
    """The topic."""

    def __call__(self, notification: Notification) -> None:
        """Hand one message to SNS.

        Raises InputError where it will never take it, another LeastwiseError where it does not say that it has it.
        """
