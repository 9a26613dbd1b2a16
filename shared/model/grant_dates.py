"""Since when an identity has had each of its policies, as far as anybody looked: what the grace period goes by.

IAM does not tell when a policy was attached, put or given by a group. So each look at an identity notes the policies
that it did not hold, in this form, at the look before.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.model.identity import IdentityDetail, Policy
from shared.model.sources import PolicySource


class SeenGrants(BaseModel):
    """When each policy of one identity was first seen there with its document, by digest of both.

    `seen_at` is the time of the look that found the last change: an earlier look knows less.
    """

    model_config = ConfigDict(frozen=True)

    seen_at: AwareDatetime
    first_seen: Mapping[str, AwareDatetime]

    @classmethod
    def noted(cls, before: Self | None, detail: IdentityDetail) -> Self:
        """What is to be noted after a look at the identity; `before` itself where the look found nothing new.

        What was not there at the look before counts from this look on, and so does everything of an identity that
        nobody has looked at. A policy that was taken off and comes back is a new one.
        """
        if before is not None and detail.read_at < before.seen_at:
            return before
        known = before.first_seen if before is not None else {}
        keys = (key_of(policy) for policy in detail.policies)
        first_seen = {key: known.get(key, detail.read_at) for key in keys}
        if before is not None and first_seen == dict(known):
            return before
        return cls(seen_at=detail.read_at, first_seen=first_seen)


def granted_since(seen: SeenGrants | None, detail: IdentityDetail, *, now: datetime) -> dict[PolicySource, datetime]:
    """Since when the identity has had each of its policies; what nobody has noted yet counts as given just now."""
    known = seen.first_seen if seen is not None else {}
    return {policy.source: known.get(key_of(policy), now) for policy in detail.policies}


def key_of(policy: Policy) -> str:
    """Digest of where a policy comes from and what it says: another source or another document is another grant."""
    content = json.dumps([*policy.source, policy.document], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
