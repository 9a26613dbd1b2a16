"""Fingerprints: the digest of what an identity may do, for compare-and-set, and the snapshot behind it. Pure."""

import hashlib
import json
from typing import Any

from shared.model.identity import IdentityDetail, Policy
from shared.model.plan import Snapshot


def canonical(value: Any) -> str:
    """JSON of a value in one form: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON value's canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def policies_of(detail: IdentityDetail) -> tuple[Policy, ...]:
    """Every policy in force, its boundary left out, in an order that does not depend on how AWS listed them."""
    return tuple(sorted(detail.policies, key=lambda policy: canonical(_content(policy))))


def fingerprint(detail: IdentityDetail) -> str:
    """Digest of who the identity is, every policy document in force, its groups, and its boundary."""
    boundary = _content(detail.boundary) if detail.boundary else None
    policies = [_content(policy) for policy in policies_of(detail)]
    return digest([detail.ref.identity_id, policies, sorted(detail.groups), boundary])


def take_snapshot(detail: IdentityDetail) -> Snapshot:
    """Everything that is needed to know, and to put back, what an identity could do: documents, not only ARNs."""
    return Snapshot(
        identity=detail.ref,
        taken_at=detail.read_at,
        fingerprint=fingerprint(detail),
        policies=policies_of(detail),
        boundary=detail.boundary,
        groups=tuple(sorted(detail.groups)),
    )


def _content(policy: Policy) -> dict[str, Any]:
    return {"source": list(policy.source), "document": policy.document}
