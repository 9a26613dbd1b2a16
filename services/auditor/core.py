"""From event to audit entry: one sentence for people, the event for machines, its place in the chain. Pure."""

import math
from datetime import datetime
from typing import Any, NamedTuple

from services.auditor.summaries import summary_of
from shared.events import DomainEvent, IdentityEvaluated, IdentityEvent
from shared.model.audit import NO_PREVIOUS, AuditEntry
from shared.model.digests import canonical_json, digest_of
from shared.model.stored_entry import Head

# An item of DynamoDB holds 400 KB, names and all. Events have a few hundred bytes; what is over these limits is
# recorded without what is too large, and with the digest of the whole.
MAX_EVENT_BYTES = 65_536  # as canonical JSON
MAX_SUMMARY = 1_000  # characters
MAX_ARN = 2_048  # characters; IAM's are below 700
MAX_KEY = 256  # characters of what an index is asked for; longer ones can't be asked for
DIGITS = 16  # of the digest in the id of an event that needed another one
MAX_RENAMED = 64 - 1 - DIGITS  # characters of its own id: with the digest no more than any event id


class Kept(NamedTuple):
    """What is stored of an event: fields, the names of those left out, and the digest (hex) of all where some were."""

    fields: dict[str, Any]
    left_out: tuple[str, ...] = ()
    sha256: str | None = None


def chain_of(event: DomainEvent) -> str:
    """Which chain an event belongs to: its identity's, else the account's."""
    owner = event.identity.identity_id if isinstance(event, IdentityEvent) else "account"
    return f"{event.account_id}/{owner}"


def renamed(event: DomainEvent) -> DomainEvent:
    """The event under an id that what it tells makes: another event is recorded under its own, forged perhaps."""
    told = event.model_dump(mode="json", exclude={"occurred_at"}, exclude_none=True)
    digest = digest_of({**told, "": event.type_name()})
    return event.model_copy(update={"event_id": f"{event.event_id[:MAX_RENAMED]}~{digest[:DIGITS]}"})


def entry_of(event: DomainEvent, head: Head | None, *, now: datetime, source: str | None = None) -> AuditEntry:
    """The entry that follows `head` (None for an empty chain) and records `event`, sealed.

    `source` is the EventBridge source of the message that told it.
    """
    identity = event.identity if isinstance(event, IdentityEvent) else None
    plan_id, pci = getattr(event, "plan_id", None), getattr(event, "pci", None)
    kept = kept_of(event)
    return AuditEntry(
        chain=chain_of(event),
        sequence=head.sequence + 1 if head else 1,
        event_id=event.event_id,
        event_type=event.type_name(),
        occurred_at=event.occurred_at,
        recorded_at=now,
        account_id=event.account_id,
        source=_cut(source, MAX_KEY) if source else None,
        summary=_cut(summary_of(event), MAX_SUMMARY),
        identity_id=identity.identity_id if identity else None,
        identity_arn=_cut(identity.arn, MAX_ARN) if identity else None,
        identity_name=_cut(identity.name, MAX_KEY) if identity else None,
        identity_type=identity.type.value if identity else None,
        plan_id=plan_id if plan_id and len(plan_id) <= MAX_KEY else None,
        compliance=event.compliance.value if isinstance(event, IdentityEvaluated) else None,
        pci=pci if pci is not None and math.isfinite(pci) else None,
        event=kept.fields,
        event_left_out=kept.left_out,
        event_sha256=kept.sha256,
        previous_hash=head.entry_hash if head else NO_PREVIOUS,
    ).sealed()


def kept_of(event: DomainEvent) -> Kept:
    """The event as JSON values, without its largest fields where it is over MAX_EVENT_BYTES."""
    whole = {name: _finite(value) for name, value in event.model_dump(mode="json", exclude_none=True).items()}
    sizes = {name: len(canonical_json(value).encode()) for name, value in whole.items()}
    left_out: list[str] = []
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if sum(sizes.values()) <= MAX_EVENT_BYTES:
            break
        left_out.append(name)
        del sizes[name]
    if not left_out:
        return Kept(whole)
    return Kept({name: whole[name] for name in sizes}, tuple(sorted(left_out)), digest_of(whole))


def _finite(value: Any) -> Any:
    """Numbers that DynamoDB has no place for, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
