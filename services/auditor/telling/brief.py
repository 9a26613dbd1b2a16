"""What is told in place of messages that SNS refuses or that can't be read: which events they were about. Pure."""

from collections.abc import Iterator, Sequence

from services.auditor.telling.letter import plain, subject_of
from services.auditor.telling.place import Place
from shared.events import EVENT_TYPES
from shared.model.notification import KeptNotification, Notification, Severity

MAX_LISTED = 100  # events that the text names
MAX_ID = 300  # characters of an event's id; a longer one is none of ours


def in_brief(kept: Sequence[KeptNotification], place: Place) -> Notification:
    """One message that names the events of some, and takes nothing else from them that could be refused again.

    Raises ValueError for none.
    """
    if not kept:
        raise ValueError("nothing to tell in brief")
    ids = [one.event_id[:MAX_ID] for one in kept]
    severity = Severity.highest(one.notification.severity for one in kept)
    subject = f"Event {ids[0]} could not be told in full" if len(ids) == 1 else f"{len(ids)} events, not told in full"
    told = [{"event_id": event_id} for event_id in ids[:MAX_LISTED]]
    digest = {"count": len(ids), "messages": told, "left_out": len(ids) - len(told)}
    types = tuple(sorted({name for one in kept for name in _types(one) if name in EVENT_TYPES}))
    return Notification(
        subject=subject_of(subject),
        text="\n".join(_text(ids, place)),
        data={"event": told[0]} if len(ids) == 1 else {"digest": digest},
        attributes={"severity": severity.value} | ({"type": types} if types else {}),
        severity=severity,
        label="told in brief",
        command=_show(ids[0], place) if len(ids) == 1 else "",
    )


def _text(ids: Sequence[str], place: Place) -> Iterator[str]:
    yield "SNS refused the message, or it can't be read any more. The audit trail has what it was about:"
    yield ""
    for event_id in ids[:MAX_LISTED]:
        yield f"  {_show(event_id, place)}"
    if len(ids) > MAX_LISTED:
        yield f"  and {len(ids) - MAX_LISTED} more, which the log of NotifyFunction names"
    yield ""
    yield f"Stack {plain(place.stack_name)}, region {place.region}."


def _show(event_id: str, place: Place) -> str:
    return plain(place.command("audit", "show", event_id))


def _types(kept: KeptNotification) -> tuple[str, ...]:
    named = kept.notification.attributes.get("type", ())
    return (named,) if isinstance(named, str) else named
