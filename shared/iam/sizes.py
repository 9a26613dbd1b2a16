"""How large IAM lets policies be, and how statements are spread over several documents where one would be too large.

Source: IAM user guide, "IAM and AWS STS quotas, name requirements, and character limits". All limits are in characters,
without white space.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.errors import InputError
from shared.iam.policy import VERSION

MAX_MANAGED_POLICY = 6144
MAX_INLINE_OF_USER = 2048  # of all inline policies of one user together
MAX_INLINE_OF_GROUP = 5120  # of all inline policies of one group together
MAX_INLINE_OF_ROLE = 10_240  # of all inline policies of one role together


def policy_size(document: Mapping[str, Any]) -> int:
    """Characters that IAM counts against its size limits: the compact form (white space inside strings counted)."""
    return len(compact(document))


def compact(value: Any) -> str:
    """JSON text without white space between its tokens."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def pack(statements: Sequence[Mapping[str, Any]], limit: int) -> tuple[dict[str, Any], ...]:
    """Spread statements over as few documents of at most `limit` characters as first fit, largest first, finds.

    A statement that doesn't fit into a document of its own is parted by its actions, which changes nothing that it
    allows or denies; only the first part keeps the Sid. Within a document statements keep their order.

    Raises InputError where a statement can't be made small enough.
    """
    room = limit - policy_size(_document([])) + 1  # every statement comes with a comma, but for the first
    parts = [part for statement in statements for part in _parts(statement, room)]
    sizes = [policy_size(part) + 1 for part in parts]
    bins: list[list[int]] = []
    for place in sorted(range(len(parts)), key=lambda place: -sizes[place]):
        fitting = (one for one in bins if sum(sizes[other] for other in one) + sizes[place] <= room)
        found = next(fitting, None)
        if found is None:
            bins.append([place])
        else:
            found.append(place)
    return tuple(_document(parts[place] for place in sorted(one)) for one in sorted(map(sorted, bins)))


def _document(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": [dict(statement) for statement in statements]}


def _parts(statement: Mapping[str, Any], room: int) -> Iterator[Mapping[str, Any]]:
    if policy_size(statement) + 1 <= room:
        yield statement
        return
    actions = statement.get("Action")
    if not isinstance(actions, list) or len(actions) == 1:
        raise InputError(f"a statement of {policy_size(statement)} characters can't be made to fit into {room}")
    half = len(actions) // 2
    yield from _parts({**statement, "Action": actions[:half]}, room)
    rest = {key: value for key, value in statement.items() if key != "Sid"}
    yield from _parts({**rest, "Action": actions[half:]}, room)
