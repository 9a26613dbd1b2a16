"""What an identity may do, worked out again from nothing but IAM's state: none of leastwise's engine is used here.

It knows what the shapes' policies use and no more: Allow and Deny, Action and NotAction with wildcards, Resource with
wildcards, and conditions on `aws:RequestedRegion` by StringEquals and StringNotEquals. Anything else is an error, so
that a policy that it cannot judge is never judged wrongly. `tests/faults/test_oracle.py` holds it to
`shared.iam.evaluate` over every state that the runs go through.

Source: IAM user guide, "Policy evaluation logic": Deny wins; within a permissions boundary only what both allow.
"""

import functools
import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from tests.fake_aws.iam_state import Entity, IamState


class Probe(NamedTuple):
    """A request that somebody might make."""

    action: str
    resource: str
    region: str = "us-east-1"


@functools.lru_cache(maxsize=4096)
def _allows(document: str, probes: tuple[Probe, ...]) -> tuple[frozenset[Probe], frozenset[Probe]]:
    """What a document allows and what it denies."""
    parsed = json.loads(document)["Statement"]
    allowed: set[Probe] = set()
    denied: set[Probe] = set()
    for statement in [parsed] if isinstance(parsed, dict) else parsed:
        hit = {probe for probe in probes if _covers(statement, probe)}
        (allowed if statement["Effect"] == "Allow" else denied).update(hit)
    return frozenset(allowed), frozenset(denied)


def _covers(statement: dict[str, Any], probe: Probe) -> bool:
    known = {"Sid", "Effect", "Action", "NotAction", "Resource", "Condition"}
    if set(statement) - known:
        raise ValueError(f"no shape has statements with {sorted(set(statement) - known)}: add a rule for it")
    if "Action" in statement:
        named = _matches(probe.action.lower(), (word.lower() for word in _words(statement["Action"])))
    else:
        named = not _matches(probe.action.lower(), (word.lower() for word in _words(statement["NotAction"])))
    return named and _matches(probe.resource, _words(statement["Resource"])) and _holds(statement, probe)


def _holds(statement: dict[str, Any], probe: Probe) -> bool:
    for name, keys in statement.get("Condition", {}).items():
        if set(keys) != {"aws:RequestedRegion"} or name not in {"StringEquals", "StringNotEquals"}:
            raise ValueError(f"no shape has the condition {name} on {sorted(keys)}: add a rule for it")
        if (probe.region in _words(keys["aws:RequestedRegion"])) is not (name == "StringEquals"):
            return False
    return True


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in patterns)


def _words(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def documents_of(state: IamState, entity: Entity) -> list[str]:
    """Every document in force for an entity, those of its groups included, its boundary not."""
    found: list[str] = []
    for one in (entity, *(state.entities["group", name.lower()] for name in entity.groups)):
        found += dict(one.inline).values()
        found += [state.policies[arn].document for arn in one.attached]
    return found


@functools.lru_cache(maxsize=4096)
def _effective(documents: tuple[str, ...], boundary: str | None, probes: tuple[Probe, ...]) -> frozenset[Probe]:
    allowed: set[Probe] = set()
    denied: set[Probe] = set()
    for document in documents:
        more, less = _allows(document, probes)
        allowed |= more
        denied |= less
    if boundary is not None:
        within, without = _allows(boundary, probes)
        allowed &= within
        denied |= without
    return frozenset(allowed - denied)


def effective(state: IamState, entity: Entity, probes: tuple[Probe, ...]) -> frozenset[Probe]:
    """The probes that an entity may make."""
    boundary = state.policies[entity.boundary].document if entity.boundary else None
    return _effective(tuple(sorted(documents_of(state, entity))), boundary, probes)
