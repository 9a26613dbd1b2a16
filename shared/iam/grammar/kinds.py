"""The kinds of policies and how their grammars differ.

Sources: IAM user guide, "Policies and permissions", the pages of the elements, and "IAM and AWS STS quotas"; AWS
Organizations user guide, "SCP syntax" (the full language since September 2025), "RCP syntax" and "Quotas".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.iam import sizes
from shared.iam.grammar.findings import Code


class PolicyKind(StrEnum):
    """What a document is attached to; `identity` where it is not known to what kind of identity, and how."""

    IDENTITY = "identity"
    MANAGED = "managed"
    USER_INLINE = "user-inline"
    ROLE_INLINE = "role-inline"
    GROUP_INLINE = "group-inline"
    BOUNDARY = "boundary"
    SESSION = "session"
    RESOURCE = "resource"
    TRUST = "trust"
    SCP = "scp"
    RCP = "rcp"


class Presence(StrEnum):
    """Whether an element has to be there."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class KindRules:
    """How one kind's grammar differs. `limit` is in characters, None where it depends on the service.

    `counts_spaces`: whether white space counts against the limit. `only_warned` are errors that this kind tolerates.
    """

    kind: PolicyKind
    principal: Presence = Presence.FORBIDDEN
    resource: Presence = Presence.REQUIRED
    limit: int | None = None
    counts_spaces: bool = False
    plain_sids: bool = True
    only_warned: frozenset[Code] = frozenset()


# Documents of that version are still in use where IAM does not rewrite them: AWS's own examples of trust and bucket
# policies had it for years.
_OLD_VERSION = frozenset({Code.VERSION_OLD})

RULES_OF: Mapping[PolicyKind, KindRules] = {
    rules.kind: rules
    for rules in (
        KindRules(PolicyKind.IDENTITY, limit=sizes.MAX_MANAGED_POLICY, only_warned=frozenset({Code.TOO_LONG})),
        KindRules(PolicyKind.MANAGED, limit=sizes.MAX_MANAGED_POLICY),
        KindRules(PolicyKind.USER_INLINE, limit=sizes.MAX_INLINE_OF_USER),
        KindRules(PolicyKind.ROLE_INLINE, limit=sizes.MAX_INLINE_OF_ROLE),
        KindRules(PolicyKind.GROUP_INLINE, limit=sizes.MAX_INLINE_OF_GROUP),
        KindRules(PolicyKind.BOUNDARY, limit=sizes.MAX_MANAGED_POLICY),
        KindRules(PolicyKind.SESSION, limit=2048, counts_spaces=True),
        KindRules(
            PolicyKind.RESOURCE,
            principal=Presence.REQUIRED,
            resource=Presence.OPTIONAL,  # a bucket policy needs it, a repository policy of ECR has none
            plain_sids=False,
            only_warned=_OLD_VERSION | {Code.SID_REPEATED},
        ),
        KindRules(
            PolicyKind.TRUST,
            principal=Presence.REQUIRED,
            resource=Presence.FORBIDDEN,
            limit=2048,  # can be raised to 8,192 by a quota request
            only_warned=_OLD_VERSION | {Code.TOO_LONG},
        ),
        KindRules(PolicyKind.SCP, limit=5120, counts_spaces=True),
        KindRules(PolicyKind.RCP, principal=Presence.REQUIRED, limit=5120, counts_spaces=True),
    )
}
