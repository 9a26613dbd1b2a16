"""Which events are news, and which letter tells each. Pure."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from services.auditor.telling.letter import Letter, sealed
from services.auditor.telling.operations import alarmed, broken, controlled
from services.auditor.telling.place import Place
from services.auditor.telling.plans import applied, failed, noticed, rejected, rolled_back, waiting
from services.auditor.telling.verdicts import non_compliant, regretted, restored, unexempted
from shared.events import (
    AccessRegretted,
    AccessRestored,
    AlarmChanged,
    AuditTrailBroken,
    ControlChanged,
    DomainEvent,
    ExemptionExpired,
    IdentityEvaluated,
    PlanProposed,
    PolicyApplied,
    PolicyRolledBack,
    RemediationFailed,
    RemediationSkipped,
)
from shared.model.notification import Notification
from shared.model.plan import Compliance, Mode, ReasonCode, Strategy

Told = TypeVar("Told", bound=DomainEvent)
Writer: TypeAlias = Callable[[DomainEvent, Place], Letter | None]


def notification_of(event: DomainEvent, place: Place) -> Notification | None:
    """The message that an event deserves, or None: standing verdicts, scores and most skips are not news."""
    writer = WRITERS.get(type(event))
    letter = writer(event, place) if writer else None
    return sealed(letter, event, place) if letter else None


def _writer(
    kind: type[Told], write: Callable[[Told, Place], Letter], is_news: Callable[[Told], bool] = lambda _: True
) -> tuple[type[DomainEvent], Writer]:
    def written(event: DomainEvent, place: Place) -> Letter | None:
        return write(event, place) if isinstance(event, kind) and is_news(event) else None

    return kind, written


def _proposed(event: PlanProposed, place: Place) -> Letter:
    return waiting(event, place) if _waits(event) else noticed(event, place)


def _waits(event: PlanProposed) -> bool:
    """Whether nothing comes of a plan without a person: a text for code is never applied, whatever the mode."""
    return event.mode is Mode.APPROVE or (event.mode is Mode.AUTO and event.strategy is Strategy.PATCH)


def _needs_eyes(event: PlanProposed) -> bool:
    """Whether a plan waits for a person, or will be applied unless one objects."""
    return _waits(event) or (event.mode is Mode.AUTO and event.applies_from is not None)


WRITERS: dict[type[DomainEvent], Writer] = dict(
    (
        _writer(
            IdentityEvaluated,
            non_compliant,
            lambda event: event.compliance is Compliance.NON_COMPLIANT and not event.repeated,
        ),
        _writer(PlanProposed, _proposed, _needs_eyes),
        _writer(PolicyApplied, applied),
        _writer(PolicyRolledBack, rolled_back),
        _writer(RemediationSkipped, rejected, lambda event: event.code is ReasonCode.REJECTED),
        _writer(RemediationFailed, failed),
        _writer(AccessRegretted, regretted),
        _writer(AccessRestored, restored),
        _writer(ExemptionExpired, unexempted),
        # that an alarm is not yet known to be fine is no news, nor that it is fine for the first time
        _writer(AlarmChanged, alarmed, lambda event: "ALARM" in {event.state, event.previous}),
        _writer(ControlChanged, controlled),
        _writer(AuditTrailBroken, broken),
    )
)
