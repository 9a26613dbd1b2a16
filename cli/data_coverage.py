"""How well the map from CloudTrail's calls to IAM actions covers the records of a trail: pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from services.scorer.trail.batch import Batch
from services.scorer.trail.record import API_CALL
from services.scorer.usage.evidence import SkipReason, skip_of_type
from shared.iam.operations import OperationActions, OperationMap, UnmappedReason


class Kind(StrEnum):
    """What the map says of a call."""

    PRIMARY = "primary"
    POSSIBLE = "possible"
    PRESUMED = "presumed"
    UNMAPPED = "unmapped"


class _Call(NamedTuple):
    """Everything that decides what the map says of a record."""

    event_type: str
    event_source: str
    event_name: str


class _Judged(NamedTuple):
    kind: Kind
    reason: str = ""
    action: str | None = None


def coverage_of(batches: Iterable[Batch], operations: OperationMap) -> dict[str, Any]:
    """Count the records by what the map says of them, and list the calls for which it names no certain action.

    The answer: `records`, `mapped` ({"primary", "possible", "presumed"}), `unmapped`, `unreadable`, and `calls`: the
    unmapped and the presumed ones as {"event_source", "event_name", "count", "reason", "action"?}, sorted.
    """
    calls: Counter[_Call] = Counter()
    unreadable = 0
    for batch in batches:
        unreadable += len(batch.unreadable)
        calls.update(
            _Call(record.event_type or API_CALL, record.event_source or "", record.event_name or "")
            for record in batch.records
        )
    judged = {call: _judge(call, operations) for call in calls}
    totals: Counter[Kind] = Counter()
    for call, count in calls.items():
        totals[judged[call].kind] += count
    return {
        "records": calls.total(),
        "mapped": {kind.value: totals[kind] for kind in Kind if kind is not Kind.UNMAPPED},
        "unmapped": totals[Kind.UNMAPPED],
        "unreadable": unreadable,
        "calls": list(_listed(calls, judged)),
    }


def _judge(call: _Call, operations: OperationMap) -> _Judged:
    if call.event_type != API_CALL:
        return _Judged(Kind.UNMAPPED, skip_of_type(call.event_type).value)
    if not (call.event_source and call.event_name):
        return _Judged(Kind.UNMAPPED, SkipReason.MALFORMED.value)
    found = operations.actions_of(call.event_source, call.event_name)
    if isinstance(found, OperationActions):
        return _Judged(Kind.PRIMARY if found.primary else Kind.POSSIBLE)
    presumed = operations.presumed_action(call.event_source, call.event_name)
    if found.reason is UnmappedReason.NO_ACTION or presumed is None:
        return _Judged(Kind.UNMAPPED, found.reason.value)
    return _Judged(Kind.PRESUMED, found.reason.value, presumed)


def _listed(calls: Counter[_Call], judged: Mapping[_Call, _Judged]) -> Iterator[dict[str, Any]]:
    """Unmapped and presumed calls; several event types of one name and reason are one entry."""
    merged: Counter[tuple[str, str, str, str]] = Counter()
    for call, count in calls.items():
        of_call = judged[call]
        if of_call.kind in (Kind.UNMAPPED, Kind.PRESUMED):
            merged[call.event_source, call.event_name, of_call.reason, of_call.action or ""] += count
    for (source, name, reason, action), count in sorted(merged.items()):
        entry = {"event_source": source, "event_name": name, "count": count, "reason": reason}
        yield {**entry, "action": action} if action else entry
