"""Many messages in one: grouped by kind, the most urgent first, within SNS's limits. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from services.auditor.telling.letter import plain, subject_of, utc
from services.auditor.telling.place import Place
from shared.events import EVENT_TYPES
from shared.model.identity import IdentityType
from shared.model.notification import KeptNotification, Notification, Severity

MAX_LISTED = 100  # messages that the text names
MAX_OF_A_KIND = 20
MAX_COMMAND = 300  # characters; a longer one is none that a person would type
MAX_MACHINE_BYTES = 60_000  # of what programs get of the single messages; escaped twice it is at most six times that
ACCOUNT = re.compile(r"\d{12}")
FILTERS = (("type", frozenset(EVENT_TYPES)), ("identity_type", frozenset(map(str, IdentityType))))  # and their values
QUERY_MARGIN = timedelta(hours=1)  # an event is recorded a little after it happened, and waits before it is told


def digest_of(kept: Sequence[KeptNotification], place: Place) -> Notification:
    """One message that tells several; raises ValueError for none."""
    if not kept:
        raise ValueError("a digest of nothing")
    ordered = _ordered(kept)
    counts = Counter(one.notification.label for one in ordered)  # in this order
    told = ", ".join(f"{count} {label}" for label, count in counts.items())
    severity = Severity.highest(one.notification.severity for one in kept)
    subject = subject_of(f"{told} ({len(kept)} messages)")
    return Notification(
        subject=subject,
        text="\n".join(_text(ordered, counts, subject, place)),
        data={"digest": _machine(ordered)},
        attributes=_attributes(kept, severity),
        severity=severity,
        label="digest",
    )


def _ordered(kept: Sequence[KeptNotification]) -> list[KeptNotification]:
    """By kind, the kinds with the most urgent messages first, then the largest; within a kind, the oldest first."""
    urgency = list(Severity).index
    sizes = Counter(one.notification.label for one in kept)
    worst: dict[str, int] = {}
    for one in kept:
        label = one.notification.label
        worst[label] = max(worst.get(label, 0), urgency(one.notification.severity))
    return sorted(
        kept,
        key=lambda one: (
            -worst[one.notification.label],
            -sizes[one.notification.label],
            one.notification.label,
            one.kept_at,
            one.event_id,
        ),
    )


def _text(ordered: Sequence[KeptNotification], counts: Counter[str], subject: str, place: Place) -> Iterator[str]:
    first, last = min(one.kept_at for one in ordered), max(one.kept_at for one in ordered)
    yield subject
    yield ""
    yield f"{len(ordered)} messages came close together ({utc(first)} to {utc(last)}), so they are told as one."
    room = MAX_LISTED
    for label, group in groupby(ordered, key=lambda one: one.notification.label):
        members = list(group)
        shown = members[: min(MAX_OF_A_KIND, room)]
        room -= len(shown)
        yield ""
        yield f"{plain(label.capitalize())} ({counts[label]}):"
        for one in shown:
            yield f"- {plain(one.notification.subject)}"
            if 0 < len(one.notification.command) <= MAX_COMMAND:
                yield f"    {plain(one.notification.command)}"
        if more := members[len(shown) :]:
            yield f"  and {len(more)} more:"
            yield f"    {_query(more, place)}"
    yield ""
    yield f"Stack {plain(place.stack_name)}, region {place.region}. Every event is in the audit trail."


def _query(kept: Sequence[KeptNotification], place: Place) -> str:
    """The command that lists the events of some messages."""
    types = sorted({value for one in kept for value in _values(one.notification.attributes.get("type", ""))})
    asked = [word for name in types for word in ("--type", name)]
    since: datetime = min(map(_happened, kept)) - QUERY_MARGIN
    return place.command("audit", "query", *asked, "--since", f"{since:%Y-%m-%dT%H:%M:%SZ}")


def _happened(kept: KeptNotification) -> datetime:
    """When the event was, by which it is asked for: after an outage that is long before it was kept."""
    try:
        return min(datetime.fromisoformat(str(kept.notification.data["event"]["occurred_at"])), kept.kept_at)
    except (KeyError, TypeError, ValueError):
        return kept.kept_at


def _machine(ordered: Sequence[KeptNotification]) -> dict[str, Any]:
    """Counts, and as many of the single messages as there is room for."""
    messages: list[dict[str, Any]] = []
    size = 0
    for one in ordered:
        notification = one.notification
        message = {
            "event_id": one.event_id,
            "type": notification.attributes.get("type", ""),
            "severity": notification.severity.value,
            "subject": notification.subject,
        }
        size += len(json.dumps(message))
        if size > MAX_MACHINE_BYTES:
            break
        messages.append(message)
    return {"count": len(ordered), "messages": messages, "left_out": len(ordered) - len(messages)}


def _attributes(kept: Sequence[KeptNotification], severity: Severity) -> dict[str, str | tuple[str, ...]]:
    """Every type and kind of identity in it, so that a filter policy on any of them lets the digest through.

    Only what can be one: SNS refuses some values, and with them the whole digest.
    """
    accounts = {value for one in kept for value in _values(one.notification.attributes.get("account", ""))}
    attributes: dict[str, str | tuple[str, ...]] = {"severity": severity.value}
    if known := set(filter(ACCOUNT.fullmatch, accounts)):
        attributes["account"] = min(known)
    for name, known_values in FILTERS:
        values = {value for one in kept for value in _values(one.notification.attributes.get(name, ()))}
        if values & known_values:
            attributes[name] = tuple(sorted(values & known_values))
    return attributes


def _values(attribute: str | tuple[str, ...]) -> tuple[str, ...]:
    return (attribute,) if isinstance(attribute, str) else attribute
