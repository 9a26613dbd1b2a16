"""One way to write data as bytes and to hash it, so that a third party can redo every hash of the audit trail."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted names, no spaces and no escapes but the necessary ones; null members are left out.

    Whole floats are written as integers, since DynamoDB does not tell 60 from 60.0; other numbers as Python's `repr`
    has them, which is the shortest text that is the same double. What JSON has no word for never matches a good hash.

    >>> canonical_json({"b": 60.0, "a": [None, 0.1], "c": None})
    '{"a":[null,0.1],"b":60}'
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr)


def digest_of(fields: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of canonical JSON in UTF-8. Text that is no Unicode is hashed as well: it is evidence too."""
    return hashlib.sha256(canonical_json(fields).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
