"""The form of every message: what happened first, then a line for each question, then what can be done. Pure."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from services.auditor.telling.place import Place
from shared.events import DomainEvent, IdentityEvent, ServiceChange
from shared.model.notification import MAX_SUBJECT, Notification, Severity

MAX_FIELD = 1_500  # characters of one line: an alarm's advice has up to 1,024
MAX_ACTIONS = 5  # that a line names
MAX_SERVICES = 10  # that a message lists


class Letter(NamedTuple):
    """A message before it is put into its form.

    `lines` answer one question each: (what is asked, the answer). `steps` are what can be done: (what for, the line to
    run); the first one is what the reader would most likely do next.
    """

    label: str
    severity: Severity
    subject: str
    lines: Sequence[tuple[str, str]]
    steps: Sequence[tuple[str, str]] = ()
    services: Sequence[ServiceChange] = ()


def sealed(letter: Letter, event: DomainEvent, place: Place) -> Notification:
    """The notification that tells an event by this letter."""
    return Notification(
        subject=subject_of(letter.subject),
        text="\n".join(_text(letter, event, place)),
        data={"event": json.loads(event.model_dump_json(exclude_none=True))},
        attributes=_attributes(letter, event),
        severity=letter.severity,
        label=letter.label,
        command=letter.steps[0][1] if letter.steps else "",
    )


def _text(letter: Letter, event: DomainEvent, place: Place) -> Iterable[str]:
    yield plain(letter.subject)
    yield ""
    if isinstance(event, IdentityEvent):
        yield f"Who: {plain(event.identity.arn)}"
    for question, answer in letter.lines:
        if answer:
            yield f"{question}: {plain(answer)}"
    yield from by_service_lines(letter.services)
    for purpose, command in letter.steps:
        yield ""
        yield f"{purpose}:"
        yield f"  {plain(command)}"
    yield ""
    where = f"Account {event.account_id}, region {place.region}, stack {plain(place.stack_name)}"
    yield f"{where}, at {utc(event.occurred_at)}."
    yield f"Severity {letter.severity}, event {plain(event.event_id)}."


def _attributes(letter: Letter, event: DomainEvent) -> dict[str, str | tuple[str, ...]]:
    """Few enough for raw delivery to a queue, which takes ten."""
    about: dict[str, str | tuple[str, ...]] = {
        "type": event.type_name(),
        "account": event.account_id,
        "severity": letter.severity.value,
    }
    return about | {"identity_type": event.identity.type.value} if isinstance(event, IdentityEvent) else about


def by_service_lines(services: Sequence[ServiceChange]) -> Iterable[str]:
    """How much of each service goes: `s3: 118 of 130 taken, 12 kept`."""
    if services:
        yield "By service:"
    for change in services[:MAX_SERVICES]:
        total = change.removes + change.keeps
        yield f"  {plain(change.service)}: {change.removes} of {total} taken, {change.keeps} kept"


def plain(text: str) -> str:
    """One line that shows what it holds: what is invisible or turns the direction of text becomes `?`.

    Names, tags and messages come from outside. Long ones are cut.
    """
    shown = text if len(text) <= MAX_FIELD else f"{text[:MAX_FIELD]} ..."
    return shown if shown.isprintable() else "".join(char if char.isprintable() else "?" for char in shown)


def subject_of(text: str) -> str:
    """SNS takes ASCII without line breaks that begins with no space, less than 100 characters."""
    ascii_only = plain(text).strip().encode("ascii", "replace").decode() or "?"
    return ascii_only if len(ascii_only) <= MAX_SUBJECT else f"{ascii_only[: MAX_SUBJECT - 3]}..."


def listed(actions: Sequence[str]) -> str:
    """The first of some actions, and how many more there are."""
    more = f" and {len(actions) - MAX_ACTIONS} more" if len(actions) > MAX_ACTIONS else ""
    return ", ".join(actions[:MAX_ACTIONS]) + more


def utc(moment: datetime) -> str:
    """A time as people read it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
