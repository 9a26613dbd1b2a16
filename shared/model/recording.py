"""What the trails record of everything that happens, whatever the resource: read from their event selectors.

Source: CloudTrail API Reference, EventSelector, DataResource and AdvancedFieldSelector. Selectors only ever add, so
what several of them record is the union; whatever narrows one makes it worthless here, known or not.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

READS, WRITES = True, False
HALVES = frozenset({READS, WRITES})
_HALVES_OF = {"All": HALVES, "ReadOnly": frozenset({READS}), "WriteOnly": frozenset({WRITES})}
_HALVES_OF_READ_ONLY = {"true": frozenset({READS}), "false": frozenset({WRITES})}

# Basic selectors that name no resource but the whole service, in any partition.
_WHOLE = {
    "AWS::S3::Object": re.compile(r"arn:aws[a-z-]*:s3(:::)?"),
    "AWS::Lambda::Function": re.compile(r"arn:aws[a-z-]*:lambda"),
    "AWS::DynamoDB::Table": re.compile(r"arn:aws[a-z-]*:dynamodb"),
}
_OPERATORS = ("StartsWith", "EndsWith", "NotStartsWith", "NotEndsWith")


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded without exception, by half: reads (True) and writes (False).

    `data` holds resource types of data events; `management` the event sources that are left out of the management
    events of a half, which is missing where none are recorded.
    """

    data: frozenset[tuple[str, bool]] = frozenset()
    management: Mapping[bool, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def data_event_types(self) -> frozenset[str]:
        """Resource types of which all data events are recorded, reads and writes."""
        return frozenset(kind for kind, _ in self.data if all((kind, half) in self.data for half in HALVES))

    @property
    def management_gaps(self) -> tuple[str, ...]:
        """Which management events no trail records, in words; empty where all are recorded."""
        names = {READS: "reads", WRITES: "writes"}
        gaps = [f"no {names[half]}" for half in (READS, WRITES) if half not in self.management]
        left_out = sorted(frozenset().union(*self.management.values()))
        return (*gaps, *(f"not {source}" for source in left_out))

    def join(self, other: "Recording") -> "Recording":
        """What both record together; an event source is left out where both leave it out."""
        management = dict(self.management)
        for half, left_out in other.management.items():
            management[half] = management[half] & left_out if half in management else left_out
        return Recording(self.data | other.data, MappingProxyType(management))


def recording_of(answer: Mapping[str, Any]) -> Recording:
    """What one trail records of everything, by what GetEventSelectors answers of it."""
    recording = Recording()
    for selector in answer.get("EventSelectors") or ():
        recording = recording.join(_basic(selector))
    for selector in answer.get("AdvancedEventSelectors") or ():
        recording = recording.join(_advanced(selector))
    return recording


def _basic(selector: Mapping[str, Any]) -> Recording:
    halves = _HALVES_OF.get(selector.get("ReadWriteType", "All"), frozenset())
    whole = [
        resource["Type"]
        for resource in selector.get("DataResources") or ()
        if resource.get("Type") in _WHOLE and any(map(_WHOLE[resource["Type"]].fullmatch, resource.get("Values") or ()))
    ]
    management = {}
    if selector.get("IncludeManagementEvents", True):
        left_out = frozenset(selector.get("ExcludeManagementEventSources") or ())
        management = dict.fromkeys(halves, left_out)
    return Recording(_pairs(whole, halves), MappingProxyType(management))


def _advanced(selector: Mapping[str, Any]) -> Recording:
    """Data or management events, where every condition is one that leaves nothing out, or a half, or event sources."""
    conditions = {condition.get("Field"): condition for condition in selector.get("FieldSelectors") or ()}
    if len(conditions) < len(selector.get("FieldSelectors") or ()):
        return Recording()
    category = _only_equals(conditions.pop("eventCategory", None))
    halves = HALVES
    if "readOnly" in conditions:
        wanted = _only_equals(conditions.pop("readOnly"))
        halves = frozenset().union(*(_HALVES_OF_READ_ONLY.get(value, frozenset()) for value in wanted))
    if category == {"Data"} and set(conditions) == {"resources.type"}:
        return Recording(_pairs(_only_equals(conditions["resources.type"]), halves))
    if category == {"Management"} and set(conditions) <= {"eventSource"}:
        left_out = _only_not_equals(conditions.get("eventSource"))
        if left_out is not None:
            return Recording(management=MappingProxyType(dict.fromkeys(halves, left_out)))
    return Recording()


def _only_equals(condition: Mapping[str, Any] | None) -> frozenset[str]:
    """Values that a condition admits by Equals; none where it has another operator, too."""
    if condition is None or any(condition.get(operator) for operator in (*_OPERATORS, "NotEquals")):
        return frozenset()
    return frozenset(condition.get("Equals") or ())


def _only_not_equals(condition: Mapping[str, Any] | None) -> frozenset[str] | None:
    """Values that a condition leaves out by NotEquals; None where it has another operator."""
    if condition is None:
        return frozenset()
    if any(condition.get(operator) for operator in (*_OPERATORS, "Equals")):
        return None
    return frozenset(condition.get("NotEquals") or ())


def _pairs(kinds: Iterable[str], halves: Iterable[bool]) -> frozenset[tuple[str, bool]]:
    wanted = tuple(halves)
    return frozenset((kind, half) for kind in kinds for half in wanted)
