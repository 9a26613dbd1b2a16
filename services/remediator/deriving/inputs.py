"""What a plan is derived from, beside the identity: what is known of AWS, what was seen, and the options. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.iam.catalogue import Catalogue
from shared.iam.sizes import MAX_MANAGED_POLICY
from shared.model.last_accessed import LastAccessed
from shared.model.plan import ResourceScope, Strategy
from shared.model.sources import PolicySource
from shared.model.usage import Usage
from shared.pci.risk import RiskTable
from shared.pci.score import ScoreParameters


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of AWS: the action catalogue, the risk classes, the score's parameters."""

    catalogue: Catalogue
    risk: RiskTable
    parameters: ScoreParameters


@dataclass(frozen=True, slots=True)
class Quotas:
    """IAM's quotas that a plan must fit into, and how much of the account's is used; the defaults are IAM's own.

    Source: IAM API reference, GetAccountSummary; IAM user guide, "IAM and AWS STS quotas".
    """

    policies: int = 1500
    policies_used: int = 0
    attached_to_user: int = 10
    attached_to_role: int = 10
    policy_size: int = MAX_MANAGED_POLICY


@dataclass(frozen=True, slots=True)
class Options:
    """How plans are made.

    `window_days` is the history in which a use counts; `ttl` how long a plan may wait before it is stale;
    `grace_days` for how long a grant counts as too young to be judged (0: not at all). `always_keep` are action
    patterns (`*` and `?`, any case) that are kept wherever they are granted; `preserve_reads` keeps whatever only reads
    or lists. A trail that was away for more than `max_gap_days`, or last seen more than `max_silent_days` ago, refuses
    every plan; None makes a note of it instead, for people who plan from the files that they have.
    """

    strategy: Strategy
    window_days: int
    threshold: float
    min_observed_days: int
    ttl: timedelta
    resource_scope: ResourceScope = ResourceScope.KEEP
    preserve_reads: bool = False
    always_keep: tuple[str, ...] = ()
    grace_days: int = 0
    max_gap_days: int | None = 7
    max_silent_days: int | None = 2  # the sweep itself is recorded every few hours: a trail that works is seen daily
    quotas: Quotas = Quotas()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an identity did: its ledger, and what IAM says it last tried (None where nobody asked).

    `peers` are the ledgers of the other identities of its peer group: what they used it keeps, too. `granted_since`
    says when a policy in force was first seen there with this document, or was written, whichever is known; a policy
    that is missing counts as old.
    """

    usage: Usage
    last_accessed: LastAccessed | None
    peers: tuple[Usage, ...] = ()
    granted_since: Mapping[PolicySource, datetime] = field(default_factory=dict)
