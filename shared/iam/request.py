"""A request as IAM sees it: who wants to do what to which resource, and what else is known (the request context)."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.errors import InputError

Context = Mapping[str, tuple[str, ...]]
"""Values by lower-case key; a key that isn't there is absent from the request, an empty tuple is present but empty."""

NOTHING_KNOWN: Context = MappingProxyType({})

MULTIVALUED_KEYS = frozenset(
    {
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:principalservicenameslist",
        "aws:resourceorgpaths",
        "aws:sourceorgpaths",
        "aws:tagkeys",
        "aws:vpceorgpaths",
    }
)
"""Global context keys that hold several values, even where a request gives one (source: IAM user guide, "AWS global
condition context keys", value type). All other global keys hold one; services have more of either kind."""


class Request(NamedTuple):
    """One request to be allowed or denied.

    `principal` is the ARN of a user, role, role session, federated user session or root user, `*` (anonymous), a
    service (`x.amazonaws.com`), an identity provider (ARN or host) or an account id. `resource` is an ARN or `*`.
    `resource_account` is the account that owns it: by default the one that its ARN names, else the caller's.
    """

    principal: str
    action: str
    resource: str
    resource_account: str | None = None
    context: Context = NOTHING_KNOWN


def context_of(raw: Mapping[str, Any]) -> Context:
    """Context keys as JSON gives them: each holds text, a boolean or a number, or a list of them.

    >>> context_of({"aws:MultiFactorAuthPresent": True, "aws:TagKeys": ["a", "b"], "s3:max-keys": 5})
    {'aws:multifactorauthpresent': ('true',), 'aws:tagkeys': ('a', 'b'), 's3:max-keys': ('5',)}

    Raises InputError with the key's name where a value is something else, or where two keys differ by case only.
    """
    if not isinstance(raw, Mapping):
        raise InputError("context: expected an object of keys and values")
    context = {str(key).lower(): _values(key, value) for key, value in raw.items()}
    if len(context) != len(raw):
        raise InputError(f"context: a key is given twice, spelled differently, among {sorted(map(str, raw))}")
    return context


def _values(key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(_text(key, item) for item in (value if isinstance(value, list | tuple) else (value,)))


def _text(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise InputError(f"context key {key!r}: expected text, a number or a boolean, or a list of them")
