"""What a plan changes in policy documents, as unified diffs that people can read. Pure."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.model.identity import Policy
from shared.model.plan import Plan, Strategy

CONTEXT = 2  # unchanged lines around each change
ACTIONS, RESOURCES = ("Action", "NotAction"), ("Resource", "NotResource")
ORDER = ("Version", "Id", "Sid", "Effect", *ACTIONS, *RESOURCES, "Condition", "Statement")  # of keys; others come last


class Side(NamedTuple):
    """Documents before or after a change, under one title; none where there is nothing."""

    title: str
    documents: tuple[tuple[str, Mapping[str, Any]], ...] = ()


def differences(plan: Plan, policies: Sequence[Policy], boundary: Policy | None) -> Iterator[tuple[str, ...]]:
    """Lines of each unified diff: `policies` and `boundary` are those in force before the plan."""
    for before, after in _sides(plan, policies, boundary):
        lines = difflib.unified_diff(_lines(before), _lines(after), before.title, after.title, n=CONTEXT, lineterm="")
        if told := tuple(lines):
            yield told


def _sides(plan: Plan, policies: Sequence[Policy], boundary: Policy | None) -> Iterator[tuple[Side, Side]]:
    if plan.strategy is Strategy.PATCH:
        yield from _patched(plan, policies)
        return
    if plan.strategy is Strategy.BOUNDARY:
        yield _limited(plan, policies, boundary)
        return
    going = [policy for policy in policies if policy.source not in plan.stays]
    held = _held(going)
    planned = _planned(plan)
    yield Side(f"before: {_names(held)}", held), Side(f"after: policies {_names(planned)}", planned)


def _limited(plan: Plan, policies: Sequence[Policy], boundary: Policy | None) -> tuple[Side, Side]:
    """A boundary beside the one that it takes the place of, or beside what the policies allow, which it limits."""
    planned = _planned(plan)
    limit = _names(planned)
    if boundary is not None:
        held = _held([boundary])
        return Side(f"before: boundary {_names(held)}", held), Side(f"after: boundary {limit}", planned)
    held = tuple((name, allows) for name, document in _held(policies) if (allows := _allows(document)))
    return Side(f"allowed by {_names(held)}", held), Side(f"allowed within the boundary {limit}", planned)


def _held(policies: Sequence[Policy]) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return tuple((str(policy.source), policy.document) for policy in policies)


def _planned(plan: Plan) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return tuple((policy.name, policy.document) for policy in plan.policies)


def _allows(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A document without its Denies, which a boundary doesn't touch; None where nothing else is in it."""
    allowing = [one for one in _statements(document) if not isinstance(one, Mapping) or one.get("Effect") != "Deny"]
    return {**document, "Statement": allowing} if allowing else None


def _patched(plan: Plan, policies: Sequence[Policy]) -> Iterator[tuple[Side, Side]]:
    """Each policy beside what is left of it; new ones beside nothing."""
    held = {policy.source: policy.document for policy in policies}
    for policy in plan.policies:
        title = str(policy.source or policy.name)
        former = held.get(policy.source) if policy.source else None
        before = Side(f"before: {title}" if former else "before: nothing", ((title, former),) if former else ())
        yield before, Side(f"after: {title}", ((title, policy.document),))
    for source in plan.drops:
        title = str(source)
        documents = ((title, held[source]),) if source in held else ()
        yield Side(f"before: {title}", documents), Side("after: nothing")


def _names(documents: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(name for name, _ in documents) or "nothing"


def _lines(side: Side) -> list[str]:
    """Documents one action a line; where there are several, each under its name.

    Without the commas at the ends of lines, since the last of a list would differ only by having none.
    """
    lines: list[str] = []
    for name, document in side.documents:
        if len(side.documents) > 1:
            lines.append(f"# {name}")
        text = json.dumps(_ordered(document), indent=2, ensure_ascii=False)
        lines.extend(line.rstrip(",") for line in text.split("\n"))
    return lines


def _ordered(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document with keys and lists in order, so that only what differs shows."""
    return _by_key({**document, "Statement": [_statement(one) for one in _statements(document)]})


def _statements(document: Mapping[str, Any]) -> list[Any]:
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _statement(statement: Any) -> Any:
    if not isinstance(statement, Mapping):
        return statement
    return _by_key({key: _plain(key, value) for key, value in statement.items()})


def _by_key(value: Mapping[str, Any]) -> dict[str, Any]:
    places = {key: place for place, key in enumerate(ORDER)}
    return {key: value[key] for key in sorted(value, key=lambda key: (places.get(key, len(places)), key))}


def _plain(key: str, value: Any) -> Any:
    """Actions as a list in order, so that one more makes one more line; a single resource without a list."""
    listed = [value] if isinstance(value, str) else value
    if (
        key not in (*ACTIONS, *RESOURCES)
        or not isinstance(listed, list)
        or not all(isinstance(one, str) for one in listed)
    ):
        return value
    ordered = sorted(set(listed), key=lambda one: (one.lower(), one))
    return ordered[0] if key in RESOURCES and len(ordered) == 1 else ordered
