"""What a report tells, whoever gathered it: offline from files, from the deployed system, or the demonstration.

Plain frozen data, ready to be shown: percentages are shares (0-1), times are aware, texts may hold anything and are
escaped where they are shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class ReportKind(StrEnum):
    """Where a report comes from."""

    OFFLINE = "offline"
    DEPLOYED = "deployed"
    DEMONSTRATION = "demonstration"


@dataclass(frozen=True, slots=True)
class TrendValue:
    """The PCI at the end of one day (UTC)."""

    day: date
    pci: float


@dataclass(frozen=True, slots=True)
class ScorePart:
    """What one class of risk, or one completed escalation path (`path` names it), adds: chance of damage s ∈ [0, 1]."""

    risk: str
    chance: float
    unused: int
    examples: tuple[str, ...]
    path: str = ""


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """The granted permissions of one service; `unknown` are those that the trail can't show, or may have needed."""

    service: str
    granted: int
    used: int
    unused: int
    unknown: int


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One document of a plan, as indented JSON."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ProposedPlan:
    """A plan: what it takes away, as a unified diff of policies (lines without line ends), and its documents."""

    plan_id: str
    strategy: str
    status: str  # as the journal has it; "" for a plan that only files tell of
    removes: int
    keeps: int
    pci_before: float
    pci_after: float
    diff: tuple[str, ...]
    policies: tuple[PolicyText, ...]
    notes: tuple[str, ...] = ()
    enough: bool = True  # whether the identity complies afterwards
    observed_days: int | None = None  # that it rests on; None where nobody says


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of the audit trail in a sentence."""

    at: datetime
    event_type: str
    summary: str


@dataclass(frozen=True, slots=True)
class ReportIdentity:
    """One user or role. `reach` is the mean share of the account's resources that unused permissions reach (0-1)."""

    arn: str
    identity_id: str
    type: str  # user or role
    name: str
    pci: float
    band: str
    compliance: str
    exempt: str | None
    granted: int
    used: int
    unused: int
    unobservable: int
    reach: float
    observed_days: int
    parts: tuple[ScorePart, ...] = ()
    services: tuple[ServiceUse, ...] = ()
    plan: ProposedPlan | None = None
    no_plan: str = ""  # why there is none, in a sentence
    history: tuple[HistoryEntry, ...] = ()
    trend: tuple[TrendValue, ...] = ()
    coverage: tuple[str, ...] = ()  # what the score rests on, a sentence each
    outcome: str = ""  # how it ended, in the demonstration


@dataclass(frozen=True, slots=True)
class Claim:
    """A check of the demonstration."""

    text: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """One account at one time; identities come worst first. `facts` are further lines of its head (name to value)."""

    kind: ReportKind
    account_id: str
    as_of: datetime
    window_days: int
    threshold: float
    model_version: str
    catalogue_version: str
    account_pci: float
    excluded: int  # identities that are exempt and don't count in the account's PCI
    bands: Mapping[str, int]
    identities: tuple[ReportIdentity, ...]
    trend: tuple[TrendValue, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    account_pci_before: float | None = None  # of the demonstration
    account_alarm: float | None = None  # the account's PCI from which on people are alarmed, where there is one
