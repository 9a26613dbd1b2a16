"""The Privilege Creep Index (PCI) of an identity and of the account."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from shared.model.identity import IdentityRef


class RiskClass(StrEnum):
    """What an unused permission could do, from worst to harmless."""

    ESCALATION = "escalation"
    CREDENTIAL_EXPOSURE = "credential_exposure"
    RESOURCE_EXPOSURE = "resource_exposure"
    DATA_ACCESS = "data_access"
    DESTRUCTIVE = "destructive"
    WRITE = "write"
    TAGGING = "tagging"
    READ = "read"
    LIST = "list"


class Band(StrEnum):
    """PCI in words: low 0-33, medium 34-67, high 68-100."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @classmethod
    def of(cls, pci: float) -> "Band":
        """Band of a PCI, by its rounded value as people see it."""
        shown = round(pci)
        return cls.LOW if shown <= 33 else cls.MEDIUM if shown <= 67 else cls.HIGH  # noqa: PLR2004 the bands themselves


class Provider(StrEnum):
    """Who computes scores and proposes policies: this stack's own code, or CloudKnox by its REST API."""

    NATIVE = "native"
    CLOUDKNOX = "cloudknox"


class Contribution(BaseModel):
    """How much one class or one escalation path adds: chance of damage s ∈ [0, 1], with examples of why."""

    model_config = ConfigDict(frozen=True)

    risk: RiskClass
    chance: float = Field(ge=0, le=1)
    unused: int
    mass: float = Field(default=0.0, ge=0)  # Σ ρ over the unused permissions of the class; 0 for a path
    examples: tuple[str, ...] = ()
    path: str | None = None  # id of a completed escalation path


class ReachSource(StrEnum):
    """Where the reach of permissions comes from: how broad their patterns are, or what there is in the account."""

    PATTERN = "pattern"
    INVENTORY = "inventory"


class CoverageSummary(BaseModel):
    """What a score or a plan rests on, in numbers that people can judge.

    `reads` says that calls which only read were recorded, `data_events` are the IAM prefixes of services whose data
    events were recorded for every resource. `resources` is how many the inventory holds, `by_pattern` how many unused
    permissions it says nothing about. `principals` says that the prerequisites of escalation paths were looked up in
    the account; else they are taken as given. `unknown_patterns` are granted wildcards in lower case, sorted and
    at most 10, in which the catalogue knows no action (`newservice:*`): what they grant is not in the score.
    """

    model_config = ConfigDict(frozen=True)

    window_days: int
    observed_days: int
    longest_gap_days: int = 0  # days in a row of the window on which no trail was seen
    regions: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    reads: bool = False
    data_events: tuple[str, ...] = ()
    last_accessed: bool = False
    reach: ReachSource = ReachSource.PATTERN
    resources: int | None = None
    inventory_at: AwareDatetime | None = None
    by_pattern: int = 0
    principals: bool = False
    unknown_patterns: tuple[str, ...] = ()

    @field_validator("data_events", mode="before")
    @classmethod
    def _of_older_scores(cls, value: object) -> object:
        """Scores that were stored before said yes or no for all services, and never yes."""
        return () if isinstance(value, bool) else value


class Score(BaseModel):
    """The PCI of one identity at one time, with everything that is needed to redo it by hand.

    `provider` says whose the `pci` is. All else is this stack's own evidence, whoever scored: of a PCI from outside the
    contributions explain nothing, but say what the unused permissions could do.
    """

    model_config = ConfigDict(frozen=True)

    identity: IdentityRef
    pci: float = Field(ge=0, le=100)
    model_version: str
    catalogue_version: str
    scored_at: AwareDatetime
    granted: int
    used: int
    unused: int
    unobservable: int
    reach: float = Field(ge=0, le=1)  # mean ρ of the unused permissions
    resources: int | None = None  # distinct resources that unused permissions reach; None without an inventory
    contributions: tuple[Contribution, ...] = ()
    coverage: CoverageSummary
    exempt: str | None = None  # why it is left out of the account's score and of verdicts
    provider: Provider = Provider.NATIVE

    @property
    def band(self) -> Band:
        """Low, medium or high."""
        return Band.of(self.pci)

    def from_outside(self, provider: Provider, pci: float | None) -> "Score":
        """The same evidence with the PCI of an outside provider; None where it gives the identity no score.

        Then our own PCI stands beside the reason why nobody is judged by it: no score is neither 0 nor ours.
        """
        if pci is None:
            return self.model_copy(update={"exempt": self.exempt or f"{provider} lists no score of it"})
        return self.model_copy(update={"pci": pci, "provider": provider})


@dataclass(frozen=True, slots=True)
class StoredScore:
    """The current score of an identity.

    `announced` is the digest of the last score that was published and `announcements` counts them, so that a crash
    between storing and publishing is made good on the next try. `present` is False once the identity was deleted, which
    was found out at `retired_at`.
    """

    score: Score
    version: int = 0
    announced: str | None = None
    announcements: int = 0
    present: bool = True
    retired_at: datetime | None = None

    @property
    def looked_at(self) -> datetime:
        """Time of the look at IAM that it rests on: an earlier look knows less."""
        return self.retired_at or self.score.scored_at


class AccountScore(BaseModel):
    """Root mean square of the PCI of every scored identity of an account."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    pci: float = Field(ge=0, le=100)
    identities: int
    excluded: int
    by_band: dict[Band, int]
    scored_at: AwareDatetime
