"""Reads what a call's `requestParameters` name: the roles that it passes. Pure."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from services.scorer.trail.record import NULL

MAX_DEPTH = 64
MAX_VALUES = 50_000  # CloudTrail's own limit is 256 KB a record

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)
_anything = msgspec.json.Decoder()


class RolesNamed(NamedTuple):
    """IAM roles that a request names: by ARN, and whether it names a role or an instance profile in another way."""

    arns: frozenset[str]
    otherwise: bool

    @property
    def any(self) -> bool:
        """Whether the request names a role at all."""
        return self.otherwise or bool(self.arns)


NO_ROLES = RolesNamed(frozenset(), otherwise=False)


def roles_in(parameters: msgspec.Raw) -> RolesNamed:
    """Find the roles in a request; one that can't be read whole names none, which leaves open what was passed."""
    if parameters == NULL:
        return NO_ROLES
    try:
        return _roles_in(_anything.decode(parameters))
    except (msgspec.MsgspecError, RecursionError):
        return NO_ROLES


def names_role(parameters: msgspec.Raw) -> bool:
    """Whether a request names a role at all."""
    return roles_in(parameters).any


def _roles_in(parameters: object) -> RolesNamed:
    arns: set[str] = set()
    otherwise = False
    seen = 0
    stack: list[tuple[Any, bool, int]] = [(parameters, False, 0)]  # value, whether a key above tells of a role, depth
    while stack:
        value, about_role, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            return NO_ROLES
        if isinstance(value, Mapping):
            stack.extend((inner, about_role or _tells_of_role(str(key)), depth + 1) for key, inner in value.items())
        elif isinstance(value, list):
            stack.extend((inner, about_role, depth + 1) for inner in value)
        elif isinstance(value, str) and value.startswith("arn:") and _ROLE_ARN.fullmatch(value):
            arns.add(value)
        elif about_role and isinstance(value, str) and value:
            otherwise = True
    return RolesNamed(frozenset(arns), otherwise)


def _tells_of_role(key: str) -> bool:
    lowered = key.lower()
    return "role" in lowered or "instanceprofile" in lowered
